"""Implied volatility of European prices, vectorised: a guess within 1e-4, and one fourth-order step that ends it.

Prices without volatility information answer "unknown", never a guess. Deliberately absent: early exercise; an American
price is inverted as if European once it lies above intrinsic.

Everything is done on the out-of-the-money side of each option in units of sqrt(F K): x = |ln(F/K)|, b = time value,
s = vol sqrt(T). The guess: the normal model inverted and carried over to the log-normal one, after P. Jaeckel, Implied
Normal Volatility (2017) and P. Hagan et al., Managing Smile Risk (2002). The step: Householder's on ln b or on
ln(bound - b), after P. Jaeckel, Let's Be Rational (2013), here divided through by the density, which leaves Mills'
ratios and no exponential.
"""

import math
from typing import NamedTuple

import numpy as np

from oracle.normal import DENSITY_AT_ZERO, Constant, constant, fill_mills
from oracle.pricing import VOL_MAX, Floats, Mask, Terms, columns

STEPS_MAX = 12
"""Steps after the first before a row is given up as unknown; two are enough in the tested range."""

BLOCK = 10_240
"""Rows solved at a time: few enough for the processor's cache, enough to forget what a call to numpy costs."""

VOL_ERROR_MAX = 1e-4
"""A price is information when rounding errors in it move the volatility by less than this fraction of itself."""

LOG_MONEYNESS_MAX = 20.0
"""Convergence is tested up to forwards e**20 times above or below the strike; beyond, every price is unknown."""

_STEP_TOLERANCE = 2e-4
"""The step after one of this relative size would be of the order of its fourth power, which is below rounding."""

_ROUNDING = 4 * float(np.finfo(np.float64).eps)

_ZERO, _HALF, _ONE, _TWO, _SIXTH = (constant(value) for value in (0.0, 0.5, 1.0, 2.0, 1.0 / 6.0))
_LOG_DENSITY = constant(math.log(DENSITY_AT_ZERO))
_FALL_MAX, _RISE_MAX = constant(-0.5), constant(1.0)
_NOISE = constant(_ROUNDING / VOL_ERROR_MAX)
_VALUE_MIN, _DEVIATION_MIN = constant(1e-290), constant(1e-10)
_NEAR_THE_MONEY = constant(1e-6)


def _polynomial(*coefficients: float) -> tuple[Constant, ...]:
    return tuple(constant(one) for one in coefficients)


# Distances |F - K| / s_normal as a function of v: minimax, relative error 4.5e-5 for distances up to 38.
_DISTANCE = (
    _polynomial(0.00854357428, 0.01234062775, 0.04151971619, 0.02999391943, 0.3989607628),
    _polynomial(0.006027400514, 0.009711772928, 0.04847044517, 0.09531841036, 0.07676228225, 1.0),
)
# s/t at the money, 2 sqrt(2) erfinv(t / sqrt(2 pi)) / t, as a function of t**2: minimax, relative error 1.2e-5 up to s = 3.
_WIDENING = (
    _polynomial(0.003923422, -0.160330634, 1.0),
    _polynomial(0.00863906745, -0.201953541, 1.0),
)
_WIDENED_MAX = constant(6.0)
_NARROWING = constant(1.0 / 2880.0)


class _Problem(NamedTuple):
    """Rows in normalised form, `noise` being what rounding may have added to `value`, and `s` the answer so far."""

    x: Floats
    bound: Floats
    value: Floats
    gap: Floats
    noise: Floats
    s: Floats


class _Scratch(NamedTuple):
    """Columns that come and go, named after what they are in a step; z and mills are two columns end to end."""

    e: Floats
    h: Floats
    side: Floats
    change: Floats
    slope: Floats
    z: Floats
    mills: Floats

    @staticmethod
    def empty(count: int) -> "_Scratch":
        return _Scratch(*columns(count, (1, 1, 1, 1, 1, 2, 2)))


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
        part = slice(start, min(start + BLOCK, len(terms)))
        with np.errstate(all="ignore"):
            _fill_block(terms.rows(part), price[part], vols[part], known[part])
    return vols, known


