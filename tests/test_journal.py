"""The writer of a journal: numbering, durability, rotation, the spare, marks, torn tails and refusals."""

import contextlib
import random
import re
from pathlib import Path

import pytest

from state.disk import Disk
from state.errors import BadUsage, DirectoryInUse, DiskFailed, JournalDamaged, LawBroken
from state.journal import Journal, Limits, Mark, Run, is_initialised, read, segments
from state.segments import LOCK, SPARE, chain_at, identity_name, segment_name
from tests.simdisk import SimDisk

PATH = Path("/data/journal")
LIMITS = Limits(segment_bytes=900, spare_retry_commits=3)
GOLDEN_CHAIN = "e2364120f227a8f4114a618a23fd3817d16559ebfd11f73e24a9604b5af64f02"


def run_of(number: int) -> Run:
    """One of several runs."""
    return Run(bytes([number]) * 16, "v1", "host")


def created(disk: Disk, path: Path = PATH) -> Journal:
    """A fresh journal."""
    return Journal.create(disk, path, run=run_of(1), limits=LIMITS)


def opened(disk: Disk, number: int = 2) -> Journal:
    """A journal opened by a later run."""
    return Journal.open(disk, PATH, run=run_of(number), limits=LIMITS)


def extend(journal: Journal, count: int) -> None:
    """Append and commit records one by one."""
    for _ in range(count):
        lsn = journal.last_lsn + 1
        assert journal.append(lsn, "tick", schema=1, payload=b"%d" % lsn * 20) == lsn
        assert journal.commit() == lsn


def lsns(disk: Disk, path: Path = PATH) -> list[int]:
    """LSNs that a reader finds."""
    return [body.lsn for body in read(disk, path)]


@pytest.mark.parametrize("disk", [Disk(), SimDisk()], ids=["real", "simulated"])
def test_records_survive_a_stop_and_go_on_from_there(disk: Disk, tmp_path: Path) -> None:
    """On any disk, three runs write one sequence with one chain, through several segments."""
    path, chain = tmp_path / "journal", bytes(32)
    assert not is_initialised(disk, path)
    for number in range(3):
        enter = Journal.open if number else Journal.create
        journal = enter(disk, path, run=run_of(number), limits=LIMITS)
        assert (journal.last_lsn, journal.durable_lsn, journal.chain) == (10 * number, 10 * number, chain)
        extend(journal, 10)
        chain = journal.chain
        assert chain == journal.durable_chain
        journal.close()
    assert is_initialised(disk, path)
    assert lsns(disk, path) == list(range(1, 31))
    assert chain_at(disk, path, lsn=30) == chain
    assert len(segments(disk, path)) > 6


def test_a_record_larger_than_a_batch_is_a_batch_of_its_own() -> None:
    """It opens no segment while there is room for it."""
    journal = Journal.create(SimDisk(), PATH, run=run_of(1), limits=Limits(segment_bytes=50_000, batch_bytes_max=9))
    for lsn in (1, 2):
        journal.append(lsn, "tick", schema=1, payload=bytes(100))
    assert journal.commit() == journal.durable_lsn == 2
    assert journal.proved_lsn == 1


def test_the_chain_of_a_small_journal_is_pinned() -> None:
    """A change of the record format shows here, and needs a decoder for the old one."""
    journal = created(SimDisk())
    journal.append(1_700_000_000_000_000_000, "AlertReceived", schema=1, payload=b'{"ticker":"SPY"}')
    journal.append(1_700_000_001_000_000_000, "TickReached", schema=2, payload=bytes(range(256)))
    assert journal.chain.hex() == GOLDEN_CHAIN


def test_the_chain_depends_on_records_alone() -> None:
    """Other runs, segment sizes, batches and marks give the same digest."""
    chains = set()
    for number, size in ((1, 900), (2, 5000)):
        limits = Limits(segment_bytes=size)
        journal = Journal.create(SimDisk(), PATH, run=Run(bytes([number]) * 16, f"v{size}", f"h{size}"), limits=limits)
        for lsn in range(20):
            journal.append(lsn, "tick", schema=1, payload=b"x" * lsn)
            if lsn % number == 0:
                journal.mark()
        journal.commit()
        chains.add(journal.chain)
    assert len(chains) == 1


def test_an_appended_record_is_not_durable_before_its_commit() -> None:
    """An append numbers and buffers; nothing is on disk until the commit."""
    disk = SimDisk()
    journal = created(disk)
    journal.append(1, "tick", schema=1, payload=b"")
    assert (journal.last_lsn, journal.durable_lsn, lsns(disk)) == (1, 0, [])
    assert journal.commit() == 1
    assert lsns(disk) == [1]


def test_a_batch_is_one_write_and_one_sync_up_to_its_bound() -> None:
    """Records appended together share a sync; a larger batch is split."""
    disk = SimDisk()
    journal = Journal.create(disk, PATH, run=run_of(1), limits=Limits(segment_bytes=50_000, batch_bytes_max=1000))
    for count, syncs in ((10, 1), (50, 3)):
        for _ in range(count):
            journal.append(1, "tick", schema=1, payload=b"x" * 10)
        before = disk.calls
        journal.commit()
        assert disk.calls - before == 2 * syncs


