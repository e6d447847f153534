"""The market-data port: what a feed is asked and what it answers, before anything is priced.

Deliberately absent: waiting. A feed that has to wait for a network gathers outside, and answers from what it has gathered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from rules.wants import Plan
from state.calendar import Calendar
from state.market import SettlementPrint, Spot, Table

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


class Carry(msgspec.Struct, frozen=True):
    """What holding costs, as continuous yields per year (0.04 is 4 %): the interest rate, and dividends by symbol."""

    rate: float = 0.0
    dividends: dict[str, float] = {}

    def dividend(self, symbol: str) -> float:
        """The dividend yield of an underlying; 0 where none is given."""
        return self.dividends.get(symbol, 0.0)


@dataclass(frozen=True, slots=True)
class RawQuotes:
    """What a feed knows of a plan: spots, settlement prints, and one quote per contract.

    `codes` (shape (n,)) are places in the feed's `symbols`, each at most once; `quotes` (shape (n, values)) are rows of
    `state.market.QUOTE`, of which a feed tells the first FED. Prices are micro-dollars per share; a missing bid is 0. The flags
    are ASK_PRESENT and SIZES_KNOWN; without them the ask, or both sizes, are 0. `missed` names what could not be had in time.

    A feed that knows what comes next may price many quotes at once: then the rows are whole, and `spots_valued` (shape
    (n,)) is the price of each underlying, at the quote's own instant, at which `oracle.market.valuing` valued it.
    """

    source: str
    spots: tuple[Spot, ...]
    settlements: tuple[SettlementPrint, ...]
    codes: Ints
    quotes: Table
    missed: tuple[str, ...] = ()
    spots_valued: Ints | None = None


class Feed(Protocol):
    """Where quotes come from. What is wanted and not known is absent from the answer."""

    @property
    def carry(self) -> Carry:
        """The yields that quotes of this feed are priced with."""
        ...

    @property
    def symbols(self) -> Sequence[str]:
        """OCC symbols of all contracts that were ever answered, as `Contract.occ` writes them; it only grows."""
        ...

    def next_instant(self, after: int) -> int | None:
        """The next instant after one (ns UTC) at which something may become known; None when nothing ever will."""
        ...

    def observe(self, plan: Plan, now: int, *, calendar: Calendar) -> RawQuotes:
        """The newest of everything planned that was known at `now` (ns UTC); every `at` in it is <= now."""
        ...
