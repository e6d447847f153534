"""Live positions as columns say what their records say, through marks, partial exits, closings and clean-ups."""

import numpy as np
import pytest
from msgspec.structs import replace

from state.book import NEVER, Book
from state.market import MarketView
from state.position import Position, PositionPhase
from tests.stage import SPY_CALL, TRACE, Stage, instant, usd

DAY = "2026-02-13"
INSTANTS = (30, 40, True)


def held() -> Position:
    """Nine SPY calls bought at 3.45."""
    return Stage(DAY, TRACE).buy("10:30:00")


HELD = held()


def filled(count: int) -> tuple[Book, list[Position]]:
    """A book of positions that are told apart by their cost and ledger."""
    book, view = Book(), MarketView()
    ledgers = ("paper", "test", "paper")
    positions = [
        replace(HELD, id=f"pos-{place:06d}", book=ledgers[place % 3], cost_open=1_000 + place, commission_open=place)
        for place in range(count)
    ]
    for position in positions:
        book.add(position, INSTANTS, view)
    return book, positions


def test_a_row_says_what_the_record_says() -> None:
    """Quantities, levels and instants; what does not exist never comes."""
    book = Book()
    terms = replace(HELD.terms, dte_exit_at=None)
    book.add(replace(HELD, terms=terms, hold_until=None, close_asked="manual"), INSTANTS, MarketView())
    row = {name: int(book.column(name)[0]) for name in ("quantity", "target", "stop", "late", "closing", "asked")}
    assert row == {"quantity": 9, "target": HELD.target, "stop": HELD.stop, "late": 1, "closing": 0, "asked": 1}
    instants = [int(book.column(name)[0]) for name in ("expires_at", "last_trade_at", "dte_exit_at", "hold_until")]
    assert instants == [30, 40, NEVER, NEVER]
    book.set_instants(HELD.id, (31, 41, False))
    assert [int(book.column(name)[0]) for name in ("expires_at", "last_trade_at", "late")] == [31, 41, 0]


def test_a_position_is_marked_at_its_cost_until_it_has_a_mark() -> None:
    """Without a quote its value is what it cost per share, and the mark's instant says never."""
    book = Book()
    book.add(HELD, INSTANTS, MarketView())
    assert (book.mark_of(HELD.id), book.value("paper")) == ((usd("3.45"), 0), usd("3105"))
    book.mark_all(MarketView())
    assert book.mark_of(HELD.id) == (usd("3.45"), 0)


def test_marks_follow_quotes_that_give_one() -> None:
    """A crossed or one-sided quote keeps the last mark and its instant."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    book, at = stage.portfolio.book, instant(DAY, "11:00:00")
    stage.tick("11:00:00", f"{SPY_CALL} 3.76 3.80")
    assert (book.mark_of("pos-000001"), book.value("paper")) == ((usd("3.78"), at), usd("3402"))
    for clock, quote in (("11:00:01", "4.00 3.90"), ("11:00:02", "4.00 -")):
        stage.tick(clock, f"{SPY_CALL} {quote}")
        assert book.mark_of("pos-000001") == (usd("3.78"), at)


def test_a_lone_ask_bounds_a_mark_and_counts_as_none() -> None:
    """Without a bid the last mark stands, but never above the ask, and then comes from no two-sided quote."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    book, at = stage.portfolio.book, instant(DAY, "11:00:00")
    stage.tick("11:00:00", f"{SPY_CALL} 3.76 3.80")
    stage.tick("11:01:00", f"{SPY_CALL} - 4.00")
    assert book.mark_of("pos-000001") == (usd("3.78"), at)
    stage.tick("11:02:00", f"{SPY_CALL} - 0.05")
    assert book.mark_of("pos-000001") == (usd("0.05"), 0)
    stage.tick("11:03:00", f"{SPY_CALL} 3.70 -")
    assert book.mark_of("pos-000001") == (usd("0.05"), 0)
    assert stage.portfolio.positions["pos-000001"].phase == "open"


def test_a_ledger_is_summed_over_its_own_live_rows() -> None:
    """Cost and commission carried, and the value at marks, per ledger."""
    book, positions = filled(4)
    assert (book.carried("paper"), book.carried("test"), book.carried("shadow")) == ((3_005, 5), (1_001, 1), (0, 0))
    book.update(replace(positions[0], quantity_open=0, phase=PositionPhase.CLOSED))
    assert (book.carried("paper"), book.value("paper"), len(book)) == ((2_005, 5), usd("6210"), 3)


@pytest.mark.parametrize("count", [1, 64, 65, 200])
def test_rows_survive_growth_and_cleaning(count: int) -> None:
    """However many are added and dropped, every live position keeps its own columns, in the order of opening."""
    book, positions = filled(count)
    for position in positions[: count * 3 // 4]:
        book.update(replace(position, quantity_open=0, phase=PositionPhase.CLOSED))
    left = positions[count * 3 // 4 :]
    assert [one for one in book.ids if one is not None] == [one.id for one in left] == list(book.row_of)
    assert [int(book.column("cost")[book.row_of[one.id]]) for one in left] == [one.cost_open for one in left]
    assert int(book.alive.sum()) == len(book) == len(left)
    book.add(replace(HELD, id="pos-999999", cost_open=7), INSTANTS, MarketView())
    assert int(book.column("cost")[book.row_of["pos-999999"]]) == 7
    assert book.held() == (SPY_CALL,)


def test_a_clean_up_frees_rows() -> None:
    """After two hundred closings the book is short again."""
    book, positions = filled(200)
    for position in positions:
        book.update(replace(position, quantity_open=0, phase=PositionPhase.CLOSED))
    assert (len(book), book.held()) == (0, ())
    assert len(book.ids) < 130


def test_rows_find_their_contracts_again() -> None:
    """After contracts left the market view, marks follow the same contract in its new row."""
    stage = Stage(DAY, TRACE)
    stage.tick("10:29:00", "SPY260213C00590000 1.00 1.02")
    stage.buy("10:30:00")
    book, view = stage.portfolio.book, stage.portfolio.market
    view.retire(HELD.contract.expiry, ())
    book.remap(view)
    assert np.array_equal(book.column("market_row"), [view.rows[SPY_CALL]])
    book.set_mark("pos-000001", (1, 2))
    assert book.mark_of("pos-000001") == (1, 2)
    book.mark_all(view)
    assert book.mark_of("pos-000001")[0] == usd("3.45")
