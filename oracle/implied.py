"""Implied volatility of European prices, vectorised, by fourth-order Householder steps from a normal-model guess.

Prices without volatility information answer "unknown", never a guess. Deliberately absent: early exercise; an American
price is inverted as if European once it lies above intrinsic.

Everything is done on the out-of-the-money side of each option in units of sqrt(F K): x = |ln(F/K)|, b = time value,
s = vol sqrt(T). First guess: P. Jaeckel, Implied Normal Volatility (2017), carried over to the log-normal model. Steps:
P. Jaeckel, Let's Be Rational (2013), on ln b below half of its bound and on -ln(bound - b) above.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from oracle.pricing import VOL_MAX, Floats, Ints, Mask, Terms

STEPS_MAX = 12
"""Steps after the first before a row is given up as unknown; two are enough in the tested range."""

BLOCK = 2_048
"""Rows solved at a time, few enough for the columns that come and go to stay in the processor's cache."""

VOL_ERROR_MAX = 1e-4
"""A price is information when rounding errors in it move the volatility by less than this fraction of itself."""

LOG_MONEYNESS_MAX = 20.0
"""Convergence is tested up to forwards e**20 times above or below the strike; beyond, every price is unknown."""

_STEP_TOLERANCE = 2e-4
"""The step after one of this relative size would be of the order of its fourth power, which is below rounding."""

_ROUNDING = 4 * float(np.finfo(np.float64).eps)
_VALUE_MIN = 1e-290
_GAP_MIN = 1e-30
_RATIO_MIN = math.exp(-LOG_MONEYNESS_MAX)
_NEAR_THE_MONEY = 1e-6
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_FAR_OUT = 0.001882039271


class _Problem(NamedTuple):
    """One block in normalised form; `side` is -1 where ln b is matched to ln target, +1 where the rest to the bound is."""

    x: Floats
    bound: Floats
    side: Floats
    target: Floats

    def rows(self, part: Ints) -> "_Problem":
        return _Problem(*(column[part] for column in self))


def implied_vol(terms: Terms, price: Floats) -> tuple[Floats, Mask]:
    """(volatility, known): the volatility at which the European formula gives each price, 0.0 where it is unknown.

    Unknown are prices that are not finite, at or below the discounted intrinsic, at or above the bound of any
    volatility, of no time left, at or below plain intrinsic for American contracts, those so near a bound that
    rounding alone decides, and whatever leaves LOG_MONEYNESS_MAX or VOL_MAX. Equal rows give equal bits, alone or in a
    batch.
    Raises ValueError when `price` is not a float64 column as long as `terms`.
    """
    if price.dtype != np.float64 or price.shape != (len(terms),):
        raise ValueError(f"price must be a column of {len(terms)} float64 values")
    vols, known = np.zeros(len(terms)), np.zeros(len(terms), np.bool_)
    for start in range(0, len(terms), BLOCK):
        part = slice(start, start + BLOCK)
        with np.errstate(all="ignore"):
            _fill_block(terms.rows(part), price[part], vols[part], known[part])
    return vols, known


def _fill_block(terms: Terms, price: Floats, vols: Floats, known: Mask) -> None:
    """Solve the rows of one block that can carry information."""
    asset = np.exp(-terms.dividend * terms.years) * terms.spot
    cash = np.exp(-terms.rate * terms.years) * terms.strike
    inner = (asset - cash) * terms.sign
    value = price - np.maximum(inner, 0.0)
    small, big = np.minimum(asset, cash), np.maximum(asset, cash)
    possible = (value > 0.0) & (value < small) & (terms.years > 0.0) & (small > big * _RATIO_MIN)
    possible &= ~terms.american | (price > (terms.spot - terms.strike) * terms.sign)
    rows = np.flatnonzero(possible)
    if len(rows) == 0:
        return
    if len(rows) < len(price):
        value, small, big, inner = value[rows], small[rows], big[rows], inner[rows]

    ratio = small / big
    bound = np.sqrt(ratio)
    scaled = value * bound / small
    x = -np.log(ratio)
    upper = scaled > 0.5 * bound
    problem = _Problem(x, bound, np.where(upper, 1.0, -1.0), np.where(upper, bound - scaled, scaled))
    deviation, slope, solved = _solve(problem, _guess(x, scaled, (big - small) * bound / small))

    # An in-the-money time value is a difference of large numbers and inherits their rounding.
    rounding = _ROUNDING * np.where(inner > 0.0, scaled + 1.0 / bound, scaled)
    solved &= (scaled > _VALUE_MIN) & (rounding <= VOL_ERROR_MAX * slope * deviation)
    found = deviation / np.sqrt(terms.years[rows])
    solved &= found <= VOL_MAX
    vols[rows] = np.where(solved, found, 0.0)
    known[rows] = solved


