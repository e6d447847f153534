"""Finding all that belongs to an id: the same rows from whichever end one asks, and a clear word for an unknown id."""

import json
from pathlib import Path

import pytest

from oracle.explain import explain
from oracle.queries import rows
from state.errors import BadUsage
from state.inputs import Ask, OperatorAsked
from tests.directories import bodies_of, ended
from tests.runs import demo, trade
from tests.stage import SPY_CALL, Stage, instant

TABLES = ("events", "signals", "verdicts", "orders", "fills", "positions", "outcomes", "alerts", "failures")


@pytest.mark.parametrize("asked", ["evt-000001", "sig-000001", "ord-000001", "fil-000001", "pos-000001", "out-000001"])
def test_every_end_of_a_trade_tells_the_same_story(asked: str) -> None:
    """Alert, signal, order, fill, position and outcome of one trade lead to the same rows."""
    _, data = demo()
    told = explain(data, asked)
    assert tuple(told["rows"]) == TABLES
    assert told["story"] == explain(data, "pos-000001")["story"]
    assert told["headline"].startswith(asked.replace("pos", "out"))
    assert len(told["rows"]["fills"]) == 3
    json.dumps(told)


def test_a_refused_alert_has_a_story_of_its_own() -> None:
    """Without a signal there is nothing to follow."""
    _, data = demo()
    told = explain(data, "evt-000005")
    assert {name: len(found) for name, found in told["rows"].items() if found} == {"events": 1}


def test_a_failed_entry_belongs_to_its_signal() -> None:
    """An order that found no fill opened no position, and is told all the same."""
    _, data = demo()
    told = explain(data, "sig-000008")
    assert [one["id"] for one in told["rows"]["orders"]] == ["ord-000005"]
    assert told["rows"]["positions"] == []
    assert explain(data, "ord-000005")["story"] == told["story"]


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ("sig-999999", "`oracle signals` lists what there is"),
        ("fil-999999", "`oracle trades` lists what there is"),
        ("sig", "there is no sig in"),
        ("SPY", "ids look like evt-000001"),
        ("", "ids look like evt-000001"),
    ],
)
def test_an_unknown_id_is_answered_with_where_to_look(asked: str, remedy: str) -> None:
    """The message names the command that lists ids, or what an id looks like."""
    _, data = demo()
    with pytest.raises(BadUsage, match=remedy):
        explain(data, asked)


def test_a_requeued_signal_tells_what_it_took_up(tmp_path: Path) -> None:
    """From either end: the alert it goes back to, every try, and what the last one came to."""
    stage = Stage("2026-02-13")
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:01")
    stage.tick("10:31:02")
    stage.take(OperatorAsked("sig-000001", "prices are back", Ask.REQUEUE), at=instant("2026-02-13", "10:32:00"))
    for clock in ("10:32:01", "10:32:03"):
        stage.tick(clock, "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    path = ended(tmp_path / "run", bodies_of(stage))
    told = explain(path, "sig-000002")
    assert [one["id"] for one in told["rows"]["events"]] == ["evt-000001"]
    assert [one["id"] for one in told["rows"]["signals"]] == ["sig-000001", "sig-000002"]
    assert [one["id"] for one in told["rows"]["positions"]] == ["pos-000001"]
    assert told["story"] == explain(path, "sig-000001")["story"] == explain(path, "evt-000001")["story"]
    assert any("sig-000001" in line and "market_data_unavailable" in line for line in told["story"])
    assert any("sig-000002 takes up sig-000001" in line for line in told["story"])
    assert not told["simulated"]


def test_text_of_an_alert_stays_text(tmp_path: Path) -> None:
    """A field of an alert that begins like JSON is no JSON, neither here nor in a listing."""
    odd = '{"symbol": "SPY", "side": "buy", "tf": "5m", "is_test": true, "test_session": "[", "test_scenario": "{1"}'
    data = trade(tmp_path, "10:30:00 SPY 595.42", f"10:30:00 {odd}")
    (event,) = rows(data, "events", limit=9)
    assert (event["test_session"], event["test_scenario"], event["errors"]) == ("[", "{1", [])
    assert explain(data, "evt-000001")["rows"]["events"] == [event]
