"""A burst of alerts is answered first and judged together; what is urgent is never kept waiting by it."""

import asyncio
from pathlib import Path

import pytest

from oracle import books, heart
from oracle.clock import FasterClock
from state.inputs import Ask, OperatorAsked
from tests.beating import OPEN, beating
from tests.test_heart import alert, until

PATIENT_S = 600.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heart that waits for the next alert of a burst longer than any test takes."""
    monkeypatch.setattr(heart, "_HEELS_S", PATIENT_S)
    monkeypatch.setattr(heart, "_BURST_NS_MAX", int(PATIENT_S) * heart.SECOND)


@pytest.mark.usefixtures("patient")
async def test_what_follows_on_the_heels_is_judged_with_it(tmp_path: Path) -> None:
    """Each is answered by itself, and no cycle stands between; an ask of the operator ends the wait."""
    async with beating(tmp_path, FasterClock(OPEN, 1.0)) as run:
        for number in range(20):
            await run.heart.alert(alert(number))
        assert run.heart.cycles == 0
        await run.heart.ask(OperatorAsked("", "enough", Ask.HALT))
        await until(lambda: run.heart.cycles == 1 and not run.portfolio.undecided)


@pytest.mark.usefixtures("patient")
async def test_whoever_asks_to_leave_is_heard_at_once(tmp_path: Path) -> None:
    """A stopping heart does not wait for more either."""
    async with beating(tmp_path, FasterClock(OPEN, 1.0)) as run:
        await run.heart.alert(alert(1))
        run.heart.stop()
        await until(lambda: run.heart.cycles == 1 and not run.portfolio.undecided)


@pytest.mark.parametrize("name", ["_HEELS_S", "_BURST_NS_MAX"])
@pytest.mark.usefixtures("patient")
async def test_a_burst_is_judged_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """After a pause, and in the middle of one that has no end."""
    monkeypatch.setattr(heart, name, 0)
    async with beating(tmp_path, FasterClock(OPEN, 1.0)) as run:
        await run.heart.alert(alert(1))
        await until(lambda: run.heart.cycles == 1 and not run.portfolio.undecided)


async def test_rows_of_a_burst_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for each alert by itself; whoever asks for the rows ends the wait."""
    monkeypatch.setattr(books, "_GATHER_S", PATIENT_S)
    async with beating(tmp_path, FasterClock(OPEN, 1.0)) as run:
        before = run.store.applied_lsn
        for number in range(5):
            await run.heart.alert(alert(number))
        await until(lambda: not run.portfolio.undecided)
        assert run.store.applied_lsn == before
        assert await asyncio.wait_for(run.heart.settled(), PATIENT_S / 10) <= run.store.applied_lsn
