"""The database of one process: versions, transactions, snapshots, where it stands, and what a crash may leave of it."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from state import keeping, snapshots, tables
from state.errors import BadUsage, LawBroken, OracleFailure
from state.facts import Alerted
from state.frames import GENESIS
from state.portfolio import Portfolio
from state.recovery import fold
from state.snapshots import SNAPSHOTS_KEPT, Store
from state.standing import standing_of
from state.tables import ALERTS, APPLICATION_ID, MIGRATIONS, TABLES, Projected, Row
from tests.test_tables import asked, projections, story

CHAIN = bytes(range(32))


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    """A store that is closed again."""
    store = await Store.open(path)
    try:
        yield store
    finally:
        await store.close()


def portfolio_at(lsn: int) -> Portfolio:
    """The portfolio of the story after a record."""
    portfolio = Portfolio()
    for body in story()[:lsn]:
        fold(portfolio, body)
    return portfolio


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every query table."""
    with closing(sqlite3.connect(path)) as connection:
        return {table.name: connection.execute(f'SELECT * FROM "{table.name}"').fetchall() for table in TABLES}  # noqa: S608


def written_ahead(path: Path) -> bytes:
    """The write-ahead log beside an open database."""
    return Path(f"{path}-wal").read_bytes()


def asked_plainly(path: Path, query: str, *bound: object) -> list[tuple[Any, ...]]:
    """The rows of a statement, given behind the program's back and without any check of the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(query, bound).fetchall()


# -- the file -------------------------------------------------------------------------------------------------------


async def test_a_fresh_file_is_made_ready(tmp_path: Path) -> None:
    """A new database is private, in WAL mode, strict, marked as this program's, and at its newest version."""
    path = tmp_path / "oracle.db"
    async with opened(path) as store:
        assert (store.applied_lsn, store.applied_chain) == (0, GENESIS)
        for name, value in (("synchronous", 2), ("mmap_size", 0)):
            async with store._connection.execute(f"PRAGMA {name}") as found:
                assert await found.fetchone() == (value,)
    assert path.stat().st_mode & 0o077 == 0
    told = [asked_plainly(path, f"PRAGMA {name}") for name in ("journal_mode", "application_id", "user_version")]
    assert told == [[("wal",)], [(APPLICATION_ID,)], [(len(MIGRATIONS),)]]
    loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"
    assert asked_plainly(path, loose) == []


async def test_migrations_run_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of an older version gets exactly the statements it has not seen, and keeps its rows."""
    path = tmp_path / "oracle.db"
    async with opened(path) as store:
        await store.write(projections(), CHAIN)
    before = content(path)
    more = (*MIGRATIONS, ("CREATE TABLE added (n INTEGER) STRICT",), ("INSERT INTO added VALUES (1)",))
    for module in (snapshots, tables):
        monkeypatch.setattr(module, "MIGRATIONS", more)
    for _ in range(2):
        async with opened(path) as store:
            assert store.applied_lsn == len(story())
    assert asked_plainly(path, "SELECT n FROM added") == [(1,)]
    assert content(path) == before


async def test_a_migration_that_fails_leaves_the_version_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each version is one transaction: half a migration never stays."""
    path = tmp_path / "oracle.db"
    async with opened(path):
        pass
    for module in (snapshots, tables):
        monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE added (n)", "CREATE nonsense")))
    with pytest.raises(OracleFailure, match="syntax error"):
        await Store.open(path)
    assert asked_plainly(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert asked_plainly(path, "SELECT name FROM sqlite_master WHERE name = 'added'") == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [("PRAGMA user_version = 99", "newer version"), ("PRAGMA application_id = 7", "another program")],
)
async def test_a_file_that_is_not_ours_is_left_as_it_is(tmp_path: Path, statement: str, message: str) -> None:
    """A newer version's database and another program's are refused without changing a byte."""
    path = tmp_path / "oracle.db"
    async with opened(path):
        pass
    asked_plainly(path, statement)
    before = path.read_bytes()
    with pytest.raises(BadUsage, match=message):
        await Store.open(path)
    assert path.read_bytes() == before


