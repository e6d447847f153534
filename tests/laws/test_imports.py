"""Law: imports point one way, and each folder is read in one written order, complete."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.tree import PACKAGES, PROGRAM, ROOT, Plant, imported, obeyed, sources


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of the tree at `root` as `make contracts` does."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the packages and their contracts, into which an offence is planted."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_every_import_contract_is_kept() -> None:
    """import-linter keeps every contract; a module that is not placed is put in place by `make layers`."""
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("path", "line", "complaint"),
    [
        ("state/money.py", "import rules", "state.money -> rules"),
        ("state/money.py", "import oracle", "state.money -> oracle"),
        ("rules/__init__.py", "import oracle", "rules -> oracle"),
        ("rules/__init__.py", "import time", "rules -> time"),
        ("rules/__init__.py", "import logging.handlers", "rules -> logging"),
        ("rules/__init__.py", "from os import path", "rules -> os"),
        ("state/contract.py", "import transitions", "state.contract -> transitions"),
        ("state/money.py", "import state.contract", "state.money -> state.contract"),
        ("state/unplaced.py", "", "unplaced"),
        ("oracle/unplaced/leaf.py", "", "unplaced"),
    ],
)
def test_the_import_law_can_fail(copy: Path, path: str, line: str, complaint: str) -> None:
    """Each kind of wrong import, and each kind of module without a place, breaks a contract that names it."""
    file = copy / path
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch()
    with file.open("a", encoding="utf-8") as text:
        text.write(f"\n{line}\n")
    result = lint(copy)
    assert result.returncode != 0
    assert complaint in " ".join(result.stdout.split())


def test_a_rule_reaches_no_disk_through_a_noun(copy: Path) -> None:
    """A rule that imports a noun that imports `os` is refused as if it imported `os` itself."""
    (copy / "state" / "reached.py").write_text("import os\n", "utf-8")
    (copy / "rules" / "reaching.py").write_text("import state.reached\n", "utf-8")
    result = lint(copy)
    assert result.returncode != 0
    assert "rules.reaching -> state.reached" in " ".join(result.stdout.split())


def importers_of_cli(root: Path) -> list[str]:
    """Every import of `cli` in the packages: import-linter cannot watch a root that is a single file."""
    return [
        source.at(node, "imports cli")
        for source in sources(root, *PROGRAM)
        for node, name in imported(source.tree)
        if name.split(".")[0] == "cli"
    ]


def test_nothing_imports_the_command_line() -> None:
    """`cli` stands on top: no module of the packages imports it."""
    obeyed(importers_of_cli(ROOT))


def test_the_law_about_the_command_line_can_fail(plant: Plant) -> None:
    """Both spellings of the import are seen."""
    plant("oracle/daemon.py", "import cli\n")
    root = plant("rules/entry.py", "from cli import main\n")
    assert importers_of_cli(root) == ["oracle/daemon.py:1: imports cli", "rules/entry.py:1: imports cli"]
