"""The calendar that is built agrees with published sessions, holidays and early closes of every year given."""

import csv
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from oracle import sessions
from state.calendar import Calendar
from state.errors import BadUsage

CALENDAR = sessions.build(date(2015, 1, 1), date(2027, 12, 31))
# The library's calendar of the options exchange knows early closes only after Thanksgiving.
EARLY_CLOSES_WITHOUT_AN_ANSWER = {
    date(2015, 12, 24),
    date(2018, 7, 3),
    date(2018, 12, 24),
    date(2019, 7, 3),
    date(2019, 12, 24),
}


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of one file, keyed by its header."""
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def nanoseconds(text: str) -> int:
    """The instant of an ISO time with an offset."""
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 10**9


def days_of_year(year: int) -> set[date]:
    """The dates on which the calendar has a session in one year."""
    return {session.day for session in CALENDAR.sessions if session.day.year == year}


def test_every_published_session_has_its_bells(data_dir: Path) -> None:
    """Open, close and the early flag agree, and whole years have no session more."""
    rows = rows_of(data_dir / "calendars" / "xnys_sessions_2015_2027_exchange_calendars.csv")
    assert rows
    for row in rows:
        session = CALENDAR.session_on(date.fromisoformat(row["date"]))
        assert session is not None, row
        assert (session.open, session.close) == (nanoseconds(row["open_utc"]), nanoseconds(row["close_utc"]))
        assert session.early == (row["early_close"] == "1")
    published = {date.fromisoformat(row["date"]) for row in rows}
    for year in {day.year for day in published}:
        assert days_of_year(year) == {day for day in published if day.year == year}


def test_a_second_list_of_sessions_agrees(data_dir: Path) -> None:
    """The answers that the calendar library tests itself against."""
    rows = rows_of(data_dir / "calendars" / "exchange_calendars_xnys_answers_2015on.csv")
    assert rows
    for row in rows:
        session = CALENDAR.session_on(date.fromisoformat(row[""][:10]))
        assert session is not None, row
        assert (session.open, session.close) == (nanoseconds(row["open"]), nanoseconds(row["close"]))


def test_the_late_close_is_the_one_of_the_options_exchange(data_dir: Path) -> None:
    """Cboe closes a quarter later on every session, but for five early closes that the published answers lack."""
    rows = rows_of(data_dir / "calendars" / "exchange_calendars_xcbf_answers_2015on.csv")
    late = {date.fromisoformat(row[""][:10]): nanoseconds(row["close"]) for row in rows}
    shared = [session for session in CALENDAR.sessions if session.day in late]
    assert len(shared) > 1_000
    odd = {session.day for session in shared if session.late_close != late[session.day]}
    assert odd <= EARLY_CLOSES_WITHOUT_AN_ANSWER


def test_every_published_holiday_is_closed(data_dir: Path) -> None:
    """Holidays have no session, early closes end at 13:00 New York."""
    rows = rows_of(data_dir / "calendars" / "nyse_holidays_2015_2027.csv")
    assert {row["kind"] for row in rows} == {"holiday", "early_close"}
    for row in rows:
        session = CALENDAR.session_on(date.fromisoformat(row["date"]))
        if row["kind"] == "holiday":
            assert session is None, row
        else:
            assert session is not None, row
            assert session.early, row
            assert session.close - CALENDAR.midnight_of(session.day) == 13 * 3_600 * 10**9


def test_a_part_of_the_range_gives_the_same_sessions() -> None:
    """The range only cuts; it changes no session."""
    part = sessions.build(date(2026, 2, 14), date(2026, 4, 6))
    assert part.sessions == tuple(s for s in CALENDAR.sessions if part.first <= s.day <= part.last)
    assert (part.first, part.last) == (date(2026, 2, 14), date(2026, 4, 6))
    assert set(part.midnights) <= set(CALENDAR.midnights)


@pytest.mark.parametrize("days", [0, 1, 2])
def test_a_range_without_a_session_is_a_calendar_too(days: int) -> None:
    """A holiday weekend builds an empty table of sessions."""
    first = date(2026, 2, 14)
    table = sessions.build(first, first + timedelta(days=days))
    assert isinstance(table, Calendar)
    assert table.sessions == ()
    assert len(table.midnights) == days + 2


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 2, 2), date(2026, 2, 1)),
        (date(1989, 12, 31), date(2026, 2, 1)),
        (date(2026, 2, 1), date(2101, 1, 1)),
    ],
)
def test_an_impossible_range_is_refused(first: date, last: date) -> None:
    """The message says which dates are possible."""
    with pytest.raises(BadUsage, match="between 1990 and 2100"):
        sessions.build(first, last)


def test_importing_sessions_does_not_import_pandas() -> None:
    """Only building a calendar pays for the library."""
    code = "import sys, oracle.sessions; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
