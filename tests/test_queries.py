"""Questions to the database: the newest rows that hold what was asked for, where a run stands, what was given up."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from oracle.queries import NESTED, REQUEUE_S_MAX, alert_of, deadletters, rows, status
from rules.housekeeping import HORIZON_S
from state.contract import Contract
from state.errors import BadUsage, OracleFailure
from state.facts import Alerted, AlertLogged, EntriesHalted, FlagSet, UnitFailed
from state.fill import Fill
from state.inputs import Ask, CallsRefused, OperatorAsked, RefusedCalls
from state.order import Order
from state.outcome import Outcome
from state.position import Position
from state.reason import words
from state.signal import Signal, Verdict
from state.tables import EVENTS
from tests.directories import bodies_of, ended, killed
from tests.runs import CALL, DAY, demo, trade
from tests.stage import Stage, instant

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
    for noun in (
        AlertLogged,
        Signal,
        Verdict,
        Order,
        Fill,
        Position,
        Outcome,
        Alerted,
        UnitFailed,
        EntriesHalted,
        FlagSet,
    ):
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


def looking(tmp_path: Path, told: list[tuple[int, str, str]]) -> Path:
    """A copy of the demo with these alerts, one a record: (seen at, code, subject)."""
    data = Path(shutil.copytree(demo()[1], tmp_path / "run"))
    with closing(sqlite3.connect(data / "oracle.db", isolation_level=None)) as connection:
        rows = [(lsn, at, 0, code, subject) for lsn, (at, code, subject) in enumerate(told)]
        connection.executemany("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", rows)
    return data


def test_the_newest_looks_come_first(tmp_path: Path) -> None:
    """Of many things to look at, the newest are shown, alerts and failures in one order."""
    last = status(demo()[1])["last_seen_at"]
    data = looking(tmp_path, [(last - 7 + number, "exit_waiting", f"ord-{number}") for number in range(7)])
    with closing(sqlite3.connect(data / "oracle.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alerts SET number = 1 WHERE subject = 'ord-6'")
        failed = (6, last - 1, 0, "sig-9", "processing_failed", "KeyError")
        connection.execute("INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, NULL)", failed)
    newest = [f"exit_waiting ord-{number}" for number in (6, 5, 4, 3)]
    assert status(data)["look_at"] == [newest[0], "processing_failed sig-9", *newest[1:]]


def test_what_is_no_longer_news_needs_no_look(tmp_path: Path) -> None:
    """What is older than 48 hours at the last record is left out."""
    last = status(demo()[1])["last_seen_at"]
    two_days = 172_800 * 1_000_000_000
    told = [(last - two_days - 1, "exit_waiting", "ord-1"), (last - two_days, "exit_waiting", "ord-2")]
    assert status(looking(tmp_path, told))["look_at"] == ["exit_waiting ord-2"]


def test_slips_of_the_operator_need_no_look(tmp_path: Path) -> None:
    """Whatever was asked in error was answered at once: it buries nothing that waits for somebody."""
    stage = Stage(DAY)
    stage.tick("10:29:59", "SPY 595.42")
    stage.ask_close("10:30:00", "pos-000099")
    for second, (ask, about) in enumerate([(Ask.RESUME, ""), (Ask.REQUEUE, "sig-000099"), (Ask.FLAG_ON, "nothing")]):
        stage.ask(f"10:30:0{second + 1}", ask, about)
    path = ended(tmp_path / "run", bodies_of(stage))
    with closing(sqlite3.connect(path / "oracle.db", isolation_level=None)) as connection:
        codes = [row[0] for row in connection.execute("SELECT code FROM alerts")]
        assert codes == ["nothing_to_close", "nothing_to_resume", "nothing_to_requeue", "unknown_flag"]
        connection.execute("INSERT INTO alerts SELECT 1, seen_at, 0, 'exit_waiting', 'ord-1' FROM standing")
    assert status(path)["look_at"] == ["exit_waiting ord-1"]


def test_a_database_that_does_not_say_where_it_stands_names_the_remedy(tmp_path: Path) -> None:
    """Rows alone are no status: `oracle rebuild` finds out, and so does a question that catches up."""
    data = tmp_path / "run"
    shutil.copytree(demo()[1], data)
    with closing(sqlite3.connect(data / "oracle.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM standing")
    for ask in (status, deadletters):
        with pytest.raises(BadUsage, match="`oracle rebuild --data"):
            ask(data)


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


def test_the_tables_answer_as_far_as_they_are(tmp_path: Path) -> None:
    """A process at work asks its own tables, which may be a moment behind: the status says at which record."""
    stage = Stage(DAY)
    stage.buy("10:30:00")
    bodies = bodies_of(stage)
    path = killed(tmp_path / "run", bodies, tables=len(bodies) - 1)
    assert status(path)["record"] == len(bodies) - 1
    assert [one["phase"] for one in rows(path, "orders", limit=1)] == ["submitted"]


def test_a_table_that_does_not_exist_is_answered_with_all_there_are() -> None:
    """The message lists the tables."""
    with pytest.raises(BadUsage, match="no table 'meta'; there are: events, signals"):
        rows(demo()[1], "meta", limit=1)


# -- what was given up ----------------------------------------------------------------------------------------------


def refused(second: int, stage: Stage, body: str = LONG) -> None:
    """An alert that is judged without any price, put off once, and refused."""
    stage.alert(f"10:30:{second:02}", body)
    stage.tick(f"10:30:{second:02}")
    stage.tick(f"10:31:{second + 1:02}")


def test_only_what_failed_for_a_passing_reason_is_a_dead_letter(tmp_path: Path) -> None:
    """Not what was refused for good, nor what was answered; each says why, and how its alert begins."""
    stage = Stage(DAY)
    stage.alert("10:29:58", LONG.replace("SPY", "QQQ").replace("}", ', "timestamp": 1770900000}'))
    stage.tick("10:29:59", "QQQ 520")
    long = LONG.replace("}", f', "comment": "{"x" * 300}"' + "}")
    refused(0, stage, long)
    (found,) = deadletters(ended(tmp_path / "run", bodies_of(stage)))
    assert (found["id"], found["symbol"], found["code"]) == ("sig-000002", "SPY", "market_data_unavailable")
    assert found["text"] == words("market_data_unavailable")
    assert (found["requeueable"], found["body"]) == (True, long[:200])
    assert found["seen_at"] == instant(DAY, "10:31:01")


def test_an_entry_that_found_no_fill_is_a_dead_letter() -> None:
    """Of the demo's days: what failed and what had no price, oldest first, a limit keeps the newest."""
    found = deadletters(demo()[1])
    assert [(one["id"], one["code"]) for one in found] == [
        ("sig-000007", "market_data_unavailable"),
        ("sig-000008", "order_timeout"),
        ("sig-000009", "market_data_unavailable"),
    ]
    assert deadletters(demo()[1], 2) == found[1:]
    assert [one["requeueable"] for one in found] == [False, False, False]


