"""The database of one process: snapshots, query tables and where the run stands, each change in one transaction.

Everything in it can be made again from the journal. Deliberately absent: what the tables look like (`state.tables`) and
what is done with a snapshot (`state.recovery`).
"""

import asyncio
import contextlib
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec

from state import keeping
from state.errors import LawBroken
from state.frames import GENESIS
from state.portfolio import Portfolio
from state.standing import Standing, standing_of
from state.tables import APPLICATION_ID, MIGRATIONS, TABLES, Projected, Row, check_header, unusable

SNAPSHOTS_KEPT = 3
_STAND = (
    "INSERT INTO standing VALUES (1, ?, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET lsn = excluded.lsn, "
    "seen_at = excluded.seen_at, figures = excluded.figures, config = excluded.config WHERE excluded.lsn >= standing.lsn"
)
"""An older standing never replaces a newer one."""
_FILE_MODE = 0o600


class Snapshot(msgspec.Struct, frozen=True):
    """A portfolio as it was after record `lsn`: its bytes, and the journal's digest there."""

    lsn: int
    chain: bytes
    schema: int
    digest: str
    state: bytes

    @property
    def intact(self) -> bool:
        """Whether the bytes are those that were written."""
        return hashlib.sha256(self.state).hexdigest() == self.digest


