"""How an order fills against an observation: the whole paper broker, as a pure function without memory."""

from enum import StrEnum

import msgspec

from rules.ticks import TickRules
from state.calendar import SECOND
from state.effects import CancelOrder, Effect, PlaceOrder, Reply, outstanding
from state.inputs import BrokerReported, ReportKind
from state.market import Quote
from state.money import BASIS_POINTS, Count, Pct, Usd
from state.order import Order, Side
from state.portfolio import Portfolio


class FillModel(StrEnum):
    """What a fill costs against the quoted mid."""

    MID = "mid"
    ADVERSE_PCT = "adverse_pct"
    SPREAD_FRACTION = "spread_fraction"


class FillSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the paper broker fills.

    `adverse_pct` moves the mid against the trader; `spread_fraction_pct` adds that share of the spread to the mid,
    50 being the quoted side. Only `mid` can fill better than the quoted side. An order fills on the first quote at
    least `latency_s` younger than its decision, and never on one older than `quote_age_s_max`.
    """

    model: FillModel = FillModel.SPREAD_FRACTION
    adverse_pct: Pct = 200
    spread_fraction_pct: Pct = 5_000
    latency_s: Count = 1
    respect_size: bool = True
    round_to_tick: bool = True
    commission_per_contract_usd: Usd = 700_000
    quote_age_s_max: Count = 120


def model_price(quote: Quote, side: Side, settings: FillSettings) -> int | None:
    """The price per share a model gives before tick rounding; None when the quote cannot be traded on.

    A quote without a bid, without an ask or with the bid above the ask fills nothing.
    """
    mid, ask, bid = quote.mark, quote.ask, quote.bid
    if mid is None or ask is None:
        return None
    buying = side is Side.BUY
    match settings.model:
        case FillModel.MID:
            return mid
        case FillModel.ADVERSE_PCT:
            if buying:
                return max(ask, -(-mid * (BASIS_POINTS + settings.adverse_pct) // BASIS_POINTS))
            return min(bid, mid * (BASIS_POINTS - settings.adverse_pct) // BASIS_POINTS)
        case FillModel.SPREAD_FRACTION:
            away = -(-(ask - bid) * settings.spread_fraction_pct // BASIS_POINTS)
            return max(ask, mid + away) if buying else min(bid, mid - away)


def fill_price(order: Order, quote: Quote, settings: FillSettings, ticks: TickRules) -> int | None:
    """The price per share at which an order fills on a quote, or None when it does not: its limit, or no price."""
    price = model_price(quote, order.side, settings)
    if price is None:
        return None
    if settings.round_to_tick:
        price = ticks.adverse(order.contract.root, price, order.side)
    if price <= 0:
        return None
    if order.limit_price is not None and (
        price > order.limit_price if order.side is Side.BUY else price < order.limit_price
    ):
        return None
    return price


def fillable_quantity(order: Order, quote: Quote, settings: FillSettings, *, taken: int = 0) -> int:
    """Contracts that fill on one observation: where the feed shows sizes, what is displayed and not yet taken."""
    displayed = quote.ask_size if order.side is Side.BUY else quote.bid_size
    if not settings.respect_size or displayed is None:
        return order.quantity_left
    return max(0, min(order.quantity_left, displayed - taken))


def _taken(portfolio: Portfolio, order: Order, quote: Quote) -> int:
    """Contracts that other orders of the same side and ledger have taken of a quote's displayed size."""
    return sum(
        one.last_fill_quantity
        for one in portfolio.orders.values()
        if one.last_fill_quote_at == quote.at
        and (one.contract, one.side, one.book) == (order.contract, order.side, order.book)
    )


def observes(order: Order, quote: Quote, *, now: int, settings: FillSettings) -> bool:
    """True when a quote is an observation the order may fill on: after its decision, new to it, and not stale."""
    return (
        quote.at >= order.created_at + settings.latency_s * SECOND
        and quote.at > max(order.created_at, order.last_fill_quote_at)
        and now - quote.at <= settings.quote_age_s_max * SECOND
    )


def answer(portfolio: Portfolio, effect: Effect) -> BrokerReported | None:
    """The paper broker's answer to what it is asked: an order is acknowledged while it lasts, a cancel confirmed."""
    match effect:
        case PlaceOrder(order=order):
            late = portfolio.now >= order.expires_at
            kind = ReportKind.EXPIRED if late else ReportKind.ACCEPTED
            return BrokerReported(order.id, order.reports + 1, kind)
        case CancelOrder(order_id=order_id):
            order = portfolio.orders[order_id]
            return BrokerReported(order.id, order.reports + 1, ReportKind.CANCELLED, reason=order.end_reason)
        case Reply():
            return None


def trade(portfolio: Portfolio, order: Order, settings: FillSettings, ticks: TickRules) -> BrokerReported | None:
    """What becomes of an acknowledged order now: it expires with its session, fills on an observation, or waits."""
    if portfolio.now >= order.expires_at:
        return BrokerReported(order.id, order.reports + 1, ReportKind.EXPIRED)
    quote = portfolio.market.quote(order.contract.occ)
    if quote is None or not portfolio.sessions.tradable(order.contract, portfolio.now):
        return None
    if not observes(order, quote, now=portfolio.now, settings=settings):
        return None
    price = fill_price(order, quote, settings, ticks)
    quantity = fillable_quantity(order, quote, settings, taken=_taken(portfolio, order, quote))
    if price is None or quantity <= 0:
        return None
    return BrokerReported(
        order.id,
        order.reports + 1,
        ReportKind.FILLED,
        quantity=quantity,
        price=price,
        commission=quantity * settings.commission_per_contract_usd,
        bid=quote.bid,
        ask=quote.ask,
        quote_at=quote.at,
    )


def report_on(portfolio: Portfolio, order: Order, settings: FillSettings, ticks: TickRules) -> BrokerReported | None:
    """What the paper broker has to say about one working order at this instant, or None.

    What it is owed an answer to comes first, by the same function that tells so after a recovery.
    """
    for effect in outstanding((order,)):
        return answer(portfolio, effect)
    return trade(portfolio, order, settings, ticks)
