"""Any clock: it never goes back, says how long to wait, and tells a jump of the machine's time from its drift."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    any_clock.confirm(3_600 * SECOND)
    assert any_clock.jumped() == any_clock.behind() == 0
    assert any_clock.now() - first < SECOND * 3_600


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
    machine.run(1.0, jump=3_600.0)
    assert wall.now() == START + SECOND
    wall.confirm(3_600 * SECOND)
    assert (wall.now(), wall.jumped(), wall.behind()) == (START + 3_601 * SECOND, 0, 0)


@pytest.mark.parametrize("further_s", [60.0, -60.0, 86_400.0 * 30])
def test_a_word_about_one_jump_confirms_no_other(machine: Machine, further_s: float) -> None:
    """One that came after it was told is part of what must be told first."""
    wall = WallClock()
    machine.run(1.0, jump=10_800.0)
    told = wall.jumped()
    machine.run(1.0, jump=further_s)
    wall.confirm(told)
    assert wall.now() == START + 2 * SECOND
    assert wall.jumped() == told + further_s * SECOND


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
    wall.confirm(wall.jumped())
    for _ in range(3_600):
        machine.run(1.0, jump=-0.05)
        assert wall.jumped() == 0


# -- behind what was seen ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confirmed", [True, False], ids=["confirmed", "at the start"])
def test_a_clock_that_is_behind_is_caught_up_with_at_half_the_pace(machine: Machine, confirmed: bool) -> None:
    """An hour behind what was seen, it shows the right time two hours later; on the way it never stands or goes back."""
    machine.run(1.0, jump=0.0 if confirmed else -3_600.0)
    wall = WallClock(START + SECOND)
    if confirmed:
        machine.run(0.0, jump=-3_600.0)
        wall.confirm(wall.jumped())
    assert (wall.now(), wall.behind(), wall.jumped()) == (START + SECOND, 3_600 * SECOND, 0)
    assert wall.wait_s(START + 11 * SECOND) == 20.0
    assert wall.wait_s(START + 3_601 * SECOND) == 7_200.0
    assert wall.wait_s(START + 3_611 * SECOND) == 7_210.0
    for second in range(1, 7_200):
        machine.run(1.0)
        assert wall.now() == START + SECOND + second * SECOND // 2
        assert wall.behind() == (3_600 * SECOND - second * SECOND // 2 if second < 7_196 else 0)
    machine.run(11.0)
    assert wall.now() == START + 3_611 * SECOND == machine.wall


def test_a_small_step_back_is_followed_without_a_word(machine: Machine) -> None:
    """A second and a half is no jump, and time does not go back by it either."""
    wall = WallClock()
    machine.run(10.0)
    assert wall.now() == START + 10 * SECOND
    machine.run(0.5, jump=-1.5)
    assert wall.now() == START + 41 * SECOND // 4
    machine.run(3.0)
    assert (wall.now(), wall.jumped(), wall.behind()) == (machine.wall, 0, 0)


def test_steps_that_add_up_to_behind_excuse_no_jump(machine: Machine) -> None:
    """Three seconds on, five back and two more leave it behind what it showed; a day ahead is not believed for that."""
    wall = WallClock()
    for by in (3.0, -5.0, -1.9):
        machine.run(0.01, jump=by)
        wall.now()
    assert (wall.jumped(), wall.behind() > 2 * SECOND) == (0, True)
    machine.run(1.0, jump=86_400.0)
    assert wall.jumped() > 86_390 * SECOND
    assert wall.now() < START + 2 * SECOND


@pytest.mark.parametrize("behind_s", [60.0, 3_600.0, 86_400.0 * 20_000])
def test_a_clock_that_began_behind_may_be_set_right(machine: Machine, behind_s: float) -> None:
    """The step that brings it past what was seen is no jump: until then it was wrong, and nobody took it for right."""
    machine.run(1.0, jump=-behind_s)
    wall = WallClock(START)
    machine.run(5.0, jump=-30.0)
    assert (wall.jumped(), wall.now()) == (0, START + 5 * SECOND // 2)
    machine.run(5.0, jump=behind_s + 86_400.0)
    assert (wall.jumped(), wall.behind(), wall.now()) == (0, 0, machine.wall)
    machine.run(1.0, jump=30.0)
    assert wall.jumped() == 30 * SECOND


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_clock_that_began_behind_is_not_believed_for_ever(machine: Machine, caught_up: bool) -> None:
    """A step that leads more than a week beyond what was seen waits for a word, and so does any once it has caught up."""
    machine.run(1.0, jump=-60.0)
    wall = WallClock(START)
    machine.run(1_000.0 if caught_up else 1.0)
    before = wall.now()
    jump = 60.0 if caught_up else 8 * 86_400.0
    machine.run(0.0, jump=jump)
    assert (wall.jumped(), wall.now()) == (jump * SECOND, before)
    machine.run(0.0, jump=-jump)
    assert wall.jumped() == 0


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([0.001, 0.5, 1.0, 61.0, 3_600.0]),
            st.sampled_from([0.0, 0.0, 1.9, -1.9, 2.5, -2.5, -60.0, 3_600.0, -86_400.0]),
            st.booleans(),
        ),
        max_size=30,
    ),
    behind_s=st.sampled_from([0, 1, 60, 86_400]),
)
def test_time_goes_on_and_never_back(steps: list[tuple[float, float, bool]], behind_s: int) -> None:
    """By half of what passed at least, whatever steps came and were confirmed; unconfirmed, it never runs ahead of both."""
    machine = Machine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "time", machine)
        wall = WallClock(START + behind_s * SECOND)
        before = wall.now()
        for seconds, jump, confirmed in steps:
            machine.run(seconds, jump)
            now, passed = wall.now(), int(seconds * SECOND)
            assert before + passed // 2 <= now <= max(before + passed + 4 * SECOND, machine.wall)
            if confirmed:
                wall.confirm(wall.jumped())
            before = wall.now()
            assert before >= now
