"""The calendar answers for phases, dates, expirations and last trades as New York and the exchange would."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import sessions
from state import contract
from state.calendar import Calendar, Phase, Session
from state.errors import LawBroken

NEW_YORK = ZoneInfo("America/New_York")
CALENDAR = sessions.build(date(2014, 1, 1), date(2027, 12, 31))
HOUR_NS = 3_600 * 10**9

DAYS = st.dates(CALENDAR.first, CALENDAR.last)
INSTANTS = st.integers(CALENDAR.midnights[0], CALENDAR.midnights[-1] - 1)
MIDDLE_INSTANTS = st.integers(CALENDAR.sessions[0].open, CALENDAR.sessions[-1].open - 1)


def at(text: str) -> int:
    """The instant of a New York wall-clock time such as `2026-02-13 09:30`."""
    return round(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("when", "phase"),
    [
        ("2026-02-13 03:59:59", Phase.CLOSED),
        ("2026-02-13 04:00:00", Phase.ETH),
        ("2026-02-13 09:29:59", Phase.ETH),
        ("2026-02-13 09:30:00", Phase.RTH),
        ("2026-02-13 15:59:59", Phase.RTH),
        ("2026-02-13 16:00:00", Phase.ETH),
        ("2026-02-13 19:59:59", Phase.ETH),
        ("2026-02-13 20:00:00", Phase.CLOSED),
        ("2026-02-14 12:00:00", Phase.CLOSED),
        ("2026-02-15 12:00:00", Phase.CLOSED),
        ("2026-02-16 12:00:00", Phase.CLOSED),
        ("2026-02-17 09:30:00", Phase.RTH),
        ("2026-04-03 10:00:00", Phase.CLOSED),
        ("2015-12-24 12:59:59", Phase.RTH),
        ("2015-12-24 13:00:00", Phase.ETH),
        ("2015-12-25 10:00:00", Phase.CLOSED),
        ("2026-03-08 10:00:00", Phase.CLOSED),
        ("2026-03-09 04:00:00", Phase.ETH),
        ("2026-11-02 19:59:59", Phase.ETH),
    ],
)
def test_the_phase_follows_the_wall_clock_of_new_york(when: str, phase: Phase) -> None:
    """Regular and extended hours begin and end to the second, weekends and holidays are closed."""
    assert CALENDAR.phase(at(when)) is phase


@pytest.mark.parametrize(
    ("when", "opens"),
    [
        ("2026-02-13 09:29:59", "2026-02-13 09:30"),
        ("2026-02-13 09:30:00", "2026-02-17 09:30"),
        ("2026-02-15 12:00:00", "2026-02-17 09:30"),
        ("2026-03-07 12:00:00", "2026-03-09 09:30"),
        ("2026-04-02 17:00:00", "2026-04-06 09:30"),
    ],
)
def test_the_next_open_skips_weekends_and_holidays(when: str, opens: str) -> None:
    """A Saturday before Presidents' Day waits until Tuesday; a running session is not the next one."""
    assert CALENDAR.next_open(at(when)) == at(opens)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 3, 9), 24)])
def test_days_on_which_clocks_change_have_another_length(day: date, hours: int) -> None:
    """Midnights follow daylight saving time."""
    length = CALENDAR.midnight_of(day + timedelta(days=1)) - CALENDAR.midnight_of(day)
    assert length == hours * HOUR_NS


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 2, 13), True),
        (date(2026, 2, 12), False),
        (date(2026, 4, 3), False),
        (date(2026, 4, 2), True),
        (date(2026, 6, 18), True),
        (date(2027, 6, 17), True),
        (date(2026, 2, 14), False),
        (date(2026, 2, 16), False),
        (date(2015, 12, 24), True),
        (date(2031, 1, 3), False),
    ],
)
def test_a_holiday_friday_makes_its_thursday_the_friday_class(day: date, expected: bool) -> None:
    """Good Friday and Juneteenth shift the weekly expiration to Thursday."""
    assert CALENDAR.is_friday_class(day) is expected


