"""Black-Scholes-Merton values and greeks with a continuous dividend yield, and their quantisation: columns in, columns out.

Deliberately absent: implied volatility (`oracle.implied`), early exercise beyond the clamp at intrinsic, and any notion
of now. Formulas: Haug, The Complete Guide to Option Pricing Formulas, 2nd edition, chapters 1 and 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from oracle.normal import DENSITY_AT_ZERO, constant, fill_mills

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Table = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

DAYS_PER_YEAR = 365
YEAR_NS = DAYS_PER_YEAR * 86_400 * 10**9
EXPIRY_FLOOR_NS = 60 * 10**9
"""Nearer expirations count as one minute away, so that no greek explodes in the last seconds."""

BLOCK = 10_240
"""Rows computed at a time: few enough for the processor's cache, enough to forget what a call to numpy costs."""

UNIT = 1_000_000_000
"""Quantised IV, delta and gamma count 1e-9."""

MICROS = 1_000_000
"""Quantised prices, theta per day, vega and rho count micro-dollars."""

_GREEK_UNITS = np.array([[UNIT], [UNIT], [UNIT], [MICROS / DAYS_PER_YEAR], [MICROS], [MICROS]], np.float64)

VOL_MAX = 1_000.0
"""Volatilities above 100,000 % per year are refused."""

