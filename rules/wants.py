"""What must be observed: a plan that follows from inputs (alerts, the market, what is held), not from decisions."""

from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

from state.calendar import SECOND
from state.money import Count
from state.portfolio import Portfolio


class WantSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`strikes_each_side`: how many listed strikes on each side of the underlying are observed per expiry.

    Chains are observed once per `chain_interval_s`, and whenever a signal of their symbol is due; what is held, worked for
    or named, at every look.
    """

    strikes_each_side: Count = 5
    chain_interval_s: Count = 60


class ChainSlice(msgspec.Struct, frozen=True):
    """Expiries of one underlying from `first` to `last`, calls and puts, nearest strikes on each side of its price."""

    symbol: str
    first: date
    last: date
    strikes_each_side: int


class SettlementWanted(msgspec.Struct, frozen=True):
    """The official settlement value of an underlying on an expiration date; `opening` tells AM from PM."""

    symbol: str
    day: date
    opening: bool


class Plan(msgspec.Struct, frozen=True):
    """What one cycle has to observe."""

    symbols: tuple[str, ...]
    slices: tuple[ChainSlice, ...]
    contracts: tuple[str, ...]
    settlements: tuple[SettlementWanted, ...]


def anything(portfolio: Portfolio) -> bool:
    """Whether a plan made now would hold anything: something is held, worked for, or watched for an alert's sake."""
    if len(portfolio.book) or portfolio.working:
        return True
    watches = (*portfolio.watches.values(), *portfolio.watched_contracts.values())
    return any(until >= portfolio.now for until in watches)


def plan(portfolio: Portfolio, settings: WantSettings, dte_of: dict[str, tuple[int, int]], *, now: int) -> Plan:
    """The plan for a cycle at `now`. `dte_of` gives (least, most) days to expiry that each profile may buy."""
    calendar = portfolio.sessions
    whole, due = _new_interval(portfolio, settings, now), _due(portfolio, now)
    symbols: dict[str, None] = {}
    slices: dict[tuple[str, str], ChainSlice] = {}
    for (symbol, profile), until in portfolio.watches.items():
        if until < now:
            continue
        symbols[symbol] = None
        if not (whole or symbol in due):
            continue
        least, most = dte_of[profile]
        today = calendar.day_of(now)
        first, last = today + timedelta(days=least), today + timedelta(days=most)
        slices[symbol, profile] = ChainSlice(symbol, first, last, settings.strikes_each_side)
    contracts = {occ: None for occ, until in portfolio.watched_contracts.items() if until >= now}
    contracts.update(dict.fromkeys(portfolio.book.held()))
    for ledger in portfolio.ledgers.values():
        symbols.update(dict.fromkeys(ledger.live_by_symbol))
    for order in portfolio.working_orders():
        contracts[order.contract.occ] = None
        symbols[order.contract.underlying] = None
    settlements = tuple(dict.fromkeys(_settlements(portfolio, now)))
    return Plan(tuple(symbols), tuple(slices.values()), tuple(contracts), settlements)


def _new_interval(portfolio: Portfolio, settings: WantSettings, now: int) -> bool:
    """Whether this is the first look since an interval of chains began."""
    interval = settings.chain_interval_s * SECOND
    return interval == 0 or now // interval > portfolio.ticked_at // interval


def _due(portfolio: Portfolio, now: int) -> set[str]:
    """The symbols of signals that are judged in a cycle at `now`: they are judged on what can be known then."""
    waiting = (portfolio.signals[one] for one in portfolio.undecided)
    return {one.entry.symbol for one in waiting if one.next_at is None or one.next_at <= now}


def _settlements(portfolio: Portfolio, now: int) -> Iterator[SettlementWanted]:
    """The prints that expired positions wait for."""
    book, calendar = portfolio.book, portfolio.sessions
    if not book.dated() or book.dated()[0] > now:
        return
    over = book.alive & (book.column("expires_at") <= now)
    for row in over.nonzero()[0]:
        contract = portfolio.positions[book.ids[row] or ""].contract
        day = calendar.day_of(int(book.column("expires_at")[row]))
        yield SettlementWanted(contract.underlying, day, contract.am_settled)
