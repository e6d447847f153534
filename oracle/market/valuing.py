"""Quotes to implied volatility and greeks, priced from the mid and quantised. What a contract is, is read once per feed.

Deliberately absent: which quotes are worth it (`oracle.observe`).
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from oracle import pricing
from oracle.implied import implied_vol
from oracle.market.port import Carry, Ints
from oracle.pricing import Floats, Mask, Terms
from state import contract as contracts
from state.calendar import Calendar
from state.contract import Right
from state.market import ASK_PRESENT, FED, GREEKS_KNOWN, QUOTE, Table
from state.money import MICROS_PER_USD

IV_STEPS = 1_000_000
"""IV counts in millionths, below what a quote can mean, and greeks follow from the rounded IV.

Processors differ in the last bit of exponentials and logarithms. Such bits, thrown in by chance, changed greeks of 16
among 39,000 American quotes of a recorded chain, those priced within a bit of intrinsic; with rounded IV, of none.
"""

Column = TypeVar("Column", bound=np.ndarray[tuple[int], Any])

_BID, _ASK, _FLAGS = QUOTE.index("bid"), QUOTE.index("ask"), QUOTE.index("flags")


class Catalogue:
    """The contracts of one feed as columns, by the code it gives them. It follows from symbols, calendar and yields.

    `underlying` numbers `underlyings`; `expiry` is an instant (ns UTC), 0 outside the calendar.
    """

    def __init__(self, calendar: Calendar, carry: Carry) -> None:
        self.calendar = calendar
        self.underlyings: dict[str, int] = {}
        self.underlying: Ints = np.zeros(0, np.int64)
        self.expiry: Ints = np.zeros(0, np.int64)
        self._carry = carry
        self._strike: Floats = np.zeros(0)
        self._sign: Floats = np.zeros(0)
        self._dividend: Floats = np.zeros(0)
        self._american: Mask = np.zeros(0, np.bool_)

    def read(self, symbols: Sequence[str]) -> None:
        """Read the symbols that joined a feed's list since the last time."""
        known = len(self.expiry)
        if known == len(symbols):
            return
        new = [contracts.parse(occ) for occ in symbols[known:]]
        for one in new:
            self.underlyings.setdefault(one.underlying, len(self.underlyings))
        self.underlying = _with(self.underlying, [self.underlyings[one.underlying] for one in new])
        self.expiry = _with(self.expiry, [self.calendar.expiry_instant(one) or 0 for one in new])
        self._strike = _with(self._strike, [one.strike / MICROS_PER_USD for one in new])
        self._sign = _with(self._sign, [1.0 if one.right is Right.CALL else -1.0 for one in new])
        self._dividend = _with(self._dividend, [self._carry.dividend(one.underlying) for one in new])
        self._american = _with(self._american, [not one.european for one in new])

    def complete(self, quotes: Table, codes: Ints, spot: Ints, now: Ints | int) -> None:
        """Write IV and greeks into quotes of which the first FED values were fed, in the units of `state.market`.

        `codes` name the contracts, `spot` is the price of each underlying in micro-dollars (0 when unknown), `now` the
        instant or instants (ns UTC) at which the quotes were first seen. Where there is no mid, or it says nothing of
        volatility, all are zero and the flag GREEKS_KNOWN is not set. Equal rows give equal values, alone or among others.
        """
        expiry = self.expiry[codes]
        bid, ask = quotes[:, _BID], quotes[:, _ASK]
        usable = (spot > 0) & (expiry > 0) & ((quotes[:, _FLAGS] & ASK_PRESENT) != 0) & (ask > 0) & (bid <= ask)
        terms = Terms(
            spot=np.where(usable, spot / MICROS_PER_USD, 1.0),
            strike=self._strike[codes],
            years=np.where(usable, pricing.time_to_expiry(expiry, now), 1.0),
            rate=np.full(len(codes), self._carry.rate),
            dividend=self._dividend[codes],
            sign=self._sign[codes],
            american=self._american[codes],
        )
        vol, informed = implied_vol(terms, (bid + ask) / (2.0 * MICROS_PER_USD))
        vol = np.rint(vol * IV_STEPS) / IV_STEPS
        known = usable & informed & (vol > 0.0)
        greeks = pricing.quantise_greeks(pricing.price_and_greeks(terms, vol), vol)
        flags = quotes[:, _FLAGS]
        np.bitwise_or(flags & ~GREEKS_KNOWN, known * GREEKS_KNOWN, out=flags)
        np.multiply(greeks.T, known[:, np.newaxis], out=quotes[:, FED:])


def _with(column: Column, values: list[Any]) -> Column:
    """A column with values behind it."""
    longer: Column = np.concatenate([column, np.array(values, column.dtype)])  # type: ignore[assignment]
    return longer
