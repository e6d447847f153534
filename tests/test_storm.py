"""The crash proof of the whole core: loop, journal, recovery and paper broker on a disk that loses power at any call.

A failure names its seed; `STORM_SEED=<seed> .venv/bin/pytest tests/test_storm.py -k any_crash` runs that one again, and
STORM_POINTS raises the number of crash points.
"""

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from oracle.loop import Loop
from state import keeping, recovery
from state.errors import JournalDamaged, OracleFailure
from state.facts import SignalCreated
from state.frames import FRAME_HEAD_BYTES, GENESIS, HEADER_BYTES, decode_body
from state.inputs import AlertReceived, BrokerReported, OperatorAsked
from state.journal import Journal, Limits, Run, read, segments
from state.portfolio import Portfolio
from state.record import Record, decode
from state.recovery import History
from state.segments import segment_name
from state.snapshots import Store
from state.tables import TABLES, Projected, Projector
from tests.simdisk import SimDisk
from tests.storms import (
    PATH,
    VERSION,
    Course,
    Memory,
    Sink,
    Storm,
    Tally,
    Told,
    beginning,
    bytes_of,
    course,
    next_input,
    run_storm,
    settings_of,
    story,
)

POINTS = int(os.environ.get("STORM_POINTS", "2400"))
SHARDS = 8
HOUR = 3_600 * 10**9
SEGMENT_BYTES = 5_000


@pytest.fixture(scope="module", name="runner")
def _runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


# -- storms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shard", range(SHARDS))
def test_any_crash_loses_nothing_acknowledged_and_doubles_nothing(shard: int, runner: asyncio.Runner) -> None:
    """Every recovery gives the state of the run that never stopped at its record, and every storm ends in its chain."""
    chosen = os.environ.get("STORM_SEED")
    if chosen is not None:
        print(run_storm(int(chosen), runner))
        return
    tally, seed = Tally(), shard
    while tally.crashes < POINTS / SHARDS:
        tally.add(run_storm(seed, runner))
        seed += SHARDS
    print(f"{(seed - shard) // SHARDS} storms: {tally}")
    # A storm that only ever hits one phase of a life would prove little of the other.
    assert 0 < tally.in_recovery < tally.crashes
    assert tally.ahead > 0


class LyingDisk(SimDisk):
    """A disk that acknowledges syncs without doing them."""

    def _sync(self, descriptor: int, *, shrink: bool) -> None:
        self._call()


class HastyStorm(Storm):
    """A process whose answers leave before the record they answer for is durable."""

    def live(self, *, troubled: bool) -> None:
        """One life, with everything in memory promised."""
        before = self.tally.ahead
        super().live(troubled=troubled)
        self.promised += self.tally.ahead - before


class RepeatingStorm(Storm):
    """A world that repeats the last thing it said after every restart."""

    def _recover(self, journal: Journal) -> Loop:
        loop = super()._recover(journal)
        if loop.portfolio.lsn > 3 and self.course.heard[loop.portfolio.lsn] < len(self.story):
            told = self.story[self.course.heard[loop.portfolio.lsn] - 1]
            loop.take(told.told, at=loop.portfolio.now)
        return loop


def test_a_storm_finds_what_it_looks_for(runner: asyncio.Runner) -> None:
    """A lying disk, answers that leave too early and inputs taken twice are each found out by most storms."""

    def found(make: type[Storm], disk: type[SimDisk] = SimDisk) -> int:
        count = 0
        for seed in range(8):
            try:
                make(seed, runner, disk=disk).run()
            except (AssertionError, OracleFailure):
                count += 1
        return count

    assert found(Storm, LyingDisk) > 4
    assert found(HastyStorm) > 4
    assert found(RepeatingStorm) > 4


def test_the_story_has_what_a_crash_can_interrupt() -> None:
    """Partial fills both ways, a cancel, a close by hand, a day order's end, an expiry, a new day, a new configuration."""
    records = [decode(decode_body(one, code_version=VERSION).payload, 1) for one in course().bodies]
    facts = {type(fact).__name__ for record in records for fact in record.facts}
    assert facts >= {
        "AlertLogged", "SignalCreated", "SignalApproved", "SignalRefused", "SignalRetryScheduled", "SignalDecided",
        "SignalFailed", "OrderCreated", "OrderCancelAsked", "OrderEnded", "OrderFilled", "PositionOpened",
        "PositionIncreased", "PositionReduced", "CloseAsked", "ExitChosen", "PositionReopened", "PositionSettled",
        "PositionClosed", "OutcomeRecorded", "NounsRetired", "MarketRetired", "Alerted",
    }  # fmt: skip
    partial_exits = [
        record for record in records if [type(one).__name__ for one in record.facts[1:]] == ["PositionReduced"]
    ]
    assert partial_exits


