"""What the operator asks for: closing positions, at once or at the next open, and giving up the entries in flight."""

from state.facts import Alerted, AnyFact, CloseAsked, OrderCancelAsked
from state.inputs import OperatorAsked
from state.order import Intent, Order, OrderPhase
from state.portfolio import Portfolio

ALL = "all"


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
