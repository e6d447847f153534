"""The latest view of the market: underlying prices and option quotes as integer columns, folded from ticks.

Marks are computed here and nowhere else. Nothing is fetched or priced in this file: IV and greeks arrive as data.
"""

from collections.abc import Iterator
from datetime import date

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

COLUMNS: tuple[tuple[str, str], ...] = (
    ("at", "<i8"),
    ("bid", "<i8"),
    ("ask", "<i8"),
    ("bid_size", "<i4"),
    ("ask_size", "<i4"),
    ("flags", "<u1"),
    ("iv", "<i8"),
    ("delta", "<i8"),
    ("gamma", "<i8"),
    ("theta", "<i8"),
    ("vega", "<i8"),
    ("rho", "<i8"),
)


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
    """What one tick observed: only what changed, as little-endian columns over rows of the contract table.

    `listed` are OCC symbols appended to the table, before `rows` (int32 indices into it) is read. The other
    byte strings hold one value per row in the types of `COLUMNS`.
    """

    source: str
    spots: tuple[Spot, ...] = ()
    settlements: tuple[SettlementPrint, ...] = ()
    listed: tuple[str, ...] = ()
    rows: bytes = b""
    at: bytes = b""
    bid: bytes = b""
    ask: bytes = b""
    bid_size: bytes = b""
    ask_size: bytes = b""
    flags: bytes = b""
    iv: bytes = b""
    delta: bytes = b""
    gamma: bytes = b""
    theta: bytes = b""
    vega: bytes = b""
    rho: bytes = b""

    @property
    def newest_at(self) -> int:
        """The latest instant at which anything in it was true; 0 when it holds nothing."""
        quoted = np.frombuffer(self.at, "<i8")
        newest = int(quoted.max()) if quoted.size else 0
        return max((newest, *(one.at for one in self.spots), *(one.at for one in self.settlements)))


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


class MarketState(msgspec.Struct, frozen=True, array_like=True):
    """A market view as it stands in a snapshot."""

    source: str
    spots: tuple[Spot, ...]
    settlements: tuple[SettlementPrint, ...]
    listed: tuple[str, ...]
    columns: dict[str, bytes]


