"""What must be observed: a plan that follows from inputs (alerts, the market, what is held), not from decisions."""

from collections.abc import Iterator
from datetime import date, timedelta

import msgspec
import numpy as np
from msgspec.structs import replace

from state.book import NEVER
from state.calendar import SECOND
from state.market import Ints, Mask
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
    whole = with_chains(portfolio, settings, dte_of, now=now)
    if not whole.slices or _new_interval(settings, now, after=portfolio.ticked_at):
        return whole
    due = _due(portfolio, now)
    return replace(whole, slices=tuple(one for one in whole.slices if one.symbol in due))


def with_chains(portfolio: Portfolio, settings: WantSettings, dte_of: dict[str, tuple[int, int]], *, now: int) -> Plan:
    """The plan for a cycle at `now` that looks at the chains. It stands until the next decision, date or `steady_until`."""
    today = portfolio.sessions.day_of(now)
    symbols: dict[str, None] = {}
    slices: dict[tuple[str, str], ChainSlice] = {}
    for (symbol, profile), until in portfolio.watches.items():
        if until < now:
            continue
        symbols[symbol] = None
        least, most = dte_of[profile]
        first, last = today + timedelta(days=least), today + timedelta(days=most)
        slices[symbol, profile] = ChainSlice(symbol, first, last, settings.strikes_each_side)
    watched = tuple(occ for occ, until in portfolio.watched_contracts.items() if until >= now)
    for ledger in portfolio.ledgers.values():
        symbols.update(dict.fromkeys(ledger.live_by_symbol))
    orders, held = portfolio.working_orders(), portfolio.book.held()
    symbols.update(dict.fromkeys(one.contract.underlying for one in orders))
    ordered = tuple(one.contract.occ for one in orders)
    named = tuple(dict.fromkeys((*watched, *held, *ordered))) if watched or ordered else held
    settlements = tuple(dict.fromkeys(_settlements(portfolio, now)))
    return Plan(tuple(symbols), tuple(slices.values()), named, settlements)


def steady_until(portfolio: Portfolio) -> int:
    """The last instant (ns UTC) at which everything watched now is watched still."""
    watches = (*portfolio.watches.values(), *portfolio.watched_contracts.values())
    return min((until for until in watches if until >= portfolio.now), default=NEVER)


def looks(portfolio: Portfolio, settings: WantSettings, instants: Ints) -> Mask:
    """Which of coming cycles, one after another at these instants, look at the chains when nothing is due."""
    interval = settings.chain_interval_s * SECOND
    if not interval:
        return np.ones(len(instants), np.bool_)
    begun = instants // interval
    looked: Mask = np.diff(begun, prepend=portfolio.ticked_at // interval) > 0
    return looked


def _new_interval(settings: WantSettings, now: int, *, after: int) -> bool:
    """Whether a look is the first since an interval of chains began, after the look before it."""
    interval = settings.chain_interval_s * SECOND
    return interval == 0 or now // interval > after // interval


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
