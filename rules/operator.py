"""What the operator asks for: closing positions, at once or at the next open."""

from state.facts import AnyFact, CloseAsked
from state.inputs import OperatorAsked
from state.portfolio import Portfolio

ALL = "all"


def named(portfolio: Portfolio, told: OperatorAsked) -> tuple[str, ...]:
    """The live positions an ask is about, oldest first; an unknown or closed one is about nothing."""
    if told.close == ALL:
        return tuple(one.id for one in portfolio.live_positions())
    position = portfolio.positions.get(told.close)
    return (position.id,) if position is not None and position.live else ()


def close(portfolio: Portfolio, position_id: str, told: OperatorAsked) -> tuple[AnyFact, ...]:
    """Note that a position is to be closed; the exit stage of the next cycle in which it trades orders it."""
    if portfolio.positions[position_id].close_asked is not None:
        return ()
    return (CloseAsked(position_id, "manual", told.words),)
