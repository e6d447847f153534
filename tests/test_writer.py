"""Group commit from another thread: order, durability, bounds, callbacks and failures that reach the caller."""

import random
import threading
from pathlib import Path

import pytest

from state.disk import Disk
from state.errors import DiskFailed, JournalDamaged, LawBroken
from state.frames import Mark
from state.journal import Journal, Limits, Run, read, segments
from state.writer import Bounds, Writer
from tests.simdisk import SimDisk

PATH = Path("/data/journal")
RUN = Run(bytes(16), "v1", "host")
LIMITS = Limits(segment_bytes=4000, batch_bytes_max=1500)


def created(disk: Disk, path: Path = PATH) -> Journal:
    """A fresh journal."""
    return Journal.create(disk, path, run=RUN, limits=LIMITS)


class GatedDisk(SimDisk):
    """A disk whose content syncs wait for a gate, so that a test decides when a batch becomes durable."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()

    def sync(self, descriptor: int) -> None:
        """Say that a sync was asked for, and wait."""
        self.reached.set()
        self.gate.wait()
        super().sync(descriptor)


@pytest.mark.parametrize("disk", [Disk(), SimDisk()], ids=["real", "simulated"])
def test_what_is_submitted_becomes_durable_in_order(disk: Disk, tmp_path: Path) -> None:
    """Many submits and one wait leave the same records and chain as a journal used directly."""
    writer, direct = Writer(created(disk, tmp_path / "a")), created(SimDisk())
    for number in range(500):
        lsn = writer.submit(number, "tick", schema=1, payload=b"%d" % number)
        assert lsn == direct.append(number, "tick", schema=1, payload=b"%d" % number) == writer.last_lsn
    writer.wait_durable(500)
    assert writer.durable == (500, direct.chain)
    writer.close()
    assert [body.payload for body in read(disk, tmp_path / "a")] == [b"%d" % number for number in range(500)]


def test_nothing_is_durable_before_its_sync_and_the_next_batch_gathers_meanwhile() -> None:
    """While a sync hangs, submits go on and durable_lsn stands; then both batches are released."""
    disk, released = GatedDisk(), []
    writer = Writer(created(disk), released=released.append)
    disk.gate.clear()
    disk.reached.clear()
    writer.submit(0, "tick", schema=1, payload=b"")
    disk.reached.wait()
    for number in range(1, 20):
        writer.submit(number, "tick", schema=1, payload=b"")
    assert (writer.durable_lsn, writer.last_lsn) == (0, 20)
    disk.gate.set()
    writer.wait_durable(20)
    writer.close()
    assert released[:2] == [1, 20]


@pytest.mark.parametrize("bounds", [Bounds(records_max=3), Bounds(bytes_max=330)])
def test_memory_runs_ahead_by_a_bounded_number(bounds: Bounds) -> None:
    """When the disk hangs, a submit beyond the bound waits until it goes on."""
    disk = GatedDisk()
    writer = Writer(created(disk), bounds=bounds)
    disk.gate.clear()
    for number in range(3):
        assert not writer.full
        writer.submit(number, "tick", schema=1, payload=bytes(100))
    assert writer.full
    fourth = threading.Thread(target=lambda: writer.submit(3, "tick", schema=1, payload=b""))
    fourth.start()
    assert writer.last_lsn == 3
    disk.gate.set()
    fourth.join()
    writer.wait_durable(4)
    assert not writer.full
    writer.close()


def test_a_disk_failure_reaches_waiting_and_later_calls() -> None:
    """wait_durable, submit, mark and close raise DiskFailed; what was durable before stays acknowledged."""
    disk, released = SimDisk(random.Random(1)), []
    writer = Writer(created(disk), released=released.append)
    writer.wait_durable(writer.submit(0, "tick", schema=1, payload=b"first"))
    disk.failing_syncs = {disk.syncs + 1, disk.syncs + 2}
    lsn = writer.submit(1, "tick", schema=1, payload=b"second")
    with pytest.raises(DiskFailed):
        writer.wait_durable(lsn)
    writer.wait_durable(1)
    for refused in (lambda: writer.submit(2, "t", schema=1, payload=b""), lambda: writer.mark(Mark.IDLE), writer.close):
        with pytest.raises(DiskFailed):
            refused()
    assert released[-1] == 1
    disk.crash()
    assert next(iter(read(disk, PATH))).payload == b"first"


def test_a_submitter_that_waits_for_room_hears_of_the_failure() -> None:
    """A full queue on a failing disk does not hang its submitter."""
    disk = GatedDisk()
    writer = Writer(created(disk), bounds=Bounds(records_max=1, idle_s=None))
    disk.failing_syncs = {disk.syncs + 1}
    disk.gate.clear()
    writer.submit(0, "tick", schema=1, payload=b"")
    found: list[BaseException] = []

    def submit() -> None:
        try:
            writer.submit(1, "tick", schema=1, payload=b"")
        except DiskFailed as failure:
            found.append(failure)

    second = threading.Thread(target=submit)
    second.start()
    disk.gate.set()
    second.join()
    assert len(found) == 1


def test_a_callback_that_raises_does_not_leave_waiters_hanging() -> None:
    """A thread that dies for a reason of its own breaks a law for its callers, and the lock is free."""

    def released(_: int) -> None:
        raise ZeroDivisionError

    disk = SimDisk()
    writer = Writer(created(disk), released=released)
    writer.submit(0, "tick", schema=1, payload=b"")
    for refused in (writer.close, lambda: writer.mark(Mark.IDLE), lambda: writer.submit(0, "t", schema=1, payload=b"")):
        with pytest.raises(LawBroken, match="ZeroDivisionError"):
            refused()
    Journal.open(disk, PATH, run=RUN, limits=LIMITS).close()


@pytest.mark.parametrize(
    ("cause", "failure"),
    [
        (MemoryError(), LawBroken),
        (SystemExit(), LawBroken),
        (RuntimeError("a bug"), LawBroken),
        (OSError(5, "odd"), DiskFailed),
        (JournalDamaged("odd"), JournalDamaged),
    ],
)
def test_whatever_the_thread_dies_of_is_a_failure(cause: BaseException, failure: type[Exception]) -> None:
    """The process hears of it, nobody waits for ever, and what was not synced is not durable."""

    class Dying(SimDisk):
        def write(self, descriptor: int, content: bytes | memoryview, *, offset: int) -> int:
            if self.armed:
                raise cause
            return super().write(descriptor, content, offset=offset)

        armed = False

    disk, released = Dying(), []
    writer = Writer(created(disk), released=released.append)
    disk.armed = True
    lsn = writer.submit(0, "tick", schema=1, payload=b"")
    for refused in (lambda: writer.wait_durable(lsn), writer.close):
        with pytest.raises(failure):
            refused()
    assert isinstance(writer.failure, failure)
    assert released == [0]


def test_an_idle_moment_is_marked() -> None:
    """After a pause the last batch is provably durable without anybody asking."""
    disk = SimDisk()
    journal = created(disk)
    marked = threading.Event()
    writer = Writer(
        journal, bounds=Bounds(idle_s=0.001), released=lambda lsn: journal.proved_lsn == lsn == 1 and marked.set()
    )
    writer.submit(0, "tick", schema=1, payload=b"")
    marked.wait()
    assert journal.proved_lsn == 1
    writer.close()


def test_an_asked_mark_is_written_without_a_pause() -> None:
    """A snapshot's mark comes after what was submitted before it."""
    disk = SimDisk()
    journal = created(disk)
    marked = threading.Event()
    writer = Writer(
        journal, bounds=Bounds(idle_s=None), released=lambda lsn: journal.proved_lsn == lsn == 1 and marked.set()
    )
    writer.submit(0, "tick", schema=1, payload=b"")
    writer.mark(Mark.SNAPSHOT)
    marked.wait()
    writer.close()
    assert not writer.storage_low


def test_close_writes_what_was_submitted_and_seals() -> None:
    """Nothing submitted is lost by closing, and nothing can be submitted afterwards."""
    disk = SimDisk()
    writer = Writer(created(disk))
    for number in range(100):
        writer.submit(number, "tick", schema=1, payload=b"")
    writer.close()
    assert segments(disk, PATH)[-1].last_lsn == 100
    assert segments(disk, PATH)[-1].sealed
    with pytest.raises(DiskFailed, match="ended"):
        writer.submit(0, "tick", schema=1, payload=b"")
    writer.wait_durable(100)


def test_what_cannot_be_written_is_refused_before_it_is_numbered() -> None:
    """A record too large for a segment, or a wait for one never submitted, breaks a law and harms nothing."""
    writer = Writer(created(SimDisk()))
    with pytest.raises(LawBroken, match="does not fit"):
        writer.submit(0, "tick", schema=1, payload=bytes(4000))
    with pytest.raises(LawBroken, match="never submitted"):
        writer.wait_durable(1)
    assert writer.submit(0, "tick", schema=1, payload=b"") == 1
    writer.close()
