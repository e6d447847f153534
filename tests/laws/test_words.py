"""Law: the tree speaks of its product, not of the workplace, the tickets or the machine on which it was written."""

import re
import subprocess
from pathlib import Path

from tests.laws.tree import ROOT, Plant, obeyed

WORDS = re.compile(r"issue #\d|issues/\d|helper sessio[n]|/wor[k]/|/hom[e]/\w|shared/dat[a]", re.IGNORECASE)
NAMES_THE_TEST_FILES = {"README.md", "tests/conftest.py"}
"""Files that say where the tests look for recorded market files by default."""


def tracked(root: Path) -> list[str]:
    """The files git keeps or would keep; outside a repository, every file that is not hidden."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        return [path for path in sorted(set(listing.stdout.splitlines())) if (root / path).is_file()]
    files = (file.relative_to(root) for file in sorted(root.rglob("*")) if file.is_file())
    return [file.as_posix() for file in files if not any(part.startswith(".") for part in file.parts)]


def breaches(root: Path, paths: list[str]) -> list[str]:
    """Every line of a text file that holds one of the words."""
    found = []
    for path in paths:
        text = (root / path).read_bytes().decode("utf-8", "ignore")
        for number, line in enumerate(text.splitlines(), 1):
            match = WORDS.search(line)
            if match and not (path in NAMES_THE_TEST_FILES and match[0].startswith("shared")):
                found.append(f"{path}:{number}: says {match[0]}")
    return found


def test_the_tree_speaks_of_its_product() -> None:
    """No tracked file names a ticket, a machine path or the workplace."""
    obeyed(breaches(ROOT, tracked(ROOT)))


def test_the_law_of_words_can_fail(plant: Plant) -> None:
    """Each word is seen, market sessions are not, and the place of the test files may be named where it is read."""
    plant("docs/a.md", "See issue " + "#12.\nA session opens at 09:30.\nRun it in /wor" + "k/main.\n")
    plant("README.md", "Files: ../shared/dat" + "a\n")
    root = plant("rules/gates.py", "# ../shared/dat" + "a\n")
    assert breaches(root, ["README.md", "docs/a.md", "rules/gates.py"]) == [
        "docs/a.md:1: says issue " + "#1",
        "docs/a.md:3: says /wor" + "k/",
        "rules/gates.py:1: says shared/dat" + "a",
    ]


def test_a_tree_without_git_is_judged_too(plant: Plant) -> None:
    """An unpacked archive has no list of tracked files: its visible files are read instead."""
    plant(".venv/x.py", "")
    assert tracked(plant("docs/a.md", "")) == ["docs/a.md"]
