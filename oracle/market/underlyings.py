"""What the simulated market is made of: the level, volatility, dividends and strikes of each underlying.

Well-known symbols stand in a table; every other one gets figures that follow from its letters. Deliberately absent:
how any of it moves (`oracle.market.paths`).
"""

import re
from hashlib import blake2b
from typing import NamedTuple

from state.contract import ROOTS_OF_INDEX
from state.money import MICROS_PER_USD


class Underlying(NamedTuple):
    """`start` and the distance of its strikes (`step`) in micro-dollars; `volatility` and `dividend` per year.

    `together` is the correlation with the market as a whole. `skew` is the slope of the smile per standard deviation,
    `width` the bid-ask spread of an option at the money as a share of its price. `roots` are those of its options.
    """

    symbol: str
    start: int
    step: int
    volatility: float
    together: float
    dividend: float
    skew: float
    width: float
    roots: tuple[str, ...]


_KNOWN: dict[str, tuple[int, float, float, float]] = {
    # dollars at the start, volatility, correlation with the market, dividend yield
    "SPX": (6_000, 0.16, 1.0, 0.013),
    "SPY": (600, 0.16, 1.0, 0.013),
    "XSP": (600, 0.16, 1.0, 0.013),
    "NDX": (21_500, 0.21, 0.93, 0.007),
    "QQQ": (520, 0.21, 0.93, 0.007),
    "RUT": (2_200, 0.22, 0.85, 0.012),
    "IWM": (220, 0.22, 0.85, 0.012),
    "DIA": (440, 0.15, 0.92, 0.016),
    "VIX": (18, 0.90, -0.75, 0.0),
    "AAPL": (230, 0.28, 0.65, 0.004),
    "AMD": (140, 0.50, 0.58, 0.0),
    "AMZN": (210, 0.32, 0.65, 0.0),
    "GOOG": (180, 0.30, 0.62, 0.005),
    "GOOGL": (180, 0.30, 0.62, 0.005),
    "META": (580, 0.35, 0.60, 0.003),
    "MSFT": (430, 0.25, 0.68, 0.007),
    "NFLX": (900, 0.36, 0.50, 0.0),
    "NVDA": (140, 0.48, 0.60, 0.0),
    "TSLA": (330, 0.58, 0.50, 0.0),
}
DIVIDENDS = {symbol: dividend for symbol, (_, _, _, dividend) in _KNOWN.items()}
"""The dividend yields of the table; every other underlying pays nothing."""

_INDICES = (*ROOTS_OF_INDEX, "XSP")
_BROAD = (*_INDICES, "SPY", "QQQ", "IWM", "DIA")
_STEPS_USD = {"SPX": 5.0, "RUT": 5.0, "NDX": 25.0, "XSP": 1.0, "SPY": 1.0, "QQQ": 1.0, "IWM": 1.0, "DIA": 1.0}
_WITHOUT_OPTIONS = ("VIX",)
"""VIX options settle on Wednesdays and follow a future that is not simulated."""

_SHAPE = re.compile(r"[A-Z]{1,6}")
_ROOTS_ONLY = frozenset(root for index, roots in ROOTS_OF_INDEX.items() for root in roots if root != index)
_FIRST_USD, _LAST_USD = 20, 400


def underlying(symbol: str) -> Underlying | None:
    """The underlying of a symbol; None unless it is one to six letters that name no mere option root such as SPXW."""
    if not _SHAPE.fullmatch(symbol) or symbol in _ROOTS_ONLY:
        return None
    usd, volatility, together, dividend = _KNOWN.get(symbol) or _unknown(symbol)
    broad = symbol in _BROAD
    return Underlying(
        symbol=symbol,
        start=usd * MICROS_PER_USD,
        step=round((_STEPS_USD.get(symbol) or _step_usd(usd)) * MICROS_PER_USD),
        volatility=volatility,
        together=together,
        dividend=dividend,
        skew=-0.12 if broad else -0.05,
        width=0.01 if broad else 0.02 if symbol in _KNOWN else 0.05,
        roots=() if symbol in _WITHOUT_OPTIONS else ROOTS_OF_INDEX.get(symbol, (symbol,)),
    )


def _unknown(symbol: str) -> tuple[int, float, float, float]:
    """A row for a symbol outside the table: 20 to 400 dollars, volatility 0.25 to 0.55, correlation 0.3 to 0.7."""
    price, volatility, together, *_ = blake2b(symbol.encode(), digest_size=8).digest()
    usd = _FIRST_USD + price * (_LAST_USD - _FIRST_USD) // 255
    return usd, 0.25 + 0.30 * volatility / 255, 0.3 + 0.4 * together / 255, 0.0


def _step_usd(usd: int) -> float:
    """The distance of strikes that suits a price, as exchanges choose it."""
    if usd < 40:
        return 0.5
    if usd < 100:
        return 1.0
    return 2.5 if usd < 250 else 5.0
