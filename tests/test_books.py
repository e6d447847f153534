"""The database follows the journal, says when it cannot, and catches up when it can again."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from oracle import books, queries
from oracle.books import Books
from state import keeping
from state.applying import apply
from state.disk import Disk
from state.errors import LawBroken, OracleFailure
from state.inputs import AlertReceived
from state.portfolio import Portfolio
from state.record import decode
from state.recovery import History, recover
from state.snapshots import Store
from tests.beating import beating
from tests.stage import Stage
from tests.test_heart import LONG, alert, until


def lived(stage: Stage) -> tuple[Portfolio, list[tuple[int, object]]]:
    """An empty portfolio, and the records it is to live through."""
    return Portfolio(), [(seen_at, decode(payload, schema)) for seen_at, schema, payload in stage.kept.payloads]


async def test_the_tables_hold_what_was_released_and_nothing_more(tmp_path: Path) -> None:
    """Rows of a record that is not durable yet wait; released, they are there when `written` returns."""
    async with beating(tmp_path) as run:
        taken = await run.heart.alert(LONG)
        await run.heart.settled()
        assert run.store.applied_lsn >= taken.lsn
        assert [one["id"] for one in queries.rows(tmp_path, "signals", limit=9)] == ["sig-000001"]


async def test_a_database_that_refuses_stops_nothing_and_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another connection holds the file, alerts are still acknowledged and readers told; then all rows follow."""
    monkeypatch.setattr(books, "_RETRY_S", 0.05)
    async with beating(tmp_path) as run:
        await run.heart.settled()
        await run.store._connection.execute("PRAGMA busy_timeout = 10")
        blocker = sqlite3.connect(tmp_path / "oracle.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        taken = await run.heart.alert(LONG)
        with pytest.raises(OracleFailure, match="the journal is unharmed"):
            await run.heart.settled()
        with pytest.raises(OracleFailure):
            await run.heart.settled()
        assert (await run.heart.alert(alert(1))).lsn == taken.lsn + 1
        blocker.execute("ROLLBACK")
        blocker.close()
        await until(lambda: run.store.applied_lsn >= taken.lsn + 1)
        assert await run.heart.settled() == taken.lsn + 1
        assert len(queries.rows(tmp_path, "signals", limit=9)) == 2


async def test_an_end_in_order_leaves_a_snapshot_to_begin_with(tmp_path: Path) -> None:
    """The next start folds nothing."""
    async with beating(tmp_path) as run:
        await run.heart.alert(LONG)
        portfolio = run.portfolio
    store = await Store.open(tmp_path / "oracle.db")
    found = await recover(History(Disk(), tmp_path / "journal"), store)
    await store.close()
    assert (found.folded, found.ignored) == (0, ())
    assert keeping.digest(found.portfolio) == keeping.digest(portfolio)


async def test_a_snapshot_is_kept_after_so_many_records(tmp_path: Path) -> None:
    """Once the tables are where the portfolio is, a snapshot is written and told of."""
    stage = Stage("2026-02-13")
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    portfolio, records = lived(stage)
    store = await Store.open(tmp_path / "oracle.db")
    kept: list[int] = []
    shelf = Books(store, portfolio, snapshot_records=len(records))
    shelf.kept = lambda: kept.append(portfolio.lsn)
    writing = asyncio.create_task(shelf.run())
    for lsn, (seen_at, record) in enumerate(records, 1):
        portfolio.take_in(record.input, lsn=lsn, seen_at=seen_at)
        for fact in record.facts:
            apply(portfolio, fact)
        shelf.hear(record, seen_at)
        shelf.release((lsn, bytes(32)))
        await shelf.written(lsn)
    await until(lambda: kept == [len(records)])
    snapshot = await store.latest_snapshot(len(records))
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.close()
    assert snapshot is not None
    assert snapshot.lsn == len(records)


async def test_at_a_busy_moment_no_snapshot_is_kept(tmp_path: Path) -> None:
    """While the portfolio is ahead of the disk the tables follow what is durable; the snapshot waits, and then comes."""
    stage = Stage("2026-02-13")
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    portfolio, records = lived(stage)
    # A connection that is left open keeps the process from ending.
    async with contextlib.AsyncExitStack() as held:
        store = await Store.open(tmp_path / "oracle.db")
        held.push_async_callback(store.close)
        shelf = Books(store, portfolio, snapshot_records=1)
        writing = asyncio.create_task(shelf.run())
        for lsn, (seen_at, record) in enumerate(records, 1):
            portfolio.take_in(record.input, lsn=lsn, seen_at=seen_at)
            for fact in record.facts:
                apply(portfolio, fact)
            shelf.hear(record, seen_at)
        durable, last = len(records) - 1, len(records)
        shelf.release((durable, bytes(32)))
        await until(lambda: store.applied_lsn == durable)
        await asyncio.sleep(0.05)
        assert shelf.trouble is None, "the database is said to refuse"
        assert await store.latest_snapshot(last) is None
        shelf.release((last, bytes(32)))
        await shelf.written(last)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await shelf.close()
        snapshot = await store.latest_snapshot(last)
    assert snapshot is not None
    assert snapshot.lsn == last


async def test_many_rows_are_written_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a batch holds all arrive, in order."""
    monkeypatch.setattr(books, "_BATCH_MAX", 3)
    async with beating(tmp_path) as run:
        taken = [await run.heart.alert(AlertReceived(f"no alert {number}", "webhook")) for number in range(20)]
        await run.heart.settled()
        rows = queries.rows(tmp_path, "events", limit=50)
        assert [one["lsn"] for one in rows] == [one.lsn for one in taken]


async def test_rows_that_are_dropped_leave_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound nothing is written after the first that was dropped; readers are told, a start fills the rest."""
    monkeypatch.setattr(books, "WAITING_BYTES_MAX", 100)
    async with beating(tmp_path) as run:
        await run.heart.settled()
        applied = run.store.applied_lsn
        await run.heart.alert(AlertReceived("x" * 200, "webhook"))
        await run.heart.alert(LONG)
        with pytest.raises(OracleFailure, match="start again"):
            await run.heart.settled()
        assert run.store.applied_lsn == applied
    store = await Store.open(tmp_path / "oracle.db")
    found = await recover(History(Disk(), tmp_path / "journal"), store)
    await store.close()
    assert store.applied_lsn == found.portfolio.lsn > applied


async def test_alerts_that_were_written_take_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what waits counts against the bound of bytes: any number of alerts may pass while the tables keep up."""
    monkeypatch.setattr(books, "WAITING_BYTES_MAX", 400)
    async with beating(tmp_path) as run:
        for number in range(40):
            last = await run.heart.alert(alert(number))
            if number % 4 == 3:
                await run.heart.settled()
        bodies = [one.record.input.body for one in run.told if isinstance(one.record.input, AlertReceived)]
        assert sum(map(len, bodies)) > 4 * 400
        assert run.store.applied_lsn >= last.lsn


async def test_a_fault_of_our_own_on_the_way_to_the_tables_is_no_silence(tmp_path: Path) -> None:
    """Whatever ends the writing of rows is told to its readers, and ends the process."""

    async def fault(*_: object, **__: object) -> None:
        raise OverflowError("for a test")

    async def spoil() -> None:
        async with beating(tmp_path) as run:
            run.store.write = fault  # type: ignore[method-assign]
            await run.heart.alert(LONG)
            with pytest.raises(LawBroken, match="OverflowError"):
                await run.heart.settled()
            await until(lambda: run.inbox._closed is not None)

    with pytest.raises(LawBroken):
        await spoil()
