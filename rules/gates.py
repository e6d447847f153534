"""The ordered gates every signal passes: each returns a verdict with value, threshold and margin, never a bare bool."""

from collections.abc import Callable

import msgspec

from state.calendar import SECOND, Calendar
from state.calendar import Phase as SessionPhase
from state.contract import Contract
from state.market import Quote
from state.money import BASIS_POINTS, Count, Pct, Usd
from state.order import Intent, Order
from state.portfolio import Portfolio
from state.signal import Signal, Verdict


class GateLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits on what may be opened. A daily number of entries of 0 is no limit; exits are never limited."""

    signal_age_s_max: Count = 1_800
    queued_age_s_max: Count = 345_600
    queued_drift_pct_max: Pct = 200
    spot_age_s_max: Count = 180
    quote_age_s_max: Count = 120
    open_positions_max: Count = 5
    positions_per_symbol_max: Count = 3
    exposure_usd_max: Usd = 10_000_000_000
    exposure_pct_max: Pct = 2_000
    daily_loss_usd_max: Usd = 1_000_000_000
    daily_entries_max: Count = 0
    no_entry_before_close_s: Count = 300


def traded_age(calendar: Calendar, at: int, now: int, contract: Contract | None = None) -> int:
    """Nanoseconds a price of the underlying, or of a contract, has aged; after its own close it ages no further."""
    session = calendar.session_at_or_before(now)
    close = None if contract is None else calendar.trading_close(contract, session.day)
    return max(0, min(now, session.close if close is None else close) - at)


def pending_entries(portfolio: Portfolio, ledger: str) -> tuple[Order, ...]:
    """Working orders to open in a ledger: capacity they may still take is reserved."""
    return tuple(one for one in portfolio.working_orders() if one.intent is Intent.OPEN and one.book == ledger)


class Bound(msgspec.Struct, frozen=True):
    """One gate's name, the code it refuses with, and what its values count."""

    gate: str
    code: str
    unit: str

    def at_most(self, value: int, most: int) -> Verdict:
        """Passed while value <= most."""
        return Verdict(self.gate, None if value <= most else self.code, value, most, most - value, self.unit)

    def below(self, value: int, limit: int) -> Verdict:
        """Passed while value < limit."""
        return Verdict(self.gate, None if value < limit else self.code, value, limit, limit - value, self.unit)


_AGE = Bound("age", "signal_stale", "s")
_MARKET_KNOWN = Bound("market_known", "market_data_unavailable", "s")
_QUEUED_DRIFT = Bound("queued_drift", "price_drift_exceeded", "bp")
_OPEN_POSITIONS = Bound("open_positions", "max_open_positions_exceeded", "count")
_SYMBOL_POSITIONS = Bound("symbol_positions", "max_positions_per_symbol_exceeded", "count")
_DAILY_LOSS = Bound("daily_loss", "daily_loss_limit_reached", "usd")
_DAILY_ENTRIES = Bound("daily_entries", "daily_trade_cap_reached", "count")
_EXPOSURE = Bound("exposure", "exposure_exceeded", "usd")
_BUYING_POWER = Bound("buying_power", "insufficient_buying_power", "usd")
_QUOTE_FRESH = Bound("quote_fresh", "quote_stale", "s")