def test_a_thursday_at_the_end_of_the_table_is_not_taken_for_a_friday() -> None:
    """What is unknown about the Friday is not guessed."""
    assert not sessions.build(date(2026, 3, 30), date(2026, 4, 2)).is_friday_class(date(2026, 4, 2))


@pytest.mark.parametrize(
    ("symbol", "day", "close"),
    [
        ("SPY260220C00596000", "2026-02-19", "16:15"),
        ("SPY260220C00596000", "2026-02-20", "16:15"),
        ("SPY260220C00596000", "2026-02-23", None),
        ("SPY260220C00596000", "2026-02-16", None),
        ("AAPL260220C00250000", "2026-02-20", "16:00"),
        ("SPXW260220C05960000", "2026-02-19", "16:15"),
        ("SPXW260220C05960000", "2026-02-20", "16:00"),
        ("SPX260220C05960000", "2026-02-19", "16:15"),
        ("SPX260220C05960000", "2026-02-20", None),
        ("SPX260220C05960000", "2026-02-23", None),
        ("QQQ151231C00110000", "2015-12-24", "13:15"),
        ("GOOG151224C00750000", "2015-12-24", "13:00"),
        ("SPXW151224C02000000", "2015-12-24", "13:00"),
        ("SPX140621C01950000", "2014-06-19", "16:15"),
        ("SPX140621C01950000", "2014-06-20", None),
        ("AAPL140621C00090000", "2014-06-20", "16:00"),
        ("SPXW260403C05960000", "2026-04-02", "16:00"),
        ("SPY300118C00600000", "2026-02-19", "16:15"),
        ("SPY120118C00600000", "2026-02-19", None),
    ],
)
def test_each_root_stops_trading_at_its_own_bell(symbol: str, day: str, close: str | None) -> None:
    """Late roots trade a quarter longer; expiring SPXW stops with the session; AM roots stop the session before."""
    expected = None if close is None else at(f"{day} {close}")
    assert CALENDAR.trading_close(contract.parse(symbol), date.fromisoformat(day)) == expected


@pytest.mark.parametrize(
    ("symbol", "settles", "last_trade"),
    [
        ("SPY260220C00596000", "2026-02-20 16:00", "2026-02-20 16:15"),
        ("AAPL260220C00250000", "2026-02-20 16:00", "2026-02-20 16:00"),
        ("SPXW260220C05960000", "2026-02-20 16:00", "2026-02-20 16:00"),
        ("SPX260220C05960000", "2026-02-20 09:30", "2026-02-19 16:15"),
        ("GOOG151224C00750000", "2015-12-24 13:00", "2015-12-24 13:00"),
        ("AAPL140621C00090000", "2014-06-20 16:00", "2014-06-20 16:00"),
        ("SPX140621C01950000", "2014-06-20 09:30", "2014-06-19 16:15"),
        ("SPY260403C00596000", "2026-04-02 16:00", "2026-04-02 16:15"),
        ("SPX260618C05960000", "2026-06-18 09:30", "2026-06-17 16:15"),
        ("SPY300118C00600000", None, None),
        ("SPY120118C00600000", None, None),
    ],
)
def test_each_contract_settles_on_its_expiration_session(
    symbol: str, settles: str | None, last_trade: str | None
) -> None:
    """PM at the close, AM at the open; a Saturday or holiday date means the session before it."""
    option = contract.parse(symbol)
    assert CALENDAR.expiry_instant(option) == (settles and at(settles))
    assert CALENDAR.last_trade_at(option) == (last_trade and at(last_trade))


def test_the_first_session_of_the_table_has_no_session_before_it() -> None:
    """An AM contract expiring on the first session has its last trade outside the table."""
    table = sessions.build(date(2026, 2, 20), date(2026, 2, 28))
    option = contract.parse("SPX260220C05960000")
    assert table.expiry_instant(option) == at("2026-02-20 09:30")
    assert table.last_trade_at(option) is None


