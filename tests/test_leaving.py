"""Nothing leaves a process before the disk has its record: answers, what is told, rows, where a run stands, snapshots."""

import asyncio
import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest

from oracle.inbox import Taken
from state.disk import Disk
from state.journal import is_initialised, read
from tests.beating import Around, Beating, beating
from tests.test_heart import alert, until

ALERTS = 6
HELD_S_MAX = 10


class Held(Disk):
    """A disk whose syncs wait while it is held; `kept` is the newest record that a reader finds after a sync."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.go, self.held = threading.Event(), threading.Event()
        self.go.set()
        self.kept = 0

    def sync(self, descriptor: int) -> None:
        """Wait, sync, and look what is there."""
        if not self.go.is_set():
            self.held.set()
            self.go.wait(HELD_S_MAX)
        super().sync(descriptor)
        if is_initialised(Disk(), self._journal):
            self.kept = max((body.lsn for body in read(Disk(), self._journal)), default=0)


def written(data: Path) -> dict[str, int]:
    """The newest record that any table of the database knows of, by table."""
    with contextlib.closing(sqlite3.connect(data / "oracle.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in names:
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
            for column in columns & {"lsn", "applied_lsn"}:
                # Every name is one that the database has just told.
                ((newest,),) = connection.execute(f"SELECT max({column}) FROM {name}")  # noqa: S608
                found[name] = newest or 0
        return found


def left(run: Beating, answers: list[asyncio.Task[Taken]], data: Path) -> dict[str, int]:
    """The newest record of which anything has left, by the way it went."""
    return {
        "answers": max((one.result().lsn for one in answers if one.done()), default=0),
        "told": max((one.lsn for one in run.told), default=0),
        **written(data),
    }


@pytest.mark.parametrize("before", range(4))
async def test_whatever_leaves_waits_for_the_disk(tmp_path: Path, before: int) -> None:
    """With a sync that hangs after some alerts, nobody learns of a later record; once it ends, everybody of all."""
    disk = Held(tmp_path / "journal")
    async with beating(tmp_path, around=Around(disk=disk)) as run:
        # A snapshot is due after every record.
        run.heart._books._snapshot_records = 1
        for number in range(before):
            await run.heart.alert(alert(number))
        await run.heart.settled()
        disk.go.clear()
        answers = [asyncio.create_task(run.heart.alert(alert(number))) for number in range(before, ALERTS)]
        await until(lambda: disk.held.is_set() and len(run.portfolio.signals) == ALERTS)
        for _ in range(10):
            await asyncio.sleep(0.01)
            run.heart.released()
            found = left(run, answers, tmp_path)
            early = {way: lsn for way, lsn in found.items() if lsn > disk.kept}
            assert not early, f"left before record {disk.kept + 1} was durable: {early}"
            assert disk.kept < run.portfolio.lsn
        disk.go.set()
        last = max(one.lsn for one in await asyncio.gather(*answers))
        assert await run.heart.settled() >= last
        await until(lambda: written(tmp_path)["snapshots"] >= last)
        found = left(run, answers, tmp_path)
        assert min(found[name] for name in ("answers", "told", "meta", "standing", "events", "signals")) == last