def test_short_writes_are_continued() -> None:
    """A disk that takes fewer bytes than offered still gets every byte."""
    disk = SimDisk()
    journal = created(disk)
    disk.short_writes = True
    extend(journal, 30)
    journal.close()
    assert lsns(disk) == list(range(1, 31))


def test_a_record_fills_a_segment_at_most() -> None:
    """The largest record that fits is written, one byte more breaks a law and leaves the journal usable."""
    disk = SimDisk()
    journal = created(disk)
    overhead = 512 + 16 + 8 + 11 + 1 + 16 + 1
    with pytest.raises(LawBroken, match="does not fit"):
        journal.append(1, "k", schema=1, payload=bytes(900 - overhead + 1))
    for _ in range(3):
        journal.append(1, "k", schema=1, payload=bytes(900 - overhead))
    journal.close()
    assert lsns(disk) == [1, 2, 3]
    assert all(segment.sealed for segment in segments(disk, PATH))


def test_a_second_opener_is_refused_until_the_first_closes() -> None:
    """The directory has one writer."""
    disk = SimDisk()
    journal = created(disk)
    with pytest.raises(DirectoryInUse):
        opened(disk)
    journal.close()
    opened(disk).close()


def test_opening_what_is_not_there_and_creating_what_is_are_bad_usage() -> None:
    """Neither call turns into the other."""
    disk = SimDisk()
    with pytest.raises(BadUsage, match="initialise"):
        opened(disk)
    created(disk).close()
    with pytest.raises(BadUsage, match="already"):
        created(disk)


def torn_disk() -> SimDisk:
    """A journal of two committed records and garbage behind them."""
    disk = SimDisk()
    extend(created(disk), 2)
    disk.kill()
    content = bytearray(disk.read(PATH / segment_name(1)))
    end = segments(disk, PATH)[0].used_bytes
    content[end : end + 9] = b"\x20\0\0torn!!"
    disk.put_file(PATH / segment_name(1), bytes(content))
    return disk


def test_a_torn_tail_is_moved_aside_and_counted() -> None:
    """The bytes behind the last valid record go to a .torn file, the journal goes on and stays whole."""
    disk = torn_disk()
    journal = opened(disk)
    assert (journal.torn, journal.last_lsn) == (9, 2)
    extend(journal, 2)
    journal.close()
    names = [name for name in disk.names(PATH) if name.endswith(".torn")]
    assert [disk.read(PATH / name) for name in names] == [b"\x20\0\0torn!!"]
    assert lsns(disk) == [1, 2, 3, 4]
    again = opened(disk, 3)
    assert (again.torn, again.last_lsn) == (0, 4)


def test_damage_to_acknowledged_records_stops_the_writer_and_changes_nothing() -> None:
    """A record shown to be durable by a later one is not truncated; the refusal names file, offset and LSN."""
    disk = SimDisk()
    extend(created(disk), 3)
    disk.kill()
    content = bytearray(disk.read(PATH / segment_name(1)))
    content[512 + 40] ^= 1
    disk.put_file(PATH / segment_name(1), bytes(content))
    before = disk.files(PATH)
    wanted = re.escape(segment_name(1)) + r" at byte 512: record 1 is bad"
    with pytest.raises(JournalDamaged, match=wanted):
        opened(disk)
    assert disk.files(PATH) == before
    with pytest.raises(JournalDamaged):
        opened(disk)


@pytest.mark.parametrize(("marked", "outcome"), [(False, 2), (True, JournalDamaged)])
def test_a_mark_makes_the_last_batch_provable(marked: bool, outcome: int | type[JournalDamaged]) -> None:
    """Damage to the last record is a torn tail without a mark behind it and damage with one."""
    disk = SimDisk()
    journal = created(disk)
    extend(journal, 3)
    assert journal.proved_lsn == 2
    offset = segments(disk, PATH)[0].used_bytes - 1
    if marked:
        journal.mark(Mark.SNAPSHOT)
        assert journal.proved_lsn == 3
    disk.kill()
    content = bytearray(disk.read(PATH / segment_name(1)))
    content[offset] ^= 1
    disk.put_file(PATH / segment_name(1), bytes(content))
    if isinstance(outcome, int):
        assert opened(disk).last_lsn == outcome
    else:
        with pytest.raises(outcome):
            opened(disk)


def test_marks_fill_no_disk() -> None:
    """A mark that would prove nothing new is not written, and a seal is nobody's to ask for."""
    disk = SimDisk()
    journal = created(disk)
    extend(journal, 1)
    for _ in range(100):
        journal.mark()
    assert segments(disk, PATH)[0].used_bytes == 512 + 16 + 8 + 11 + 4 + 20 + 16
    with pytest.raises(LawBroken, match="seal"):
        journal.mark(Mark.SEAL)


