"""Law: rules and state raise, they never `assert`: `python -O` strips assertions, and money is held up by these."""

import ast
from pathlib import Path

from tests.laws.tree import ROOT, Plant, obeyed, sources


def breaches(root: Path) -> list[str]:
    """Every `assert` statement in the nouns and the rules."""
    return [
        source.at(node, "asserts, raise LawBroken instead")
        for source in sources(root, "rules", "state")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assert)
    ]


def test_laws_are_raised_not_asserted() -> None:
    """No check of the nouns or the rules vanishes under `-O`."""
    obeyed(breaches(ROOT))


def test_the_law_of_assertions_can_fail(plant: Plant) -> None:
    """An assertion inside a function is seen; `assert_never` is a call and stays."""
    root = plant("state/portfolio.py", "def apply(fact):\n    assert fact\n    assert_never(fact)\n")
    assert breaches(root) == ["state/portfolio.py:2: asserts, raise LawBroken instead"]