def _fill_block(terms: Terms, price: Floats, vols: Floats, known: Mask) -> None:
    """Solve the rows of one block that can carry information."""
    problem = _Problem(*columns(len(price), (1,) * 6))
    scratch = _Scratch.empty(len(price))
    possible = _normalise(terms, price, problem, scratch)
    _fill_guess(problem, scratch)
    solved = _solve(problem, scratch, possible)

    *_, noise, s = problem
    root, enough, *_ = scratch
    np.multiply(scratch.slope, s, out=enough)
    solved &= noise <= enough
    solved &= s > _DEVIATION_MIN
    np.sqrt(terms.years, out=root)
    np.divide(s, root, out=s)
    solved &= s <= VOL_MAX
    np.copyto(vols, s, where=solved)
    known[:] = solved


def _normalise(terms: Terms, price: Floats, problem: _Problem, scratch: _Scratch) -> Mask:
    """Fill all of the problem but its answer; returns which rows lie between their bounds. The others hold anything."""
    x, bound, value, gap, noise, inner = problem
    unit, leg, ordered = scratch.e, scratch.z, scratch.mills
    count = len(x)
    asset, cash, small, big = leg[:count], leg[count:], ordered[:count], ordered[count:]
    np.multiply(terms.dividend, terms.years, out=asset)
    np.multiply(terms.rate, terms.years, out=cash)
    np.negative(leg, out=leg)
    np.exp(leg, out=leg)
    np.multiply(asset, terms.spot, out=asset)
    np.multiply(cash, terms.strike, out=cash)
    np.subtract(asset, cash, out=inner)
    np.multiply(inner, terms.sign, out=inner)
    np.maximum(inner, _ZERO, out=value)
    np.subtract(price, value, out=value)
    np.minimum(asset, cash, out=small)
    np.maximum(asset, cash, out=big)
    possible: Mask = value < small
    if terms.american.any():
        possible &= ~terms.american | (price > (terms.spot - terms.strike) * terms.sign)

    np.divide(small, big, out=x)
    np.sqrt(x, out=bound)
    np.log(x, out=x)
    np.negative(x, out=x)
    np.divide(bound, small, out=unit)
    np.multiply(value, unit, out=value)
    np.subtract(big, small, out=gap)
    np.multiply(gap, unit, out=gap)
    possible &= value > _VALUE_MIN
    possible &= x <= LOG_MONEYNESS_MAX

    # An in-the-money time value is a difference of large numbers, 1 / bound, and inherits their rounding.
    np.copysign(_HALF, inner, out=noise)
    np.add(noise, _HALF, out=noise)
    np.divide(noise, bound, out=noise)
    np.add(noise, value, out=noise)
    np.multiply(noise, _NOISE, out=noise)
    return possible


def _fill_guess(problem: _Problem, scratch: _Scratch) -> None:
    """The answer to start from; `gap` is used up.

    In the normal model b / |F - K| is a function of the distance |F - K| / s_normal alone, here inverted as a rational
    function of v = sqrt(ln(1 + |F - K| / b)). Then t = s_normal x / |F - K| is s to first order, s/t is known at the
    money, and x enters by way of (t x)**2 / 2880 only. At the money quotients of two vanishing numbers are those at 1e-6.
    """
    x, _, value, gap, _, s = problem
    per_value, v, log, over, under, *_ = scratch
    np.divide(gap, value, out=per_value)
    np.maximum(per_value, _NEAR_THE_MONEY, out=per_value)
    np.add(per_value, _ONE, out=log)
    np.log(log, out=log)
    np.sqrt(log, out=v)
    _fill_polynomial(_DISTANCE[0], v, over)
    _fill_polynomial(_DISTANCE[1], v, under)
    np.multiply(over, log, out=over)

    np.maximum(x, _NEAR_THE_MONEY, out=s)
    np.maximum(gap, _NEAR_THE_MONEY, out=gap)
    np.divide(s, gap, out=s)
    np.multiply(s, value, out=s)
    np.multiply(s, per_value, out=s)
    np.multiply(s, under, out=s)
    np.divide(s, over, out=s)

    square = v
    np.multiply(s, s, out=square)
    np.minimum(square, _WIDENED_MAX, out=square)
    _fill_polynomial(_WIDENING[0], square, over)
    _fill_polynomial(_WIDENING[1], square, under)
    np.multiply(x, s, out=square)
    np.multiply(square, square, out=square)
    np.multiply(square, _NARROWING, out=square)
    np.add(under, square, out=under)
    np.multiply(s, over, out=s)
    np.divide(s, under, out=s)