def _guess(x: Floats, scaled: Floats, gap: Floats) -> Floats:
    """The deviation s to start from: the normal model's, then the at-the-money relation of the two models.

    The coefficients are those of Jaeckel (2017), and were checked to 3e-4 against the normal model; `gap` is |F - K| in units of sqrt(F K).
    """
    gap = np.maximum(gap, _GAP_MIN)
    ratio = scaled / gap
    g = -1.0 / (ratio + 0.5)
    y = g * g
    xi = 0.032114372355 - y * (0.016969777977 - y * (2.6207332461e-3 - y * 9.6066952861e-5))
    xi /= 1.0 - y * (0.6635646938 - y * (0.14528712196 - y * 0.010472855461))
    distance = -g * (1.0 / _SQRT_2PI + xi * y)
    far = np.flatnonzero(ratio <= _FAR_OUT)
    if len(far):
        h = np.sqrt(-np.log(ratio[far]))
        numerator = h * (9.6320903635 - h * (0.58556997323 + h * 2.1464093351)) - 9.4883409779
        distance[far] = numerator / (1.0 - h * (0.65174820867 + h * (1.5120247828 + h * 6.6437847132e-5)))
    # x/gap is 1 near the money, where the rounding errors of the two would make it anything.
    log_per_gap = np.divide(x, gap, out=np.ones_like(x), where=gap > _NEAR_THE_MONEY)
    t = gap / distance * log_per_gap
    u = t * t
    # The series of 2 sqrt(2) erfinv(t / sqrt(2 pi)): exact at the money, where b = erf(s / sqrt 8).
    start: Floats = t * (1.0 + u * (1.0 / 24.0 + u * (7.0 / 1920.0 + u * (127.0 / 322560.0))))
    return start


def _solve(problem: _Problem, deviation: Floats) -> tuple[Floats, Floats, Mask]:
    """(deviation, slope of b there, converged): steps until each row's own step is small enough."""
    change, slope = _step(problem, deviation)
    deviation = deviation + change
    solved: Mask = np.abs(change) <= _STEP_TOLERANCE * deviation
    for _ in range(STEPS_MAX):
        rows = np.flatnonzero(~solved)
        if len(rows) == 0:
            break
        change, slope[rows] = _step(problem.rows(rows), deviation[rows])
        deviation[rows] += change
        solved[rows] = np.abs(change) <= _STEP_TOLERANCE * deviation[rows]
    return deviation, slope, solved


def _step(problem: _Problem, s: Floats) -> tuple[Floats, Floats]:
    """(change of s, slope of b at s): one Householder step, halving or doubling s at most."""
    x, bound, side, target = problem
    e, h = x / s, 0.5 * s
    # b on the lower side, bound - b on the upper: both as sums of tails, so that neither loses digits.
    rest = bound * ndtr(side * (e - h)) + side * ndtr(-(e + h)) / bound
    slope = np.exp(-0.5 * (e * e + h * h)) / _SQRT_2PI
    per_slope = rest / slope
    newton = side * np.log(rest / target) * per_slope
    k = side / per_slope
    curve = e * e / s - 0.25 * s
    bend = curve * curve - 3.0 * (e / s) ** 2 - 0.25
    h2 = curve + k
    h3 = bend + k * (3.0 * curve + 2.0 * k)
    change = newton * (1.0 + 0.5 * newton * h2) / (1.0 + newton * (h2 + newton * h3 / 6.0))
    return np.clip(change, -0.5 * s, s), slope
