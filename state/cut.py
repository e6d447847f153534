"""A damaged journal: how far it is sound, a copy of all of it, and the cut back to there.

Sound are the segments from the first on of which each begins with the number and the digest the one before it ends
with. Everything behind them goes, because no record may follow a gap. A crash between two steps of the cut leaves a
journal that is still refused, and sound up to the same record. Deliberately absent: what the lost records meant.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from state.disk import FRESH, Disk
from state.errors import BadUsage, DiskFailed, JournalDamaged
from state.frames import (
    GENESIS,
    HEADER_BYTES,
    Body,
    Header,
    Run,
    Scan,
    decode_body,
    encode_header,
    salvaged,
    sound_frames,
)
from state.segments import (
    LOCK,
    SPARE,
    bodies_of,
    identities,
    identity_content,
    identity_name,
    is_identity,
    present,
    scans,
    segment_name,
)


class Damage(msgspec.Struct, frozen=True):
    """What is wrong with a journal first, and what of it is sound: all records up to `last_lsn`, in the segments `kept`.

    Those of them in `mended` are to be sealed anew after their sound frames, the segments `dropped` are to go.
    `newest` is the highest LSN with which a segment is known to have begun.
    """

    why: str
    last_lsn: int
    kept: tuple[str, ...]
    mended: tuple[Scan, ...]
    dropped: tuple[str, ...]
    newest: int


def examine(disk: Disk, path: Path) -> Damage | None:
    """What is damaged in a journal that nobody writes; None when nothing is. Changes nothing.

    Raises BadUsage when it is no journal, DiskFailed when it cannot be read.
    """
    with on_disk(path, "read"):
        firsts, kept, mended = present(disk, path), [], []
        lsn, chain = 0, GENESIS
        for first_lsn in firsts:
            scan = _beginning(disk, path / segment_name(first_lsn))
            if scan is None or scan.header.first_lsn != first_lsn or scan.header.chain != chain:
                break
            lsn, chain = scan.last_lsn, scan.chain
            kept.append(scan.name)
            if not (scan.sealed and len(scan.raw) == scan.end):
                mended.append(scan)
        why = _fault(disk, path, holds_records=bool(lsn))
        if why is None:
            return None
        dropped = tuple(segment_name(one) for one in firsts[len(kept) :])
        newest = max(identities(disk, path), default=0)
        return Damage(why, lsn, tuple(kept), tuple(mended), dropped, newest)


def kept_bodies(disk: Disk, path: Path, damage: Damage) -> Iterator[Body]:
    """The sound records, in order."""
    for name in damage.kept:
        with on_disk(path, "read"):
            scan = sound_frames(name, disk.read(path / name))
        yield from bodies_of(scan)


def lost_bodies(disk: Disk, path: Path, damage: Damage) -> list[Body]:
    """What can still be read of the records behind the sound ones, each number once, in order."""
    found: dict[int, Body] = {}
    for name in (*(scan.name for scan in damage.mended), *damage.dropped):
        for body in _readable(disk, path / name):
            if body.lsn > damage.last_lsn:
                found.setdefault(body.lsn, body)
    return [found[lsn] for lsn in sorted(found)]


def files_of(disk: Disk, path: Path) -> list[Path]:
    """Every file of a journal that holds anything."""
    with on_disk(path, "read"):
        return [path / name for name in disk.names(path) if name not in (LOCK, SPARE, FRESH)]


def copy(disk: Disk, files: Sequence[Path], target: Path) -> None:
    """Copy files into a new directory, durably, and read them back. Raises DiskFailed when that cannot be done."""
    with on_disk(target, "written"):
        disk.make_directory(target)
        for file in files:
            disk.replace(target / file.name, disk.read(file))
        if disk.names(target) != sorted(file.name for file in files):
            raise DiskFailed(f"{target} holds other files than were copied; check the disk")
        for file in files:
            if disk.read(target / file.name) != disk.read(file):
                raise DiskFailed(f"{target / file.name} is not what was copied; check the disk")


def cut(disk: Disk, path: Path, damage: Damage, *, run: Run) -> None:
    """Cut a journal back to its last sound record, durably. What goes must have been copied before.

    `run` signs what has to be made anew: an identity that is no more, and the first segment where none is sound.
    """
    with on_disk(path, "written"):
        if not identities(disk, path):
            # What lost its segments and has no identity would be no journal, and the next start would begin a new one.
            disk.replace(path / identity_name(max(present(disk, path), default=1)), identity_content(run))
        for name in damage.dropped:
            disk.remove(path / name)
        disk.sync_directory(path)
        for scan in damage.mended:
            disk.replace(path / scan.name, scan.closed)
        if not damage.kept:
            disk.replace(path / segment_name(1), encode_header(Header(run, 1, GENESIS, HEADER_BYTES)))
        _identify(disk, path, int(Path(damage.kept[-1]).stem) if damage.kept else 1, run)


def _identify(disk: Disk, path: Path, newest: int, run: Run) -> None:
    """Leave one sound identity, whose name carries the newest segment."""
    names = identities(disk, path)
    contents = [disk.read(path / identity_name(one)) for one in names]
    sound = next((one for one in contents if is_identity(one)), identity_content(run))
    if names != [newest] or contents != [sound]:
        disk.replace(path / identity_name(newest), sound)
        for other in names:
            if other != newest:
                disk.remove(path / identity_name(other))
        disk.sync_directory(path)


def _beginning(disk: Disk, file: Path) -> Scan | None:
    """The sound frames of a segment, whatever follows them; None when its header is not sound."""
    try:
        return sound_frames(file.name, disk.read(file))
    except JournalDamaged:
        return None


def _readable(disk: Disk, file: Path) -> Iterator[Body]:
    """The records of a segment that may be damaged anywhere, as far as they can be read."""
    with on_disk(file, "read"):
        raw = disk.read(file)
    for encoded in salvaged(raw, int(file.stem)):
        with contextlib.suppress(ValueError):
            yield decode_body(encoded, code_version="")


def _fault(disk: Disk, path: Path, *, holds_records: bool) -> str | None:
    """What a reader finds wrong first."""
    try:
        for _ in scans(disk, path):
            pass
    except JournalDamaged as found:
        # Behind the semicolon stands what to do about it.
        return str(found).partition("; ")[0]
    except BadUsage:
        # What an initialisation leaves that did not finish is no damage, but that holds no record.
        if not holds_records:
            raise
        return f"{path} holds records, but was never fully initialised"
    return None


@contextlib.contextmanager
def on_disk(path: Path, done: str) -> Iterator[None]:
    """Around all that the disk may refuse; `done` says what to do with the path failed, such as `read`."""
    try:
        yield
    except OSError as failure:
        raise DiskFailed(f"{path} cannot be {done}: {failure}; check the disk and its free space") from failure