# -- what is said again -----------------------------------------------------------------------------------------------


def holdings(portfolio: Portfolio) -> tuple[object, ...]:
    """What the trades came to: everything but what merely counts or repeats alerts."""
    days = {name: msgspec.to_builtins(ledger) for name, ledger in portfolio.ledgers.items()}
    signals = [msgspec.structs.replace(one, event_id="") for one in portfolio.signals.values()]
    return signals, portfolio.orders, portfolio.positions, tuple(portfolio.outcomes), days


def said_again(lsn: int, run: Course) -> list[Told]:
    """What others send again after a crash behind a record: recent alerts that made signals, asks, all broker reports."""
    again = []
    bodies = [decode_body(one, code_version=VERSION) for one in run.bodies[:lsn]]
    for body in bodies:
        record = decode(body.payload, body.schema)
        recent = body.seen_at > bodies[-1].seen_at - HOUR
        accepted = any(isinstance(fact, SignalCreated) for fact in record.facts)
        match record.input:
            case BrokerReported() as told:
                again.append(Told(bodies[-1].seen_at, told))
            case (AlertReceived() | OperatorAsked()) as told if recent and (
                accepted or isinstance(told, OperatorAsked)
            ):
                again.append(Told(bodies[-1].seen_at, told))
            case _:
                pass
    return again


def test_what_is_sent_again_after_a_crash_trades_nothing_twice() -> None:
    """Senders repeat what they got no answer for, brokers repeat their reports: signals, fills and money stay the same."""
    run, said = course(), story()
    for lsn in range(4, len(run.bodies) + 1):
        loop = Loop(keeping.decode(run.states[lsn]), Memory(run.bodies[:lsn]), settings_of=settings_of)
        for again in said_again(lsn, run):
            loop.take(again.told, at=again.at)
        assert holdings(loop.portfolio) == holdings(keeping.decode(run.states[lsn])), f"after record {lsn}"
        heard = run.heard[lsn]
        while (following := next_input(loop, heard, said)) is not None:
            loop.take(following.told, at=following.at)
            heard += not isinstance(following.told, BrokerReported)
        assert holdings(loop.portfolio) == holdings(keeping.decode(run.states[-1])), f"begun again at record {lsn}"


# -- every byte -------------------------------------------------------------------------------------------------------


@cache
def small_journal() -> dict[str, bytes]:
    """Files of a journal over the beginning of the story: a sealed segment and one that a crash left open."""
    disk = SimDisk()
    limits = Limits(segment_bytes=SEGMENT_BYTES)
    journal = Journal.create(disk, PATH, run=Run(bytes(16), VERSION, "host"), limits=limits)
    loop = Loop(Portfolio(), Sink(journal), settings_of=settings_of)
    heard = 0
    while (following := next_input(loop, heard, beginning())) is not None:
        loop.take(following.told, at=following.at)
        heard += not isinstance(following.told, BrokerReported)
        journal.commit()
    disk.kill()
    files = disk.files(PATH)
    sizes = [len(content) for name, content in sorted(files.items()) if name.endswith(".seg")]
    assert len(sizes) == 2
    assert sizes[0] < sizes[1] == SEGMENT_BYTES, "the journal is not one sealed and one open segment"
    return files


def laid_out(files: dict[str, bytes]) -> SimDisk:
    """A disk that holds these files."""
    disk = SimDisk()
    disk.make_directory(PATH)
    for name, content in files.items():
        disk.put_file(PATH / name, content)
    return disk


@cache
def digest_of(bodies: tuple[bytes, ...]) -> str:
    """The state that some bodies fold to."""
    portfolio = Portfolio()
    for body in bodies:
        recovery.fold(portfolio, decode_body(body, code_version=VERSION))
    return keeping.digest(portfolio)


def records_left(files: dict[str, bytes], *, opening: bool) -> int | None:
    """How many records a hurt journal gives back, each as it was written; None when it is refused as damaged.

    With `opening` a new process opens it for writing as well, and must come to the same records and go on.
    """
    run = course(brief=True)
    try:
        found = tuple(bytes_of(body) for body in read(laid_out(files), PATH))
    except JournalDamaged:
        if opening:
            disk = laid_out(files)
            with pytest.raises(JournalDamaged) as refusal:
                Journal.open(disk, PATH, run=Run(bytes([1]) * 16, VERSION, "host"))
            assert refusal.value.exit_code == 3
            assert {name: disk.files(PATH)[name] for name in files} == files, "a refused journal was changed"
        return None
    assert found == tuple(run.bodies[: len(found)])
    assert digest_of(found) == run.digests[len(found)]
    if opening:
        disk = laid_out(files)
        limits = Limits(segment_bytes=SEGMENT_BYTES)
        journal = Journal.open(disk, PATH, run=Run(bytes([1]) * 16, VERSION, "host"), limits=limits)
        go_on(disk, journal, run)
    return len(found)


