"""Recovery: whatever the database holds, the journal's end is reached with the same portfolio and the same tables."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.decide import decide
from rules.settings import Settings
from state import keeping, recovery
from state.disk import Disk
from state.errors import JournalDamaged, LawBroken
from state.frames import GENESIS, Body
from state.journal import Journal, Limits, Run
from state.portfolio import Portfolio
from state.record import decode
from state.recovery import History, fold, rebuild, recover
from state.segments import read, scans
from state.snapshots import Store
from state.standing import figures
from tests.test_snapshots import asked_plainly, content, opened, portfolio_at
from tests.test_tables import projections, story

SMALL = Limits(segment_bytes=16_384)
RUN = Run(bytes(16), "test", "host")


def journal_of(path: Path, bodies: tuple[Body, ...], *, limits: Limits = SMALL) -> tuple[History, bytes]:
    """A journal on disk that holds the records, closed, and the digest after the last."""
    journal = Journal.create(Disk(), path, run=RUN, limits=limits)
    for body in bodies:
        journal.append(body.seen_at, body.kind, schema=body.schema, payload=body.payload)
        journal.commit()
    journal.close()
    return History(Disk(), path), journal.durable_chain


def chain_at(history: History, lsn: int) -> bytes:
    """The digest after a record that the journal has."""
    chain = history.chain_at(lsn)
    assert chain is not None
    return chain


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The story's journal, in several segments."""
    found, _ = journal_of(tmp_path_factory.mktemp("journal") / "journal", story())
    assert len(list(found.path.glob("*.seg"))) > 1
    return found


@pytest.fixture(scope="module")
def ending() -> str:
    """The digest of the portfolio at the end of the story."""
    return keeping.digest(portfolio_at(len(story())))


async def kept(path: Path, history: History, *, tables: int, snapshots: tuple[int, ...] = ()) -> Path:
    """A database whose tables reach a record, with snapshots at some records."""
    batch = projections()
    async with opened(path) as store:
        await store.write(batch[:tables], chain_at(history, tables))
        for lsn in snapshots:
            await store.save_snapshot(portfolio_at(lsn), chain_at(history, lsn))
    return path


# -- the portfolio --------------------------------------------------------------------------------------------------


async def test_what_opening_verified_is_not_read_again(tmp_path: Path, ending: str) -> None:
    """The last segment is handed over once, and a recovery that begins in it needs no file of the journal."""
    history, chain = journal_of(tmp_path / "journal", story(), limits=Limits())
    journal = Journal.open(Disk(), history.path, run=RUN)
    last = journal.hand_over()
    assert last is not None
    assert journal.hand_over() is None
    journal.close()
    handed = History(Disk(), tmp_path / "nowhere", last)
    found = await recover(handed)
    assert keeping.digest(found.portfolio) == ending
    assert found.chain == handed.chain_at(len(story())) == chain
    assert [handed.chain_at(lsn) for lsn in (1, 20)] == [history.chain_at(lsn) for lsn in (1, 20)]
    assert handed.chain_at(len(story()) + 1) is None


async def test_a_recovery_from_before_the_segment_handed_over_reads_the_others(history: History, ending: str) -> None:
    """With several segments, nothing of the journal is left out."""
    *_, last = scans(history.disk, history.path)
    found = await recover(History(history.disk, history.path, last))
    assert keeping.digest(found.portfolio) == ending
    assert found.folded == len(story())


async def test_a_journal_alone_is_enough(history: History, ending: str) -> None:
    """Without a database every record is folded, and the digest of the journal is that of its writer."""
    found = await recover(history)
    assert keeping.digest(found.portfolio) == ending
    assert (found.snapshot_lsn, found.folded, found.ignored) == (0, len(story()), ())
    assert found.chain == chain_at(history, len(story()))


async def test_an_empty_journal_gives_an_empty_portfolio(tmp_path: Path) -> None:
    """Before the first record there is nothing, with or without a database."""
    history, _ = journal_of(tmp_path / "journal", ())
    async with opened(tmp_path / "oracle.db") as store:
        for found in (await recover(history), await recover(history, store)):
            assert (found.portfolio.lsn, found.chain, found.folded, found.ignored) == (0, GENESIS, 0, ())


async def test_a_restored_portfolio_continues_as_if_it_had_never_stopped(ending: str) -> None:
    """From every record on, a portfolio that went through bytes decides and becomes what the recorded one did."""
    for stop in range(2, len(story())):
        portfolio = keeping.decode(keeping.encode(portfolio_at(stop)))
        assert keeping.digest(portfolio) == keeping.digest(portfolio_at(stop))
        for body in story()[stop:]:
            record = decode(body.payload, body.schema)
            portfolio.take_in(record.input, lsn=body.lsn, seen_at=body.seen_at)
            assert decide(portfolio, record.input, Settings()) == record.facts
            portfolio.check()
        assert keeping.digest(portfolio) == ending


