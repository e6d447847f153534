"""Law: no order of a set decides anything: rules and state never walk over a set, they sort it first."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import ROOT, Plant, Source, called, last_word, obeyed, sources

MAKES_A_SET = {"set", "frozenset", "union", "intersection", "difference", "symmetric_difference"}
SET_TYPES = {"set", "frozenset", "Set", "AbstractSet", "MutableSet", "KeysView"}
KEEPS_ORDER = {
    *("list", "tuple", "iter", "enumerate", "reversed", "zip", "map", "filter", "join", "array", "fromiter"),
    *("fromkeys", "extend", "deque"),
}
PICKS = {"sorted", "min", "max"}
"""What is equal under their key, they leave in the order in which they met it."""
_ALGEBRA = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)


def told_sets(tree: ast.Module) -> Iterator[str]:
    """Names that the file annotates as a set, and functions that it says return one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and names_a_set(node.annotation):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and names_a_set(node.annotation):
            yield last_word(node.target)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and names_a_set(node.returns):
            yield node.name


def names_a_set(annotation: ast.expr | None) -> bool:
    """True when an annotation is that of a set."""
    word = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return word is not None and last_word(word) in SET_TYPES


def reached(tree: ast.Module) -> Iterator[str]:
    """The sets of a file that others reach: attributes, constants and functions, unless they are private."""
    local = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    yield from (name for name in told_sets(tree) if not name.startswith("_") and name not in local)


def known_sets(tree: ast.Module, told: set[str]) -> set[str]:
    """Names that stand for a set in a file: a reasonable approximation, by name alone."""
    other = {last_word(node.target) for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)}
    names = (told - other) | set(told_sets(tree))
    for target, value in assigned(tree):
        if is_set(value, names):
            names.add(last_word(target))
    return names - {""}


def assigned(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Every target of an assignment with what it gets, several at once taken apart."""
    assignments = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    for value, target in ((node.value, target) for node in assignments for target in node.targets):
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            yield from zip(target.elts, value.elts, strict=False)
        else:
            yield target, value


def is_set(node: ast.AST, names: set[str]) -> bool:
    """True when the expression is, as far as one can read it, a set."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, _ALGEBRA):
        return any(is_set(side, names) or called(side) == "keys" for side in (node.left, node.right))
    return (
        isinstance(node, ast.Set | ast.SetComp)
        or called(node) in MAKES_A_SET | names
        or (isinstance(node, ast.Name | ast.Attribute) and last_word(node) in names)
    )


def walks(tree: ast.Module) -> Iterator[ast.expr]:
    """Every expression whose order matters: it is looped over, unpacked, or turned into something ordered."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension):
            yield node.iter
        elif isinstance(node, ast.Starred):
            yield node.value
        elif isinstance(node, ast.Call) and (called(node) in KEEPS_ORDER or (called(node) in PICKS and node.keywords)):
            yield from node.args
        elif called(node) == "pop" and isinstance(node, ast.Call) and not node.args:
            yield node.func.value if isinstance(node.func, ast.Attribute) else node.func


def faults(source: Source, told: set[str]) -> list[str]:
    """Every walk over a set in one file; `told` are the sets that other files let it reach."""
    names = known_sets(source.tree, told)
    return [source.at(node, "walks over a set") for node in walks(source.tree) if is_set(node, names)]


def breaches(root: Path) -> list[str]:
    """Every walk over a set in the nouns and the rules."""
    told = {name for source in sources(root, "rules", "state") for name in reached(source.tree)}
    return [fault for source in sources(root, "rules", "state") for fault in faults(source, told)]


def test_no_set_is_walked_over() -> None:
    """The hash seed decides nothing."""
    obeyed(breaches(ROOT))


def test_the_law_of_sets_can_fail(plant: Plant) -> None:
    """Each way of walking over a set is seen; sorting it, asking membership and walking over a dict are not."""
    other = "marked: dict[str, int] = {}\nfor k in marked: ...\n"
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
        "y = dict.fromkeys(seen)",
        "y.extend(seen)",
        "y = max(seen, key=f)",
        "y = sorted(seen, key=f)",
        "n, due = 3, {1, 2}\nfor x in due: ...",
        "def _due() -> set[str]: ...\nfor x in _due(): ...",
        "for x in portfolio.marked: ...",
        "y = tuple(portfolio.held())",
    ]
    plant("rules/gates.py", other + good)
    plant("state/portfolio.py", "class P:\n    marked: set[str]\n    def held(self) -> frozenset[str]: ...\n")
    for line in bad:
        root = plant("state/book.py", f"seen = {{1, 2}}\n{line}\n")
        assert len(breaches(root)) == 1, line
