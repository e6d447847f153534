"""A damaged journal cut back: what is sound stays, everything is copied before, and a crash in between loses nothing."""

import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import pytest

from state.cut import copy, cut, examine, files_of, kept_bodies, lost_bodies
from state.disk import Disk
from state.errors import BadUsage, DiskFailed
from state.frames import HEADER_BYTES, Run
from state.journal import Journal, Limits, read
from state.segments import identity_name, present, segment_name
from tests.simdisk import PowerLost, SimDisk

PATH = Path("/data/journal")
LIMITS = Limits(segment_bytes=900)
RECORDS = 20
NEWEST = 19
"""First record of the segment that is still open."""
CRASH_SEED = 20260213


def run_of(number: int) -> Run:
    """One of several runs."""
    return Run(bytes([number]) * 16, f"v{number}", f"host{number}")


def written(payload: int = 0) -> SimDisk:
    """Twenty records by two runs in several segments; the second run was killed, and all its records were acknowledged."""
    disk = SimDisk()
    for number, enter in ((1, Journal.create), (2, Journal.open)):
        journal = enter(disk, PATH, run=run_of(number), limits=LIMITS)
        for at in range(10):
            journal.append(at, "tick", schema=number, payload=bytes([payload + at]) * 50)
            journal.commit()
        if number == 1:
            journal.close()
    journal.mark()
    disk.crash()
    return disk


def names_of(disk: SimDisk) -> list[str]:
    """The segments, in order."""
    return [segment_name(one) for one in present(disk, PATH)]


def flip(disk: SimDisk, name: str, offset: int) -> None:
    """Flip one bit of a file."""
    content = bytearray(disk.read(PATH / name))
    content[offset] ^= 4
    disk.put_file(PATH / name, bytes(content))


def swap(disk: SimDisk, one: str, other: str) -> None:
    """Exchange two files."""
    first, second = disk.read(PATH / one), disk.read(PATH / other)
    disk.put_file(PATH / one, second)
    disk.put_file(PATH / other, first)


def end_of(disk: SimDisk, name: str) -> int:
    """How long a file is."""
    return len(disk.read(PATH / name))


def exchange(disk: SimDisk, name: str) -> None:
    """Put the same segment of another history in the place of one."""
    disk.put_file(PATH / name, written(100).read(PATH / name))


def close_and_double(disk: SimDisk, name: str) -> None:
    """Let another run begin and end in order, so that all segments are sealed, and one of them is there twice."""
    Journal.open(disk, PATH, run=run_of(3), limits=LIMITS).close()
    disk.put_file(PATH / segment_name(99), disk.read(PATH / name))


class Case(NamedTuple):
    """One way to damage a journal, the last record that is sound then, and the lost ones that can still be read."""

    name: str
    damage: Callable[[SimDisk, list[str]], None]
    sound: int
    readable: tuple[int, ...] = ()


CASES = [
    Case("bit in a sealed segment", lambda d, n: flip(d, n[1], 700), 6, tuple(range(8, 21))),
    Case("bit in the open segment", lambda d, n: flip(d, n[-1], HEADER_BYTES + 40), 18, (20,)),
    Case("bit in a header", lambda d, n: flip(d, n[2], 40), 8, tuple(range(9, 21))),
    Case("bit in the run of a header", lambda d, n: flip(d, n[2], 14), 8, tuple(range(11, 21))),
    Case("bit in the first header", lambda d, n: flip(d, n[0], 300), 0, tuple(range(1, 21))),
    Case("bit in a seal", lambda d, n: flip(d, n[1], end_of(d, n[1]) - 2), 20),
    Case("bytes behind a seal", lambda d, n: d.put_file(PATH / n[1], d.read(PATH / n[1]) + b"x"), 20),
    Case("a segment gone", lambda d, n: d.put_file(PATH / n[1], None), 4, tuple(range(9, 21))),
    Case("the first segment gone", lambda d, n: d.put_file(PATH / n[0], None), 0, tuple(range(5, 21))),
    Case("the newest segment gone", lambda d, n: d.put_file(PATH / n[-1], None), 18),
    Case("all segments gone", lambda d, n: [d.put_file(PATH / one, None) for one in n] and None, 0),
    Case("segments swapped", lambda d, n: swap(d, n[1], n[2]), 4, tuple(range(5, 21))),
    Case("a segment of another history", lambda d, n: exchange(d, n[1]), 4, tuple(range(5, 21))),
    Case("a segment doubled", lambda d, n: d.put_file(PATH / segment_name(99), d.read(PATH / n[-1])), 20),
    Case("a sealed segment doubled", lambda d, n: close_and_double(d, n[-1]), 20),
    Case("the identity damaged", lambda d, _: flip(d, identity_name(NEWEST), 20), 20),
    Case("the identity gone", lambda d, _: d.put_file(PATH / identity_name(NEWEST), None), 20),
    Case(
        "the identity and the first segment gone",
        lambda d, n: [d.put_file(PATH / one, None) for one in (n[0], identity_name(NEWEST))] and None,
        0,
        tuple(range(5, 21)),
    ),
    Case("two identities", lambda d, _: d.put_file(PATH / identity_name(3), b"?"), 20),
    Case("an identity of nothing", lambda d, _: d.rename(PATH / identity_name(NEWEST), PATH / identity_name(0)), 20),
]
every_case = pytest.mark.parametrize("case", CASES, ids=[one.name.replace(" ", "-") for one in CASES])


