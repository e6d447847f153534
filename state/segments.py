"""A journal's directory as its readers see it: which files it must hold, and its records in order.

Everything here only reads: it takes no lock and truncates nothing, so it may look at a journal that is being
written. Appending and recovery are in `state.journal`.

    00000000000000000001.seg        segments, named by the first LSN they hold
    00000000000000000001.identity   written first at initialisation; its name carries the newest segment's first LSN
    spare                           space kept ready for the next segment
    lock                            held by the writer
    *.torn                          torn tails moved aside by a recovery
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from state.disk import Disk
from state.errors import BadUsage, DiskFailed, JournalDamaged
from state.frames import GENESIS, REMEDY, Body, Run, Scan, damaged, decode_body, scan_segment

SPARE: Final = "spare"
LOCK: Final = "lock"
_SEGMENT = re.compile(r"(\d{20})\.seg")
_IDENTITY = re.compile(r"(\d{20})\.identity")
# A live journal may grow while it is being read; damage is still there when one looks again, a race is not.
_LOOKS_MAX: Final = 3


class Segment(msgspec.Struct, frozen=True):
    """One segment as an inspection shows it; `used_bytes` counts valid content, `torn_bytes` what follows it."""

    name: str
    run: Run
    first_lsn: int
    last_lsn: int
    used_bytes: int
    torn_bytes: int
    sealed: bool
    chain: bytes


def segment_name(first_lsn: int) -> str:
    """File name of the segment that starts with an LSN."""
    return f"{first_lsn:020d}.seg"


def identity_name(newest_first_lsn: int) -> str:
    """File name of the identity when the newest segment starts with an LSN; 0 while there is none yet."""
    return f"{newest_first_lsn:020d}.identity"


def identity_content(run: Run) -> bytes:
    """Content of the identity file: who initialised the directory, with a checksum."""
    text = b"oracle journal format 1 born in run " + run.run_id.hex().encode()
    return text + b" check %08x\n" % crc32(text)


def newest_of(disk: Disk, path: Path) -> int | None:
    """First LSN of the newest segment by the identity's name; 0 or None when initialisation never completed.

    Raises JournalDamaged when there are segments without an identity, or several identities, DiskFailed when the
    directory cannot be read.
    """
    try:
        names = disk.names(path)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise _unreadable(path, failure) from failure
    found = _numbers(_IDENTITY, names)
    if len(found) > 1 or (not found and any(_SEGMENT.fullmatch(name) for name in names)):
        message = f"{path} holds segments but {len(found)} identity files"
        raise JournalDamaged(f"{message}; {REMEDY}")
    return found[0] if found else None


def is_initialised(disk: Disk, path: Path) -> bool:
    """Whether the directory is a journal: False means that `Journal.create` may make it one."""
    return bool(newest_of(disk, path))


def present(disk: Disk, path: Path) -> list[int]:
    """First LSNs, by name, of the segments that are there."""
    return _numbers(_SEGMENT, disk.names(path))


def identities(disk: Disk, path: Path) -> list[int]:
    """The LSNs that the names of the identity files carry: of a journal that is whole, one."""
    return _numbers(_IDENTITY, disk.names(path))


def scans(disk: Disk, path: Path, *, from_lsn: int = 1) -> Iterator[Scan]:
    """Verified segments in order, starting with the one that holds `from_lsn`.

    Raises BadUsage when there is no journal, JournalDamaged when acknowledged data is missing or not what was
    written, DiskFailed when the disk cannot be read. Earlier segments are trusted for their presence only.
    """
    try:
        firsts = _first_lsns(disk, path)
        start = max(0, bisect_right(firsts, from_lsn) - 1)
        before: Scan | None = None
        for first_lsn in firsts[start:]:
            scan = _look(disk, path / segment_name(first_lsn), last=first_lsn == firsts[-1])
            _check_order(scan, before, first_lsn)
            yield scan
            before = scan
    except OSError as failure:
        raise _unreadable(path, failure) from failure


def read(disk: Disk, path: Path, *, from_lsn: int = 1) -> Iterator[Body]:
    """Records from `from_lsn` on, in order, verified. Raises as `scans` does; a torn tail ends the reading."""
    for scan in scans(disk, path, from_lsn=from_lsn):
        yield from bodies_of(scan, from_lsn=from_lsn)


def segments(disk: Disk, path: Path) -> list[Segment]:
    """Every segment of a journal, for people. Raises as `scans` does."""
    return [
        Segment(
            name=scan.name,
            run=scan.header.run,
            first_lsn=scan.header.first_lsn,
            last_lsn=scan.last_lsn,
            used_bytes=scan.end,
            torn_bytes=scan.torn_bytes,
            sealed=scan.sealed,
            chain=scan.chain,
        )
        for scan in scans(disk, path)
    ]


def chain_at(disk: Disk, path: Path, *, lsn: int) -> bytes:
    """Digest of the chain after record `lsn`; 0 asks for the digest before the first.

    Raises BadUsage when the journal does not reach that far, else as `scans` does.
    """
    if lsn == 0:
        return GENESIS
    for scan in scans(disk, path, from_lsn=lsn):
        if lsn <= scan.last_lsn:
            return scan.chain_at(lsn)
    raise BadUsage(f"{path} holds no record {lsn}; ask for an LSN that `inspect` shows")


def bodies_of(scan: Scan, *, from_lsn: int = 1) -> Iterator[Body]:
    """Records of a verified segment from an LSN on. Raises JournalDamaged on a body this program cannot have written."""
    code_version = scan.header.run.code_version
    for body in islice(scan.bodies(), max(0, from_lsn - scan.header.first_lsn), None):
        try:
            yield decode_body(body, code_version=code_version)
        except ValueError as refusal:
            raise damaged(scan.name, scan.raw.find(body), why=str(refusal)) from refusal


def is_identity(content: bytes) -> bool:
    """Whether bytes are those of an identity file."""
    text, _, check = content.rpartition(b" check ")
    return check == b"%08x\n" % crc32(text) and text.startswith(b"oracle journal format 1 ")


def _numbers(pattern: re.Pattern[str], names: list[str]) -> list[int]:
    return [int(match[1]) for name in names if (match := pattern.fullmatch(name))]


def _unreadable(path: Path, failure: OSError) -> DiskFailed:
    return DiskFailed(f"{path} cannot be read: {failure}; check the disk and the permissions")


def _look(disk: Disk, file: Path, *, last: bool) -> Scan:
    """Verify a segment; the last one gets a second and third look, because its writer may be at work."""
    looks = _LOOKS_MAX if last else 1
    while True:
        looks -= 1
        try:
            return scan_segment(file.name, disk.read(file), last=last)
        except JournalDamaged:
            if not looks:
                raise


def _check_order(scan: Scan, before: Scan | None, first_lsn: int) -> None:
    """Raise JournalDamaged unless a segment is the one its name says and continues the one before it."""
    header = scan.header
    if header.first_lsn != first_lsn:
        raise damaged(scan.name, 0, why=f"the header is that of the segment starting with LSN {header.first_lsn}")
    lsn, chain = (before.last_lsn, before.chain) if before else (first_lsn - 1, header.chain)
    if first_lsn == 1:
        chain = GENESIS
    if header.first_lsn != lsn + 1:
        raise damaged(scan.name, 0, why=f"LSNs {lsn + 1} to {first_lsn - 1} are missing before this segment")
    if header.chain != chain:
        raise damaged(scan.name, 0, why=f"the digest before LSN {first_lsn} is not that after LSN {lsn}")


def _first_lsns(disk: Disk, path: Path) -> list[int]:
    """First LSNs of all segments. Raises unless the directory is initialised and holds first and newest segment."""
    newest = newest_of(disk, path)
    if not newest:
        raise BadUsage(f"{path} is not a journal; initialise the data directory first")
    _check_identity(disk.read(path / identity_name(newest)), path / identity_name(newest))
    firsts = present(disk, path)
    for expected in (1, newest):
        if expected not in firsts:
            message = f"{path / segment_name(expected)} is missing from an initialised journal"
            raise JournalDamaged(f"{message}; {REMEDY}")
    return firsts


def _check_identity(content: bytes, file: Path) -> None:
    if not is_identity(content):
        raise damaged(file.name, 0, why="the identity of the journal is damaged or of another format")
