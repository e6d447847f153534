"""What the world said, in the past tense: the only way anything non-deterministic enters the program."""

from datetime import date
from enum import StrEnum

import msgspec

from state.calendar import Calendar
from state.market import MarketColumns
from state.stretch import Stretch


class Input(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
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


class MarketKind(StrEnum):
    """Where prices can come from."""

    NONE = "none"
    SIMULATED = "simulated"
    TAPE = "tape"


class MarketChosen(Input, frozen=True):
    """Where prices come from, from here on. A simulated market follows from `seed` and the date it begins at."""

    kind: MarketKind
    seed: int = 0
    first: date | None = None


class AlertReceived(Input, frozen=True):
    """One alert body, with secrets masked. `source` names the sender, `request_id` the call that brought it."""

    body: str
    source: str
    request_id: str = ""


class TickReached(Input, frozen=True):
    """One cycle: what was observed for it, and the plan entries that could not be observed in time."""

    seen: MarketColumns | None
    missed: tuple[str, ...] = ()


class TicksPassed(Input, frozen=True):
    """Several cycles, one after another, that decided nothing: as if each had been a `TickReached` of its own."""

    ticks: Stretch


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


class Ask(StrEnum):
    """What an operator can ask for."""

    CLOSE = "close"
    HALT = "halt"
    RESUME = "resume"
    FLAG_ON = "flag_on"
    FLAG_OFF = "flag_off"
    FLAG_CLEAR = "flag_clear"
    REQUEUE = "requeue"


class OperatorAsked(Input, frozen=True):
    """The operator asked for something, with a reason in words.

    `about` is a position id or `all` to close, the name of a flag, a signal id to requeue; a halt and a resume are about
    nothing.
    """

    about: str
    words: str
    ask: Ask = Ask.CLOSE


class RefusedCalls(msgspec.Struct, frozen=True, array_like=True):
    """How many calls were answered alike without being read: masked beginnings of the first and the last of them."""

    reason: str
    status: int
    count: int
    first: str
    last: str


class CallsRefused(Input, frozen=True):
    """What was turned away at the door since an instant (ns UTC), by reason: unauthenticated, oversized, no room."""

    since: int
    calls: tuple[RefusedCalls, ...]


class ClockJumped(Input, frozen=True):
    """Wall clock and monotonic clock came apart by so many nanoseconds, or agree again (0)."""

    by: int


class ClockFellBehind(Input, frozen=True):
    """The clock that is believed is behind what was seen by so many nanoseconds, or has caught up (0)."""

    by: int


class StorageTurned(Input, frozen=True):
    """The journal lost its spare segment, or has one again."""

    low: bool


AnyInput = (
    ConfigAdopted
    | CalendarAdopted
    | MarketChosen
    | AlertReceived
    | TickReached
    | TicksPassed
    | BrokerReported
    | OperatorAsked
    | CallsRefused
    | ClockJumped
    | ClockFellBehind
    | StorageTurned
)