class MarketView:
    """The newest spot, settlement and quote of everything ever observed and not yet retired."""

    def __init__(self) -> None:
        self.source = "none"
        self.spots: dict[str, Spot] = {}
        self.settlements: dict[tuple[str, date, bool], SettlementPrint] = {}
        self.contracts: list[Contract] = []
        self.rows: dict[str, int] = {}
        self.chains: dict[str, list[int]] = {}
        self._columns = {name: np.zeros(64, kind) for name, kind in COLUMNS}

    def column(self, name: str) -> Ints:
        """One column over all rows of the contract table; not to be written to."""
        return self._columns[name][: len(self.contracts)]

    def take_in(self, seen: MarketColumns) -> None:
        """Fold what a tick observed into the view. Raises LawBroken when its rows do not fit the contract table."""
        self.source = seen.source
        for spot in seen.spots:
            self.spots[spot.symbol] = spot
        for settlement in seen.settlements:
            self.settlements[settlement.symbol, settlement.day, settlement.opening] = settlement
        for occ in seen.listed:
            self._list(contracts.parse(occ))
        rows = np.frombuffer(seen.rows, "<i4")
        if rows.size == 0:
            return
        if int(rows.max()) >= len(self.contracts) or int(rows.min()) < 0:
            raise LawBroken("a tick quotes a contract that no tick has listed")
        for name, kind in COLUMNS:
            values = np.frombuffer(getattr(seen, name), kind)
            if values.size != rows.size:
                raise LawBroken(f"a tick's column {name} holds {values.size} values for {rows.size} rows")
            self._columns[name][rows] = values

    def quote(self, occ: str) -> Quote | None:
        """The newest quote of a contract, or None when it was never observed."""
        row = self.rows.get(occ)
        return None if row is None else self.quote_at_row(row)

    def quote_at_row(self, row: int) -> Quote | None:
        """The newest quote in a row of the contract table; None while a listed contract has no quote yet."""
        columns = self._columns
        at = int(columns["at"][row])
        if at == 0:
            return None
        flags = int(columns["flags"][row])
        sized = bool(flags & SIZES_KNOWN)
        return Quote(
            contract=self.contracts[row],
            at=at,
            bid=int(columns["bid"][row]),
            ask=int(columns["ask"][row]) if flags & ASK_PRESENT else None,
            bid_size=int(columns["bid_size"][row]) if sized else None,
            ask_size=int(columns["ask_size"][row]) if sized else None,
        )

    def chain(self, symbol: str) -> Iterator[Contract]:
        """The listed contracts of an underlying that were observed, in the order of their listing."""
        return (self.contracts[row] for row in self.chains.get(symbol, ()))

    def marks(self, rows: Ints) -> tuple[Ints, Mask, Ints]:
        """(mark, has a mark, quote instant) for rows of the table, by the rule of `Quote.mark`."""
        bid, ask = self._columns["bid"][rows], self._columns["ask"][rows]
        at = self._columns["at"][rows]
        asked = (self._columns["flags"][rows] & ASK_PRESENT) != 0
        return (bid + ask) // 2, asked & (bid > 0) & (bid <= ask), at

    def asks_alone(self, rows: Ints) -> tuple[Ints, Mask]:
        """(ask, nobody bids) for rows of the table: a contract is worth no more than it is offered at."""
        asked = (self._columns["flags"][rows] & ASK_PRESENT) != 0
        return self._columns["ask"][rows], asked & (self._columns["bid"][rows] == 0)

    def greeks(self, occ: str) -> dict[str, int] | None:
        """IV and greeks of a contract in the integer units of `UNIT`, or None when they are unknown."""
        row = self.rows.get(occ)
        if row is None or not int(self._columns["flags"][row]) & GREEKS_KNOWN:
            return None
        return {name: int(self._columns[name][row]) for name in ("iv", "delta", "gamma", "theta", "vega", "rho")}

    def retire(self, before: date, keep: tuple[str, ...]) -> None:
        """Drop contracts that expired before a date and nobody holds, and the prints nobody waits for any more."""
        kept = [row for row, one in enumerate(self.contracts) if one.expiry >= before or one.occ in keep]
        columns = {name: column[kept] for name, column in self._columns.items()}
        survivors = [self.contracts[row] for row in kept]
        self.contracts, self.rows, self.chains = [], {}, {}
        for one in survivors:
            self._list(one)
        for name, column in columns.items():
            self._columns[name][: len(kept)] = column
        waiting = [one for one in self.contracts if one.expiry < before]
        self.settlements = {
            key: one
            for key, one in self.settlements.items()
            if key[1] >= before or any(key[0] == late.underlying and key[1] <= late.expiry for late in waiting)
        }

    def _list(self, contract: Contract) -> None:
        row = len(self.contracts)
        if contract.occ in self.rows:
            raise LawBroken(f"{contract.occ} is listed twice")
        if row == len(self._columns["at"]):
            for name, column in self._columns.items():
                self._columns[name] = np.concatenate([column, np.zeros_like(column)])
        self.contracts.append(contract)
        self.rows[contract.occ] = row
        self.chains.setdefault(contract.underlying, []).append(row)
        for column in self._columns.values():
            column[row] = 0

    def to_state(self) -> MarketState:
        """The view as plain data, for a snapshot."""
        return MarketState(
            source=self.source,
            spots=tuple(self.spots.values()),
            settlements=tuple(self.settlements.values()),
            listed=tuple(one.occ for one in self.contracts),
            columns={name: self.column(name).tobytes() for name, _ in COLUMNS},
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
        for name, kind in COLUMNS:
            view._columns[name][: len(view.contracts)] = np.frombuffer(state.columns[name], kind)
        return view
