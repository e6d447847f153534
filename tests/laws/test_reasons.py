"""Law: every registered reason code is produced by a test marked `produces` that asserts it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from state.reason import REASONS
from tests.laws.tree import ROOT, Plant, Source, called, last_word, obeyed, sources

Function = ast.FunctionDef | ast.AsyncFunctionDef


def marks(source: Source) -> Iterator[tuple[Function, str]]:
    """Every test function with each code that its `@pytest.mark.produces(...)` claims."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, Function)]
    for function, mark in ((one, mark) for one in functions for mark in one.decorator_list):
        if isinstance(mark, ast.Call) and called(mark) == "produces":
            yield from ((function, str(ast.literal_eval(code))) for code in mark.args)


def tables(source: Source, decorators: list[ast.expr]) -> list[ast.expr]:
    """The values that the decorators name and the file assigns: tables of cases that stand above their test."""
    names = {node.id for decorator in decorators for node in ast.walk(decorator) if isinstance(node, ast.Name)}
    return [
        node.value
        for node in source.tree.body
        if isinstance(node, ast.Assign) and names.intersection(last_word(target) for target in node.targets)
    ]


def asserts(source: Source, function: Function, code: str) -> bool:
    """True when the function asserts and names the code outside its mark and its docstring.

    The code may stand as text, also in the table of cases of the test, or as a member named after it.
    """
    others = [node for node in function.decorator_list if called(node) != "produces"]
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    nodes = [node for part in (*others, *tables(source, others), *body) for node in ast.walk(part)]
    named = any(code == getattr(node, "value", None) or code == last_word(node).lower() for node in nodes)
    return named and any(isinstance(node, ast.Assert) for node in nodes)


def breaches(root: Path, codes: set[str]) -> list[str]:
    """Codes that no test claims, claims of codes that are not registered, and claims that assert nothing."""
    found, claimed = [], set()
    for source in sources(root, "tests"):
        for function, code in marks(source):
            claimed.add(code)
            if code not in codes:
                found.append(source.at(function, f"claims {code}, which is not registered"))
            elif not asserts(source, function, code):
                found.append(source.at(function, f"claims {code} but never asserts it"))
    return found + [f"no test produces {code}" for code in sorted(codes - claimed)]


def test_every_reason_code_is_produced_by_a_test() -> None:
    """The registry holds no code that the program cannot give."""
    obeyed(breaches(ROOT, set(REASONS)))


def test_the_law_of_reasons_can_fail(plant: Plant) -> None:
    """A code without a test, an unknown code, a mark without an assertion and a code only in words are seen."""
    root = plant(
        "tests/test_gates.py",
        '@pytest.mark.produces("stale_quote")\n'
        'def test_a():\n    """It gives stale_quote."""\n    assert run() == "stale_quote"\n'
        '@pytest.mark.produces("storage_low")\n'
        'def test_b():\n    """storage_low"""\n    assert run()\n'
        '@pytest.mark.produces("market_closed")\n'
        'def test_c():\n    verdict = "market_closed"\n'
        '@pytest.mark.produces("no_such_code")\n'
        'def test_d():\n    assert run() == "no_such_code"\n'
        '@pytest.mark.parametrize("code", ["order_timeout"])\n@pytest.mark.produces("order_timeout", "bias_stale")\n'
        "def test_e(code):\n    assert run() in (code, Code.BIAS_STALE)\n"
        'CASES = [("old", "signal_stale")]\n@pytest.mark.produces("signal_stale")\n'
        '@pytest.mark.parametrize(("age", "code"), CASES)\ndef test_f(age, code):\n    assert run(age) == code\n',
    )
    codes = {"stale_quote", "storage_low", "market_closed", "order_timeout", "bias_stale", "signal_stale", "drift"}
    assert breaches(root, codes) == [
        "tests/test_gates.py:6: claims storage_low but never asserts it",
        "tests/test_gates.py:10: claims market_closed but never asserts it",
        "tests/test_gates.py:13: claims no_such_code, which is not registered",
        "no test produces drift",
    ]