async def test_a_file_that_cannot_be_used_names_the_remedy(tmp_path: Path) -> None:
    """A ruined file, and a place where none can be made, are failures that say what to do."""
    ruined = tmp_path / "oracle.db"
    ruined.write_bytes(b"something else" * 100)
    for path in (ruined, tmp_path / "absent" / "oracle.db"):
        with pytest.raises(OracleFailure, match="oracle rebuild"):
            await Store.open(path)
    assert ruined.read_bytes() == b"something else" * 100


# -- rows -----------------------------------------------------------------------------------------------------------


async def test_rows_and_their_record_are_written_together(tmp_path: Path) -> None:
    """What is asked after a write is the story so far, and the tables know how far that is after a restart."""
    path = tmp_path / "oracle.db"
    batch = projections()
    async with opened(path) as store:
        await store.write(batch[:9], CHAIN)
        assert len(asked(path, "SELECT * FROM positions")) == 1
        await store.write(batch[9:])
        assert (store.applied_lsn, store.applied_chain) == (len(batch), None)
    async with opened(path) as store:
        assert (store.applied_lsn, store.applied_chain) == (len(batch), None)
        await store.write([])
    assert len(asked(path, "SELECT * FROM positions")) == 3


async def test_any_cut_into_batches_gives_the_same_tables(tmp_path: Path) -> None:
    """Record by record, all at once, and with records handed over twice: the rows are the same, in the same order."""
    batch = projections()
    rng = random.Random(11)
    async with opened(tmp_path / "whole.db") as store:
        await store.write(batch, CHAIN)
    expected = content(tmp_path / "whole.db")
    for number in range(6):
        path = tmp_path / f"cut{number}.db"
        async with opened(path) as store:
            while store.applied_lsn < len(batch):
                start = rng.randrange(store.applied_lsn + 1)
                await store.write(batch[start : store.applied_lsn + rng.randint(1, 1 + 4 * number)], CHAIN)
        assert content(path) == expected


async def test_missing_records_are_refused(tmp_path: Path) -> None:
    """A gap would leave the tables wrong for ever, so it breaks a law and changes nothing."""
    batch = projections()
    async with opened(tmp_path / "oracle.db") as store:
        await store.write(batch[:3], CHAIN)
        for gap in (batch[4:], (batch[3], batch[5])):
            with pytest.raises(LawBroken, match="at record 3"):
                await store.write(gap, CHAIN)
        await store.write(batch[3:], CHAIN)
        assert store.applied_lsn == len(batch)


async def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    """When one row cannot be stored the whole batch is undone, and the store goes on."""
    path = tmp_path / "oracle.db"
    batch = projections()
    spoiled = Projected(3, (*batch[2].rows, Row(ALERTS, 0, Alerted("no_chain", ""), (3, None, 0))))
    async with opened(path) as store:
        await store.write(batch[:2], CHAIN)
        with pytest.raises(OracleFailure, match="the journal is unharmed"):
            await store.write([spoiled], CHAIN)
        assert store.applied_lsn == 2
        assert asked(path, "SELECT count(*) AS n FROM events") == [{"n": 0}]
        await store.write(batch[2:], CHAIN)
    assert asked(path, "SELECT applied_lsn FROM meta") == [{"applied_lsn": len(batch)}]


async def test_of_the_rows_of_one_noun_in_a_batch_only_the_last_is_read(tmp_path: Path) -> None:
    """What a noun was in between is written nowhere; a row that is not written need not even be readable."""
    batch = projections()
    unread = [Projected(one.lsn, tuple(row._replace(noun=None) for row in one.rows)) for one in batch]
    async with opened(tmp_path / "oracle.db") as store:
        doubled = [Projected(one.lsn, (*never.rows, *one.rows)) for one, never in zip(batch, unread, strict=True)]
        await store.write(doubled, CHAIN)
    async with opened(tmp_path / "whole.db") as store:
        await store.write(batch, CHAIN)
    assert content(tmp_path / "oracle.db") == content(tmp_path / "whole.db")


