"""How each fact changes the portfolio: it stores, adds and indexes resulting values. Deliberately absent: any decision."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from state import applying_positions as positions
from state import facts as f
from state.errors import LawBroken
from state.halt import Halt
from state.order import ORDER_LIFE, Intent, Order, OrderTrigger
from state.portfolio import Portfolio
from state.signal import SIGNAL_LIFE, Signal, SignalPhase, SignalTrigger


def apply(portfolio: Portfolio, fact: f.AnyFact) -> None:
    """Fold one fact into the portfolio; raises LawBroken for an illegal step, having changed nothing."""
    _APPLY[type(fact)](portfolio, fact)


def _signal(portfolio: Portfolio, signal_id: str) -> Signal:
    try:
        return portfolio.signals[signal_id]
    except KeyError:
        raise LawBroken(f"there is no signal {signal_id}") from None


def _advance(portfolio: Portfolio, signal_id: str, trigger: SignalTrigger, **changes: Any) -> None:
    signal = _signal(portfolio, signal_id)
    signal = replace(signal, phase=SIGNAL_LIFE.advance(signal.phase, trigger), **changes)
    portfolio.signals[signal_id] = signal
    if not signal.undecided:
        portfolio.undecided.pop(signal_id, None)


def _move(portfolio: Portfolio, order: Order, trigger: OrderTrigger, **changes: Any) -> Order:
    order = replace(order, phase=ORDER_LIFE.advance(order.phase, trigger), **changes)
    if not order.working:
        order = replace(order, ended_at=portfolio.now)
        portfolio.working.pop(order.id, None)
    portfolio.orders[order.id] = order
    return order


# -- alerts and signals ---------------------------------------------------------------------------------------------


def _alert_logged(portfolio: Portfolio, fact: f.AlertLogged) -> None:
    portfolio.count(fact.event_id)


def _signal_created(portfolio: Portfolio, fact: f.SignalCreated) -> None:
    signal, entry = fact.signal, fact.signal.entry
    if portfolio.gave_out(signal.id):
        raise LawBroken(f"signal {signal.id} exists already")
    portfolio.count(signal.id)
    portfolio.signals[signal.id] = signal
    portfolio.undecided[signal.id] = None
    portfolio.hashes[entry.signal_hash, entry.is_test] = (signal.id, portfolio.now)
    key = (entry.instrument, str(entry.direction), entry.timeframe, entry.is_test)
    portfolio.accepted[key] = (signal.id, portfolio.now)
    watch = (entry.symbol, signal.profile)
    portfolio.watches[watch] = max(portfolio.watches.get(watch, 0), signal.watch_until)
    if entry.contract is not None:
        occ = entry.contract.occ
        portfolio.watched_contracts[occ] = max(portfolio.watched_contracts.get(occ, 0), signal.watch_until)


def _signal_queued(portfolio: Portfolio, fact: f.SignalQueued) -> None:
    _advance(
        portfolio,
        fact.signal_id,
        SignalTrigger.QUEUE,
        queued_at=portfolio.now,
        queued_until=fact.until,
        queue_reason=fact.reason,
        next_at=fact.until,
    )


def _signal_released(portfolio: Portfolio, fact: f.SignalReleased) -> None:
    _advance(portfolio, fact.signal_id, SignalTrigger.RELEASE, next_at=None)


def _signal_retry_scheduled(portfolio: Portfolio, fact: f.SignalRetryScheduled) -> None:
    signal = _signal(portfolio, fact.signal_id)
    if signal.phase is not SignalPhase.PENDING:
        raise LawBroken(f"signal {signal.id} is {signal.phase} and cannot be tried again")
    portfolio.signals[signal.id] = replace(
        signal, attempts=signal.attempts + 1, next_at=fact.next_at, retry_code=fact.code, verdicts=fact.verdicts
    )


def _signal_approved(portfolio: Portfolio, fact: f.SignalApproved) -> None:
    _judged(portfolio, fact, SignalTrigger.APPROVE, recommendation=fact.recommendation)


def _signal_decided(portfolio: Portfolio, fact: f.SignalDecided) -> None:
    _judged(portfolio, fact, SignalTrigger.DECIDE_ONLY, recommendation=fact.recommendation, reason=fact.code)


def _signal_refused(portfolio: Portfolio, fact: f.SignalRefused) -> None:
    _judged(portfolio, fact, SignalTrigger.REJECT, contributing=fact.contributing, reason=fact.code)


def _judged(
    portfolio: Portfolio,
    fact: f.SignalApproved | f.SignalDecided | f.SignalRefused,
    trigger: SignalTrigger,
    **changes: Any,
) -> None:
    known = {"verdicts": fact.verdicts, "flags": fact.flags, "decided_at": portfolio.now}
    _advance(portfolio, fact.signal_id, trigger, next_at=None, **known, **changes)


def _signal_executed(portfolio: Portfolio, fact: f.SignalExecuted) -> None:
    _advance(portfolio, fact.signal_id, SignalTrigger.EXECUTE, position_id=fact.position_id)


def _signal_failed(portfolio: Portfolio, fact: f.SignalFailed) -> None:
    _advance(portfolio, fact.signal_id, SignalTrigger.FAIL, reason=fact.code)


def _unit_failed(portfolio: Portfolio, fact: f.UnitFailed) -> None:
    signal = portfolio.signals.get(fact.unit)
    if signal is None or not signal.undecided:
        return
    if fact.retry_at is None:
        _advance(portfolio, signal.id, SignalTrigger.REJECT, reason=fact.code, decided_at=portfolio.now, next_at=None)
        return
    again = replace(signal, attempts=signal.attempts + 1, next_at=fact.retry_at, retry_code=fact.code)
    portfolio.signals[signal.id] = again


# -- orders ---------------------------------------------------------------------------------------------------------


def _order_created(portfolio: Portfolio, fact: f.OrderCreated) -> None:
    order = fact.order
    if order.intent is Intent.CLOSE and any(
        one.position_id == order.position_id for one in portfolio.working_orders() if one.intent is Intent.CLOSE
    ):
        raise LawBroken(f"position {order.position_id} already has a working closing order")
    if portfolio.gave_out(order.id):
        raise LawBroken(f"order {order.id} exists already")
    if order.signal_id is not None and order.intent is Intent.OPEN:
        signal = _signal(portfolio, order.signal_id)
        portfolio.signals[signal.id] = replace(signal, order_id=order.id)
    portfolio.count(order.id)
    portfolio.count(order.position_id)
    portfolio.orders[order.id] = order
    portfolio.working[order.id] = None


def _order_submitted(portfolio: Portfolio, fact: f.OrderSubmitted) -> None:
    _move(portfolio, portfolio.order_of(fact.order_id), OrderTrigger.SUBMIT, reports=fact.number)


def _order_cancel_asked(portfolio: Portfolio, fact: f.OrderCancelAsked) -> None:
    _move(portfolio, portfolio.order_of(fact.order_id), OrderTrigger.ASK_CANCEL, end_reason=fact.reason)


def _order_filled(portfolio: Portfolio, fact: f.OrderFilled) -> None:
    order, fill = portfolio.order_of(fact.order_id), fact.fill
    filled = order.quantity_filled + fill.quantity
    if fill.quantity <= 0 or filled > order.quantity:
        raise LawBroken(f"order {order.id} cannot fill {fill.quantity} of the {order.quantity_left} contracts left")
    trigger = OrderTrigger.FILL if filled == order.quantity else OrderTrigger.FILL_PART
    _move(
        portfolio,
        order,
        trigger,
        quantity_filled=filled,
        reports=fact.number,
        last_fill_quote_at=fill.quote_at,
        last_fill_quantity=fill.quantity,
    )
    portfolio.count(fill.id)
    if order.intent is Intent.OPEN and order.quantity_filled == 0:
        portfolio.today(order.book).entries_filled += 1


def _order_ended(portfolio: Portfolio, fact: f.OrderEnded) -> None:
    order = portfolio.order_of(fact.order_id)
    _move(portfolio, order, OrderTrigger(fact.trigger), reports=fact.number, end_reason=fact.reason)


# -- halts and flags ------------------------------------------------------------------------------------------------


def _entries_halted(portfolio: Portfolio, fact: f.EntriesHalted) -> None:
    # A halt in force may be told again in other words.
    before = portfolio.halts.get(fact.code)
    portfolio.halts[fact.code] = Halt(fact.code, fact.words, portfolio.now if before is None else before.since)


def _entries_resumed(portfolio: Portfolio, fact: f.EntriesResumed) -> None:
    if fact.code not in portfolio.halts:
        raise LawBroken(f"nothing is halted for {fact.code}")
    del portfolio.halts[fact.code]


def _flag_set(portfolio: Portfolio, fact: f.FlagSet) -> None:
    if fact.on is None:
        portfolio.flags.pop(fact.name, None)
    else:
        portfolio.flags[fact.name] = fact.on


# -- housekeeping ---------------------------------------------------------------------------------------------------


def _alerted(portfolio: Portfolio, fact: f.Alerted) -> None:
    portfolio.alerts[fact.code, fact.subject] = portfolio.now


def _nouns_retired(portfolio: Portfolio, fact: f.NounsRetired) -> None:
    owing = [
        *(one for one in fact.signals if _signal(portfolio, one).undecided),
        *(one for one in fact.orders if portfolio.order_of(one).working),
        *(one for one in fact.positions if positions.position_of(portfolio, one).live),
    ]
    if owing:
        raise LawBroken(f"{', '.join(owing)} cannot be retired: it still owes something")
    portfolio.retired_on = fact.day
    for signal_id in fact.signals:
        del portfolio.signals[signal_id]
    for order_id in fact.orders:
        del portfolio.orders[order_id]
    for position_id in fact.positions:
        del portfolio.positions[position_id]
    portfolio.hashes = {key: one for key, one in portfolio.hashes.items() if one[1] >= fact.before}
    portfolio.accepted = {key: one for key, one in portfolio.accepted.items() if one[1] >= fact.before}
    portfolio.watches = {key: until for key, until in portfolio.watches.items() if until >= portfolio.now}
    portfolio.watched_contracts = {
        occ: until for occ, until in portfolio.watched_contracts.items() if until >= portfolio.now
    }
    portfolio.alerts = {key: at for key, at in portfolio.alerts.items() if at >= fact.before}


def _market_retired(portfolio: Portfolio, fact: f.MarketRetired) -> None:
    portfolio.market.retire(fact.before, fact.keep)
    portfolio.book.remap(portfolio.market)


_APPLY: dict[type, Callable[[Portfolio, Any], None]] = {
    f.AlertLogged: _alert_logged,
    f.SignalCreated: _signal_created,
    f.SignalQueued: _signal_queued,
    f.SignalReleased: _signal_released,
    f.SignalRetryScheduled: _signal_retry_scheduled,
    f.SignalApproved: _signal_approved,
    f.SignalDecided: _signal_decided,
    f.SignalRefused: _signal_refused,
    f.SignalExecuted: _signal_executed,
    f.SignalFailed: _signal_failed,
    f.UnitFailed: _unit_failed,
    f.OrderCreated: _order_created,
    f.OrderSubmitted: _order_submitted,
    f.OrderCancelAsked: _order_cancel_asked,
    f.OrderFilled: _order_filled,
    f.OrderEnded: _order_ended,
    f.PositionOpened: positions.position_opened,
    f.PositionIncreased: positions.position_increased,
    f.PositionReduced: positions.position_reduced,
    f.CloseAsked: positions.close_asked,
    f.ExitChosen: positions.exit_chosen,
    f.PositionReopened: positions.position_reopened,
    f.PositionSettled: positions.position_settled,
    f.PositionClosed: positions.position_closed,
    f.OutcomeRecorded: positions.outcome_recorded,
    f.EntriesHalted: _entries_halted,
    f.EntriesResumed: _entries_resumed,
    f.FlagSet: _flag_set,
    f.Alerted: _alerted,
    f.NounsRetired: _nouns_retired,
    f.MarketRetired: _market_retired,
}
