"""Law: every generator of chance is seeded, in the tests too, so that a failure comes again."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.tree import PROGRAM, ROOT, Plant, Source, called, imported, last_word, obeyed, sources

GENERATORS = {"Random", "default_rng", "Philox", "PCG64", "PCG64DXSM", "MT19937", "SFC64", "SeedSequence"}
KEYED = {*GENERATORS, "Generator"}


def faults(source: Source) -> Iterator[str]:
    """Every generator made without a seed and every draw from a generator that the whole process shares."""
    shared = any(name.split(".")[0] == "random" for _, name in imported(source.tree))
    for node in ast.walk(source.tree):
        if called(node) in GENERATORS and isinstance(node, ast.Call) and not node.args and not node.keywords:
            yield source.at(node, f"{called(node)}() has no seed")
        elif called(node) not in KEYED and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if last_word(owner) == "random" and (shared or isinstance(owner, ast.Attribute)):
                yield source.at(node, f"random.{called(node)}() draws from a shared generator")


def breaches(root: Path) -> Iterator[str]:
    """Every draw that cannot be repeated."""
    for source in sources(root, *PROGRAM, "tests", "benchmarks"):
        yield from faults(source)


def test_every_generator_is_seeded() -> None:
    """Chance comes from a seed that is written down."""
    obeyed(breaches(ROOT))


@pytest.mark.parametrize(
    "line",
    ["random.Random()", "random.random()", "np.random.default_rng()", "np.random.rand(3)", "Philox()"],
)
def test_the_law_of_seeds_can_fail(plant: Plant, line: str) -> None:
    """A generator without a seed and a draw from a shared one are seen; seeded ones are not."""
    root = plant("tests/test_x.py", f"import random\n{line}\nrandom.Random(7)\nnp.random.Generator(Philox(key=3))\n")
    assert len(list(breaches(root))) == 1


def test_a_seeded_generator_may_be_called_random(plant: Plant) -> None:
    """What counts is the module of that name, not the word."""
    root = plant("benchmarks/bench_x.py", "random = np.random.default_rng(7)\nrandom.uniform(0, 1)\n")
    assert list(breaches(root)) == []
