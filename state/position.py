"""The position: contracts held, what they cost, the levels they leave at, and their legal life."""

from enum import StrEnum

import msgspec

from state.contract import Contract
from state.life import Life
from state.money import BASIS_POINTS, MULTIPLIER


class PositionPhase(StrEnum):
    """Where in its life a position is."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class PositionTrigger(StrEnum):
    """What can happen to a position."""

    BEGIN_CLOSE = "begin_close"
    REOPEN = "reopen"
    CLOSE = "close"


_P, _T = PositionPhase, PositionTrigger
POSITION_LIFE = Life(
    "position",
    (
        (_T.BEGIN_CLOSE, _P.OPEN, _P.CLOSING),
        # An exit order that ends unfilled, or only partly filled, gives its position back to the exit rules.
        (_T.REOPEN, _P.CLOSING, _P.OPEN),
        (_T.CLOSE, _P.CLOSING, _P.CLOSED),
        # Expiry settles a position whether or not an exit was under way.
        (_T.CLOSE, _P.OPEN, _P.CLOSED),
    ),
    initial=PositionPhase.OPEN,
)


class ExitTerms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How a position leaves: percentages of its fill price in basis points, or absolute premiums that win over them.

    `dte_exit_at` and `hold_until` are instants; None means that exit does not exist for this position.
    """

    profile: str
    target_bp: int
    stop_bp: int
    target_price: int | None
    stop_price: int | None
    dte_exit_at: int | None
    hold_s: int | None

    @property
    def own_levels(self) -> bool:
        """Whether a level was brought by the alert itself."""
        return self.target_price is not None or self.stop_price is not None

    def levels(self, cost: int, quantity: int) -> tuple[int, int]:
        """(target, stop) premiums for `quantity` contracts that cost `cost`, commission excluded.

        The target is rounded up and the stop down to whole micro-dollars, so that a mark reaches a level exactly
        when the profit or loss in percent of cost reaches its percentage.
        """
        shares = quantity * MULTIPLIER * BASIS_POINTS
        target, stop = self.target_price, self.stop_price
        if target is None:
            target = -(-cost * (BASIS_POINTS + self.target_bp) // shares)
        if stop is None:
            stop = cost * (BASIS_POINTS - self.stop_bp) // shares
        return target, stop


class Position(msgspec.Struct, frozen=True, gc=False):
    """Contracts of one kind held long. Money in micro-dollars.

    `quantity` counts all contracts ever bought, `quantity_open` those still held; `cost` and `cost_open` are their
    premiums without commission, `commission_open` the entry commission not yet charged to a realized part.
    `proceeds` is what exits brought. `initial_risk` = (average entry - initial stop) x quantity x 100.
    """

    id: str
    signal_id: str | None
    order_id: str
    book: str
    is_test: bool
    source: str
    engine: str
    contract: Contract
    direction: str
    terms: ExitTerms
    opened_at: int
    quantity: int
    quantity_open: int
    cost: int
    cost_open: int
    commission: int
    commission_open: int
    target: int
    stop: int
    hold_until: int | None
    initial_risk: int
    market_source: str
    phase: PositionPhase = PositionPhase.OPEN
    proceeds: int = 0
    realized_gross: int = 0
    realized_net: int = 0
    exit_order_id: str | None = None
    exit_reasons: tuple[str, ...] = ()
    close_asked: str | None = None
    close_words: str = ""
    settled_at: int | None = None
    settlement_price: int | None = None
    closed_at: int | None = None

    @property
    def entry_price(self) -> int:
        """The quantity-weighted average fill price per share, rounded down to whole micro-dollars."""
        return self.cost // (self.quantity * MULTIPLIER)

    @property
    def live(self) -> bool:
        """True until the position is closed."""
        return self.phase is not PositionPhase.CLOSED