def test_an_expiration_before_the_first_session_never_trades() -> None:
    """A Saturday expiration at the head of the table does not come alive on Monday."""
    table = sessions.build(date(2014, 6, 21), date(2014, 6, 30))
    option = contract.parse("AAPL140621C00090000")
    assert table.expiry_instant(option) is None
    assert table.trading_close(option, date(2014, 6, 23)) is None


@pytest.mark.parametrize(
    ("symbol", "when", "expected"),
    [
        ("SPXW260220C05960000", "2026-02-20 09:29:59", False),
        ("SPXW260220C05960000", "2026-02-20 09:30", True),
        ("SPXW260220C05960000", "2026-02-20 15:59:59", True),
        ("SPXW260220C05960000", "2026-02-20 16:00", False),
        ("SPY260220C00596000", "2026-02-20 16:14:59", True),
        ("SPY260220C00596000", "2026-02-20 16:15", False),
        ("SPX260220C05960000", "2026-02-20 09:30", False),
        ("SPY260220C00596000", "2026-02-16 12:00", False),
    ],
)
def test_a_contract_trades_from_the_bell_to_its_close(symbol: str, when: str, expected: bool) -> None:
    """The opening bell belongs to the session, the close does not."""
    assert CALENDAR.tradable(contract.parse(symbol), at(when)) is expected


@pytest.mark.parametrize(
    ("when", "days"),
    [("2026-02-15 23:59:59", 5), ("2026-02-16 00:00", 4), ("2026-02-20 15:00", 0), ("2026-02-21 00:00", -1)],
)
def test_days_to_expiry_count_new_york_dates(when: str, days: int) -> None:
    """The count changes at New York midnight, not at UTC midnight."""
    assert CALENDAR.dte(date(2026, 2, 20), at(when)) == days


def test_the_threshold_of_days_to_expiry_is_a_midnight() -> None:
    """The instant is clamped to the start of the table and unknown past its end."""
    assert CALENDAR.dte_reached_at(date(2026, 2, 20), 2) == at("2026-02-18 00:00")
    assert CALENDAR.dte_reached_at(date(2014, 1, 2), 5) == CALENDAR.midnights[0]
    assert CALENDAR.dte_reached_at(date(2028, 2, 20), 5) is None


def test_hours_are_calendar_hours_over_a_weekend() -> None:
    """120 hours from a Thursday afternoon end on Tuesday, and only two sessions opened between."""
    start = at("2026-02-05 15:00")
    end = start + 120 * HOUR_NS
    assert CALENDAR.day_of(end) == date(2026, 2, 10)
    opened = [s.day for s in CALENDAR.sessions if start < s.open <= end]
    assert opened == [date(2026, 2, 6), date(2026, 2, 9), date(2026, 2, 10)]


def test_instants_outside_the_table_break_the_law() -> None:
    """Now must always be known; the message names the remedy."""
    before, after = CALENDAR.midnights[0] - 1, CALENDAR.midnights[-1]
    option = contract.parse("SPY260220C00596000")
    for instant in (before, after):
        asks = (CALENDAR.day_of, CALENDAR.phase, CALENDAR.session_at_or_before, CALENDAR.next_session)
        for ask in (*asks, lambda when: CALENDAR.tradable(option, when)):
            with pytest.raises(LawBroken, match="adopt a longer one"):
                ask(instant)
    for instant in (CALENDAR.midnights[0], before):
        with pytest.raises(LawBroken):
            CALENDAR.session_at_or_before(instant)
    with pytest.raises(LawBroken):
        CALENDAR.next_open(CALENDAR.midnights[-1] - 1)
    with pytest.raises(LawBroken):
        CALENDAR.midnight_of(CALENDAR.first - timedelta(days=1))
    with pytest.raises(LawBroken):
        CALENDAR.midnight_of(CALENDAR.last + timedelta(days=2))


