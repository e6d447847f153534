"""Every durable operation of a journal's life fails once and for ever, in every way it can.

The session: a fresh journal is begun, filled over several segments with idle and snapshot marks, killed within a write;
begun again, its torn tail is mended, filled to the end of the story's beginning and closed; opened once more and closed.
"""

import contextlib
import random
from collections import Counter
from functools import cache

import pytest

from state.errors import DiskFailed
from state.journal import Journal, Limits, Mark, Run, is_initialised, read
from tests.faulty_disk import OPERATIONS, Fault, FaultyDisk, kinds_of
from tests.simdisk import PowerLost
from tests.storms import LSN_BYTES, PATH, VERSION, bytes_of, course, keep

LIMITS = Limits(segment_bytes=3_000, spare_retry_commits=3)
TOLD_FIRST = 6

CARRIED_ON = {
    # Storage is low until a spare can be made; a leftover of one is in nobody's way.
    "create spare", "allocate spare", "sync_all spare", "remove spare",
    # What a failed attempt at a spare leaves open.
    "close spare",
    # After the last record is durable and sealed.
    "close seg", "close lock",
}  # fmt: skip
"""Operations whose failure need not end the process."""


class Session:
    """One disk, and what its processes promised."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.disk = FaultyDisk(random.Random(0), fault)
        self.lives = 0
        self.promised = 0
        self.low = False
        self.failed_at_work = False
        self.exit_code = 0
        self.killed_at = 0

    def enter(self) -> Journal:
        """Begin the journal, or open it, by a new run."""
        self.lives += 1
        act = Journal.open if is_initialised(self.disk, PATH) else Journal.create
        return act(self.disk, PATH, run=Run(bytes([self.lives]) * 16, VERSION, "host"), limits=LIMITS)

    def live(self, until: int, *, killed: bool = False) -> None:
        """One life up to a record, with what it acknowledged; a disk that fails ends it, and it says no more."""
        journal = self.enter()
        try:
            self.check(journal)
            self._work(journal, until)
            if killed:
                self._die_in_a_write(journal)
            else:
                journal.close()
        except DiskFailed:
            journal.close()
            raise
        finally:
            self.promised = max(self.promised, journal.durable_lsn)

    def _work(self, journal: Journal, until: int) -> None:
        try:
            for body in course(brief=True).bodies[journal.last_lsn : until]:
                keep(journal, [body])
                self.low |= journal.storage_low
            journal.mark(Mark.SNAPSHOT)
        except DiskFailed:
            self.failed_at_work = True
            self._says_no_more(journal)
            raise

    def _die_in_a_write(self, journal: Journal) -> None:
        journal.append_content(course(brief=True).bodies[journal.last_lsn][LSN_BYTES:])
        self.disk.dark_at = self.disk.calls + 1
        self.killed_at = len(self.disk.done)
        try:
            with contextlib.suppress(PowerLost):
                journal.commit()
        finally:
            self.disk.dark_at = None
        self.disk.kill()

    def _says_no_more(self, journal: Journal) -> None:
        """Nothing more is acknowledged and nothing more is written, whoever asks."""
        durable, before = journal.durable_lsn, self.disk.files(PATH)
        body = course(brief=True).bodies[0][LSN_BYTES:]
        for ask in (journal.commit, journal.mark, lambda: journal.append_content(body)):
            with pytest.raises(DiskFailed):
                ask()
        assert (journal.durable_lsn, self.disk.files(PATH)) == (durable, before)

    def check(self, journal: Journal) -> None:
        """What is there begins the story, holds all that was promised, and is what the journal says of itself."""
        found = [bytes_of(body) for body in read(self.disk, PATH)]
        assert found == course(brief=True).bodies[: len(found)]
        assert self.promised <= len(found) == journal.durable_lsn
        assert journal.chain == course(brief=True).chains[len(found)]
        self.promised = len(found)
        self.low |= journal.storage_low

    def run(self) -> bool:
        """The session; False when a failing disk ended one of its lives."""
        try:
            self.live(TOLD_FIRST, killed=True)
            self.live(len(course(brief=True).bodies))
            self.live(len(course(brief=True).bodies))
        except DiskFailed as failure:
            self.exit_code = failure.exit_code
        return not self.exit_code


@cache
def operations() -> tuple[list[str], int]:
    """Every durable operation of the session on a sound disk, in order, and the index of the one it is killed in."""
    session = Session()
    assert session.run()
    return session.disk.done, session.killed_at


def faults() -> list[tuple[str, Fault]]:
    """Every way in which any of them can fail."""
    done, killed_at = operations()
    return [
        (told, Fault(index + 1, kind, forever))
        for index, told in enumerate(done)
        for kind in kinds_of(told.split()[0])
        for forever in (False, True)
        if index != killed_at
    ]


def test_the_session_does_everything_a_journal_does() -> None:
    """Every call of the disk is in it, and every kind of file is made, synced, renamed and removed."""
    done = set(operations()[0])
    assert {told.split()[0] for told in done} == set(OPERATIONS)
    assert done >= {
        "rename spare", "rename fresh", "rename identity", "sync seg", "sync_all seg", "sync spare", "truncate seg",
        "sync_all fresh", "sync_directory journal", "remove spare", "lock lock", "write fresh", "write seg", "read seg",
    }  # fmt: skip


def ends() -> Counter[str]:
    """Run every fault; how each ended."""
    found: Counter[str] = Counter()
    for seed, (told, fault) in enumerate(faults()):
        session, named = Session(fault), f"{fault} at {told}"
        whole = session.run()
        assert session.disk.met[0] == told, named
        if whole:
            short = fault.kind == "short"
            assert short or set(session.disk.met) <= CARRIED_ON, named
            low = {"create spare", "allocate spare", "sync_all spare"} & set(session.disk.met)
            assert session.low or not low, named
            found["carried on" if not low else "storage low"] += 1
        else:
            found[f"ended with exit {session.exit_code}"] += 1
            heal(session, random.Random(seed), forever=fault.forever)
        assert session.promised == len(course(brief=True).bodies), named
    return found


def heal(session: Session, rng: random.Random, *, forever: bool) -> None:
    """After a failed life the next ones: on the disk still ill, then, after a crash or a kill, on one that is well."""
    if forever:
        with contextlib.suppress(DiskFailed):
            session.live(len(course(brief=True).bodies))
    session.disk.fault = None
    if rng.random() < 0.4:
        session.disk.kill()
    else:
        session.disk.crash(rng)
    session.live(len(course(brief=True).bodies))


def test_whatever_fails_nothing_acknowledged_is_lost_and_nothing_more_is_acknowledged() -> None:
    """Exit 5, or storage low, or on as if nothing had been; the next process has every acknowledged record."""
    found = ends()
    print(f"{len(operations()[0])} operations, {sum(found.values())} faults: {dict(found)}")
    assert found.keys() == {"ended with exit 5", "storage low", "carried on"}


def test_a_disk_of_any_size_is_low_before_it_is_full() -> None:
    """A process never meets a full disk at work without having been told that storage is low; with room all goes on."""
    found: Counter[str] = Counter()
    for size_bytes in range(0, 10 * LIMITS.segment_bytes, 101):
        session = Session()
        session.disk.space_bytes = size_bytes
        whole = session.run()
        assert whole or session.exit_code == 5
        assert session.low or not session.failed_at_work, f"{size_bytes} bytes"
        found["whole" if whole else "at work" if session.failed_at_work else "at a start"] += 1
        session.disk.space_bytes = None
        heal(session, random.Random(size_bytes), forever=False)
        assert session.promised == len(course(brief=True).bodies)
    assert found.keys() == {"whole", "at work", "at a start"}
