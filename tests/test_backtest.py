"""A backtest: from files to a data directory that answers every question, with the same digest each time."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from oracle import backtest, config
from oracle.backtest import HOUR
from state import keeping
from state.disk import Disk
from state.errors import BadUsage
from state.facts import OrderCreated, OrderFilled, SignalQueued, SignalRefused, UnitFailed
from state.inputs import CalendarAdopted, ConfigAdopted, TickReached
from state.record import Record
from state.recovery import History, recover
from state.segments import read
from state.snapshots import Store
from tests.tapes import new_york
from tests.trades import ALERTS, CALL, DAY, LONG, job, traded


def heard_in(root: Path, **given: Any) -> tuple[dict[str, Any], list[tuple[Record, int]]]:
    """The figures of a run and the records that were told while it went on."""
    heard: list[tuple[Record, int]] = []
    found = traded(root, heard=lambda record, seen_at: heard.append((record, seen_at)), **given)
    return found, heard


def facts_in(heard: list[tuple[Record, int]], kind: type) -> list[Any]:
    """The facts of one kind."""
    return [fact for record, _ in heard for fact in record.facts if isinstance(fact, kind)]


def test_the_figures_are_those_of_the_trade(tmp_path: Path) -> None:
    """3.47 to 5.28 less two commissions; the test signal's loss is in no figure but its own."""
    found, heard = heard_in(tmp_path)
    assert found["alerts"] == {"accepted": 2, "duplicate": 1, "invalid_payload": 1}
    assert found["signals"] == {"approved": 1, "rejected": 1}
    assert found["refusals"] == {"body_not_json": 1, "market_data_unavailable": 1}
    assert found["exits"] == {"profit_target": 1}
    assert (found["trades_closed"], found["trades_won"], found["fills"]) == (1, 1, 2)
    assert (found["test_alerts"], found["test_trades"]) == (1, 1)
    assert (found["realized_gross"], found["commission"], found["realized_net"]) == (
        181_000_000,
        1_400_000,
        179_600_000,
    )
    assert found["cash"] == found["equity"] == found["cash_start"] + 179_600_000
    assert found["records"] == len(heard)
    assert facts_in(heard, UnitFailed) == []


def test_it_begins_with_what_must_be_known(tmp_path: Path) -> None:
    """Configuration and calendar come first, the calendar from before the run to beyond the last expiration."""
    _, heard = heard_in(tmp_path, config="[fills]\nlatency_s = 2\n")
    first, second = (record.input for record, _ in heard[:2])
    assert isinstance(first, ConfigAdopted)
    assert config.decode(first.body).fills.latency_s == 2
    assert isinstance(second, CalendarAdopted)
    assert second.calendar.first.isoformat() < DAY < "2026-02-20" < second.calendar.last.isoformat()


def test_the_journal_holds_what_was_heard_in_its_order(tmp_path: Path) -> None:
    """Every record, told once it was durable, at instants that never go back."""
    found, heard = heard_in(tmp_path)
    bodies = list(read(Disk(), tmp_path / "run" / "journal"))
    assert [(body.lsn, body.seen_at, body.kind) for body in bodies] == [
        (lsn, seen_at, type(record.input).__name__) for lsn, (record, seen_at) in enumerate(heard, 1)
    ]
    assert sorted(body.seen_at for body in bodies) == [body.seen_at for body in bodies]
    assert History(Disk(), tmp_path / "run" / "journal").chain_at(len(bodies)) == bytes.fromhex(found["chain"])


def test_every_alert_is_followed_by_exactly_one_cycle_at_its_instant(tmp_path: Path) -> None:
    """What arrives is judged at once, together with all else that arrived then."""
    _, heard = heard_in(tmp_path)
    ticks = [seen_at for record, seen_at in heard if isinstance(record.input, TickReached)]
    for one in ALERTS:
        at = new_york(DAY, one["at"][11:19])
        assert ticks.count(at) == 1


def test_a_fill_waits_for_the_next_quote(tmp_path: Path) -> None:
    """Decided at 10:30:00 on the quote of that instant, filled at 10:31:00 on the next."""
    _, heard = heard_in(tmp_path)
    order, fill = facts_in(heard, OrderCreated)[0].order, facts_in(heard, OrderFilled)[0].fill
    assert (order.contract.occ, order.created_at, order.decision_quote_at) == (CALL, *[new_york(DAY, "10:30:00")] * 2)
    assert (fill.quote_at, fill.filled_at) == (new_york(DAY, "10:31:00"),) * 2