def test_a_run_without_records_leaves_no_segment_behind() -> None:
    """Opening and closing again and again replaces the empty segment."""
    disk = SimDisk()
    journal = created(disk)
    extend(journal, 1)
    journal.close()
    for number in range(2, 6):
        opened(disk, number).close()
    found = segments(disk, PATH)
    assert [segment.first_lsn for segment in found] == [1, 2]
    assert found[1].run == run_of(5)


def test_a_full_disk_is_low_storage_first_and_a_failure_when_the_spare_is_used_up() -> None:
    """With no space for a spare the journal still writes all of the last segment, and then ends."""
    disk = SimDisk()
    journal = created(disk)
    assert not journal.storage_low
    disk.space_bytes = 2 * 900
    extend(journal, 4)
    while not journal.storage_low:
        extend(journal, 1)
    written = journal.last_lsn
    with pytest.raises(DiskFailed, match="no space"):
        extend(journal, 10)
    assert journal.durable_lsn > written
    for refused in (journal.commit, journal.mark, lambda: extend(journal, 1)):
        with pytest.raises(DiskFailed, match="no more records"):
            refused()
    journal.close()
    disk.space_bytes = None
    assert lsns(disk) == list(range(1, journal.durable_lsn + 1))
    assert opened(disk).last_lsn == journal.durable_lsn


def test_storage_recovers_when_space_returns() -> None:
    """After a bounded number of commits the spare is tried again and low storage ends."""
    disk = SimDisk()
    disk.space_bytes = 1100
    journal = created(disk)
    assert journal.storage_low
    extend(journal, 1)
    disk.space_bytes = None
    commits = 0
    while journal.storage_low:
        journal.commit()
        commits += 1
    assert commits == 2
    extend(journal, 20)
    assert SPARE in disk.names(PATH)


def test_a_failed_sync_is_never_tried_again() -> None:
    """One failed sync ends the journal; what a new process reads from the cache is written anew before it counts."""
    for seed in range(60):
        disk = SimDisk(random.Random(seed))
        journal = created(disk)
        extend(journal, 2)
        disk.failing_syncs = {disk.syncs + 1}
        with pytest.raises(DiskFailed, match="check the disk"):
            extend(journal, 1)
        syncs = disk.syncs
        with pytest.raises(DiskFailed):
            journal.commit()
        journal.close()
        assert disk.syncs == syncs
        again = opened(disk)
        assert again.last_lsn == 3
        extend(again, 2)
        disk.crash()
        assert lsns(disk) == [1, 2, 3, 4, 5]


def test_every_refused_call_is_a_disk_failure_or_low_storage() -> None:
    """An error at any single call of appending through a rotation loses nothing acknowledged."""
    for code in (5, 28):
        for at in range(1, 60):
            disk = SimDisk()
            journal = created(disk)
            disk.failing = {disk.calls + at: code}
            with contextlib.suppress(DiskFailed):
                extend(journal, 12)
            durable = journal.durable_lsn
            disk.crash()
            assert len(lsns(disk)) >= durable


def test_an_interrupted_commit_ends_the_journal() -> None:
    """Whatever breaks into a write, a half-written batch is never followed by another."""

    class InterruptedDisk(SimDisk):
        def sync(self, descriptor: int) -> None:
            if self.interrupting:
                raise KeyboardInterrupt
            super().sync(descriptor)

        interrupting = False

    disk = InterruptedDisk()
    journal = created(disk)
    disk.interrupting = True
    with pytest.raises(KeyboardInterrupt):
        extend(journal, 1)
    disk.interrupting = False
    with pytest.raises(DiskFailed, match="interrupted"):
        journal.commit()


def test_a_closed_journal_takes_no_more_records() -> None:
    """Closing twice is fine; using it afterwards is not."""
    disk = SimDisk()
    journal = created(disk)
    journal.append(1, "tick", schema=1, payload=b"")
    journal.close()
    journal.close()
    with pytest.raises(DiskFailed, match="closed"):
        journal.append(1, "tick", schema=1, payload=b"")
    assert lsns(disk) == [1]


def test_the_directory_holds_only_what_it_says() -> None:
    """Identity, lock and segments: a clean life gives its spare back and leaves nothing else behind."""
    disk = SimDisk()
    journal = created(disk)
    extend(journal, 2)
    journal.close()
    assert disk.names(PATH) == sorted([identity_name(1), segment_name(1), LOCK])


def test_segments_with_records_under_an_unfinished_identity_are_damage() -> None:
    """Initialising never replaces records, whatever the identity says."""
    disk = SimDisk()
    extend(created(disk), 1)
    disk.kill()
    content = disk.read(PATH / identity_name(1))
    disk.put_file(PATH / identity_name(1), None)
    disk.put_file(PATH / identity_name(0), content)
    with pytest.raises(JournalDamaged, match="never fully initialised"):
        created(disk)
