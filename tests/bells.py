"""When New York trades, said again: holidays, early closes and last trades by the rules of the exchange, hours by the time zone.

It shares nothing with the calendar that is adopted: neither its library nor its columns nor its bisections. A contract on
a date without a session is taken for one of the session before it.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from state.contract import Contract

SECOND = 1_000_000_000
DAY = timedelta(days=1)
LATE = ("SPY", "QQQ", "IWM", "DIA", "SPX", "SPXW")
MORNING = ("SPX", "NDX", "RUT")
"""Roots that settle on the opening print."""

NEW_YORK = ZoneInfo("America/New_York")
_MOURNING = (date(2018, 12, 5), date(2025, 1, 9))
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_JUNETEENTH_SINCE = 2022


class Bells(NamedTuple):
    """One session: its date, the opening bell and the close, in ns UTC."""

    day: date
    open: int
    close: int

    @property
    def early(self) -> bool:
        """Whether it ends at one o'clock."""
        return self.close == instant(self.day, time(13))


# -- the wall clock -----------------------------------------------------------------------------------------------------


def instant(day: date, clock: time) -> int:
    """The instant (ns UTC) at which clocks in New York show a time."""
    return round(datetime.combine(day, clock, NEW_YORK).timestamp()) * SECOND


def date_of(at: int) -> date:
    """The date in New York at an instant (ns UTC)."""
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(NEW_YORK).date()


# -- sessions -----------------------------------------------------------------------------------------------------------


@cache
def bells(day: date) -> Bells | None:
    """The session of a date, or None."""
    if day.weekday() >= _SATURDAY or day in holidays(day.year) or day in _MOURNING:
        return None
    return Bells(day, instant(day, time(9, 30)), instant(day, time(13) if is_early(day) else time(16)))


def sessions(first: date, last: date) -> Iterator[Bells]:
    """All sessions from one date to another."""
    while first <= last:
        if (found := bells(first)) is not None:
            yield found
        first += DAY


def next_open(at: int) -> int:
    """The first opening bell after an instant."""
    day = date_of(at)
    while (found := bells(day)) is None or found.open <= at:
        day += DAY
    return found.open


@cache
def holidays(year: int) -> frozenset[date]:
    """The holidays of a year on which the exchange is closed, as they are kept."""
    christmas, thanksgiving = date(year, 12, 25), _nth(year, 11, _THURSDAY, 4)
    kept = {
        _nth(year, 1, _MONDAY, 3),
        _nth(year, 2, _MONDAY, 3),
        easter(year) - 2 * DAY,
        _last_monday_of_may(year),
        _kept(date(year, 7, 4)),
        _nth(year, 9, _MONDAY, 1),
        thanksgiving,
        _kept(christmas),
    }
    if date(year, 1, 1).weekday() != _SATURDAY:
        # A new year on a Saturday is not made good: the year before ends with a session.
        kept.add(_kept(date(year, 1, 1)))
    if year >= _JUNETEENTH_SINCE:
        kept.add(_kept(date(year, 6, 19)))
    return frozenset(kept)


def is_early(day: date) -> bool:
    """Whether a session ends at one: the day after Thanksgiving, the eves of Independence Day and of Christmas."""
    if day == _nth(day.year, 11, _THURSDAY, 4) + DAY:
        return True
    eve = (day.month, day.day) in ((7, 3), (12, 24))
    return eve and day.weekday() <= _THURSDAY


def easter(year: int) -> date:
    """Easter Sunday, by the anonymous Gregorian computus."""
    golden, century, rest = year % 19, year // 100, year % 100
    leaps = century // 4
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def _kept(day: date) -> date:
    """Saturday's holiday is kept on Friday, Sunday's on Monday."""
    return day - DAY if day.weekday() == _SATURDAY else day + DAY if day.weekday() == _SUNDAY else day


# -- contracts ----------------------------------------------------------------------------------------------------------


def final_session(contract: Contract) -> Bells:
    """The session in which, or at whose opening, a contract settles."""
    return _before(contract.expiry)


def expires_at(contract: Contract) -> int:
    """The instant it settles: the opening of its last session for some index roots, else the close."""
    final = final_session(contract)
    return final.open if contract.root in MORNING else final.close


def stops_at(contract: Contract, day: date) -> int | None:
    """When it stops trading on a date; None on dates on which it does not trade."""
    found, final = bells(day), final_session(contract)
    if found is None or day > final.day or (contract.root in MORNING and day == final.day):
        return None
    late = contract.root in LATE and not (contract.root == "SPXW" and day == final.day)
    return found.close + (900 * SECOND if late else 0)


def last_trade_at(contract: Contract) -> int:
    """When it stops trading for good."""
    final = final_session(contract).day
    day = _before(final - DAY).day if contract.root in MORNING else final
    return stops_at(contract, day) or 0


def trades(contract: Contract, at: int) -> bool:
    """Whether it trades at an instant."""
    day = date_of(at)
    found, stops = bells(day), stops_at(contract, day)
    return found is not None and stops is not None and found.open <= at < stops


def _before(day: date) -> Bells:
    """The session of a date, or the newest before it."""
    while (found := bells(day)) is None:
        day -= DAY
    return found
