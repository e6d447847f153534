"""Alerts admitted: a signal, a duplicate, something ignored, or faults; and what an exit alert closes."""

from typing import Any

import pytest
from msgspec.structs import replace

from rules import intake
from rules.settings import IntakeSettings, Settings
from state.facts import AlertLogged, CloseAsked, ExitChosen, OrderCancelAsked, SignalCreated
from state.inputs import MarketChosen, MarketKind
from state.signal import SignalPhase
from tests.stage import SPY_CALL, TRACE, Stage, instant

DAY = "2026-02-13"
AT = instant(DAY, "10:30:00") // 10**9
SPY: dict[str, Any] = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
CLOSING = replace(TRACE, intake=IntakeSettings(exit_alerts="close"))


def told(stage: Stage, clock: str, body: str | None = None, source: str = "webhook", **fields: Any) -> AlertLogged:
    """The answer to one alert."""
    stage.alert(clock, body, source, **fields)
    return stage.last(AlertLogged)


def test_an_accepted_alert_is_a_pending_signal() -> None:
    """It has its event, source, profile and instant, and is watched to the horizon of its profile."""
    stage = Stage(DAY)
    logged = told(stage, "10:30:00", **SPY, timestamp=AT)
    signal = stage.last(SignalCreated).signal
    assert (logged.status, logged.code, logged.signal_id) == ("accepted", None, "sig-000001")
    assert (logged.symbol, logged.direction, logged.timeframe) == ("SPY", "long", "5m")
    assert (signal.event_id, signal.source, signal.profile) == (logged.event_id, "webhook", "short_dated")
    assert signal.phase is SignalPhase.PENDING
    assert signal.watch_until == instant("2026-02-18", "10:30:00")
    assert stage.portfolio.watches == {("SPY", "short_dated"): signal.watch_until}


def test_a_named_contract_is_watched_itself() -> None:
    """An alert on an option watches the option, and a profile of its own the longer horizon."""
    stage = Stage(DAY)
    told(stage, "10:30:00", symbol=SPY_CALL, direction="long", timeframe="5m", profile="swing")
    # Twenty-four days of 24 hours, over the night in which New York's clocks go forward.
    assert stage.portfolio.watched_contracts == {SPY_CALL: instant("2026-03-09", "11:30:00")}


# -- the market an alert is judged in -------------------------------------------------------------------------------


AGED = [
    (MarketKind.SIMULATED, -86_400, "SignalApproved"),
    (MarketKind.SIMULATED, 86_400, "SignalApproved"),
    (MarketKind.TAPE, -86_400, "SignalRefused"),
    (None, -86_400, "SignalRefused"),
]


@pytest.mark.parametrize(("market", "off_s", "judged"), AGED)
def test_in_a_simulated_market_an_alert_is_as_old_as_its_receipt(
    market: MarketKind | None, off_s: int, judged: str
) -> None:
    """An alert of yesterday or tomorrow is traded there; on a tape, or before any choice, it is stale."""
    stage = Stage(DAY, TRACE)
    if market is not None:
        stage.take(MarketChosen(market, seed=7), at=instant(DAY, "09:00:00"))
    logged = told(stage, "10:30:00", **SPY, timestamp=AT + off_s)
    facts = stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert judged in [type(one).__name__ for one in facts]
    assert ("age_by_receipt" in logged.warnings) == (market is MarketKind.SIMULATED)
    assert told(stage, "10:45:00", **SPY, timestamp=AT + off_s).code == "duplicate_content"


# -- duplicates -----------------------------------------------------------------------------------------------------


WINDOWS = [
    ("5m", {}, "10:30:59", "duplicate_window"),
    ("5m", {}, "10:31:00", None),
    ("1m", {}, "10:30:29", "duplicate_window"),
    ("1m", {}, "10:30:30", None),
    ("5m", {"duplicate_windows_s": {"5m": 300}}, "10:34:59", "duplicate_window"),
    ("5m", {"duplicate_windows_s": {"5m": 0}}, "10:30:00", None),
    ("5m", {"duplicate_window_s": 20}, "10:30:20", None),
]


@pytest.mark.produces("duplicate_window")
@pytest.mark.parametrize(("timeframe", "changes", "clock", "code"), WINDOWS)
def test_a_like_alert_repeats_within_a_window(timeframe: str, changes: Any, clock: str, code: str | None) -> None:
    """A minute, at most half the timeframe, unless set per timeframe; bounds belong to the next alert."""
    stage = Stage(DAY, Settings(intake=IntakeSettings(**changes)))
    told(stage, "10:30:00", symbol="SPY", direction="long", timeframe=timeframe)
    logged = told(stage, clock, symbol="SPY", direction="long", timeframe=timeframe)
    assert (logged.code, logged.signal_id) == (code, "sig-000001" if code else "sig-000002")
    assert logged.status == ("duplicate" if code else "accepted")


def test_duplicates_do_not_extend_the_window() -> None:
    """The window counts from the last accepted signal, however often it was repeated in between."""
    stage = Stage(DAY)
    codes = [told(stage, f"10:{minute}", **SPY).status for minute in ("30:00", "30:50", "30:59", "31:00")]
    assert codes == ["accepted", "duplicate", "duplicate", "accepted"]


OTHERS = [{"direction": "short"}, {"symbol": "QQQ"}, {"timeframe": "15m"}, {"is_test": True}]


