"""A small sealed journal of the whole core and its anatomy, for tests that hurt it: files, frames and what is left."""

import struct
from functools import cache

from state.errors import JournalDamaged
from state.frames import FRAME_HEAD_BYTES, HEADER_BYTES, encode_body
from state.journal import Journal, Limits, Run, read
from tests.simdisk import SimDisk
from tests.storms import LSN_BYTES, PATH, VERSION, bytes_of, course, keep

LIMITS = Limits(segment_bytes=1_200)
MARK_BIT = 0x8000_0000
SMALL_BYTES = 250


def run_of(number: int) -> Run:
    """One of several runs."""
    return Run(bytes([number]) * 16, VERSION, "host")


@cache
def bodies() -> list[bytes]:
    """The smaller records of the beginning of the story, twice, numbered from 1: short enough to hurt every bit."""
    contents = [body[LSN_BYTES:] for body in course(brief=True).bodies if len(body) < SMALL_BYTES]
    return [encode_body(lsn, content) for lsn, content in enumerate(2 * contents, 1)]


def sealed(number: int = 1, *, changed: int = 0) -> dict[str, bytes]:
    """Files of a closed journal of these records by two runs, the first of them numbered.

    With `changed` that record and all behind it are others.
    """
    disk, told = SimDisk(), bodies()
    if changed:
        told = told[: changed - 1] + [body[:-1] + bytes([body[-1] ^ 1]) for body in told[changed - 1 :]]
    journal = Journal.create(disk, PATH, run=run_of(number), limits=LIMITS)
    keep(journal, told[:6])
    journal.close()
    journal = Journal.open(disk, PATH, run=run_of(number + 1), limits=LIMITS)
    keep(journal, told[6:])
    journal.close()
    return disk.files(PATH)


def segments_of(files: dict[str, bytes]) -> list[str]:
    """Names of the segments, in order."""
    return sorted(name for name in files if name.endswith(".seg"))


def laid_out(files: dict[str, bytes]) -> SimDisk:
    """A disk that holds these files."""
    disk = SimDisk()
    disk.make_directory(PATH)
    for name, content in files.items():
        disk.put_file(PATH / name, content)
    return disk


def frames_of(raw: bytes) -> list[bytes]:
    """The frames of a sealed segment, its seal last."""
    found, offset = [], HEADER_BYTES
    while offset < len(raw):
        (length,) = struct.unpack_from("<I", raw, offset)
        end = offset + FRAME_HEAD_BYTES + (0 if length & MARK_BIT else length)
        found.append(raw[offset:end])
        offset = end
    assert offset == len(raw)
    return found


def is_mark(frame: bytes) -> bool:
    """Whether a frame holds no record."""
    return len(frame) == FRAME_HEAD_BYTES


def left_of(disk: SimDisk) -> list[bytes] | None:
    """The records that a reader finds, as bytes; None when the journal is refused as damaged."""
    try:
        return [bytes_of(body) for body in read(disk, PATH)]
    except JournalDamaged:
        return None
