"""What halts entries and lets them go on: the operator's word, clocks that came apart, one that is behind, a disk without room.

A halt opens nothing and gives up the entries in flight. Deliberately absent: exits, which no halt ever stops.
"""

from state.calendar import SECOND
from state.facts import Alerted, AnyFact, EntriesHalted, EntriesResumed, OrderCancelAsked
from state.inputs import ClockFellBehind, ClockJumped, OperatorAsked, StorageTurned
from state.order import Intent, OrderPhase
from state.portfolio import Portfolio

BY_OPERATOR, BY_CLOCK, BY_LAG, BY_STORAGE = "entries_halted", "clock_jumped", "clock_behind", "storage_low"
RESUMABLE = (BY_OPERATOR, BY_CLOCK)
"""What the operator's word ends: its own halt, and clocks it looked at. Only time and room on the disk end the others."""


def halt(portfolio: Portfolio, told: OperatorAsked) -> tuple[AnyFact, ...]:
    """The operator halts entries; asked again, the first halt and its words stand."""
    return () if BY_OPERATOR in portfolio.halts else (EntriesHalted(BY_OPERATOR, told.words),)


def resume(portfolio: Portfolio, told: OperatorAsked) -> tuple[AnyFact, ...]:
    """The operator lets entries go on, and is told when there was nothing to end, or nothing it may end."""
    ended = tuple(EntriesResumed(code, told.words) for code in RESUMABLE if code in portfolio.halts)
    return ended or (Alerted("nothing_to_resume", "entries"),)


def turned(portfolio: Portfolio, told: ClockJumped | ClockFellBehind | StorageTurned) -> tuple[AnyFact, ...]:
    """The clocks came apart or agree again, one fell behind or caught up, the disk ran out of room or has some again."""
    match told:
        case ClockJumped(by=by):
            seconds = abs(by) // SECOND * (1 if by > 0 else -1)
            apart = f"the clocks came apart by {seconds} s" if by else "the clocks agree again"
            return _turned(portfolio, BY_CLOCK, apart, on=by != 0)
        case ClockFellBehind(by=by):
            late = (
                f"the clock is {by // SECOND} s behind what was recorded, and time goes slower until it has caught up"
            )
            return _turned(portfolio, BY_LAG, late if by else "the clock has caught up", on=by != 0)
        case StorageTurned(low=low):
            room = "no spare segment could be made" if low else "there is a spare segment again"
            return _turned(portfolio, BY_STORAGE, room, on=low)


def in_flight(portfolio: Portfolio) -> tuple[str, ...]:
    """The entries that a halt in force gives up, those that add to a position included; none without a halt."""
    if not portfolio.halts:
        return ()
    return tuple(
        one.id
        for one in portfolio.working_orders()
        if one.intent is Intent.OPEN and one.phase is not OrderPhase.CANCEL_REQUESTED
    )


def give_up(portfolio: Portfolio, order_id: str) -> tuple[AnyFact, ...]:
    """Ask to cancel an entry for the first halt in force: what it has bought by then is held."""
    return (OrderCancelAsked(order_id, next(iter(portfolio.halts))),)


def settling(portfolio: Portfolio) -> bool:
    """False while the clocks are apart, or what was seen is ahead of them: whether a contract has expired cannot be told."""
    return BY_CLOCK not in portfolio.halts and BY_LAG not in portfolio.halts


def _turned(portfolio: Portfolio, code: str, words: str, *, on: bool) -> tuple[AnyFact, ...]:
    """A halt in force is told again when there is more to say of it."""
    halt = portfolio.halts.get(code)
    if on:
        return () if halt is not None and halt.words == words else (EntriesHalted(code, words),)
    return () if halt is None else (EntriesResumed(code, words),)
