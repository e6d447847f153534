"""Data directories made of a stage's records: as a run leaves them that ended well, or that was killed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from state import recovery
from state.disk import Disk
from state.frames import Body
from state.journal import Journal, Limits, Run
from state.snapshots import Store
from tests.stage import Stage

RUN = Run(bytes(16), "test", "host")


def bodies_of(stage: Stage) -> tuple[Body, ...]:
    """A stage's records as they stand in a journal."""
    told = zip(stage.kept.payloads, stage.records, strict=True)
    return tuple(
        Body(lsn, seen_at, type(record.input).__name__, schema, payload, "test")
        for lsn, ((seen_at, schema, payload), record) in enumerate(told, 1)
    )


def written(root: Path, bodies: Sequence[Body]) -> Journal:
    """The journal of a new data directory, its records durable, held open as by a process at work."""
    root.mkdir(exist_ok=True)
    journal = Journal.create(Disk(), root / "journal", run=RUN, limits=Limits(segment_bytes=2**20))
    for one in bodies:
        journal.append(one.seen_at, one.kind, schema=one.schema, payload=one.payload)
    journal.commit()
    return journal


def tabled(root: Path, bodies: Sequence[Body]) -> None:
    """Make the database of a data directory hold so many records."""

    async def fill() -> None:
        store = await Store.open(root / "oracle.db")
        try:
            await recovery.rebuild(store, bodies)
        finally:
            await store.close()

    asyncio.run(fill())


def ended(root: Path, bodies: Sequence[Body]) -> Path:
    """A directory whose run ended well: its tables are full and its journal is sealed."""
    written(root, bodies).close()
    tabled(root, bodies)
    return root


def killed(root: Path, bodies: Sequence[Body], *, tables: int) -> Path:
    """A directory whose run was killed when its tables held so many records: nothing is sealed, nobody works in it."""
    written(root, bodies)._release()
    tabled(root, bodies[:tables])
    return root
