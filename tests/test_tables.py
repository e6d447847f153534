"""The query tables: columns follow the nouns, rows follow the records, and reading them can change nothing."""

import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from state import tables
from state.contract import Contract, parse
from state.errors import BadUsage, OracleFailure
from state.frames import Body
from state.inputs import RefusedCalls
from state.market import SettlementPrint
from state.portfolio import Portfolio
from state.projecting import Projector
from state.record import Record
from state.recovery import fold
from state.tables import APPLICATION_ID, MIGRATIONS, TABLES, Projected, columns_of, reading
from tests.directories import bodies_of
from tests.stage import Stage, instant

CALL, PUT = "SPY260220C00596000", "SPY260220P00595000"
SHAPES = ("9f781c85d30d57b4",)
"""Digest of the query tables of each version; the last must be the shape that the nouns have now."""


@cache
def story() -> tuple[Body, ...]:
    """Records of eleven days: entries, exits, a refusal, a duplicate, a test signal, a settlement, nouns that retire."""
    stage = Stage("2026-02-13")
    stage.alert("10:29:58", symbol="SPY", direction="long", timeframe="5m", price=595.4, confidence=80)
    stage.alert("10:29:59", symbol="SPY", direction="long", timeframe="5m")
    stage.alert("10:29:59", symbol="SPY")
    stage.tick("10:30:00", "SPY 595.42", f"{CALL} 3.43 3.47 40 40", f"{PUT} 3.00 3.06")
    stage.tick("10:30:02", f"{CALL} 3.44 3.48 40 1")
    stage.alert("10:31:00", symbol="SPY", direction="short", timeframe="15m", is_test=True)
    stage.alert("10:31:00", symbol="QQQ", direction="short", timeframe="5m")
    stage.tick("10:31:01", "SPY 595.40", f"{PUT} 3.00 3.06")
    stage.tick("10:31:04", f"{PUT} 3.00 3.06", f"{CALL} 3.43 3.47 40 40")
    stage.tick("10:32:05", f"{PUT} 3.00 3.06")
    stage.tick("11:00:00", f"{CALL} 5.40 5.44 40 40")
    stage.tick("11:00:02", f"{CALL} 5.38 5.44 40 40")
    stage.ask_close("11:05:00", "all", "enough")
    stage.tick("11:05:01", f"{PUT} 2.90 3.00")
    stage.tick("11:05:03", f"{PUT} 2.90 3.00")
    stage.alert("15:00:00", symbol="SPY", direction="long", timeframe="1h", stop=590)
    stage.tick("15:00:01", "SPY 595.40", f"{CALL} 3.43 3.47 40 40")
    stage.tick("15:00:04", f"{CALL} 3.43 3.47 40 40")
    stage.day = "2026-02-17"
    stage.tick("09:31:00", "SPY 590.40", f"{CALL} 2.43 2.47 40 40")
    stage.day = "2026-02-20"
    stage.tick("16:19:00")
    at = instant("2026-02-20", "16:00:00")
    stage.tick("16:20:00", settlements=(SettlementPrint("SPY", date(2026, 2, 20), False, 600_000_000, at),))
    stage.day = "2026-02-24"
    stage.tick("09:40:00", "SPY 600.40")
    return bodies_of(stage)


@cache
def projections() -> tuple[Projected, ...]:
    """The rows of every record of the story."""
    portfolio, projector = Portfolio(), Projector()
    return tuple(projector.project(portfolio, fold(portfolio, body), body.seen_at) for body in story())


def folded() -> tuple[Portfolio, list[Record]]:
    """The portfolio at the end of the story, and its records."""
    portfolio = Portfolio()
    return portfolio, [fold(portfolio, body) for body in story()]


def filled(path: Path) -> Path:
    """A database with the rows of the story, written with plain SQLite."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for migration in MIGRATIONS:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        upserts = {table.name: table.upsert() for table in TABLES}
        for projected in projections():
            for row in projected.rows:
                connection.execute(upserts[row.table.name], row.values())
        connection.execute("COMMIT")
    return path


def asked(path: Path, query: str) -> list[dict[str, Any]]:
    """The rows of a query, asked as a command would."""
    with closing(reading(path)) as connection:
        return [dict(row) for row in connection.execute(query)]


def rows_of(path: Path, table: str) -> int:
    """How many rows a table has."""
    return int(asked(path, f"SELECT count(*) AS n FROM {table}")[0]["n"])  # noqa: S608  A table of this file.


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story's database."""
    return filled(tmp_path_factory.mktemp("tables") / "oracle.db")