def test_a_dead_letter_is_requeued_once(tmp_path: Path) -> None:
    """What was taken up again is no longer offered; its successor is, when that fails too."""
    stage = Stage(DAY)
    refused(0, stage)
    stage.take(OperatorAsked("sig-000001", "again", Ask.REQUEUE), at=instant(DAY, "10:32:00"))
    stage.tick("10:32:01")
    stage.tick("10:33:02")
    found = deadletters(ended(tmp_path / "run", bodies_of(stage)))
    assert [(one["id"], one["requeueable"]) for one in found] == [("sig-000001", False), ("sig-000002", True)]


def test_an_old_dead_letter_is_shown_and_no_longer_offered(tmp_path: Path) -> None:
    """After the horizon of memory a signal is gone from it, and its alert is stale by its own time."""
    assert REQUEUE_S_MAX == HORIZON_S
    stage = Stage(DAY)
    refused(0, stage)
    stage.day = "2026-02-17"
    stage.tick("09:40:00")
    (found,) = deadletters(ended(tmp_path / "run", bodies_of(stage)))
    assert not found["requeueable"]
    assert "sig-000001" not in stage.portfolio.signals


def test_an_alert_that_failed_is_offered_until_it_was_received_again(tmp_path: Path) -> None:
    """Its body, as it was journaled, is what may be received once more."""
    stage = Stage(DAY)
    stage.alert("10:30:00", LONG, source="desk")
    path = ended(tmp_path / "run", bodies_of(stage))
    with closing(sqlite3.connect(path / "oracle.db", isolation_level=None)) as connection:
        connection.execute("UPDATE events SET status = 'error', code = 'processing_failed', signal_id = NULL")
        (found,) = deadletters(path)
        assert (found["id"], found["code"], found["requeueable"]) == ("evt-000001", "processing_failed", True)
        assert alert_of(path, "evt-000001") == (LONG, "desk")
        columns = ", ".join(name for name in EVENTS.names if name not in ("lsn", "id", "status"))
        connection.execute(
            f"INSERT INTO events (lsn, id, status, {columns}) "  # noqa: S608
            f"SELECT lsn + 1, 'evt-000002', 'duplicate', {columns} FROM events"
        )
    assert [one["requeueable"] for one in deadletters(path)] == [False]
    with pytest.raises(BadUsage, match="no alert 'evt-000009' in"):
        alert_of(path, "evt-000009")


def test_what_was_turned_away_and_what_was_switched_can_be_listed(tmp_path: Path) -> None:
    """Refused calls, halts and flags are tables like any other."""
    stage = Stage(DAY)
    at = instant(DAY, "10:30:00")
    stage.take(CallsRefused(at, (RefusedCalls("invalid_signature", 401, 2, "a", "b"),)), at=at)
    stage.take(OperatorAsked("", "lunch", Ask.HALT), at=at)
    stage.take(OperatorAsked("snap_unlisted", "", Ask.FLAG_OFF), at=at)
    path = ended(tmp_path / "run", bodies_of(stage))
    (call,), (halt,), (flag,) = (rows(path, name, limit=9) for name in ("calls", "halts", "flags"))
    assert (call["reason"], call["status"], call["count"], call["since"]) == ("invalid_signature", 401, 2, at)
    assert (halt["kind"], halt["code"], halt["words"]) == ("halted", "entries_halted", "lunch")
    assert (flag["name"], flag["on"]) == ("snap_unlisted", 0)
    assert rows(path, "calls", limit=9, where=("reason=body_too_large",)) == []
