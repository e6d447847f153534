"""Any clock: it never goes back, says how long to wait, and tells a jump of the machine's time from its drift."""

from collections.abc import Callable

import pytest

from oracle import clock
from oracle.clock import SECOND, Clock, FasterClock, StepClock, Trust, WallClock

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


def test_many_small_steps_are_a_jump(machine: Machine) -> None:
    """A clock that gains more than a tenth of the time comes apart as surely as by one step, and is not followed."""
    wall = WallClock()
    for _ in range(60):
        machine.run(1.0, jump=1.5)
        wall.now()
    assert wall.jumped() >= 85 * SECOND
    assert wall.now() <= START + 65 * SECOND


def test_a_clock_that_stands_has_come_apart(machine: Machine) -> None:
    """Seconds that the machine counts and the wall clock does not; led slower by a twentieth it is followed."""
    wall = WallClock()
    for _ in range(5):
        machine.run(1.0, jump=-1.0)
        wall.now()
    assert wall.jumped() < -2 * SECOND
    wall.confirm()
    for _ in range(3_600):
        machine.run(1.0, jump=-0.05)
        assert wall.jumped() == 0


# -- trust ------------------------------------------------------------------------------------------------------------


def trusting(machine: Machine, *, behind_s: float = 0.0) -> tuple[Trust, int]:
    """What is believed of a wall clock, and an instant that was seen; the clock begins so far behind that."""
    machine.run(1.0, jump=-behind_s)
    return Trust(WallClock(), told=False), START + SECOND


def test_a_jump_is_told_once_and_once_that_it_is_over(machine: Machine) -> None:
    """However often somebody looks."""
    trust, seen = trusting(machine)
    assert trust.turned(seen) is None
    machine.run(1.0, jump=3_600.0)
    assert [trust.turned(seen) for _ in range(3)] == [3_600 * SECOND, None, None]
    machine.run(1.0, jump=-3_600.0)
    assert [trust.turned(seen) for _ in range(3)] == [0, None, None]


def test_a_jump_after_a_confirmed_one_is_told(machine: Machine) -> None:
    """An hour back is confirmed, and the clock is behind what was seen for an hour: another jump meanwhile is news."""
    trust, seen = trusting(machine)
    machine.run(1.0, jump=-3_600.0)
    assert trust.turned(seen) == -3_600 * SECOND
    trust.confirm()
    machine.run(1.0)
    assert trust.turned(seen) is None
    machine.run(1.0, jump=86_400.0)
    assert trust.turned(seen) == 86_400 * SECOND


def test_a_jump_between_the_word_and_the_next_look_is_told(machine: Machine) -> None:
    """The word was about the jump before it."""
    trust, seen = trusting(machine)
    machine.run(1.0, jump=600.0)
    assert trust.turned(seen) == 600 * SECOND
    trust.confirm()
    machine.run(0.1, jump=600.0)
    assert trust.turned(seen) == 600 * SECOND


def test_a_jump_nobody_was_told_of_cannot_be_confirmed(machine: Machine) -> None:
    """A word about something else does not make an hour right that was wrong since the last look."""
    trust, seen = trusting(machine)
    machine.run(1.0, jump=3_600.0)
    trust.confirm()
    assert trust.turned(seen) == 3_600 * SECOND


@pytest.mark.parametrize("behind_s", [60.0, 3_600.0, 86_400.0 * 20_000])
def test_a_clock_that_began_behind_may_be_set_right(machine: Machine, behind_s: float) -> None:
    """The step that brings it past what was seen is no jump: until then it was wrong, and nobody took it for right."""
    trust, seen = trusting(machine, behind_s=behind_s)
    assert trust.turned(seen) == -round(behind_s * SECOND)
    machine.run(5.0, jump=-30.0)
    assert trust.turned(seen) is None
    machine.run(5.0, jump=behind_s + 30.0)
    assert trust.turned(seen) == 0
    machine.run(1.0, jump=30.0)
    assert trust.turned(seen) == 30 * SECOND
