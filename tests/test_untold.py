"""Nothing leaves before it is durable, everything does after it in its order, and nobody waits for what will not come."""

import asyncio

import pytest

from oracle.inbox import Taken
from oracle.untold import Untold
from state.errors import DiskFailed, LawBroken
from state.inputs import StorageTurned
from state.record import Record


def taken(lsn: int) -> Taken:
    """A record of a number."""
    return Taken(lsn, 0, Record(StorageTurned(low=True), ()))


async def test_what_is_durable_leaves_in_its_order() -> None:
    """Told, answered, waited for: up to the record that is durable, and not one further."""
    told: list[Taken] = []
    untold, events = Untold(told.append), asyncio.get_running_loop()
    answers = [events.create_future() for _ in range(3)]
    waits = []
    for lsn, answer in enumerate(answers, 1):
        untold.hear(taken(lsn))
        untold.answer(answer)
        waits.append(asyncio.create_task(untold.durable(lsn)))
    await asyncio.sleep(0)
    untold.release(0)
    assert (told, [one.done() for one in answers]) == ([], [False] * 3)
    untold.release(2)
    await asyncio.gather(*waits[:2])
    assert told == [taken(1), taken(2)] == [one.result() for one in answers[:2]]
    assert [answers[2].done(), waits[2].done()] == [False, False]
    untold.release(3)
    await waits[2]
    assert told[2:] == [taken(3)] == [answers[2].result()]


async def test_whoever_went_away_is_passed_over() -> None:
    """An answer nobody waits for any more keeps back no other."""
    told: list[Taken] = []
    untold, events = Untold(told.append), asyncio.get_running_loop()
    answers = [events.create_future() for _ in range(2)]
    for lsn, answer in enumerate(answers, 1):
        untold.hear(taken(lsn))
        untold.answer(answer)
    gone = asyncio.create_task(untold.durable(1))
    await asyncio.sleep(0)
    gone.cancel()
    answers[0].cancel()
    untold.release(2)
    assert (len(told), answers[1].result()) == (2, taken(2))


async def test_a_failure_reaches_everybody_who_waits() -> None:
    """Who was answered already keeps the answer; nothing is told."""
    told: list[Taken] = []
    untold, events = Untold(told.append), asyncio.get_running_loop()
    answers = [events.create_future() for _ in range(2)]
    for lsn, answer in enumerate(answers, 1):
        untold.hear(taken(lsn))
        untold.answer(answer)
    waits = [asyncio.create_task(untold.durable(lsn)) for lsn in (1, 2)]
    await asyncio.sleep(0)
    untold.release(1)
    untold.fail(DiskFailed("gone"))
    assert answers[0].result() == taken(1)
    assert await waits[0] is None
    for lost in (answers[1], waits[1]):
        with pytest.raises(DiskFailed, match="gone"):
            await lost
    assert told == [taken(1)]


async def test_who_asks_after_the_end_does_not_wait() -> None:
    """A record that was decided and will never be durable."""
    untold = Untold(lambda _: None)
    untold.fail(DiskFailed("gone"))
    with pytest.raises(DiskFailed, match="gone"):
        await asyncio.wait_for(untold.durable(9), 1)


async def test_what_cannot_be_told_keeps_no_answer_back() -> None:
    """The others are told, everybody is answered, and what went wrong is kept for the process to end with."""
    told: list[int] = []

    def tell(one: Taken) -> None:
        if one.lsn == 1:
            raise ZeroDivisionError
        told.append(one.lsn)

    untold, events = Untold(tell), asyncio.get_running_loop()
    answers = [events.create_future() for _ in range(2)]
    for lsn, answer in enumerate(answers, 1):
        untold.hear(taken(lsn))
        untold.answer(answer)
    untold.release(2)
    assert (told, [one.result().lsn for one in answers]) == ([2], [1, 2])
    assert isinstance(untold.broken, LawBroken)
    assert "record 1 could not be told: ZeroDivisionError()" in str(untold.broken)
