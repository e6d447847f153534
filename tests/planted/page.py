"""The page that tells which bug is found by whom."""

import re
from collections.abc import Mapping

from tests.laws.tree import ROOT
from tests.planted.bugs import BUGS, Bug
from tests.planted.planting import Found

PAGE = ROOT / "docs" / "planted-bugs.md"

_SHOWN_MAX = 140
_HEAD = """# Planted bugs

Tests that never failed prove little. `make plants` copies the tree, puts one bug at a time into the program, each where
an engineer could have made it, and runs the storm, law or property that must find it. The finder has to pass without
the bug, and to fail for the reason that belongs to the bug. The bugs stand in `tests/planted/bugs.py`.

"Shows itself as" is what the finder printed. The last column is the processor time in seconds until it had failed, the
start of Python included. The first fifteen are the classic ones, the others our own; the first three of those were
found by nothing when they were first planted, and what finds them was written then. The command writes this page.

| bug | where | found by | shows itself as | seconds |
|---|---|---|---|---|
"""


def row(bug: Bug) -> str:
    """The line of a bug, as far as it is the same in every run."""
    return f"| {bug.name} | `{bug.file}` | `{bug.finder}` |"


def shown(bug: Bug, found: Found) -> str:
    """The line of the failure that gives the reason."""
    lines = [one for one in found.said.splitlines() if re.search(bug.shows, one)]
    # What pytest says of the failure tells more than the source line it quotes.
    line = min(lines, key=lambda one: not one.startswith("E "))
    words = " ".join(line.removeprefix("E ").split()).replace("|", "/").replace("`", "'")
    return words if len(words) <= _SHOWN_MAX else f"{words[:_SHOWN_MAX]}..."


def page(found: Mapping[str, Found]) -> str:
    """The whole page."""
    ends = ((bug, found[bug.name]) for bug in BUGS)
    return _HEAD + "".join(f"{row(bug)} `{shown(bug, one)}` | {one.seconds:.1f} |\n" for bug, one in ends)
