"""The market view folds ticks, marks quotes in one way, and gives back what it was in a snapshot."""

from datetime import date

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.contract import parse
from state.errors import LawBroken
from state.market import ASK_PRESENT, GREEKS_KNOWN, QUOTE, MarketColumns, MarketView, Quote, SettlementPrint, Spot
from tests.stage import SPY_CALL, Stage, instant, usd

DAY = "2026-02-13"
OTHER = "SPY260220P00595000"


def seen(stage: Stage, clock: str, *lines: str) -> MarketColumns:
    """What a tick carries for some lines."""
    return stage.columns(instant(DAY, clock), lines)


def quoted(bid: int, ask: int | None) -> Quote:
    """A quote with two sides."""
    return Quote(parse(SPY_CALL), 1, bid, ask, None, None)


MARKS = [("3.43", "3.47", "3.45"), ("3.47", "3.47", "3.47"), ("0.01", "0.010001", "0.01")]


@pytest.mark.parametrize(("bid", "ask", "mark"), MARKS)
def test_a_mark_is_the_mid(bid: str, ask: str, mark: str) -> None:
    """A locked market marks at its price, halves are rounded down."""
    assert quoted(usd(bid), usd(ask)).mark == usd(mark)


@pytest.mark.parametrize(("bid", "ask"), [(10, None), (10, 9), (0, 0), (0, 10)])
def test_no_mark_without_both_sides_or_in_a_crossed_market(bid: int, ask: int | None) -> None:
    """A missing ask, a bid above the ask, a missing bid, or nothing on both sides."""
    assert quoted(bid, ask).mark is None


@given(
    quotes=st.lists(
        st.tuples(st.integers(0, 50), st.none() | st.integers(0, 50), st.booleans()), min_size=1, max_size=20
    )
)
@example(quotes=[(0, 0, True), (0, 1, True), (2, 1, True), (1, 1, False)])
def test_columns_mark_like_quotes(quotes: list[tuple[int, int | None, bool]]) -> None:
    """The one rule of marks, on columns as on a single quote; what was never quoted has no mark."""
    view = MarketView()
    symbols = [f"SPY260220C{600_000 + 1000 * place:08d}" for place in range(len(quotes))]
    shown = [place for place, one in enumerate(quotes) if one[2]]
    table = np.zeros((len(shown), len(QUOTE)), "<i8")
    for row, place in zip(table, shown, strict=True):
        bid, ask, _ = quotes[place]
        row[:6] = 7, bid, ask or 0, 0, 0, 0 if ask is None else ASK_PRESENT
    view.take_in(MarketColumns("x", (), (), tuple(symbols), np.array(shown, "<i4").tobytes(), table.tobytes()))
    sides = view.sides(np.arange(len(quotes)))
    marks, marked = sides.mark, sides.marked
    for place in range(len(quotes)):
        quote = view.quote_at_row(place)
        expected = None if quote is None else quote.mark
        assert (int(marks[place]) if marked[place] else None) == expected


def test_a_tick_changes_what_it_quotes_and_nothing_else() -> None:
    """Spots and quotes stay as they were until something newer is seen; sizes and missing sides are kept apart."""
    stage = Stage(DAY)
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47 4 5", f"{OTHER} 2.00 -")
    stage.tick("10:30:01", f"{SPY_CALL} - 3.48")
    view = stage.portfolio.market
    call, put = view.quote(SPY_CALL), view.quote(OTHER)
    assert call == Quote(parse(SPY_CALL), instant(DAY, "10:30:01"), 0, usd("3.48"), None, None)
    assert put == Quote(parse(OTHER), instant(DAY, "10:30:00"), usd("2"), None, None, None)
    assert view.spots == {"SPY": Spot("SPY", usd("595.42"), instant(DAY, "10:30:00"))}
    assert [one.occ for one in view.chain("SPY")] == [SPY_CALL, OTHER]
    assert (view.quote("QQQ260220C00601000"), list(view.chain("QQQ"))) == (None, [])


def test_a_listed_contract_without_a_quote_has_none() -> None:
    """Listing comes before quoting; greeks are known only where they were seen."""
    view = MarketView()
    view.take_in(MarketColumns("x", listed=(SPY_CALL,)))
    assert (view.quote(SPY_CALL), view.greeks(SPY_CALL), view.greeks(OTHER)) == (None, None, None)
    assert [one.occ for one in view.chain("SPY")] == [SPY_CALL]