def test_the_table_survives_msgpack() -> None:
    """What is journaled comes back equal."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(CALENDAR), type=Calendar) == CALENDAR


DAY = date(2026, 2, 13)
MIDNIGHT = at("2026-02-13 00:00")
GOOD = Session(DAY, at("2026-02-13 09:30"), at("2026-02-13 16:00"), at("2026-02-13 16:15"), False)


@pytest.mark.parametrize(
    ("midnights", "rows"),
    [
        ((MIDNIGHT,), ()),
        ((MIDNIGHT, MIDNIGHT), ()),
        ((MIDNIGHT, MIDNIGHT + 24 * HOUR_NS), (GOOD, GOOD)),
        ((MIDNIGHT, MIDNIGHT + 24 * HOUR_NS), (msgspec.structs.replace(GOOD, day=date(2026, 2, 14)),)),
        ((MIDNIGHT, MIDNIGHT + 24 * HOUR_NS), (msgspec.structs.replace(GOOD, close=GOOD.open),)),
        ((MIDNIGHT, MIDNIGHT + 24 * HOUR_NS), (msgspec.structs.replace(GOOD, late_close=GOOD.open),)),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(midnights: tuple[int, ...], rows: tuple[Session, ...]) -> None:
    """Bisection is only right on ascending columns."""
    with pytest.raises(LawBroken, match="build"):
        Calendar("XNYS", "test", DAY, midnights, rows, ())


@given(DAYS)
def test_day_and_midnight_are_inverse(day: date) -> None:
    """The first and the last nanosecond of a date belong to it."""
    assert CALENDAR.day_of(CALENDAR.midnight_of(day)) == day
    assert CALENDAR.day_of(CALENDAR.midnight_of(day + timedelta(days=1)) - 1) == day


@given(MIDDLE_INSTANTS)
def test_sessions_around_an_instant_are_neighbours(instant: int) -> None:
    """Nothing opens between the newest session and the next one, and regular hours lie inside the newest."""
    newest, following = CALENDAR.session_at_or_before(instant), CALENDAR.next_session(instant)
    assert newest.open <= instant < following.open == CALENDAR.next_open(instant)
    assert CALENDAR.sessions.index(following) == CALENDAR.sessions.index(newest) + 1
    assert (CALENDAR.phase(instant) is Phase.RTH) == (instant < newest.close)
    assert CALENDAR.phase(following.open) is Phase.RTH
    assert CALENDAR.phase(following.open - 1) is Phase.ETH


@given(INSTANTS, st.dates(date(2010, 1, 1), date(2032, 1, 1)), st.integers(0, 60))
def test_the_threshold_agrees_with_the_count_of_days(instant: int, expiry: date, dte_min: int) -> None:
    """`dte <= n` holds exactly from the threshold on."""
    reached_at = CALENDAR.dte_reached_at(expiry, dte_min)
    assert (CALENDAR.dte(expiry, instant) <= dte_min) == (reached_at is not None and instant >= reached_at)


@given(st.sampled_from(["SPY", "SPX", "SPXW", "AAPL", "VIX"]), DAYS, DAYS)
def test_a_contract_never_trades_past_its_last_trade(root: str, expiry: date, day: date) -> None:
    """The close of any day is at most the last trade, and equal to it on the last day."""
    option = contract.Contract(root, expiry, contract.Right.CALL, 100_000_000)
    close, last_trade = CALENDAR.trading_close(option, day), CALENDAR.last_trade_at(option)
    if last_trade is None:
        assert expiry <= CALENDAR.sessions[0].day
        return
    assert close is None or close <= last_trade
    assert CALENDAR.trading_close(option, CALENDAR.day_of(last_trade)) == last_trade
    assert not CALENDAR.tradable(option, last_trade)
    assert CALENDAR.tradable(option, last_trade - 1)
