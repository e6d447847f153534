"""Law: rules and nouns compute with integers: no float, no true division, no transcendental, no matrix product."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.tree import ROOT, Plant, called, imported, last_word, obeyed, sources

FLOAT_WORDS = {
    *("float", "float16", "float32", "float64", "double", "longdouble", "complex64", "complex128"),
    *("divide", "true_divide", "mean", "average", "median", "std", "var", "percentile", "quantile", "interp"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "hypot", "power", "float_power"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "logaddexp", "linspace", "linalg", "fft"),
    *("dot", "vdot", "inner", "outer", "matmul", "tensordot", "einsum"),
}
"""Words that make or compute a float when they are called, or reached as an attribute of a module or an array."""


ON_DISK = {"pathlib", "threading"}
"""What only the nouns' memory on disk imports: there a stroke joins paths, a number of seconds is waited, no amount is."""


def faults(node: ast.AST) -> Iterator[str]:
    """What one piece of syntax does with floats."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield f"float literal {node.value}"
    elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div | ast.MatMult):
        yield "true division" if isinstance(node.op, ast.Div) else "matrix product"
    elif isinstance(node, ast.Attribute) and node.attr in FLOAT_WORDS:
        yield f"{node.attr} computes a float"
    elif isinstance(node, ast.Call) and called(node) != "isinstance":
        words = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
        yield from (f"{word.id} computes a float" for word in words if isinstance(word, ast.Name) and is_float(word))


def is_float(word: ast.AST) -> bool:
    """True when the word makes or computes a float."""
    return last_word(word) in FLOAT_WORDS


def breaches(root: Path) -> list[str]:
    """Every float in the rules and the nouns."""
    found = []
    for source in sources(root, "rules", "state"):
        if source.path.startswith("state/") and any(name.split(".")[0] in ON_DISK for _, name in imported(source.tree)):
            continue
        for node in ast.walk(source.tree):
            found += [source.at(node, fault) for fault in faults(node)]
        found += [
            source.at(node, f"imports {name}")
            for node, name in imported(source.tree)
            if name.split(".")[0] in {"math", "cmath", "statistics", "scipy"}
            or (name.startswith("numpy.") and name.split(".")[1] in FLOAT_WORDS)
        ]
    return found


def test_rules_and_nouns_compute_with_integers() -> None:
    """No decision depends on the last bit of a float."""
    obeyed(breaches(ROOT))


@pytest.mark.parametrize("path", ["rules/sizing.py", "state/ledger.py"])
@pytest.mark.parametrize(
    "line",
    [
        "x = 0.5",
        "x = 1e6",
        "x = a / b",
        "x /= 2",
        "x = a @ b",
        "x = float(a)",
        "x = sqrt(a)",
        "x = np.exp(a)",
        "x = column.mean()",
        "x = column.astype(float)",
        "x = np.zeros(3, dtype=np.float64)",
        "x = np.zeros(3, dtype=float)",
        "x = np.linalg.norm(a)",
        "import math",
        "from numpy import log",
    ],
)
def test_the_law_of_integers_can_fail(plant: Plant, path: str, line: str) -> None:
    """Each way to a float is seen."""
    assert len(breaches(plant(path, line + "\n"))) == 1


def test_integers_are_left_in_peace(plant: Plant) -> None:
    """Floor division, an integer column and the question whether something is a float are no offence."""
    text = "x = a // b\ny = np.minimum(a, b)\nz = isinstance(a, float)\ndef log(x: int) -> int: return x\n"
    assert breaches(plant("rules/sizing.py", text)) == []
