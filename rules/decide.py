"""The written order of stages and units in which every rule is asked, and the one place where a rule may fail."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import msgspec

from rules import due, entry, exits, flags, halts, housekeeping, intake, operator, reports
from rules.settings import Settings
from state.applying import apply
from state.calendar import SECOND
from state.errors import LawBroken
from state.facts import AnyFact, UnitFailed
from state.inputs import (
    AlertReceived,
    AnyInput,
    Ask,
    BrokerReported,
    ClockFellBehind,
    ClockJumped,
    OperatorAsked,
    StorageTurned,
    TickReached,
)
from state.portfolio import Portfolio

Answer = TypeVar("Answer")
Rule = Callable[[], tuple[AnyFact, ...]]


class Unit(msgspec.Struct, frozen=True):
    """One thing a rule is asked about: its name in facts, the question, and what follows besides when the rule fails."""

    name: str
    rule: Rule
    otherwise: Rule = tuple


class Stage(msgspec.Struct, frozen=True):
    """One stage of a cycle: its name, and how its units are listed when its turn comes."""

    name: str
    units: Callable[[], Iterable[Unit]]


def decide(portfolio: Portfolio, told: AnyInput, settings: Settings) -> tuple[AnyFact, ...]:
    """All facts that follow from one input the portfolio has taken in; each is applied before the next unit is asked.

    A rule that raises anything but LawBroken becomes one `UnitFailed`, and the others go on. The flags that stand over
    the settings are read once, so that all of one record is judged alike.
    """
    settings = flags.in_force(settings, portfolio.flags)
    facts: list[AnyFact] = []
    for stage in _stages(portfolio, told, settings):
        for unit in _listed(stage):
            for fact in _ask(portfolio, unit, settings):
                apply(portfolio, fact)
                facts.append(fact)
    return tuple(facts)


def _listed(stage: Stage) -> tuple[Unit, ...]:
    """The units of a stage; one that cannot be listed is itself a unit that fails, and the other stages go on."""
    units, exception = _tried(stage.units)
    if exception is None:
        return units
    failed = UnitFailed(stage.name, "processing_failed", exception)
    return (Unit(stage.name, lambda: (failed,)),)


def _tried(asked: Callable[[], Iterable[Answer]]) -> tuple[tuple[Answer, ...], str | None]:
    """What was asked for, or the name of the exception that came instead. Raises LawBroken through."""
    try:
        return tuple(asked()), None
    except LawBroken:
        raise
    except Exception as failure:  # noqa: BLE001  The only broad except of the core: one unit must not stop the others.
        return (), type(failure).__name__


def _stages(portfolio: Portfolio, told: AnyInput, settings: Settings) -> tuple[Stage, ...]:
    """The stages of one input, in order. A stage lists its units only when the stages before it are done."""
    match told:
        case AlertReceived():
            return (Stage("intake", lambda: (_alert(portfolio, told, settings),)),)
        case BrokerReported():
            understand = partial(reports.understand, portfolio, told, settings)
            return (Stage("reports", lambda: (Unit(told.order_id, understand),)),)
        case OperatorAsked(ask=Ask.CLOSE):
            return (Stage("operator", lambda: _asked_to_close(portfolio, told)),)
        case OperatorAsked():
            return (Stage("operator", lambda: (_asked(portfolio, told, settings),)), _given_up(portfolio))
        case ClockJumped() | ClockFellBehind() | StorageTurned():
            turned = partial(halts.turned, portfolio, told)
            return (Stage("halts", lambda: (Unit("entries", turned),)), _given_up(portfolio))
        case TickReached():
            return (
                Stage("settlement", lambda: _settlements(portfolio, settings)),
                Stage("exits", lambda: _exits(portfolio, settings)),
                Stage("signals", lambda: _signals(portfolio, settings)),
                Stage("orders", lambda: _orders(portfolio, settings)),
                Stage("memory", lambda: (Unit("memory", lambda: housekeeping.retire(portfolio)),)),
            )
        case _:
            return ()


def _alert(portfolio: Portfolio, told: AlertReceived, settings: Settings) -> Unit:
    event_id = portfolio.next_id("evt")
    return Unit(
        event_id,
        partial(intake.admit, portfolio, told, settings),
        otherwise=partial(intake.unanswerable, event_id),
    )


def _asked(portfolio: Portfolio, told: OperatorAsked, settings: Settings) -> Unit:
    match told.ask:
        case Ask.HALT:
            return Unit("entries", partial(halts.halt, portfolio, told))
        case Ask.RESUME:
            return Unit("entries", partial(halts.resume, portfolio, told))
        case Ask.REQUEUE:
            return Unit("operator", partial(operator.requeue, portfolio, told, settings))
        case _:
            return Unit("operator", partial(flags.switch, told))


def _given_up(portfolio: Portfolio) -> Stage:
    """What a halt does to the entries in flight, listed once it is in force."""
    return Stage(
        "entries",
        lambda: tuple(Unit(one, partial(halts.give_up, portfolio, one)) for one in halts.in_flight(portfolio)),
    )


def _asked_to_close(portfolio: Portfolio, told: OperatorAsked) -> Iterable[Unit]:
    for one in operator.named(portfolio, told):
        yield Unit(one, partial(operator.close, portfolio, one, told))
    if not operator.named(portfolio, told) and not operator.opening(portfolio, told):
        yield Unit("operator", partial(operator.nothing, told))
    for one in operator.opening(portfolio, told):
        yield Unit(one, partial(operator.give_up, one))


def _settlements(portfolio: Portfolio, settings: Settings) -> Iterable[Unit]:
    for one in exits.expired(portfolio):
        yield Unit(one, partial(exits.settle, portfolio, one, settings))


def _exits(portfolio: Portfolio, settings: Settings) -> Iterable[Unit]:
    for one in exits.due(portfolio, settings):
        yield Unit(one, partial(exits.leave, portfolio, one, settings))


def _signals(portfolio: Portfolio, settings: Settings) -> Iterable[Unit]:
    for one in due.signals(portfolio):
        yield Unit(one, partial(entry.decide, portfolio, one, settings))


def _orders(portfolio: Portfolio, settings: Settings) -> Iterable[Unit]:
    for one in tuple(portfolio.working):
        yield Unit(one, partial(housekeeping.entry, portfolio, one, settings))
        yield Unit(one, partial(exits.waiting, portfolio, one, settings))


def _ask(portfolio: Portfolio, unit: Unit, settings: Settings) -> tuple[AnyFact, ...]:
    facts, exception = _tried(unit.rule)
    if exception is None:
        return facts
    return (_failed(portfolio, unit, exception, settings=settings), *unit.otherwise())


def _failed(portfolio: Portfolio, unit: Unit, exception: str, *, settings: Settings) -> UnitFailed:
    """A signal is tried once more after the retry delay; the exception's text never enters a fact."""
    signal = portfolio.signals.get(unit.name)
    retry_at = None
    if signal is not None and signal.attempts == 0:
        retry_at = portfolio.now + settings.session.retry_delay_s * SECOND
    return UnitFailed(unit.name, "processing_failed", exception, retry_at)
