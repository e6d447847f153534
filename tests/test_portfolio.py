"""The portfolio takes in inputs in order, keeps its days and ledgers, and refuses to go on when its laws do not hold."""

from datetime import date

import pytest
from msgspec.structs import replace

from state.calendar import Calendar
from state.errors import LawBroken
from state.inputs import AnyInput, CalendarAdopted, ConfigAdopted, TickReached
from state.ledger import LEDGERS
from state.market import MarketColumns
from state.portfolio import Portfolio
from tests.stage import CASH, SPY_CALL, TRACE, Stage, calendar_around, instant, usd

DAY = "2026-02-13"


def test_inputs_come_in_their_order_and_time_never_goes_back() -> None:
    """A number that is skipped or repeated, and an earlier instant, break the law."""
    stage = Stage(DAY)
    now, lsn = stage.portfolio.now, stage.portfolio.lsn
    for number, at in ((lsn, now), (lsn + 2, now), (lsn + 1, now - 1)):
        with pytest.raises(LawBroken):
            stage.portfolio.take_in(TickReached(None), lsn=number, seen_at=at)
    stage.portfolio.take_in(TickReached(None), lsn=lsn + 1, seen_at=now)


def test_no_value_is_taken_in_before_it_was_true() -> None:
    """A quote, a price or a print from after its tick breaks the law; one of the same instant does not."""
    stage = Stage(DAY)
    seen = stage.columns(instant(DAY, "10:30:00"), ["SPY 595.42", f"{SPY_CALL} 3.43 3.47"])
    for told in (seen, replace(seen, spots=()), MarketColumns("recorded", spots=seen.spots)):
        with pytest.raises(LawBroken, match="after it was seen"):
            Stage(DAY).take(TickReached(told), at=instant(DAY, "10:29:59"))
    stage.take(TickReached(seen), at=instant(DAY, "10:30:00"))


def test_nothing_is_decided_without_a_calendar() -> None:
    """Sessions and days are asked of the adopted table only."""
    portfolio = Portfolio()
    for ask in (lambda: portfolio.sessions, lambda: portfolio.today("paper")):
        with pytest.raises(LawBroken, match="no calendar"):
            ask()


@pytest.mark.parametrize("calendar_first", [True, False])
def test_the_first_configuration_funds_every_ledger_once(*, calendar_first: bool) -> None:
    """Each begins with the cash, its first day with that equity; a second configuration brings no money."""
    told: list[AnyInput] = [ConfigAdopted(b"{}", "a", CASH), CalendarAdopted(calendar_around(date(2026, 2, 13)))]
    portfolio = Portfolio()
    for number, one in enumerate(reversed(told) if calendar_first else told, 1):
        portfolio.take_in(one, lsn=number, seen_at=instant(DAY, "10:00:00"))
    for name in LEDGERS:
        assert (portfolio.equity(name), portfolio.today(name).equity_start) == (CASH, CASH)
    portfolio.take_in(ConfigAdopted(b"{}", "b", CASH * 2), lsn=3, seen_at=instant(DAY, "10:00:01"))
    assert ({portfolio.equity(name) for name in LEDGERS}, portfolio.config.digest) == ({CASH}, "b")


def test_a_calendar_that_does_not_hold_the_running_day_is_refused() -> None:
    """Though the day has begun under the one before it."""
    stage = Stage(DAY)
    with pytest.raises(LawBroken, match="calendar"):
        stage.take(CalendarAdopted(calendar_around(date(2027, 2, 12))), at=stage.portfolio.now)


def test_a_day_begins_in_new_york_with_the_equity_of_the_day_before() -> None:
    """At midnight there, whatever input comes first; what that input brings belongs to the new day."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.tick("16:14:00", f"{SPY_CALL} 3.76 3.80")
    stage.tick("23:59:59")
    assert stage.portfolio.day == date(2026, 2, 13)
    stage.day = "2026-02-14"
    stage.tick("00:00:00", f"{SPY_CALL} 1.00 1.02")
    assert stage.portfolio.day == date(2026, 2, 14)
    assert stage.portfolio.today("paper").equity_start == CASH + usd("297")
    assert stage.portfolio.equity("paper") == CASH - usd("2196")


def test_equity_is_cash_and_marks() -> None:
    """Every ledger has its own."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.tick("11:00:00", f"{SPY_CALL} 3.76 3.80")
    assert stage.portfolio.ledgers["paper"].cash == CASH - usd("3105")
    assert [stage.portfolio.equity(name) for name in LEDGERS] == [CASH + usd("297"), CASH, CASH]


