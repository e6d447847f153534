"""The journal's one writer: append, commit, rotation, the spare segment, and recovery of a torn tail.

A file is never edited after a crash: what a recovery keeps is written to a new file that takes the old one's name,
so a crash during recovery leaves the one or the other. Deliberately absent: threads (see `state.writer`), time, and
any meaning of the payloads.
"""

import contextlib
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from errno import ENOSPC
from itertools import accumulate
from pathlib import Path
from typing import Final

import msgspec

from state.disk import Disk
from state.errors import BadUsage, DirectoryInUse, DiskFailed, JournalDamaged, LawBroken
from state.frames import (
    FRAME_HEAD_BYTES,
    GENESIS,
    HEADER_BYTES,
    REMEDY,
    Header,
    Mark,
    Run,
    Scan,
    chained,
    encode_body,
    encode_content,
    encode_frames,
    encode_header,
    encode_mark,
    scan_segment,
    seed_of,
)
from state.segments import (
    LOCK,
    SPARE,
    identity_content,
    identity_name,
    is_initialised,
    newest_of,
    read,
    scans,
    segment_name,
    segments,
)

__all__ = ["Journal", "Limits", "Mark", "Run", "is_initialised", "read", "segments"]

# Its frame's head and number, and behind it a seal and one byte.
_RECORD_OVERHEAD_BYTES: Final = 2 * FRAME_HEAD_BYTES + 8 + 1


class Limits(msgspec.Struct, frozen=True):
    """Sizes of a journal: bytes given to each segment, bytes per write, commits between tries for a new spare."""

    segment_bytes: int = 64 * 2**20
    batch_bytes_max: int = 2**20
    spare_retry_commits: int = 64


