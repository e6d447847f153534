"""Law: the rules and the loop import only what computes, and call nothing that opens, prints or evaluates."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import ROOT, Plant, Source, called, imported, obeyed, sources

COMPUTES = {
    *("__future__", "abc", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum", "functools"),
    *("hashlib", "heapq", "itertools", "json", "operator", "re", "string", "types", "typing", "unicodedata"),
    *("msgspec", "numpy", "rules", "state"),
}
"""The modules a rule may import. The list is closed: what is not known to compute only is refused."""

PLACES = ("rules", "oracle/loop.py")
WORLDLY_CALLS = {
    *("open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "globals"),
    # Numbers that another process gives otherwise.
    *("hash", "id"),
}
MOMENTS = {"now", "today"}
"""Texts that numpy takes for the instant at which it reads them."""


def faults(source: Source) -> Iterator[str]:
    """Every import that is not allowed and every call of a built-in that touches the world or names the moment."""
    for statement, name in imported(source.tree):
        if name.split(".")[0] not in COMPUTES:
            yield source.at(statement, f"imports {name}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and called(node) in WORLDLY_CALLS:
            yield source.at(node, f"calls {called(node)}()")
        elif isinstance(node, ast.Call) and any(names_the_moment(one) for one in node.args):
            yield source.at(node, f"asks {called(node)}() for the moment")


def names_the_moment(word: ast.expr) -> bool:
    """True for a text that stands for the instant at which it is read."""
    return isinstance(word, ast.Constant) and word.value in MOMENTS


def breaches(root: Path) -> list[str]:
    """The faults of every place that must be pure."""
    return [fault for source in sources(root, *PLACES) for fault in faults(source)]


def test_rules_and_loop_are_pure() -> None:
    """Decisions see only what is handed to them."""
    obeyed(breaches(ROOT))


def test_the_law_of_purity_can_fail(plant: Plant) -> None:
    """A module off the list, a relative import, a call of `open` or `hash` and the moment are seen, in the loop too."""
    plant("rules/gates.py", "import math\nfrom . import exits\nfrom state import money\nopen('x')\n")
    plant("rules/exits.py", "hash('x')\nnp.datetime64('now', 'ns')\nwords = ('now', 'then')\n")
    root = plant("oracle/loop.py", "from oracle.clock import WallClock\nimport asyncio\n")
    assert breaches(root) == [
        "rules/exits.py:1: calls hash()",
        "rules/exits.py:2: asks datetime64() for the moment",
        "rules/gates.py:1: imports math",
        "rules/gates.py:2: imports ..exits",
        "rules/gates.py:4: calls open()",
        "oracle/loop.py:1: imports oracle.clock.WallClock",
        "oracle/loop.py:2: imports asyncio",
    ]