# -- shape ----------------------------------------------------------------------------------------------------------


def test_a_noun_that_changes_asks_for_a_new_version() -> None:
    """The shape of the last version is pinned: where it differs, append a migration that fills the tables again."""
    statements = "\n".join(statement for table in TABLES for statement in table.creation())
    assert hashlib.sha256(statements.encode()).hexdigest()[:16] == SHAPES[-1]
    assert len(SHAPES) == len(MIGRATIONS)


class Inner(msgspec.Struct):
    """A noun held by another."""

    name: str
    day: date | None


class Outer(msgspec.Struct):
    """A noun with every kind of field."""

    name: str
    inner: Inner
    perhaps: Inner | None
    contract: Contract | None
    codes: tuple[str, ...]
    ok: bool


def test_columns_are_derived_from_the_fields_of_a_noun() -> None:
    """Held nouns lie flat, a name that is taken gets its field in front, what may be absent may be null."""
    columns = {one.name: (one.kind, one.required) for one in columns_of(Outer)}
    assert columns == {
        "name": ("TEXT", True),
        "inner_name": ("TEXT", True),
        "day": ("TEXT", False),
        "perhaps": ("TEXT", False),
        "occ": ("TEXT", False),
        "underlying": ("TEXT", False),
        "root": ("TEXT", False),
        "expiry": ("TEXT", False),
        "right": ("TEXT", False),
        "strike": ("INTEGER", False),
        "codes": ("TEXT", True),
        "ok": ("INTEGER", True),
    }


def test_columns_read_their_values_off_the_noun() -> None:
    """Dates become ISO text, truth 0 or 1, nested values JSON with field names, absent nouns null."""
    full = Outer("a", Inner("b", date(2026, 2, 13)), Inner("c", None), parse(CALL), ("x", "y"), ok=True)
    bare = Outer("a", Inner("b", None), None, None, (), ok=False)
    read = [{one.name: one.read(noun) for one in columns_of(Outer)} for noun in (full, bare)]
    assert read[0] == {
        "name": "a",
        "inner_name": "b",
        "day": "2026-02-13",
        "perhaps": '{"name":"c","day":null}',
        "occ": CALL,
        "underlying": "SPY",
        "root": "SPY",
        "expiry": "2026-02-20",
        "right": "C",
        "strike": 596_000_000,
        "codes": '["x","y"]',
        "ok": 1,
    }
    assert {name for name, value in read[1].items() if value is None} == {
        *("day", "perhaps", "occ", "underlying", "root", "expiry", "right", "strike")
    }


def test_no_two_columns_of_a_table_share_a_name() -> None:
    """Every table can be created, and its key and indexes name columns it has."""
    for table in TABLES:
        assert len(set(table.names)) == len(table.names)
        assert {*table.key, *table.indexes} <= set(table.names)


def test_refused_calls_are_kept_with_all_their_fields() -> None:
    """The table names the fields of an input that it must not load."""
    fields = RefusedCalls.__struct_fields__
    assert tables.CALLS.names[-len(fields) :] == fields
    assert tables.CALLS.names[: -len(fields)] == ("lsn", "seen_at", "number", "since")


# -- rows -----------------------------------------------------------------------------------------------------------


def test_every_noun_of_the_story_has_its_row(database: Path) -> None:
    """Each table holds exactly the nouns and facts that the records made."""
    facts = [fact for record in folded()[1] for fact in record.facts]
    made = {
        "events": "AlertLogged",
        "signals": "SignalCreated",
        "orders": "OrderCreated",
        "fills": "OrderFilled",
        "positions": "PositionOpened",
        "outcomes": "OutcomeRecorded",
        "alerts": "Alerted",
    }
    for table, fact in made.items():
        count = sum(type(one).__name__ == fact for one in facts)
        assert count > 0, table
        assert rows_of(database, table) == count, table
    verdicts = sum(len(getattr(one, "verdicts", ())) for one in facts)
    assert rows_of(database, "verdicts") == verdicts


