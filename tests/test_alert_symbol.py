"""What an alert is about: underlying and option, in the spellings of real senders."""

from datetime import date

import pytest

from rules.alert_fields import Notes
from rules.alert_symbol import Symbol, chosen_option, right_of, symbol
from rules.alert_text import Tree
from state import contract
from state.alert import Direction
from state.contract import Contract, Right

CALL = contract.parse("SPY251219C00600000")


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        ({"symbol": "SPY"}, "SPY"),
        ({"ticker": " spy "}, "SPY"),
        ({"symbol": "", "ticker": "QQQ"}, "QQQ"),
        ({"symbol": None, "ticker": "QQQ"}, "QQQ"),
        ({"symbol": "SPY", "ticker": "QQQ"}, "SPY"),
        ({"symbol": "{{ticker}}", "ticker": "QQQ"}, "QQQ"),
        ({"meta": {"ticker": "SPY"}}, "SPY"),
        ({"instrument": {"symbol": "SPY"}}, "SPY"),
        ({"instrument": {"ticker": "SPY"}}, "SPY"),
        ({"signal": {"ticker": "SPY"}}, "SPY"),
        ({"signal": {"symbol": "SPY"}}, "SPY"),
        ({"data": {"symbol": "SPY"}}, "SPY"),
        ({"payload": {"ticker": "SPY"}}, "SPY"),
        ({"symbol": "BATS:SPY"}, "SPY"),
        ({"symbol": "CME_MINI:ES1!"}, "ES1!"),
        ({"symbol": "BRK.B"}, "BRK.B"),
        ({"symbol": '={"settlement-as-close":true,"symbol":"CME_MINI:NQ1!"}'}, "NQ1!"),
        ({"symbol": "A" * 20}, "A" * 20),
    ],
)
def test_symbols_are_found_and_cleaned(tree: Tree, name: str) -> None:
    """Every alias is read in its order; case, white space, exchange and chart settings are stripped."""
    notes = Notes()
    assert symbol(tree, notes) == Symbol(name, None)
    assert notes.errors == []


@pytest.mark.parametrize(
    "text",
    [
        *("SPY251219C00600000", "SPY   251219C00600000", "O:SPY251219C00600000", "spy-20251219-call-600.00"),
        *("SPY-20251219-C-600", "OPRA:SPY251219C600.0"),
    ],
)
def test_an_option_symbol_names_its_underlying(text: str) -> None:
    """Each spelling of one option gives the same contract."""
    assert symbol({"symbol": text}, Notes()) == Symbol("SPY", CALL)
    assert symbol({"option_symbol": text}, Notes()) == Symbol("SPY", CALL)
    assert symbol({"symbol": "SPY", "option_symbol": text}, Notes()) == Symbol("SPY", CALL)


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({}, "missing_symbol"),
        ({"symbol": True}, "missing_symbol"),
        ({"symbol": "A" * 21}, "invalid_symbol"),
        ({"symbol": "IBIT 61 Call"}, "invalid_symbol"),
        ({"symbol": "\ufffd"}, "invalid_symbol"),
        ({"symbol": "{{ticker}}"}, "unrendered_placeholder"),
        ({"symbol": "SPY1251219C00600000"}, "invalid_option"),
        ({"symbol": "SPY251332C00600000"}, "invalid_option"),
        ({"symbol": "SPY251219C00000000"}, "invalid_option"),
        ({"symbol": "QQQ", "option_symbol": "SPY251219C00600000"}, "invalid_option"),
    ],
)
def test_unusable_symbols_are_refused(tree: Tree, code: str) -> None:
    """A symbol that is missing, misshapen, a template or an untradable option is one error that names the remedy."""
    notes = Notes()
    assert symbol(tree, notes) is None
    assert [error.code for error in notes.errors] == [code]


@pytest.mark.parametrize(
    ("tree", "chosen", "code"),
    [
        (
            {"strike": "596", "expiration": "2026-02-20"},
            Contract("SPY", date(2026, 2, 20), Right.CALL, 596_000_000),
            None,
        ),
        ({"strike": "0.5", "expiry": "20260220"}, Contract("SPY", date(2026, 2, 20), Right.CALL, 500_000), None),
        ({"strike": "596"}, None, "half_a_contract:strike"),
        ({"expiration": "2026-02-20"}, None, "half_a_contract:expiration"),
        ({"strike": "596.0001", "expiration": "2026-02-20"}, None, "invalid_strike"),
        ({"strike": "-5", "expiration": "2026-02-20"}, None, "invalid_strike"),
        ({"strike": "596", "expiration": "Jul-18-2025"}, None, "invalid_expiration"),
        ({"strike": "596", "expiration": "2026-02-30"}, None, "invalid_expiration"),
        ({"strike": "596", "expiration": "1926-02-20"}, None, "invalid_expiration"),
        ({}, None, None),
    ],
)
def test_strike_and_expiration_choose_an_option(tree: Tree, chosen: Contract | None, code: str | None) -> None:
    """Both together name an option; half of it is left out with a warning, a garbled one refuses the alert."""
    notes = Notes()
    assert chosen_option(tree, "SPY", right_of(Direction.LONG), notes) == chosen
    assert [*notes.warnings, *(error.code for error in notes.errors)] == ([code] if code else [])


def test_a_symbol_without_options_chooses_none() -> None:
    """A future or a currency pair cannot carry a strike."""
    notes = Notes()
    assert chosen_option({"strike": "1", "expiry": "2026-02-20"}, "ES1!", right_of(Direction.SHORT), notes) is None
    assert [error.code for error in notes.errors] == ["invalid_option"]
