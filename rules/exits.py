"""Positions to exits: the screen over all columns, the reasons for one position, and settlement at expiry."""

from rules import halts, orders, outcomes
from rules.settings import Settings
from state import money
from state.calendar import SECOND
from state.facts import (
    Alerted,
    AnyFact,
    CloseAsked,
    ExitChosen,
    OrderCancelAsked,
    OrderCreated,
    PositionClosed,
    PositionReduced,
    PositionSettled,
)
from state.market import Mask, SettlementPrint
from state.order import Intent, Order, OrderPhase
from state.portfolio import Portfolio
from state.position import Position


def due(portfolio: Portfolio, settings: Settings) -> tuple[str, ...]:
    """Open positions that trade now and for which at least one exit condition holds, oldest first."""
    book, now = portfolio.book, portfolio.now
    if not len(book):
        return ()
    mark, fresh = book.column("mark"), book.column("mark_at") >= now - settings.gates.quote_age_s_max * SECOND
    wanted = fresh & ((mark <= book.column("stop")) | (mark >= book.column("target")))
    if _passed(portfolio):
        wanted |= (book.column("dte_exit_at") <= now) | (book.column("hold_until") <= now)
    if portfolio.asked:
        wanted |= book.column("asked") != 0
    if not wanted.any():
        return ()
    trading = _trading(portfolio)
    if trading is None:
        return ()
    rows = (wanted & trading & book.alive & (book.column("closing") == 0)).nonzero()[0]
    return tuple(one for row in rows if (one := book.ids[row]) is not None)


def _passed(portfolio: Portfolio) -> bool:
    """Whether any instant named for a live position has come: a time exit, the end of its trading, its expiry."""
    dated = portfolio.book.dated()
    return bool(dated) and dated[0] <= portfolio.now


def _trading(portfolio: Portfolio) -> Mask | None:
    """Which rows' contracts trade at this instant; None when none can."""
    calendar, book, now = portfolio.sessions, portfolio.book, portfolio.now
    session = calendar.session_on(calendar.day_of(now))
    if session is None or not session.open <= now < session.late_close:
        return None
    trading = book.column("last_trade_at") > now
    return trading if now < session.close else trading & (book.column("late") != 0)


def reasons_of(portfolio: Portfolio, position: Position, settings: Settings) -> tuple[str, ...]:
    """Every exit reason that holds, the deciding one first: asked, stop, profit, days to expiry, hold."""
    now = portfolio.now
    mark, mark_at = portfolio.book.mark_of(position.id)
    fresh = mark_at >= now - settings.gates.quote_age_s_max * SECOND
    dte_exit_at = position.terms.dte_exit_at
    asked = position.close_asked
    held = (
        (asked, asked is not None),
        ("stop_loss", fresh and mark <= position.stop),
        ("profit_target", fresh and mark >= position.target),
        ("min_dte_exit", dte_exit_at is not None and dte_exit_at <= now),
        ("max_hold_time", position.hold_until is not None and position.hold_until <= now),
    )
    return tuple(dict.fromkeys(reason for reason, holds in held if holds and reason is not None))


def leave(portfolio: Portfolio, position_id: str, settings: Settings) -> tuple[AnyFact, ...]:
    """The exit of one position that is due.

    A still working entry is cancelled first. The exit stays asked meanwhile, whatever the price does: it was decided.
    """
    position = portfolio.positions[position_id]
    reasons = reasons_of(portfolio, position, settings)
    if not reasons:
        return ()
    entries = [one for one in _working(portfolio, position) if one.intent is Intent.OPEN]
    if entries:
        asked = () if position.close_asked is not None else (CloseAsked(position.id, reasons[0], ""),)
        cancellable = [one for one in entries if one.phase is not OrderPhase.CANCEL_REQUESTED]
        return (*asked, *(OrderCancelAsked(one.id, "position_exit") for one in cancellable))
    order = orders.to_close(portfolio, position, reasons[0])
    mark, mark_at = portfolio.book.mark_of(position.id)
    chosen = ExitChosen(position.id, reasons, order.id, mark if mark_at else None, mark_at or None)
    return (chosen, OrderCreated(order))


def _working(portfolio: Portfolio, position: Position) -> tuple[Order, ...]:
    return tuple(one for one in portfolio.working_orders() if one.position_id == position.id)


# -- expiry ---------------------------------------------------------------------------------------------------------


def expired(portfolio: Portfolio) -> tuple[str, ...]:
    """Positions whose contract has expired and stopped trading, oldest first; none while a clock is in doubt."""
    book, now = portfolio.book, portfolio.now
    if not _passed(portfolio) or not halts.settling(portfolio):
        return ()
    over = (book.column("expires_at") <= now) & (book.column("last_trade_at") <= now)
    rows = (over & book.alive).nonzero()[0]
    return tuple(one for row in rows if (one := book.ids[row]) is not None)


def print_of(portfolio: Portfolio, position: Position) -> SettlementPrint | None:
    """The settlement print a position's contract settles on, or None while it was not observed."""
    contract, calendar = position.contract, portfolio.sessions
    expires_at = calendar.expiry_instant(contract)
    if expires_at is None:
        return None
    key = (contract.underlying, calendar.day_of(expires_at), contract.am_settled)
    return portfolio.market.settlements.get(key)


def settle(portfolio: Portfolio, position_id: str, settings: Settings) -> tuple[AnyFact, ...]:
    """Settle an expired position against its print. Without a print it stays, and alerts once a day.

    Settlement costs no commission: brokers' fees for exercise and assignment are not modelled.
    """
    position = portfolio.positions[position_id]
    if _working(portfolio, position):
        return ()
    observed = print_of(portfolio, position)
    if observed is None:
        return _alert_daily(portfolio, "settlement_print_missing", position.id)
    intrinsic = position.contract.intrinsic(observed.price)
    quantity = position.quantity_open
    settled = PositionSettled(position.id, observed.price, observed.at, intrinsic)
    reduced = PositionReduced(
        position.id,
        quantity=quantity,
        proceeds=money.notional(intrinsic, quantity),
        cost=position.cost_open,
        entry_commission=position.commission_open,
        exit_commission=0,
    )
    asked = () if position.close_asked is None else (position.close_asked,)
    reasons = ("expiration", *asked)
    scored = outcomes.score(portfolio, position, reduced, reasons=reasons)
    return (settled, reduced, PositionClosed(position.id, reasons), scored)


def _alert_daily(portfolio: Portfolio, code: str, subject: str) -> tuple[AnyFact, ...]:
    calendar = portfolio.sessions
    last = portfolio.alerts.get((code, subject))
    if last is not None and calendar.day_of(last) == calendar.day_of(portfolio.now):
        return ()
    return (Alerted(code, subject),)


# -- exits that do not fill -----------------------------------------------------------------------------------------


def waiting(portfolio: Portfolio, order_id: str, settings: Settings) -> tuple[AnyFact, ...]:
    """Alert about an exit order that finds no fill, once per waiting time."""
    order = portfolio.orders[order_id]
    patience = settings.orders.exit_alert_after_s * SECOND
    since = portfolio.alerts.get(("exit_waiting", order.id), order.created_at)
    if order.intent is not Intent.CLOSE or portfolio.now - since < patience:
        return ()
    return (Alerted("exit_waiting", order.id),)