@pytest.mark.parametrize("changes", OTHERS)
def test_what_differs_is_no_duplicate(changes: dict[str, Any]) -> None:
    """Symbol, direction, timeframe and the test mark tell two alerts apart, by content and by window."""
    stage = Stage(DAY)
    told(stage, "10:30:00", **SPY, timestamp=AT)
    assert told(stage, "10:30:01", **(SPY | changes), timestamp=AT).status == "accepted"


@pytest.mark.produces("duplicate_content")
def test_the_same_alert_is_known_for_two_days() -> None:
    """A sender's retry is answered with the first signal's id long after the window, and never decided twice."""
    stage = Stage(DAY)
    told(stage, "10:30:00", **SPY, timestamp=AT)
    logged = told(stage, "12:30:00", **SPY, timestamp=AT)
    assert (logged.status, logged.code, logged.signal_id) == ("duplicate", "duplicate_content", "sig-000001")
    assert len(stage.portfolio.signals) == 1


def test_an_alert_without_a_time_has_no_content_identity() -> None:
    """Its hash holds the instant of receipt: two minutes later it is a new alert."""
    stage = Stage(DAY)
    told(stage, "10:30:00", **SPY)
    assert told(stage, "10:32:00", **SPY).status == "accepted"


# -- what is no entry -----------------------------------------------------------------------------------------------


@pytest.mark.produces("unknown_profile")
def test_an_unknown_profile_is_a_fault_of_the_alert() -> None:
    """The answer names the profiles there are."""
    logged = told(Stage(DAY), "10:30:00", **SPY, profile="weekly")
    assert (logged.status, logged.code) == ("invalid_payload", "unknown_profile")
    assert logged.errors[0].message.endswith("short_dated, swing")


IGNORED = [
    ({"symbol": "SPY", "action": "close"}, "ignored", "exit_alert"),
    ({"event": "ping"}, "ignored", "ping"),
    ({"symbol": "SPY", "timeframe": "5m", "bias": "BULLISH"}, "invalid_payload", "not_an_entry"),
    ({"symbol": "SPY", "direction": "long"}, "invalid_payload", "missing_timeframe"),
    ({"price": 595.42}, "invalid_payload", "missing_symbol"),
]


@pytest.mark.produces("exit_alert", "ping", "not_an_entry", "missing_timeframe", "missing_symbol")
@pytest.mark.parametrize(("fields", "status", "code"), IGNORED)
def test_what_is_no_entry_changes_nothing_but_the_log(fields: dict[str, Any], status: str, code: str) -> None:
    """No signal, no watch, no hash: one answer with its code."""
    stage = Stage(DAY)
    logged = told(stage, "10:30:00", **fields)
    assert (logged.status, logged.code, logged.event_id) == (status, code, "evt-000001")
    assert (stage.portfolio.signals, stage.portfolio.watches, stage.portfolio.hashes) == ({}, {}, {})


# -- exit alerts ----------------------------------------------------------------------------------------------------


EXITS = [
    ({}, {}, ["pos-000001"]),
    ({"direction": "close_long"}, {}, ["pos-000001"]),
    ({"direction": "close_short"}, {}, []),
    ({"symbol": "QQQ"}, {}, []),
    ({}, {"source": "scanner"}, []),
    ({"is_test": True}, {}, []),
    ({"symbol": "SPY260220C00596000"}, {}, ["pos-000001"]),
    ({"symbol": "SPY260220C00597000"}, {}, []),
]


@pytest.mark.produces("exit_alert")
@pytest.mark.parametrize(("fields", "sender", "closed"), EXITS)
def test_an_exit_alert_closes_what_it_is_about(fields: Any, sender: Any, closed: list[str]) -> None:
    """Same source, symbol, direction, contract and test mark; anything else is left alone."""
    stage = Stage(DAY, CLOSING)
    stage.buy("10:30:00")
    told(stage, "11:00:00", **({"symbol": "SPY", "action": "close"} | fields), **sender)
    assert [one.position_id for one in stage.of(CloseAsked)] == closed
    assert {one.reason for one in stage.of(CloseAsked)} <= {"exit_alert"}
    stage.tick("11:00:00", f"{SPY_CALL} 3.43 3.47")
    assert [one.reasons for one in stage.of(ExitChosen)] == [("exit_alert",)] * len(closed)


def test_an_exit_alert_asks_once() -> None:
    """A second one finds the position asked for already; where alerts are ignored nothing is asked at all."""
    stage = Stage(DAY, CLOSING)
    stage.buy("10:30:00")
    for clock in ("20:00:00", "20:01:00"):
        told(stage, clock, symbol="SPY", action="exit")
    assert len(stage.of(CloseAsked)) == 1
    ignoring = Stage(DAY, TRACE)
    ignoring.buy("10:30:00")
    assert told(ignoring, "11:00:00", symbol="SPY", action="close").code == "exit_alert"
    assert ignoring.of(CloseAsked) == []


def test_an_admission_that_failed_is_answered() -> None:
    """The sender of an alert no rule could read is told so, under the number of its event."""
    (logged,) = intake.unanswerable("evt-000007")
    assert (logged.event_id, logged.status, logged.code) == ("evt-000007", "error", "processing_failed")


@pytest.mark.parametrize(("source", "given_up"), [("webhook", ["ord-000001"]), ("another", [])])
def test_an_exit_alert_gives_up_the_entries_in_flight(source: str, given_up: list[str]) -> None:
    """Those of its own source and symbol; another sender's are left alone."""
    stage = Stage(DAY, CLOSING)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    told(stage, "10:30:01", source=source, symbol="SPY", action="close")
    assert [one.order_id for one in stage.of(OrderCancelAsked)] == given_up
