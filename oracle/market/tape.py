"""A recorded market served as a feed that never looks ahead: what is answered at an instant was known at it.

Deliberately absent: how a tape is written down (`oracle.market.recording`), pricing, and any notion of now but the
caller's.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from oracle.market import recording
from oracle.market.ahead import Ahead
from oracle.market.port import Carry, Ints, RawQuotes
from oracle.market.recording import Quotes
from rules.wants import ChainSlice, Plan, SettlementWanted
from state.calendar import Calendar
from state.contract import Contract
from state.errors import BadUsage
from state.market import Mask, SettlementPrint, Spot

CLOSING_PRINT_NS = 300 * 10**9
"""Without an official print, the last close of an underlying this near the session close settles PM contracts."""


class _Chain:
    """The contracts of one root and expiry, and those of them that are near a price; the last answer is kept."""

    def __init__(self, expiry: date, codes: Ints, strikes: Ints) -> None:
        self.expiry = expiry
        self.codes = codes
        self._strikes = strikes
        self._listed = b""
        self._levels: list[int] = []
        self._near: dict[tuple[int, int], Ints] = {}

    def near(self, listed: Mask, spot: int, each_side: int) -> Ints:
        """The codes of the nearest listed strikes: so many at or below the spot, and as many above."""
        if (now_listed := listed.tobytes()) != self._listed:
            self._listed, self._near = now_listed, {}
            self._levels = np.unique(self._strikes[listed]).tolist()
        middle = bisect_right(self._levels, spot)
        if (middle, each_side) not in self._near:
            near = self._levels[max(0, middle - each_side) : middle + each_side] or [0]
            inside = (self._strikes >= near[0]) & (self._strikes <= near[-1])
            self._near[middle, each_side] = self.codes[listed & inside]
        return self._near[middle, each_side]


@dataclass(frozen=True, slots=True)
class _Listing:
    """Everything ever listed on one underlying: all codes, and the chains of all its roots."""

    codes: Ints
    chains: tuple[_Chain, ...]


class _Latest:
    """The newest row of each contract, at a clock that moves forward; asked to go back, it starts anew."""

    def __init__(self, quotes: Quotes) -> None:
        self._quotes = quotes
        self._read = 0
        self.row = np.full(len(quotes.contracts), -1, np.int64)
        self.at = np.zeros(len(quotes.contracts), np.int64)

    def move(self, now: int) -> None:
        """Let in every row known at `now`, and no other."""
        end = int(np.searchsorted(self._quotes.at, now, "right"))
        if end < self._read:
            self._read = 0
            self.row.fill(-1)
            self.at.fill(0)
        # Of several rows of one contract the last is assigned last, and stays.
        codes = self._quotes.code[self._read : end]
        self.row[codes] = np.arange(self._read, end)
        self.at[codes] = self._quotes.at[self._read : end]
        self._read = end


class Tape:
    """A recorded market. `instants` are the distinct instants (ns UTC, ascending) at which anything became known."""

    def __init__(self, directory: Path) -> None:
        """Read a tape. Raises BadUsage naming the file, the line and the remedy."""
        recorded = recording.read(directory)
        self.source = recorded.label.source
        self.carry = Carry(recorded.label.rate, recorded.label.dividend_yields)
        self._bars, self._quotes, self._settlements = recorded.bars, recorded.quotes, recorded.settlements
        self._codes = {occ: code for code, occ in enumerate(self._quotes.symbols)}
        self._listings = _listings(self._quotes.contracts)
        self._latest = _Latest(self._quotes)
        self._ahead = Ahead(recorded, self.carry)
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
                listed = self._latest.at[chain.codes] >= today
                if not listed.any():
                    newest = int(self._latest.at[listing.codes].max())
                    listed = self._latest.at[chain.codes] >= max(1, min(today, newest))
                yield chain.near(listed, spot.price, wanted.strikes_each_side)

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


def _listings(listed: tuple[Contract, ...]) -> dict[str, _Listing]:
    """What is listed on each underlying, its chains by root and expiry."""
    codes: dict[str, list[int]] = {}
    members: dict[tuple[str, date], list[int]] = {}
    for code, one in enumerate(listed):
        codes.setdefault(one.underlying, []).append(code)
        members.setdefault((one.root, one.expiry), []).append(code)
    chains: dict[str, list[_Chain]] = {underlying: [] for underlying in codes}
    for (_, expiry), chain in sorted(members.items()):
        strikes = np.array([listed[code].strike for code in chain], np.int64)
        chains[listed[chain[0]].underlying].append(_Chain(expiry, np.array(chain, np.int64), strikes))
    return {one: _Listing(np.array(codes[one], np.int64), tuple(chains[one])) for one in codes}
