"""The quotes of a recording priced many at a time, long before they are seen: what is known of each at its own instant.

It saves time and decides nothing: a quote that is first seen later than its instant, or at another spot, is priced anew.
"""

import numpy as np

from oracle.market.port import Carry, Ints
from oracle.market.recording import Recording
from oracle.market.valuing import Catalogue
from state.calendar import Calendar
from state.market import Table

AHEAD = 4
"""So many coming quotes of a contract are priced with the one that is wanted."""

_UNPRICED = -1


class Ahead:
    """The quote rows of one recording, priced where somebody came near them."""

    def __init__(self, recorded: Recording, carry: Carry) -> None:
        self._recorded, self._carry = recorded, carry
        self._catalogue: Catalogue | None = None
        quotes = recorded.quotes
        # The rows contract after contract, each by time; the place of each row among them, and where its contract ends.
        self._order = np.argsort(quotes.code, kind="stable")
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(self._order))
        self._end = np.cumsum(np.bincount(quotes.code, minlength=len(quotes.symbols)))
        self._spot = np.full(len(quotes.at), _UNPRICED, np.int64)

    def quotes(self, rows: Ints, calendar: Calendar) -> tuple[Table, Ints]:
        """(whole rows, the spots they were valued at), each at its own instant; see `oracle.market.port.RawQuotes`."""
        if self._catalogue is None or self._catalogue.calendar is not calendar:
            self._catalogue = Catalogue(calendar, self._carry)
            self._catalogue.read(self._recorded.quotes.symbols)
            self._spot[:] = _UNPRICED
        spots: Ints = self._spot[rows]
        if len(spots) and spots.min() == _UNPRICED:
            self._fill(rows[spots == _UNPRICED], self._catalogue)
            spots = self._spot[rows]
        return self._recorded.quotes.table[rows], spots

    def _fill(self, rows: Ints, catalogue: Catalogue) -> None:
        quotes = self._recorded.quotes
        places = self._place[rows][:, np.newaxis] + np.arange(AHEAD)
        coming = self._order[places[places < self._end[quotes.code[rows]][:, np.newaxis]]]
        coming = coming[self._spot[coming] == _UNPRICED]
        codes, at = quotes.code[coming], quotes.at[coming]
        self._spot[coming] = spots = self._spots(catalogue, codes, at)
        whole = quotes.table[coming]
        catalogue.complete(whole, codes, spots, at)
        quotes.table[coming] = whole

    def _spots(self, catalogue: Catalogue, codes: Ints, at: Ints) -> Ints:
        """The price of each contract's underlying at an instant each; 0 where it is not known."""
        found = np.zeros(len(codes), np.int64)
        underlying = catalogue.underlying[codes]
        for symbol, number in catalogue.underlyings.items():
            bars, mine = self._recorded.bars.get(symbol), np.flatnonzero(underlying == number)
            if bars is None or not len(mine):
                continue
            rows = np.searchsorted(bars.at, at[mine], "right") - 1
            found[mine] = np.where(rows >= 0, bars.close[rows], 0)
        return found
