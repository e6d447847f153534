"""No market at all, served as a feed. Deliberately absent: everything else."""

import numpy as np

from oracle.market.port import Carry, RawQuotes
from rules.wants import Plan
from state.calendar import Calendar
from state.market import QUOTE


class NoMarket:
    """A feed that knows nothing. It names nothing as missed either: that there is no market stands in the journal once."""

    source = "none"
    carry = Carry()
    symbols = ()

    def next_instant(self, after: int) -> int | None:  # noqa: ARG002  Whenever one asks.
        """Never: nothing becomes known."""
        return None

    def observe(self, plan: Plan, now: int, *, calendar: Calendar) -> RawQuotes:  # noqa: ARG002  The port asks so.
        """No price and no quote, at any instant."""
        return RawQuotes(self.source, (), (), np.zeros(0, np.int64), np.zeros((0, len(QUOTE)), np.int64))
