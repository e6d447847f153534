"""Law: files, classes and functions are named after a thing or an act, never after a drawer to put things in."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import PROGRAM, ROOT, Plant, obeyed, sources

DRAWERS = {"util", "misc", "helper", "common", "base", "manager", "handler", "service", "info"}

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def drawers(name: str) -> list[str]:
    """The banned words in a name in snake case or camel case, plurals included."""
    words = (word.lower() for word in _WORD.findall(name))
    return [word for word in words if word in DRAWERS or word.removesuffix("s") in DRAWERS]


def names(root: Path) -> Iterator[tuple[str, str]]:
    """Every name that the law judges, with its place."""
    for source in sources(root, *PROGRAM, "tests", "benchmarks"):
        yield f"{source.path}:1", source.path.removesuffix(".py")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{source.path}:{node.lineno}", node.name


def breaches(root: Path) -> list[str]:
    """Every name that holds a banned word."""
    return [f"{place}: {name} holds {drawers(name)[0]}" for place, name in names(root) if drawers(name)]


def test_names_are_things_or_acts() -> None:
    """A function lives with its noun or it does not exist."""
    obeyed(breaches(ROOT))


def test_the_law_of_names_can_fail(plant: Plant) -> None:
    """Files, folders, classes and functions are judged word by word, so that `database` is no `base`."""
    plant("oracle/database.py", "class Informed: ...\n")
    plant("oracle/utils/time.py", "")
    root = plant("rules/order_manager.py", "class AlertHandler:\n    def base_price(self): ...\n")
    assert breaches(root) == [
        "oracle/utils/time.py:1: oracle/utils/time holds utils",
        "rules/order_manager.py:1: rules/order_manager holds manager",
        "rules/order_manager.py:1: AlertHandler holds handler",
        "rules/order_manager.py:2: base_price holds base",
    ]
