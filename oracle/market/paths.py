"""The course of a simulated underlying: where it closes each weekday, and its path within one session.

Closing levels are drawn by weekday, holidays included, so that they need no calendar and none can change them: what
happens on a holiday is in the gap at the next open. A session's path is a bridge from its open to its close.
Deliberately absent: options, and every stream of chance that is not keyed by seed, name and date.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, Philox

from oracle.market.underlyings import Underlying
from oracle.pricing import Floats, Ints
from rules.ticks import CENT
from state.calendar import SECOND, Session

GRID_NS = 5 * SECOND
"""Prices and quotes move on this grid, counted from the open."""

RATE = 0.04
"""The interest rate per year. With it and its dividends, what an underlying is expected to earn is fair."""

WEEKDAYS_PER_YEAR = 261
NIGHT_SHARE = 0.25
"""The part of a weekday's variance that falls between two sessions."""

_WHOLE_MARKET = ""
"""The name of the stream that all underlyings share; no symbol is empty."""

_JUMPS_PER_DAY = 0.3
_JUMP_DEVIATIONS = 0.8
_JUMP_SHARE = _JUMPS_PER_DAY * _JUMP_DEVIATIONS**2
_SESSION_SHARE = 1.0 - NIGHT_SHARE - _JUMP_SHARE
_MEMORY = 0.9
_TURN = 0.06
_LEVERAGE = 0.04
_UNREST_MAX = 1.2


class _Draws(NamedTuple):
    """What chance says of one weekday in one stream, in standard deviations; jumps as (part of the session, size)."""

    turn: float
    night: float
    session: float
    jumps: tuple[tuple[float, float], ...]


class _Weekday(NamedTuple):
    """One weekday of an underlying: log prices against its start, log volatilities against its usual one.

    `night`, `session` and the jumps add up to the return of the day; `deviation` is its standard deviation. The unrest
    moves from `unrest` towards `rest`, and falls as prices rise.
    """

    before: float
    unrest: float
    rest: float
    deviation: float
    night: float
    session: float
    jumps: tuple[tuple[float, float], ...]

    @property
    def after(self) -> float:
        """The log price at the end of the day."""
        return self.before + self.night + self.session + sum(size for _, size in self.jumps)

    @property
    def unrest_after(self) -> float:
        """The log volatility at the end of the day."""
        unrest = self.rest - _LEVERAGE * (self.after - self.before) / self.deviation
        return min(max(unrest, -_UNREST_MAX), _UNREST_MAX)


