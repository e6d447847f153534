"""What ends by itself: entries that time out or drift away, and finished nouns that leave memory once a day."""

from rules.settings import Settings
from state.calendar import SECOND
from state.facts import AnyFact, MarketRetired, NounsRetired, OrderCancelAsked
from state.money import BASIS_POINTS
from state.order import Intent, OrderPhase
from state.portfolio import Portfolio

HORIZON_S = 172_800
"""48 hours: how long content hashes and finished nouns are kept in memory. An older alert is stale by its own time."""


def entry(portfolio: Portfolio, order_id: str, settings: Settings) -> tuple[AnyFact, ...]:
    """Ask to cancel an entry that drifted from its decision price, or outlived its time without filling."""
    order = portfolio.orders[order_id]
    if order.intent is not Intent.OPEN or order.phase is OrderPhase.CANCEL_REQUESTED:
        return ()
    quote = portfolio.market.quote(order.contract.occ)
    mark = None if quote is None or quote.at <= order.decision_quote_at else quote.mark
    if mark is not None:
        drift = abs(mark - order.decision_price) * BASIS_POINTS
        if drift > settings.orders.drift_pct_max * order.decision_price:
            return (OrderCancelAsked(order.id, "price_drift_exceeded"),)
    if order.valid_until is not None and portfolio.now > order.valid_until:
        return (OrderCancelAsked(order.id, "order_timeout"),)
    return ()


def retire(portfolio: Portfolio) -> tuple[AnyFact, ...]:
    """Once per New York date: let finished nouns and expired contracts leave memory."""
    today = portfolio.sessions.day_of(portfolio.now)
    if portfolio.retired_on == today:
        return ()
    before = portfolio.now - HORIZON_S * SECOND
    held = {one.signal_id for one in portfolio.working_orders()}
    signals = tuple(
        one.id
        for one in portfolio.signals.values()
        if not one.undecided and one.decided_at is not None and one.decided_at < before and one.id not in held
    )
    orders = tuple(one.id for one in portfolio.orders.values() if one.ended_at is not None and one.ended_at < before)
    positions = tuple(
        one.id for one in portfolio.positions.values() if one.closed_at is not None and one.closed_at < before
    )
    facts: list[AnyFact] = [NounsRetired(today, signals, orders, positions, before)]
    if any(one.expiry < today for one in portfolio.market.contracts):
        facts.append(MarketRetired(today, portfolio.book.held()))
    return tuple(facts)