def test_the_same_inputs_give_the_same_chain_and_others_another(tmp_path: Path) -> None:
    """Where the run is kept and who listens is no input; a setting is."""
    roots = [tmp_path / name for name in ("one", "two", "three")]
    for root in roots:
        root.mkdir()
    first, _ = heard_in(roots[0])
    assert traded(roots[1]) == first
    assert traded(roots[2], config="[fills]\nlatency_s = 2\n")["chain"] != first["chain"]


def test_a_snapshot_at_the_end_saves_the_folding(tmp_path: Path) -> None:
    """What opens the directory next starts where the run ended, with the digest that folding everything gives."""
    found = traded(tmp_path)
    history = History(Disk(), tmp_path / "run" / "journal")

    async def recovered() -> tuple[int, int, str, str]:
        store = await Store.open(tmp_path / "run" / "oracle.db")
        try:
            kept, folded = await recover(history, store), await recover(history)
        finally:
            await store.close()
        return kept.snapshot_lsn, kept.folded, keeping.digest(kept.portfolio), keeping.digest(folded.portfolio)

    snapshot_lsn, folded, one, other = asyncio.run(recovered())
    assert (snapshot_lsn, folded) == (found["records"], 0)
    assert one == other


def test_the_query_tables_are_filled(tmp_path: Path) -> None:
    """One row for each noun of the run."""
    traded(tmp_path)
    connection = sqlite3.connect(tmp_path / "run" / "oracle.db")
    counts = {
        name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
        for name in ("events", "signals", "orders", "fills", "positions", "outcomes")
    }
    connection.close()
    assert counts == {"events": 5, "signals": 3, "orders": 4, "fills": 4, "positions": 2, "outcomes": 2}


def test_progress_goes_forward_to_the_end_and_a_little_beyond(tmp_path: Path) -> None:
    """What expires with the last quote is settled within the hour."""
    told: list[tuple[int, int]] = []
    asyncio.run(backtest.run(job(tmp_path), progress=lambda done, total: told.append((done, total))))
    assert told == sorted(told)
    assert 0 < told[0][0] <= told[-1][0] <= told[-1][1] + HOUR


def test_a_tape_without_alerts_observes_nothing(tmp_path: Path) -> None:
    """Nothing is wanted, so no cycle is owed."""
    found = asyncio.run(backtest.run(job(tmp_path, alerts=())))
    assert (found["records"], found["facts"], found["market"]) == (3, 0, "none")


def test_an_alert_before_the_open_waits_for_it(tmp_path: Path) -> None:
    """In mode queue it is judged at the opening bell, when the tape knows nothing yet, and once more after it."""
    early = {"at": f"{DAY}T08:00:00-05:00", "body": {**LONG, "timestamp": new_york(DAY, "08:00:00") // 10**9}}
    heard: list[tuple[Record, int]] = []
    one = job(tmp_path, config='[session]\nclosed_market_mode = "queue"\n', alerts=(early,))
    asyncio.run(backtest.run(one, heard=lambda record, seen_at: heard.append((record, seen_at))))
    assert facts_in(heard, SignalQueued)[0].until == new_york(DAY, "09:30:00")
    assert [fact.code for fact in facts_in(heard, SignalRefused)] == ["market_data_unavailable"]


# -- what cannot be used --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.toml", "[fills]\nmodle = 'mid'\n"),
        ("alerts.jsonl", '{"at": "2150-01-01T00:00:00Z", "body": {}}\n'),
        ("alerts.jsonl", "{\n"),
        ("tape/tape.toml", "format = 99\n"),
        ("tape/quotes.csv", "at\n"),
    ],
)
def test_bad_files_are_refused_before_anything_is_written(tmp_path: Path, name: str, content: str) -> None:
    """Exit 2, and the data directory does not exist."""
    one = job(tmp_path, config="")
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(BadUsage):
        asyncio.run(backtest.run(one))
    assert not one.out.exists()


def test_a_run_never_writes_over_another(tmp_path: Path) -> None:
    """A directory that holds something is refused, and stays as it is."""
    traded(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(BadUsage, match="not empty"):
        asyncio.run(backtest.run(job(tmp_path)))
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