@dataclass(frozen=True, slots=True)
class Path:
    """One session of an underlying, a value for each step of the grid from the open on.

    `prices` in micro-dollars; `unrest` is the log of volatility against its usual level; `left` is the variance still
    to come before the close, in weekdays.
    """

    opens_at: int
    prices: Ints
    unrest: Floats
    left: Floats

    def step(self, instant: int) -> int:
        """The newest step of the grid at an instant (ns UTC) at or after the open."""
        return min((instant - self.opens_at) // GRID_NS, len(self.prices) - 1)

    def at(self, step: int) -> int:
        """The instant (ns UTC) of a step."""
        return self.opens_at + step * GRID_NS


class Course:
    """The course of one underlying that stands at its start when `first` begins. Keeps the weekdays it has drawn."""

    def __init__(self, seed: int, first: date, underlying: Underlying) -> None:
        self.seed = seed
        self.underlying = underlying
        self._first = first
        self._ahead = first
        self._weekdays: list[_Weekday] = []

    def path(self, session: Session) -> Path:
        """The path of a session on or after the first date."""
        day = self._weekday(session.day)
        steps = (session.late_close - session.open) // GRID_NS
        regular = (session.close - session.open) // GRID_NS
        passed = _passed(steps, regular)
        noise = self._noise(session.day, steps) * np.sqrt(np.diff(passed))
        walk = np.concatenate([np.zeros(1), np.cumsum(noise)])
        bridge = walk - passed * walk[-1]
        log = day.before + day.night + passed * day.session + bridge * day.deviation * math.sqrt(_SESSION_SHARE)
        for part, size in day.jumps:
            log[int(part * steps) + 1 :] += size
        spent = passed * _SESSION_SHARE + np.linspace(0.0, _JUMP_SHARE, steps + 1)
        cents = np.rint(np.exp(log) * (self.underlying.start / CENT))
        unrest = day.unrest + (day.rest - day.unrest) * passed - _LEVERAGE * (log - day.before) / day.deviation
        return Path(
            opens_at=session.open,
            prices=np.maximum(cents, 1.0).astype(np.int64) * CENT,
            unrest=np.clip(unrest, -_UNREST_MAX, _UNREST_MAX),
            left=np.maximum(spent[regular] - spent, 0.0),
        )

    def _weekday(self, day: date) -> _Weekday:
        """The weekday of a date, after all those before it."""
        wanted = int(np.busday_count(self._first, day))
        while len(self._weekdays) <= wanted:
            while self._ahead.weekday() > 4:
                self._ahead += timedelta(days=1)
            self._weekdays.append(self._following(self._ahead))
            self._ahead += timedelta(days=1)
        return self._weekdays[wanted]

    def _following(self, day: date) -> _Weekday:
        before, unrest = (self._weekdays[-1].after, self._weekdays[-1].unrest_after) if self._weekdays else (0.0, 0.0)
        drawn, one = self._drawn(day), self.underlying
        deviation = one.volatility / math.sqrt(WEEKDAYS_PER_YEAR) * math.exp(unrest)
        drift = (RATE - one.dividend) / WEEKDAYS_PER_YEAR - deviation**2 / 2.0
        return _Weekday(
            before=before,
            unrest=unrest,
            rest=_MEMORY * unrest + _TURN * drawn.turn,
            deviation=deviation,
            night=drift + drawn.night * deviation * math.sqrt(NIGHT_SHARE),
            session=drawn.session * deviation * math.sqrt(_SESSION_SHARE),
            jumps=tuple((part, size * deviation) for part, size in drawn.jumps),
        )

    def _drawn(self, day: date) -> _Draws:
        """What the market and the underlying's own chance say together."""
        together = self.underlying.together
        apart = math.sqrt(1.0 - together**2)
        market, own = _draws(self.seed, _WHOLE_MARKET, day), _draws(self.seed, self.underlying.symbol, day)
        return _Draws(
            turn=together * market.turn + apart * own.turn,
            night=together * market.night + apart * own.night,
            session=together * market.session + apart * own.session,
            jumps=(
                *((part, together * size) for part, size in market.jumps),
                *((part, apart * size) for part, size in own.jumps),
            ),
        )

    def _noise(self, day: date, steps: int) -> Floats:
        together = self.underlying.together
        market = chance(self.seed, f"{_WHOLE_MARKET} path", day).standard_normal(steps)
        own = chance(self.seed, f"{self.underlying.symbol} path", day).standard_normal(steps)
        blended: Floats = together * market + math.sqrt(1.0 - together**2) * own
        return blended


def chance(seed: int, name: str, day: date) -> Generator:
    """The stream of chance of a name on a date: the same in every process and on every machine."""
    key = blake2b(f"{seed} {name} {day.isoformat()}".encode(), digest_size=16).digest()
    return Generator(Philox(key=int.from_bytes(key, "little")))


def _draws(seed: int, name: str, day: date) -> _Draws:
    stream = chance(seed, name, day)
    turn, night, session = stream.standard_normal(3).tolist()
    jumps = int(stream.poisson(_JUMPS_PER_DAY))
    sizes = stream.standard_normal(jumps) * _JUMP_DEVIATIONS
    return _Draws(turn, night, session, tuple(zip(stream.random(jumps).tolist(), sizes.tolist(), strict=True)))


@lru_cache(maxsize=8)
def _passed(steps: int, regular: int) -> Floats:
    """The part of a session's variance that has passed at each of `steps` + 1 instants: most at its two ends.

    `regular` steps lead to the close; what follows is quiet.
    """
    part = (np.arange(steps) + 0.5) / regular
    busy = 0.6 + 2.6 * np.exp(-part / 0.07) + 1.4 * np.exp((part - 1.0) / 0.08)
    busy[part > 1.0] = 0.3
    passed: Floats = np.concatenate([np.zeros(1), np.cumsum(busy)])
    passed /= passed[-1]
    passed.setflags(write=False)
    return passed
