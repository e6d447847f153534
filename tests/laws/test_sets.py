"""Law: no order of a set decides anything: rules and state never walk over a set, they sort it first."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import ROOT, Plant, Source, called, last_word, obeyed, sources

MAKES_A_SET = {"set", "frozenset", "union", "intersection", "difference", "symmetric_difference"}
SET_TYPES = {"set", "frozenset", "Set", "AbstractSet", "MutableSet", "KeysView"}
KEEPS_ORDER = {"list", "tuple", "iter", "enumerate", "reversed", "zip", "map", "filter", "join", "array", "fromiter"}
_ALGEBRA = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)


def known_sets(tree: ast.Module) -> set[str]:
    """Names that the file annotates as a set or assigns one to: a reasonable approximation, by name alone."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            kind = node.annotation.value if isinstance(node.annotation, ast.Subscript) else node.annotation
            if last_word(kind) in SET_TYPES:
                names.add(node.arg if isinstance(node, ast.arg) else last_word(node.target))
        elif isinstance(node, ast.Assign) and is_set(node.value, names):
            names.update(last_word(target) for target in node.targets)
    return names - {""}


def is_set(node: ast.AST, names: set[str]) -> bool:
    """True when the expression is, as far as one can read it, a set."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, _ALGEBRA):
        return any(is_set(side, names) or called(side) == "keys" for side in (node.left, node.right))
    return (
        isinstance(node, ast.Set | ast.SetComp)
        or called(node) in MAKES_A_SET
        or (isinstance(node, ast.Name | ast.Attribute) and last_word(node) in names)
    )


def walks(tree: ast.Module) -> Iterator[ast.expr]:
    """Every expression whose order matters: it is looped over, unpacked, or turned into something ordered."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension):
            yield node.iter
        elif isinstance(node, ast.Starred):
            yield node.value
        elif isinstance(node, ast.Call) and called(node) in KEEPS_ORDER:
            yield from node.args
        elif called(node) == "pop" and isinstance(node, ast.Call) and not node.args:
            yield node.func.value if isinstance(node.func, ast.Attribute) else node.func


def faults(source: Source) -> list[str]:
    """Every walk over a set in one file."""
    names = known_sets(source.tree)
    return [source.at(node, "walks over a set") for node in walks(source.tree) if is_set(node, names)]


def breaches(root: Path) -> list[str]:
    """Every walk over a set in the nouns and the rules."""
    return [fault for source in sources(root, "rules", "state") for fault in faults(source)]


def test_no_set_is_walked_over() -> None:
    """The hash seed decides nothing."""
    obeyed(breaches(ROOT))


def test_the_law_of_sets_can_fail(plant: Plant) -> None:
    """Each way of walking over a set is seen; sorting it, asking membership and walking over a dict are not."""
    good = "seen = {1, 2}\nfor x in sorted(seen): ...\nok = 1 in seen\nfor k in {1: 2}.keys(): ...\nn = len(seen)\n"
    bad = [
        "for x in {1, 2}: ...",
        "y = [x for x in set(z)]",
        "for x in a.keys() - b: ...",
        "for x in a.union(b): ...",
        "y = list(seen)",
        "y = ','.join(seen)",
        "y = [*seen]",
        "y = seen.pop()",
        "def f(names: frozenset[str]): return tuple(names)",
        "class C:\n    tags: set[str]\n    def g(self): return [t for t in self.tags]",
    ]
    plant("rules/gates.py", good)
    for line in bad:
        root = plant("state/book.py", f"seen = {{1, 2}}\n{line}\n")
        assert len(breaches(root)) == 1, line