async def test_a_write_that_is_cancelled_is_whole_or_nothing(tmp_path: Path) -> None:
    """A task stopped in the middle of a write leaves complete records, and the next write goes on from them."""
    batch = projections()
    async with opened(tmp_path / "whole.db") as store:
        await store.write(batch, CHAIN)
    for turns in range(0, 24, 3):
        path = tmp_path / f"{turns}.db"
        async with opened(path) as store:
            await store.write(batch[:5], CHAIN)
            task = asyncio.ensure_future(store.write(batch[5:20], CHAIN))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert len(content(path)["events"]) in (3, 6)
            await store.write(batch[store.applied_lsn :], CHAIN)
        assert content(path) == content(tmp_path / "whole.db")


async def test_a_crash_leaves_complete_records(tmp_path: Path) -> None:
    """However much of the write-ahead log reached the disk, the tables are those of one record and the file is sound."""
    path, batch = tmp_path / "oracle.db", projections()
    expected: list[dict[str, list[tuple[Any, ...]]]] = []
    async with opened(path) as store:
        expected.append(content(path))
        for one in batch:
            await store.write([one], CHAIN)
            expected.append(content(path))
        log, base = written_ahead(path), path.read_bytes()
    rng = random.Random(5)
    reached = set()
    for cut in [len(log), *(rng.randrange(len(log)) for _ in range(40))]:
        crashed = tmp_path / f"crash{cut}"
        crashed.mkdir()
        (crashed / "oracle.db").write_bytes(base)
        (crashed / "oracle.db-wal").write_bytes(log[:cut])
        async with opened(crashed / "oracle.db") as store:
            lsn = store.applied_lsn
            assert content(store.path) == expected[lsn]
            await store.write(batch[lsn:], CHAIN)
            assert content(store.path) == expected[-1]
        reached.add(lsn)
        shutil.rmtree(crashed)
    assert len(reached) > 5
    assert max(reached) == len(batch)


# -- snapshots ------------------------------------------------------------------------------------------------------


async def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    """Bytes, record, digest and schema are kept; one asks for the newest up to a record."""
    async with opened(tmp_path / "oracle.db") as store:
        await store.write(projections(), CHAIN)
        for lsn in (5, 9):
            await store.save_snapshot(portfolio_at(lsn), bytes([lsn]) * 32)
        assert await store.latest_snapshot(4) is None
        for asked_for, lsn in ((5, 5), (8, 5), (9, 9), (1_000, 9)):
            kept = await store.latest_snapshot(asked_for)
            assert kept is not None
            assert (kept.lsn, kept.chain, kept.schema, kept.intact) == (
                *(lsn, bytes([lsn]) * 32, keeping.STATE_SCHEMA, True),
            )
            assert keeping.digest(keeping.decode(kept.state)) == keeping.digest(portfolio_at(lsn))


async def test_only_the_newest_snapshots_stay(tmp_path: Path) -> None:
    """Old snapshots go, one at the same record is replaced, and those of a later record than the newest go too."""
    path = tmp_path / "oracle.db"
    async with opened(path) as store:
        await store.write(projections(), CHAIN)
        for lsn in (2, 4, 6, 8, 8, 10):
            await store.save_snapshot(portfolio_at(lsn), CHAIN)
        assert asked(path, "SELECT lsn FROM snapshots") == [{"lsn": lsn} for lsn in (6, 8, 10)]
        assert len((6, 8, 10)) == SNAPSHOTS_KEPT
        await store.save_snapshot(portfolio_at(7), CHAIN)
        assert asked(path, "SELECT lsn FROM snapshots") == [{"lsn": lsn} for lsn in (6, 7)]


async def test_a_snapshot_is_never_ahead_of_the_tables(tmp_path: Path) -> None:
    """A recovery that began with it could not fill the records between, so it breaks a law."""
    async with opened(tmp_path / "oracle.db") as store:
        await store.write(projections()[:4], CHAIN)
        with pytest.raises(LawBroken, match="ahead of the tables at 4"):
            await store.save_snapshot(portfolio_at(5), CHAIN)
        assert await store.latest_snapshot(5) is None


