"""What an operator's ask is about, and that it is noted once."""

import pytest

from rules import operator
from state.facts import Alerted, CloseAsked, OrderCancelAsked, SignalFailed
from state.inputs import OperatorAsked
from tests.stage import SPY_CALL, TRACE, Stage

DAY = "2026-02-13"


def holding() -> Stage:
    """A stage with one closed and two open positions."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.ask_close("10:10:00")
    stage.tick("10:10:00", f"{SPY_CALL} 3.43 3.47")
    stage.tick("10:10:01", f"{SPY_CALL} 3.43 3.47")
    stage.buy("10:20:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    stage.buy("10:30:00", "IWM 250.50", "IWM260220C00251000 0.99 1.01")
    return stage


def test_an_ask_names_live_positions() -> None:
    """All means every open one, oldest first; an id means itself; what is closed or unknown is about nothing."""
    stage = holding()
    named = {
        one: operator.named(stage.portfolio, OperatorAsked(one, "x"))
        for one in ("all", "pos-000003", "pos-000001", "x")
    }
    assert named == {
        "all": ("pos-000002", "pos-000003"),
        "pos-000003": ("pos-000003",),
        "pos-000001": (),
        "x": (),
    }


def test_an_ask_is_noted_once_with_its_words() -> None:
    """The first ask keeps its words, the second finds it asked; positions it does not name are untouched."""
    stage = holding()
    assert stage.ask_close("20:00:00", "pos-000002", "news") == (CloseAsked("pos-000002", "manual", "news"),)
    assert stage.ask_close("20:01:00", "all", "again") == (CloseAsked("pos-000003", "manual", "again"),)
    assert stage.ask_close("20:02:00", "pos-000001", "gone") == (Alerted("nothing_to_close", "pos-000001"),)
    assert [one.close_asked for one in stage.portfolio.live_positions()] == ["manual", "manual"]


@pytest.mark.produces("close_asked", "nothing_to_close")
def test_an_ask_to_close_gives_up_the_entries_in_flight() -> None:
    """What would open after the ask does not: the entry is cancelled in the same cycle and its signal fails."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert stage.ask_close("10:30:01", "pos-000009") == (Alerted("nothing_to_close", "pos-000009"),)
    assert stage.ask_close("10:30:01", "all") == (OrderCancelAsked("ord-000001", "close_asked"),)
    stage.tick("10:30:01", f"{SPY_CALL} 3.43 3.47")
    assert (stage.last(SignalFailed).code, stage.portfolio.live_positions()) == ("close_asked", ())
