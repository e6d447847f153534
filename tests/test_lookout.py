"""What nobody sends is told once when it turns, and a person's word ends only what it was about."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle import clock
from oracle.clock import SECOND, WallClock
from oracle.ids import run_id
from oracle.lookout import Lookout
from rules import halts
from state.applying import apply
from state.disk import Disk
from state.frames import Run
from state.halt import Halt
from state.inputs import AnyInput, ClockFellBehind, ClockJumped, StorageTurned
from state.journal import Journal, Limits
from state.portfolio import Portfolio
from state.writer import Writer
from tests.test_clock import START, Machine

DAY_S = 86_400


class Watch:
    """A lookout, the portfolio that hears of it, and the machine it looks at."""

    def __init__(self, machine: Machine, journal: Journal, *, seen: int = START) -> None:
        self.machine, self.journal = machine, journal
        self.portfolio = Portfolio()
        self.wall, self.writer = WallClock(seen), Writer(journal, released=lambda _: None)
        self.lookout = Lookout(self.wall, self.writer, self.portfolio.halts)

    def look(self) -> list[AnyInput]:
        """What is told, and what it halts."""
        found = []
        for told in self.lookout.noticed():
            assert isinstance(told, ClockJumped | ClockFellBehind | StorageTurned)
            for fact in halts.turned(self.portfolio, told):
                apply(self.portfolio, fact)
            found.append(told)
        return found

    def say(self) -> None:
        """The operator says that the time is right, and is heard at once."""
        self.lookout.asked()
        self.hear()

    def hear(self) -> None:
        """What the operator said is taken in."""
        self.portfolio.halts.pop("clock_jumped", None)
        self.lookout.confirm()


@pytest.fixture(name="machine")
def _machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(clock, "time", made)
    return made


@pytest.fixture(name="journal")
def _journal(tmp_path: Path) -> Journal:
    return Journal.create(Disk(), tmp_path / "journal", run=Run(run_id(), "test", "test"), limits=Limits())


@pytest.fixture(name="watch")
def _watch(machine: Machine, journal: Journal) -> Iterator[Watch]:
    made = Watch(machine, journal)
    yield made
    made.writer.close()


def test_a_jump_is_told_once_and_once_that_it_is_over(watch: Watch) -> None:
    """However often somebody looks."""
    assert watch.look() == []
    watch.machine.run(1.0, jump=3_600.0)
    assert [watch.look() for _ in range(3)] == [[ClockJumped(3_600 * SECOND)], [], []]
    watch.machine.run(1.0, jump=-3_600.0)
    assert [watch.look() for _ in range(3)] == [[ClockJumped(0)], [], []]


def test_a_further_jump_is_told_again(watch: Watch) -> None:
    """While the first waits for a word: the halt says then how far the clocks are apart now."""
    watch.machine.run(1.0, jump=10_800.0)
    assert watch.look() == [ClockJumped(10_800 * SECOND)]
    watch.machine.run(1.0, jump=30.0 * DAY_S)
    assert watch.look() == [ClockJumped((10_800 + 30 * DAY_S) * SECOND)]
    assert watch.portfolio.halts["clock_jumped"].words == "the clocks came apart by 2602800 s"


def test_a_word_confirms_what_was_told(watch: Watch) -> None:
    """A jump between the telling and the word is told next, and not believed."""
    watch.machine.run(1.0, jump=10_800.0)
    watch.look()
    watch.machine.run(1.0, jump=30.0 * DAY_S)
    watch.say()
    assert watch.look() == [ClockJumped((10_800 + 30 * DAY_S) * SECOND)]
    assert watch.wall.now() == START + 2 * SECOND
    watch.say()
    assert watch.look() == []
    assert watch.wall.now() == watch.machine.wall


def test_a_jump_that_is_told_while_the_word_waits_is_not_confirmed_by_it(watch: Watch) -> None:
    """Whoever said it had not heard of that one; the halt that the word ends is told anew."""
    watch.machine.run(1.0, jump=600.0)
    watch.look()
    watch.lookout.asked()
    watch.machine.run(1.0, jump=3_000.0)
    assert watch.look() == [ClockJumped(3_600 * SECOND)]
    watch.hear()
    assert watch.look() == [ClockJumped(3_600 * SECOND)]
    assert watch.wall.now() == START + 2 * SECOND


def test_a_jump_between_the_word_and_the_next_look_is_told(watch: Watch) -> None:
    """The word was about the jump before it."""
    watch.machine.run(1.0, jump=600.0)
    assert watch.look() == [ClockJumped(600 * SECOND)]
    watch.say()
    watch.machine.run(0.1, jump=600.0)
    assert watch.look() == [ClockJumped(600 * SECOND)]


def test_a_jump_nobody_was_told_of_cannot_be_confirmed(watch: Watch) -> None:
    """A word about something else does not make an hour right that was wrong since the last look."""
    watch.machine.run(1.0, jump=3_600.0)
    watch.say()
    assert watch.look() == [ClockJumped(3_600 * SECOND)]


def test_a_jump_that_is_over_cannot_be_confirmed(watch: Watch) -> None:
    """An hour ahead, and back before the word came: what it was about is gone."""
    watch.machine.run(1.0, jump=3_600.0)
    watch.look()
    watch.machine.run(1.0, jump=-3_600.0)
    watch.say()
    assert watch.look() == []
    assert watch.wall.now() == START + 2 * SECOND


def test_a_confirmed_step_back_is_told_until_it_is_caught_up_with(watch: Watch) -> None:
    """At once after the word, again at each word, and once that it is over."""
    watch.machine.run(1.0, jump=-3_600.0)
    assert watch.look() == [ClockJumped(-3_600 * SECOND)]
    watch.say()
    assert [watch.look(), watch.look()] == [[ClockFellBehind(3_600 * SECOND)], []]
    watch.machine.run(1_200.0)
    watch.say()
    assert watch.look() == [ClockFellBehind(3_000 * SECOND)]
    assert watch.portfolio.halts["clock_behind"].words.startswith("the clock is 3000 s behind what was recorded")
    watch.machine.run(6_000.0)
    assert [watch.look(), watch.look()] == [[ClockFellBehind(0)], []]
    assert watch.portfolio.halts == {}


def test_a_start_behind_the_records_is_told(machine: Machine, journal: Journal) -> None:
    """And the jump of the process before it is over: the machine's time is taken as it is found."""
    watch = Watch(machine, journal, seen=START + 60 * SECOND)
    watch.portfolio.halts["clock_jumped"] = Halt("clock_jumped", "", START)
    watch.lookout = Lookout(watch.wall, watch.writer, watch.portfolio.halts)
    assert watch.look() == [ClockFellBehind(60 * SECOND), ClockJumped(0)]
    assert list(watch.portfolio.halts) == ["clock_behind"]
    watch.writer.close()


def test_a_disk_without_room_is_told_once_each_way(watch: Watch) -> None:
    """While it has none, each look makes the journal try again."""
    watch.journal.storage_low = True
    assert [watch.look(), watch.look()] == [[StorageTurned(low=True)], []]
    watch.journal.storage_low = False
    assert [watch.look(), watch.look()] == [[StorageTurned(low=False)], []]


def test_a_lag_that_grows_is_told_again(machine: Machine, journal: Journal) -> None:
    """Begun behind the journal, and set back further: how far it is behind now; as it shrinks nobody is told."""
    watch = Watch(machine, journal, seen=START + 10_800 * SECOND)
    try:
        assert watch.look() == [ClockFellBehind(10_800 * SECOND)]
        machine.run(600.0)
        assert watch.look() == []
        machine.run(1.0, jump=-float(DAY_S))
        (told,) = watch.look()
        assert isinstance(told, ClockFellBehind)
        assert told.by > DAY_S * SECOND
        assert watch.look() == []
    finally:
        watch.writer.close()
