"""What the world said, in the past tense: the only way anything non-deterministic enters the program."""

from enum import StrEnum

import msgspec

from state.calendar import Calendar
from state.market import MarketColumns


class Input(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """One thing the world said. When it was said to us is the record's `seen_at`."""


class ConfigAdopted(Input, frozen=True):
    """The configuration in force from here on: canonical JSON bytes and their SHA-256.

    `cash_start` (micro-dollars) funds the ledgers when the first configuration is adopted and never again.
    """

    body: bytes
    digest: str
    cash_start: int


class CalendarAdopted(Input, frozen=True):
    """The table of exchange sessions in force from here on."""

    calendar: Calendar


class AlertReceived(Input, frozen=True):
    """One alert body, with secrets masked. `source` names the sender."""

    body: str
    source: str


class TickReached(Input, frozen=True):
    """One cycle: what was observed for it, and the plan entries that could not be observed in time."""

    seen: MarketColumns | None
    missed: tuple[str, ...] = ()


class ReportKind(StrEnum):
    """What a broker can say about an order."""

    ACCEPTED = "accepted"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"


class BrokerReported(Input, frozen=True):
    """A broker's report, the `number`-th about its order. Price per share and commission in micro-dollars."""

    order_id: str
    number: int
    kind: ReportKind
    quantity: int = 0
    price: int = 0
    commission: int = 0
    bid: int | None = None
    ask: int | None = None
    quote_at: int = 0
    reason: str | None = None


class OperatorAsked(Input, frozen=True):
    """The operator asked to close positions: an id, or `all`, with a reason in words."""

    close: str
    words: str


AnyInput = ConfigAdopted | CalendarAdopted | AlertReceived | TickReached | BrokerReported | OperatorAsked
