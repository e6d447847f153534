"""The database on a disk that fails, fills up and dies: at every statement and at every size of its files.

One session makes the file, writes rows in batches with two snapshots, and makes all of it again. Whatever happened to
it, the journal's records bring the same portfolio and the same tables back.
"""

import os
import random
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiosqlite
import pytest

from state import keeping, recovery
from state.errors import OracleFailure
from state.journal import Journal, Run
from state.portfolio import Portfolio
from state.projecting import Projector
from state.recovery import History
from state.segments import read
from state.snapshots import Store
from state.tables import Projected
from tests.simdisk import SimDisk
from tests.storms import PATH, VERSION, course, keep
from tests.test_snapshots import asked_plainly, content

STRIDE = 1 if int(os.environ.get("STORM_POINTS", "2400")) > 2400 else 5
"""Every how many-th place is tried; storms try all of them."""
STEP_BYTES = 7_001


class Dead(BaseException):
    """The process is no more."""


class Statements:
    """Counts what a session asks of SQLite, and meets the statement with a number."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.act: Callable[[Path, str], None] | None = None
        self.asked: list[str] = []
        self.synced_bytes = 0

    def meet(self, path: Path, statement: str) -> None:
        """Just before a statement; a commit is met once it has been done."""
        self.asked.append(statement.split(maxsplit=1)[0])
        if self.act is not None:
            self.act(path, statement)


@contextmanager
def counted(statements: Statements) -> Iterator[None]:
    """Every connection made meanwhile tells its statements."""

    class Connection(sqlite3.Connection):
        path = Path()

        def execute(self, statement: str, *bound: Any) -> sqlite3.Cursor:
            if statement != "COMMIT":
                statements.meet(self.path, statement)
                return super().execute(statement, *bound)
            done = super().execute(statement, *bound)
            statements.meet(self.path, statement)
            return done

        def executemany(self, statement: str, *bound: Any) -> sqlite3.Cursor:
            statements.meet(self.path, statement)
            return super().executemany(statement, *bound)

    def connected(path: Path, **options: Any) -> aiosqlite.Connection:
        Connection.path = path
        return plain(path, factory=Connection, **options)

    plain = aiosqlite.connect
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(aiosqlite, "connect", connected)
        yield


class Session:
    """The journal of the story's beginning, and what a process does with a database beside it."""

    def __init__(self) -> None:
        self.disk, self.run = SimDisk(), course(brief=True)
        journal = Journal.create(self.disk, PATH, run=Run(bytes(16), VERSION, "host"))
        keep(journal, self.run.bodies)
        journal.close()
        self.history = History(self.disk, PATH)
        projector, portfolio = Projector(), Portfolio()
        self.rows: list[Projected] = []
        for body in read(self.disk, PATH):
            record = recovery.fold(portfolio, body)
            self.rows.append(projector.project(portfolio, record, body.seen_at))

    def steps(self) -> Iterator[Callable[[Store], Any]]:
        """What is asked of an open store, in order; each may be asked again when it failed."""
        chains, states = self.run.chains, self.run.states
        for begin, end in ((0, 4), (4, 7), (7, len(self.rows))):
            yield lambda store, begin=begin, end=end: store.write(self.rows[begin:end], chains[end])
            yield lambda store, end=end: store.save_snapshot(keeping.decode(states[end]), chains[end])
        yield lambda store: recovery.rebuild(store, read(self.disk, PATH))

    async def live(self, path: Path) -> None:
        """The session, each step of it once."""
        async with opened(path) as store:
            for step in self.steps():
                await step(store)

    async def persist(self, path: Path) -> int:
        """The session, each step again when the database refused it, as a process does; how often it refused."""
        refusals = 0
        try:
            store = await Store.open(path)
        except OracleFailure:
            refusals, store = 1, await Store.open(path)
        for step in self.steps():
            try:
                await step(store)
            except OracleFailure:
                refusals += 1
                await step(store)
        await store.close()
        return refusals

    async def check(self, path: Path) -> int:
        """A start with whatever is left comes to the journal's end, with the tables that follow from it."""
        async with opened(path) as store:
            recovered = await recovery.recover(self.history, store)
            assert keeping.digest(recovered.portfolio) == self.run.digests[-1]
            assert store.applied_lsn == len(self.rows)
        assert asked_plainly(path, "PRAGMA integrity_check") == [("ok",)]
        assert content(path) == self.tables
        return recovered.snapshot_lsn

    tables: dict[str, list[tuple[Any, ...]]]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    """A store that is closed again."""
    store = await Store.open(path)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(name="directory")
