"""A clock that stands goes the whole way it is asked to, deciding on it; nobody waits for a move that will not come."""

from pathlib import Path

import pytest

from oracle.clock import StepClock
from oracle.market.tape import Tape
from oracle.moves import Moves
from state.errors import BadUsage, OracleFailure
from state.facts import OrderFilled
from tests.tapes import new_york, tape
from tests.test_walk import LONG, Journey
from tests.trades import DAY, MARKET

BEGIN, LATER, LAST = (new_york(DAY, clock) for clock in ("10:30:00", "10:40:00", "11:00:00"))


@pytest.fixture(name="walk")
def _walk(tmp_path: Path) -> Journey:
    return Journey(Tape(tape(tmp_path, DAY, MARKET)))


async def test_a_move_decides_what_is_due_on_its_way(walk: Journey) -> None:
    """The clock shows each instant at which something was decided, and at the end the one that was asked for."""
    standing = StepClock(BEGIN)
    moves = Moves(standing, walk)
    walk.take(LONG, at=BEGIN)
    walk.cycle(BEGIN)
    moved = moves.ask(LATER)
    assert (len(moves), standing.now()) == (1, BEGIN)
    shown = [(at, standing.now()) for at in moves.go()]
    assert shown
    assert all(at == now for at, now in shown)
    assert list(walk.facts(OrderFilled))
    assert (len(moves), standing.now(), moved.done()) == (0, LATER, True)


async def test_moves_are_made_in_their_order(walk: Journey) -> None:
    """One that the move before it went beyond changes nothing; whoever went away is passed over."""
    standing = StepClock(BEGIN)
    moves = Moves(standing, walk)
    asked = [moves.ask(at) for at in (LAST, LATER, LAST)]
    asked[1].cancel()
    for left in (2, 1, 0):
        assert list(moves.go()) == []
        assert (len(moves), standing.now()) == (left, LAST)
    assert [asked[0].done(), asked[2].done()] == [True, True]


async def test_what_cannot_be_moved_to_is_told_at_once(walk: Journey) -> None:
    """A past instant, and one beyond the calendar."""
    moves = Moves(StepClock(BEGIN), walk)
    for to, words in ((BEGIN - 1, "only moved forward"), (new_york("2029-03-14", "11:00:00"), "ends with 2026-06-30")):
        with pytest.raises(BadUsage, match=words):
            moves.ask(to)
    assert len(moves) == 0


async def test_the_end_is_told_to_whoever_waits_and_whoever_comes_later(walk: Journey) -> None:
    """A move that was left half way is one of them."""
    moves = Moves(StepClock(BEGIN), walk)
    walk.take(LONG, at=BEGIN)
    walk.cycle(BEGIN)
    asked = [moves.ask(LATER), moves.ask(LAST), moves.ask(LAST)]
    asked[2].cancel()
    next(moves.go())
    moves.end(OracleFailure("over"))
    for one in asked[:2]:
        with pytest.raises(OracleFailure, match="over"):
            await one
    with pytest.raises(OracleFailure, match="over"):
        moves.ask(LAST)
    assert len(moves) == 0


async def test_an_end_on_the_last_step_is_no_other_failure(walk: Journey) -> None:
    """Whoever asked is told of the end, once; the clock stands where it was moved to."""
    standing = StepClock(BEGIN)
    moves = Moves(standing, walk)
    walk.take(LONG, at=BEGIN)
    walk.cycle(BEGIN)
    asked = moves.ask(LATER)
    steps = [at for at in moves.go() if moves.end(OracleFailure("over")) is None]
    assert steps
    with pytest.raises(OracleFailure, match="over"):
        await asked
    assert (len(moves), standing.now()) == (0, LATER)