class Store:
    """One connection to the database, for the one process that writes it. Open it with `Store.open`.

    Every failure of the database is an OracleFailure that leaves the last complete write in place; the journal does
    not depend on it.
    """

    applied_lsn: int
    """The newest record whose rows are in the query tables."""
    applied_chain: bytes | None
    """The journal's digest after that record, None when it was not told."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        """Use `Store.open`; this only sets the fields."""
        self.path = path
        self.applied_lsn, self.applied_chain = 0, GENESIS
        self._connection = connection
        self._turn = asyncio.Lock()
        self._upserts = {table.name: table.upsert() for table in TABLES}

    @classmethod
    async def open(cls, path: Path) -> "Store":
        """Open a database, made or brought to this version first where that is needed.

        Raises BadUsage for another program's database and for one of a newer version, OracleFailure when SQLite
        refuses it.
        """
        _make(path)
        with _asking(path):
            connection = await aiosqlite.connect(path, isolation_level=None)
        store = cls(path, connection)
        async with contextlib.AsyncExitStack() as held:
            held.push_async_callback(connection.close)
            await store._prepare()
            held.pop_all()
        return store

    async def write(
        self, batch: Sequence[Projected], chain: bytes | None = None, *, standing: Standing | None = None
    ) -> None:
        """Write the rows of durable records, in order, and note how far the tables are, in one transaction.

        `chain` is the journal's digest after the last of them; without it the next recovery cannot tell that the
        tables belong to its journal, and fills them again. `standing` is where the portfolio stood after exactly that
        record; without one, readers find an older one until the next. Records that were written before are passed
        over; raises LawBroken when records are missing between those and the batch, or the standing is ahead of them.
        """
        async with self._transaction():
            fresh = [one for one in batch if one.lsn > self.applied_lsn]
            lsn = fresh[-1].lsn if fresh else self.applied_lsn
            if fresh and (fresh[0].lsn != self.applied_lsn + 1 or lsn != self.applied_lsn + len(fresh)):
                first = fresh[0].lsn
                raise LawBroken(f"the query tables are at record {self.applied_lsn} and were handed {first} to {lsn}")
            for table, rows in _by_table(fresh).items():
                # Values are read off their nouns in the thread of the database, between one row and the next.
                await self._connection.executemany(self._upserts[table], map(Row.values, rows.values()))
            if fresh:
                await self._note(lsn, chain)
            if standing is not None:
                await self._stand(standing, at=lsn)
        if fresh:
            self.applied_lsn, self.applied_chain = lsn, chain

    async def save_standing(self, standing: Standing) -> None:
        """Keep where the run stands, for readers. Raises LawBroken when the query tables are not as far."""
        async with self._transaction():
            await self._stand(standing, at=self.applied_lsn)

    async def save_snapshot(self, portfolio: Portfolio, chain: bytes) -> None:
        """Keep the portfolio as it is now; `chain` is the journal's digest after its last record, which is durable.

        Only the newest are kept. Raises LawBroken when the query tables are not as far: a recovery that begins with
        the snapshot could not fill them.
        """
        if portfolio.lsn > self.applied_lsn:
            raise LawBroken(f"a snapshot at record {portfolio.lsn} is ahead of the tables at {self.applied_lsn}")
        # Encoded before anything is waited for: the portfolio goes on changing.
        lsn, at, state, stands = portfolio.lsn, portfolio.now, keeping.encode(portfolio), standing_of(portfolio)
        # Of a large one it takes long, and nobody should wait for it.
        digest = await asyncio.to_thread(lambda: hashlib.sha256(state).hexdigest())
        row = (lsn, chain.hex(), keeping.STATE_SCHEMA, at, digest, state)
        async with self._transaction():
            told = lsn == self.applied_lsn
            await self._connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", row)
            # One of a later record is of another history, and would keep a place for ever.
            await self._connection.execute(
                "DELETE FROM snapshots WHERE lsn > ?1 OR lsn NOT IN "
                "(SELECT lsn FROM snapshots WHERE lsn <= ?1 ORDER BY lsn DESC LIMIT ?2)",
                (lsn, SNAPSHOTS_KEPT),
            )
            await self._stand(stands, at=self.applied_lsn)
            if told:
                await self._note(lsn, chain)
        if told:
            self.applied_chain = chain

    async def latest_snapshot(self, max_lsn: int) -> Snapshot | None:
        """The newest snapshot of a record up to `max_lsn`, whether or not it can be used."""
        query = "SELECT lsn, chain, schema, digest, state FROM snapshots WHERE lsn <= ? ORDER BY lsn DESC LIMIT 1"
        async with self._turn:
            with _asking(self.path):
                row = await self._one(query, max_lsn)
        return None if row is None else Snapshot(row[0], bytes.fromhex(row[1]), row[2], row[3], row[4])

    async def clear(self) -> None:
        """Empty the query tables, forget where the run stands, and drop every snapshot."""
        async with self._transaction():
            for name in (*self._upserts, "snapshots", "standing"):
                # Every name is one of this program's own tables.
                await self._connection.execute(f'DELETE FROM "{name}"')  # noqa: S608
            await self._note(0, None)
        self.applied_lsn, self.applied_chain = 0, GENESIS

    async def close(self) -> None:
        """Close the connection; whatever was written is in the file."""
        await self._connection.close()

    # -- private ------------------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        with _asking(self.path):
            version = await self._version()
            for name, value in (("mmap_size", "0"), ("journal_mode", "WAL"), ("synchronous", "FULL")):
                await self._one(f"PRAGMA {name} = {value}")
        for number in range(version, len(MIGRATIONS)):
            async with self._transaction():
                await self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in MIGRATIONS[number]:
                    await self._connection.execute(statement)
                await self._connection.execute(f"PRAGMA user_version = {number + 1}")
        with _asking(self.path):
            lsn, chain = await self._one("SELECT applied_lsn, chain FROM meta")
        self.applied_lsn = lsn
        self.applied_chain = bytes.fromhex(chain) if chain is not None else (None if lsn else GENESIS)

    async def _version(self) -> int:
        """How many migrations the file has seen. Raises BadUsage for a file that is not this program's."""
        (objects,) = await self._one("SELECT count(*) FROM sqlite_master")
        (application,) = await self._one("PRAGMA application_id")
        (version,) = await self._one("PRAGMA user_version")
        if objects or application or version:
            check_header(self.path, application, version)
        return int(version)

    async def _one(self, query: str, *bound: object) -> Any:
        async with self._connection.execute(query, bound) as found:
            return await found.fetchone()

    async def _note(self, lsn: int, chain: bytes | None) -> None:
        told = None if chain is None else chain.hex()
        await self._connection.execute("UPDATE meta SET applied_lsn = ?, chain = ?", (lsn, told))

    async def _stand(self, told: Standing, *, at: int) -> None:
        if told.lsn > at:
            raise LawBroken(f"where the run stands at record {told.lsn} is ahead of the tables at {at}")
        row = (told.lsn, told.seen_at, told.figures.decode(), told.config.decode())
        await self._connection.execute(_STAND, row)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """One transaction at a time; whatever interrupts it undoes it."""
        async with self._turn:
            with _asking(self.path):
                try:
                    # Inside, because a task cancelled while it waits for the begin has begun all the same.
                    await self._connection.execute("BEGIN IMMEDIATE")
                    yield
                    await self._connection.execute("COMMIT")
                except BaseException:
                    await self._undo()
                    raise

    async def _undo(self) -> None:
        # What interrupted the transaction is told, not what could not be undone: closing undoes it too.
        with contextlib.suppress(sqlite3.Error):
            await self._connection.rollback()


@contextlib.contextmanager
def _asking(path: Path) -> Iterator[None]:
    """Around all that SQLite may refuse."""
    try:
        yield
    except sqlite3.Error as failure:
        raise unusable(path, failure) from failure


def _make(path: Path) -> None:
    """Create the file for its owner only, before SQLite would create it for everybody."""
    try:
        path.touch(mode=_FILE_MODE)
    except OSError as failure:
        raise unusable(path, failure) from failure


def _by_table(batch: Iterable[Projected]) -> dict[str, dict[object, Row]]:
    """The rows of all records by table: of each key the last one, in the place of the first."""
    found: dict[str, dict[object, Row]] = {}
    for one in batch:
        for row in one.rows:
            found.setdefault(row.table.name, {})[row.key] = row
    return found