def test_nouns_that_left_memory_keep_their_rows(database: Path) -> None:
    """Retired signals, orders and positions are still found, as they ended."""
    portfolio, _ = folded()
    gone = [row for row in asked(database, "SELECT * FROM signals") if row["id"] not in portfolio.signals]
    assert gone
    assert {row["phase"] for row in gone} <= {"executed", "rejected"}
    ended = asked(database, "SELECT phase, quantity_open FROM positions")
    assert ended
    assert {(row["phase"], row["quantity_open"]) for row in ended} == {("closed", 0)}


def test_a_story_can_be_queried_by_its_real_columns(database: Path) -> None:
    """Symbol, contract and phase are columns; the raw body and the recommendation are there to be read."""
    (first,) = asked(database, "SELECT * FROM signals WHERE id = 'sig-000001'")
    assert (first["symbol"], first["direction"], first["timeframe"], first["confidence"]) == (
        "SPY",
        "long",
        "5m",
        8_000,
    )
    assert json.loads(first["recommendation"])["contract"] == CALL
    assert first["occ"] is None
    (event,) = asked(database, "SELECT * FROM events WHERE id = 'evt-000003'")
    assert (event["status"], event["source"], json.loads(event["body"])["symbol"]) == (
        "invalid_payload",
        "webhook",
        "SPY",
    )
    (held,) = asked(database, "SELECT * FROM positions WHERE id = 'pos-000001'")
    assert (held["occ"], held["root"], held["expiry"], held["right"], held["strike"]) == (
        *(CALL, "SPY", "2026-02-20", "C", 596_000_000),
    )
    codes = asked(
        database, "SELECT code FROM verdicts WHERE signal_id = 'sig-000003' AND code IS NOT NULL ORDER BY lsn"
    )
    assert {row["code"] for row in codes} == {"market_data_unavailable"}
    assert asked(database, "SELECT code FROM alerts") == [{"code": "settlement_print_missing"}]


def test_verdicts_keep_their_order_and_every_judging(database: Path) -> None:
    """A signal that was judged twice has both lists, each in the order of the gates."""
    rows = asked(database, "SELECT lsn, number, gate FROM verdicts WHERE signal_id = 'sig-000003' ORDER BY lsn, number")
    judgings = sorted({row["lsn"] for row in rows})
    lists = [[row["gate"] for row in rows if row["lsn"] == lsn] for lsn in judgings]
    assert len(lists) == 2
    assert lists[0] == lists[1]
    assert lists[0][:2] == ["halted", "age"]


# -- reading --------------------------------------------------------------------------------------------------------


def test_reading_changes_nothing(database: Path) -> None:
    """A connection for reading refuses to write."""
    with closing(reading(database)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM signals")


def test_reading_needs_no_asyncio() -> None:
    """A command that only reads does not pay for the daemon's database library."""
    code = "import sys, state.tables; assert not {'aiosqlite', 'asyncio'} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_path_is_never_read_as_a_query(tmp_path: Path) -> None:
    """A directory may be called anything."""
    odd = tmp_path / "a?mode=rw#b%20 c"
    odd.mkdir()
    assert asked(filled(odd / "oracle.db"), "SELECT count(*) AS n FROM positions") == [{"n": 3}]


def pragma(path: Path, statement: str) -> None:
    """Change a database behind the program's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA application_id = 7", "another program"),
        ("PRAGMA user_version = 99", "newer version"),
        ("PRAGMA user_version = 0", "older"),
    ],
)
def test_a_database_that_cannot_be_read_says_why(tmp_path: Path, statement: str, message: str) -> None:
    """Another program's file and another version's are refused with the remedy."""
    path = filled(tmp_path / "oracle.db")
    pragma(path, statement)
    with pytest.raises(BadUsage, match=message):
        reading(path)


def test_a_missing_or_ruined_file_says_why(tmp_path: Path) -> None:
    """No file is made by asking for it, and a file that is no database is not read."""
    path = tmp_path / "oracle.db"
    with pytest.raises(BadUsage, match="oracle rebuild"):
        reading(path)
    assert not path.exists()
    path.write_bytes(b"no database at all, but long enough to have a header" * 10)
    with pytest.raises(OracleFailure, match="oracle rebuild"):
        reading(path)