def go_on(disk: SimDisk, journal: Journal, run: Course) -> None:
    """A recovered process takes the rest of the beginning and ends in the chain of the run that never stopped."""
    portfolio = asyncio.run(recovery.recover(History(disk, PATH))).portfolio
    heard = run.heard[portfolio.lsn]
    loop = Loop(portfolio, Sink(journal), settings_of=settings_of)
    while (following := next_input(loop, heard, beginning())) is not None:
        loop.take(following.told, at=following.at)
        heard += not isinstance(following.told, BrokerReported)
    journal.close()
    assert segments(disk, PATH)[-1].chain == run.chains[-1]


def frame_ends(first_lsn: int) -> list[int]:
    """Where the frames of the segment that begins with a record end."""
    ends = [HEADER_BYTES]
    for body in course(brief=True).bodies[first_lsn - 1 :]:
        ends.append(ends[-1] + FRAME_HEAD_BYTES + len(body))
    return ends


def open_segment() -> tuple[str, int]:
    """Name and first LSN of the segment that was left open."""
    name = max(name for name in small_journal() if name.endswith(".seg"))
    return name, int(name.split(".")[0])


def test_a_journal_that_is_zeros_from_any_byte_on_gives_its_longest_whole_prefix() -> None:
    """Preallocated space that was never written ends the records: every frame before it counts, and the header must."""
    files = small_journal()
    name, first_lsn = open_segment()
    whole, ends = files[name], frame_ends(first_lsn)
    for byte in range(SEGMENT_BYTES + 1):
        hurt = whole[:byte].ljust(SEGMENT_BYTES, b"\0")
        intact = sum(hurt[:end] == whole[:end] for end in ends)
        opening = byte % 61 == 0 or any(abs(byte - end) <= 1 for end in ends)
        expected = first_lsn - 2 + intact if intact else None
        assert records_left({**files, name: hurt}, opening=opening) == expected, f"zeros from byte {byte} of {name}"


def test_a_journal_cut_at_any_byte_is_refused_as_damaged() -> None:
    """No crash makes a segment shorter than its header promises, so a short one lost what somebody was told."""
    files = small_journal()
    for name in (one for one in files if one.endswith(".seg")):
        for byte in range(len(files[name])):
            hurt = {**files, name: files[name][:byte]}
            assert records_left(hurt, opening=byte % 61 == 0) is None, f"{name} cut at byte {byte}"


def test_a_bit_flipped_anywhere_is_found_or_ends_the_records() -> None:
    """Only the last record can be taken for torn, as nothing after it says that it was durable; all others are damage."""
    files = small_journal()
    name, first_lsn = open_segment()
    ends, total = frame_ends(first_lsn), len(course(brief=True).bodies)
    for one in (segment_name(1), name):
        for byte in range(0, len(files[one]), 3):
            flipped = bytearray(files[one])
            flipped[byte] ^= 1 << byte % 8
            expected = None
            if one == name and byte >= ends[-2]:
                expected = total - 1 if byte < ends[-1] else total
            hurt = {**files, one: bytes(flipped)}
            assert records_left(hurt, opening=byte % 303 == 0) == expected, f"bit flipped in byte {byte} of {one}"


# -- snapshots --------------------------------------------------------------------------------------------------------


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


async def rebuilt(disk: SimDisk, database: Path) -> None:
    """The database made again from the journal alone."""
    store = await Store.open(database)
    await recovery.rebuild(store, read(disk, PATH))
    await store.close()


@pytest.mark.parametrize("shard", range(4))
def test_a_snapshot_and_the_tail_give_the_state_of_the_whole_fold(
    shard: int, runner: asyncio.Runner, tmp_path: Path
) -> None:
    """Whenever a snapshot was taken and whatever crashed since: the same state, and at the end the same query tables."""
    crashes, snapshots = 0, 0
    for seed in range(shard, 4 * max(6, POINTS // 400), 4):
        storm = KeepingStorm(seed, runner)
        storm.database, fresh = tmp_path / f"{seed}.db", tmp_path / f"{seed}.fresh"
        crashes += storm.run().crashes
        snapshots += storm.snapshots
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
