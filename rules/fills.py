"""How an order fills against an observation: the whole paper broker, as a pure function without memory."""

from enum import StrEnum

import msgspec

from rules.ticks import TickRules
from state.inputs import BrokerReported, ReportKind
from state.market import Quote
from state.money import BASIS_POINTS, Count, Pct, Usd
from state.order import Order, OrderPhase, Side
from state.portfolio import Portfolio

SECOND = 1_000_000_000


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


def fillable_quantity(order: Order, quote: Quote, settings: FillSettings) -> int:
    """Contracts that fill on one observation: the displayed size bounds them where the feed shows sizes."""
    displayed = quote.ask_size if order.side is Side.BUY else quote.bid_size
    if not settings.respect_size or displayed is None:
        return order.quantity_left
    return min(order.quantity_left, displayed)


def observes(order: Order, quote: Quote, *, now: int, settings: FillSettings) -> bool:
    """True when a quote is an observation the order may fill on: after its decision, new to it, and not stale."""
    return (
        quote.at >= order.created_at + settings.latency_s * SECOND
        and quote.at > order.last_fill_quote_at
        and now - quote.at <= settings.quote_age_s_max * SECOND
    )


def report_of(portfolio: Portfolio, order: Order, settings: FillSettings, ticks: TickRules) -> BrokerReported | None:
    """What the paper broker has to say about one working order now, or None.

    An order is acknowledged first, then fills, is cancelled when that was asked, and expires with its session.
    """
    number = order.reports + 1
    if order.phase is OrderPhase.CANCEL_REQUESTED:
        return BrokerReported(order.id, number, ReportKind.CANCELLED, reason=order.end_reason)
    if portfolio.now >= order.expires_at:
        return BrokerReported(order.id, number, ReportKind.EXPIRED, reason="end_of_day")
    if order.phase is OrderPhase.PENDING_EXECUTION:
        return BrokerReported(order.id, number, ReportKind.ACCEPTED)
    quote = portfolio.market.quote(order.contract.occ)
    if quote is None or not portfolio.sessions.tradable(order.contract, portfolio.now):
        return None
    if not observes(order, quote, now=portfolio.now, settings=settings):
        return None
    price, quantity = fill_price(order, quote, settings, ticks), fillable_quantity(order, quote, settings)
    if price is None or quantity <= 0:
        return None
    return BrokerReported(
        order.id,
        number,
        ReportKind.FILLED,
        quantity=quantity,
        price=price,
        commission=quantity * settings.commission_per_contract_usd,
        bid=quote.bid,
        ask=quote.ask,
        quote_at=quote.at,
    )


def next_report(portfolio: Portfolio, settings: FillSettings, ticks: TickRules) -> BrokerReported | None:
    """The paper broker's next report, by order of creation; None when it has nothing left to say at this instant."""
    for order_id in portfolio.working:
        report = report_of(portfolio, portfolio.orders[order_id], settings, ticks)
        if report is not None:
            return report
    return None