def damaged(case: Case) -> SimDisk:
    """The journal of `written`, damaged in one way."""
    disk = written()
    case.damage(disk, names_of(disk))
    disk.sync_directory(PATH)
    return disk


def contents(disk: SimDisk, path: Path = PATH) -> dict[str, bytes]:
    """Every file of a directory that holds anything; none where there is no directory."""
    if str(path) not in disk.folders:
        return {}
    held, found = {one.name for one in files_of(disk, path)}, disk.files(path)
    return {name: found[name] for name in found if name in held}


def aside(number: int) -> Path:
    """Where a copy goes."""
    return PATH.with_name(f"aside-{number}")


def repair(disk: SimDisk, number: int) -> None:
    """Copy, then cut, as the command does."""
    found = examine(disk, PATH)
    if found is not None:
        copy(disk, files_of(disk, PATH), aside(number))
        cut(disk, PATH, found, run=run_of(9))


@every_case
def test_the_sound_records_stay_and_the_journal_goes_on(case: Case) -> None:
    """The damage is seen and nothing changed by looking; after the cut the sound records are read, and more are written."""
    whole, disk = list(read(written(), PATH)), damaged(case)
    before = contents(disk)
    found = examine(disk, PATH)
    assert found is not None
    assert (found.last_lsn, tuple(one.lsn for one in lost_bodies(disk, PATH, found))) == (case.sound, case.readable)
    assert list(kept_bodies(disk, PATH, found)) == whole[: case.sound]
    assert contents(disk) == before
    repair(disk, 1)
    for seed in range(8):
        crashed = deepcopy(disk)
        crashed.crash(random.Random(CRASH_SEED + seed))
        assert (contents(crashed, aside(1)), examine(crashed, PATH)) == (before, None)
    assert list(read(disk, PATH)) == whole[: case.sound]
    journal = Journal.open(disk, PATH, run=run_of(3), limits=LIMITS)
    assert journal.append(9, "tick", schema=1, payload=b"on") == case.sound + 1
    journal.close()
    assert [one.lsn for one in read(disk, PATH)] == list(range(1, case.sound + 2))


@pytest.mark.parametrize("fate", ["dark", "failing"])
@every_case
def test_whatever_interrupts_a_repair_another_one_ends_it(case: Case, fate: str) -> None:
    """At every call of the disk: what is not in the journal any more is whole in the copy, and the end is the same."""
    rng, at, whole, found = random.Random(CRASH_SEED), 0, list(read(written(), PATH)), damaged(case)
    while at >= 0:
        disk, at = deepcopy(found), at + 1
        before, when = contents(disk), disk.calls + at
        disk.dark_at, disk.failing = (when, {}) if fate == "dark" else (None, {when: 5})
        try:
            repair(disk, 1)
            at = -1
        except PowerLost:
            disk.crash(rng)
        except DiskFailed:
            pass
        disk.kill()
        assert contents(disk) == before or contents(disk, aside(1)) == before
        repair(disk, 2)
        assert examine(disk, PATH) is None
        assert list(read(disk, PATH)) == whole[: case.sound]


def test_a_journal_that_is_sound_has_no_damage() -> None:
    """Closed, or killed in the middle of a record."""
    disk = written()
    assert examine(disk, PATH) is None
    name = names_of(disk)[-1]
    content = disk.read(PATH / name)
    disk.put_file(PATH / name, content[:-30] + b"torn" + content[-26:])
    assert examine(disk, PATH) is None
    Journal.open(disk, PATH, run=run_of(3), limits=LIMITS).close()
    assert examine(disk, PATH) is None


def test_what_is_no_journal_is_not_cut() -> None:
    """An initialisation that did not finish is ended by the next start."""
    disk = SimDisk()
    disk.make_directory(PATH)
    with pytest.raises(BadUsage, match="not a journal"):
        examine(disk, PATH)


def test_a_copy_that_is_not_what_was_copied_is_noticed() -> None:
    """The copy is read back, because what is cut is nowhere else."""

    class Bad(SimDisk):
        def replace(self, file: Path, content: bytes) -> None:
            super().replace(file, content[:-1] + b"?")

    disk = Bad()
    disk.folders = written().folders
    with pytest.raises(DiskFailed, match="not what was copied"):
        copy(disk, files_of(disk, PATH), aside(1))


def test_a_copy_stands_alone(tmp_path: Path) -> None:
    """It goes to a directory of its own; files that were there already would be taken for the journal's."""
    disk, source = Disk(), tmp_path / "one"
    source.mkdir()
    (source / "a").write_bytes(b"a")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "b").write_bytes(b"b")
    with pytest.raises(DiskFailed, match="other files"):
        copy(disk, files_of(disk, source), tmp_path / "two")
