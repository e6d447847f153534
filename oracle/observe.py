"""A plan to one tick: asks a feed, keeps what changed, prices and quantises it. Nothing is remembered between ticks.

What was observed before is read from the portfolio alone, so that a restarted process observes the same.
"""

from collections.abc import Sequence

import numpy as np

from oracle.market.port import Feed, Ints, RawQuotes
from oracle.market.valuing import Catalogue
from rules.wants import Plan
from state.inputs import TickReached
from state.market import ASK_PRESENT, FED, QUOTE, SIZES_KNOWN, MarketColumns, MarketView, Mask, Table
from state.portfolio import Portfolio

_TOLD = np.full(FED, -1, np.int64)
_TOLD[QUOTE.index("flags")] = ASK_PRESENT | SIZES_KNOWN
"""The bits of a kept quote that a feed tells."""

_AT = QUOTE.index("at")


class Observer:
    """Turns plans into ticks. What it keeps only saves time: it follows from the feed's symbols, calendar and view."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._catalogue: Catalogue | None = None
        self._rows = _Rows()

    def observe(self, portfolio: Portfolio, plan: Plan, now: int) -> TickReached:
        """The tick at `now` (ns UTC): what the feed knows of the plan and the portfolio does not; None if nothing.

        A quote is priced when it is first seen, at the spot and the time to expiry of that moment. Raises LawBroken
        when no calendar was adopted or `now` lies outside it.
        """
        calendar, view = portfolio.sessions, portfolio.market
        if self._catalogue is None or self._catalogue.calendar is not calendar:
            self._catalogue = Catalogue(calendar, self._feed.carry)
        raw = self._feed.observe(plan, now, calendar=calendar)
        spots = tuple(one for one in raw.spots if view.spots.get(one.symbol) != one)
        prints = tuple(
            one for one in raw.settlements if view.settlements.get((one.symbol, one.day, one.opening)) != one
        )
        rows = self._rows.of(view, raw.codes, self._feed.symbols)
        changed = np.flatnonzero(_changed(view, raw.quotes, rows))
        if not (len(changed) or spots or prints or raw.source != view.source):
            return TickReached(None, raw.missed)
        new = np.flatnonzero(rows < 0)
        rows[new] = len(view.contracts) + np.arange(len(new))
        seen = MarketColumns(
            source=raw.source,
            spots=spots,
            settlements=prints,
            listed=tuple(self._feed.symbols[code] for code in raw.codes[new].tolist()),
            rows=rows[changed].astype("<i4").tobytes(),
            quotes=self._priced(raw, changed, view, now).astype("<i8", copy=False).tobytes(),
        )
        return TickReached(seen, raw.missed)

    def _priced(self, raw: RawQuotes, changed: Ints, view: MarketView, now: int) -> Table:
        """Whole rows of the quotes that changed; those the feed has valued at this spot and instant are whole already."""
        codes, quotes = raw.codes[changed], raw.quotes[changed]
        if not len(changed) or self._catalogue is None:
            return quotes
        catalogue = self._catalogue
        catalogue.read(self._feed.symbols)
        spot_of = {one.symbol: one.price for one in (*view.spots.values(), *raw.spots)}
        prices = np.array([spot_of.get(symbol, 0) for symbol in catalogue.underlyings], np.int64)
        spot = prices[catalogue.underlying[codes]]
        left: slice | Mask = slice(None)
        if raw.spots_valued is not None:
            late = (quotes[:, _AT] != now) | (raw.spots_valued[changed] != spot)
            if not late.any():
                return quotes
            codes, spot, left = codes[late], spot[late], late
        quotes[left] = catalogue.complete(quotes[left], codes, spot, now)
        return quotes


class _Rows:
    """Where the contracts of a feed stand in the contract table, by their codes; -1 where that is not known."""

    def __init__(self) -> None:
        self._view: MarketView | None = None
        self._renumbered = 0
        self._row: Ints = np.zeros(0, np.int64)

    def of(self, view: MarketView, codes: Ints, symbols: Sequence[str]) -> Ints:
        """The row of each contract, -1 for those that are not listed yet."""
        if self._view is not view or self._renumbered != view.renumbered:
            self._view, self._renumbered, self._row = view, view.renumbered, self._row[:0]
        if len(self._row) < len(symbols):
            missing = len(symbols) - len(self._row)
            self._row = np.concatenate([self._row, np.full(missing, -1, np.int64)])
        rows: Ints = self._row[codes]
        for place in np.flatnonzero(rows < 0).tolist():
            code = int(codes[place])
            rows[place] = self._row[code] = view.rows.get(symbols[code], -1)
        return rows


def _changed(view: MarketView, quotes: Table, rows: Ints) -> Mask:
    """Which quotes are not what the view holds, in any value that is told; those it does not hold are not asked for."""
    differs: Mask = (((view.fed(rows) ^ quotes[:, :FED]) & _TOLD) != 0).any(axis=1)
    return differs | (rows < 0)
