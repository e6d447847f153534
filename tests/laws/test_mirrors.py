"""Law: every module that computes has its mirror: a test file of the same name that imports it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import PACKAGES, ROOT, Plant, Source, imported, obeyed, sources

MIRRORS: dict[str, str] = {}
"""Modules whose tests stand in a file of another name, each with its reason. Keep it short."""


def mirrors(source: Source) -> list[str]:
    """The names the mirror of a module may have: `test_gates.py`, or `test_rules_gates.py` where names meet."""
    words = source.module.split(".")
    return [f"test_{'_'.join(words[start:])}.py" for start in range(len(words))]


def computes(source: Source) -> bool:
    """False for a file that only declares: there is nothing of it to test but where it is used."""
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(source.tree))


def breaches(root: Path) -> Iterator[str]:
    """Every module that computes and has neither a test file of its name that imports it nor a mapped one."""
    tests = list(sources(root, "tests"))
    for source in sources(root, *PACKAGES):
        names = mirrors(source)
        reached = (name for test in tests if Path(test.path).name in names for _, name in imported(test.tree))
        found = any(f"{name}.".startswith(f"{source.module}.") for name in reached)
        mapped = any(Path(test.path).name == MIRRORS.get(source.path) for test in tests)
        if computes(source) and not found and not mapped:
            yield f"{source.path}: no {' or '.join(names)} under tests/ imports {source.module}"


def test_the_mapping_names_what_exists() -> None:
    """A mapping whose module is gone or has its own test file is dropped."""
    stale = [
        path for path in MIRRORS if not (ROOT / path).exists() or (ROOT / "tests" / f"test_{Path(path).name}").exists()
    ]
    assert stale == []


def test_every_module_has_its_mirror() -> None:
    """A module without a test of its own is not finished."""
    obeyed(breaches(ROOT))


def test_the_law_of_mirrors_can_fail(plant: Plant) -> None:
    """A module without a test file, and one whose test file tests another module of the same name, are seen."""
    plant("state/facts.py", "class Fact: ...\n")
    plant("state/bias.py", "def fresh(): ...\n")
    plant("state/money.py", "def parse(): ...\n")
    plant("rules/bias.py", "def judge(): ...\n")
    plant("tests/test_money.py", "from state import money\n")
    root = plant("tests/test_bias.py", "from rules.bias import judge\n")
    assert list(breaches(root)) == [
        "state/bias.py: no test_state_bias.py or test_bias.py under tests/ imports state.bias"
    ]
