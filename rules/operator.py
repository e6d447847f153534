"""What the operator asks of positions and signals: closing, giving up entries in flight, trying a signal once more."""

from rules.settings import Settings
from state.calendar import SECOND
from state.facts import Alerted, AnyFact, CloseAsked, OrderCancelAsked, SignalCreated
from state.inputs import OperatorAsked
from state.order import Intent, Order, OrderPhase
from state.portfolio import Portfolio
from state.signal import Signal, SignalPhase

ALL = "all"
ENDED_WITHOUT_A_TRADE = (
    SignalPhase.REJECTED,
    SignalPhase.FAILED,
    SignalPhase.EXPIRED,
    SignalPhase.DECISION_ONLY,
)
_ID_CHARS_MAX = 40


def named(portfolio: Portfolio, told: OperatorAsked) -> tuple[str, ...]:
    """The live positions an ask is about, oldest first; an unknown or closed one is about nothing."""
    if told.about == ALL:
        return tuple(one.id for one in portfolio.live_positions())
    position = portfolio.positions.get(told.about)
    return (position.id,) if position is not None and position.live else ()


def close(portfolio: Portfolio, position_id: str, told: OperatorAsked) -> tuple[AnyFact, ...]:
    """Note that a position is to be closed; the exit stage of the next cycle in which it trades orders it."""
    if portfolio.positions[position_id].close_asked is not None:
        return ()
    return (CloseAsked(position_id, "manual", told.words),)


def nothing(told: OperatorAsked) -> tuple[AnyFact, ...]:
    """Say that an ask found nothing to close: a mistyped id must not pass for a closed position."""
    return (Alerted("nothing_to_close", told.about),)


def opening(portfolio: Portfolio, told: OperatorAsked) -> tuple[str, ...]:
    """The entries in flight that would open what is asked to be closed."""
    return tuple(one.id for one in entries(portfolio) if told.about in (ALL, one.position_id))


def give_up(order_id: str) -> tuple[AnyFact, ...]:
    """Ask to cancel an entry: what it has bought by then is closed, and it buys no more."""
    return (OrderCancelAsked(order_id, "close_asked"),)


def entries(portfolio: Portfolio) -> tuple[Order, ...]:
    """Entries in flight whose position does not exist yet; those of a live position end with its exit."""
    return tuple(
        one
        for one in portfolio.working_orders()
        if one.intent is Intent.OPEN
        and one.phase is not OrderPhase.CANCEL_REQUESTED
        and one.position_id not in portfolio.book.row_of
    )


def requeue(portfolio: Portfolio, told: OperatorAsked, settings: Settings) -> tuple[AnyFact, ...]:
    """A signal that ended without a trade becomes a new one, judged from the first gate on, its age included.

    Each is requeued once: the next try is that of its successor, so that no wish can be traded twice.
    """
    old = portfolio.signals.get(told.about)
    profile = None if old is None else settings.profiles.named(old.profile)
    if old is None or profile is None or old.phase not in ENDED_WITHOUT_A_TRADE:
        return _nothing_to_requeue(told)
    if any(one.requeued_from == old.id for one in portfolio.signals.values()):
        return _nothing_to_requeue(told)
    signal = Signal(
        id=portfolio.next_id("sig"),
        event_id=old.event_id,
        source=old.source,
        entry=old.entry,
        profile=old.profile,
        received_at=portfolio.now,
        watch_until=portfolio.now + profile.horizon_s() * SECOND,
        requeued_from=old.id,
    )
    return (SignalCreated(signal),)


def _nothing_to_requeue(told: OperatorAsked) -> tuple[AnyFact, ...]:
    return (Alerted("nothing_to_requeue", told.about[:_ID_CHARS_MAX]),)
