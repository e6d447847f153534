"""Any clock: it never goes back, says how long to wait, and tells a jump of the machine's time from its drift."""

from collections.abc import Callable

import pytest

from oracle import clock
from oracle.clock import SECOND, Clock, FasterClock, StepClock, WallClock

START = 1_770_996_600 * SECOND
EVERY: dict[str, Callable[[], Clock]] = {
    "wall": WallClock,
    "faster": lambda: FasterClock(START, 60.0),
    "step": lambda: StepClock(START),
}


class Machine:
    """The machine's two clocks, set by hand."""

    def __init__(self) -> None:
        self.wall, self.mono = START, 5 * SECOND

    def time_ns(self) -> int:
        """The wall clock."""
        return self.wall

    def monotonic_ns(self) -> int:
        """The other one."""
        return self.mono

    CLOCK_BOOTTIME = 7

    def clock_gettime_ns(self, which: int) -> int:
        """The clock that counts a sleeping machine's time as well."""
        assert which == self.CLOCK_BOOTTIME
        return self.mono

    def run(self, seconds: float, jump: float = 0.0) -> None:
        """Let time pass, and the wall clock be set besides."""
        self.mono += int(seconds * SECOND)
        self.wall += int((seconds + jump) * SECOND)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose time is a matter of the test."""
    made = Machine()
    monkeypatch.setattr(clock, "time", made)
    return made


@pytest.mark.parametrize("name", EVERY)
def test_any_clock_goes_forward_and_knows_the_past(name: str) -> None:
    """Two readings never go back, an instant that is past needs no waiting, and an undisturbed clock has not jumped."""
    any_clock = EVERY[name]()
    first = any_clock.now()
    assert any_clock.now() >= first
    assert any_clock.wait_s(first - 1) == 0.0
    any_clock.confirm()
    assert any_clock.jumped() == 0


def test_a_faster_clock_stretches_waiting(machine: Machine) -> None:
    """A second of the machine is a minute of the session, and an hour of the session a minute of waiting."""
    faster = FasterClock(START, 60.0)
    machine.run(1.0, jump=3_600.0)
    assert faster.now() == START + 60 * SECOND
    assert faster.wait_s(START + 3_660 * SECOND) == pytest.approx(60.0)
    assert faster.jumped() == 0


def test_a_step_clock_stands(machine: Machine) -> None:
    """It moves only forward and only when told; waiting for later does not help."""
    step = StepClock(START)
    machine.run(100.0)
    assert step.now() == START
    step.move(START + SECOND)
    step.move(START)
    assert step.now() == START + SECOND
    assert step.wait_s(START + 2 * SECOND) is None
    assert step.wait_s(START + SECOND) == 0.0


def test_a_jump_is_told_until_it_is_made_good(machine: Machine) -> None:
    """An hour ahead is a jump at every question, and not believed; set right again, clocks agree."""
    wall = WallClock()
    machine.run(1.0, jump=3_600.0)
    assert wall.jumped() == 3_600 * SECOND
    machine.run(1.0)
    assert wall.jumped() == 3_600 * SECOND
    assert wall.now() == START + 2 * SECOND
    machine.run(1.0, jump=-3_599.0)
    assert wall.jumped() == 0
    assert wall.now() == START + 4 * SECOND


def test_a_jump_can_be_confirmed(machine: Machine) -> None:
    """Once somebody says that the time is right, it counts from there."""
    wall = WallClock()
    machine.run(1.0, jump=-30.0)
    assert wall.jumped() == -30 * SECOND
    assert wall.now() == START + SECOND
    wall.confirm()
    assert wall.now() == START - 29 * SECOND
    machine.run(1.0)
    assert wall.jumped() == 0


def test_drift_is_no_jump(machine: Machine) -> None:
    """A second an hour for a day is what time servers mend, and no reason to stop."""
    wall = WallClock()
    for _ in range(24):
        machine.run(3_600.0, jump=1.0)
        assert wall.jumped() == 0


def test_spans_are_measured_on_the_monotonic_clock(machine: Machine) -> None:
    """A span is not changed by setting the wall clock."""
    begun = clock.monotonic()
    machine.run(2.0, jump=-500.0)
    assert clock.monotonic() - begun == 2 * SECOND


def test_a_bounded_clock_waits_for_what_is_owed(machine: Machine) -> None:
    """Time stands at the bound; a little late it catches up, very late it goes on from the bound."""
    faster = FasterClock(START, 60.0)
    faster.bound(START + 10 * SECOND)
    machine.run(0.2)
    assert faster.now() == START + 10 * SECOND
    assert faster.wait_s(START + 10 * SECOND) == 0.0
    faster.bound(None)
    assert faster.now() == START + 12 * SECOND
    faster.bound(START + 15 * SECOND)
    machine.run(10.0)
    assert faster.now() == START + 15 * SECOND
    faster.bound(START + 1_000 * SECOND)
    assert faster.now() == START + 15 * SECOND
    machine.run(1.0)
    assert faster.now() == START + 75 * SECOND
