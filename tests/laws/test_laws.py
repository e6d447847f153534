"""Law: every law has a companion that shows it failing."""

import ast
from pathlib import Path

from tests.laws.tree import ROOT, Plant, obeyed, sources


def breaches(root: Path) -> list[str]:
    """Every file of laws without a test whose name ends in `can_fail`."""
    return [
        source.at(source.tree, "no test shows that the law can fail")
        for source in sources(root, "tests/laws")
        if Path(source.path).name.startswith("test_")
        and not any(isinstance(node, ast.FunctionDef) and node.name.endswith("can_fail") for node in source.tree.body)
    ]


def test_every_law_has_a_companion() -> None:
    """A law that cannot fail is no law."""
    obeyed(breaches(ROOT))


def test_the_law_of_laws_can_fail(plant: Plant) -> None:
    """A file with a law alone is seen; one with a companion, and one without laws, are not."""
    plant("tests/laws/tree.py", "")
    plant("tests/laws/test_a.py", "def test_the_law_can_fail(): ...\n")
    root = plant("tests/laws/test_b.py", "def test_the_tree_obeys(): ...\n")
    assert breaches(root) == ["tests/laws/test_b.py:1: no test shows that the law can fail"]