def _directory() -> Iterator[Path]:
    """A directory on a file system that syncs quickly, where there is one."""
    shared = Path("/dev/shm")  # noqa: S108  Only its speed is used: the directory in it is private.
    with TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(name="session")
async def _session(directory: Path) -> Session:
    session = Session()
    await session.live(directory / "whole.db")
    session.tables = content(directory / "whole.db")
    return session


async def statements_of(session: Session, path: Path) -> list[str]:
    """What the session asks of SQLite on a sound disk."""
    asked = Statements()
    with counted(asked):
        await session.live(path)
    return asked.asked


def refusing(asked: Statements, *, forever: bool) -> Callable[[Path, str], None]:
    """The disk refuses a statement, or all from it on. A commit that is refused may have been done all the same."""

    def act(path: Path, statement: str) -> None:
        if len(asked.asked) == asked.number or (forever and len(asked.asked) > asked.number):
            raise sqlite3.OperationalError("disk I/O error")

    return act


async def test_any_statement_that_fails_once_is_asked_again(session: Session, directory: Path) -> None:
    """Each step of a session is whole or nothing: asked once more it succeeds, and everything is as it should be."""
    whole = await statements_of(session, directory / "counted.db")
    assert set(whole) >= {"PRAGMA", "BEGIN", "COMMIT", "CREATE", "INSERT", "UPDATE", "DELETE", "SELECT"}
    for number in range(1, len(whole) + 1, STRIDE):
        path, asked = directory / f"{number}.db", Statements(number)
        asked.act = refusing(asked, forever=False)
        with counted(asked):
            assert await session.persist(path) == 1, f"statement {number}: {whole[number - 1]}"
        await session.check(path)


async def test_a_database_that_fails_for_ever_harms_nothing(session: Session, directory: Path) -> None:
    """From any statement on nothing works: an operation that failed, with exit code 1; later all comes back."""
    whole = await statements_of(session, directory / "counted.db")
    for number in range(1, len(whole) + 1, STRIDE):
        path, asked = directory / f"{number}.db", Statements(number)
        asked.act = refusing(asked, forever=True)
        with counted(asked), pytest.raises(OracleFailure, match="the journal is unharmed") as refusal:
            await session.live(path)
        assert refusal.value.exit_code == 1
        await session.check(path)


def cut_off(asked: Statements, path: Path, statement: str, *, rng: random.Random, left: Path) -> None:
    """Keep what the disk holds when power is lost in a statement: of the log since the last commit, any part."""
    log = Path(f"{path}-wal")
    if len(asked.asked) == asked.number and path.exists():
        shutil.copy(path, left)
        if log.exists():
            left_log = log.read_bytes()
            Path(f"{left}-wal").write_bytes(left_log[: rng.randint(asked.synced_bytes, len(left_log))])
    if len(asked.asked) >= asked.number:
        raise Dead
    if statement == "COMMIT":
        asked.synced_bytes = log.stat().st_size if log.exists() else 0


@pytest.mark.parametrize("seed", range(2))
async def test_power_lost_within_any_statement_leaves_complete_records(
    session: Session, directory: Path, seed: int
) -> None:
    """Inside a write, a snapshot, a migration or a rebuild, with any part of what was not synced: the same comes back."""
    whole = await statements_of(session, directory / "counted.db")
    rng, begun = random.Random(seed), set[int]()
    for number in range(1, len(whole) + 1, STRIDE):
        left, asked = directory / "left.db", Statements(number)
        for name in (left, Path(f"{left}-wal")):
            name.unlink(missing_ok=True)
        path = directory / f"{number}.db"
        asked.act = partial(cut_off, asked, rng=rng, left=left)
        with counted(asked), pytest.raises(Dead):
            await session.live(path)
        begun.add(await session.check(left))
        path.unlink()
    assert len(begun) > 2


@contextmanager
def files_at_most(size_bytes: int) -> Iterator[None]:
    """The system refuses to let any file of this process grow beyond a size, and takes a part of a write at its edge."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_database_that_cannot_grow_harms_nothing(session: Session, directory: Path) -> None:
    """The system takes no byte beyond any size of its files: an operation that failed; with room all comes back."""
    refused = 0
    for size_bytes in count(STEP_BYTES, STRIDE * STEP_BYTES):
        path = directory / f"{size_bytes}.db"
        try:
            with files_at_most(size_bytes):
                await session.live(path)
        except OracleFailure:
            refused += STRIDE
        else:
            break
        await session.check(path)
    assert refused > 10
