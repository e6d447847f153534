"""Live positions as integer columns beside their records, for marking and exit screening in one pass."""

import numpy as np

from state.ledger import LEDGERS
from state.market import Ints, MarketView, Mask, Sides, Table
from state.money import MULTIPLIER
from state.position import Position, PositionPhase

NEVER = 2**63 - 1
"""In a column: an instant or a level that does not come."""

_COLUMNS = (
    "market_row",
    "ledger",
    "quantity",
    "cost",
    "commission",
    "target",
    "stop",
    "dte_exit_at",
    "hold_until",
    "expires_at",
    "last_trade_at",
    "late",
    "closing",
    "asked",
    "mark",
    "mark_at",
)

_DATED = ("dte_exit_at", "hold_until", "expires_at", "last_trade_at")


class Book:
    """One row per live position, in the order they were opened. Rows of closed positions are dropped lazily."""

    def __init__(self) -> None:
        self.ids: list[str | None] = []
        self.occs: list[str] = []
        self.row_of: dict[str, int] = {}
        self._columns: dict[str, Ints] = {name: np.zeros(64, np.int64) for name in _COLUMNS}
        self._dead = 0
        self._held: tuple[str, ...] | None = ()
        self._dated: tuple[int, ...] | None = ()

    def __len__(self) -> int:
        return len(self.row_of)

    def column(self, name: str) -> Ints:
        """One column over all rows, dead ones included; not to be written to by callers."""
        return self._columns[name][: len(self.ids)]

    @property
    def alive(self) -> Mask:
        """Which rows hold a live position."""
        return self.column("quantity") > 0

    def add(self, position: Position, instants: tuple[int, int, bool], view: MarketView) -> None:
        """Give a position its row. `instants` = (expiry, last trade, trades late), from the adopted calendar."""
        row = len(self.ids)
        if row == len(self._columns["mark"]):
            for name, column in self._columns.items():
                self._columns[name] = np.concatenate([column, np.zeros_like(column)])
        self.ids.append(position.id)
        self.occs.append(position.contract.occ)
        self._held = None
        self.row_of[position.id] = row
        columns = self._columns
        columns["market_row"][row] = view.rows.get(self.occs[row], -1)
        columns["ledger"][row] = LEDGERS.index(position.book)
        self.set_instants(position.id, instants)
        columns["mark"][row], columns["mark_at"][row] = position.entry_price, 0
        self.update(position)
        self._mark_rows(slice(row, row + 1), view)

    def set_instants(self, position_id: str, instants: tuple[int, int, bool]) -> None:
        """Write (expiry, last trade, trades late) of a position's contract, as the adopted calendar has them."""
        row, columns = self.row_of[position_id], self._columns
        columns["expires_at"][row], columns["last_trade_at"][row], columns["late"][row] = instants
        self._dated = None

    def update(self, position: Position) -> None:
        """Bring a position's row in line with its record; a closed one loses its row."""
        row = self.row_of[position.id]
        terms, columns = position.terms, self._columns
        columns["quantity"][row] = position.quantity_open
        columns["cost"][row] = position.cost_open
        columns["commission"][row] = position.commission_open
        columns["target"][row] = position.target
        columns["stop"][row] = position.stop
        columns["dte_exit_at"][row] = NEVER if terms.dte_exit_at is None else terms.dte_exit_at
        columns["hold_until"][row] = NEVER if position.hold_until is None else position.hold_until
        columns["closing"][row] = position.phase is PositionPhase.CLOSING
        columns["asked"][row] = position.close_asked is not None
        self._dated = None
        if not position.live:
            self._drop(position.id)

    def mark_all(self, view: MarketView) -> None:
        """Mark every row whose quote has both sides; the others keep their last mark, but never above a lone ask."""
        if self.ids:
            self._mark_rows(slice(0, len(self.ids)), view)

    def mark_through(self, rows: Ints, quotes: Table, view: MarketView) -> None:
        """Mark every row by the last of these quotes that has both sides; `rows` name their contracts in the view.

        It comes to what `mark_all` does after each of them, as long as none of a held contract lacks a bid alone.
        """
        marked = Sides.of(quotes).marked.nonzero()[0]
        if not len(marked):
            return
        newest = np.full(len(view.contracts), -1, np.int64)
        newest[rows[marked]] = marked
        market_row = self.column("market_row")
        found = newest[market_row]
        mine = ((market_row >= 0) & (found >= 0)).nonzero()[0]
        sides = Sides.of(quotes[found[mine]])
        self.column("mark")[mine], self.column("mark_at")[mine] = sides.mark, sides.at

    def mark_of(self, position_id: str) -> tuple[int, int]:
        """(mark in micro-dollars, the instant of the two-sided quote it came from: 0 when it came from none)."""
        row = self.row_of[position_id]
        return int(self._columns["mark"][row]), int(self._columns["mark_at"][row])

    def set_mark(self, position_id: str, marked: tuple[int, int]) -> None:
        """Put back a mark and its instant from a snapshot."""
        row = self.row_of[position_id]
        self._columns["mark"][row], self._columns["mark_at"][row] = marked

    def value(self, ledger: str) -> int:
        """Marks of a ledger's live positions, in micro-dollars."""
        mine = self.column("ledger") == LEDGERS.index(ledger)
        return int((self.column("mark") * self.column("quantity") * MULTIPLIER)[mine].sum())

    def carried(self, ledger: str) -> tuple[int, int]:
        """(cost, entry commission) that a ledger's live positions carry, in micro-dollars."""
        mine = (self.column("ledger") == LEDGERS.index(ledger)) & self.alive
        return int(self.column("cost")[mine].sum()), int(self.column("commission")[mine].sum())

    def held(self) -> tuple[str, ...]:
        """OCC symbols of all live positions, each once, oldest position first."""
        if self._held is None:
            live = (occ for occ, one in zip(self.occs, self.ids, strict=True) if one is not None)
            self._held = tuple(dict.fromkeys(live))
        return self._held

    def dated(self) -> tuple[int, ...]:
        """Every instant at which time alone may end a live position or its trading, ascending; NEVER is none."""
        if self._dated is None:
            alive = self.alive
            named = np.unique([self.column(name)[alive] for name in _DATED])
            self._dated = tuple(named[named != NEVER].tolist())
        return self._dated

    def find(self, view: MarketView) -> None:
        """Find the rows of contracts that were held before any tick had listed them."""
        for row in (self.column("market_row") < 0).nonzero()[0].tolist():
            self._columns["market_row"][row] = view.rows.get(self.occs[row], -1)

    def remap(self, view: MarketView) -> None:
        """Find the rows of the contract table again after contracts were retired from it."""
        self._columns["market_row"][: len(self.occs)] = [view.rows.get(occ, -1) for occ in self.occs]

    def _mark_rows(self, part: slice, view: MarketView) -> None:
        columns = self._columns
        mark, mark_at, market_row = columns["mark"][part], columns["mark_at"][part], columns["market_row"][part]
        sides = view.sides(market_row)
        marked = sides.marked
        np.copyto(mark, sides.mark, where=marked)
        np.copyto(mark_at, sides.at, where=marked)
        if marked.all():
            return
        # Whatever a position was worth, with no bid and an ask it is worth no more than that ask. This values it; a
        # price exit is judged on both sides only, so the mark counts as none.
        capped = sides.offered & (sides.ask < mark)
        np.copyto(mark, sides.ask, where=capped)
        np.copyto(mark_at, 0, where=capped)

    def _drop(self, position_id: str) -> None:
        row = self.row_of.pop(position_id)
        self.ids[row] = None
        self._held = None
        self._columns["quantity"][row] = 0
        self._dead += 1
        if self._dead > 64 and self._dead * 2 > len(self.ids):
            kept = [row for row, one in enumerate(self.ids) if one is not None]
            for column in self._columns.values():
                column[: len(kept)] = column[kept]
            self.ids = [self.ids[row] for row in kept]
            self.occs = [self.occs[row] for row in kept]
            self.row_of = {one: row for row, one in enumerate(self.ids) if one is not None}
            self._dead = 0
