"""The money of a book: what is paid and received, what it counts, and the law its cash obeys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.errors import LawBroken
from state.ledger import Ledger
from tests.stage import CASH, usd


def bought() -> Ledger:
    """A ledger that paid 3,105 and 6.30 for one position."""
    ledger = Ledger(CASH, CASH)
    ledger.buy("SPY", cost=usd("3105"), commission=usd("6.30"), opens=True)
    return ledger


def test_buying_and_selling_move_cash_and_results() -> None:
    """Cost and commission are carried until their contracts leave, then they are realized."""
    ledger = bought()
    assert (ledger.cash, ledger.cost_open, ledger.commission_open) == (CASH - usd("3111.30"), usd("3105"), usd("6.30"))
    ledger.sell(proceeds=usd("1600"), cost=usd("1380"), entry_commission=usd("2.80"), exit_commission=usd("2.80"))
    assert (ledger.realized_gross, ledger.realized_net) == (usd("220"), usd("214.40"))
    assert (ledger.commission, ledger.commission_open, ledger.cost_open) == (usd("9.10"), usd("3.50"), usd("1725"))
    ledger.check("paper", cost_open=usd("1725"), commission_open=usd("3.50"))


def test_positions_are_counted_by_symbol() -> None:
    """A further fill opens nothing; a symbol without positions is forgotten."""
    ledger = bought()
    ledger.buy("SPY", cost=1, commission=0, opens=False)
    ledger.buy("SPY", cost=1, commission=0, opens=True)
    ledger.buy("QQQ", cost=1, commission=0, opens=True)
    assert (ledger.live, ledger.live_by_symbol) == (3, {"SPY": 2, "QQQ": 1})
    for symbol in ("SPY", "SPY", "QQQ"):
        ledger.close(symbol)
    assert (ledger.live, ledger.live_by_symbol) == (0, {})


@given(
    moves=st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**7), st.integers(0, 10**9), st.integers(0, 10**7)),
        max_size=20,
    )
)
def test_cash_is_start_plus_results_less_what_is_carried(moves: list[tuple[int, int, int, int]]) -> None:
    """After every purchase and every sale, whatever the amounts."""
    ledger = Ledger(CASH, CASH)
    for cost, commission, proceeds, charged in moves:
        ledger.buy("SPY", cost=cost, commission=commission, opens=True)
        ledger.check("paper", cost_open=cost, commission_open=commission)
        ledger.sell(proceeds=proceeds, cost=cost, entry_commission=commission, exit_commission=charged)
        ledger.close("SPY")
        ledger.check("paper", cost_open=0, commission_open=0)
    assert ledger.cash == CASH + ledger.realized_net


@pytest.mark.parametrize(("cost_open", "commission_open"), [("3104", "6.30"), ("3105", "6.29")])
def test_a_ledger_that_tells_another_story_breaks_the_law(cost_open: str, commission_open: str) -> None:
    """What positions carry and what the ledger carries must be equal to the micro-dollar."""
    with pytest.raises(LawBroken, match="ledger paper carries"):
        bought().check("paper", cost_open=usd(cost_open), commission_open=usd(commission_open))


def test_cash_from_nowhere_breaks_the_law() -> None:
    """A micro-dollar too much is seen."""
    ledger = bought()
    ledger.cash += 1
    with pytest.raises(LawBroken, match="does not follow"):
        ledger.check("paper", cost_open=usd("3105"), commission_open=usd("6.30"))
