"""Makes the calendar that is adopted: NYSE sessions from `exchange_calendars`, midnights from the New York time zone.

Deliberately absent: every question asked of a calendar (`state.calendar`), and any notion of today.
"""

from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from state.calendar import Calendar, Session
from state.errors import BadUsage

EXCHANGE = "XNYS"
LATE_ROOTS = ("DIA", "IWM", "QQQ", "SPX", "SPXW", "SPY")
"""Option roots that trade a quarter of an hour past the session close."""

_NEW_YORK = ZoneInfo("America/New_York")
_LATE_NS = 15 * 60 * 10**9
_NS_PER_S = 10**9
_REGULAR_CLOSE_H = 16
_EARLIEST = date(1990, 1, 1)
_LATEST = date(2100, 12, 31)
_PADDING = timedelta(days=14)
"""The library refuses ranges without a session and never closes the exchange for so long."""


def build(first: date, last: date) -> Calendar:
    """The calendar of all New York dates from `first` to `last`, both included.

    Raises BadUsage when the range is empty or leaves 1990..2100. Costs about a second at the first call, because the
    library brings pandas with it.
    """
    if not _EARLIEST <= first <= last <= _LATEST:
        raise BadUsage(f"no calendar for {first}..{last}: give a first and a last date between 1990 and 2100, in order")
    days = (last - first).days
    return Calendar(
        exchange=EXCHANGE,
        source=f"exchange_calendars {version('exchange_calendars')}",
        first=first,
        midnights=tuple(_midnight(first + timedelta(days=n)) for n in range(days + 2)),
        sessions=_sessions(first, last),
        late_roots=LATE_ROOTS,
    )


def _sessions(first: date, last: date) -> tuple[Session, ...]:
    # Imported here because it brings pandas: a second that only the maker of a calendar should pay.
    import exchange_calendars

    table = exchange_calendars.get_calendar(EXCHANGE, start=first - _PADDING, end=last + _PADDING)
    rows = ((label.date(), table.opens[label], table.closes[label]) for label in table.sessions)
    return tuple(_session(day, opens, closes) for day, opens, closes in rows if first <= day <= last)


def _session(day: date, opens: Any, closes: Any) -> Session:
    """One session from the library's UTC timestamps, which count nanoseconds only when asked to."""
    open_ns, close_ns = (int(stamp.as_unit("ns").value) for stamp in (opens, closes))
    regular = _instant(datetime(day.year, day.month, day.day, _REGULAR_CLOSE_H, tzinfo=_NEW_YORK))
    return Session(day, open_ns, close_ns, close_ns + _LATE_NS, close_ns < regular)


def _midnight(day: date) -> int:
    return _instant(datetime(day.year, day.month, day.day, tzinfo=_NEW_YORK))


def _instant(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * _NS_PER_S