def test_greeks_are_integers_beside_the_quote() -> None:
    """A flag says that they are known."""
    stage = Stage(DAY)
    columns = seen(stage, "10:30:00", f"{SPY_CALL} 3.43 3.47")
    quotes = columns.table().copy()
    quotes[0, QUOTE.index("flags")] = ASK_PRESENT | GREEKS_KNOWN
    quotes[0, QUOTE.index("delta")] = 512_000_000
    stage.portfolio.market.take_in(replace(columns, quotes=quotes.tobytes()))
    greeks = stage.portfolio.market.greeks(SPY_CALL)
    assert greeks == {"iv": 0, "delta": 512_000_000, "gamma": 0, "theta": 0, "vega": 0, "rho": 0}


def test_columns_that_do_not_fit_break_the_law() -> None:
    """A row nobody listed, a contract listed twice, and columns of unequal length."""
    stage = Stage(DAY)
    stage.tick("10:30:00", f"{SPY_CALL} 3.43 3.47")
    known = seen(stage, "10:30:01", f"{SPY_CALL} 3.43 3.47")
    faults = [
        replace(known, rows=np.array([1], "<i4").tobytes()),
        replace(known, rows=np.array([-1], "<i4").tobytes()),
        replace(known, listed=(SPY_CALL,)),
        replace(known, quotes=b""),
        replace(known, quotes=known.quotes + bytes(8)),
        replace(known, rows=known.rows + bytes(2)),
    ]
    for fault in faults:
        with pytest.raises(LawBroken):
            stage.portfolio.market.take_in(fault)


def test_the_table_grows_beyond_its_first_size() -> None:
    """Two hundred contracts keep their own quotes."""
    stage = Stage(DAY)
    lines = [f"SPY260220C{1000 * strike:08d} {strike}.00 {strike}.10" for strike in range(500, 700)]
    stage.tick("10:30:00", *lines)
    quotes = [stage.portfolio.market.quote(line.split()[0]) for line in lines]
    assert [one and one.bid for one in quotes] == [strike * 1_000_000 for strike in range(500, 700)]


def test_retired_contracts_leave_their_neighbours_alone() -> None:
    """What expired before the day goes unless it is kept, with the prints it may wait for; quotes move with their rows."""
    stage = Stage(DAY)
    old, kept, new = "SPY260213C00590000", "SPY260213C00596000", SPY_CALL
    stage.tick("10:30:00", f"{old} 1.00 1.02", f"{kept} 2.00 2.02", f"{new} 3.00 3.02")
    view = stage.portfolio.market
    view.retire(date(2026, 2, 13), ())
    assert list(view.rows) == [old, kept, new]
    for symbol, day in (("SPY", 12), ("SPY", 13), ("QQQ", 13), ("QQQ", 16)):
        said = SettlementPrint(symbol, date(2026, 2, day), opening=False, price=1, at=1)
        view.settlements[symbol, said.day, False] = said
    view.retire(date(2026, 2, 14), (kept,))
    assert list(view.rows) == [kept, new]
    quotes = [view.quote(one) for one in (old, kept, new)]
    assert [one and one.bid for one in quotes] == [None, usd("2"), usd("3")]
    assert [(symbol, day.day) for symbol, day, _ in view.settlements] == [("SPY", 12), ("SPY", 13), ("QQQ", 16)]
    stage.tick("10:30:01", "SPY260227C00600000 9.00 9.02")
    assert [one.occ for one in view.chain("SPY")] == [kept, new, "SPY260227C00600000"]


def test_a_view_comes_back_from_its_state() -> None:
    """Spots, prints, contracts and every column, so that it goes on alike."""
    stage = Stage(DAY)
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47 4 5", f"{OTHER} 2.00 -")
    view = stage.portfolio.market
    twin = MarketView.from_state(view.to_state())
    assert twin.to_state() == view.to_state()
    later = seen(stage, "10:30:01", "SPY 600.00", "SPY260227C00600000 9.00 9.02", f"{OTHER} 2.00 2.02")
    for one in (view, twin):
        one.take_in(later)
    assert twin.to_state() == view.to_state()
    assert twin.quote(OTHER) == view.quote(OTHER)
