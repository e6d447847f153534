"""What the checksums owe after a crash: a bit that rots in an acknowledged record is refused, or it was in the last batch.

The last batch is the documented window: until something durable stands behind it, its loss looks like a torn tail. The
storms measure how often that is, and show that a mark closes it. `STORM_SEED=<seed> .venv/bin/pytest -s
tests/test_storm_rot.py -k rots` runs a storm again; STORM_POINTS raises the number of crash points, STORM_FIRST begins
with another seed.
"""

import os
from collections import Counter

import pytest

from state.errors import JournalDamaged
from state.frames import HEADER_BYTES
from state.journal import Journal, is_initialised, read
from tests.journal_storms import LIVES, PATH, Storm

POINTS = int(os.environ.get("STORM_POINTS", "2400"))
FIRST = int(os.environ.get("STORM_FIRST", "0"))
CHOSEN = os.environ.get("STORM_SEED")
SHARDS = 4
FLIPS = 8


class RottingStorm(Storm):
    """After each life a bit of a segment flips, several times over, each time alone; then it flips back."""

    def __init__(self, seed: int, *, marked: bool) -> None:
        super().__init__(seed)
        self.marked = marked
        self.found: Counter[str] = Counter()

    def rot(self) -> None:
        """Flip bits of what the segments hold."""
        if not is_initialised(self.disk, PATH):
            return
        self.found["points"] += 1
        self.found["points with an unproved batch"] += self.proved < self.acknowledged
        for _ in range(FLIPS):
            name = self.rng.choice([one for one in self.disk.names(PATH) if one.endswith(".seg")])
            whole = self.disk.read(PATH / name)
            hurt = bytearray(whole)
            used = max(HEADER_BYTES, len(whole.rstrip(b"\0")))
            hurt[self.rng.randrange(used)] ^= 1 << self.rng.randrange(8)
            self.disk.put_file(PATH / name, bytes(hurt))
            self.found[self._outcome()] += 1
            self.disk.put_file(PATH / name, whole)

    def _outcome(self) -> str:
        """Refused, harmless, or in the window; whatever else comes back was accepted silently."""
        try:
            left = [body.payload for body in read(self.disk, PATH)]
        except JournalDamaged:
            return "refused"
        assert left == self.appended[: len(left)], "the journal gives what was not written"
        assert len(left) >= self.proved, f"{self.proved} records are provably durable, {len(left)} were accepted"
        return "harmless" if len(left) >= self.acknowledged else "in the window"

    def _pause(self, journal: Journal) -> None:
        if self.marked:
            journal.mark()
        else:
            super()._pause(journal)


def run_storm(seed: int, *, marked: bool) -> Counter[str]:
    """Lives of one disk, and what rots between them."""
    storm = RottingStorm(seed, marked=marked)
    try:
        for _ in range(LIVES):
            storm.live()
            storm.rot()
    except BaseException as failure:
        command = f"STORM_SEED={seed} .venv/bin/pytest -s tests/test_storm_rot.py -k rots"
        told = f"storm {seed} after {storm.tally.crashes} crashes: {failure!r}"
        raise AssertionError(f"{told}; again: {command}") from failure
    return storm.found


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("shard", range(SHARDS) if CHOSEN is None else [0])
def test_what_rots_is_refused_or_was_in_the_last_batch(shard: int, marked: bool) -> None:
    """No flipped bit gives records that were not written, nor loses one that something durable stands behind."""
    if CHOSEN is not None:
        print(run_storm(int(CHOSEN), marked=marked))
        return
    found, seed = Counter[str](), FIRST + shard
    while found["points"] < POINTS / SHARDS / 4:
        found += run_storm(seed, marked=marked)
        seed += SHARDS
    print(f"{'a mark after every batch' if marked else 'now and then a mark'}: {dict(found)}")
    assert found["refused"] > found["harmless"]
    assert found["in the window"] <= FLIPS * found["points with an unproved batch"]
    # With a mark after every batch only one whose mark the crash prevented.
    assert 0 < found["points with an unproved batch"] < found["points"] / (3 if marked else 1)
