"""The volatility at which the simulated market quotes an option: level, term, skew and curvature.

The level follows the variance that the simulated underlying has still to come, counted in weekdays, so that neither the
night nor the last hour before an expiration is a gift; over it lies a small premium, as in real markets. Deliberately
absent: prices (`oracle.pricing`) and spreads.
"""

from typing import NamedTuple

import numpy as np

from oracle.market.paths import WEEKDAYS_PER_YEAR
from oracle.pricing import Floats, Terms

PREMIUM = 1.06
"""Implied over expected volatility."""

_DAYS_MIN = 0.002
_CALM_AFTER_YEARS = 0.2
_LONG_RISE = 0.08
_CURVE, _SHORT_CURVE, _SHORT_YEARS = 0.02, 0.03, 0.05
_WING_DEVIATIONS = 6.0


class Mood(NamedTuple):
    """What volatility follows from, one value per option: `usual` and `unrest` of its underlying, `skew`, `days` left.

    `usual` is per year, `unrest` the log of today's level against it, `skew` the slope per standard deviation, `days`
    the variance until it settles, in weekdays.
    """

    usual: Floats
    unrest: Floats
    skew: Floats
    days: Floats


def volatility(terms: Terms, mood: Mood) -> tuple[Floats, Floats]:
    """(volatility per year, distance of the strike from the forward in standard deviations) of each option."""
    # Unrest is forgotten with time, and who sells far ahead wants a little more.
    level = mood.usual * np.exp(mood.unrest * np.exp(-terms.years / _CALM_AFTER_YEARS))
    level *= PREMIUM + _LONG_RISE * -np.expm1(-terms.years)
    deviation = level * np.sqrt(np.maximum(mood.days, _DAYS_MIN) / WEEKDAYS_PER_YEAR)
    growth = (terms.rate - terms.dividend) * terms.years
    distance = (np.log(terms.strike / terms.spot) - growth) / deviation
    # Far out the smile flattens, as no deviation is worth an endless volatility.
    near = distance / np.sqrt(1.0 + (distance / _WING_DEVIATIONS) ** 2)
    curve = _CURVE + _SHORT_CURVE * np.exp(-terms.years / _SHORT_YEARS)
    vol: Floats = deviation / np.sqrt(terms.years) * (1.0 + mood.skew * near + curve * near * near)
    return vol, distance
