"""Counting a position again from its fills agrees with the portfolio that lived through them, to the micro-dollar."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oracle.recount import Count, Trade, bought, recount, sold, terms_of
from rules.fills import FillSettings
from rules.settings import Settings
from rules.sizing import SizingLimits
from state.facts import OrderFilled, OutcomeRecorded
from state.position import ExitTerms, Position
from state.tables import FILLS, POSITIONS, Row
from tests.stage import SPY_CALL, Stage

TERMS = ExitTerms("short_dated", 5_000, 5_000, None, None, None, None)


def as_row(table: Any, noun: object) -> dict[str, Any]:
    """A noun as its table shows it."""
    return dict(zip(table.names, Row(table, None, noun, (1, 1)).values(), strict=True))


def test_a_grown_position_has_levels_of_its_average() -> None:
    """One at 5.46 and one at 5.64 are two at 5.55, left at 8.325 or 2.775."""
    count = bought(bought(Count(), Trade(5_460_000, 1, 700_000), TERMS), Trade(5_640_000, 1, 700_000), TERMS)
    assert (count.held, count.average, count.target, count.stop) == (2, 5_550_000, 8_325_000, 2_775_000)
    assert (count.cost, count.fees, count.risk) == (1_110_000_000, 1_400_000, 555_000_000)


def test_what_is_sold_takes_its_share_along() -> None:
    """Half of the cost and half of the entry fee leave with half of the contracts."""
    count = sold(bought(Count(), Trade(5_000_000, 2, 1_400_000), TERMS), Trade(6_000_000, 1, 700_000))
    assert (count.held, count.cost_open, count.fees_open) == (1, 500_000_000, 700_000)
    assert count.realized_net == 100_000_000 - 700_000 - 700_000


cents = st.integers(50, 900)
sizes = st.integers(1, 4)


@given(entry=cents, asks=st.lists(sizes, min_size=5, max_size=5), bids=st.lists(sizes, min_size=5, max_size=5))
def test_the_portfolio_counts_the_same(entry: int, asks: list[int], bids: list[int]) -> None:
    """However a position is filled and emptied in parts, its row, its outcome and the recount are one."""
    stage = Stage("2026-02-13", Settings(sizing=SizingLimits(base_contracts=5), fills=FillSettings()))
    ask = f"{entry / 100:.2f}"
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 0.40 {ask} 9 9")
    for second, size in enumerate(asks, 2):
        stage.tick(f"10:30:{second:02d}", f"{SPY_CALL} 0.40 {ask} 9 {size}")
    (held,) = stage.portfolio.live_positions()
    check(held, stage)
    stage.ask_close("11:00:00", held.id)
    stage.tick("11:00:00", f"{SPY_CALL} 0.40 {ask} 9 9")
    for second, size in enumerate(bids, 2):
        stage.tick(f"11:00:{second:02d}", f"{SPY_CALL} 0.{40 + second} {ask} {size} 9")
        check(stage.portfolio.positions[held.id], stage)
    assert stage.of(OutcomeRecorded)


def check(position: Position, stage: Stage) -> None:
    """The newest row of a position, and its outcome once it has one, agree with its fills."""
    row = as_row(POSITIONS, position)
    assert terms_of(row) == position.terms
    count = recount(row, (as_row(FILLS, one.fill) for one in stage.of(OrderFilled)))[-1][1]
    counted = (count.held, count.cost, count.cost_open, count.fees, count.fees_open, count.realized_net)
    assert counted == (
        *(position.quantity_open, position.cost, position.cost_open),
        *(position.commission, position.commission_open, position.realized_net),
    )
    assert (count.target, count.stop, count.risk) == (position.target, position.stop, position.initial_risk)
    for fact in stage.of(OutcomeRecorded):
        assert (count.gross, count.net, count.fees) == (fact.outcome.gross, fact.outcome.net, fact.outcome.commission)


def test_terms_of_an_alert_survive_the_row() -> None:
    """Levels an alert sent, and instants of the profile, come back as they were."""
    stage = Stage("2026-02-13")
    held = stage.buy("10:30:00", symbol=SPY_CALL, direction="long", timeframe="5m", stop=1, target=9)
    assert terms_of(as_row(POSITIONS, held)) == held.terms
    assert replace(held.terms, stop_price=None) != held.terms
