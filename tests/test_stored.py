"""Questions to a data directory: they read its journal, and whatever is asked, the journal stays as it is."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oracle import stored
from oracle.version import code_version
from state.disk import Disk
from state.errors import BadUsage, DirectoryInUse, JournalDamaged
from state.inputs import Ask, ConfigAdopted, OperatorAsked
from state.segments import LOCK
from tests.directories import bodies_of, ended
from tests.stage import Stage, instant
from tests.trades import traded

TABLES = ("events", "signals", "orders", "fills", "positions", "outcomes")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory of a finished day."""
    traded(tmp_path)
    return tmp_path / "run"


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of every file of the journal."""
    return {one.name: one.read_bytes() for one in (path / "journal").iterdir()}


def rows(path: Path) -> dict[str, list[Any]]:
    """All rows of all query tables."""
    connection = sqlite3.connect(path / "oracle.db")
    found = {name: connection.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name in TABLES}  # noqa: S608
    connection.close()
    return found


# -- export ---------------------------------------------------------------------------------------------------------


def test_every_record_is_exported_with_named_fields(data: Path) -> None:
    """One JSON object a record, keys in order, every struct by its field names at any depth."""
    told = [json.loads(line) for line in stored.export_lines(data)]
    assert [one["lsn"] for one in told] == list(range(1, len(told) + 1))
    assert all(list(one) == sorted(one) for one in told)
    filled = next(fact for one in told for fact in one["facts"] if fact["fact"] == "OrderFilled")
    assert (filled["fill"]["price"], filled["fill"]["contract"]["strike"]) == (3_470_000, 596_000_000)
    assert told[0]["input"] == "ConfigAdopted"
    assert set(told[0]["told"]) == {"body", "digest", "cash_start"}


def test_facts_alone_leave_the_observations_out(data: Path) -> None:
    """The same facts, without what the world said."""
    whole = [json.loads(line) for line in stored.export_lines(data)]
    facts = [json.loads(line) for line in stored.export_lines(data, facts_only=True)]
    assert facts == [{key: value for key, value in one.items() if key != "told"} for one in whole]


def test_an_export_may_begin_anywhere(data: Path) -> None:
    """From a record on, the same lines."""
    assert list(stored.export_lines(data, from_lsn=7)) == list(stored.export_lines(data))[6:]


def test_the_same_day_exports_the_same_lines(tmp_path: Path) -> None:
    """Byte for byte, in another directory and another run."""
    lines = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        traded(tmp_path / name)
        lines.append(list(stored.export_lines(tmp_path / name / "run")))
    assert lines[0] == lines[1]


# -- inspect --------------------------------------------------------------------------------------------------------


def test_segments_tell_where_they_come_from(data: Path) -> None:
    """Their run, its code, their records, and whether they are sealed."""
    (segment,) = stored.inspect_directory(data)
    assert (segment["code_version"], segment["first_lsn"]) == (code_version(), 1)
    assert segment["last_lsn"] == len(list(stored.export_lines(data)))
    assert segment["sealed"]
    assert (segment["torn_bytes"], len(bytes.fromhex(segment["run"]))) == (0, 16)


# -- flags -----------------------------------------------------------------------------------------------------------


def test_flags_stand_as_configured_and_as_the_operator_set_them(tmp_path: Path) -> None:
    """Out of the files alone: the configuration in force at the end, and over it what was switched."""
    body = msgspec.json.encode({"session": {"allow_premarket": True}})
    stage = Stage("2026-02-13")
    at = instant("2026-02-13", "10:30:00")
    stage.take(ConfigAdopted(body, "other", 0), at=at)
    stage.take(OperatorAsked("snap_unlisted", "", Ask.FLAG_ON), at=at)
    stood = {one["name"]: (one["on"], one["set_by"]) for one in stored.flags(ended(tmp_path / "run", bodies_of(stage)))}
    assert stood["allow_premarket"] == (True, "config")
    assert stood["snap_unlisted"] == (True, "operator")
    assert stood["allow_afterhours"] == (False, "config")
    before = {one["name"]: one["set_by"] for one in stored.flags(ended(tmp_path / "none", ()))}
    assert set(before.values()) == {"config"}
    assert set(before) == set(stood)


# -- rebuild --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["there", "deleted", "damaged", "emptied"])
def test_the_database_can_be_made_again(data: Path, state: str) -> None:
    """Deleting it loses nothing: every row comes back, whatever became of the old one."""
    before, database = rows(data), data / "oracle.db"
    match state:
        case "deleted":
            database.unlink()
        case "damaged":
            database.write_bytes(b"no database at all")
        case "emptied":
            connection = sqlite3.connect(database)
            connection.execute("DELETE FROM fills")
            connection.commit()
            connection.close()
    told = asyncio.run(stored.rebuild_directory(data))
    assert told == {"records": len(list(stored.export_lines(data))), "database": str(database)}
    assert rows(data) == before
    assert not list(data.glob("*.rebuilding*"))


def test_a_process_at_work_keeps_its_database(data: Path) -> None:
    """While another holds the lock, nothing is exchanged under it."""
    disk, before = Disk(), (data / "oracle.db").read_bytes()
    lock = disk.lock(data / "journal" / LOCK)
    try:
        with pytest.raises(DirectoryInUse):
            asyncio.run(stored.rebuild_directory(data))
    finally:
        disk.close(lock)
    assert (data / "oracle.db").read_bytes() == before


def test_progress_is_told_of_long_work(data: Path) -> None:
    """In records of how many, up to the last."""
    told: list[tuple[int, int]] = []
    stored.verify_directory(data, any_version=False, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(list(stored.export_lines(data))),) * 2


# -- what is not there, and what is damaged -------------------------------------------------------------------------

QUESTIONS: dict[str, Callable[[Path], object]] = {
    "verify": lambda path: stored.verify_directory(path, any_version=False),
    "rebuild": lambda path: asyncio.run(stored.rebuild_directory(path)),
    "inspect": stored.inspect_directory,
    "export": lambda path: list(stored.export_lines(path)),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_no_question_changes_the_journal(data: Path, ask: Callable[[Path], object]) -> None:
    """Not a byte of it."""
    before = contents(data)
    ask(data)
    assert contents(data) == before


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_directory_without_a_journal_is_bad_usage(tmp_path: Path, ask: Callable[[Path], object]) -> None:
    """The message says which option to give, and nothing is made."""
    with pytest.raises(BadUsage, match="give --data"):
        ask(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_damaged_record_is_found_whatever_is_asked(data: Path, ask: Callable[[Path], object]) -> None:
    """A flipped bit in sealed records is damage, never a shorter journal; the database stays as it was."""
    before = rows(data)
    (segment,) = (data / "journal").glob("*.seg")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    with pytest.raises(JournalDamaged) as found:
        ask(data)
    assert found.value.exit_code == 3
    assert rows(data) == before
