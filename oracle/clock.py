"""Where time comes from: the machine's clock, a session played faster, or a clock that moves only when told to.

The only reader of time in the tree. Everything else is handed an instant in nanoseconds UTC.
"""

import time
from typing import Protocol

import msgspec

from state.money import Count

SECOND = 1_000_000_000
SPEED_MAX = 100_000
_LATE_S_MAX = 0.25
JUMP_NS_MIN = 2 * SECOND
"""Wall clock and monotonic clock that come apart by more than this disagree."""
_LED_PART = 10
"""A clock may be led, fast or slow, by this part of the time that passes: time servers stay below it."""
_PACE_PART = 2
"""A clock that is behind what was seen shows this part of the time that passes, until it has caught up."""
_DOWN_NS_MAX = 7 * 86_400 * SECOND
"""A machine without a battery that was off for so long may set its clock right unasked."""


class PaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`interval_s`: seconds between two looks at the market in a session, while something is held or watched."""

    interval_s: Count = 1


def monotonic() -> int:
    """Nanoseconds that only ever grow, for spans of time."""
    return time.monotonic_ns()


def _running() -> int:
    """Nanoseconds since the machine started, also of those it slept: a suspended machine is no jump where it is known."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if boot is None else time.clock_gettime_ns(boot)


class Clock(Protocol):
    """What the daemon asks of time."""

    def now(self) -> int:
        """The instant, in ns UTC."""
        ...

    def wait_s(self, instant: int) -> float | None:
        """Seconds of waiting until the clock shows an instant, 0 when it is past; None when waiting does not help."""
        ...

    def bound(self, instant: int | None) -> None:
        """Do not go past an instant at which something is owed until it was done; None is no bound."""
        ...

    def jumped(self) -> int:
        """By how many ns this clock and the machine's monotonic clock have come apart; 0 while they agree."""
        ...

    def behind(self) -> int:
        """By how many ns it shows more than the time it believes, which it catches up with; 0 for no more than clocks differ."""
        ...

    def confirm(self, by: int) -> None:
        """Take the clock as right that has come apart by so many ns: somebody has looked at it."""
        ...


class WallClock:
    """The machine's own time, watched for steps, and never back: what it shows is fit to be written down.

    A step that is not made good or confirmed is not believed: until then time goes on from before it, so that a wrong
    hour gets into no record. What is believed and lies behind what was shown is caught up with at half the pace.
    """

    def __init__(self, seen: int = 0) -> None:
        """`seen`: an instant that was written down already; it begins no earlier."""
        self._running, wall = _running(), time.time_ns()
        self._ahead = wall - self._running
        self._apart = self._by = 0
        self._believed, self._shown = wall, max(wall, seen)
        self._began_behind = self._behind()

    def now(self) -> int:
        """The machine's time without the steps that nobody confirmed, or the way to it."""
        wall, running = time.time_ns(), _running()
        passed = running - self._running
        # A clock that is led slowly is followed, so that years of small corrections are no jump; many quick ones are.
        led = max(0, abs(self._apart) - passed // _LED_PART)
        self._apart = (led if self._apart > 0 else -led) + wall - running - self._ahead
        self._ahead, self._running = wall - running, running
        slowest = self._shown + passed // _PACE_PART
        if abs(self._apart) > JUMP_NS_MIN:
            self._stepped(wall, slowest)
        self._believed = wall - self._by
        self._shown = max(self._believed, slowest)
        self._began_behind &= self._behind()
        return self._shown

    def wait_s(self, instant: int) -> float:
        """Seconds until it shows an instant, at the pace at which it runs."""
        left = max(0, instant - self.now())
        return min(_PACE_PART * left, left + self._shown - self._believed) / SECOND

    def bound(self, instant: int | None) -> None:
        """The machine's time waits for nobody."""

    def jumped(self) -> int:
        """The sum of all steps that are not made good; to be asked about every second."""
        self.now()
        return self._by

    def behind(self) -> int:
        """How far what is believed lies behind what is shown, when that is more than clocks differ."""
        self.now()
        return self._shown - self._believed if self._behind() else 0

    def confirm(self, by: int) -> None:
        """Believe the steps that were told of, unless there was another meanwhile, which somebody must look at first."""
        if self.jumped() == by:
            self._by = 0

    def _stepped(self, wall: int, slowest: int) -> None:
        """Judge a step of the machine's time."""
        self._by += self._apart
        self._apart = 0
        # Wrong since the process began, and wrong still or set right: it is taken as a start would take it.
        excused = self._began_behind and wall <= slowest + _DOWN_NS_MAX
        if excused or abs(self._by) <= JUMP_NS_MIN:
            self._by = 0

    def _behind(self) -> bool:
        return self._shown - self._believed > JUMP_NS_MIN


class FasterClock:
    """Time that begins at an instant and runs `speed` times as fast as the machine's monotonic clock."""

    def __init__(self, start: int, speed: float) -> None:
        """A speed is more than 0 and at most SPEED_MAX."""
        self._start, self._speed = start, speed
        self._begun = time.monotonic_ns()
        self._bound: int | None = None

    def now(self) -> int:
        """The start and the time since, stretched, up to the bound."""
        now = self._stretched()
        return now if self._bound is None else min(now, self._bound)

    def wait_s(self, instant: int) -> float:
        """Seconds of real waiting until an instant."""
        return max(0, instant - self._stretched()) / SECOND / self._speed

    def bound(self, instant: int | None) -> None:
        """Let no time pass before what is owed at an instant is done; a machine too slow for its speed falls behind."""
        late = 0 if self._bound is None else self._stretched() - self._bound
        if late > _LATE_S_MAX * SECOND * self._speed:
            self._start -= int(late)
        self._bound = instant

    def jumped(self) -> int:
        """Never: it runs on the monotonic clock."""
        return 0

    def behind(self) -> int:
        """Never: it is right by definition."""
        return 0

    def confirm(self, by: int) -> None:
        """There is nothing to confirm."""

    def _stretched(self) -> int:
        return self._start + int((time.monotonic_ns() - self._begun) * self._speed)


class StepClock:
    """Time that stands until it is moved."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        """Where it was moved to last."""
        return self._now

    def move(self, instant: int) -> None:
        """Go forward to an instant; one that is past changes nothing."""
        self._now = max(self._now, instant)

    def wait_s(self, instant: int) -> float | None:
        """No waiting moves it."""
        return 0.0 if instant <= self._now else None

    def bound(self, instant: int | None) -> None:
        """It stands anyhow."""

    def jumped(self) -> int:
        """Never by itself."""
        return 0

    def behind(self) -> int:
        """Never: it is right by definition."""
        return 0

    def confirm(self, by: int) -> None:
        """There is nothing to confirm."""
