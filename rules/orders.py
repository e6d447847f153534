"""The only place where an order is constructed, to open and to close."""

import msgspec

from rules.ticks import TickRules
from state.calendar import SECOND
from state.contract import Contract
from state.errors import LawBroken
from state.money import Count, Pct, Usd
from state.order import Intent, Order, Side
from state.portfolio import Portfolio
from state.position import Position
from state.signal import Recommendation, Signal


class OrderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How entries are limited and given up.

    An entry's limit is `limit_offset_usd` above what it would cost now, and stands `entry_timeout_s`. `drift_pct_max`
    cancels an entry whose mid has left the price it was decided on. With `add_to_position` a signal for a contract
    already held, or about to be, joins that position; without, it is refused. An exit that finds no fill alerts every
    `exit_alert_after_s`.
    """

    limit_offset_usd: Usd = 50_000
    entry_timeout_s: Count = 60
    drift_pct_max: Pct = 1_000
    add_to_position: bool = True
    exit_alert_after_s: Count = 300


def limit_price(price: int, contract: Contract, settings: OrderSettings, ticks: TickRules) -> int:
    """The most an entry pays per share for what costs `price` now, in micro-dollars, on the class's tick."""
    return ticks.adverse(contract.root, price + settings.limit_offset_usd, Side.BUY)


def held_position(portfolio: Portfolio, contract: Contract, ledger: str) -> Position | None:
    """The open position of a contract in a ledger; one that is closing takes no further contracts."""
    for position in portfolio.live_positions():
        if position.contract == contract and position.book == ledger and position.phase == "open":
            return position
    return None


def _position_id(portfolio: Portfolio, signal: Signal, contract: Contract) -> str:
    """The position that contracts join: the open one, the one an entry in flight will open, or a new one.

    Only signals of one profile without levels of their own share a position: its terms serve all it holds.
    """
    if signal.entry.own_levels:
        return portfolio.next_id("pos")
    held = held_position(portfolio, contract, signal.book)
    if held is not None and held.terms.profile == signal.profile and not held.terms.own_levels:
        return held.id
    for order in portfolio.working_orders():
        opening = order.intent is Intent.OPEN and order.position_id not in portfolio.positions
        first = portfolio.signals.get(order.signal_id or "")
        if not opening or first is None or (order.contract, order.book) != (contract, signal.book):
            continue
        if first.profile == signal.profile and not first.entry.own_levels:
            return order.position_id
    return portfolio.next_id("pos")


def to_open(portfolio: Portfolio, signal: Signal, recommendation: Recommendation, *, settings: OrderSettings) -> Order:
    """The entry order of an approved signal: a limit order to buy, for the position it opens or adds to."""
    contract = recommendation.contract
    number = portfolio.next_id("ord")
    return Order(
        id=number,
        client_order_id=f"oracle-{number}",
        signal_id=signal.id,
        position_id=_position_id(portfolio, signal, contract),
        book=signal.book,
        is_test=signal.is_test,
        engine=recommendation.engine,
        contract=contract,
        side=Side.BUY,
        intent=Intent.OPEN,
        quantity=recommendation.quantity,
        limit_price=recommendation.limit_price,
        reason="signal",
        decision_price=recommendation.entry_price,
        decision_quote_at=recommendation.quote_at,
        created_at=portfolio.now,
        valid_until=portfolio.now + settings.entry_timeout_s * SECOND,
        expires_at=_close_today(portfolio, contract),
    )


def to_close(portfolio: Portfolio, position: Position, reason: str) -> Order:
    """The exit order of a position: everything it holds, at the market, good for the contract's session."""
    mark, mark_at = portfolio.book.mark_of(position.id)
    number = portfolio.next_id("ord")
    return Order(
        id=number,
        client_order_id=f"oracle-{number}",
        signal_id=position.signal_id,
        position_id=position.id,
        book=position.book,
        is_test=position.is_test,
        engine=position.engine,
        contract=position.contract,
        side=Side.SELL,
        intent=Intent.CLOSE,
        quantity=position.quantity_open,
        limit_price=None,
        reason=reason,
        decision_price=mark,
        decision_quote_at=mark_at,
        created_at=portfolio.now,
        valid_until=None,
        expires_at=_close_today(portfolio, position.contract),
    )


def _close_today(portfolio: Portfolio, contract: Contract) -> int:
    calendar = portfolio.sessions
    close = calendar.trading_close(contract, calendar.day_of(portfolio.now))
    if close is None:
        raise LawBroken(f"an order for {contract.occ} was decided on a day it does not trade")
    return close
