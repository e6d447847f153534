"""A recorded market served as a feed that never looks ahead: what is answered at an instant was known at it.

Deliberately absent: how a tape is written down (`oracle.market.recording`), pricing, and any notion of now but the
caller's.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np

from oracle.market import recording
from oracle.market.ahead import Ahead
from oracle.market.chains import listings
from oracle.market.coming import Coming, RawTicks
from oracle.market.latest import Latest
from oracle.market.port import Carry, Ints, RawQuotes
from rules.wants import ChainSlice, Plan, SettlementWanted
from state.calendar import Calendar
from state.errors import BadUsage
from state.market import Mask, SettlementPrint, Spot

CLOSING_PRINT_NS = 300 * 10**9
"""Without an official print, the last close of an underlying this near the session close settles PM contracts."""


class Tape:
    """A recorded market. `instants` are the distinct instants (ns UTC, ascending) at which anything became known."""

    def __init__(self, directory: Path) -> None:
        """Read a tape. Raises BadUsage naming the file, the line and the remedy."""
        recorded = recording.read(directory)
        self.source = recorded.label.source
        self.carry = Carry(recorded.label.rate, recorded.label.dividend_yields)
        self._bars, self._quotes, self._settlements = recorded.bars, recorded.quotes, recorded.settlements
        self._codes = {occ: code for code, occ in enumerate(self._quotes.symbols)}
        self._listings = listings(self._quotes.contracts)
        self._latest = Latest(self._quotes)
        self._ahead = Ahead(recorded, self.carry)
        self._coming = Coming(recorded, self._listings, self._latest)
        self._wanted: tuple[tuple[str, ...], list[Ints], Ints] = ((), [], np.zeros(0, np.int64))
        printed = np.array([one.at for one in self._settlements.values()], np.int64)
        self.instants: Ints = np.unique(
            np.concatenate([printed, self._quotes.at, *(bars.at for bars in self._bars.values())])
        )
        if not len(self.instants):
            raise BadUsage(f"{directory}: the tape holds no row; record or import at least one")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every contract on the tape, in the order they first appear."""
        return self._quotes.symbols

    @property
    def first(self) -> int:
        """The instant of the first row."""
        return int(self.instants[0])

    @property
    def last(self) -> int:
        """The instant of the last row."""
        return int(self.instants[-1])

    @property
    def last_expiry(self) -> date | None:
        """The last expiration date of any contract on the tape; None when it quotes none."""
        return max((one.expiry for one in self._quotes.contracts), default=None)

    def next_instant(self, after: int) -> int | None:
        """The next instant after `after` at which anything becomes known; None at the end."""
        found = int(np.searchsorted(self.instants, after, "right"))
        return int(self.instants[found]) if found < len(self.instants) else None

    def instants_from(self, first: int, last: int, most: int) -> Ints:
        """The instants of the tape from one up to and including another; so many at most."""
        begin, end = np.searchsorted(self.instants, (first, last + 1))
        return self.instants[begin : min(int(end), int(begin) + most)]

    def coming(self, plan: Plan, instants: Ints, looks: Mask, *, calendar: Calendar) -> RawTicks | None:
        """What `observe` answers at several instants of one date, one after another; None when it cannot be told at once."""
        return self._coming.observe(plan, instants, looks, calendar)

    def observe(self, plan: Plan, now: int, *, calendar: Calendar) -> RawQuotes:
        """What was known at `now` of everything planned: rows with `at` <= now, and no other.

        Contracts are answered in the order they first appear on the tape.
        """
        self._latest.move(now)
        today = calendar.midnight_of(calendar.day_of(now))
        near = [codes for wanted in plan.slices for codes in self._near(wanted, now, today=today)]
        rows = self._latest.row[self._united(plan.contracts, near)]
        rows = rows[rows >= 0]
        quotes, spots_valued = self._ahead.quotes(rows, calendar)
        return RawQuotes(
            source=self.source,
            spots=tuple(spot for symbol in plan.symbols if (spot := self._spot(symbol, now)) is not None),
            settlements=tuple(
                one for wanted in plan.settlements if (one := self._settlement(wanted, now, calendar)) is not None
            ),
            codes=self._quotes.code[rows],
            quotes=quotes,
            spots_valued=spots_valued,
        )

    # -- private ------------------------------------------------------------------------------------------------

    def _spot(self, symbol: str, now: int) -> Spot | None:
        bars = self._bars.get(symbol)
        if bars is None:
            return None
        row = int(np.searchsorted(bars.at, now, "right")) - 1
        return Spot(symbol, int(bars.close[row]), int(bars.at[row])) if row >= 0 else None

    def _near(self, wanted: ChainSlice, now: int, *, today: int) -> Iterable[Ints]:
        """The codes of a slice, chain by chain: of contracts quoted today, or last when nothing was quoted today."""
        spot = self._spot(wanted.symbol, now)
        listing = self._listings.get(wanted.symbol)
        if spot is None or listing is None:
            return
        for chain in listing.chains:
            if wanted.first <= chain.expiry <= wanted.last:
                yield chain.near(self._latest.listed(chain, listing, today), spot.price, wanted.strikes_each_side)

    def _united(self, named: tuple[str, ...], near: list[Ints]) -> Ints:
        """The codes of all that is wanted, ascending, each once; the last answer is kept."""
        before, parts, codes = self._wanted
        if before != named or len(parts) != len(near) or any(a is not b for a, b in zip(parts, near, strict=True)):
            known = np.array([self._codes[occ] for occ in named if occ in self._codes], np.int64)
            codes = np.unique(np.concatenate([known, *near]))
            self._wanted = named, near, codes
        return codes

    def _settlement(self, wanted: SettlementWanted, now: int, calendar: Calendar) -> SettlementPrint | None:
        """The official print once it is known; where the tape has none, the close of the session for PM contracts.

        A tape with an official print still to come is waited for: nothing else may settle that day.
        """
        official = self._settlements.get((wanted.symbol, wanted.day, wanted.opening))
        if official is not None:
            return official if official.at <= now else None
        session = calendar.session_on(wanted.day)
        if wanted.opening or session is None or now < session.close:
            return None
        last = self._spot(wanted.symbol, session.close)
        if last is None or last.at <= session.close - CLOSING_PRINT_NS:
            return None
        return SettlementPrint(wanted.symbol, wanted.day, wanted.opening, last.price, last.at)
