"""What a recording says at many coming instants, worked out in one pass: the same answers as instant by instant.

It tells what is newer than at the instant before, and looks ahead for nobody: each answer was known at its own instant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from oracle.market.chains import Chain, Grid, Listing
from oracle.market.latest import Latest
from oracle.market.port import Ints
from oracle.market.recording import Recording
from rules.wants import ChainSlice, Plan
from state.calendar import Calendar
from state.market import Mask, Table

CELLS_MAX: Final = 16_384
"""Instants times contracts and symbols of one answer: what becomes one record stays below two megabytes."""

Slices = list[tuple[ChainSlice, Chain, Mask]]
"""Each slice of a plan with a chain in it, and which contracts of that are listed."""


@dataclass(frozen=True, slots=True)
class RawTicks:
    """What is known of a plan at `instants`, one after another, only what is newer than at the one before.

    `spots` holds the price and the instant of each symbol at every one of them, 0 where it is not known. The others are
    told by quote, ordered by instant and then code: the place of its instant, the code of its contract, and its row of
    `state.market.QUOTE`, nothing priced.
    """

    instants: Ints
    spots: dict[str, tuple[Ints, Ints]]
    ticks: Ints
    codes: Ints
    quotes: Table


class Coming:
    """Many instants of one recording at once."""

    def __init__(self, recorded: Recording, listings: dict[str, Listing], latest: Latest) -> None:
        self._bars, self._quotes = recorded.bars, recorded.quotes
        self._listings, self._latest = listings, latest
        self._codes = {occ: code for code, occ in enumerate(self._quotes.symbols)}
        self._place = np.full(len(self._codes), -1, np.int64)

    def observe(self, plan: Plan, instants: Ints, looks: Mask, calendar: Calendar) -> RawTicks | None:
        """The answers at these instants (ns UTC, ascending, of one date), or at the first of them.

        `looks` tells at which the slices are looked at. None when not even two can be told at once: a contract was
        quoted for the first time on that date, or the plan is large.
        """
        instants = instants[: CELLS_MAX // max(1, len(plan.contracts) + len(plan.symbols))]
        if len(instants) < 2:
            return None
        self._latest.move(int(instants[0]))
        today = calendar.midnight_of(calendar.day_of(int(instants[0])))
        slices = list(self._slices(plan, today))
        instants = instants[: self._steady(slices, instants, today)]
        spots = {symbol: self._spots(symbol, instants) for symbol in plan.symbols}
        named = np.array([self._codes[occ] for occ in plan.contracts if occ in self._codes], np.int64)
        codes, wanted = _wanted(named, slices, spots, looks[: len(instants)])
        most = CELLS_MAX // max(1, len(codes) + len(spots))
        if min(most, len(instants)) < 2:
            return None
        instants, wanted = instants[:most], wanted[:most]
        ticks, rows = self._newer(codes, wanted, instants)
        spots = {symbol: (prices[:most], known_at[:most]) for symbol, (prices, known_at) in spots.items()}
        return RawTicks(instants, spots, ticks, self._quotes.code[rows], self._quotes.table[rows])

    # -- private ------------------------------------------------------------------------------------------------

    def _slices(self, plan: Plan, today: int) -> Iterator[tuple[ChainSlice, Chain, Mask]]:
        for wanted in plan.slices:
            listing = self._listings.get(wanted.symbol)
            for chain in listing.chains if listing is not None else ():
                if listing is not None and wanted.first <= chain.expiry <= wanted.last:
                    yield wanted, chain, self._latest.listed(chain, listing, today)

    def _steady(self, slices: Slices, instants: Ints, today: int) -> int:
        """At how many of these instants no contract is quoted whose first quote of the date changes what is listed."""
        end = int(np.searchsorted(self._quotes.at, instants[-1], "right"))
        coming = self._quotes.code[self._latest.read : end]
        unquoted = self._latest.at < today
        listing = np.zeros(len(unquoted), np.bool_)
        for wanted, chain, _ in slices:
            mine = self._listings[wanted.symbol].codes
            listing[mine if unquoted[mine].all() else chain.codes] = True
        first = np.flatnonzero((unquoted & listing)[coming])
        if not len(first):
            return len(instants)
        return int(np.searchsorted(instants, self._quotes.at[self._latest.read + first[0]]))

    def _spots(self, symbol: str, instants: Ints) -> tuple[Ints, Ints]:
        bars = self._bars.get(symbol)
        if bars is None:
            return np.zeros(len(instants), np.int64), np.zeros(len(instants), np.int64)
        rows = np.searchsorted(bars.at, instants, "right") - 1
        known = rows >= 0
        return np.where(known, bars.close[rows], 0), np.where(known, bars.at[rows], 0)

    def _newer(self, codes: Ints, wanted: Grid, instants: Ints) -> tuple[Ints, Ints]:
        """(place of the instant, row) wherever the newest row of a wanted contract is not the one last answered."""
        if not len(codes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        begin, end = self._latest.read, int(np.searchsorted(self._quotes.at, instants[-1], "right"))
        self._place[codes] = np.arange(len(codes))
        place = self._place[self._quotes.code[begin:end]]
        self._place[codes] = -1
        mine = np.flatnonzero(place >= 0)
        tick = np.searchsorted(instants, self._quotes.at[begin + mine])
        newest = np.full(wanted.shape, -1, np.int64)
        newest[0] = self._latest.row[codes]
        # Of several rows of one contract the last is assigned last, and stays; rows ascend with time.
        newest[tick, place[mine]] = begin + mine
        np.maximum.accumulate(newest, axis=0, out=newest)
        newest[~wanted] = -1
        answered = np.maximum.accumulate(newest, axis=0)
        newer = newest > -1
        newer[1:] &= newest[1:] > answered[:-1]
        ticks, places = newer.nonzero()
        return ticks, newest[ticks, places]


def _wanted(named: Ints, slices: Slices, spots: dict[str, tuple[Ints, Ints]], looks: Mask) -> tuple[Ints, Grid]:
    """(codes ascending, grid of shape (instants, codes)): what is wanted at any of the instants, and what at each."""
    near = []
    for wanted, chain, listed in slices:
        prices, _ = spots[wanted.symbol]
        codes, grid = chain.near_each(listed, prices, wanted.strikes_each_side)
        near.append((codes, grid & (looks & (prices > 0))[:, np.newaxis]))
    union = np.unique(np.concatenate([named, *(codes for codes, _ in near)]))
    whole = np.zeros((len(looks), len(union)), np.bool_)
    whole[:, np.searchsorted(union, named)] = True
    for codes, grid in near:
        whole[:, np.searchsorted(union, codes)] |= grid
    return union, whole