def _fill_polynomial(coefficients: tuple[Constant, ...], at: Floats, into: Floats) -> None:
    """Horner's rule, the highest power first."""
    highest, *others, last = coefficients
    np.multiply(at, highest, out=into)
    for coefficient in others:
        np.add(into, coefficient, out=into)
        np.multiply(into, at, out=into)
    np.add(into, last, out=into)


def _solve(problem: _Problem, scratch: _Scratch, possible: Mask) -> Mask:
    """Which of the possible rows converged: steps until each row's own step is small enough."""
    _step(problem, scratch)
    solved: Mask = np.abs(scratch.change) <= _STEP_TOLERANCE
    for _ in range(STEPS_MAX):
        rows = np.flatnonzero(possible & ~solved)
        if len(rows) == 0:
            break
        few, its = _Problem(*(column[rows] for column in problem)), _Scratch.empty(len(rows))
        _step(few, its)
        problem.s[rows] = few.s
        scratch.slope[rows] = its.slope
        solved[rows] = np.abs(its.change) <= _STEP_TOLERANCE
    return solved & possible


def _step(problem: _Problem, scratch: _Scratch) -> None:
    """One Householder step of s, halving or doubling it at most; leaves its relative size and the slope of b.

    With e = x/s and h = s/2, b = density x (M(e - h) - M(e + h)) where e > h, and bound - b = density x (M(h - e) + M(h + e))
    elsewhere, so that no tail is a difference from 1; `slope` is both the density there and db/ds.
    """
    x, bound, value, *_, s = problem
    e, h, side, change, slope, z, mills = scratch
    count = len(x)
    near, far, per_slope, other = z[:count], z[count:], mills[:count], mills[count:]
    np.divide(x, s, out=e)
    np.multiply(s, _HALF, out=h)
    np.subtract(h, e, out=near)
    np.add(h, e, out=far)
    np.copysign(_ONE, near, out=side)
    np.absolute(near, out=near)
    fill_mills(z, mills)
    np.multiply(other, side, out=other)
    np.add(per_slope, other, out=per_slope)

    # The target is b or bound - b, and over the sum of the ratios it is the density that would be right.
    target, share = slope, other
    np.multiply(side, value, out=target)
    np.add(side, _ONE, out=share)
    np.multiply(share, _HALF, out=share)
    np.multiply(share, bound, out=share)
    np.subtract(share, target, out=target)
    np.divide(target, per_slope, out=slope)
    _fill_change(scratch, s)
    np.maximum(change, _FALL_MAX, out=change)
    np.minimum(change, _RISE_MAX, out=change)
    np.multiply(s, change, out=h)
    np.add(s, h, out=s)


def _fill_change(scratch: _Scratch, s: Floats) -> None:
    """The relative change of s, from the logarithm of how far the density is off.

    With f = ln(b / target), n = -f/f' / s and L = -f, s f''/f' = c + L/n and s^2 f'''/f' = c^2 - 3 e^2 - h^2 + (L/n)(3 c + 2 L/n),
    where c = e^2 - h^2 = s b''/b'. With y = n c + L the step n (1 + n f''/2f') / (1 + n f''/f' + n^2 f'''/6f') becomes
    n (1 + y/2) / (1 + y + (y (y + L) - n^2 (3 e^2 + h^2)) / 6).
    """
    e, h, side, change, slope, z, mills = scratch
    count = len(s)
    log, newton, squares = z[:count], z[count:], change
    np.log(slope, out=log)
    np.multiply(e, e, out=e)
    np.multiply(h, h, out=h)
    np.add(e, h, out=squares)
    np.multiply(squares, _HALF, out=newton)
    np.add(log, newton, out=log)
    np.subtract(_LOG_DENSITY, log, out=log)
    np.multiply(log, side, out=newton)
    np.multiply(newton, mills[:count], out=newton)
    np.divide(newton, s, out=newton)

    y = h
    np.subtract(e, h, out=y)
    np.multiply(y, newton, out=y)
    np.add(y, log, out=y)
    np.add(log, y, out=log)
    np.multiply(log, y, out=log)
    np.multiply(e, _TWO, out=e)
    np.add(e, squares, out=e)
    np.multiply(e, newton, out=e)
    np.multiply(e, newton, out=e)
    np.subtract(log, e, out=log)
    np.multiply(log, _SIXTH, out=log)
    np.add(log, y, out=log)
    np.add(log, _ONE, out=log)
    np.multiply(y, _HALF, out=y)
    np.add(y, _ONE, out=y)
    np.multiply(y, newton, out=y)
    np.divide(y, log, out=change)
