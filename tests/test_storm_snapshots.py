"""Storms with a real database beside the journal: a snapshot and the tail are the whole fold, whatever crashed between.

STORM_POINTS, which raises the number of crash points of all storms, raises the number of these as well.
"""

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oracle.loop import Loop
from state import keeping, recovery
from state.frames import GENESIS
from state.inputs import OperatorAsked
from state.journal import Journal, Limits, Run, read
from state.portfolio import Portfolio
from state.projecting import Projector
from state.record import Record
from state.recovery import History
from state.snapshots import Store
from state.tables import TABLES, Projected
from tests.simdisk import SimDisk
from tests.storms import (
    PATH,
    VERSION,
    Sink,
    Storm,
    Told,
    settings_of,
    story,
)

POINTS = int(os.environ.get("STORM_POINTS", "2400"))


@pytest.fixture(scope="module", name="runner")
def _runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


class KeepingStorm(Storm):
    """A storm whose processes keep snapshots and query tables of durable records in a real database, now and then.

    Between lives an older copy of the database may be put back.
    """

    database: Path
    snapshots = 0
    """How many recoveries began with a snapshot."""

    def live(self, *, troubled: bool) -> None:
        """One life with the database open; what it knows of records after the last write goes with the process."""
        self.waiting: list[Projected] = []
        self.projector = Projector()
        self.store = self.runner.run(Store.open(self.database))
        try:
            super().live(troubled=troubled)
        finally:
            self.runner.run(self.store.close())
        copy = self.database.with_suffix(".copy")
        if self.rng.random() < 0.4:
            shutil.copy(self.database, copy)
        elif troubled and copy.exists() and self.rng.random() < 0.4:
            shutil.copy(copy, self.database)

    def _recover(self, journal: Journal) -> Loop:
        loop = super()._recover(journal)
        assert self.recovered is not None
        assert self.recovered.snapshot_lsn + self.recovered.folded == journal.durable_lsn
        assert self.recovered.ignored == (), "what was kept of durable records is not known again"
        assert self.store is not None
        assert self.store.applied_lsn == journal.durable_lsn
        self.snapshots += self.recovered.snapshot_lsn > 0
        return loop

    def _took(self, loop: Loop, record: Record) -> None:
        self.waiting.append(self.projector.project(loop.portfolio, record, loop.portfolio.now))

    def _committed(self, loop: Loop, journal: Journal) -> None:
        if self.store is None or self.rng.random() < 0.4:
            return
        self.runner.run(self.store.write(self.waiting, journal.durable_chain))
        self.waiting.clear()
        if self.rng.random() < 0.4:
            self.runner.run(self.store.save_snapshot(loop.portfolio, journal.durable_chain))


def tables_of(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all query tables, in the order in which they were first written."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        # Every name is one of the program's own tables.
        return {one.name: list(connection.execute(f"SELECT * FROM {one.name} ORDER BY rowid")) for one in TABLES}  # noqa: S608


async def caught_up(disk: SimDisk, database: Path) -> None:
    """The database after one more start, which brings it to the journal's end."""
    store = await Store.open(database)
    await recovery.recover(History(disk, PATH), store)
    await store.close()


async def rebuilt(disk: SimDisk, database: Path) -> None:
    """The database made again from the journal alone."""
    store = await Store.open(database)
    await recovery.rebuild(store, read(disk, PATH))
    await store.close()


@pytest.mark.parametrize("shard", range(4))
def test_a_snapshot_and_the_tail_give_the_state_of_the_whole_fold(
    shard: int, runner: asyncio.Runner, tmp_path: Path
) -> None:
    """Whenever a snapshot was taken and whatever crashed since: the same state, and after it the same query tables."""
    crashes, snapshots = 0, 0
    for seed in range(shard, 4 * max(6, POINTS // 400), 4):
        storm = KeepingStorm(seed, runner)
        storm.database, fresh = tmp_path / f"{seed}.db", tmp_path / f"{seed}.fresh"
        crashes += storm.run().crashes
        snapshots += storm.snapshots
        runner.run(caught_up(storm.disk, storm.database))
        runner.run(rebuilt(storm.disk, fresh))
        assert tables_of(storm.database) == tables_of(fresh), f"storm {seed}"
    assert crashes > 0
    assert snapshots > 0


async def feed(loop: Loop, inputs: tuple[Told, ...], store: Store) -> None:
    """Take inputs without the broker's answers, and write their rows at once, as no process that waits would."""
    projector = Projector()
    rows = []
    for one in inputs:
        record = loop.take(one.told, at=one.at)
        rows.append(projector.project(loop.portfolio, record, loop.portfolio.now))
    await store.write(rows, GENESIS)


@pytest.mark.parametrize("other", [0, 2, 6])
async def test_a_snapshot_ahead_of_the_journal_is_not_used(tmp_path: Path, other: int) -> None:
    """A database that knows records which the journal lost, or has others in place of, is made again from the journal."""
    disk, life = SimDisk(random.Random(7)), iter(range(9))

    def enter(act: Callable[..., Journal]) -> Journal:
        return act(disk, PATH, run=Run(bytes([next(life)]) * 16, VERSION, "host"), limits=Limits(segment_bytes=20_000))

    said, store = story(), await Store.open(tmp_path / "oracle.db")
    journal = enter(Journal.create)
    loop = Loop(Portfolio(), Sink(journal), settings_of=settings_of)
    await feed(loop, said[:4], store)
    durable = journal.commit()
    await feed(loop, said[4:7], store)
    ahead, chain = loop.portfolio.lsn, journal.chain
    await store.write([], chain)
    await store.save_snapshot(loop.portfolio, chain)
    disk.crash()

    journal = enter(Journal.open)
    assert journal.durable_lsn == durable < ahead
    loop = Loop((await recovery.recover(History(disk, PATH))).portfolio, Sink(journal), settings_of=settings_of)
    for _ in range(other):
        loop.take(OperatorAsked("all", "another history"), at=loop.portfolio.now)
    journal.commit()

    recovered = await recovery.recover(History(disk, PATH), store)
    whole = await recovery.recover(History(disk, PATH))
    assert recovered.ignored != ()
    assert recovered.snapshot_lsn == 0
    assert recovered.portfolio.lsn == store.applied_lsn == durable + other
    assert keeping.digest(recovered.portfolio) == keeping.digest(whole.portfolio) == keeping.digest(loop.portfolio)
    await store.close()
    await rebuilt(disk, tmp_path / "fresh.db")
    assert tables_of(tmp_path / "oracle.db") == tables_of(tmp_path / "fresh.db")
