"""The planted bugs still have their places, their finders and their lines on the page; the quickest are planted here too."""

import ast
import shlex
from pathlib import Path

import pytest

from tests.laws.tree import ROOT
from tests.planted.bugs import BUGS, Bug
from tests.planted.page import PAGE, row
from tests.planted.planting import Copy, Found, spoilt

QUICK = ("short write ignored", "iteration over a set", "a gap accepted in mid-log")
WANTED = {
    *("acknowledge before fsync", "CRC skipped", "fsync retried", "short write ignored", "no directory fsync"),
    *("effect before durability", "wall clock in the core", "iteration over a set", "float cash"),
    *("one unit not seeing the decision before it", "dedup forgotten on restart", "snapshot LSN off by one"),
    *("a gap accepted in mid-log", "order re-sent under a new id", "a fill on the quote that decided"),
}


@pytest.fixture(name="copy", scope="module")
def _copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("planted") / "tree")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_still_has_its_place(bug: Bug) -> None:
    """Each old text stands once in its file, and what is put in its place is Python and something else."""
    sound = (ROOT / bug.file).read_text("utf-8")
    assert ast.dump(ast.parse(spoilt(sound, bug))) != ast.dump(ast.parse(sound))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_has_a_finder_that_exists(bug: Bug) -> None:
    """The file is there, and so are the tests that its words choose."""
    file, *chosen = shlex.split(bug.finder)
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    names = [one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    tests = [name for name in names if name.startswith("test_")]
    assert chosen[:1] in ([], ["-k"])
    assert [name for name in tests if not chosen or chosen[1] in name]


def test_the_page_lists_every_bug_and_no_other() -> None:
    """One line each, in their order, as the last run of all of them wrote it."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    assert [line.startswith(row(bug)) for line, bug in zip(lines, BUGS, strict=True)] == [True] * len(BUGS)


def test_no_classic_bug_is_left_out() -> None:
    """Names tell them apart, and those that every such program should be tried with are among them."""
    names = [bug.name for bug in BUGS]
    assert len(set(names)) == len(names)
    assert set(names) >= WANTED


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found(copy: Copy, name: str) -> None:
    """Its finder passes without it and fails with it, for its reason; afterwards the copy is sound again."""
    bug = next(one for one in BUGS if one.name == name)
    with copy.planted(bug):
        found = copy.find(bug.finder)
    assert found.tells(bug), found.said
    assert (copy.root / bug.file).read_bytes() == (ROOT / bug.file).read_bytes()
    if "storm" not in bug.finder:
        assert not copy.find(bug.finder).failed


def test_a_failure_for_another_reason_finds_nothing(copy: Copy) -> None:
    """A finder that stumbles over something else, or passes, does not count; a run that is no verdict is refused."""
    bug = BUGS[0]
    assert Found(failed=True, said="storm 8 after 1 crashes", seconds=0).tells(bug)
    assert not Found(failed=True, said="NameError", seconds=0).tells(bug)
    assert not Found(failed=False, said="storm 8 after 1 crashes", seconds=0).tells(bug)
    with pytest.raises(RuntimeError, match="no verdict"):
        copy.find("tests/test_nowhere.py")


def test_a_bug_without_a_place_is_refused(tmp_path: Path) -> None:
    """A text that is gone, or stands twice, is no place."""
    for text in ("", "    gone = 1\n    gone = 1\n"):
        with pytest.raises(ValueError, match="not once"):
            spoilt(text, BUGS[0]._replace(changes=(("gone", "lost"),)))
