"""Questions to the database: the newest rows that hold what was asked for, and where a run stands."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from oracle.queries import NESTED, rows, status
from state.contract import Contract
from state.disk import Disk
from state.errors import BadUsage, OracleFailure
from state.facts import Alerted, AlertLogged, UnitFailed
from state.fill import Fill
from state.frames import Run
from state.inputs import TickReached
from state.journal import Journal
from state.order import Order
from state.outcome import Outcome
from state.position import Position
from state.record import Record, encode
from state.signal import Signal, Verdict
from state.snapshots import Store
from tests.runs import CALL, demo, trade

LONG = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'


def test_the_newest_rows_come_oldest_first() -> None:
    """A limit keeps the newest; their order is that of the run."""
    _, data = demo()
    assert [one["id"] for one in rows(data, "events", limit=2)] == ["evt-000012", "evt-000013"]
    assert len(rows(data, "events", limit=2**62)) == 13


@pytest.mark.parametrize(
    ("name", "where", "found"),
    [
        ("signals", ("phase=rejected",), ["sig-000005", "sig-000006", "sig-000007", "sig-000009"]),
        ("signals", ("phase=rejected", "symbol=XLE"), ["sig-000007"]),
        ("signals", ("is_test=1",), ["sig-000008"]),
        ("signals", ("order_id=", "symbol=XLE"), ["sig-000007"]),
        ("trades", ("price=5460000",), ["fil-000001"]),
        ("orders", ("end_reason=order_timeout",), ["ord-000005"]),
        ("orders", ("end_reason=no such reason",), []),
        ("orders", ("end_reason='; DROP TABLE orders; --",), []),
    ],
)
def test_where_asks_for_values_as_json_prints_them(name: str, where: tuple[str, ...], found: list[str]) -> None:
    """All conditions hold at once, whole numbers are numbers, and nothing after the sign asks for no value."""
    _, data = demo()
    assert [one["id"] for one in rows(data, name, limit=50, where=where)] == found


@pytest.mark.parametrize("asked", ["phase", "=rejected", "nope=1", "phase rejected", '"phase"=rejected'])
def test_an_unknown_column_is_answered_with_all_there_are(asked: str) -> None:
    """The message lists the columns."""
    _, data = demo()
    with pytest.raises(BadUsage, match="the columns of signals are: lsn, seen_at, id"):
        rows(data, "signals", limit=1, where=(asked,))


def test_json_columns_are_those_of_nested_fields() -> None:
    """Every tuple and every held noun of a noun is a column of JSON, and no text is."""
    nested = set()
    for noun in (AlertLogged, Signal, Verdict, Order, Fill, Position, Outcome, Alerted, UnitFailed):
        for name, hint in get_type_hints(noun).items():
            kinds = [one for one in get_args(hint) or (hint,) if one is not type(None)]
            optional_noun = len(get_args(hint)) > 0 and hasattr(kinds[0], "__struct_fields__")
            if "tuple" in str(hint) or (optional_noun and kinds[0] is not Contract):
                nested.add(name)
    assert nested == NESTED


def test_status_shows_money_and_what_is_held(tmp_path: Path) -> None:
    """Equity is cash and marks; each position stands with its mark."""
    market = f"10:30:00 SPY 595.42\n10:30:00 {CALL} 3.43 3.47\n10:30:05 {CALL} 3.44 3.48\n10:31:00 {CALL} 4.00 4.10"
    told = status(trade(tmp_path, market, f"10:30:00 {LONG}"))
    (held,) = told["positions"]
    assert (held["id"], held["quantity"], held["mark"], held["value"]) == ("pos-000001", 1, 4_050_000, 405_000_000)
    assert held["unrealized"] == told["unrealized"] == 57_000_000
    assert told["equity"] == told["cash"] + told["marks"] == 50_000_000_000 - 348_000_000 - 700_000 + 405_000_000
    assert told["today_pnl"] == 57_000_000 - 700_000
    assert (told["positions_open"], told["today_entries"], told["look_at"]) == (1, 1, [])


def test_the_newest_looks_come_first(tmp_path: Path) -> None:
    """Of many things to look at, the newest are shown."""
    data = tmp_path / "run"
    shutil.copytree(demo()[1], data)
    with closing(sqlite3.connect(data / "oracle.db", isolation_level=None)) as connection:
        for number in range(7):
            connection.execute(
                "INSERT INTO alerts VALUES (?, ?, 0, 'exit_waiting', ?)", (number, number, f"ord-{number}")
            )
    assert status(data)["look_at"] == [f"exit_waiting ord-{number}" for number in (6, 5, 4, 3, 2)]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM snapshots", "UPDATE snapshots SET schema = 999", "UPDATE snapshots SET state = x'00'"],
)
def test_a_snapshot_that_cannot_be_read_names_the_remedy(tmp_path: Path, statement: str) -> None:
    """None, one of another version, and one of other bytes: `oracle rebuild` makes a new one."""
    data = tmp_path / "run"
    shutil.copytree(demo()[1], data)
    with closing(sqlite3.connect(data / "oracle.db", isolation_level=None)) as connection:
        connection.execute(statement)
    with pytest.raises(BadUsage, match="oracle rebuild"):
        status(data)


def test_a_damaged_database_says_that_the_journal_is_unharmed(tmp_path: Path) -> None:
    """Damage that shows only while rows are read is no crash of the command."""
    data = tmp_path / "run"
    shutil.copytree(demo()[1], data)
    database = data / "oracle.db"
    content = bytearray(database.read_bytes())
    content[8_192:] = b"\xff" * (len(content) - 8_192)
    database.write_bytes(content)
    with pytest.raises(OracleFailure, match="the journal is unharmed"):
        rows(data, "orders", limit=50)


def test_a_missing_database_names_the_remedy(tmp_path: Path) -> None:
    """A journal without its tables asks for a rebuild, a directory without a journal for another directory."""
    (tmp_path / "journal").mkdir()
    with pytest.raises(BadUsage, match="`oracle rebuild --data"):
        rows(tmp_path, "orders", limit=1)
    with pytest.raises(BadUsage, match="holds no journal"):
        status(tmp_path / "elsewhere")


def test_tables_behind_their_journal_answer_nothing(tmp_path: Path) -> None:
    """After a run that was cut short, every question names the remedy instead of an old answer."""
    run = Run(bytes(16), "a", "b")
    (tmp_path / "run").mkdir()
    journal = Journal.create(Disk(), tmp_path / "run" / "journal", run=run)
    asyncio.run(_made(tmp_path / "run" / "oracle.db"))
    assert rows(tmp_path / "run", "orders", limit=1) == []
    journal.append(1, "TickReached", schema=1, payload=encode(Record(TickReached(None), ())))
    journal.commit()
    with pytest.raises(BadUsage, match=r"1 records behind its journal: .* `oracle rebuild"):
        rows(tmp_path / "run", "orders", limit=1)
    journal.close()


async def _made(path: Path) -> None:
    store = await Store.open(path)
    await store.close()
