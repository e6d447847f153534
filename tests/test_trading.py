"""One underlying in one session: when it prints, what is near it, and what its options see."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from oracle.market.paths import GRID_NS, Course
from oracle.market.trading import Moment, Trading
from oracle.market.underlyings import underlying
from rules.wants import ChainSlice
from state import contract as contracts
from tests.tapes import calendar_of, new_york

DAY = "2026-02-13"
CALENDAR = calendar_of("2026-02-02", "2026-12-31")
USD = 1_000_000


def trading(symbol: str = "SPY", day: str = DAY) -> Trading:
    """An underlying in the session of a date."""
    one, session = underlying(symbol), CALENDAR.session_on(date.fromisoformat(day))
    assert one is not None
    assert session is not None
    return Trading(Course(7, date(2026, 2, 9), one), session, CALENDAR)


def sliced(symbol: str, first: str, last: str, each_side: int) -> ChainSlice:
    """A slice of a chain."""
    return ChainSlice(symbol, date.fromisoformat(first), date.fromisoformat(last), each_side)


@pytest.mark.parametrize(
    ("symbol", "day", "clock"),
    [
        ("SPY", DAY, "16:15:00"),
        ("SPX", DAY, "16:15:00"),
        ("AAPL", DAY, "16:00:00"),
        ("VIX", DAY, "16:00:00"),
        ("SPY", "2026-11-27", "13:15:00"),
        ("AAPL", "2026-11-27", "13:00:00"),
    ],
)
def test_the_last_print_is_that_of_the_close(symbol: str, day: str, clock: str) -> None:
    """What has options that trade late prints until they stop; a half day ends early."""
    one, close = trading(symbol, day), new_york(day, clock)
    assert one.spot(close).at == close
    assert one.spot(close - 1).at == close - GRID_NS
    assert one.spot(close + 10**15) == one.spot(close)


def test_a_print_stands_for_the_newest_step() -> None:
    """Between two steps nothing is new."""
    one, now = trading(), new_york(DAY, "10:30:00")
    assert [one.spot(now + ns).at - now for ns in (-1, 0, GRID_NS - 1, GRID_NS)] == [-GRID_NS, 0, 0, GRID_NS]
    assert len({one.spot(now + n * GRID_NS).price for n in range(20)}) > 10


def test_a_slice_holds_the_nearest_strikes_of_every_expiration() -> None:
    """So many at or below the price and as many above, calls and puts, on a grid that does not move with it."""
    one = trading()
    for minute in range(60):
        now = new_york(DAY, f"11:{minute:02d}:00")
        found = one.near(sliced("SPY", DAY, "2026-02-20", 3), now)
        spot = one.spot(now).price
        below = spot // USD
        assert {option.strike // USD for option in found.values()} == set(range(below - 2, below + 4))
        assert all(option.strike % USD == 0 for option in found.values())
        expiries = {option.series.expiry for option in found.values()}
        assert expiries == {date(2026, 2, day) for day in (13, 17, 18, 19, 20)}
        assert len(found) == 5 * 6 * 2


def test_a_slice_of_an_index_holds_both_of_its_roots() -> None:
    """On a third Friday there are two chains, five dollars apart."""
    found = trading("SPX").near(sliced("SPX", "2026-02-20", "2026-02-20", 2), new_york(DAY, "10:30:00"))
    assert {option.series.root for option in found.values()} == {"SPX", "SPXW"}
    assert len(found) == 2 * 4 * 2
    assert all(contracts.parse(occ).strike == option.strike for occ, option in found.items())
    assert all(option.strike % (5 * USD) == 0 for option in found.values())


def test_there_is_no_strike_at_or_below_zero() -> None:
    """A wide slice of a cheap underlying ends at its lowest strike."""
    found = trading("AAPL").near(sliced("AAPL", DAY, DAY, 200), new_york(DAY, "10:30:00"))
    assert min(option.strike for option in found.values()) == 2_500_000


@pytest.mark.parametrize(
    ("occ", "is_listed"),
    [
        ("SPY260220C00600000", True),
        ("SPY260220P00300000", True),
        ("SPY260220C00600500", False),
        ("SPY260221C00600000", False),
        ("SPY260402C00600000", True),
        ("SPY260403C00600000", False),
        ("SPY270115C00600000", False),
        ("SPX260220C00600000", False),
    ],
)
def test_a_contract_is_known_when_it_is_listed(occ: str, *, is_listed: bool) -> None:
    """Its root, its date and its strike must all be there, however far it lies from the money."""
    wanted = contracts.parse(occ)
    found = trading().named(wanted)
    assert (found is not None) == is_listed
    if found is not None:
        assert (found.series.expiry, found.strike, found.sign) == (
            wanted.expiry,
            wanted.strike,
            1.0 if wanted.right == "C" else -1.0,
        )


def test_an_option_sees_its_underlying_until_it_stops_trading() -> None:
    """SPXW stops at the close of its date and the others a quarter of an hour later; the last quote stands."""
    one = trading("SPX")
    expiring, other = (one.named(contracts.parse(f"SPXW2602{day}C06000000")) for day in (13, 20))
    assert expiring is not None
    assert other is not None
    for clock, ages in (("15:59:59", (4, 4)), ("16:05:00", (305, 0)), ("20:00:00", (14_405, 13_505))):
        now = new_york(DAY, clock)
        seen = one.moment([expiring, other], now)
        assert [(now - at) // 10**9 for at in seen.at.tolist()] == list(ages)
        assert seen.spot.tolist() == [one.spot(at).price for at in seen.at.tolist()]


def test_variance_runs_out_through_the_session() -> None:
    """What is left of today, and the weekdays after it."""
    one = trading()
    today, next_week = (one.named(contracts.parse(f"SPY2602{day}C00600000")) for day in (13, 20))
    assert today is not None
    assert next_week is not None
    left = [
        one.moment([today, next_week], new_york(DAY, clock)).days.tolist()
        for clock in ("09:30:00", "12:00:00", "15:55:00")
    ]
    assert left[0] == pytest.approx([0.75, 5.75], abs=0.03)
    assert left[0][0] > left[1][0] > left[2][0] > 0.0
    assert all(further == pytest.approx(near + 5.0) for near, further in left)


def test_sizes_are_shown_on_both_sides_and_differ() -> None:
    """From step to step, from strike to strike, between bid and ask."""
    one = trading()
    found = one.near(sliced("SPY", DAY, "2026-03-31", 5), new_york(DAY, "10:30:00"))
    seen = [one.moment(list(found.values()), new_york(DAY, f"10:30:{second:02d}")) for second in (0, 5)]
    sizes = [column for moment in seen for column in (moment.bid_size, moment.ask_size)]
    assert all(column.min() >= 5 and column.max() < 150 and len(set(column.tolist())) > 50 for column in sizes)
    assert all(np.mean(a == b) < 0.05 for a, b in ((sizes[0], sizes[1]), (sizes[0], sizes[2]), (sizes[1], sizes[3])))


def test_moments_are_joined_in_order() -> None:
    """And no moment is an empty one."""
    one, now = trading(), new_york(DAY, "10:30:00")
    options = list(one.near(sliced("SPY", DAY, "2026-02-20", 2), now).values())
    whole = one.moment(options, now)
    parts = Moment.joined([one.moment(options[:7], now), one.moment(options[7:], now)])
    assert all(np.array_equal(getattr(whole, name), getattr(parts, name)) for name in Moment.__slots__)
    assert {len(getattr(Moment.joined([]), name)) for name in Moment.__slots__} == {0}


def test_sessions_of_one_course_follow_each_other() -> None:
    """The next session's first print is near the last one's last."""
    one = underlying("SPY")
    assert one is not None
    course = Course(7, date(2026, 2, 9), one)
    days = [CALENDAR.session_on(date(2026, 2, 9) + timedelta(days=n)) for n in range(5)]
    known = [Trading(course, session, CALENDAR) for session in days if session is not None]
    for before, after in pairwise(known):
        assert abs(after.path.prices[0] / before.path.prices[-1] - 1.0) < 0.03
