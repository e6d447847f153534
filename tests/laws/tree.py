"""What the laws read: the Python files of a tree, parsed, with places to point at. No law lives here."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("oracle", "rules", "state")
PROGRAM = (*PACKAGES, "cli.py")

Plant = Callable[[str, str], Path]
"""Writes one file into an otherwise empty tree and returns the root of that tree."""


@dataclass(frozen=True)
class Source:
    """One Python file: its path relative to the root of its tree, its text and its syntax."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """The dotted name under which the file is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def at(self, node: ast.AST, fault: str) -> str:
        """One line naming the place of a fault."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {fault}"


def sources(root: Path, *places: str) -> Iterator[Source]:
    """Parse every Python file at or under `places`, in sorted order; a place that is absent yields nothing."""
    for place in places:
        start = root / place
        for file in [start] if start.is_file() else sorted(start.rglob("*.py")):
            text = file.read_text("utf-8")
            yield Source(file.relative_to(root).as_posix(), text, ast.parse(text, str(file)))


def imported(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Every module or name that the file imports absolutely, at any depth, as a dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def called(node: ast.AST) -> str:
    """The last word of what a call calls (`msgspec.structs.replace(...)` -> `replace`), or "" for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return last_word(node.func)


def last_word(node: ast.AST) -> str:
    """The last word of a name or of an attribute chain, or "" for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def obeyed(breaches: Iterable[str]) -> None:
    """Fail with every breach on a line of its own."""
    found = list(breaches)
    assert not found, "\n" + "\n".join(found)
