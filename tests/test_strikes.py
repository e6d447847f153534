"""Which strike and which expiry, out of what is listed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oracle import sessions
from rules import strikes
from rules.profiles import SHORT_DATED, SWING, Profile
from rules.strikes import StrikeLimits
from state.alert import Direction
from state.contract import Contract, Right, parse
from tests.stage import calendar_around, usd

CALENDAR = calendar_around(date(2026, 3, 13))


def listed(*expiries: str, strikes_usd: tuple[int, ...] = (600,), root: str = "SPY") -> tuple[Contract, ...]:
    """Calls of a root on dates and strikes."""
    return tuple(
        Contract(root, date.fromisoformat(day), Right.CALL, strike * 1_000_000)
        for day in expiries
        for strike in strikes_usd
    )


WANTED = [
    ("595.42", Direction.LONG, "596"),
    ("595.42", Direction.SHORT, "595"),
    ("595.00", Direction.LONG, "595"),
    ("595.00", Direction.SHORT, "595"),
    ("0.30", Direction.LONG, "1"),
    ("0.30", Direction.SHORT, "0"),
]


@pytest.mark.parametrize(("spot", "direction", "strike"), WANTED)
def test_the_wanted_strike_is_the_whole_dollar_out_of_the_money(spot: str, direction: Direction, strike: str) -> None:
    """Up for calls, down for puts; a whole dollar is itself."""
    assert strikes.wanted_strike(usd(spot), strikes.right_of(direction)) == usd(strike)


EXPIRIES = [
    (SHORT_DATED, "2026-03-13", ("2026-03-20", "2026-03-27"), "2026-03-20"),
    (SHORT_DATED, "2026-03-16", ("2026-03-20", "2026-03-27"), "2026-03-27"),
    (SHORT_DATED, "2026-03-15", ("2026-03-20", "2026-03-27"), "2026-03-20"),
    (SHORT_DATED, "2026-03-13", ("2026-03-18", "2026-03-23", "2026-03-27"), "2026-03-27"),
    (SHORT_DATED, "2026-03-27", ("2026-04-02", "2026-04-10"), "2026-04-02"),
    (SHORT_DATED, "2026-03-13", ("2026-03-28", "2026-04-17"), None),
    (SHORT_DATED, "2026-06-12", ("2026-06-18", "2026-06-26"), "2026-06-18"),
    (SWING, "2026-03-13", ("2026-03-20", "2026-04-10", "2026-04-17", "2026-04-24"), "2026-04-17"),
    (SWING, "2026-03-13", ("2026-04-10", "2026-05-01"), None),
]


@pytest.mark.parametrize(("profile", "today", "expiries", "expected"), EXPIRIES)
def test_the_nearest_friday_class_expiry_of_the_profile(
    profile: Profile, today: str, expiries: tuple[str, ...], expected: str | None
) -> None:
    """Between the profile's days, Fridays only; before Good Friday and Juneteenth the Thursday is the Friday."""
    found = strikes.expiry_of(listed(*expiries), profile, today=date.fromisoformat(today), calendar=CALENDAR)
    assert (found and found.isoformat()) == expected


SATURDAYS = [
    ("2014-06-12", ("2014-06-21", "2014-06-27"), "2014-06-21"),
    ("2014-06-12", ("2014-06-20", "2014-06-21"), "2014-06-20"),
    ("2014-04-09", ("2014-04-19", "2014-04-25"), "2014-04-19"),
    ("2014-06-12", ("2014-06-22",), None),
]


@pytest.mark.parametrize(("today", "expiries", "expected"), SATURDAYS)
def test_a_monthly_that_expires_on_a_saturday_is_of_friday_class(
    today: str, expiries: tuple[str, ...], expected: str | None
) -> None:
    """Until February 2015 they did, after a last session on Friday, or on Thursday before Good Friday; never on a Sunday."""
    calendar = sessions.build(date(2014, 4, 1), date(2014, 7, 31))
    found = strikes.expiry_of(listed(*expiries), SHORT_DATED, today=date.fromisoformat(today), calendar=calendar)
    assert (found and found.isoformat()) == expected


