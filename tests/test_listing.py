"""Which options are listed: classes of expiration dates, holidays, and a list that only ever loses what expired."""

from datetime import date, timedelta

import pytest

from oracle.market.listing import expirations, listed
from oracle.market.underlyings import underlying
from tests.tapes import calendar_of, new_york

CALENDAR = calendar_of("2026-01-02", "2027-10-29")
MONDAY = date(2026, 2, 9)


def listed_on(root: str, today: date) -> list[date]:
    """The expiration dates of a root."""
    return list(expirations(root, today, CALENDAR))


def test_a_daily_root_expires_every_session_for_two_weeks() -> None:
    """Then on Fridays for eight weeks, then on third Fridays for half a year; the holiday of 16 February is left out."""
    days = [date(2026, 2, day) for day in (9, 10, 11, 12, 13, 17, 18, 19, 20, 23)]
    fridays = [date(2026, 2, 27), *(date(2026, 3, day) for day in (6, 13, 20, 27)), date(2026, 4, 2)]
    months = [date(2026, 4, 17), date(2026, 5, 15), date(2026, 6, 18), date(2026, 7, 17)]
    assert listed_on("SPY", MONDAY) == days + fridays + months
    assert listed_on("SPXW", MONDAY) == days + fridays + months


def test_other_roots_expire_on_fridays_and_am_settled_ones_on_third_fridays() -> None:
    """Good Friday and Juneteenth are no sessions: the Thursday before stands for them."""
    fridays = [date(2026, 2, 13), date(2026, 2, 20), date(2026, 2, 27)]
    spring = [date(2026, 3, 6), date(2026, 3, 13), date(2026, 3, 20), date(2026, 3, 27), date(2026, 4, 2)]
    months = [date(2026, 4, 17), date(2026, 5, 15), date(2026, 6, 18), date(2026, 7, 17)]
    assert listed_on("AAPL", MONDAY) == fridays + spring + months
    assert listed_on("SPX", MONDAY) == [date(2026, 2, 20), date(2026, 3, 20), *months]


def test_a_friday_that_is_a_holiday_expires_on_thursday() -> None:
    """A fourth Friday is a weekly expiration like any other."""
    found = listed_on("AAPL", date(2027, 3, 15))
    assert date(2027, 3, 25) in found
    assert date(2027, 3, 26) not in found


def test_nothing_is_listed_beyond_the_calendar() -> None:
    """Whether a date out there is a session is not known."""
    short = calendar_of("2026-02-02", "2026-02-27")
    assert list(expirations("AAPL", MONDAY, short)) == [date(2026, 2, day) for day in (13, 20, 27)]


@pytest.mark.parametrize("root", ["SPY", "SPXW", "SPX", "AAPL"])
def test_what_is_listed_stays_listed_until_it_expires(root: str) -> None:
    """From one date to the next only what expired leaves."""
    before: list[date] = []
    for days in range(400):
        today = date(2026, 1, 5) + timedelta(days=days)
        now = listed_on(root, today)
        assert set(before) - set(now) <= {today - timedelta(days=1)}
        assert now == sorted(set(now))
        before = now


def test_a_series_knows_when_it_trades_and_settles() -> None:
    """AM options end the evening before and are gone on their date; SPXW stops at the close on its own."""
    one = underlying("SPX")
    thursday, friday = (CALENDAR.session_on(date(2026, 2, day)) for day in (19, 20))
    assert one is not None
    assert thursday is not None
    assert friday is not None
    before = {(of.root, of.expiry): of for of in listed(one, thursday, CALENDAR)}
    am, pm = before["SPX", friday.day], before["SPXW", friday.day]
    assert (am.expires_at, am.stops_at) == (friday.open, new_york("2026-02-19", "16:15:00"))
    assert (pm.expires_at, pm.stops_at) == (friday.close, new_york("2026-02-19", "16:15:00"))
    assert (am.days, pm.days) == (0.25, 1.0)
    assert am.european
    on_the_day = {(of.root, of.expiry): of for of in listed(one, friday, CALENDAR)}
    assert ("SPX", friday.day) not in on_the_day
    assert on_the_day["SPXW", friday.day].stops_at == friday.close
    assert on_the_day["SPXW", friday.day].days == 0.0


def test_weekends_are_no_variance() -> None:
    """From Friday to Monday is one weekday."""
    one, friday = underlying("SPY"), CALENDAR.session_on(date(2026, 2, 20))
    assert one is not None
    assert friday is not None
    days = {of.expiry: of.days for of in listed(one, friday, CALENDAR)}
    assert days[date(2026, 2, 23)] == 1.0
    assert days[date(2026, 2, 27)] == 5.0


def test_an_underlying_without_roots_lists_nothing() -> None:
    """VIX has a price and no options."""
    one, session = underlying("VIX"), CALENDAR.session_on(MONDAY)
    assert one is not None
    assert session is not None
    assert listed(one, session, CALENDAR) == ()
