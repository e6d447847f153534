"""The order: one instruction to a broker, and its legal life."""

from enum import StrEnum

import msgspec

from state import money
from state.contract import Contract
from state.life import Life


class Side(StrEnum):
    """Which way the order trades."""

    BUY = "buy"
    SELL = "sell"


class Intent(StrEnum):
    """Whether the order opens or closes; matching is by this and the position id, never by symbol."""

    OPEN = "open"
    CLOSE = "close"


class OrderPhase(StrEnum):
    """Where in its life an order is."""

    PENDING_EXECUTION = "pending_execution"
    SUBMITTED = "submitted"
    PARTIALLY_FILLED = "partially_filled"
    CANCEL_REQUESTED = "cancel_requested"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"


class OrderTrigger(StrEnum):
    """What can happen to an order."""

    SUBMIT = "submit"
    FILL_PART = "fill_part"
    FILL = "fill"
    ASK_CANCEL = "ask_cancel"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    FAIL = "fail"


_P, _T = OrderPhase, OrderTrigger
ORDER_LIFE = Life(
    "order",
    (
        (_T.SUBMIT, _P.PENDING_EXECUTION, _P.SUBMITTED),
        # An acknowledgement may repeat itself, or be overtaken by a fill or a cancel: it is counted and moves nothing.
        (_T.SUBMIT, _P.SUBMITTED, _P.SUBMITTED),
        (_T.SUBMIT, _P.PARTIALLY_FILLED, _P.PARTIALLY_FILLED),
        (_T.SUBMIT, _P.CANCEL_REQUESTED, _P.CANCEL_REQUESTED),
        (_T.FILL_PART, _P.SUBMITTED, _P.PARTIALLY_FILLED),
        (_T.FILL_PART, _P.PARTIALLY_FILLED, _P.PARTIALLY_FILLED),
        # A broker's fill may overtake its own acknowledgement.
        (_T.FILL_PART, _P.PENDING_EXECUTION, _P.PARTIALLY_FILLED),
        # A cancel is a wish until the broker confirms it: whatever filled before counts.
        (_T.FILL_PART, _P.CANCEL_REQUESTED, _P.CANCEL_REQUESTED),
        (_T.FILL, _P.SUBMITTED, _P.FILLED),
        (_T.FILL, _P.PARTIALLY_FILLED, _P.FILLED),
        (_T.FILL, _P.PENDING_EXECUTION, _P.FILLED),
        (_T.FILL, _P.CANCEL_REQUESTED, _P.FILLED),
        (_T.ASK_CANCEL, _P.PENDING_EXECUTION, _P.CANCEL_REQUESTED),
        (_T.ASK_CANCEL, _P.SUBMITTED, _P.CANCEL_REQUESTED),
        (_T.ASK_CANCEL, _P.PARTIALLY_FILLED, _P.CANCEL_REQUESTED),
        (_T.CANCEL, _P.CANCEL_REQUESTED, _P.CANCELLED),
        # Brokers cancel on their own, at a halt for instance.
        (_T.CANCEL, _P.SUBMITTED, _P.CANCELLED),
        (_T.CANCEL, _P.PENDING_EXECUTION, _P.CANCELLED),
        (_T.CANCEL, _P.PARTIALLY_FILLED, _P.CANCELLED),
        (_T.REJECT, _P.PENDING_EXECUTION, _P.REJECTED),
        # A rejection may follow an acknowledgement.
        (_T.REJECT, _P.SUBMITTED, _P.REJECTED),
        (_T.REJECT, _P.CANCEL_REQUESTED, _P.REJECTED),
        # Never sent before its session ended: after a restart, for instance.
        (_T.EXPIRE, _P.PENDING_EXECUTION, _P.EXPIRED),
        (_T.EXPIRE, _P.SUBMITTED, _P.EXPIRED),
        (_T.EXPIRE, _P.PARTIALLY_FILLED, _P.EXPIRED),
        (_T.EXPIRE, _P.CANCEL_REQUESTED, _P.EXPIRED),
        (_T.FAIL, _P.PENDING_EXECUTION, _P.FAILED),
        (_T.FAIL, _P.SUBMITTED, _P.FAILED),
        (_T.FAIL, _P.CANCEL_REQUESTED, _P.FAILED),
    ),
    initial=OrderPhase.PENDING_EXECUTION,
)

WORKING = (
    OrderPhase.PENDING_EXECUTION,
    OrderPhase.SUBMITTED,
    OrderPhase.PARTIALLY_FILLED,
    OrderPhase.CANCEL_REQUESTED,
)
"""The phases in which an order may still fill."""


class Order(msgspec.Struct, frozen=True, gc=False):
    """One instruction to buy or sell contracts.

    `position_id` is the position it opens, adds to or closes. `decision_price` is the mid it was decided on and
    `decision_quote_at` that quote's instant. `valid_until` ends an unfilled entry, `expires_at` every order (the
    contract's own close that day). `reports` counts the broker reports applied: a report is known by (id, count).
    """

    id: str
    client_order_id: str
    signal_id: str | None
    position_id: str
    book: str
    is_test: bool
    engine: str
    contract: Contract
    side: Side
    intent: Intent
    quantity: int
    limit_price: int | None
    reason: str
    decision_price: int
    decision_quote_at: int
    created_at: int
    valid_until: int | None
    expires_at: int
    phase: OrderPhase = OrderPhase.PENDING_EXECUTION
    quantity_filled: int = 0
    reports: int = 0
    last_fill_quote_at: int = 0
    last_fill_quantity: int = 0
    ended_at: int | None = None
    end_reason: str | None = None

    @property
    def working(self) -> bool:
        """True while the order may still fill."""
        return self.phase in WORKING

    @property
    def quantity_left(self) -> int:
        """Contracts not filled yet."""
        return self.quantity - self.quantity_filled

    @property
    def worst_cost(self) -> int:
        """The most the unfilled rest of a limit order to open can cost, without commission, in micro-dollars."""
        return 0 if self.limit_price is None else money.notional(self.limit_price, self.quantity_left)
