"""The rows of a record: every noun it changed, every fact that is a row of its own, and what an input alone says."""

from contextlib import closing
from pathlib import Path
from typing import Any

from state import tables
from state.facts import UnitFailed
from state.inputs import AlertReceived, Ask, CallsRefused, OperatorAsked, RefusedCalls
from state.portfolio import Portfolio
from state.projecting import Projector
from state.record import Record
from state.recovery import fold
from state.tables import Projected, Table, reading
from tests.directories import bodies_of, ended
from tests.stage import SPY_CALL, Stage, instant
from tests.test_tables import story

DAY = "2026-02-13"


def projected(stage: Stage) -> list[Projected]:
    """The rows of every record of a stage."""
    portfolio, projector = Portfolio(), Projector()
    return [projector.project(portfolio, fold(portfolio, body), body.seen_at) for body in bodies_of(stage)]


def rows_in(found: list[Projected], table: Table) -> list[dict[str, Any]]:
    """All rows for a table, by column, in the order they are written."""
    return [
        dict(zip(table.names, row.values(), strict=True)) for one in found for row in one.rows if row.table is table
    ]


def test_rows_say_what_the_nouns_say_after_every_record() -> None:
    """No fact changes a noun behind its row: after each record every noun in memory equals its last row."""
    portfolio, projector = Portfolio(), Projector()
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    kept = (
        (tables.SIGNALS, portfolio.signals),
        (tables.ORDERS, portfolio.orders),
        (tables.POSITIONS, portfolio.positions),
    )
    for body in story():
        changed = projector.project(portfolio, fold(portfolio, body), body.seen_at)
        for table, nouns in kept:
            own = (row.values()[len(table.lead) :] for row in changed.rows if row.table is table)
            rows.update({(table.name, values[0]): values for values in own})
            for name, noun in nouns.items():
                assert rows[table.name, name] == tuple(one.read(noun) for one in table.columns), body.lsn
    assert {table for table, _ in rows} == {"signals", "orders", "positions"}


def test_a_failed_unit_has_a_row_and_its_signal_another() -> None:
    """What a rule could not judge is in the failures, numbered by its place in the record."""
    portfolio = Portfolio()
    for body in story()[:3]:
        fold(portfolio, body)
    record = Record(OperatorAsked("all", "x"), (UnitFailed("sig-000001", "processing_failed", "KeyError"),))
    (failure, signal) = Projector().project(portfolio, record, 7).rows
    assert failure.table is tables.FAILURES
    assert failure.values() == (3, 7, 0, "sig-000001", "processing_failed", "KeyError", None)
    assert (signal.table, signal.values()[:3]) == (tables.SIGNALS, (3, 7, "sig-000001"))


def test_an_alert_keeps_the_call_that_brought_it() -> None:
    """The request id of the webhook's answer finds its alert; one out of a file has none."""
    stage = Stage(DAY)
    body = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
    stage.take(AlertReceived(body, "webhook", "3f0c"), at=instant(DAY, "10:30:00"))
    stage.take(AlertReceived(body, "desk"), at=instant(DAY, "10:30:01"))
    events = rows_in(projected(stage), tables.EVENTS)
    assert [(one["request_id"], one["source"], one["body"]) for one in events] == [
        ("3f0c", "webhook", body),
        ("", "desk", body),
    ]


def test_refused_calls_have_a_row_for_each_reason(tmp_path: Path) -> None:
    """They are an input without any fact, and are found all the same."""
    stage = Stage(DAY)
    calls = (
        RefusedCalls("invalid_signature", 401, 3, "POST /webhook a", "POST /webhook c"),
        RefusedCalls("body_too_large", 413, 1, "POST /webhook", "POST /webhook"),
    )
    since, at = instant(DAY, "10:29:00"), instant(DAY, "10:30:00")
    stage.take(CallsRefused(since, calls), at=at)
    with closing(reading(ended(tmp_path / "run", bodies_of(stage)) / "oracle.db")) as connection:
        found = [tuple(row) for row in connection.execute("SELECT * FROM calls")]
    assert found == [
        (3, at, 0, since, "invalid_signature", 401, 3, "POST /webhook a", "POST /webhook c"),
        (3, at, 1, since, "body_too_large", 413, 1, "POST /webhook", "POST /webhook"),
    ]


def test_halts_and_flags_have_a_history() -> None:
    """Each time entries were halted and resumed, and each time a switch was set, with the words that were given."""
    stage = Stage(DAY)
    asks = (
        (Ask.HALT, "", "lunch"),
        (Ask.RESUME, "", "back"),
        (Ask.FLAG_ON, "allow_premarket", "try it"),
        (Ask.FLAG_CLEAR, "allow_premarket", ""),
    )
    for second, (ask, about, words) in enumerate(asks):
        stage.take(OperatorAsked(about, words, ask), at=instant(DAY, f"10:30:0{second}"))
    found = projected(stage)
    halts, flags = rows_in(found, tables.HALTS), rows_in(found, tables.FLAGS)
    assert [(one["lsn"], one["kind"], one["code"], one["words"]) for one in halts] == [
        (3, "halted", "entries_halted", "lunch"),
        (4, "resumed", "entries_halted", "back"),
    ]
    assert [(one["lsn"], one["name"], one["on"], one["words"]) for one in flags] == [
        (5, "allow_premarket", 1, "try it"),
        (6, "allow_premarket", None, ""),
    ]


def test_every_row_with_a_price_says_whose_it_is() -> None:
    """Orders, fills, positions and outcomes of a simulated market are told from others row by row."""
    stage = Stage(DAY, source="simulated")
    stage.buy("10:30:00")
    stage.ask_close("10:31:00")
    for clock in ("10:31:01", "10:31:03"):
        stage.tick(clock, f"{SPY_CALL} 3.43 3.47")
    found = projected(stage)
    for table in (tables.ORDERS, tables.FILLS, tables.POSITIONS, tables.OUTCOMES):
        rows = rows_in(found, table)
        assert rows, table.name
        assert {one["market_source"] for one in rows} == {"simulated"}