def halted(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """Nothing is opened while anything halts entries; the first halt in force is the reason, its words the note."""
    for halt in portfolio.halts.values():
        return Verdict("halted", halt.code, note=halt.words)
    return Verdict("halted", None, note="nothing is halted")


def age(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """Too old to act on. A signal that waited for the open is judged by how long it may wait."""
    waited = signal.queued_at is not None
    most = limits.queued_age_s_max if waited else limits.signal_age_s_max
    seconds = (portfolio.now - min(signal.entry.at, portfolio.now)) // SECOND
    return _AGE.at_most(seconds, most)


def near_close(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """No entry in the last minutes before the regular close."""
    calendar = portfolio.sessions
    if calendar.phase(portfolio.now) is not SessionPhase.RTH:
        return Verdict("near_close", None, note="not in regular hours")
    left = (calendar.session_at_or_before(portfolio.now).close - portfolio.now) // SECOND
    code = None if left >= limits.no_entry_before_close_s else "too_close_to_close"
    least = limits.no_entry_before_close_s
    return Verdict("near_close", code, left, least, left - least, "s")


def market_known(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """A fresh price of the underlying is known."""
    spot = portfolio.market.spots.get(signal.entry.symbol)
    if spot is None:
        return Verdict("market_known", "market_data_unavailable", note="no price of the underlying")
    seconds = traded_age(portfolio.sessions, spot.at, portfolio.now) // SECOND
    return _MARKET_KNOWN.at_most(seconds, limits.spot_age_s_max)


def queued_drift(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """A signal that waited for the open is dropped when the underlying has left the price it was sent at."""
    spot, sent = portfolio.market.spots.get(signal.entry.symbol), signal.entry.price
    if signal.queued_at is None or spot is None or not sent:
        return Verdict("queued_drift", None, note="did not wait, or no price to compare")
    drift = abs(spot.price - sent) * BASIS_POINTS // sent
    return _QUEUED_DRIFT.at_most(drift, limits.queued_drift_pct_max)


def open_positions(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """Room for one more position, entries in flight included."""
    ledger = signal.book
    held = portfolio.ledgers[ledger].live + len(_new_positions(portfolio, ledger))
    limit = limits.open_positions_max
    return _OPEN_POSITIONS.below(held, limit)


def symbol_positions(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """Room for one more position in the symbol, entries in flight included."""
    ledger, symbol = signal.book, signal.entry.symbol
    pending = sum(one.contract.underlying == symbol for one in _new_positions(portfolio, ledger))
    held = portfolio.ledgers[ledger].live_by_symbol.get(symbol, 0) + pending
    limit = limits.positions_per_symbol_max
    return _SYMBOL_POSITIONS.below(held, limit)


def daily_loss(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """Realized plus unrealized loss of the New York day, up to but not at the limit."""
    ledger = signal.book
    loss = portfolio.today(ledger).equity_start - portfolio.equity(ledger)
    limit = limits.daily_loss_usd_max
    return _DAILY_LOSS.below(loss, limit)


def daily_entries(portfolio: Portfolio, signal: Signal, limits: GateLimits) -> Verdict:
    """Entry fills of the New York day plus entries in flight; exits are not counted."""
    if limits.daily_entries_max == 0:
        return Verdict("daily_entries", None, note="no limit")
    ledger = signal.book
    unfilled = sum(one.quantity_filled == 0 for one in pending_entries(portfolio, ledger))
    taken = portfolio.today(ledger).entries_filled + unfilled
    limit = limits.daily_entries_max
    return _DAILY_ENTRIES.below(taken, limit)


Gate = Callable[[Portfolio, Signal, GateLimits], Verdict]

GATES: tuple[Gate, ...] = (
    halted,
    age,
    near_close,
    open_positions,
    symbol_positions,
    daily_loss,
    daily_entries,
    market_known,
    queued_drift,
)
"""In this order; all are asked, the first refusal is the primary code."""


def exposure(portfolio: Portfolio, ledger: str, *, cost: int, limits: GateLimits) -> Verdict:
    """Cost of open positions, worst cost of entries in flight and of this one, against both exposure limits."""
    carried = portfolio.ledgers[ledger].cost_open
    pending = sum(one.worst_cost for one in pending_entries(portfolio, ledger))
    by_equity = max(0, portfolio.equity(ledger)) * limits.exposure_pct_max // BASIS_POINTS
    most = min(limits.exposure_usd_max, by_equity)
    return _EXPOSURE.at_most(carried + pending + cost, most)


def buying_power(portfolio: Portfolio, ledger: str, *, cost: int, commission: int) -> Verdict:
    """Cash not promised to entries in flight pays for this one at its worst, `commission` per contract included."""
    entries = pending_entries(portfolio, ledger)
    pending = sum(one.worst_cost + commission * one.quantity_left for one in entries)
    free = portfolio.ledgers[ledger].cash - pending
    return _BUYING_POWER.at_most(cost, free)


def quote_fresh(portfolio: Portfolio, quote: Quote, limits: GateLimits) -> Verdict:
    """The quote of the chosen contract is young enough to decide on."""
    seconds = traded_age(portfolio.sessions, quote.at, portfolio.now, quote.contract) // SECOND
    return _QUOTE_FRESH.at_most(seconds, limits.quote_age_s_max)


def own_levels(signal: Signal, mark: int) -> Verdict:
    """An alert's own stop lies below the mark and its own target above it, or it would leave at once."""
    entry = signal.entry
    if not entry.own_levels:
        return Verdict("own_levels", None, note="none of its own")
    if entry.stop is not None and entry.stop >= mark:
        return Verdict("own_levels", "levels_unusable", mark, entry.stop, mark - entry.stop, "usd", "stop")
    if entry.target is not None and entry.target <= mark:
        return Verdict("own_levels", "levels_unusable", mark, entry.target, entry.target - mark, "usd", "target")
    return Verdict("own_levels", None, note="on their sides of the mark")


def _new_positions(portfolio: Portfolio, ledger: str) -> tuple[Order, ...]:
    """One entry in flight for each position that entries in flight will open."""
    opening = (one for one in pending_entries(portfolio, ledger) if one.position_id not in portfolio.book.row_of)
    return tuple({one.position_id: one for one in opening}.values())