def test_days_of_a_week_give_five_to_eleven_days() -> None:
    """From Sunday to Saturday the next Friday at least five days away is 5, 11, 10, 9, 8, 7 and 6 days away."""
    chain = listed("2026-03-06", "2026-03-13", "2026-03-20", "2026-03-27")
    days = [date(2026, 3, 8 + offset) for offset in range(7)]
    found = [strikes.expiry_of(chain, SHORT_DATED, today=day, calendar=CALENDAR) for day in days]
    assert [(one - day).days for one, day in zip(found, days, strict=True) if one] == [5, 11, 10, 9, 8, 7, 6]


SNAPS = [
    ("596", (595, 600, 605), Right.CALL, 600),
    ("596", (590, 595), Right.CALL, 595),
    ("600", (595, 600, 605), Right.CALL, 600),
    ("596", (), Right.CALL, None),
]


@pytest.mark.parametrize(("wanted", "available", "right", "strike"), SNAPS)
def test_a_strike_snaps_out_of_the_money_first(
    wanted: str, available: tuple[int, ...], right: Right, strike: int | None
) -> None:
    """The nearest one beyond, else the nearest at all; nothing where nothing of the right is listed."""
    found = strikes.snap(listed("2026-03-20", strikes_usd=available), usd(wanted), right)
    assert (found and found.strike) == (strike and strike * 1_000_000)
    puts = [replace(one, right=Right.PUT) for one in listed("2026-03-20", strikes_usd=(590, 600))]
    snapped = [strikes.snap(puts, usd(spot), Right.PUT) for spot in ("595", "600", "580")]
    assert [one and one.strike for one in snapped] == [usd("590"), usd("600"), usd("590")]


def test_of_two_index_roots_the_one_settling_at_the_close_wins() -> None:
    """SPX and SPXW list the same strike for one Friday; SPXW can be traded on that day."""
    both = (*listed("2026-03-20", root="SPX"), *listed("2026-03-20", root="SPXW"))
    found = strikes.snap(both, usd("600"), Right.CALL)
    assert found is not None
    assert found.root == "SPXW"
    assert strikes.snap(tuple(reversed(both)), usd("600"), Right.CALL) == found


@given(wanted=st.integers(1, 2_000), available=st.sets(st.integers(1, 2_000), min_size=1, max_size=12))
def test_no_listed_strike_is_nearer_on_the_wanted_side(wanted: int, available: set[int]) -> None:
    """What snap gives is listed, and nothing beyond the wanted strike lies nearer."""
    found = strikes.snap(listed("2026-03-20", strikes_usd=tuple(available)), wanted * 1_000_000, Right.CALL)
    assert found is not None
    beyond = [one for one in available if one >= wanted]
    assert found.strike == (min(beyond) if beyond else max(available)) * 1_000_000


def test_near_enough_is_a_percentage_of_the_underlying() -> None:
    """Five percent of 600 is 30 dollars: 626 is near enough to 596, a cent more is not."""
    limits = StrikeLimits(snap_pct_max=500)
    at = replace(listed("2026-03-20")[0], strike=usd("626"))
    assert strikes.near_enough(at, usd("596"), spot=usd("600"), limits=limits)
    beyond = replace(at, strike=usd("626.01"))
    assert not strikes.near_enough(beyond, usd("596"), spot=usd("600"), limits=limits)


def test_a_named_contract_is_itself_or_its_allowed_neighbour() -> None:
    """Listed: itself. Unlisted: nothing, or the nearest of the same expiry and right where configured."""
    chain = listed("2026-03-20", "2026-03-27", strikes_usd=(595, 600))
    known, unknown = parse("SPY260320C00600000"), parse("SPY260320C00598000")
    snapping = StrikeLimits(snap_unlisted=True)
    assert strikes.named(chain, known, StrikeLimits(), spot=usd("596")) == known
    assert strikes.named(chain, unknown, StrikeLimits(), spot=usd("596")) is None
    assert strikes.named(chain, unknown, snapping, spot=usd("596")) == known
    assert strikes.named(chain, replace(unknown, strike=usd("900")), snapping, spot=usd("596")) is None
    assert strikes.named(chain, replace(unknown, right=Right.PUT), snapping, spot=usd("596")) is None
