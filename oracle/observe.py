"""A plan to one tick: asks a feed, keeps what changed, prices and quantises it. Nothing is remembered between ticks.

What was observed before is read from the portfolio alone, so that a restarted process observes the same.
"""

from typing import NamedTuple

import numpy as np

from oracle import pricing
from oracle.implied import implied_vol
from oracle.market.port import Carry, Feed, Ints, RawQuotes
from oracle.pricing import Terms
from rules.wants import Plan
from state import contract as contracts
from state.calendar import Calendar
from state.contract import Right
from state.inputs import TickReached
from state.market import ASK_PRESENT, COLUMNS, GREEKS_KNOWN, SIZES_KNOWN, MarketColumns, MarketView, Mask
from state.money import MICROS_PER_USD
from state.portfolio import Portfolio

IV_STEPS = 1_000_000
"""IV counts in millionths, below what a quote can mean, and greeks follow from the rounded IV.

Processors differ in the last bit of exponentials and logarithms. Such bits, thrown in by chance, changed greeks of 16
among 39,000 American quotes of a recorded chain, those priced within a bit of intrinsic; with rounded IV, of none.
"""

_QUOTED = ("at", "bid", "ask", "bid_size", "ask_size", "flags")
_FED = ASK_PRESENT | SIZES_KNOWN
_GREEKS = ("iv", "delta", "gamma", "theta", "vega", "rho")


class Observer:
    """Turns plans into ticks. What it keeps of contracts only saves time: it follows from symbol and calendar."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._catalogue: _Catalogue | None = None

    def observe(self, portfolio: Portfolio, plan: Plan, now: int) -> TickReached:
        """The tick at `now` (ns UTC): what the feed knows of the plan and the portfolio does not; None if nothing.

        A quote is priced when it is first seen, at the spot and the time to expiry of that moment. Raises LawBroken
        when no calendar was adopted or `now` lies outside it.
        """
        calendar, view = portfolio.sessions, portfolio.market
        if self._catalogue is None or self._catalogue.calendar is not calendar:
            self._catalogue = _Catalogue(calendar)
        raw = self._feed.observe(plan, now, calendar=calendar)
        spots = tuple(one for one in raw.spots if view.spots.get(one.symbol) != one)
        prints = tuple(
            one for one in raw.settlements if view.settlements.get((one.symbol, one.day, one.opening)) != one
        )
        rows, listed = _placed(view, raw.contracts)
        changed = np.flatnonzero(_changed(view, raw, rows))
        if not (len(changed) or spots or prints or raw.source != view.source):
            return TickReached(None, raw.missed)

        columns = {name: getattr(raw, name)[changed] for name in _QUOTED}
        known = [self._catalogue[raw.contracts[row]] for row in changed.tolist()]
        spot_of = {one.symbol: one.price for one in (*view.spots.values(), *raw.spots)}
        terms, usable = _terms(known, spot_of, now, carry=self._feed.carry)
        _price(columns, terms, usable)
        seen = MarketColumns(
            source=raw.source,
            spots=spots,
            settlements=prints,
            listed=listed,
            rows=rows[changed].astype("<i4").tobytes(),
            **{name: columns[name].astype(kind).tobytes() for name, kind in COLUMNS},
        )
        return TickReached(seen, raw.missed)


# -- what changed ---------------------------------------------------------------------------------------------------


def _placed(view: MarketView, symbols: tuple[str, ...]) -> tuple[Ints, tuple[str, ...]]:
    """(the row of each contract in the contract table, the contracts to be appended to it)."""
    rows = np.fromiter((view.rows.get(occ, -1) for occ in symbols), np.int64, len(symbols))
    new = np.flatnonzero(rows < 0)
    rows[new] = len(view.contracts) + np.arange(len(new))
    return rows, tuple(symbols[place] for place in new.tolist())


def _changed(view: MarketView, raw: RawQuotes, rows: Ints) -> Mask:
    """Which quotes are not what the view holds, in any column."""
    changed = np.ones(len(rows), np.bool_)
    held = rows < len(view.contracts)
    differs = np.zeros(int(held.sum()), np.bool_)
    for name in _QUOTED:
        column = view.column(name)[rows[held]]
        differs |= (column & _FED if name == "flags" else column) != getattr(raw, name)[held]
    changed[held] = differs
    return changed


# -- pricing --------------------------------------------------------------------------------------------------------


class _Known(NamedTuple):
    """What pricing needs of a contract and no quote changes. `expiry` is its instant, 0 outside the calendar."""

    underlying: str
    strike: float
    sign: float
    american: bool
    expiry: int


class _Catalogue(dict[str, _Known]):
    """Contracts read from their symbols, each once."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar

    def __missing__(self, occ: str) -> _Known:
        one = contracts.parse(occ)
        known = self[occ] = _Known(
            underlying=one.underlying,
            strike=one.strike / MICROS_PER_USD,
            sign=1.0 if one.right is Right.CALL else -1.0,
            american=not one.european,
            expiry=self.calendar.expiry_instant(one) or 0,
        )
        return known


def _terms(known: list[_Known], spot_of: dict[str, int], now: int, *, carry: Carry) -> tuple[Terms, Mask]:
    """(terms, which are usable). Rows without a spot or an expiry instant hold 1.0 instead, and are not usable."""
    spot = np.array([spot_of.get(one.underlying, 0) for one in known], np.float64) / MICROS_PER_USD
    expiry = np.array([one.expiry for one in known], np.int64)
    usable = (spot > 0.0) & (expiry > 0)
    terms = Terms(
        spot=np.where(usable, spot, 1.0),
        strike=np.array([one.strike for one in known], np.float64),
        years=np.where(usable, pricing.time_to_expiry(expiry, now), 1.0),
        rate=np.full(len(known), carry.rate),
        dividend=np.array([carry.dividend(one.underlying) for one in known], np.float64),
        sign=np.array([one.sign for one in known], np.float64),
        american=np.array([one.american for one in known], np.bool_),
    )
    return terms, usable


def _price(columns: dict[str, Ints], terms: Terms, usable: Mask) -> None:
    """Add IV and greeks to quote columns, from the mid; where there is none or it says nothing, zeros and no flag."""
    bid, ask, flags = columns["bid"], columns["ask"], columns["flags"]
    marked = ((flags & ASK_PRESENT) != 0) & (ask > 0) & (bid <= ask)
    vol, informed = implied_vol(terms, (bid + ask) / (2.0 * MICROS_PER_USD))
    vol = np.rint(vol * IV_STEPS) / IV_STEPS
    known = usable & marked & informed & (vol > 0.0)
    greeks = pricing.quantise_values(pricing.price_and_greeks(terms, vol), vol)
    for name in _GREEKS:
        columns[name] = np.where(known, getattr(greeks, name), 0)
    columns["flags"] = flags | np.where(known, GREEKS_KNOWN, 0)
