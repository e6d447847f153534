"""The volatility surface: level, skew, curvature, term, and prices that no calendar or strike can be traded against."""

import numpy as np
import pytest

from oracle import pricing
from oracle.market.paths import WEEKDAYS_PER_YEAR
from oracle.market.smile import PREMIUM, Mood, volatility
from oracle.pricing import Floats, Terms

DAY = 1.0 / 365.0


def asked(strikes: Floats, *, days: float, weekdays: float, unrest: float = 0.0) -> tuple[Terms, Mood]:
    """European calls on an index at 6,000, some days before they settle."""
    one = np.ones(len(strikes))
    terms = Terms(6_000.0 * one, strikes, days * DAY * one, 0.04 * one, 0.013 * one, one, one < 0)
    return terms, Mood(0.16 * one, unrest * one, -0.12 * one, weekdays * one)


def vols(strikes: list[float], *, days: float = 28.0, weekdays: float = 20.0, unrest: float = 0.0) -> list[float]:
    """The volatility at some strikes."""
    terms, mood = asked(np.array(strikes), days=days, weekdays=weekdays, unrest=unrest)
    return volatility(terms, mood)[0].tolist()


def test_the_money_is_quoted_a_little_above_what_is_expected() -> None:
    """Per weekday still to come, whatever the calendar says of the time between."""
    for days, weekdays in ((7.0, 5.0), (28.0, 20.0), (3.0, 1.0), (0.2, 0.7)):
        expected = 0.16 * np.sqrt(weekdays / WEEKDAYS_PER_YEAR / (days * DAY))
        assert vols([6_000.0], days=days, weekdays=weekdays)[0] == pytest.approx(PREMIUM * expected, rel=0.02)


def test_puts_below_the_money_cost_more_than_calls_above_it() -> None:
    """The skew: volatility falls towards the money, and more slowly or not at all beyond it."""
    below, near, at, above = vols([5_400.0, 5_700.0, 6_000.0, 6_300.0])
    assert below > near > at
    assert below > above
    assert near - at > 0.01


def test_both_wings_rise() -> None:
    """The curvature, stronger for the nearer expiration at the same distance in deviations."""
    month = vols([5_000.0, 6_000.0, 6_650.0, 9_000.0])
    assert month[0] > month[1] > month[2] < month[3]
    strikes = [6_000.0 * (strike / 6_000.0) ** 0.5 for strike in (5_000.0, 6_000.0, 9_000.0)]
    week = vols(strikes, days=7, weekdays=5)
    assert week[0] / week[1] > month[0] / month[1]
    assert week[2] / week[1] > month[3] / month[1]


def test_unrest_lifts_the_near_more_than_the_far() -> None:
    """A wild day is not expected to last half a year."""
    near = vols([6_000.0], days=7, weekdays=5, unrest=0.5)[0] / vols([6_000.0], days=7, weekdays=5)[0]
    far = vols([6_000.0], days=182, weekdays=130, unrest=0.5)[0] / vols([6_000.0], days=182, weekdays=130)[0]
    assert 1.5 < near < 1.65
    assert 1.0 < far < 1.1


def test_distance_counts_deviations_from_the_forward() -> None:
    """Zero at the forward, about one where a deviation ends."""
    terms, mood = asked(6_000.0 * np.exp([0.027 * 28 * DAY, 0.16 * PREMIUM * np.sqrt(20 / 261)]), days=28, weekdays=20)
    distance = volatility(terms, mood)[1]
    assert distance[0] == pytest.approx(0.0, abs=1e-9)
    assert distance[1] == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("days", "weekdays"), [(1 / 1_440, 0.0), (0.1, 0.4), (1, 1), (7, 5), (45, 32), (182, 130)])
@pytest.mark.parametrize("unrest", [-1.2, 0.0, 1.2])
def test_no_strike_can_be_traded_against_another(days: float, weekdays: float, unrest: float) -> None:
    """Calls fall and are convex in the strike, from a quarter of the price to four times it."""
    strikes = np.arange(1_500.0, 24_000.0, 5.0)
    terms, mood = asked(strikes, days=days, weekdays=weekdays, unrest=unrest)
    vol, _ = volatility(terms, mood)
    assert vol.min() > 0.0
    assert vol.max() < 5.0
    price = pricing.price_and_greeks(terms, vol).price
    assert np.diff(price).max() < 1e-6
    assert np.diff(price, 2).min() > -1e-4


def test_a_later_expiration_costs_more() -> None:
    """Total variance grows with time, at every strike near the money."""
    strikes = np.arange(5_500.0, 6_500.0, 25.0)
    dates = ((0.5, 0.6), (1.0, 1.0), (3.0, 1.5), (4.0, 2.0), (7.0, 5.0), (28.0, 20.0), (91.0, 65.0), (182.0, 130.0))
    for unrest in (-0.6, 0.0, 0.6):
        prices = []
        for days, weekdays in dates:
            terms, mood = asked(strikes, days=days, weekdays=weekdays, unrest=unrest)
            prices.append(pricing.price_and_greeks(terms, volatility(terms, mood)[0]).price)
        assert np.diff(np.array(prices), axis=0).min() > 0.0


def test_the_last_seconds_are_priced_too() -> None:
    """No variance left is a little variance, never none."""
    assert 0.0 < vols([6_000.0], days=1 / 1_440, weekdays=0.0)[0] < 1.0