async def test_every_snapshot_leads_to_the_same_end(tmp_path: Path, history: History, ending: str) -> None:
    """Stopped after any record, with a snapshot there, a process ends with the same portfolio, tables and figures."""
    whole = await kept(tmp_path / "whole.db", history, tables=len(story()))
    for lsn in range(1, len(story()) + 1):
        path = await kept(tmp_path / f"{lsn}.db", history, tables=lsn, snapshots=(lsn,))
        async with opened(path) as store:
            found = await recover(history, store)
            assert (store.applied_lsn, store.applied_chain) == (len(story()), found.chain)
        assert keeping.digest(found.portfolio) == ending
        assert (found.snapshot_lsn, found.folded, found.ignored) == (lsn, len(story()) - lsn, ())
        assert found.chain == chain_at(history, len(story()))
        assert content(path) == content(whole)
        stood = asked_plainly(path, "SELECT lsn, figures FROM standing")
        assert stood == [(found.portfolio.lsn, json.dumps(figures(found.portfolio), separators=(",", ":")))]


async def test_recovery_decides_nothing(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are not even asked."""

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("rules.decide._ask", never)
    assert (await recover(history)).folded == len(story())


async def test_the_law_is_asked_after_every_record(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folding a record checks the invariants, as deciding it did."""
    asked: list[int] = []
    monkeypatch.setattr(Portfolio, "check", lambda self: asked.append(self.lsn))
    await recover(history)
    assert asked == [body.lsn for body in story()]


def test_records_out_of_order_break_a_law() -> None:
    """A record that does not follow the last one is not folded."""
    with pytest.raises(LawBroken, match="record 2 follows record 0"):
        fold(Portfolio(), story()[1])


def test_a_record_of_a_later_schema_is_not_folded() -> None:
    """What this version cannot read is said to be so."""
    body = story()[0]
    with pytest.raises(JournalDamaged, match="update oracle"):
        fold(Portfolio(), Body(1, body.seen_at, body.kind, 99, body.payload, "later"))


# -- the database ---------------------------------------------------------------------------------------------------


async def test_the_newest_snapshot_within_the_tables_is_used(tmp_path: Path, history: History, ending: str) -> None:
    """Of several snapshots the newest is taken; tables that are ahead of it are not written again."""
    path = await kept(tmp_path / "oracle.db", history, tables=20, snapshots=(7, 12, 15))
    async with opened(path) as store:
        found = await recover(history, store)
    assert (found.snapshot_lsn, found.ignored) == (15, ())
    assert keeping.digest(found.portfolio) == ending
    assert content(path) == content(await kept(tmp_path / "whole.db", history, tables=len(story())))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE snapshots SET schema = 99 WHERE lsn = 15", "it is of schema 99"),
        ("UPDATE snapshots SET chain = upper(hex(zeroblob(32))) WHERE lsn = 15", "another record there"),
        ("UPDATE snapshots SET state = substr(state, 1, 500) WHERE lsn = 15", "not those that were written"),
    ],
)
async def test_a_snapshot_that_cannot_be_used_is_passed_over(
    tmp_path: Path, history: History, ending: str, damage: str, message: str
) -> None:
    """Another schema, another history or other bytes: the snapshot before it is taken, and the report says so."""
    path = await kept(tmp_path / "oracle.db", history, tables=20, snapshots=(7, 12, 15))
    asked_plainly(path, damage)
    async with opened(path) as store:
        found = await recover(history, store)
    assert found.snapshot_lsn == 12
    assert len(found.ignored) == 1
    assert message in found.ignored[0]
    assert "record 15" in found.ignored[0]
    assert keeping.digest(found.portfolio) == ending


async def test_bytes_that_mean_something_else_are_passed_over(tmp_path: Path, history: History, ending: str) -> None:
    """Intact bytes that are no portfolio, or that of another record, are not used either."""
    path = await kept(tmp_path / "oracle.db", history, tables=20, snapshots=(7, 12, 15))
    asked_plainly(path, "UPDATE snapshots SET (state, digest) = (SELECT state, digest FROM snapshots WHERE lsn = 7)")
    nothing = b"\xc1"
    digest = hashlib.sha256(nothing).hexdigest()
    asked_plainly(path, "UPDATE snapshots SET state = ?, digest = ? WHERE lsn = 12", nothing, digest)
    async with opened(path) as store:
        found = await recover(history, store)
    assert found.snapshot_lsn == 7
    assert len(found.ignored) == 2
    assert "it holds the portfolio of record 7" in found.ignored[0]
    assert "its bytes cannot be read" in found.ignored[1]
    assert keeping.digest(found.portfolio) == ending


