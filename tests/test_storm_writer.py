"""What the writer's thread lets go: at the very moment it says that a record is durable, power is lost, and it is there.

`STORM_SEED=<seed> .venv/bin/pytest -s tests/test_storm_writer.py -k released` runs a storm again; STORM_POINTS raises
the number of crash points, STORM_FIRST begins with another seed.
"""

import contextlib
import copy
import os
import random

import pytest

from state.errors import DiskFailed
from state.frames import Mark
from state.journal import Journal, Limits, Run, read
from state.writer import Bounds, Writer
from tests.journal_storms import PATH
from tests.simdisk import SimDisk

POINTS = int(os.environ.get("STORM_POINTS", "2400"))
FIRST = int(os.environ.get("STORM_FIRST", "0"))
CHOSEN = os.environ.get("STORM_SEED")


class WriterStorm:
    """One life of a writer on a disk that fails some day; a copy of the disk loses power whenever a record is released."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.chance = random.Random(seed + 1)
        self.disk = SimDisk(random.Random(seed + 2))
        self.points = 0
        self.early: list[str] = []
        self.payloads: list[bytes] = []

    def lose_power(self, lsn: int) -> None:
        """A copy of the disk as it is now loses power: every record up to the released one must be on it."""
        lost = copy.deepcopy(self.disk)
        lost.crash(self.chance)
        found = [body.payload for body in read(lost, PATH)]
        self.points += 1
        if len(found) < lsn or found != self.payloads[: len(found)]:
            self.early.append(f"record {lsn} was released with {len(found)} on the disk")

    def run(self) -> int:
        """Submit batches until the disk fails or the story ends; returns how often power was lost."""
        limits = Limits(segment_bytes=self.rng.choice([1500, 6000]), batch_bytes_max=self.rng.choice([300, 5000]))
        journal = Journal.create(self.disk, PATH, run=Run(bytes(16), "v1", "host"), limits=limits)
        self.disk.short_writes = self.rng.random() < 0.3
        if self.rng.random() < 0.5:
            self.disk.failing_syncs.add(self.disk.syncs + self.rng.randint(1, 25))
        writer = Writer(journal, released=self.lose_power, bounds=Bounds(idle_s=None))
        with contextlib.suppress(DiskFailed):
            for _ in range(self.rng.randint(1, 12)):
                self._submit(writer)
        with contextlib.suppress(DiskFailed):
            writer.close()
        assert self.early == []
        return self.points

    def _submit(self, writer: Writer) -> None:
        """A batch that the thread sees as one, so that a seed always gives the same storm; its end is waited for."""
        with writer._changed:
            for _ in range(self.rng.randint(1, 5)):
                self.payloads.append(self.rng.randbytes(self.rng.choice([0, 60, 300])))
                writer.submit(len(self.payloads), "tick", schema=1, payload=self.payloads[-1])
            if self.rng.random() < 0.3:
                writer.mark(Mark.SNAPSHOT)
        writer.wait_durable(writer.last_lsn)


def run_storm(seed: int) -> int:
    """One storm; a failure names the command that brings it back."""
    try:
        return WriterStorm(seed).run()
    except BaseException as failure:
        command = f"STORM_SEED={seed} .venv/bin/pytest -s tests/test_storm_writer.py -k released"
        raise AssertionError(f"storm {seed}: {failure!r}; again: {command}") from failure


def test_what_is_released_survives_a_crash_at_that_moment() -> None:
    """Answers and effects leave on this word alone: it never comes before the disk has the record."""
    points, seed = 0, FIRST if CHOSEN is None else int(CHOSEN)
    while points < (POINTS / 4 if CHOSEN is None else 1):
        points += run_storm(seed)
        seed += 1
    print(f"{points} crash points at a release, in {seed - FIRST} storms")


def test_the_storm_finds_a_release_that_comes_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that lets go what was submitted before it has written it is found out."""
    turn = Writer._turn

    def hasty(writer: Writer) -> bool:
        writer._released(writer.last_lsn)
        return turn(writer)

    monkeypatch.setattr(Writer, "_turn", hasty)
    with pytest.raises(AssertionError, match="was released with"):
        run_storm(0)