def test_ids_count_per_noun() -> None:
    """The next number of a kind, with room for several in one decision; what was given out is known for ever."""
    portfolio = Portfolio()
    portfolio.count("sig-000016")
    assert (portfolio.next_id("sig"), portfolio.next_id("sig", 2), portfolio.next_id("ord")) == (
        "sig-000017",
        "sig-000019",
        "ord-000001",
    )
    portfolio.count("sig-000009")
    known = ["sig-000001", "sig-000016", "sig-000017", "sig-000000", "ord-000001", "sig-", "-1", "sig--1", ""]
    assert [portfolio.gave_out(one) for one in known] == [True, True] + [False] * 7


def test_a_new_calendar_moves_the_times_of_what_is_held() -> None:
    """An early close declared for the day of expiry moves expiry and last trade of a position already open."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    old = stage.portfolio.sessions
    last = old.session_on(date(2026, 2, 20))
    assert last is not None
    noon = replace(
        last, close=instant("2026-02-20", "13:00:00"), late_close=instant("2026-02-20", "13:15:00"), early=True
    )
    sessions = tuple(noon if one.day == last.day else one for one in old.sessions)
    stage.take(CalendarAdopted(replace(old, sessions=sessions)), at=instant(DAY, "12:00:00"))
    book = stage.portfolio.book
    times = [int(book.column(name)[0]) for name in ("expires_at", "last_trade_at")]
    assert times == [noon.close, noon.late_close]


def test_a_calendar_that_ran_out_is_mended_by_a_longer_one() -> None:
    """Beyond its table nothing can be told but a new calendar."""
    old = calendar_around(date(2026, 2, 13))
    short = Calendar(old.exchange, old.source, old.first, old.midnights[:12], old.sessions[:3], old.late_roots)
    portfolio = Portfolio()
    portfolio.take_in(CalendarAdopted(short), lsn=1, seen_at=instant(DAY, "10:00:00"))
    with pytest.raises(LawBroken, match="adopt a longer one"):
        portfolio.take_in(TickReached(None), lsn=2, seen_at=instant("2026-02-20", "10:00:00"))
    portfolio = Portfolio()
    portfolio.take_in(CalendarAdopted(short), lsn=1, seen_at=instant(DAY, "10:00:00"))
    portfolio.take_in(CalendarAdopted(old), lsn=2, seen_at=instant("2026-02-20", "10:00:00"))
    assert portfolio.day == date(2026, 2, 20)


def test_a_record_that_breaks_the_ledger_is_refused() -> None:
    """After each record the touched ledgers are summed again from the positions."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.portfolio.check()
    stage.portfolio.ledgers["paper"].cost_open += 1
    stage.portfolio.touched.add("paper")
    with pytest.raises(LawBroken):
        stage.portfolio.check()


def test_a_book_and_ledgers_that_count_differently_are_refused() -> None:
    """As many live positions as rows."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.portfolio.ledgers["test"].live += 1
    with pytest.raises(LawBroken, match="count other live positions"):
        stage.portfolio.check()


def test_indexes_hold_what_still_owes_something() -> None:
    """Undecided signals, working orders, asked closes: in their order, and no longer than that."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    portfolio = stage.portfolio
    assert (list(portfolio.undecided), portfolio.working_orders()) == (["sig-000001"], ())
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert (list(portfolio.undecided), [one.id for one in portfolio.working_orders()]) == ([], ["ord-000001"])
    stage.tick("10:30:01", f"{SPY_CALL} 3.43 3.47")
    assert (portfolio.working_orders(), [one.id for one in portfolio.live_positions()]) == ((), ["pos-000001"])
    with pytest.raises(LawBroken, match="no order ord-000009"):
        portfolio.order_of("ord-000009")