async def test_another_journals_database_is_made_again(tmp_path: Path, history: History, ending: str) -> None:
    """A database that is ahead of the journal, or beside it, is emptied and filled from the first record."""
    ahead = await kept(tmp_path / "ahead.db", history, tables=len(story()), snapshots=(9, len(story())))
    shorter, chain = journal_of(tmp_path / "shorter", story()[:20])
    other, _ = journal_of(tmp_path / "other", tuple(reversed(story()))[:20])
    async with opened(ahead) as store:
        found = await recover(shorter, store)
        assert (store.applied_lsn, store.applied_chain) == (20, chain)
    assert (found.portfolio.lsn, found.snapshot_lsn) == (20, 0)
    assert "made again" in found.ignored[0]
    assert content(ahead) == content(await kept(tmp_path / "twenty.db", history, tables=20))
    beside = await kept(tmp_path / "beside.db", history, tables=20, snapshots=(9,))
    asked_plainly(beside, "UPDATE meta SET chain = ?", chain_at(other, 20).hex())
    async with opened(beside) as store:
        found = await recover(history, store)
    assert (found.snapshot_lsn, len(found.ignored)) == (0, 1)
    assert keeping.digest(found.portfolio) == ending


async def test_tables_without_a_digest_are_made_again(tmp_path: Path, history: History, ending: str) -> None:
    """What is not known to belong to the journal is not built upon."""
    path = tmp_path / "oracle.db"
    async with opened(path) as store:
        await store.write(projections()[:12])
        found = await recover(history, store)
    assert "made again" in found.ignored[0]
    assert keeping.digest(found.portfolio) == ending
    assert content(path) == content(await kept(tmp_path / "whole.db", history, tables=len(story())))


# -- making it again ------------------------------------------------------------------------------------------------


async def test_a_deleted_database_is_made_again(tmp_path: Path, history: History, ending: str) -> None:
    """Everything comes back from the journal, with one fresh snapshot, whatever stood there before."""
    whole = await kept(tmp_path / "whole.db", history, tables=len(story()))
    path = await kept(tmp_path / "oracle.db", history, tables=20, snapshots=(7, 12, 15))
    asked_plainly(path, "UPDATE positions SET quantity = 77")
    asked_plainly(path, "DELETE FROM events")
    for place in (path, tmp_path / "fresh.db"):
        async with opened(place) as store:
            assert keeping.digest(await rebuild(store, read(history.disk, history.path))) == ending
        assert content(place) == content(whole)
        assert asked_plainly(place, "SELECT lsn FROM snapshots") == [(len(story()),)]
        async with opened(place) as store:
            assert (await recover(history, store)).folded == 0


async def test_a_rebuild_that_is_interrupted_goes_on(
    tmp_path: Path, history: History, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two batches the tables are those of one record, and the next start continues from there."""
    monkeypatch.setattr(recovery, "_RECORDS_PER_WRITE", 4)
    whole = content(await kept(tmp_path / "whole.db", history, tables=len(story())))

    def until(lsn: int) -> Iterator[Body]:
        for body in story():
            if body.lsn > lsn:
                raise KeyboardInterrupt
            yield body

    for lsn in (3, 4, 11, 30):
        path = tmp_path / f"{lsn}.db"
        async with opened(path) as store:
            with pytest.raises(KeyboardInterrupt):
                await rebuild(store, until(lsn))
            assert store.applied_lsn == lsn // 4 * 4
            found = await recover(history, store)
        assert keeping.digest(found.portfolio) == ending
        assert found.ignored == ()
        assert content(path) == whole


async def test_a_recovered_process_goes_on_writing(tmp_path: Path, history: History, ending: str) -> None:
    """Stopped and recovered again and again, with a snapshot each time, the story ends as it always did."""
    path, told = tmp_path / "oracle.db", story()
    for lsn in range(4, len(told) + 1, 5):
        part, chain = journal_of(tmp_path / f"until{lsn}", told[:lsn])
        async with opened(path) as store:
            found = await recover(part, store)
            assert (found.portfolio.lsn, found.chain, found.ignored) == (lsn, chain, ())
            assert found.snapshot_lsn == max(0, lsn - 5) if lsn > 4 else found.snapshot_lsn == 0
            await store.save_snapshot(found.portfolio, found.chain)
    store = await Store.open(path)
    found = await recover(history, store)
    await store.close()
    assert keeping.digest(found.portfolio) == ending
