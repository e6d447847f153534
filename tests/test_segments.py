"""A journal's directory under damage: each change to a closed journal is noticed, and reading changes nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from state.errors import BadUsage, DiskFailed, JournalDamaged
from state.frames import GENESIS
from state.journal import Journal, Limits, Run
from state.segments import chain_at, identity_name, is_initialised, read, segment_name, segments
from tests.simdisk import SimDisk

PATH = Path("/data/journal")
LIMITS = Limits(segment_bytes=900)


def run_of(number: int) -> Run:
    """One of several runs."""
    return Run(bytes([number]) * 16, f"v{number}", f"host{number}")


def written(*, closed: bool = True) -> SimDisk:
    """A journal of fifteen records by two runs in several segments."""
    disk = SimDisk()
    for number in (1, 2):
        enter = Journal.create if number == 1 else Journal.open
        journal = enter(disk, PATH, run=run_of(number), limits=LIMITS)
        for payload in range(10 if number == 2 else 5):
            journal.append(payload, "tick", schema=number, payload=bytes([payload]) * 50)
            journal.commit()
        if number == 1 or closed:
            journal.close()
    return disk


def records(disk: SimDisk) -> list[tuple[int, bytes]]:
    """What a reader finds."""
    return [(body.lsn, body.payload) for body in read(disk, PATH)]


def test_readers_see_records_with_their_code_version() -> None:
    """Records come in order, from any LSN, each with the version of the code that wrote it."""
    bodies = list(read(written(), PATH))
    assert [body.lsn for body in bodies] == list(range(1, 16))
    assert [body.code_version for body in bodies] == ["v1"] * 5 + ["v2"] * 10
    assert list(read(written(), PATH, from_lsn=8)) == bodies[7:]
    assert list(read(written(), PATH, from_lsn=99)) == []


def test_an_inspection_names_runs_and_ranges() -> None:
    """Segments are listed with run, host, first and last LSN, seal and digest, without a gap."""
    found = segments(written(), PATH)
    assert [segment.name for segment in found] == [segment_name(segment.first_lsn) for segment in found]
    assert [found[0].first_lsn, *(segment.last_lsn + 1 for segment in found[:-1])] == [s.first_lsn for s in found]
    assert [segment.run for segment in found if segment.first_lsn in {1, 6}] == [run_of(1), run_of(2)]
    assert all(segment.sealed and not segment.torn_bytes for segment in found)


def test_the_chain_is_known_at_every_record() -> None:
    """chain_at agrees with the digests in the headers and at the end, and refuses what is not there."""
    disk = written()
    found = segments(disk, PATH)
    assert chain_at(disk, PATH, lsn=0) == GENESIS
    assert [chain_at(disk, PATH, lsn=segment.last_lsn) for segment in found] == [segment.chain for segment in found]
    assert len({chain_at(disk, PATH, lsn=lsn) for lsn in range(16)}) == 16
    with pytest.raises(BadUsage, match="no record 16"):
        chain_at(disk, PATH, lsn=16)


def test_reading_an_open_journal_takes_no_lock_and_changes_nothing() -> None:
    """A reader beside the writer leaves every byte and every name as it was."""
    disk = written(closed=False)
    before = disk.files(PATH)
    assert len(records(disk)) == 15
    assert disk.files(PATH) == before


def test_every_flipped_bit_of_a_closed_journal_is_damage() -> None:
    """No bit of any segment or of the identity can change unnoticed."""
    disk = written()
    names = [name for name in disk.names(PATH) if name.endswith((".seg", ".identity"))]
    for name in [names[1], names[-1], *[name for name in names if name.endswith(".identity")]]:
        content = disk.read(PATH / name)
        for bit in range(8 * len(content)):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            disk.put_file(PATH / name, bytes(changed))
            with pytest.raises(JournalDamaged):
                records(disk)
        disk.put_file(PATH / name, content)
    assert len(records(disk)) == 15


@pytest.mark.parametrize("closed", [True, False])
def test_a_journal_cut_at_any_byte_is_damage_or_its_prefix(closed: bool) -> None:
    """Cutting the last segment anywhere gives a valid prefix or damage, never anything else."""
    disk = written(closed=closed)
    whole, name = records(disk), segments(disk, PATH)[-1].name
    content = disk.read(PATH / name)
    for size in range(len(content)):
        disk.put_file(PATH / name, content[:size])
        with pytest.raises(JournalDamaged):
            records(disk)
        disk.put_file(PATH / name, content[:size].ljust(len(content), b"\0"))
        try:
            found = records(disk)
        except JournalDamaged:
            continue
        assert found == whole[: len(found)]


def changes() -> Iterator[tuple[str, Callable[[SimDisk, list[str]], None]]]:
    """Ways to lose, double or swap whole files of a journal."""
    yield "first removed", lambda disk, names: disk.put_file(PATH / names[0], None)
    yield "second removed", lambda disk, names: disk.put_file(PATH / names[1], None)
    yield "last removed", lambda disk, names: disk.put_file(PATH / names[-1], None)
    yield (
        "identity removed",
        lambda disk, _: disk.put_file(PATH / identity_name(segments(disk, PATH)[-1].first_lsn), None),
    )
    yield "second identity", lambda disk, _: disk.put_file(PATH / identity_name(1), b"")

    def swap(disk: SimDisk, names: list[str]) -> None:
        first, second = disk.read(PATH / names[1]), disk.read(PATH / names[2])
        disk.put_file(PATH / names[1], second)
        disk.put_file(PATH / names[2], first)

    def double(disk: SimDisk, names: list[str]) -> None:
        disk.put_file(PATH / segment_name(16), disk.read(PATH / names[-1]))

    def remove_all(disk: SimDisk, names: list[str]) -> None:
        for name in names:
            disk.put_file(PATH / name, None)

    yield "swapped", swap
    yield "doubled", double
    yield "all removed", remove_all


@pytest.mark.parametrize(("why", "change"), list(changes()), ids=[why for why, _ in changes()])
def test_removed_doubled_or_swapped_files_are_damage(why: str, change: Callable[[SimDisk, list[str]], None]) -> None:
    """An initialised directory whose files are not those that were written is refused, by reader and writer alike."""
    disk = written()
    change(disk, [segment.name for segment in segments(disk, PATH)])
    before = disk.files(PATH)
    with pytest.raises(JournalDamaged):
        records(disk)
    with pytest.raises(JournalDamaged):
        Journal.open(disk, PATH, run=run_of(3), limits=LIMITS)
    assert disk.files(PATH) == before, why


def test_a_segment_of_another_journal_is_damage() -> None:
    """A segment that is whole in itself but does not continue the chain is refused."""
    disk, other = written(), SimDisk()
    names = [segment.name for segment in segments(disk, PATH)]
    journal = Journal.create(other, PATH, run=run_of(1), limits=LIMITS)
    for payload in range(9):
        journal.append(payload, "other", schema=1, payload=bytes([payload]) * 49)
        journal.commit()
    journal.close()
    assert names[1] in other.names(PATH)
    disk.put_file(PATH / names[1], other.read(PATH / names[1]))
    with pytest.raises(JournalDamaged, match="digest"):
        records(disk)


def test_no_journal_is_bad_usage_and_an_unreadable_one_a_disk_failure() -> None:
    """A missing directory is the user's to mend, a disk that refuses to read is the disk's."""
    disk = SimDisk()
    assert not is_initialised(disk, PATH)
    with pytest.raises(BadUsage, match="not a journal"):
        records(disk)
    disk = written()
    disk.failing = {disk.calls + 3: 5}
    with pytest.raises(DiskFailed, match="cannot be read"):
        records(disk)


def test_a_reader_racing_the_writer_looks_again() -> None:
    """Bytes read while more were written may look damaged; a second look settles it."""
    disk = written(closed=False)
    name = segments(disk, PATH)[-1].name
    content = disk.read(PATH / name)

    class RacedDisk(SimDisk):
        raced = 0

        def read(self, path: Path) -> bytes:
            raw = super().read(path)
            if path.name != name or self.raced:
                return raw
            self.raced += 1
            return raw[:520] + bytes(60) + raw[580:]

    raced = RacedDisk()
    raced.folders = disk.folders
    assert len(records(raced)) == 15
    assert raced.raced == 1
    assert content == disk.read(PATH / name)
