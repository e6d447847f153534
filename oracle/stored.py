"""Questions to a data directory that need its journal or the rules: verify, rebuild, inspect, export, flags.

Nothing here changes the journal.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from oracle import config
from oracle.directory import DataDirectory
from oracle.queries import connected, stood
from oracle.verify import Verifier
from oracle.version import code_version
from rules.flags import standing
from rules.settings import Settings
from state import recovery
from state.disk import Disk
from state.frames import Body
from state.record import decode
from state.segments import LOCK, read, segments
from state.snapshots import Store

Progress = Callable[[int, int], None]


def _opened(path: Path) -> DataDirectory:
    directory = DataDirectory(path)
    directory.must_exist()
    return directory


def _bodies(directory: DataDirectory, progress: Progress | None) -> Iterator[Body]:
    """Every record, telling how many of how many were read."""
    last = max((one.last_lsn for one in segments(Disk(), directory.journal)), default=0) if progress else 0
    for body in read(Disk(), directory.journal):
        yield body
        if progress is not None and (body.lsn % 256 == 0 or body.lsn == last):
            progress(body.lsn, last)


def verify_directory(path: Path, *, any_version: bool, progress: Progress | None = None) -> dict[str, Any]:
    """Judge a whole journal again; raises Diverged at the first difference."""
    directory = _opened(path)
    verifier = Verifier(settings_of=config.decode, code_version=code_version(), any_version=any_version)
    verifier.paper = True
    for body in _bodies(directory, progress):
        verifier.take(body)
    counts = msgspec.structs.asdict(verifier.verified)
    chain = segments(Disk(), directory.journal)[-1].chain.hex()
    return {**counts, "chain": chain, "code_version": code_version()}


async def rebuild_directory(path: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Make the database again from the journal; the old one is replaced only when the new one is complete."""
    directory = _opened(path)
    disk = Disk()
    # A process at work keeps the database itself; it must not be exchanged under it.
    lock = disk.lock(directory.journal / LOCK)
    try:
        fresh = directory.database.with_suffix(".rebuilding")
        _remove_database(fresh)
        store = await Store.open(fresh)
        try:
            portfolio = await recovery.rebuild(store, _bodies(directory, progress))
        finally:
            await store.close()
        _replace_database(fresh, directory.database)
    finally:
        disk.close(lock)
    return {"records": portfolio.lsn, "database": str(directory.database)}


def _remove_database(path: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        Path(f"{path}{tail}").unlink(missing_ok=True)


def _replace_database(fresh: Path, path: Path) -> None:
    """Let a complete database take the place of the old one, whose own log must not be read with it."""
    _remove_database(path)
    fresh.replace(path)


def inspect_directory(path: Path) -> list[dict[str, Any]]:
    """Every segment, for people."""
    return [
        {
            "segment": one.name,
            "run": one.run.run_id.hex(),
            "code_version": one.run.code_version,
            "host": one.run.host,
            "first_lsn": one.first_lsn,
            "last_lsn": one.last_lsn,
            "used_bytes": one.used_bytes,
            "torn_bytes": one.torn_bytes,
            "sealed": one.sealed,
            "chain": one.chain.hex(),
        }
        for one in segments(Disk(), _opened(path).journal)
    ]


def flags(path: Path) -> list[dict[str, Any]]:
    """Every flag as it stands after the last record: whether it is on, who says so, and what it does."""
    with connected(path) as connection:
        told = stood(connection, path)
    settings = config.decode(told["config"].encode()) if told["config"] else Settings()
    set_over: dict[str, bool] = msgspec.json.decode(told["figures"])["flags"]
    return [msgspec.to_builtins(one) for one in standing(settings, set_over)]


def export_lines(path: Path, *, from_lsn: int = 1, facts_only: bool = False) -> Iterator[str]:
    """Each record as JSON with sorted keys, the same text on every machine; bytes are base64."""
    for body in read(Disk(), _opened(path).journal, from_lsn=from_lsn):
        record = decode(body.payload, body.schema)
        told: dict[str, Any] = {"lsn": body.lsn, "seen_at": body.seen_at, "input": body.kind}
        if not facts_only:
            told["told"] = named(record.input)
        told["facts"] = [{"fact": type(one).__name__, **named(one)} for one in record.facts]
        yield msgspec.json.encode(told, order="sorted").decode()


def named(value: Any) -> Any:
    """A struct as a mapping of its field names, at any depth; the journal itself keeps only the order of fields."""
    if isinstance(value, msgspec.Struct):
        return {field: named(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [named(one) for one in value]
    return value
