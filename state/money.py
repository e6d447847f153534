"""Integer micro-dollars and the one rounding rule. Decimal appears only where text is read or written."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Annotated, NewType

import msgspec

Micros = NewType("Micros", int)
"""An amount or a price per share in 1e-6 US dollars."""

MICROS_PER_USD = 1_000_000
MULTIPLIER = 100
"""Shares per contract. Contracts with another multiplier are refused when their symbol is read."""

BASIS_POINTS = 10_000
"""Percentages in settings and verdicts are integers in 1/100 of a percent."""

Usd = Annotated[int, msgspec.Meta(ge=0, extra={"unit": "usd"})]
"""A setting written in dollars and kept in micro-dollars."""

Pct = Annotated[int, msgspec.Meta(ge=0, extra={"unit": "pct"})]
"""A setting written in percent and kept in basis points."""

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A setting that counts something: contracts, days, seconds."""

_DIGITS_MAX = 24
_WHOLE_DIGITS_MAX = 12
_DECIMALS = 6


def parse(text: str) -> Micros:
    """Read a decimal number of dollars exactly, e.g. `"3.5904"` -> 3_590_400.

    Raises ValueError when the text is no finite number, is longer than 24 characters or has more than six decimals.
    """
    if len(text) > _DIGITS_MAX:
        raise ValueError(f"{text[:_DIGITS_MAX]}... has too many digits for an amount of dollars")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number of dollars") from None
    if not amount.is_finite() or (amount and amount.adjusted() >= _WHOLE_DIGITS_MAX):
        raise ValueError(f"{text!r} is not a usable number of dollars")
    if amount and amount.adjusted() < -_DECIMALS:
        raise ValueError(f"{text!r} has more than six decimals")
    scaled = amount * MICROS_PER_USD
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{text!r} has more than six decimals")
    return Micros(whole)


def from_decimal(amount: Decimal) -> Micros:
    """Quantise a decimal number of dollars to micro-dollars, halves to even: the one rounding rule."""
    return Micros(int((amount * MICROS_PER_USD).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)))


def to_decimal(amount: int) -> Decimal:
    """The exact decimal number of dollars."""
    return Decimal(amount).scaleb(-6)


def text(amount: int, places: int = 2) -> str:
    """Print dollars with thousands separators; `places` is a minimum: digits that are not zero are never hidden."""
    exact = to_decimal(amount).normalize()
    exponent = exact.as_tuple().exponent
    shown = max(places, -exponent if isinstance(exponent, int) else 0)
    return f"{exact:,.{shown}f}"


def notional(price: int, quantity: int) -> Micros:
    """Dollars for `quantity` contracts at a premium per share of `price`."""
    return Micros(price * quantity * MULTIPLIER)


def share(amount: int, part: int, whole: int) -> Micros:
    """The share `part/whole` of an amount, halves to even, so that a last share of `whole/whole` takes exactly the rest."""
    quotient, remainder = divmod(amount * part, whole)
    if remainder * 2 > whole or (remainder * 2 == whole and quotient % 2):
        quotient += 1
    return Micros(quotient)


def ratio_bp(part: int, whole: int) -> int:
    """`part/whole` in basis points, rounded towards zero; 0 when the whole is 0."""
    if whole == 0:
        return 0
    bp = abs(part) * BASIS_POINTS // abs(whole)
    return bp if (part < 0) == (whole < 0) else -bp
