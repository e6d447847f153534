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

    _ahead: int
    _running: int
    _apart: int
    _by: int

    def __init__(self) -> None:
        self.confirm()

    def now(self) -> int:
        """The machine's time, without the steps that nobody confirmed."""
        wall, running = time.time_ns(), _running()
        # A clock that is led slowly is followed, so that years of small corrections are no jump; many quick ones are.
        led = max(0, abs(self._apart) - (running - self._running) // _LED_PART)
        self._apart = (led if self._apart > 0 else -led) + wall - running - self._ahead
        self._ahead, self._running = wall - running, running
        if abs(self._apart) > JUMP_NS_MIN:
            self._by, self._apart = self._by + self._apart, 0
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
        self._running = _running()
        self._ahead = time.time_ns() - self._running
        self._apart = self._by = 0


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


class Trust:
    """Whether a clock is believed, for a process that tells of it: each time it no longer is, and each time it is again.

    It is not while it has come apart from the machine, nor while it is behind what was seen already; a person who was
    told may confirm either.
    """

    def __init__(self, clock: Clock, *, told: bool) -> None:
        """`told`: whether it was said already that this clock is not believed."""
        self._clock, self._told = clock, told
        self._late_confirmed = False

    def turned(self, seen_at: int) -> int | None:
        """By how many ns the clock is off, or 0 that it agrees again; None while neither is news."""
        by = self._off(seen_at)
        if bool(by) == self._told:
            return None
        self._told = bool(by)
        return by

    def confirm(self) -> None:
        """Believe it from here on, if anybody was told that it is not."""
        if self._told:
            self._clock.confirm()
            self._told, self._late_confirmed = False, True

    def _off(self, seen_at: int) -> int:
        by, late = self._clock.jumped(), self._late(seen_at)
        self._late_confirmed &= late < 0
        if late == 0 or self._late_confirmed:
            return by
        if by > 0:
            # It was wrong from the start, and is no measure of the step that sets it right: it is taken as a start would.
            self._clock.confirm()
            by, late = 0, self._late(seen_at)
        return by or late

    def _late(self, seen_at: int) -> int:
        """How far the clock is behind an instant that was seen; 0 when it is not, or by no more than clocks are."""
        behind = self._clock.now() - seen_at
        return behind if behind < -JUMP_NS_MIN else 0
