"""Law: a function has at most 70 lines and a file at most 400. The ceilings may be lowered, never raised."""

import ast
from pathlib import Path

from tests.laws.tree import PROGRAM, ROOT, Plant, obeyed, sources

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400


def breaches(root: Path) -> list[str]:
    """Every function and file above its ceiling."""
    found = []
    for source in sources(root, *PROGRAM):
        lines = len(source.text.splitlines())
        if lines > FILE_LINES_MAX:
            found.append(f"{source.path}: {lines} lines, at most {FILE_LINES_MAX}")
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append(source.at(node, f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"))
    return found


def test_functions_and_files_stay_small() -> None:
    """No function and no file outgrows what a reader holds in mind."""
    obeyed(breaches(ROOT))


def test_the_law_of_sizes_can_fail(plant: Plant) -> None:
    """One line above each ceiling is seen, the ceiling itself is not."""
    plant("rules/gates.py", "def ask():\n" + "    pass\n" * 69 + "\n" * 330)
    plant("rules/exits.py", "def ask():\n" + "    pass\n" * 70)
    root = plant("state/book.py", "\n" * 401)
    assert breaches(root) == [
        "rules/exits.py:1: ask has 71 lines, at most 70",
        "state/book.py: 401 lines, at most 400",
    ]
