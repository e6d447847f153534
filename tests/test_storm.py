"""The crash proof of the whole core: loop, journal, recovery and paper broker on a disk that loses power at any call.

A failure names its seed; `STORM_SEED=<seed> .venv/bin/pytest tests/test_storm.py -k any_crash` runs that one again, and
STORM_POINTS raises the number of crash points.
"""

import asyncio
import os
import random
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from oracle.loop import Loop
from state import keeping, recovery
from state.errors import Diverged, JournalDamaged, OracleFailure
from state.frames import FRAME_HEAD_BYTES, HEADER_BYTES, decode_body
from state.inputs import AlertReceived, BrokerReported, OperatorAsked
from state.journal import Journal, Limits, Run, read, segments
from state.portfolio import Portfolio
from state.record import Record, decode
from state.recovery import History
from state.segments import segment_name
from state.snapshots import Store
from state.tables import TABLES, Projected, Projector
from tests.simdisk import PowerLost, SimDisk
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
        for seed in range(12):
            try:
                make(seed, runner, disk=disk).run()
            except (AssertionError, OracleFailure):
                count += 1
        return count

    assert found(Storm) == 0
    assert found(Storm, LyingDisk) > 6
    assert found(HastyStorm) > 6
    assert found(RepeatingStorm) > 6


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
    partial_exits = [record for record in records if [type(one).__name__ for one in record.facts[1:]] == ["PositionReduced"]]
    assert partial_exits


# -- what is said again -----------------------------------------------------------------------------------------------


def holdings(portfolio: Portfolio) -> tuple[object, ...]:
    """What the trades came to: everything but what merely counts or repeats alerts."""
    days = {name: msgspec.to_builtins(ledger) for name, ledger in portfolio.ledgers.items()}
    signals = [msgspec.structs.replace(one, event_id="") for one in portfolio.signals.values()]
    return signals, portfolio.orders, portfolio.positions, tuple(portfolio.outcomes), days


def said_again(lsn: int, run: Course) -> list[Told]:
    """What others send again after a crash behind a record: recent alerts and asks, and every broker report."""
    again = []
    bodies = [decode_body(one, code_version=VERSION) for one in run.bodies[:lsn]]
    for body in bodies:
        told = decode(body.payload, body.schema).input
        recent = body.seen_at > bodies[-1].seen_at - HOUR
        if isinstance(told, BrokerReported) or (recent and isinstance(told, AlertReceived | OperatorAsked)):
            again.append(Told(bodies[-1].seen_at, told))
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
    except JournalDamaged as refusal:
        assert refusal.exit_code == 3
        if opening:
            disk = laid_out(files)
            with pytest.raises(JournalDamaged):
                Journal.open(disk, PATH, run=Run(bytes([1]) * 16, VERSION, "host"))
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


class Keeper:
    """A process with a journal on a simulated disk and a real database, which it keeps in step when it pleases."""

    def __init__(self, seed: int, database: Path) -> None:
        self.rng = random.Random(seed)
        self.disk, self.database = SimDisk(self.rng), database
        self.copy = database.with_suffix(".copy")
        self.run = course()
        self.snapshots = 0
        self.journal = Journal.create(self.disk, PATH, run=self._life(), limits=Limits(segment_bytes=12_000))
        self.journal.commit()

    def _life(self) -> Run:
        return Run(self.rng.randbytes(16), VERSION, "host")

    async def live(self) -> bool:
        """One life up to a crash or the end of the story; whether the end was reached."""
        store = await Store.open(self.database)
        try:
            return await self._lived(store)
        except PowerLost:
            return False
        finally:
            await store.close()
            self._mishap()

    def _mishap(self) -> None:
        """What happens between two lives: power is lost, or somebody puts an older copy of the database back."""
        self.disk.crash()
        if self.rng.random() < 0.3:
            shutil.copy(self.database, self.copy)
        elif self.copy.exists() and self.rng.random() < 0.3:
            shutil.copy(self.copy, self.database)
            for tail in ("-wal", "-shm"):
                Path(f"{self.database}{tail}").unlink(missing_ok=True)

    async def _lived(self, store: Store) -> bool:
        if self.disk.calls > 100:
            self.journal = Journal.open(self.disk, PATH, run=self._life(), limits=Limits(segment_bytes=12_000))
        recovered = await recovery.recover(History(self.disk, PATH), store)
        self._check(recovered, store)
        self.disk.dark_at = self.disk.calls + self.rng.randint(10, 60)
        return await self._go_on(store, recovered.portfolio)

    def _check(self, recovered: recovery.Recovered, store: Store) -> None:
        lsn = recovered.portfolio.lsn
        assert keeping.digest(recovered.portfolio) == self.run.digests[lsn]
        assert recovered.chain == self.run.chains[lsn] == self.journal.chain
        assert store.applied_lsn == lsn
        assert recovered.snapshot_lsn + recovered.folded == lsn
        self.snapshots += recovered.snapshot_lsn > 0
