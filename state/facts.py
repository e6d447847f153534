"""What we concluded, in the past tense and with resulting values: `apply` only stores, adds and indexes them."""

from datetime import date

import msgspec

from state.alert import FieldError
from state.fill import Fill
from state.order import Order
from state.outcome import Outcome
from state.position import Position
from state.signal import Recommendation, Signal, Verdict


class Fact(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """One conclusion."""


class AlertLogged(Fact, frozen=True):
    """The answer to one alert: accepted, duplicate, ignored, invalid_payload or error; the signal it made or repeats."""

    event_id: str
    status: str
    code: str | None = None
    signal_id: str | None = None
    symbol: str | None = None
    direction: str | None = None
    timeframe: str | None = None
    is_test: bool = False
    test_session: str | None = None
    test_scenario: str | None = None
    errors: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()


class SignalCreated(Fact, frozen=True):
    """An alert became a signal."""

    signal: Signal


class SignalQueued(Fact, frozen=True):
    """A signal waits until an instant, for a queue reason."""

    signal_id: str
    until: int
    reason: str


class SignalReleased(Fact, frozen=True):
    """A queued signal's time has come; it is judged in the same cycle."""

    signal_id: str


class SignalRetryScheduled(Fact, frozen=True):
    """A signal could not be judged for a passing reason and is due again at `next_at`."""

    signal_id: str
    next_at: int
    code: str
    verdicts: tuple[Verdict, ...]


class SignalApproved(Fact, frozen=True):
    """A signal is to be traded as recommended; `flags` are those that were on when it was judged."""

    signal_id: str
    verdicts: tuple[Verdict, ...]
    recommendation: Recommendation
    flags: tuple[str, ...] = ()


class SignalDecided(Fact, frozen=True):
    """A signal was judged without the right to trade: what would have been bought is kept."""

    signal_id: str
    code: str
    verdicts: tuple[Verdict, ...]
    recommendation: Recommendation
    flags: tuple[str, ...] = ()


class SignalRefused(Fact, frozen=True):
    """A signal is not traded: one primary code, and the other codes that held as well."""

    signal_id: str
    code: str
    contributing: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    flags: tuple[str, ...] = ()


class SignalExecuted(Fact, frozen=True):
    """A signal's entry order had its first fill."""

    signal_id: str
    position_id: str


class SignalFailed(Fact, frozen=True):
    """A signal's entry order ended with nothing filled."""

    signal_id: str
    code: str


class OrderCreated(Fact, frozen=True):
    """An order is to be placed."""

    order: Order


class OrderSubmitted(Fact, frozen=True):
    """The broker has the order; `number` is the report that says so."""

    order_id: str
    number: int


class OrderCancelAsked(Fact, frozen=True):
    """The broker is to cancel what is left of an order."""

    order_id: str
    reason: str


class OrderFilled(Fact, frozen=True):
    """An order filled, in part or whole; `number` is the report that says so."""

    order_id: str
    number: int
    fill: Fill


class OrderEnded(Fact, frozen=True):
    """An order ended unfilled or partly filled: `trigger` is cancel, reject, expire or fail."""

    order_id: str
    number: int
    trigger: str
    reason: str


class PositionOpened(Fact, frozen=True):
    """A first fill opened a position."""

    position: Position


class PositionIncreased(Fact, frozen=True):
    """A further fill added to a position; levels are those of what is held after it, risk is that of the whole."""

    position_id: str
    quantity: int
    cost: int
    commission: int
    target: int
    stop: int
    initial_risk: int


class PositionReduced(Fact, frozen=True):
    """Contracts left a position for `proceeds`, taking their share of cost and entry commission with them."""

    position_id: str
    quantity: int
    proceeds: int
    cost: int
    entry_commission: int
    exit_commission: int

    @property
    def gross(self) -> int:
        """Realized P&L before commissions."""
        return self.proceeds - self.cost

    @property
    def net(self) -> int:
        """Realized P&L after the commissions of both sides."""
        return self.gross - self.entry_commission - self.exit_commission


class CloseAsked(Fact, frozen=True):
    """A position is to be closed at the next opportunity: by the operator, or by an exit alert."""

    position_id: str
    reason: str
    words: str


class ExitChosen(Fact, frozen=True):
    """A position is to leave: the deciding reason first, then all others that held, judged on `mark`."""

    position_id: str
    reasons: tuple[str, ...]
    order_id: str
    mark: int | None
    mark_at: int | None


class PositionReopened(Fact, frozen=True):
    """An exit order ended before the position was empty; the exit rules have it back."""

    position_id: str
    code: str


class PositionSettled(Fact, frozen=True):
    """Expiry settled a position against an underlying price: what exercise was worth per share."""

    position_id: str
    settlement_price: int
    settlement_at: int
    intrinsic: int


class PositionClosed(Fact, frozen=True):
    """Nothing is left of a position."""

    position_id: str
    reasons: tuple[str, ...]


class OutcomeRecorded(Fact, frozen=True):
    """A closed position was scored."""

    outcome: Outcome


class EntriesHalted(Fact, frozen=True):
    """Nothing is opened any more, for a registered reason; exits go on."""

    code: str
    words: str = ""


class EntriesResumed(Fact, frozen=True):
    """The reason to open nothing no longer holds."""

    code: str
    words: str = ""


class FlagSet(Fact, frozen=True):
    """A named switch was set over the configuration; None gives the word back to the configuration."""

    name: str
    on: bool | None
    words: str = ""


class Alerted(Fact, frozen=True):
    """Somebody should look: a registered code about a subject."""

    code: str
    subject: str


class UnitFailed(Fact, frozen=True):
    """A rule raised for one unit; nothing of it was applied. A signal is due again at `retry_at`, or ends without one."""

    unit: str
    code: str
    exception: str
    retry_at: int | None = None


class NounsRetired(Fact, frozen=True):
    """Once a day, finished nouns leave memory for the query tables, and keys beyond the deduplication horizon go."""

    day: date
    signals: tuple[str, ...]
    orders: tuple[str, ...]
    positions: tuple[str, ...]
    before: int


class MarketRetired(Fact, frozen=True):
    """Contracts that expired before a day and that nobody holds left the market view."""

    before: date
    keep: tuple[str, ...]


AnyFact = (
    AlertLogged
    | SignalCreated
    | SignalQueued
    | SignalReleased
    | SignalRetryScheduled
    | SignalApproved
    | SignalDecided
    | SignalRefused
    | SignalExecuted
    | SignalFailed
    | OrderCreated
    | OrderSubmitted
    | OrderCancelAsked
    | OrderFilled
    | OrderEnded
    | PositionOpened
    | PositionIncreased
    | PositionReduced
    | CloseAsked
    | ExitChosen
    | PositionReopened
    | PositionSettled
    | PositionClosed
    | OutcomeRecorded
    | EntriesHalted
    | EntriesResumed
    | FlagSet
    | Alerted
    | UnitFailed
    | NounsRetired
    | MarketRetired
)


def subject_of(fact: AnyFact) -> str:
    """The id of the unit a fact is about; a halt is about `entries`, a flag about its name."""
    match fact:
        case EntriesHalted() | EntriesResumed():
            return "entries"
        case FlagSet(name=name):
            return name
        case _:
            pass
    for name in ("signal_id", "position_id", "order_id", "event_id", "unit", "subject"):
        subject = getattr(fact, name, None)
        if isinstance(subject, str):
            return subject
    for name in ("signal", "order", "position", "outcome"):
        noun = getattr(fact, name, None)
        if noun is not None:
            return str(noun.id)
    return "memory"
