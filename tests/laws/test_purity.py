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

ALLOWED = {"rules": COMPUTES, "oracle/loop.py": {*COMPUTES, "oracle"}}
WORLDLY_CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "globals"}


def faults(source: Source, allowed: set[str]) -> Iterator[str]:
    """Every import that is not allowed and every call of a built-in that touches the world."""
    for statement, name in imported(source.tree):
        if name.split(".")[0] not in allowed:
            yield source.at(statement, f"imports {name}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and called(node) in WORLDLY_CALLS:
            yield source.at(node, f"calls {called(node)}()")


def breaches(root: Path) -> list[str]:
    """The faults of every place that must be pure."""
    return [
        fault
        for place, allowed in ALLOWED.items()
        for source in sources(root, place)
        for fault in faults(source, allowed)
    ]


def test_rules_and_loop_are_pure() -> None:
    """Decisions see only what is handed to them."""
    obeyed(breaches(ROOT))


def test_the_law_of_purity_can_fail(plant: Plant) -> None:
    """A module off the list, a relative import and a call of `open` are seen; the loop may import its own folder."""
    plant("rules/gates.py", "import math\nfrom . import exits\nfrom state import money\nopen('x')\n")
    root = plant("oracle/loop.py", "import oracle.inbox\nimport asyncio\n")
    assert breaches(root) == [
        "rules/gates.py:1: imports math",
        "rules/gates.py:2: imports ..exits",
        "rules/gates.py:4: calls open()",
        "oracle/loop.py:2: imports asyncio",
    ]
