"""Questions of a command to the files of a run that is down: its tables are first brought as far as its journal.

A run that was killed leaves records that the tables do not hold; they are folded under the directory's lock. The journal
is only read, a torn tail stays as it is. Deliberately absent: asking a process at work, which keeps its tables itself.
"""

import sys
from collections.abc import Callable
from os import SEEK_END
from pathlib import Path
from typing import TypeVar

from oracle.directory import DataDirectory
from oracle.queries import connected
from state.disk import Disk
from state.errors import DirectoryInUse, OracleFailure
from state.frames import FRAME_HEAD_BYTES, HEADER_BYTES, Mark, decode_header, encode_mark, seed_of
from state.segments import LOCK, scans

Answer = TypeVar("Answer")


def answer(path: Path, ask: Callable[[Path], Answer]) -> Answer:
    """What a question about a data directory answers once its tables are as far as its journal.

    Where they had to catch up, one line on standard error says so. Raises DirectoryInUse when a process at work has
    not written them yet, BadUsage when there is no run, JournalDamaged when the records to catch up with are.
    """
    caught_up = catch_up(path)
    if caught_up:
        sys.stderr.write(f"caught up {caught_up} records\n")
    return ask(path)


def catch_up(path: Path) -> int:
    """Bring the query tables of a directory that nobody works in as far as its journal; how many records they gained.

    Raises as `answer` does.
    """
    directory = DataDirectory(path)
    directory.must_exist()
    if in_step(directory):
        return 0
    disk = Disk()
    try:
        lock = disk.lock(directory.journal / LOCK)
    except DirectoryInUse as refusal:
        if in_step(directory):
            return 0
        message = f"a process is at work in {path} and has records that its tables do not hold yet"
        raise DirectoryInUse(f"{message}: ask it once it answers, or ask again when it has ended") from refusal
    except OSError as refusal:
        message = f"{directory.database} is behind its journal and cannot catch up: {refusal.strerror}"
        raise OracleFailure(f"{message}; ask as the owner of {path}") from refusal
    try:
        return _recovered(directory)
    finally:
        disk.close(lock)


def in_step(directory: DataDirectory) -> bool:
    """Whether the tables, and where they say the run stands, are those of the journal's last record.

    Raises BadUsage when there is no database.
    """
    with connected(directory.root) as connection:
        query = "SELECT applied_lsn, (SELECT lsn FROM standing) AS stood FROM meta"
        applied, stood = connection.execute(query).fetchone()
    if applied != stood:
        return False
    newest = max(directory.journal.glob("*.seg"), default=None)
    if newest is not None and _sealed(newest, after=applied):
        return True
    tail = scans(Disk(), directory.journal, from_lsn=applied + 1)
    return bool(max((one.last_lsn for one in tail), default=0) == applied)


def _sealed(segment: Path, *, after: int) -> bool:
    """Whether a segment ends with the seal after a record: one that does need not be read."""
    with segment.open("rb") as file:
        try:
            header = decode_header(file.read(HEADER_BYTES))
        except ValueError:
            return False
        file.seek(-FRAME_HEAD_BYTES, SEEK_END)
        return file.read() == encode_mark(Mark.SEAL, after, seed=seed_of(header))


def _recovered(directory: DataDirectory) -> int:
    """Fold what the tables lack into them, under the lock; how many records that were."""
    # Only what has to catch up pays for loading the portfolio and the database of the process that writes.
    import asyncio  # noqa: PLC0415

    from state.recovery import History, recover  # noqa: PLC0415
    from state.snapshots import Store  # noqa: PLC0415

    async def fold() -> int:
        store = await Store.open(directory.database)
        try:
            before = store.applied_lsn
            await recover(History(Disk(), directory.journal), store)
            # Tables that knew more than the journal does were made again.
            return store.applied_lsn - (before if before <= store.applied_lsn else 0)
        finally:
            await store.close()

    return asyncio.run(fold())
