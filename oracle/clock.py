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

    def confirm(self) -> None:
        """Take the clock as right from here on: somebody has looked at it."""
        ...


class WallClock:
    """The machine's own time, watched for jumps: one that is not made good or confirmed is not believed.

    Until then it goes on from before the jump, so that a wrong hour never gets into a record.
    """

    def __init__(self) -> None:
        self._ahead = time.time_ns() - _running()
        self._by = 0

    def now(self) -> int:
        """The machine's time, without the steps that nobody confirmed."""
        wall = time.time_ns()
        ahead = wall - _running()
        step, self._ahead = ahead - self._ahead, ahead
        # A clock that is led back slowly is followed, so that years of small corrections are no jump.
        if abs(step) > JUMP_NS_MIN:
            self._by += step
            if abs(self._by) <= JUMP_NS_MIN:
                self._by = 0
        return wall - self._by

    def wait_s(self, instant: int) -> float:
        """Seconds until an instant."""
        return max(0, instant - self.now()) / SECOND

    def bound(self, instant: int | None) -> None:
        """The machine's time waits for nobody."""

    def jumped(self) -> int:
        """The sum of all steps of the clock that are not made good; to be asked about every second."""
        self.now()
        return self._by

    def confirm(self) -> None:
        """Believe the machine's time from here on."""
        self._ahead, self._by = time.time_ns() - _running(), 0


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

    def confirm(self) -> None:
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

    def confirm(self) -> None:
        """There is nothing to confirm."""
