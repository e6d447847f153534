"""A small journal of the whole core, hurt at every byte: it gives its longest whole prefix, or is refused as damaged."""

import asyncio
from functools import cache

import pytest

from oracle.loop import Loop
from state import keeping, recovery
from state.errors import JournalDamaged
from state.frames import FRAME_HEAD_BYTES, HEADER_BYTES, decode_body
from state.inputs import BrokerReported
from state.journal import Journal, Limits, Run, read, segments
from state.portfolio import Portfolio
from state.recovery import History
from state.segments import segment_name
from tests.simdisk import SimDisk
from tests.storms import (
    PATH,
    VERSION,
    Course,
    Sink,
    beginning,
    bytes_of,
    course,
    next_input,
    settings_of,
)

SEGMENT_BYTES = 5_000


@cache
def small_journal() -> dict[str, bytes]:
    """Files of a journal over the beginning of the story: a sealed segment and one that a crash left open."""
    disk = SimDisk()
    limits = Limits(segment_bytes=SEGMENT_BYTES)
    journal = Journal.create(disk, PATH, run=Run(bytes(16), VERSION, "host"), limits=limits)
    loop = Loop(Portfolio(), Sink(journal), settings_of=settings_of)
    heard = 0
    while (following := next_input(loop, heard, beginning())) is not None:
        loop.take(following.told, at=following.at)
        heard += not isinstance(following.told, BrokerReported)
        journal.commit()
    disk.kill()
    files = disk.files(PATH)
    sizes = [len(content) for name, content in sorted(files.items()) if name.endswith(".seg")]
    assert len(sizes) == 2
    assert sizes[0] < sizes[1] == SEGMENT_BYTES, "the journal is not one sealed and one open segment"
    return files


def laid_out(files: dict[str, bytes]) -> SimDisk:
    """A disk that holds these files."""
    disk = SimDisk()
    disk.make_directory(PATH)
    for name, content in files.items():
        disk.put_file(PATH / name, content)
    return disk


@cache
def digest_of(bodies: tuple[bytes, ...]) -> str:
    """The state that some bodies fold to."""
    portfolio = Portfolio()
    for body in bodies:
        recovery.fold(portfolio, decode_body(body, code_version=VERSION))
    return keeping.digest(portfolio)


def records_left(files: dict[str, bytes], *, opening: bool) -> int | None:
    """How many records a hurt journal gives back, each as it was written; None when it is refused as damaged.

    With `opening` a new process opens it for writing as well, and must come to the same records and go on.
    """
    run = course(brief=True)
    try:
        found = tuple(bytes_of(body) for body in read(laid_out(files), PATH))
    except JournalDamaged:
        if opening:
            disk = laid_out(files)
            with pytest.raises(JournalDamaged) as refusal:
                Journal.open(disk, PATH, run=Run(bytes([1]) * 16, VERSION, "host"))
            assert refusal.value.exit_code == 3
            assert {name: disk.files(PATH)[name] for name in files} == files, "a refused journal was changed"
        return None
    assert found == tuple(run.bodies[: len(found)])
    assert digest_of(found) == run.digests[len(found)]
    if opening:
        disk = laid_out(files)
        limits = Limits(segment_bytes=SEGMENT_BYTES)
        journal = Journal.open(disk, PATH, run=Run(bytes([1]) * 16, VERSION, "host"), limits=limits)
        go_on(disk, journal, run)
    return len(found)


def go_on(disk: SimDisk, journal: Journal, run: Course) -> None:
    """A recovered process takes the rest of the beginning and ends in the chain of the run that never stopped."""
    portfolio = asyncio.run(recovery.recover(History(disk, PATH))).portfolio
    heard = run.heard[portfolio.lsn]
    loop = Loop(portfolio, Sink(journal), settings_of=settings_of)
    while (following := next_input(loop, heard, beginning())) is not None:
        loop.take(following.told, at=following.at)
        heard += not isinstance(following.told, BrokerReported)
    journal.close()
    assert segments(disk, PATH)[-1].chain == run.chains[-1]


def frame_ends(first_lsn: int) -> list[int]:
    """Where the frames of the segment that begins with a record end."""
    ends = [HEADER_BYTES]
    for body in course(brief=True).bodies[first_lsn - 1 :]:
        ends.append(ends[-1] + FRAME_HEAD_BYTES + len(body))
    return ends


def open_segment() -> tuple[str, int]:
    """Name and first LSN of the segment that was left open."""
    name = max(name for name in small_journal() if name.endswith(".seg"))
    return name, int(name.split(".")[0])


def test_a_journal_that_is_zeros_from_any_byte_on_gives_its_longest_whole_prefix() -> None:
    """Preallocated space that was never written ends the records: every frame before it counts, and the header must."""
    files = small_journal()
    name, first_lsn = open_segment()
    whole, ends = files[name], frame_ends(first_lsn)
    for byte in range(SEGMENT_BYTES + 1):
        hurt = whole[:byte].ljust(SEGMENT_BYTES, b"\0")
        intact = sum(hurt[:end] == whole[:end] for end in ends)
        opening = byte % 61 == 0 or any(abs(byte - end) <= 1 for end in ends)
        expected = first_lsn - 2 + intact if intact else None
        assert records_left({**files, name: hurt}, opening=opening) == expected, f"zeros from byte {byte} of {name}"


def test_a_journal_cut_at_any_byte_is_refused_as_damaged() -> None:
    """No crash makes a segment shorter than its header promises, so a short one lost what somebody was told."""
    files = small_journal()
    for name in (one for one in files if one.endswith(".seg")):
        for byte in range(len(files[name])):
            hurt = {**files, name: files[name][:byte]}
            assert records_left(hurt, opening=byte % 61 == 0) is None, f"{name} cut at byte {byte}"


def test_a_bit_flipped_anywhere_is_found_or_ends_the_records() -> None:
    """Only the last record can be taken for torn, as nothing after it says that it was durable; all others are damage."""
    files = small_journal()
    name, first_lsn = open_segment()
    ends, total = frame_ends(first_lsn), len(course(brief=True).bodies)
    for one in (segment_name(1), name):
        for byte in range(0, len(files[one]), 3):
            flipped = bytearray(files[one])
            flipped[byte] ^= 1 << byte % 8
            expected = None
            if one == name and byte >= ends[-2]:
                expected = total - 1 if byte < ends[-1] else total
            hurt = {**files, one: bytes(flipped)}
            assert records_left(hurt, opening=byte % 303 == 0) == expected, f"bit flipped in byte {byte} of {one}"
