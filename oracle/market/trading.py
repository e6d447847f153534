"""One simulated underlying in one session: its prints, and the chain of its options as they are quoted.

Deliberately absent: other sessions, and what somebody wants to know (`oracle.market.simulated`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from oracle.market.listing import Series, listed
from oracle.market.paths import GRID_NS, Course, chance
from oracle.market.port import Ints
from oracle.pricing import Floats
from rules.wants import ChainSlice
from state.calendar import Calendar, Session
from state.contract import Contract, Right
from state.market import Spot

_SLICES_MAX = 64
_SIZES = 4_096
_SIZE_MIN, _SIZE_MAX = 5, 150


class Option(NamedTuple):
    """One listed option: its series, strike in micro-dollars, +1.0 for a call and -1.0 for a put."""

    series: Series
    strike: int
    sign: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What each of some options sees of its underlying when its quote is made, a value per option.

    `at` is the instant of the quote (ns UTC), `spot` in micro-dollars; `unrest` and `days` as `oracle.market.smile`
    takes them; `bid_size` and `ask_size` are contracts.
    """

    at: Ints
    spot: Ints
    unrest: Floats
    days: Floats
    bid_size: Ints
    ask_size: Ints

    @staticmethod
    def joined(parts: Sequence["Moment"]) -> "Moment":
        """The options of all parts, one after the other; of no part, none."""
        if not parts:
            none, real = np.zeros(0, np.int64), np.zeros(0)
            return Moment(none, none, real, real, none, none)
        return Moment(*(np.concatenate([getattr(one, name) for one in parts]) for name in Moment.__slots__))


class Trading:
    """An underlying in a session. What it keeps follows from the course, the session and the calendar alone."""

    def __init__(self, course: Course, session: Session, calendar: Calendar) -> None:
        one = self.underlying = course.underlying
        self.path = course.path(session)
        self._series = {(of.root, of.expiry): of for of in listed(one, session, calendar)}
        late = any(root in calendar.late_roots for root in one.roots)
        self._prints_until = session.late_close if late else session.close
        self._sizes = chance(course.seed, f"{one.symbol} sizes", session.day).integers(_SIZE_MIN, _SIZE_MAX, _SIZES)
        self._around = lru_cache(maxsize=_SLICES_MAX)(self._slice)

    def spot(self, now: int) -> Spot:
        """The last print at an instant after the open; only what has options that trade late prints after the close."""
        step = self.path.step(min(now, self._prints_until))
        return Spot(self.underlying.symbol, int(self.path.prices[step]), self.path.at(step))

    def near(self, wanted: ChainSlice, now: int) -> dict[str, Option]:
        """The options of a slice by OCC symbol: so many strikes at or below the last print, and as many above."""
        middle = self.spot(now).price // self.underlying.step
        return self._around(wanted.first, wanted.last, wanted.strikes_each_side, middle)

    def named(self, wanted: Contract) -> Option | None:
        """The option of a contract, if it is listed."""
        series = self._series.get((wanted.root, wanted.expiry))
        if series is None or wanted.strike % self.underlying.step:
            return None
        return _option(series, wanted)

    def moment(self, options: list[Option], now: int) -> Moment:
        """What these options see at an instant: the newest step of the grid before each of them stops trading."""
        last = np.array([one.series.stops_at for one in options], np.int64) - 1
        steps = (np.minimum(last, now) - self.path.opens_at) // GRID_NS
        # Any mixing does: two sides, neighbours and steps must not show the same size.
        strikes = np.array([one.strike for one in options], np.int64) // self.underlying.step
        expiries = np.array([one.series.expiry.toordinal() for one in options], np.int64)
        calls = np.array([one.sign > 0.0 for one in options], np.int64)
        place = strikes * 7 + expiries * 131 + calls * 1_031 + steps * 37
        return Moment(
            at=self.path.opens_at + steps * GRID_NS,
            spot=self.path.prices[steps],
            unrest=self.path.unrest[steps],
            days=self.path.left[steps] + np.array([one.series.days for one in options], np.float64),
            bid_size=self._sizes[place % _SIZES],
            ask_size=self._sizes[(place + _SIZES // 2) % _SIZES],
        )

    def _slice(self, first: date, last: date, each_side: int, middle: int) -> dict[str, Option]:
        strikes = range(max(1, middle - each_side + 1), middle + each_side + 1)
        wanted = (
            Contract(series.root, series.expiry, right, strike * self.underlying.step)
            for series in self._series.values()
            if first <= series.expiry <= last
            for strike in strikes
            for right in Right
        )
        return {one.occ: _option(self._series[one.root, one.expiry], one) for one in wanted}


def _option(series: Series, one: Contract) -> Option:
    return Option(series, one.strike, 1.0 if one.right is Right.CALL else -1.0)
