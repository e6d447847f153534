"""Storms: a journal on a simulated disk that loses power, fails and fills up at random points, thousands of times.

A failure names its seed; `STORM_SEED=<seed> .venv/bin/pytest tests/test_journal_storm.py -k a_storm` runs that storm
again, to the same crash. STORM_POINTS raises the number of crash points, STORM_FIRST begins with another seed.
"""

import contextlib
import os
import random
from itertools import product
from pathlib import Path

import pytest

from state.journal import Journal, Limits, Run, is_initialised, read
from state.segments import segment_name
from tests.journal_storms import LIVES, PATH, Storm
from tests.simdisk import PowerLost, SimDisk
from tests.tallies import Tally

POINTS = int(os.environ.get("STORM_POINTS", "2400"))
FIRST = int(os.environ.get("STORM_FIRST", "0"))
CHOSEN = os.environ.get("STORM_SEED")
SHARDS = 8


def run_storm(seed: int) -> Tally:
    """Lives of one disk until it was hurt a few times; returns what came of it."""
    storm = Storm(seed)
    try:
        for _ in range(LIVES):
            storm.live()
            storm.check_now()
    except BaseException as failure:
        command = f"STORM_SEED={seed} .venv/bin/pytest tests/test_journal_storm.py -k a_storm"
        told = f"storm {seed} after {storm.tally.crashes} crashes: {failure!r}"
        raise AssertionError(f"{told}; again: {command}") from failure
    return storm.tally


@pytest.mark.parametrize("shard", range(SHARDS) if CHOSEN is None else [0])
def test_a_storm_loses_nothing_that_was_acknowledged(shard: int) -> None:
    """After any crash all committed records are there, then some of the others in order, and nothing else."""
    if CHOSEN is not None:
        print(run_storm(int(CHOSEN)))
        return
    tally, seed = Tally(), FIRST + shard
    while tally.crashes < POINTS / SHARDS:
        tally.add(run_storm(seed))
        seed += SHARDS
    print(f"{(seed - FIRST - shard) // SHARDS} storms: {tally}")
    assert 0 < tally.in_second_recovery < tally.in_recovery < tally.crashes
    assert tally.inside.keys() >= {"_initialise", "_recover", "_mend", "_rotate"}


def test_the_storm_can_fail() -> None:
    """A disk that acknowledges syncs without doing them is found out, so the storm does look."""

    class LyingDisk(SimDisk):
        def _sync(self, descriptor: int, *, shrink: bool) -> None:
            self._call()

    storms = [Storm(seed) for seed in range(20)]
    found = 0
    for seed, storm in enumerate(storms):
        storm.disk = LyingDisk(random.Random(seed))
        try:
            for _ in range(LIVES):
                storm.live()
                storm.check_now()
        except Exception:  # noqa: BLE001  Whatever the lie breaks first counts.
            found += 1
    assert found > 10


def small(disk: SimDisk, number: int) -> Journal:
    """A journal of small segments, created or opened by a numbered run."""
    enter = Journal.open if is_initialised(disk, PATH) else Journal.create
    return enter(disk, PATH, run=Run(bytes([number]) * 16, "v1", "host"), limits=Limits(segment_bytes=900))


def extend(journal: Journal, count: int) -> None:
    """Append and commit records one by one."""
    for _ in range(count):
        journal.append(1, "tick", schema=1, payload=bytes(50))
        journal.commit()


@pytest.mark.parametrize("seed", range(5))
def test_an_interrupted_initialisation_can_be_begun_again(seed: int) -> None:
    """Power loss at any call of create leaves a directory that create, or else open, brings to life."""
    for dark_at in range(1, 40):
        disk = SimDisk(random.Random(seed))
        disk.dark_at = dark_at
        with contextlib.suppress(PowerLost):
            small(disk, 1)
        disk.crash()
        journal = small(disk, 2)
        extend(journal, 3)
        journal.close()
        assert [body.lsn for body in read(disk, PATH)] == [1, 2, 3]


def test_any_two_interruptions_of_a_recovery_lose_nothing() -> None:
    """A process killed at any call of its recovery, then power lost at any call of the next one: all is there."""
    for killed_at, dark_at in product(range(1, 34), range(1, 34)):
        disk = SimDisk(random.Random(100 * killed_at + dark_at))
        extend(small(disk, 1), 6)
        disk.crash()
        for number, at, end in ((2, killed_at, disk.kill), (3, dark_at, disk.crash)):
            disk.dark_at = disk.calls + at
            with contextlib.suppress(PowerLost):
                small(disk, number)
            end()
        assert [body.lsn for body in read(disk, PATH)] == list(range(1, 7))


class RenamingDisk(SimDisk):
    """A disk that goes dark right after a file has got a certain name."""

    dark_after_name = ""

    def rename(self, old: Path, new: Path) -> None:
        """One change of names, and perhaps the last."""
        super().rename(old, new)
        if new.name == self.dark_after_name:
            self.dark_at = self.calls + 1


@pytest.mark.parametrize("seed", range(40))
def test_a_mended_segment_keeps_its_name_before_another_follows(seed: int) -> None:
    """Names that a killed recovery left in the page cache are made durable before the next one builds on them."""
    disk = RenamingDisk(random.Random(seed))
    extend(small(disk, 1), 6)
    disk.crash()
    for number, name, end in ((2, segment_name(5), disk.kill), (3, segment_name(7), disk.crash)):
        disk.dark_after_name = name
        with pytest.raises(PowerLost):
            small(disk, number)
        end()
    assert [body.lsn for body in read(disk, PATH)] == list(range(1, 7))
