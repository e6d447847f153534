"""A storm over the journal alone: one simulated disk through several lives of a process that appends and commits."""

import random
from pathlib import Path

from state.errors import DiskFailed
from state.journal import Journal, Limits, Run, is_initialised, read
from tests.simdisk import PowerLost, SimDisk
from tests.tallies import Tally

PATH = Path("/data/journal")
LIVES = 12


class Storm:
    """One disk through several lives of a process, with what it was promised."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.disk = SimDisk(self.rng)
        self.limits = Limits(
            segment_bytes=self.rng.choice([1500, 2500, 6000]),
            batch_bytes_max=self.rng.choice([300, 1200, 5000]),
            spare_retry_commits=2,
        )
        self.appended: list[bytes] = []  # Payloads of the records in their order, by the newest recovered history.
        self.acknowledged = self.proved = 0
        self.mending = False  # Whether the last life ended before its journal was open.
        self.tally = Tally()

    def live(self) -> None:
        """One life: open, work, and end by power loss, kill, disk failure or clean stop; then the disk comes back."""
        self._trouble(self.rng.choice([10, 40, 150, 150]))
        journal: Journal | None = None
        try:
            journal = self._open()
            self._work(journal)
            if self.rng.random() < 0.3:
                journal.close()
                self.acknowledged = len(self.appended)
        except (PowerLost, DiskFailed) as failure:
            self.tally.crashed(failure, in_recovery=journal is None, again=self.mending)
        self.mending = journal is None
        if journal is not None:
            self.acknowledged = max(self.acknowledged, journal.durable_lsn)
            self.proved = max(self.proved, journal.proved_lsn)
        self.disk.space_bytes = None
        if self.rng.random() < 0.25:
            self.disk.kill()
        else:
            self.disk.crash()

    def _trouble(self, calls: int) -> None:
        start, fate = self.disk.calls, self.rng.random()
        when = start + self.rng.randint(1, calls)
        self.disk.short_writes = self.rng.random() < 0.3
        if fate < 0.6:
            self.disk.dark_at = when
        elif fate < 0.7:
            self.disk.failing[when] = self.rng.choice([5, 28])
        elif fate < 0.85:
            self.disk.failing_syncs.add(self.disk.syncs + self.rng.randint(1, 25))
        elif fate < 0.95:
            self.disk.space_bytes = self.limits.segment_bytes * self.rng.randint(2, 8)

    def _open(self) -> Journal:
        run = Run(self.rng.randbytes(16), "v1", "host")
        if not is_initialised(self.disk, PATH):
            assert self.acknowledged == 0, "an initialised journal is gone"
            return Journal.create(self.disk, PATH, run=run, limits=self.limits)
        journal = Journal.open(self.disk, PATH, run=run, limits=self.limits)
        self._check([body.payload for body in read(self.disk, PATH)])
        self.acknowledged = self.proved = journal.durable_lsn
        self.tally.recoveries += 1
        return journal

    def _work(self, journal: Journal) -> None:
        for _ in range(self.rng.randint(1, 12)):
            for _ in range(self.rng.randint(0, 5)):
                payload = self.rng.randbytes(self.rng.choice([0, 5, 60, 300, 700]))
                self.appended.append(payload)
                journal.append(len(self.appended), "tick", schema=1, payload=payload)
            assert journal.commit() == len(self.appended)
            self.tally.records += len(self.appended) - self.acknowledged
            self.acknowledged = len(self.appended)
            self._pause(journal)

    def _pause(self, journal: Journal) -> None:
        """After a batch is durable; now and then long enough for a mark."""
        if self.rng.random() < 0.2:
            journal.mark()

    def _check(self, found: list[bytes]) -> None:
        assert len(found) >= self.acknowledged, f"{self.acknowledged} acknowledged, {len(found)} left"
        assert found == self.appended[: len(found)], "the journal holds something that was not appended there"
        del self.appended[len(found) :]

    def check_now(self) -> None:
        """What a reader finds on the disk as it is: all that was acknowledged, in order, and nothing foreign."""
        if is_initialised(self.disk, PATH):
            self._check([body.payload for body in read(self.disk, PATH)])
        else:
            assert self.acknowledged == 0, "an initialised journal is gone"
