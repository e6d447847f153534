"""What a run came to: every fact counted once, and test signals never among the others."""

from typing import Any

import pytest

from oracle.summary import Summary
from rules.settings import IntakeSettings, Settings
from state.facts import Alerted, UnitFailed
from state.inputs import TickReached
from state.record import Record
from tests.stage import Stage

DAY = "2026-02-13"
CALL, PUT = "SPY260220C00596000", "SPY260220P00595000"


def heard(stage: Stage) -> dict[str, Any]:
    """The figures of everything that happened on a stage."""
    summary = Summary()
    for record in stage.records:
        summary.hear(record)
    return summary.figures(stage.portfolio, chain="c0ffee")


def trade(stage: Stage, **fields: Any) -> None:
    """One signal from alert to a profit of 1.81 a share, for people or for a test."""
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m", **fields)
    stage.tick("10:30:00", "SPY 595.42", f"{CALL} 3.43 3.47")
    stage.tick("10:30:02", f"{CALL} 3.43 3.47")
    stage.tick("10:40:00", f"{CALL} 5.30 5.34")
    stage.tick("10:40:02", f"{CALL} 5.28 5.32")


def test_a_trade_is_counted_with_its_money() -> None:
    """One signal, two fills, one exit, and cash that grew by the net result."""
    stage = Stage(DAY)
    trade(stage)
    found = heard(stage)
    assert (found["alerts"], found["signals"], found["exits"]) == (
        {"accepted": 1},
        {"approved": 1},
        {"profit_target": 1},
    )
    assert (found["fills"], found["trades_closed"], found["trades_won"], found["positions_open"]) == (2, 1, 1, 0)
    assert found["realized_net"] == found["realized_gross"] - found["commission"] == 179_600_000
    assert found["equity"] == found["cash"] == found["cash_start"] + 179_600_000
    assert (found["records"], found["facts"]) == (len(stage.records), len(stage.facts))
    assert (found["market"], found["chain"]) == ("recorded", "c0ffee")


def test_a_test_signal_is_in_no_figure_but_its_own() -> None:
    """The same trade as a test: nothing approved, filled, won or earned, and one test trade."""
    stage = Stage(DAY)
    trade(stage, is_test=True)
    found = heard(stage)
    assert [found[name] for name in ("alerts", "signals", "refusals", "exits")] == [{}] * 4
    assert [found[name] for name in ("fills", "trades_closed", "trades_won", "realized_net", "commission")] == [0] * 5
    assert (found["test_alerts"], found["test_trades"], found["equity"]) == (1, 1, found["cash_start"])


def test_refusals_of_tests_and_of_others_are_told_apart() -> None:
    """Each once, by its code."""
    stage = Stage(DAY)
    for number, is_test in enumerate((True, False, False)):
        stage.alert(f"10:3{number}:00", symbol="SPY", direction="long", timeframe="5m", timestamp=1, is_test=is_test)
        stage.tick(f"10:3{number}:00", "SPY 595.42")
    stage.alert("10:35:00", body="nothing that could be read")
    found = heard(stage)
    assert found["refusals"] == {"body_not_json": 1, "signal_stale": 1}
    assert found["alerts"] == {"accepted": 1, "duplicate": 1, "invalid_payload": 1}
    assert found["signals"] == {"rejected": 1}


def test_an_open_position_is_in_marks_and_unrealized() -> None:
    """Equity is cash plus marks, and the loss of the spread is not realized."""
    stage = Stage(DAY)
    stage.alert("10:30:00", symbol="SPY", direction="short", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{PUT} 2.98 3.02")
    stage.tick("10:30:02", f"{PUT} 2.98 3.02")
    found = heard(stage)
    assert (found["positions_open"], found["marks"], found["unrealized"]) == (1, 300_000_000, -2_000_000)
    assert found["equity"] == found["cash"] + 300_000_000


def test_a_loss_is_a_trade_that_was_not_won() -> None:
    """An asked close at a lower price."""
    stage = Stage(DAY, Settings(intake=IntakeSettings(exit_alerts="close")))
    stage.alert("10:30:00", symbol="SPY", direction="short", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{PUT} 2.98 3.02")
    stage.tick("10:30:02", f"{PUT} 2.98 3.02")
    stage.ask_close("10:31:00")
    stage.tick("10:31:00", f"{PUT} 2.90 2.94")
    stage.tick("10:31:02", f"{PUT} 2.90 2.94")
    found = heard(stage)
    assert (found["exits"], found["trades_closed"], found["trades_won"]) == ({"manual": 1}, 1, 0)


@pytest.mark.parametrize(
    "fact", [Alerted("exit_waiting", "ord-000001"), UnitFailed("sig-000001", "processing_failed", "KeyError")]
)
def test_what_somebody_should_look_at_is_counted(fact: Alerted | UnitFailed) -> None:
    """Alerts and failed rules, by their code."""
    summary, stage = Summary(), Stage(DAY)
    for _ in range(2):
        summary.hear(Record(TickReached(None), (fact,)))
    assert summary.figures(stage.portfolio, chain="")["look_at"] == {fact.code: 2}
