"""What runs beside the daemon's beat: it ends with it, and a failure of either ends both and is told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from oracle import beginning, daemon
from oracle.beginning import Job
from state.disk import Disk
from state.errors import DiskFailed
from state.segments import segments
from tests.tapes import new_york
from tests.test_daemon import DAY, config


async def test_what_runs_beside_it_ends_it_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No failure is swallowed: what looks for a longer calendar ends the process, which ends in order."""

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    outside = daemon.Outside(ready=lambda *_: monkeypatch.setattr(beginning, "dates_wanted", failing))
    job = Job(tmp_path / "desk", 0, config=config(tmp_path), simulate=1.0, start=new_york(DAY, "10:00:00"), seed=7)
    monkeypatch.setattr(daemon, "_CALENDAR_LOOK_S", 0.01)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(60):
            await daemon.run(job, outside)
    assert all(one.sealed for one in segments(Disk(), tmp_path / "desk" / "journal"))


async def test_the_first_failure_is_the_one_that_is_told() -> None:
    """That of the block, or of what runs beside it; the other is cancelled, and so it is where the block ends well."""
    ended: list[str] = []

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def failing(words: str) -> None:
        raise DiskFailed(words)

    async def with_a_block(act: Callable[[], Awaitable[Any]], *beside: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(60), AsyncExitStack() as held:
            for work in beside:
                await held.enter_async_context(daemon._beside(work))
            await asyncio.sleep(0)
            await act()

    await with_a_block(lambda: asyncio.sleep(0), waiting())
    with pytest.raises(DiskFailed, match="inside"):
        await with_a_block(lambda: failing("inside"), waiting())
    with pytest.raises(DiskFailed, match="beside"):
        await with_a_block(asyncio.Event().wait, failing("beside"), waiting())
    assert ended == ["cancelled"] * 3

    async def failing_at_its_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise DiskFailed("at its end")

    with pytest.raises(DiskFailed, match="inside"):
        await with_a_block(lambda: failing("inside"), failing_at_its_end())
