"""Signal to decision: session, gates, contract, size and order, in that order."""

from enum import StrEnum

import msgspec

from rules import fills, flags, gates, orders, sizing, strikes
from rules.settings import Settings
from state import money
from state.calendar import SECOND
from state.calendar import Phase as SessionPhase
from state.contract import Contract
from state.facts import (
    AnyFact,
    OrderCreated,
    SignalApproved,
    SignalDecided,
    SignalQueued,
    SignalRefused,
    SignalReleased,
    SignalRetryScheduled,
)
from state.inputs import MarketKind
from state.order import Side
from state.portfolio import Portfolio
from state.reason import REASONS
from state.signal import Recommendation, Signal, SignalPhase, Verdict

ENGINE = "A"


class Permission(StrEnum):
    """What the session allows a signal."""

    TRADE = "trade"
    DECIDE_ONLY = "decide_only"
    QUEUE = "queue"
    REFUSE = "refuse"


class Choice(msgspec.Struct, frozen=True):
    """What came out of judging a signal: all verdicts, and a recommendation when none refused."""

    verdicts: tuple[Verdict, ...]
    recommendation: Recommendation | None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the gates that refused, in their order."""
        return tuple(one.code for one in self.verdicts if one.code is not None)


def decide(portfolio: Portfolio, signal_id: str, settings: Settings) -> tuple[AnyFact, ...]:
    """Everything that follows from judging one due signal now."""
    signal = portfolio.signals[signal_id]
    released: tuple[AnyFact, ...] = ()
    if signal.phase is SignalPhase.QUEUED:
        released = (SignalReleased(signal.id),)
    if (barred := _barred(portfolio, signal, settings)) is not None:
        return (*released, _refused(signal, barred, settings))
    permission = permission_of(portfolio, signal, settings)
    if permission is Permission.QUEUE:
        until = portfolio.sessions.next_open(portfolio.now)
        return (*released, SignalQueued(signal.id, until, "queued_market_closed"))
    if permission is Permission.REFUSE:
        closed = Verdict("session", "market_closed", note="closed_market_mode is reject")
        return (*released, _refused(signal, closed, settings))
    choice = judge(portfolio, signal, settings)
    if choice.recommendation is None:
        return (*released, _refuse(portfolio, signal, choice, settings=settings))
    on, chosen = flags.names_on(settings), choice.recommendation
    if permission is Permission.DECIDE_ONLY:
        return (*released, SignalDecided(signal.id, "market_closed", choice.verdicts, chosen, on))
    order = orders.to_open(portfolio, signal, chosen, settings=settings.orders)
    return (*released, SignalApproved(signal.id, choice.verdicts, chosen, on), OrderCreated(order))


def _barred(portfolio: Portfolio, signal: Signal, settings: Settings) -> Verdict | None:
    """What ends a signal before the session is asked: its age, or that there is no market to judge it on."""
    stale = gates.age(portfolio, signal, settings.gates)
    if not stale.passed:
        return stale
    if portfolio.chosen is not None and portfolio.chosen.kind is MarketKind.NONE:
        return Verdict("market_known", "market_data_unavailable", note="no market was chosen")
    return None


def _refused(signal: Signal, verdict: Verdict, settings: Settings) -> SignalRefused:
    """The refusal by one verdict alone."""
    return SignalRefused(signal.id, verdict.code or "", (), (verdict,), flags.names_on(settings))


def permission_of(portfolio: Portfolio, signal: Signal, settings: Settings) -> Permission:
    """What the session allows: regular hours trade, everything else is the closed-market mode.

    A bar-close alert stamped in session and received within the grace after the bell is judged, never traded.
    With extended hours allowed, a signal in them is judged at the open, when listed options trade.
    """
    session, calendar, now = settings.session, portfolio.sessions, portfolio.now
    phase = calendar.phase(now)
    if phase is SessionPhase.RTH:
        return Permission.TRADE
    last = calendar.session_at_or_before(now)
    if last.open <= signal.entry.at <= last.close <= now <= last.close + session.close_grace_s * SECOND:
        return Permission.DECIDE_ONLY
    if phase is SessionPhase.ETH:
        before_open = calendar.session_on(calendar.day_of(now)) is not None and last.close < calendar.midnight_of(
            calendar.day_of(now)
        )
        if session.allow_premarket if before_open else session.allow_afterhours:
            return Permission.QUEUE
    return {
        "queue": Permission.QUEUE,
        "decision_only": Permission.DECIDE_ONLY,
        "reject": Permission.REFUSE,
    }[session.closed_market_mode]


def judge(portfolio: Portfolio, signal: Signal, settings: Settings) -> Choice:
    """Ask every gate; if all let the signal through, choose the contract and size, and ask the gates on cost."""
    verdicts = tuple(gate(portfolio, signal, settings.gates) for gate in gates.GATES)
    if any(not one.passed for one in verdicts):
        return Choice(verdicts, None)
    listed = _contract(portfolio, signal, settings)
    if isinstance(listed, Verdict):
        return Choice((*verdicts, listed), None)
    found = _recommend(portfolio, signal, listed, settings=settings)
    return Choice((*verdicts, *found.verdicts), found.recommendation)


def _contract(portfolio: Portfolio, signal: Signal, settings: Settings) -> Contract | Verdict:
    entry, calendar = signal.entry, portfolio.sessions
    spot = portfolio.market.spots[entry.symbol].price
    today = calendar.day_of(portfolio.now)
    chain = tuple(one for one in portfolio.market.chain(entry.symbol) if one.expiry >= today)
    if not chain:
        return Verdict("contract", "market_data_unavailable", note="no option chain")
    if entry.contract is not None:
        chosen = strikes.named(chain, entry.contract, settings.strikes, spot=spot)
        wanted = entry.contract.strike
    else:
        right = strikes.right_of(entry.direction)
        wanted = strikes.wanted_strike(spot, right)
        expiry = strikes.expiry_of(chain, settings.profile_of(signal), today=today, calendar=calendar)
        chosen = strikes.snap((one for one in chain if one.expiry == expiry), wanted, right)
        if chosen is not None and not strikes.near_enough(chosen, wanted, spot=spot, limits=settings.strikes):
            chosen = None
    if chosen is None:
        return Verdict("contract", "contract_not_listed", wanted, unit="usd", note="wanted strike")
    last_trade_at = calendar.last_trade_at(chosen)
    if last_trade_at is None or calendar.expiry_instant(chosen) is None:
        return Verdict("contract", "contract_not_listed", note="expires beyond the adopted calendar")
    if last_trade_at <= portfolio.now:
        # An AM-settled contract is listed on its last day, but stopped trading the day before.
        return Verdict("contract", "contract_not_listed", note="has stopped trading")
    return chosen


def _recommend(portfolio: Portfolio, signal: Signal, contract: Contract, *, settings: Settings) -> Choice:
    ledger = signal.book
    quote = portfolio.market.quote(contract.occ)
    if quote is None or quote.mark is None or quote.ask is None:
        return Choice((Verdict("quote_fresh", "quote_stale", note="no two-sided quote"),), None)
    fresh = gates.quote_fresh(portfolio, quote, settings.gates)
    levels = gates.own_levels(signal, quote.mark)
    held = _already_held(portfolio, contract, ledger, settings=settings)
    if not (fresh.passed and levels.passed and held.passed):
        return Choice((fresh, levels, held), None)
    # The limit leaves room for what the fill model charges, or no entry would ever fill under it.
    at_worst = max(quote.ask, fills.model_price(quote, Side.BUY, settings.fills) or 0)
    limit = orders.limit_price(at_worst, contract, settings.orders, settings.ticks)
    commission = settings.fills.commission_per_contract_usd
    equity = portfolio.equity(ledger)
    quantity = sizing.contracts(settings.sizing, equity=equity, limit_price=limit, commission=commission)
    size = Verdict("size", None if quantity else "size_zero", quantity, 1, quantity - 1, "count")
    if not quantity:
        return Choice((fresh, levels, held, size), None)
    premium = money.notional(limit, quantity)
    cost = premium + commission * quantity
    exposure = gates.exposure(portfolio, ledger, cost=premium, limits=settings.gates)
    power = gates.buying_power(portfolio, ledger, cost=cost, commission=commission)
    verdicts = (fresh, levels, held, size, exposure, power)
    if not exposure.passed or not power.passed:
        return Choice(verdicts, None)
    spot = portfolio.market.spots[signal.entry.symbol]
    return Choice(
        verdicts,
        Recommendation(
            engine=ENGINE,
            contract=contract,
            quantity=quantity,
            entry_price=quote.mark,
            limit_price=limit,
            bid=quote.bid,
            ask=quote.ask,
            quote_at=quote.at,
            spot=spot.price,
            spot_at=spot.at,
            worst_cost=cost,
            market_source=portfolio.market.source,
        ),
    )


def _already_held(portfolio: Portfolio, contract: Contract, ledger: str, *, settings: Settings) -> Verdict:
    if settings.orders.add_to_position:
        return Verdict("already_held", None, note="adding is allowed")
    held = any(one.contract == contract and one.book == ledger for one in portfolio.live_positions())
    pending = any(one.contract == contract for one in gates.pending_entries(portfolio, ledger))
    return Verdict("already_held", "duplicate_position" if held or pending else None)


def _refuse(portfolio: Portfolio, signal: Signal, choice: Choice, *, settings: Settings) -> AnyFact:
    code, *contributing = choice.codes
    if REASONS[code].retryable and signal.attempts == 0:
        again = portfolio.now + settings.session.retry_delay_s * SECOND
        return SignalRetryScheduled(signal.id, again, code, choice.verdicts)
    return SignalRefused(signal.id, code, tuple(contributing), choice.verdicts, flags.names_on(settings))