async def test_a_snapshot_holds_the_moment_it_was_asked_for(tmp_path: Path) -> None:
    """The portfolio may go on while its bytes are written, and writes may be asked for at the same time."""
    batch = projections()
    async with opened(tmp_path / "oracle.db") as store:
        await store.write(batch[:6], CHAIN)
        portfolio = portfolio_at(6)
        expected = keeping.digest(portfolio)
        saving = asyncio.ensure_future(store.save_snapshot(portfolio, CHAIN))
        writing = asyncio.ensure_future(store.write(batch[6:], GENESIS))
        await asyncio.sleep(0)
        for body in story()[6:]:
            fold(portfolio, body)
        await asyncio.gather(saving, writing)
        kept = await store.latest_snapshot(len(batch))
        assert kept is not None
        assert keeping.digest(keeping.decode(kept.state)) == expected
        assert (store.applied_lsn, store.applied_chain) == (len(batch), GENESIS)


async def test_a_snapshot_at_the_tables_record_tells_their_digest(tmp_path: Path) -> None:
    """Tables written without a digest are known to belong to their journal once a snapshot says so."""
    path = tmp_path / "oracle.db"
    async with opened(path) as store:
        await store.write(projections())
        await store.save_snapshot(portfolio_at(len(story())), CHAIN)
        assert store.applied_chain == CHAIN
    async with opened(path) as store:
        assert store.applied_chain == CHAIN


async def test_clearing_empties_everything(tmp_path: Path) -> None:
    """After clearing the database is as good as new."""
    path = tmp_path / "oracle.db"
    async with opened(path) as store:
        await store.write(projections(), CHAIN)
        await store.save_snapshot(portfolio_at(9), CHAIN)
        await store.clear()
        assert (store.applied_lsn, await store.latest_snapshot(99)) == (0, None)
    assert not any(content(path).values())
    async with opened(path) as store:
        assert (store.applied_lsn, store.applied_chain) == (0, GENESIS)


# -- where the run stands -------------------------------------------------------------------------------------------


def stood(path: Path) -> list[tuple[int, int]]:
    """(record, instant) of where the run stands, if it is known."""
    return [(row["lsn"], row["seen_at"]) for row in asked(path, "SELECT * FROM standing")]


async def test_where_the_run_stands_is_written_with_its_rows(tmp_path: Path) -> None:
    """In the same transaction, and later ones replace it; a batch without it leaves the older one."""
    path, batch = tmp_path / "oracle.db", projections()
    async with opened(path) as store:
        assert stood(path) == []
        await store.write(batch[:5], CHAIN, standing=standing_of(portfolio_at(5)))
        assert stood(path) == [(5, portfolio_at(5).now)]
        await store.write(batch[5:9], CHAIN)
        assert stood(path) == [(5, portfolio_at(5).now)]
        await store.write([], standing=standing_of(portfolio_at(9)))
        assert stood(path) == [(9, portfolio_at(9).now)]
        assert (store.applied_lsn, store.applied_chain) == (9, CHAIN)
        with pytest.raises(LawBroken, match="at record 11 is ahead of the tables at 10"):
            await store.write(batch[9:10], CHAIN, standing=standing_of(portfolio_at(11)))
        assert asked(path, "SELECT applied_lsn FROM meta") == [{"applied_lsn": 9}]


async def test_an_older_standing_never_replaces_a_newer_one(tmp_path: Path) -> None:
    """Saved by itself or with a snapshot, the newest stays; clearing forgets it."""
    path = tmp_path / "oracle.db"
    async with opened(path) as store:
        await store.write(projections(), CHAIN)
        await store.save_standing(standing_of(portfolio_at(7)))
        await store.save_snapshot(portfolio_at(9), CHAIN)
        assert stood(path) == [(9, portfolio_at(9).now)]
        await store.save_standing(standing_of(portfolio_at(8)))
        await store.save_snapshot(portfolio_at(6), CHAIN)
        assert stood(path) == [(9, portfolio_at(9).now)]
        await store.clear()
        assert stood(path) == []
        with pytest.raises(LawBroken, match="ahead of the tables at 0"):
            await store.save_standing(standing_of(portfolio_at(1)))
