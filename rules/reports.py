"""What a broker's report means: fills open, grow, shrink and close positions, all in the record of that report."""

from rules import outcomes
from rules.settings import Settings
from state import money
from state.calendar import SECOND
from state.errors import LawBroken
from state.facts import (
    Alerted,
    AnyFact,
    OrderEnded,
    OrderFilled,
    OrderSubmitted,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    PositionReopened,
    SignalExecuted,
    SignalFailed,
)
from state.fill import Fill
from state.inputs import BrokerReported, ReportKind
from state.order import Intent, Order, OrderTrigger
from state.portfolio import Portfolio
from state.position import Position
from state.signal import SignalPhase

_ENDINGS = {
    ReportKind.CANCELLED: (OrderTrigger.CANCEL, "broker_cancelled"),
    ReportKind.REJECTED: (OrderTrigger.REJECT, "broker_rejected"),
    ReportKind.EXPIRED: (OrderTrigger.EXPIRE, "end_of_day"),
    ReportKind.FAILED: (OrderTrigger.FAIL, "broker_failed"),
}


def understand(portfolio: Portfolio, told: BrokerReported, settings: Settings) -> tuple[AnyFact, ...]:
    """Everything that follows from one report. A report already applied, or about an ended order, changes nothing.

    Raises LawBroken when a report arrives before the ones it counts on, or names an order that never was.
    """
    if told.order_id not in portfolio.orders and portfolio.gave_out(told.order_id):
        # The order ended so long ago that it left memory.
        return ()
    order = portfolio.order_of(told.order_id)
    if told.number <= order.reports or not order.working:
        return ()
    if told.number != order.reports + 1:
        raise LawBroken(f"report {told.number} on {order.id} arrived after report {order.reports}")
    if told.kind is ReportKind.ACCEPTED:
        return (OrderSubmitted(order.id, told.number),)
    if told.kind is ReportKind.FILLED:
        fill = _fill(portfolio, order, told)
        filled = OrderFilled(order.id, told.number, fill)
        if order.intent is Intent.OPEN:
            return (filled, *_bought(portfolio, order, fill, settings=settings))
        return (filled, *_sold(portfolio, order, fill))
    return _ended(portfolio, order, told)


def _fill(portfolio: Portfolio, order: Order, told: BrokerReported) -> Fill:
    return Fill(
        id=portfolio.next_id("fil"),
        order_id=order.id,
        position_id=order.position_id,
        signal_id=order.signal_id,
        book=order.book,
        is_test=order.is_test,
        engine=order.engine,
        contract=order.contract,
        side=order.side,
        intent=order.intent,
        price=told.price,
        quantity=told.quantity,
        commission=told.commission,
        decision_price=order.decision_price,
        bid=told.bid,
        ask=told.ask,
        quote_at=told.quote_at,
        filled_at=portfolio.now,
        market_source=portfolio.market.source,
    )


def _bought(portfolio: Portfolio, order: Order, fill: Fill, *, settings: Settings) -> tuple[AnyFact, ...]:
    cost = fill.price * fill.quantity * money.MULTIPLIER
    facts: list[AnyFact] = []
    held = portfolio.positions.get(fill.position_id)
    if held is None:
        facts.append(PositionOpened(_opened(portfolio, order, fill, settings=settings)))
    else:
        facts.append(_increased(held, fill, cost))
    signal = portfolio.signals.get(order.signal_id or "")
    if signal is not None and signal.phase is SignalPhase.APPROVED:
        facts.append(SignalExecuted(signal.id, fill.position_id))
    return tuple(facts)


def _increased(held: Position, fill: Fill, cost: int) -> PositionIncreased:
    """Levels follow the average price of what is held after the fill; what was sold before keeps the risk it had."""
    quantity, total = held.quantity_open + fill.quantity, held.cost_open + cost
    target, stop = held.terms.levels(total, quantity)
    sold = money.share(held.initial_risk, held.quantity - held.quantity_open, held.quantity)
    risk = sold + max(0, total - stop * quantity * money.MULTIPLIER)
    return PositionIncreased(held.id, fill.quantity, cost, fill.commission, target, stop, risk)


def _opened(portfolio: Portfolio, order: Order, fill: Fill, *, settings: Settings) -> Position:
    signal = portfolio.signals[order.signal_id or ""]
    terms = settings.profile_of(signal).terms(signal.profile, signal, portfolio.sessions)
    cost = fill.price * fill.quantity * money.MULTIPLIER
    target, stop = terms.levels(cost, fill.quantity)
    return Position(
        id=fill.position_id,
        signal_id=signal.id,
        order_id=order.id,
        book=order.book,
        is_test=order.is_test,
        source=signal.source,
        engine=order.engine,
        contract=order.contract,
        direction=str(signal.entry.direction),
        terms=terms,
        opened_at=portfolio.now,
        quantity=fill.quantity,
        quantity_open=fill.quantity,
        cost=cost,
        cost_open=cost,
        commission=fill.commission,
        commission_open=fill.commission,
        target=target,
        stop=stop,
        hold_until=None if terms.hold_s is None else portfolio.now + terms.hold_s * SECOND,
        initial_risk=max(0, cost - stop * fill.quantity * money.MULTIPLIER),
        market_source=portfolio.market.source,
    )


def _sold(portfolio: Portfolio, order: Order, fill: Fill) -> tuple[AnyFact, ...]:
    position = portfolio.positions[order.position_id]
    reduced = PositionReduced(
        position.id,
        quantity=fill.quantity,
        proceeds=fill.price * fill.quantity * money.MULTIPLIER,
        cost=money.share(position.cost_open, fill.quantity, position.quantity_open),
        entry_commission=money.share(position.commission_open, fill.quantity, position.quantity_open),
        exit_commission=fill.commission,
    )
    if fill.quantity == position.quantity_open:
        reasons = position.exit_reasons
        scored = outcomes.score(portfolio, position, reduced, reasons=reasons)
        return (reduced, PositionClosed(position.id, reasons), scored)
    return (reduced,)


def _ended(portfolio: Portfolio, order: Order, told: BrokerReported) -> tuple[AnyFact, ...]:
    trigger, reason = _ENDINGS[told.kind]
    if order.quantity_filled and trigger in (OrderTrigger.REJECT, OrderTrigger.FAIL):
        # What filled is held: only the rest can be refused, which leaves the order cancelled.
        trigger = OrderTrigger.CANCEL
    if told.kind is ReportKind.CANCELLED and order.end_reason is not None:
        reason = order.end_reason
    facts: list[AnyFact] = [OrderEnded(order.id, told.number, str(trigger), reason)]
    if order.intent is Intent.OPEN:
        if order.quantity_filled == 0 and order.signal_id in portfolio.signals:
            facts.append(SignalFailed(order.signal_id, reason))
        return tuple(facts)
    facts.append(PositionReopened(order.position_id, "exit_order_ended"))
    if told.kind in (ReportKind.REJECTED, ReportKind.FAILED):
        facts.append(Alerted("exit_order_failed", order.id))
    return tuple(facts)
