"""A plan to one tick: asks a feed, keeps what changed, prices and quantises it. Nothing is remembered between ticks.

What was observed before is read from the portfolio alone, so that a restarted process observes the same.
"""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec.structs import replace

from oracle.market.coming import RawTicks
from oracle.market.port import Feed, Ints, RawQuotes
from oracle.market.valuing import Catalogue
from rules.wants import Plan
from state.calendar import Calendar
from state.inputs import TickReached
from state.market import ASK_PRESENT, FED, QUOTE, SIZES_KNOWN, MarketColumns, MarketView, Mask, Table
from state.portfolio import Portfolio
from state.stretch import SPOT, Stretch

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
        view = portfolio.market
        raw = self._feed.observe(plan, now, calendar=portfolio.sessions)
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
            quotes=self._priced(raw, changed, portfolio, now).astype("<i8", copy=False).tobytes(),
        )
        return TickReached(seen, raw.missed)

    def stretch(self, portfolio: Portfolio, raw: RawTicks, passing: Callable[[Stretch], int]) -> Stretch | None:
        """The first ticks at the instants of `raw`, each as `observe` gives it when those before it decided nothing.

        `passing` says how many of them pass, and is shown them before anything is priced. None when not even two do.
        """
        view, catalogue = portfolio.market, self._catalogue_of(portfolio.sessions)
        rows = self._rows.of(view, raw.codes, self._feed.symbols)
        changed = np.flatnonzero(_changed(view, raw.quotes, rows))
        ticks, codes, rows = raw.ticks[changed], raw.codes[changed], rows[changed]
        new = np.flatnonzero(rows < 0)
        # The first quote of each contract that is not listed yet lists it.
        listed = {code: ticks[place] for code, place in zip(codes[new[::-1]].tolist(), new[::-1].tolist(), strict=True)}
        order = dict.fromkeys(codes[new].tolist())
        numbers = {code: len(view.contracts) + number for number, code in enumerate(order)}
        rows[new] = [numbers[code] for code in codes[new].tolist()]
        quotes = raw.quotes[changed]
        coming = Stretch(
            source=view.source,
            instants=raw.instants.astype("<i8", copy=False).tobytes(),
            symbols=tuple(raw.spots),
            spots=_spots(view, raw).astype("<i8", copy=False).tobytes(),
            listed=tuple(self._feed.symbols[code] for code in order),
            listed_in=np.array([listed[code] for code in order], "<u4").tobytes(),
            ticks=ticks.astype("<u4").tobytes(),
            rows=rows.astype("<u4").tobytes(),
            quotes=quotes.astype("<i8", copy=False).tobytes(),
        )
        count = passing(coming)
        if count < 2:
            return None
        # What does not pass is seen again, and priced then.
        passed = coming.first(count)
        kept = slice(len(passed.rows) // 4)
        spot = _prices(catalogue, view, raw)[ticks[kept], catalogue.underlying[codes[kept]]]
        catalogue.complete(quotes[kept], codes[kept], spot, raw.instants[ticks[kept]])
        return replace(passed, quotes=quotes[kept].astype("<i8", copy=False).tobytes())

    def _priced(self, raw: RawQuotes, changed: Ints, portfolio: Portfolio, now: int) -> Table:
        """Whole rows of the quotes that changed; those the feed has valued at this spot and instant are whole already."""
        catalogue, view = self._catalogue_of(portfolio.sessions), portfolio.market
        codes, quotes = raw.codes[changed], raw.quotes[changed]
        spot_of = {one.symbol: one.price for one in (*view.spots.values(), *raw.spots)}
        prices = np.array([spot_of.get(symbol, 0) for symbol in catalogue.underlyings], np.int64)
        spot = prices[catalogue.underlying[codes]]
        if raw.spots_valued is None:
            catalogue.complete(quotes, codes, spot, now)
            return quotes
        late = np.flatnonzero((quotes[:, _AT] != now) | (raw.spots_valued[changed] != spot))
        if len(late):
            anew = quotes[late]
            catalogue.complete(anew, codes[late], spot[late], now)
            quotes[late] = anew
        return quotes

    def _catalogue_of(self, calendar: Calendar) -> Catalogue:
        if self._catalogue is None or self._catalogue.calendar is not calendar:
            self._catalogue = Catalogue(calendar, self._feed.carry)
        self._catalogue.read(self._feed.symbols)
        return self._catalogue


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
        unknown = np.unique(codes[rows < 0]).tolist()
        if unknown:
            self._row[unknown] = [view.rows.get(symbols[code], -1) for code in unknown]
            rows = self._row[codes]
        return rows


def _changed(view: MarketView, quotes: Table, rows: Ints) -> Mask:
    """Which quotes are not what the view holds, in any value that is told; those it does not hold are not asked for."""
    differs: Mask = (view.known_at(rows) != quotes[:, _AT]) | (rows < 0)
    # Most quotes are of another instant than those that are held; only the others are compared value by value.
    same = np.flatnonzero(~differs)
    differs[same] = (((view.fed(rows[same]) ^ quotes[same, :FED]) & _TOLD) != 0).any(axis=1)
    return differs


def _prices(catalogue: Catalogue, view: MarketView, raw: RawTicks) -> Table:
    """The price of every underlying at each instant, 0 where it is not known; what the instant does not tell is as before."""
    prices = np.zeros((len(raw.instants), len(catalogue.underlyings)), np.int64)
    for symbol, number in catalogue.underlyings.items():
        before = view.spots.get(symbol)
        prices[:, number] = 0 if before is None else before.price
        if symbol in raw.spots:
            price, known_at = raw.spots[symbol]
            np.copyto(prices[:, number], price, where=known_at > 0)
    return prices


def _spots(view: MarketView, raw: RawTicks) -> Table:
    """The spots that changed from one instant to the next, as rows of `state.stretch.SPOT`."""
    rows = []
    for place, (symbol, (price, known_at)) in enumerate(raw.spots.items()):
        before = view.spots.get(symbol)
        # A price is told by its own instant: one known since before is the one that the view holds.
        newer = np.diff(known_at, prepend=0 if before is None else before.at) != 0
        changed = np.flatnonzero(newer & (known_at > 0))
        told = np.empty((len(changed), len(SPOT)), np.int64)
        told[:, 0], told[:, 1], told[:, 2], told[:, 3] = changed, place, price[changed], known_at[changed]
        rows.append(told)
    every = np.concatenate(rows) if rows else np.zeros((0, len(SPOT)), np.int64)
    return every[np.argsort(every[:, 0], kind="stable")]
