"""Paths of simulated underlyings: keyed chance, sessions that join, the shape of a day, and fair volatility."""

import math
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from oracle.market.paths import GRID_NS, WEEKDAYS_PER_YEAR, Course, chance
from oracle.market.underlyings import underlying
from oracle.pricing import Floats
from state.calendar import SECOND, Session
from tests.tapes import calendar_of

CALENDAR = calendar_of("2025-01-02", "2026-12-31")
FIRST = date(2025, 1, 2)
HALF_DAY = date(2026, 11, 27)
STEPS_PER_MINUTE = 60 * SECOND // GRID_NS


def course(symbol: str = "SPY", seed: int = 7, first: date = FIRST) -> Course:
    """The course of one underlying."""
    one = underlying(symbol)
    assert one is not None
    return Course(seed, first, one)


def session(day: date) -> Session:
    """The session of a date that has one."""
    found = CALENDAR.session_on(day)
    assert found is not None
    return found


def logs(symbol: str, count: int, seed: int = 7) -> list[Floats]:
    """The log prices of the first sessions, one row of the grid each."""
    one = course(symbol, seed)
    return [np.log(one.path(each).prices) for each in CALENDAR.sessions[:count]]


def closes(symbol: str, count: int, seed: int = 7) -> Floats:
    """The last log price of each of the first sessions."""
    return np.array([row[-1] for row in logs(symbol, count, seed)])


# -- chance ---------------------------------------------------------------------------------------------------------


def test_a_stream_of_chance_never_changes() -> None:
    """Seed, name and date alone make it: these figures must come again on every machine."""
    assert chance(7, "SPY", date(2026, 2, 13)).integers(0, 1_000_000, 3).tolist() == [681_909, 334_314, 775_833]
    others = [chance(8, "SPY", FIRST), chance(7, "QQQ", FIRST), chance(7, "SPY", FIRST)]
    assert len({one.integers(0, 2**60) for one in others}) == 3


def test_the_order_of_questions_does_not_matter() -> None:
    """A later session asked first is the same session, and so is one of another course of the same seed."""
    days = [date(2025, 1, 2), date(2025, 7, 3), date(2026, 2, 13)]
    forward, backward = course(), course()
    there = [forward.path(session(day)).prices.tolist() for day in days]
    back = [backward.path(session(day)).prices.tolist() for day in reversed(days)]
    assert there == back[::-1]
    assert there[0] != course(seed=8).path(session(days[0])).prices.tolist()
    assert there[0] != course("QQQ").path(session(days[0])).prices.tolist()


# -- one session ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "minutes"), [(FIRST, 405), (HALF_DAY, 225)])
def test_a_path_spans_its_session(day: date, minutes: int) -> None:
    """From the open to the late close, a half day included, in whole cents."""
    path, of = course().path(session(day)), session(day)
    assert len(path.prices) == len(path.unrest) == len(path.left) == minutes * STEPS_PER_MINUTE + 1
    assert (path.at(0), path.at(len(path.prices) - 1)) == (of.open, of.late_close)
    assert [path.step(of.open + ns) for ns in (0, GRID_NS - 1, GRID_NS)] == [0, 0, 1]
    assert path.step(of.late_close + 10**15) == len(path.prices) - 1
    assert path.prices.dtype == np.int64
    assert path.prices.min() > 0
    assert not np.any(path.prices % 10_000)
    closes = path.step(of.close)
    assert path.left[0] == pytest.approx(0.75, abs=0.03)
    assert np.all(np.diff(path.left[: closes + 1]) < 0)
    assert not path.left[closes:].any()


def test_the_first_session_begins_near_the_start() -> None:
    """One night lies between the start and the first open."""
    opens = [int(course(seed=seed).path(session(FIRST)).prices[0]) for seed in range(40)]
    assert max(abs(one - 600_000_000) for one in opens) < 12_000_000
    assert len(set(opens)) > 30


def test_a_worthless_underlying_still_has_a_price() -> None:
    """Nothing falls below a cent."""
    one = underlying("ZZ")
    assert one is not None
    path = Course(7, FIRST, one._replace(start=1, volatility=5.0)).path(session(FIRST))
    assert set(path.prices.tolist()) == {10_000}


