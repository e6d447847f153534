"""The signal: an alert that was admitted, everything judged about it, and its legal life."""

from enum import StrEnum

import msgspec

from state.alert import Entry
from state.contract import Contract
from state.ledger import PAPER, TEST
from state.life import Life


class SignalPhase(StrEnum):
    """Where in its life a signal is."""

    PENDING = "pending"
    QUEUED = "queued"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    DECISION_ONLY = "decision_only"
    REJECTED = "rejected"
    EXECUTED = "executed"
    FAILED = "failed"
    EXPIRED = "expired"


class SignalTrigger(StrEnum):
    """What can happen to a signal."""

    QUEUE = "queue"
    RELEASE = "release"
    ASK_APPROVAL = "ask_approval"
    APPROVE = "approve"
    DECIDE_ONLY = "decide_only"
    REJECT = "reject"
    EXECUTE = "execute"
    FAIL = "fail"
    EXPIRE = "expire"


_P, _T = SignalPhase, SignalTrigger
SIGNAL_LIFE = Life(
    "signal",
    (
        (_T.QUEUE, _P.PENDING, _P.QUEUED),
        # A queued signal is judged afresh at the open, as if it had just arrived.
        (_T.RELEASE, _P.QUEUED, _P.PENDING),
        (_T.ASK_APPROVAL, _P.PENDING, _P.AWAITING_APPROVAL),
        (_T.APPROVE, _P.PENDING, _P.APPROVED),
        (_T.APPROVE, _P.AWAITING_APPROVAL, _P.APPROVED),
        (_T.DECIDE_ONLY, _P.PENDING, _P.DECISION_ONLY),
        (_T.REJECT, _P.PENDING, _P.REJECTED),
        (_T.REJECT, _P.QUEUED, _P.REJECTED),
        (_T.REJECT, _P.AWAITING_APPROVAL, _P.REJECTED),
        (_T.EXPIRE, _P.AWAITING_APPROVAL, _P.EXPIRED),
        (_T.EXECUTE, _P.APPROVED, _P.EXECUTED),
        # The entry order ended with nothing filled.
        (_T.FAIL, _P.APPROVED, _P.FAILED),
    ),
    initial=SignalPhase.PENDING,
)


class Verdict(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one gate said: the value it saw, the threshold it compared with, and how much room was left.

    `unit` tells what the integers count: usd (micro-dollars), bp, s, count. `margin` is negative when refused.
    """

    gate: str
    code: str | None
    value: int | None = None
    threshold: int | None = None
    margin: int | None = None
    unit: str = ""
    note: str = ""

    @property
    def passed(self) -> bool:
        """True when the gate let the signal through."""
        return self.code is None


class Recommendation(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an engine proposes to buy, with the newest market values it was decided on. Prices in micro-dollars."""

    engine: str
    contract: Contract
    quantity: int
    entry_price: int
    limit_price: int
    bid: int
    ask: int
    quote_at: int
    spot: int
    spot_at: int
    worst_cost: int
    market_source: str


class Signal(msgspec.Struct, frozen=True, gc=False):
    """One admitted alert.

    `flags` are the switches that were on when it was judged. `next_at` is when it is due again after a retry or at the open; `watch_until` bounds what is observed for its sake.
    """

    id: str
    event_id: str
    source: str
    entry: Entry
    profile: str
    received_at: int
    watch_until: int
    phase: SignalPhase = SignalPhase.PENDING
    reason: str | None = None
    contributing: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    recommendation: Recommendation | None = None
    attempts: int = 0
    retry_code: str | None = None
    next_at: int | None = None
    queued_at: int | None = None
    queued_until: int | None = None
    queue_reason: str | None = None
    decided_at: int | None = None
    order_id: str | None = None
    position_id: str | None = None
    flags: tuple[str, ...] = ()
    requeued_from: str | None = None

    @property
    def is_test(self) -> bool:
        """True for a test signal: same path, own ledger, never counted."""
        return self.entry.is_test

    @property
    def book(self) -> str:
        """The ledger it trades in: test signals have their own."""
        return TEST if self.is_test else PAPER

    @property
    def undecided(self) -> bool:
        """True while a decision is still owed."""
        return self.phase in (SignalPhase.PENDING, SignalPhase.QUEUED)
