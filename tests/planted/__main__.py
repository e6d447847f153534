"""`python -m tests.planted [NAME ...]`: plant each bug in a copy of the tree, run its finder, and write down who finds it.

Ends with 1 when a finder fails without its bug, finds nothing, or fails for another reason. Only a run over all bugs
that found each of them writes the page.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.planted.bugs import BUGS, Bug
from tests.planted.page import PAGE, page
from tests.planted.planting import Copy, Found


def sound(copy: Copy, bugs: Iterable[Bug]) -> bool:
    """Whether every finder passes while there is nothing to find."""
    passed = True
    for finder in dict.fromkeys(one.finder for one in bugs):
        found = copy.find(finder)
        print(f"{'FAILS' if found.failed else 'passes'} without a bug, {found.seconds:.1f} s: {finder}", flush=True)
        if found.failed:
            passed = False
            print(found.said)
    return passed


def main(names: list[str]) -> int:
    """Plant the bugs of these names, or all."""
    bugs = [one for one in BUGS if not names or one.name in names]
    all_found: dict[str, Found] = {}
    with TemporaryDirectory(prefix="planted-") as place:
        copy = Copy(Path(place) / "tree")
        if not sound(copy, bugs):
            return 1
        for bug in bugs:
            with copy.planted(bug):
                found = copy.find(bug.finder)
            if found.tells(bug):
                all_found[bug.name] = found
                print(f"found in {found.seconds:.1f} s: {bug.name}", flush=True)
            else:
                why = f"fails, but not with {bug.shows!r}" if found.failed else "finds nothing"
                print(f"NOT FOUND: {bug.name}: {bug.finder} {why}\n{found.said}", flush=True)
    if len(all_found) < len(bugs):
        return 1
    if len(bugs) == len(BUGS):
        PAGE.write_text(page(all_found), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
