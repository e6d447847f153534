"""The latest view of the market: underlying prices and option quotes as integer columns, folded from ticks.

Marks are computed here and nowhere else. Nothing is fetched or priced in this file: IV and greeks arrive as data.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import msgspec
import numpy as np

from state import contract as contracts
from state.contract import Contract
from state.errors import LawBroken

ASK_PRESENT = 1
GREEKS_KNOWN = 2
SIZES_KNOWN = 4

UNIT = 1_000_000_000
"""IV, delta and gamma travel as integers in 1e-9; theta (per day), vega (per 1.00) and rho (per 1.00) in micro-dollars."""

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Table = np.ndarray[tuple[int, int], np.dtype[np.int64]]

QUOTE = ("at", "bid", "ask", "bid_size", "ask_size", "flags", "iv", "delta", "gamma", "theta", "vega", "rho")
"""The values of one quote in the order in which they travel and are kept: one row of little-endian int64."""

FED = 6
"""So many of them a feed tells; the others are priced."""

_PLACE = {name: place for place, name in enumerate(QUOTE)}
_ROW, _VALUE = np.dtype("<u4"), np.dtype("<i8")
QUOTE_BYTES = _VALUE.itemsize * len(QUOTE)
_WHOLE = np.dtype(f"V{QUOTE_BYTES}")
_AT, _BID, _ASK, _FLAGS = _PLACE["at"], _PLACE["bid"], _PLACE["ask"], _PLACE["flags"]


def rows_of(*fed: Ints) -> Table:
    """Rows of `QUOTE` from the columns that a feed tells, nothing priced yet."""
    table = np.zeros((len(fed[0]), len(QUOTE)), np.int64)
    for place, column in enumerate(fed):
        table[:, place] = column
    return table


class Spot(msgspec.Struct, frozen=True, array_like=True):
    """An underlying's price in micro-dollars; `at` is when it was true out there (a bar's end)."""

    symbol: str
    price: int
    at: int


class SettlementPrint(msgspec.Struct, frozen=True, array_like=True):
    """The official settlement value of an underlying for one expiration date; `opening` tells AM from PM prints."""

    symbol: str
    day: date
    opening: bool
    price: int
    at: int


class MarketColumns(msgspec.Struct, frozen=True, array_like=True):
    """What one tick observed: only what changed, as little-endian integers over rows of the contract table.

    `listed` are OCC symbols appended to the table, before `rows` (int32 indices into it) is read. `quotes` holds one
    row of `QUOTE` for each of them.
    """

    source: str
    spots: tuple[Spot, ...] = ()
    settlements: tuple[SettlementPrint, ...] = ()
    listed: tuple[str, ...] = ()
    rows: bytes = b""
    quotes: bytes = b""

    def table(self) -> Table:
        """The quotes as a table of shape (rows, values). Raises LawBroken when they are no whole rows."""
        count, odd = divmod(len(self.rows), _ROW.itemsize)
        if odd or len(self.quotes) != count * QUOTE_BYTES:
            raise LawBroken(f"a tick holds {len(self.quotes)} bytes of quotes for {len(self.rows)} bytes of rows")
        return np.ndarray((count, len(QUOTE)), _VALUE, self.quotes)


class Quote(msgspec.Struct, frozen=True):
    """One option quote as a rule sees it. A missing bid is 0, a missing ask is None; neither gives a mark."""

    contract: Contract
    at: int
    bid: int
    ask: int | None
    bid_size: int | None
    ask_size: int | None

    @property
    def mark(self) -> int | None:
        """The mid when 0 < bid <= ask, else None: without a bid, without an ask or crossed it values nothing."""
        if self.ask is None or not 0 < self.bid <= self.ask:
            return None
        return (self.bid + self.ask) // 2


class Sides(NamedTuple):
    """Both sides of some quotes as columns, by which they are marked."""

    bid: Ints
    ask: Ints
    asked: Mask
    at: Ints

    @classmethod
    def of(cls, quotes: Table) -> "Sides":
        """The sides of quotes in the order of `QUOTE`."""
        return cls(quotes[:, _BID], quotes[:, _ASK], (quotes[:, _FLAGS] & ASK_PRESENT) != 0, quotes[:, _AT])

    @property
    def marked(self) -> Mask:
        """Which have a mark, by the rule of `Quote.mark`."""
        marked: Mask = self.asked & (self.bid > 0) & (self.bid <= self.ask)
        return marked

    @property
    def mark(self) -> Ints:
        """The mid, for those that have a mark."""
        return (self.bid + self.ask) // 2

    @property
    def offered(self) -> Mask:
        """Which nobody bids for: a contract is worth no more than it is offered at."""
        offered: Mask = self.asked & (self.bid == 0)
        return offered


class MarketState(msgspec.Struct, frozen=True, array_like=True):
    """A market view as it stands in a snapshot."""

    source: str
    spots: tuple[Spot, ...]
    settlements: tuple[SettlementPrint, ...]
    listed: tuple[str, ...]
    quotes: bytes


class MarketView:
    """The newest spot, settlement and quote of everything ever observed and not yet retired."""

    def __init__(self) -> None:
        self.source = "none"
        self.spots: dict[str, Spot] = {}
        self.settlements: dict[tuple[str, date, bool], SettlementPrint] = {}
        self.contracts: list[Contract] = []
        self.rows: dict[str, int] = {}
        self.chains: dict[str, list[int]] = {}
        self.renumbered = 0
        self._lay(np.zeros((64, len(QUOTE)), _VALUE))

    @property
    def table(self) -> Table:
        """The newest quote of every row of the contract table, zeros where there was none yet; not to be written to."""
        return self._table[: len(self.contracts)]

    def column(self, name: str) -> Ints:
        """One value of all quotes; not to be written to."""
        return self.table[:, _PLACE[name]]

    def take_in(self, seen: MarketColumns) -> int:
        """Fold what a tick observed into the view; returns the latest instant at which any of it was true, 0 for nothing.

        Raises LawBroken when its rows do not fit the contract table.
        """
        self.source, newest_at = seen.source, 0
        for spot in seen.spots:
            self.spots[spot.symbol] = spot
            newest_at = max(newest_at, spot.at)
        for settlement in seen.settlements:
            self.settlements[settlement.symbol, settlement.day, settlement.opening] = settlement
            newest_at = max(newest_at, settlement.at)
        for occ in seen.listed:
            self._list(contracts.parse(occ))
        quotes = seen.table()
        if not len(quotes):
            return newest_at
        try:
            # The rows are read without a sign: one below none is beyond all of them. A quote is moved as one value,
            # which takes a seventh of the time of twelve.
            rows = np.frombuffer(seen.rows, _ROW).astype(np.intp)
            self._whole[: len(self.contracts)][rows] = np.frombuffer(seen.quotes, _WHOLE)
        except IndexError:
            raise LawBroken("a tick quotes a contract that no tick has listed") from None
        instants = quotes[:, _AT]
        return max(newest_at, int(instants[instants.argmax()]))

    def quote(self, occ: str) -> Quote | None:
        """The newest quote of a contract, or None when it was never observed."""
        row = self.rows.get(occ)
        return None if row is None else self.quote_at_row(row)

    def quote_at_row(self, row: int) -> Quote | None:
        """The newest quote in a row of the contract table; None while a listed contract has no quote yet."""
        at, bid, ask, bid_size, ask_size, flags = self._table[row, :FED].tolist()
        if at == 0:
            return None
        sized = bool(flags & SIZES_KNOWN)
        return Quote(
            contract=self.contracts[row],
            at=at,
            bid=bid,
            ask=ask if flags & ASK_PRESENT else None,
            bid_size=bid_size if sized else None,
            ask_size=ask_size if sized else None,
        )

    def chain(self, symbol: str) -> Iterator[Contract]:
        """The listed contracts of an underlying that were observed, in the order of their listing."""
        return (self.contracts[row] for row in self.chains.get(symbol, ()))

    def known_at(self, rows: Ints) -> Ints:
        """The instants of the newest quotes in rows of the table; for -1, anything."""
        known_at: Ints = self._table[:, _AT][rows]
        return known_at

    def fed(self, rows: Ints) -> Table:
        """What was fed of the newest quotes in rows of the table; for -1, anything."""
        fed: Table = self._table[rows, :FED]
        return fed

    def sides(self, rows: Ints) -> Sides:
        """Bid, ask, whether there is an ask, and the instant of the quote, for rows of the table; -1 is none of them."""
        table = self._table
        asked = ((table[:, _FLAGS][rows] & ASK_PRESENT) != 0) & (rows >= 0)
        return Sides(table[:, _BID][rows], table[:, _ASK][rows], asked, table[:, _AT][rows])

    def greeks(self, occ: str) -> dict[str, int] | None:
        """IV and greeks of a contract in the integer units of `UNIT`, or None when they are unknown."""
        row = self.rows.get(occ)
        if row is None or not int(self._table[row, _FLAGS]) & GREEKS_KNOWN:
            return None
        return dict(zip(QUOTE[FED:], self._table[row, FED:].tolist(), strict=True))

    def retire(self, before: date, keep: tuple[str, ...]) -> None:
        """Drop contracts that expired before a date and nobody holds, and the prints nobody waits for any more."""
        kept = [row for row, one in enumerate(self.contracts) if one.expiry >= before or one.occ in keep]
        table = self._table[kept]
        survivors = [self.contracts[row] for row in kept]
        self.contracts, self.rows, self.chains = [], {}, {}
        for one in survivors:
            self._list(one)
        self._table[: len(kept)] = table
        self.renumbered += 1
        waiting = [one for one in self.contracts if one.expiry < before]
        self.settlements = {
            key: one
            for key, one in self.settlements.items()
            if key[1] >= before or any(key[0] == late.underlying and key[1] <= late.expiry for late in waiting)
        }

    def _lay(self, table: Table) -> None:
        """Keep the quotes in this table; the same bytes are at hand with a quote as one value."""
        self._table: Table = table
        self._whole = table.view(_WHOLE)[:, 0]

    def _list(self, contract: Contract) -> None:
        row, occ = len(self.contracts), contract.occ
        if occ in self.rows:
            raise LawBroken(f"{occ} is listed twice")
        if row == len(self._table):
            self._lay(np.concatenate([self._table, np.zeros_like(self._table)]))
        self.contracts.append(contract)
        self.rows[occ] = row
        self.chains.setdefault(contract.underlying, []).append(row)
        self._table[row] = 0

    def to_state(self) -> MarketState:
        """The view as plain data, for a snapshot."""
        return MarketState(
            source=self.source,
            spots=tuple(self.spots.values()),
            settlements=tuple(self.settlements.values()),
            listed=tuple(one.occ for one in self.contracts),
            quotes=self.table.astype("<i8").tobytes(),
        )

    @classmethod
    def from_state(cls, state: MarketState) -> "MarketView":
        """The view that `to_state` described."""
        view = cls()
        view.source = state.source
        view.spots = {spot.symbol: spot for spot in state.spots}
        view.settlements = {(one.symbol, one.day, one.opening): one for one in state.settlements}
        for occ in state.listed:
            view._list(contracts.parse(occ))
        view._table[: len(view.contracts)] = np.frombuffer(state.quotes, "<i8").reshape(-1, len(QUOTE))
        return view