# -- many sessions --------------------------------------------------------------------------------------------------


def test_sessions_join_with_a_gap() -> None:
    """An open differs from the close before it, by less than a day's move."""
    rows = logs("SPY", 250)
    gaps = np.array([after[0] - before[-1] for before, after in pairwise(rows)])
    moves = np.array([row[-1] - row[0] for row in rows])
    assert np.count_nonzero(gaps) > 0.95 * len(gaps)
    assert 0.3 < gaps.std() / moves.std() < 0.9


def test_a_level_needs_no_session_before_it() -> None:
    """Levels are drawn by weekday: where another calendar knows no session, all others are what they are."""
    every, some = course(), course()
    before = {each.day: every.path(each).prices.tolist() for each in CALENDAR.sessions[:20]}
    assert all(some.path(each).prices.tolist() == before[each.day] for each in CALENDAR.sessions[4:20:3])


def test_a_course_may_begin_on_a_weekend() -> None:
    """It begins with the Monday, like one that begins on it."""
    monday = date(2025, 1, 6)
    begun = [course(first=monday - timedelta(days=days)).path(session(monday)).prices.tolist() for days in range(3)]
    assert begun[0] == begun[1] == begun[2]


def test_a_session_is_busiest_at_its_ends() -> None:
    """Five-minute moves are largest after the open, smallest at noon, and grow again before the close."""
    rows = np.array([row for row in logs("SPY", 120) if len(row) == 405 * STEPS_PER_MINUTE + 1])
    moves = np.abs(np.diff(rows[:, :: 5 * STEPS_PER_MINUTE], axis=1)).mean(axis=0)
    first, noon, last, late = moves[:6].mean(), moves[30:48].mean(), moves[72:78].mean(), moves[78:].mean()
    assert first > 1.5 * noon
    assert last > 1.15 * noon
    assert first > last
    assert late < noon


def test_volatility_is_what_the_underlying_says_in_the_long_run() -> None:
    """The standard deviation of daily returns is near its figure, and some months are much wilder than others."""
    for symbol in ("SPY", "TSLA"):
        one = underlying(symbol)
        assert one is not None
        daily = np.diff(closes(symbol, 480))
        assert 0.85 < daily.std() * math.sqrt(WEEKDAYS_PER_YEAR) / one.volatility < 1.25
        monthly = np.array([part.std() for part in np.array_split(daily, 24)])
        assert monthly.max() > 1.8 * monthly.min()


def test_prices_jump_now_and_then() -> None:
    """In some sessions, not in most, one step is far beyond what the rest of the session would allow."""
    steps = [np.abs(np.diff(row)) for row in logs("AAPL", 150)]
    jumps = [one.max() > 15 * one.std() for one in steps]
    assert 10 < sum(jumps) < 75


def test_what_follows_the_market_moves_with_it() -> None:
    """An index and its fund are one price; a share goes with the market most days, and an unknown one some."""
    spy, spx, aapl, vix = (np.diff(closes(symbol, 250)) for symbol in ("SPY", "SPX", "AAPL", "VIX"))
    assert np.abs(spy - spx).max() < 1e-4
    assert 0.4 < np.corrcoef(spy, aapl)[0, 1] < 0.85
    assert np.corrcoef(spy, vix)[0, 1] < -0.5


def test_unrest_falls_as_prices_rise_and_goes_on_overnight() -> None:
    """Volatility leans against the price within a session and begins a session where the last one left it."""
    one = course()
    paths = [one.path(each) for each in CALENDAR.sessions[:60]]
    changes = [(np.log(path.prices[-1] / path.prices[0]), path.unrest[-1] - path.unrest[0]) for path in paths]
    assert np.corrcoef(np.array(changes).T)[0, 1] < -0.2
    overnight = [abs(b.unrest[0] - a.unrest[-1]) for a, b in pairwise(paths)]
    assert max(overnight) < 0.2
    assert max(np.abs(path.unrest).max() for path in paths) <= 1.2