_PRICE_MIN, _PRICE_MAX = 1e-100, 1e100
_YEARS_MAX = 1_000.0
_GROWTH_MAX = 50.0
_DEVIATION_MIN = constant(1e-14)
_SPLITTER = float(2**26 + 1)
"""Times this, the lower 26 of the 53 bits of a number can be told from the upper 27."""
_COLUMN_MAX = 1e30
_QUANTISED = 2_048
"""Rows quantised at a time, six columns of them side by side."""
_INT_MAX = float(2**62)
_ZERO, _HALF, _ONE, _MINUS_HALF = (constant(value) for value in (0.0, 0.5, 1.0, -0.5))
_DENSITY_AT_ZERO = constant(DENSITY_AT_ZERO)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of n options before volatility: columns of shape (n,), float64 and contiguous.

    `spot` and `strike` in dollars, `years` to expiry, `rate` and `dividend` as continuous yields per year (0.05 is 5 %),
    `sign` +1.0 for a call and -1.0 for a put, `american` (bool) for contracts whose value never falls below intrinsic.

    Raises ValueError naming the column that has another shape or type, or a value that is not finite or outside
    spot, strike 1e-100..1e100, years 0..1000, |yield x years| <= 50, sign +-1.
    """

    spot: Floats
    strike: Floats
    years: Floats
    rate: Floats
    dividend: Floats
    sign: Floats
    american: Mask

    def __post_init__(self) -> None:
        """Refuse what could let a NaN out."""
        for name in Terms.__slots__:
            column = getattr(self, name)
            kind = np.bool_ if name == "american" else np.float64
            if column.dtype != kind or column.shape != (len(self.spot),) or not column.flags.c_contiguous:
                raise ValueError(f"{name} must be a contiguous column of {len(self.spot)} {kind.__name__} values")
        _require_range("spot", self.spot, _PRICE_MIN, _PRICE_MAX)
        _require_range("strike", self.strike, _PRICE_MIN, _PRICE_MAX)
        _require_range("years", self.years, 0.0, _YEARS_MAX)
        for name, column in (("rate", self.rate), ("dividend", self.dividend)):
            with np.errstate(over="ignore", invalid="ignore"):
                _require_range(f"{name} x years", column * self.years, -_GROWTH_MAX, _GROWTH_MAX)
            _require_range(name, column, -_PRICE_MAX, _PRICE_MAX)
        if not np.all(np.abs(self.sign) == 1.0):
            raise ValueError("sign must be 1.0 for calls and -1.0 for puts")

    def __len__(self) -> int:
        return len(self.spot)

    def rows(self, part: slice) -> "Terms":
        """Some of the rows, without checking them again."""
        if part == slice(0, len(self)):
            return self
        cut = object.__new__(Terms)
        for name in Terms.__slots__:
            object.__setattr__(cut, name, getattr(self, name)[part])
        return cut


@dataclass(frozen=True, slots=True)
class Values:
    """Price and greeks of n options, columns of shape (n,).

    `price` in dollars, `delta` per dollar, `gamma` per dollar squared, `theta` per year (divide by DAYS_PER_YEAR for one
    calendar day), `vega` per 1.00 of volatility, `rho` per 1.00 of the interest rate.
    """

    price: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats
    rho: Floats

    @staticmethod
    def empty(count: int) -> "Values":
        """Columns to be written to, for callers that value the same chain again and again."""
        return Values(*(np.empty(count) for _ in range(6)))

    def rows(self, part: slice) -> "Values":
        """Views of some of the rows."""
        if part == slice(0, len(self.price)):
            return self
        return Values(*(getattr(self, name)[part] for name in Values.__slots__))


def columns(count: int, widths: tuple[int, ...]) -> Iterator[Floats]:
    """Columns to be written to, so many times as long as `count`, all cut from one piece of memory."""
    memory, ends = np.empty(count * sum(widths)), accumulate(widths, initial=0)
    return (memory[start * count : end * count] for start, end in pairwise(ends))


class _Scratch(NamedTuple):
    """Columns that come and go. Pairs stand end to end: first what goes with the spot, then what with the strike."""

    root: Floats
    deviation: Floats
    density: Floats
    d: Floats
    tail: Floats
    side: Floats
    leg: Floats

    @staticmethod
    def empty(count: int) -> "_Scratch":
        return _Scratch(*columns(count, (1, 1, 1, 2, 2, 2, 2)))

    def sized(self, count: int) -> "_Scratch":
        return self if len(self.root) == count else _Scratch.empty(count)


# -- time -----------------------------------------------------------------------------------------------------------


def time_to_expiry(expiry_ns: Ints, now_ns: Ints | int) -> Floats:
    """Years of 365 days from one or each now to each expiry instant (ns UTC), never less than 60 seconds."""
    years: Floats = np.maximum(expiry_ns - now_ns, EXPIRY_FLOOR_NS) / YEAR_NS
    return years


# -- values ---------------------------------------------------------------------------------------------------------


def price(terms: Terms, vol: Floats) -> Floats:
    """Prices in dollars, never negative; American contracts never below intrinsic.

    At zero time or zero volatility the price is the discounted intrinsic of the forward. Equal rows give equal bits,
    alone or in a batch. Raises ValueError when `vol` is not a column of finite values in 0..1000 as long as `terms`.
    """
    _require_vol(terms, vol)
    prices = np.empty(len(terms))
    scratch = _Scratch.empty(min(len(terms), BLOCK))
    for start in range(0, len(terms), BLOCK):
        part = slice(start, min(start + BLOCK, len(terms)))
        cut = terms.rows(part)
        scratch = scratch.sized(len(cut))
        _fill_legs(cut, vol[part], scratch)
        _fill_price(scratch, prices[part])
        _clamp(cut, prices[part])
    return prices


def price_and_greeks(terms: Terms, vol: Floats, out: Values | None = None) -> Values:
    """Prices and five greeks in one pass, into the columns of `out` when given.

    Where zero time or zero volatility leaves no distribution, gamma and vega are 0 and delta is that of the forward's
    intrinsic. Where an American contract is clamped, the greeks are those of intrinsic: delta +-1, the others 0.
    Raises ValueError when `vol` is not a column of finite values in 0..1000 as long as `terms`.
    """
    _require_vol(terms, vol)
    values = Values.empty(len(terms)) if out is None else out
    scratch = _Scratch.empty(min(len(terms), BLOCK))
    for start in range(0, len(terms), BLOCK):
        part = slice(start, min(start + BLOCK, len(terms)))
        cut, into = terms.rows(part), values.rows(part)
        scratch = scratch.sized(len(cut))
        _fill_legs(cut, vol[part], scratch)
        _fill_price(scratch, into.price)
        _fill_greeks(cut, vol[part], scratch, into)
        clamped = _clamp(cut, into.price)
        if clamped is not None:
            np.copyto(into.delta, cut.sign, where=clamped)
            for column in (into.gamma, into.theta, into.vega, into.rho):
                column[clamped] = 0.0
    return values


def _fill_legs(terms: Terms, vol: Floats, scratch: _Scratch) -> None:
    """The two legs of the price: sign x discounted spot x N(sign d1), and the same of the strike and d2.

    With Z the density and M Mills' ratio, N(-|d|) = Z(d) M(|d|), and discounted spot x Z(d1) = discounted strike x Z(d2),
    which is left in `density`.
    """
    root, deviation, density, d, tail, side, leg = scratch
    count = len(root)
    d1, d2, asset, cash = d[:count], d[count:], leg[:count], leg[count:]
    np.sqrt(terms.years, out=root)
    np.multiply(vol, root, out=deviation)
    np.maximum(deviation, _DEVIATION_MIN, out=deviation)
    np.multiply(terms.dividend, terms.years, out=asset)
    np.multiply(terms.rate, terms.years, out=cash)
    np.divide(terms.spot, terms.strike, out=d1)
    np.log(d1, out=d1)
    np.subtract(d1, asset, out=d1)
    np.add(d1, cash, out=d1)
    np.divide(d1, deviation, out=d1)
    np.multiply(deviation, _HALF, out=d2)
    np.add(d1, d2, out=d1)
    np.subtract(d1, deviation, out=d2)

    np.negative(leg, out=leg)
    np.exp(leg, out=leg)
    np.multiply(asset, terms.spot, out=asset)
    np.multiply(cash, terms.strike, out=cash)

    np.multiply(d1, d1, out=density)
    np.multiply(density, _MINUS_HALF, out=density)
    np.exp(density, out=density)
    np.multiply(density, _DENSITY_AT_ZERO, out=density)
    np.multiply(density, asset, out=density)
    np.copysign(_ONE, d, out=side)
    np.absolute(d, out=d)
    fill_mills(d, tail)
    np.multiply(tail, side, out=tail)
    np.multiply(tail[:count], density, out=tail[:count])
    np.multiply(tail[count:], density, out=tail[count:])

    # sign N(sign d) is sign or 0, as sign and d agree or not, less the tail with the sign of d.
    np.add(side[:count], terms.sign, out=side[:count])
    np.add(side[count:], terms.sign, out=side[count:])
    np.multiply(side, _HALF, out=side)
    np.multiply(leg, side, out=leg)
    np.subtract(leg, tail, out=leg)


def _fill_price(scratch: _Scratch, prices: Floats) -> None:
    count = len(prices)
    np.subtract(scratch.leg[:count], scratch.leg[count:], out=prices)
    np.maximum(prices, _ZERO, out=prices)


def _fill_greeks(terms: Terms, vol: Floats, scratch: _Scratch, values: Values) -> None:
    """The greeks from the legs, which are used up."""
    root, deviation, density, *_, leg = scratch
    count = len(root)
    asset, cash = leg[:count], leg[count:]
    np.divide(asset, terms.spot, out=values.delta)
    np.multiply(cash, terms.years, out=values.rho)
    if deviation.min() <= _DEVIATION_MIN:
        density[deviation <= _DEVIATION_MIN] = 0.0

    np.multiply(density, root, out=values.vega)
    np.divide(density, deviation, out=density)
    np.divide(density, terms.spot, out=values.gamma)
    np.divide(values.gamma, terms.spot, out=values.gamma)

    # theta = q asset - r cash - S^2 sigma^2 gamma / 2, and density holds S^2 gamma.
    np.multiply(density, vol, out=density)
    np.multiply(density, vol, out=density)
    np.multiply(density, _HALF, out=density)
    np.multiply(asset, terms.dividend, out=asset)
    np.multiply(cash, terms.rate, out=cash)
    np.subtract(asset, cash, out=values.theta)
    np.subtract(values.theta, density, out=values.theta)


def _clamp(terms: Terms, prices: Floats) -> Mask | None:
    """Lift American prices to intrinsic; the mask of the lifted rows, None when there are none."""
    if not terms.american.any():
        return None
    intrinsic = (terms.spot - terms.strike) * terms.sign
    clamped: Mask = terms.american & (prices < intrinsic)
    np.copyto(prices, intrinsic, where=clamped)
    return clamped


# -- quantisation ---------------------------------------------------------------------------------------------------


def quantise(column: Floats, unit: float) -> Ints:
    """The nearest integers to `column x unit`, by way of 27 significant bits, a little more than eight decimal digits.

    exp and log differ in their last bit between processors, so that the same quote may price to neighbouring floats.
    The first rounding is exact arithmetic (Dekker 1971, splitting a number) and gives all of them the same number (but
    for one value in about 1e8 that lies on the very edge), and what follows is then equal everywhere. Halves of the
    second go to even; results saturate at 2**62.
    """
    whole: Ints = _quantised(column, unit)
    return whole


def quantise_greeks(values: Values, iv: Floats) -> Table:
    """IV, delta, gamma, theta, vega and rho as rows of integers: the first three in 1e-9, the others in micro-dollars.

    Theta is turned from per year into per day; vega and rho are per 1.00.
    """
    columns = (iv, values.delta, values.gamma, values.theta, values.vega, values.rho)
    whole = np.empty((len(columns), len(iv)), np.int64)
    for start in range(0, len(iv), _QUANTISED):
        part = slice(start, start + _QUANTISED)
        whole[:, part] = _quantised(np.array([column[part] for column in columns]), _GREEK_UNITS)
    return whole


def _quantised(values: np.ndarray[Any, np.dtype[np.float64]], unit: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What `quantise` says, for values of any shape and units that fit it."""
    rounded = np.clip(values, -_COLUMN_MAX, _COLUMN_MAX)
    spread = rounded * _SPLITTER
    np.subtract(spread, rounded, out=rounded)
    np.subtract(spread, rounded, out=rounded)
    np.multiply(rounded, unit, out=rounded)
    np.rint(rounded, out=rounded)
    np.clip(rounded, -_INT_MAX, _INT_MAX, out=rounded)
    whole: np.ndarray[Any, np.dtype[np.int64]] = rounded.astype(np.int64)
    return whole


# -- checks ---------------------------------------------------------------------------------------------------------


def _require_range(name: str, column: Floats, low: float, high: float) -> None:
    """Raise ValueError unless every value is a number from `low` to `high`; NaN is in no range."""
    if len(column) and not (column.min() >= low and column.max() <= high):
        raise ValueError(f"{name} must lie in {low:g}..{high:g} in every row")


def _require_vol(terms: Terms, vol: Floats) -> None:
    if vol.dtype != np.float64 or vol.shape != (len(terms),):
        raise ValueError(f"vol must be a column of {len(terms)} float64 values")
    _require_range("vol", vol, 0.0, VOL_MAX)
