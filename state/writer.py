"""Group commit: one thread writes and syncs a batch of records while the next one gathers.

Deliberately absent: asyncio (a callback tells the daemon's loop), time, and any copy of
the journal's rules: a batch is whatever was submitted while the one before was being synced.
"""

import threading
from collections.abc import Callable

import msgspec

from state.errors import DiskFailed, LawBroken, OracleFailure
from state.frames import Mark, encode_content
from state.journal import Journal


class Bounds(msgspec.Struct, frozen=True):
    """How far memory may run ahead of the disk, and after how long a pause to mark (None: no idle marks)."""

    records_max: int = 4096
    bytes_max: int = 16 * 2**20
    idle_s: float | None = 0.1


class Writer:
    """Owns an open journal from here on. `submit` from one thread, wait from any.

    `released` is called in the writer's thread with the durable LSN after each batch, and once more when the thread
    ends; it must not block. When the thread died, `submit`, `wait_durable`, `mark` and `close` raise what it died of: DiskFailed
    when the disk failed, LawBroken for anything that was not foreseen.
    """

    def __init__(
        self, journal: Journal, *, released: Callable[[int], None] | None = None, bounds: Bounds | None = None
    ) -> None:
        """Start the thread."""
        self._journal, self._released, self._bounds = journal, released, bounds or Bounds()
        self._records_max, self._bytes_max = self._bounds.records_max, self._bounds.bytes_max
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: list[bytes] = []
        self._bytes_ahead = self._bytes_written = 0
        self._mark: Mark | None = None
        self._closing = self._ended = False
        self._failure: OracleFailure | None = None
        self._last_lsn = journal.last_lsn
        self._durable = (journal.durable_lsn, journal.durable_chain)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def last_lsn(self) -> int:
        """LSN of the newest submitted record."""
        return self._last_lsn

    @property
    def durable_lsn(self) -> int:
        """Newest LSN that survives any crash."""
        return self._durable[0]

    @property
    def durable(self) -> tuple[int, bytes]:
        """Newest durable LSN and the digest of the chain after it, as one consistent pair."""
        return self._durable

    @property
    def storage_low(self) -> bool:
        """Whether the journal has no spare segment; see `Journal.storage_low`."""
        return self._journal.storage_low

    @property
    def full(self) -> bool:
        """Whether the next `submit` would have to wait for the disk."""
        return self._last_lsn - self._durable[0] >= self._records_max or self._bytes_ahead >= self._bytes_max

    @property
    def bytes_written(self) -> int:
        """Bytes of records that this writer has made durable."""
        return self._bytes_written

    @property
    def failure(self) -> OracleFailure | None:
        """What ended the thread, once something did."""
        return self._failure

    @property
    def crowded(self) -> bool:
        """Whether so much is ahead of the disk that whoever can wait should: a cycle of records must still fit."""
        ahead = self._last_lsn - self._durable[0]
        return 2 * ahead >= self._bounds.records_max or 2 * self._bytes_ahead >= self._bounds.bytes_max

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Number a record and hand it to the thread; returns its LSN. Waits while too much is ahead of the disk.

        Raises LawBroken when the record is larger than the format allows.
        """
        content = encode_content(seen_at, kind, schema=schema, payload=payload)
        self._journal.check_fits(content)
        size = len(content)
        with self._lock:
            if self.full:
                self._changed.wait_for(lambda: self._ended or not self.full)
            if self._ended or self._closing:
                self._check_usable()
            waiting = self._waiting
            if not waiting:
                self._changed.notify_all()
            self._last_lsn = lsn = self._last_lsn + 1
            self._bytes_ahead += size
            waiting.append(content)
            return lsn

    def wait_durable(self, lsn: int) -> None:
        """Return once a submitted record is durable. Raises DiskFailed when it never will be."""
        with self._changed:
            if lsn > self._last_lsn:
                raise LawBroken(f"record {lsn} was never submitted, the newest is {self._last_lsn}")
            self._changed.wait_for(lambda: self._ended or self._durable[0] >= lsn)
            if self._durable[0] < lsn:
                self._check_usable()

    def mark(self, mark: Mark) -> None:
        """Ask for a mark after everything submitted so far; see `Journal.mark`. Does not wait for it."""
        with self._changed:
            self._check_usable()
            self._mark = mark
            self._changed.notify_all()

    def close(self) -> None:
        """Write what was submitted, seal the journal and end the thread. Raises DiskFailed if any of it failed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._ended or self._closing:
            raise DiskFailed("the journal's writer has ended and takes no more records; start the process again")

    def _run(self) -> None:
        # Whatever ends the turns, waiters must not hang, the lock must go, and the process must hear of it.
        for part in (self._turns, self._journal.close, self._end):
            try:
                part()
            except BaseException as cause:  # noqa: BLE001  A thread has nobody above it who could catch it.
                self._failure = self._failure or _failure_of(cause)

    def _turns(self) -> None:
        while self._turn():
            pass

    def _end(self) -> None:
        self._release(ended=True)

    def _turn(self) -> bool:
        """Write one batch or one mark; False once closing and nothing is left."""
        with self._changed:
            unproved = self._journal.proved_lsn < self._journal.durable_lsn
            pause_s = self._bounds.idle_s if unproved else None
            woken = self._changed.wait_for(lambda: self._waiting or self._mark or self._closing, pause_s)
            batch, self._waiting = self._waiting, []
            mark, self._mark = (self._mark, None) if woken else (Mark.IDLE, None)
            going_on = not self._closing
        for content in batch:
            self._journal.append_content(content)
        if batch:
            self._journal.commit()
        if mark is not None:
            self._journal.mark(mark)
        self._release(written_bytes=sum(map(len, batch)))
        return going_on or bool(batch)

    def _release(self, *, written_bytes: int = 0, ended: bool = False) -> None:
        with self._changed:
            self._durable = (self._journal.durable_lsn, self._journal.durable_chain)
            self._bytes_ahead -= written_bytes
            self._bytes_written += written_bytes
            self._ended = self._ended or ended
            self._changed.notify_all()
        if self._released is not None:
            self._released(self._durable[0])


def _failure_of(cause: BaseException) -> OracleFailure:
    """What the process ends with: what is no failure of the disk is a mistake of ours."""
    if isinstance(cause, OracleFailure):
        return cause
    if isinstance(cause, OSError):
        return DiskFailed(f"the journal's writer ended: {cause}; check the disk and its free space")
    return LawBroken(f"the journal's writer ended: {cause!r}; report this")
