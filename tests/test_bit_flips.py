"""Every bit of a small journal, flipped alone: refused with its place, or in a byte that carries nothing."""

from collections.abc import Iterator
from itertools import accumulate

import pytest

from state.errors import JournalDamaged
from state.frames import FRAME_HEAD_BYTES, HEADER_BYTES
from state.journal import Journal, read
from tests.sealed import LIMITS, bodies, frames_of, is_mark, laid_out, left_of, run_of, sealed, segments_of
from tests.simdisk import SimDisk
from tests.storms import PATH, bytes_of, keep


def flipped(content: bytes, bit: int) -> bytes:
    """The content with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def places(files: dict[str, bytes]) -> Iterator[tuple[str, int, int, str]]:
    """Every stretch of every sealed segment: name, from and to, and what a refusal must name when it is hurt."""
    for name in segments_of(files):
        yield name, 0, HEADER_BYTES, "header"
        frames, lsn = frames_of(files[name]), int(name[:20])
        ends = list(accumulate(map(len, frames), initial=HEADER_BYTES))
        for frame, start, end in zip(frames, ends[:-1], ends[1:], strict=True):
            yield name, start, end, f"record {lsn} "
            lsn += not is_mark(frame)


def test_every_flipped_bit_of_a_sealed_journal_is_refused_with_its_place() -> None:
    """No bit of header, record, mark or seal can change unnoticed; the refusal names file, offset and record."""
    files, flips = sealed(), 0
    disk = laid_out(files)
    assert len(segments_of(files)) > 3
    for name, start, end, named in places(files):
        for bit in range(8 * start, 8 * end):
            disk.put_file(PATH / name, flipped(files[name], bit))
            with pytest.raises(JournalDamaged, match=f"{name} at byte {start}: .*{named}") as refusal:
                list(read(disk, PATH))
            assert refusal.value.exit_code == 3
            flips += 1
        disk.put_file(PATH / name, files[name])
    assert flips == 8 * sum(len(files[name]) for name in segments_of(files))
    assert left_of(disk) == bodies()


def test_every_flipped_bit_of_the_identity_is_refused() -> None:
    """Its checksum covers all of it."""
    files = sealed()
    (name,) = (one for one in files if one.endswith(".identity"))
    for bit in range(8 * len(files[name])):
        assert left_of(laid_out({**files, name: flipped(files[name], bit)})) is None, f"bit {bit}"


def test_the_writer_refuses_what_the_reader_refuses_and_changes_nothing() -> None:
    """A new process that would write exits 3 and leaves every byte for a repair."""
    files = sealed()
    for name in segments_of(files):
        for bit in range(5, 8 * len(files[name]), 401):
            disk = laid_out({**files, name: flipped(files[name], bit)})
            before = disk.files(PATH)
            with pytest.raises(JournalDamaged):
                Journal.open(disk, PATH, run=run_of(3), limits=LIMITS)
            assert disk.files(PATH) == before


def left_open(*, marked: bool) -> tuple[SimDisk, str, int]:
    """A journal whose process was killed behind a commit or the mark after it; its last segment and what of it is used."""
    disk = SimDisk()
    journal = Journal.create(disk, PATH, run=run_of(1), limits=LIMITS)
    keep(journal, bodies()[:8])
    if marked:
        journal.mark()
    disk.kill()
    name = segments_of(disk.files(PATH))[-1]
    return disk, name, len(disk.read(PATH / name).rstrip(b"\0"))


@pytest.mark.parametrize("marked", [False, True])
def test_the_window_is_the_last_batch_and_a_mark_closes_it(marked: bool) -> None:
    """In a segment left open only the newest frame can be taken for torn: a batch that was told, or a mark with nothing."""
    disk, name, used = left_open(marked=marked)
    whole, told = disk.read(PATH / name), bodies()[:8]
    newest = used - FRAME_HEAD_BYTES - (0 if marked else len(told[-1]))
    lost = 0
    for bit in range(0, 8 * used, 3):
        disk.put_file(PATH / name, flipped(whole, bit))
        left = left_of(disk)
        if bit < 8 * newest:
            assert left is None, f"bit {bit} of {name}"
        else:
            assert left == (told if marked else told[:-1]), f"bit {bit} of {name}"
            lost += not marked
    assert (lost > 0) == (not marked)


def test_bytes_that_carry_nothing_are_harmless() -> None:
    """Space never written, the spare, the lock and a torn tail set aside: whatever they hold, all records are there."""
    disk, name, used = left_open(marked=True)
    disk.put_file(PATH / "00000000000000000001-01010101.torn", b"moved aside")
    files, told = disk.files(PATH), bodies()[:8]
    assert {one for one in files if not one.endswith((".seg", ".identity"))} == {
        "lock", "spare", "00000000000000000001-01010101.torn"
    }  # fmt: skip
    bits = [(name, bit) for bit in range(8 * used, 8 * len(files[name]), 3)]
    bits += [
        (one, bit) for one in files if one.endswith((".torn", "spare")) for bit in range(0, 8 * len(files[one]), 7)
    ]
    for one, bit in bits:
        hurt = laid_out({**files, one: flipped(files[one], bit)})
        assert left_of(hurt) == told, f"bit {bit} of {one}"
        if bit % 97 == 0:
            Journal.open(hurt, PATH, run=run_of(2), limits=LIMITS).close()
            assert [bytes_of(body) for body in read(hurt, PATH)] == told
