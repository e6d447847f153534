"""The newest row of each contract of a recording at a moving clock, and which contracts that makes listed."""

import numpy as np

from oracle.market.chains import Chain, Listing
from oracle.market.recording import Quotes
from state.market import Mask


class Latest:
    """The newest row of each contract, at a clock that moves forward; asked to go back, it starts anew.

    `read` rows were let in. `row` and `at` (ns UTC) tell each contract's newest, by its code: -1 and 0 for none yet.
    """

    def __init__(self, quotes: Quotes) -> None:
        self._quotes = quotes
        self.read = 0
        self.row = np.full(len(quotes.contracts), -1, np.int64)
        self.at = np.zeros(len(quotes.contracts), np.int64)

    def move(self, now: int) -> None:
        """Let in every row known at `now`, and no other."""
        end = int(np.searchsorted(self._quotes.at, now, "right"))
        if end < self.read:
            self.read = 0
            self.row.fill(-1)
            self.at.fill(0)
        # Of several rows of one contract the last is assigned last, and stays.
        codes = self._quotes.code[self.read : end]
        self.row[codes] = np.arange(self.read, end)
        self.at[codes] = self._quotes.at[self.read : end]
        self.read = end

    def listed(self, chain: Chain, listing: Listing, today: int) -> Mask:
        """Which contracts of a chain are listed: quoted today (since that instant), or last when nothing was today."""
        listed: Mask = self.at[chain.codes] >= today
        if not listed.any():
            listed = self.at[chain.codes] >= max(1, min(today, int(self.at[listing.codes].max())))
        return listed