class Journal:
    """Append-only records of one data directory, for the one process that writes it.

    `append` numbers and buffers; `commit` writes, syncs and only then advances `durable_lsn`. After a failed write or
    sync every further call raises DiskFailed: nothing is retried. Not safe to call from two threads at once.
    """

    last_lsn: int
    """LSN of the newest appended record, 0 when there is none."""
    durable_lsn: int
    """Newest record that survives any crash."""
    proved_lsn: int
    """Newest record whose later loss would be noticed, because something durable after it says it was durable."""
    chain: bytes
    """Digest after the newest appended record."""
    durable_chain: bytes
    """Digest after record `durable_lsn`."""
    storage_low: bool
    """No spare segment could be made: refuse what may be refused, the current segment is the last."""
    torn: int
    """Bytes of a torn tail moved aside when this journal was opened."""

    def __init__(self, disk: Disk, path: Path, *, run: Run, limits: Limits) -> None:
        """Use `Journal.create` or `Journal.open`; this only sets the fields."""
        self._disk, self._path, self._run, self._limits = disk, path, run, limits
        self._lock: int | None = None
        self._segment: int | None = None
        self._spare: int | None = None
        self._spare_refusal = ""
        self._verified: Scan | None = None
        self._failure: str | None = None
        self._content_bytes_max = limits.segment_bytes - HEADER_BYTES - _RECORD_OVERHEAD_BYTES
        self._pending: list[bytes] = []
        self._digests: list[bytes] = []
        self._newest = self._offset = self._seed = self._commits_low = self.torn = 0
        self.last_lsn = self.durable_lsn = self.proved_lsn = 0
        self.chain = self.durable_chain = GENESIS
        self.storage_low = True

    @classmethod
    def create(cls, disk: Disk, path: Path, *, run: Run, limits: Limits | None = None) -> "Journal":
        """Initialise a directory that is no journal yet, or whose initialisation was interrupted, and open it.

        The parent directory must exist. Raises BadUsage when it already is a journal, JournalDamaged when it holds
        segments without an identity, DirectoryInUse, DiskFailed.
        """
        journal = cls(disk, path, run=run, limits=limits or Limits())
        return journal._begin(journal._initialise)

    @classmethod
    def open(cls, disk: Disk, path: Path, *, run: Run, limits: Limits | None = None) -> "Journal":
        """Lock a journal, verify all of it, recover its tail and start a segment for this run.

        Raises BadUsage when it is not initialised, JournalDamaged when acknowledged data is damaged (having changed
        nothing), DirectoryInUse, DiskFailed.
        """
        journal = cls(disk, path, run=run, limits=limits or Limits())
        return journal._begin(journal._recover)

    def append(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Number a record, seen at an instant in ns UTC, and buffer it; returns its LSN. Not durable until `commit`."""
        return self.append_content(encode_content(seen_at, kind, schema=schema, payload=payload))

    def append_content(self, content: bytes) -> int:
        """Number and buffer a record already encoded. Raises LawBroken when it cannot fit in a segment."""
        if self._failure is not None:
            self._check_usable()
        if len(content) > self._content_bytes_max:
            self.check_fits(content)
        self.last_lsn = lsn = self.last_lsn + 1
        body = encode_body(lsn, content)
        self.chain = chain = chained(self.chain, body)
        self._pending.append(body)
        self._digests.append(chain)
        return lsn

    def check_fits(self, content: bytes) -> None:
        """Raise LawBroken when an encoded record cannot fit in a segment."""
        if len(content) > self._content_bytes_max:
            raise LawBroken(f"a record of {len(content)} bytes does not fit in a segment; raise segment_bytes")

    def commit(self) -> int:
        """Make every appended record durable and return the newest durable LSN. Raises DiskFailed."""
        self._check_usable()
        with self._numbered():
            while self._pending:
                count, frames = self._next_batch()
                if count:
                    self._disk.write_whole(self._current, frames, offset=self._offset)
                    self._disk.sync(self._current)
                    self._offset += len(frames)
                    self.proved_lsn, self.durable_lsn = self.durable_lsn, self.durable_lsn + count
                    self.durable_chain = self._digests[count - 1]
                    del self._pending[:count], self._digests[:count]
                else:
                    self._rotate()
            self._retry_spare()
        return self.durable_lsn

    def mark(self, mark: Mark = Mark.IDLE) -> None:
        """Commit, then write a mark so that later damage to any record so far is told from a torn tail."""
        if mark is Mark.SEAL:
            raise LawBroken("a seal is written only by rotation and close; mark an idle moment or a snapshot")
        self.commit()
        if self.proved_lsn == self.durable_lsn:
            return
        with self._numbered():
            if self._room < FRAME_HEAD_BYTES:
                self._rotate()
            else:
                self._write_mark(mark)

    def hand_over(self) -> Scan | None:
        """The last segment before this run, as opening verified it, for a recovery; once, since it is large, else None."""
        verified, self._verified = self._verified, None
        return verified

    def close(self) -> None:
        """Commit, seal, give up the lock. After a failure it only gives up what it holds."""
        try:
            if self._segment is not None and self._failure is None:
                self.commit()
                with self._numbered():
                    self._seal()
                # The next start makes its own; until then the space belongs to others.
                with contextlib.suppress(OSError):
                    self._drop(SPARE)
        finally:
            self._failure = self._failure or "it was closed"
            self._release()

    @property
    def _current(self) -> int:
        if self._segment is None:
            raise LawBroken("the journal has no open segment")
        return self._segment

    @property
    def _room(self) -> int:
        """Bytes left for frames: a seal must still fit, and one byte more so that a sealed file is always shorter."""
        return self._limits.segment_bytes - self._offset - FRAME_HEAD_BYTES - 1

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise DiskFailed(f"the journal in {self._path} takes no more records: {self._failure}; open it again")

    @contextlib.contextmanager
    def _numbered(self) -> Iterator[None]:
        """Around all I/O that records depend on: whatever interrupts it ends the use of this journal."""
        done = False
        try:
            yield
            done = True
        except OSError as failure:
            self._failure = str(failure)
            message = f"the journal in {self._path} could not be written: {failure}"
            raise DiskFailed(f"{message}; check the disk and its free space, then start again") from failure
        finally:
            if not done:
                self._failure = self._failure or "a write was interrupted"

    def _begin(self, prepare: Callable[[], None]) -> "Journal":
        with contextlib.ExitStack() as held:
            held.callback(self._release)
            with self._numbered():
                prepare()
            held.pop_all()
        return self

    def _initialise(self) -> None:
        if is_initialised(self._disk, self._path):
            raise BadUsage(f"{self._path} already is a journal; open it, or choose another directory")
        self._disk.make_directory(self._path)
        self._lock = self._disk.lock(self._path / LOCK)
        self._check_unused()
        if newest_of(self._disk, self._path) is None:
            self._disk.replace(self._path / identity_name(0), identity_content(self._run))
        self._start_segment()
        self._make_spare()

    def _check_unused(self) -> None:
        """Raise unless all there is can be left from an initialisation that did not finish."""
        if newest_of(self._disk, self._path):
            raise DirectoryInUse(f"{self._path} was initialised by another process meanwhile; open it")
        for name in self._disk.names(self._path):
            if not name.endswith(".seg"):
                continue
            scan = scan_segment(name, self._disk.read(self._path / name), last=True)
            if name != segment_name(1) or not scan.empty:
                message = f"{self._path / name} holds records, but the directory was never fully initialised"
                raise JournalDamaged(f"{message}; {REMEDY}")

    def _recover(self) -> None:
        if not is_initialised(self._disk, self._path):
            raise BadUsage(f"{self._path} is not a journal; initialise the data directory first")
        self._lock = self._disk.lock(self._path / LOCK)
        last = deque(scans(self._disk, self._path), maxlen=1).pop()
        self.last_lsn = self.durable_lsn = self.proved_lsn = last.last_lsn
        self.chain = self.durable_chain = last.chain
        self._newest, self._verified = newest_of(self._disk, self._path) or 0, last
        # A process that was killed may have left names that only the page cache knows.
        self._disk.sync_directory(self._path)
        # The spare's space is what a full disk leaves for mending and for the segment of this run.
        self._drop(SPARE)
        self._keep_torn(last)
        # Only a file already cut to its size is known to be on disk as it reads: it is cut after the seal is synced.
        if not last.empty and not (last.sealed and len(last.raw) == last.end):
            self._mend(last)
        self._start_segment()
        self._make_spare()

    def _keep_torn(self, scan: Scan) -> None:
        """Copy a torn tail aside, for people to look at."""
        self.torn = scan.torn_bytes
        if scan.torn_bytes:
            header = scan.header
            name = f"{header.first_lsn:020d}-{header.run.run_id.hex()[:8]}.torn"
            self._disk.replace(self._path / name, scan.raw[scan.end : scan.end + scan.torn_bytes])

    def _mend(self, scan: Scan) -> None:
        """Put a sealed copy of the valid frames in place of a segment that a crash left open.

        A copy, because after a failed sync the page cache may show what the disk does not hold.
        """
        self._disk.replace(self._path / scan.name, scan.closed)

    def _drop(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._disk.remove(self._path / name)

    def _start_segment(self) -> None:
        """Turn the spare into the segment after `last_lsn`; it gets its name only once its header is durable."""
        if self._spare is None:
            self._make_spare()
        if self._spare is None:
            raise OSError(ENOSPC, f"no space for another segment ({self._spare_refusal})")
        first_lsn = self.durable_lsn + 1
        self._segment, self._spare = self._spare, None
        header = Header(self._run, first_lsn, self.durable_chain, self._limits.segment_bytes)
        self._disk.write_whole(self._segment, encode_header(header), offset=0)
        self._disk.sync(self._segment)
        self._disk.rename(self._path / SPARE, self._path / segment_name(first_lsn))
        self._disk.sync_directory(self._path)
        if self._newest != first_lsn:
            self._disk.rename(self._path / identity_name(self._newest), self._path / identity_name(first_lsn))
            self._disk.sync_directory(self._path)
        self._newest, self._offset, self._seed = first_lsn, HEADER_BYTES, seed_of(header)

    def _make_spare(self) -> None:
        """Try to reserve the next segment; a refusal is not a failure but a low storage."""
        descriptor: int | None = None
        try:
            self._drop(SPARE)
            descriptor = self._disk.create(self._path / SPARE)
            self._disk.allocate(descriptor, self._limits.segment_bytes)
            self._disk.sync_all(descriptor)
        except OSError as refusal:
            self._spare_refusal = str(refusal)
            with contextlib.suppress(OSError):
                if descriptor is not None:
                    self._disk.close(descriptor)
                self._drop(SPARE)
            descriptor = None
        self._spare, self.storage_low, self._commits_low = descriptor, descriptor is None, 0

    def _retry_spare(self) -> None:
        if self.storage_low:
            self._commits_low += 1
            if self._commits_low >= self._limits.spare_retry_commits:
                self._make_spare()

    def _rotate(self) -> None:
        self._seal()
        self._start_segment()
        self._make_spare()

    def _seal(self) -> None:
        """Write the seal, and only once it is durable cut the file: a short file is a sealed one."""
        self._write_mark(Mark.SEAL)
        self._disk.truncate(self._current, self._offset)
        self._disk.sync_all(self._current)
        descriptor, self._segment = self._current, None
        self._disk.close(descriptor)

    def _write_mark(self, mark: Mark) -> None:
        frame = encode_mark(mark, self.durable_lsn, seed=self._seed)
        self._disk.write_whole(self._current, frame, offset=self._offset)
        self._disk.sync(self._current)
        self._offset += len(frame)
        self.proved_lsn = self.durable_lsn

    def _release(self) -> None:
        """Close every descriptor; the lock goes last."""
        for descriptor in (self._segment, self._spare, self._lock):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    self._disk.close(descriptor)
        self._segment = self._spare = self._lock = None

    def _next_batch(self) -> tuple[int, bytes]:
        """How many pending records go into the next write, and their frames."""
        bodies = self._pending
        room = min(self._room, self._limits.batch_bytes_max)
        if sum(map(len, bodies)) + FRAME_HEAD_BYTES * len(bodies) > room:
            sizes = list(accumulate(FRAME_HEAD_BYTES + len(body) for body in bodies))
            # One record may be larger than a batch, but not than what is left of the segment.
            bodies = bodies[: bisect_right(sizes, room) or int(sizes[0] <= self._room)]
        return len(bodies), encode_frames(bodies, self.durable_lsn, seed=self._seed)
