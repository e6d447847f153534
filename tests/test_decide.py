"""The written order of one cycle, and that a rule which fails for one unit stops no other."""

from collections.abc import Callable
from datetime import date
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from rules import entry, exits, reading
from rules.decide import decide
from rules.profiles import SHORT_DATED, Profiles
from state.errors import LawBroken
from state.facts import (
    AlertLogged,
    AnyFact,
    ExitChosen,
    NounsRetired,
    OrderCancelAsked,
    OrderCreated,
    PositionSettled,
    SignalApproved,
    SignalRefused,
    UnitFailed,
    subject_of,
)
from state.inputs import (
    AlertReceived,
    AnyInput,
    Ask,
    BrokerReported,
    CalendarAdopted,
    CallsRefused,
    ClockFellBehind,
    ClockJumped,
    ConfigAdopted,
    MarketChosen,
    MarketKind,
    OperatorAsked,
    RefusedCalls,
    ReportKind,
    StorageTurned,
    TickReached,
    TicksPassed,
)
from state.market import SettlementPrint
from state.signal import SignalPhase
from tests.stage import SPY_CALL, TRACE, Stage, instant, later, usd

DAY = "2026-02-13"
SPY = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47")
QQQ = ("QQQ 600.50", "QQQ260220C00601000 1.99 2.01")


def failing(rule: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """The same rule, dividing by zero for the units of some names."""

    def broken(portfolio: Any, unit: Any, *rest: Any) -> Any:
        if unit in names:
            raise ZeroDivisionError("the text of an exception stays out of the journal")
        return rule(portfolio, unit, *rest)

    return broken


def test_a_cycle_settles_then_exits_then_enters_then_sweeps() -> None:
    """One tick with something due in every stage: facts come in the written order, each unit after the one before."""
    profile = replace(SHORT_DATED, entry_dte_min=0, exit_dte_min=0, hold_hours_max=0)
    stage = Stage("2026-02-20", replace(TRACE, profiles=Profiles(short_dated=profile)))
    stage.broker = False
    stage.alert("09:59:00", symbol="IWM", direction="long", timeframe="5m")
    stage.tick("09:59:00", "IWM 250.50", "IWM260227C00251000 0.99 1.01")
    stage.broker = True
    stage.buy("15:00:00", quote=f"{SPY_CALL} 3.43 3.47")
    stage.buy("15:00:10", "QQQ 600.50", "QQQ260227C00601000 1.99 2.01")
    stage.broker = False
    stage.alert("15:30:00", symbol="AAPL", direction="long", timeframe="5m")
    stage.tick("15:30:00", "AAPL 150.10", "AAPL260227C00151000 2.00 2.02")
    stage.day = "2026-02-23"
    stage.alert("09:30:00", symbol="DIA", direction="long", timeframe="5m")
    at = instant("2026-02-20", "16:00:00")
    seen = SettlementPrint("SPY", stage.portfolio.sessions.day_of(at), opening=False, price=usd("600"), at=at)
    market = ("QQQ260227C00601000 9.99 10.01", "DIA 500.50", "DIA260227C00501000 1.99 2.01")
    facts = stage.tick("09:30:00", *market, settlements=(seen,))
    order = (PositionSettled, ExitChosen, SignalApproved, OrderCancelAsked, NounsRetired)
    positions = [next(place for place, one in enumerate(facts) if isinstance(one, kind)) for kind in order]
    assert positions == sorted(positions)
    assert [subject_of(one) for one in facts if isinstance(one, ExitChosen | SignalApproved)] == [
        "pos-000003",
        "sig-000005",
    ]


@pytest.mark.produces("processing_failed")
def test_a_signal_whose_rule_fails_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other signal of the cycle is ordered; the failing one waits a minute, then ends with its code."""
    monkeypatch.setattr(entry, "decide", failing(entry.decide, "sig-000001"))
    stage = Stage(DAY, TRACE)
    for symbol in ("SPY", "QQQ"):
        stage.alert("10:30:00", symbol=symbol, direction="long", timeframe="5m")
    stage.tick("10:30:00", *SPY, *QQQ)
    failed = UnitFailed("sig-000001", "processing_failed", "ZeroDivisionError", instant(DAY, "10:31:00"))
    assert stage.of(UnitFailed) == [failed]
    assert [one.order.contract.root for one in stage.of(OrderCreated)] == ["QQQ"]
    stage.tick("10:30:30", *SPY)
    assert len(stage.of(UnitFailed)) == 1
    stage.tick("10:31:00", *SPY)
    signal = stage.portfolio.signals["sig-000001"]
    assert (signal.phase, signal.reason, signal.attempts) == (SignalPhase.REJECTED, "processing_failed", 1)
    assert stage.last(UnitFailed).retry_at is None


def test_a_signal_whose_rule_recovers_is_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second try asks the rule afresh."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    with monkeypatch.context() as patch:
        patch.setattr(entry, "decide", failing(entry.decide, "sig-000001"))
        stage.tick("10:30:00", *SPY)
    stage.tick("10:31:00", *SPY)
    assert (len(stage.of(OrderCreated)), stage.of(SignalRefused)) == (1, [])
    assert stage.portfolio.signals["sig-000001"].retry_code == "processing_failed"


def test_a_position_whose_exit_rule_fails_is_told_at_every_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is applied, the other position leaves, and the fault is a fact of each cycle until it is mended."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.buy("10:31:00", *QQQ)
    stage.ask_close("11:00:00")
    with monkeypatch.context() as patch:
        patch.setattr(exits, "leave", failing(exits.leave, "pos-000001"))
        for seconds in range(3):
            stage.tick(later("11:00:00", seconds), SPY[1], QQQ[1])
    assert [(one.unit, one.retry_at) for one in stage.of(UnitFailed)] == [("pos-000001", None)] * 3
    assert [one.id for one in stage.portfolio.live_positions()] == ["pos-000001"]
    stage.tick("11:00:03", SPY[1])
    assert stage.last(ExitChosen).position_id == "pos-000001"


def test_an_alert_whose_rule_fails_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender hears an error under an event number that is not given again."""

    def broken(*_: Any, **__: Any) -> Any:
        raise RecursionError

    stage = Stage(DAY, TRACE)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read", broken)
        facts = stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    assert [type(one) for one in facts] == [UnitFailed, AlertLogged]
    assert (stage.last(AlertLogged).status, stage.last(AlertLogged).event_id) == ("error", "evt-000001")
    stage.alert("10:30:01", symbol="SPY", direction="long", timeframe="5m")
    assert (stage.last(AlertLogged).status, stage.last(AlertLogged).event_id) == ("accepted", "evt-000002")


def test_a_broken_law_is_no_failed_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes through everything and ends the process."""

    def broken(*_: Any) -> tuple[AnyFact, ...]:
        raise LawBroken("a wrong state")

    monkeypatch.setattr(entry, "decide", broken)
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    with pytest.raises(LawBroken):
        stage.tick("10:30:00", *SPY)


TOLD: list[AnyInput] = [
    ConfigAdopted(b"", "", 0),
    MarketChosen(MarketKind.SIMULATED, seed=7, first=date(2026, 2, 13)),
    CallsRefused(0, (RefusedCalls("invalid_signature", 401, 3, "{", "}"),)),
    ClockJumped(0),
    ClockFellBehind(0),
    StorageTurned(low=False),
]


@pytest.mark.parametrize("told", TOLD)
def test_what_only_tells_the_world_decides_nothing(told: AnyInput) -> None:
    """A configuration, a market, calls turned away at the door, and clocks and a disk that were never in doubt."""
    stage = Stage(DAY, TRACE)
    assert stage.take(told, at=instant(DAY, "10:00:00")) == ()


def test_every_kind_of_input_is_decided() -> None:
    """Whatever is added to what the world may say has its place above or in the stories of this file."""
    others = {AlertReceived, BrokerReported, CalendarAdopted, OperatorAsked, TickReached, TicksPassed}
    assert {type(one) for one in TOLD} | others == set(get_args(AnyInput))


def test_a_report_on_an_unknown_order_breaks_a_law() -> None:
    """It is no unit to fail: broker and program have come apart."""
    stage = Stage(DAY, TRACE)
    with pytest.raises(LawBroken):
        decide(stage.portfolio, BrokerReported("ord-000001", 1, ReportKind.ACCEPTED), stage.settings)


def test_one_record_sees_one_set_of_flags() -> None:
    """The ask that sets a flag is decided on those before it; every unit of the next record on those after."""
    stage = Stage(DAY, TRACE)
    for symbol in ("SPY", "QQQ"):
        stage.alert("10:30:00", symbol=symbol, direction="long", timeframe="5m")
    stage.ask("10:30:00", Ask.FLAG_ON, "snap_unlisted")
    stage.tick("10:30:00", *SPY, *QQQ)
    assert [one.flags for one in stage.of(SignalApproved)] == [("snap_unlisted", "add_to_position")] * 2


def test_a_stage_that_cannot_list_its_units_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen of the exits raises; the signal of the same cycle is ordered, and the facts say which stage failed."""

    def broken(*_: Any) -> tuple[str, ...]:
        raise ZeroDivisionError

    stage = Stage(DAY, TRACE)
    monkeypatch.setattr(exits, "due", broken)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", *SPY)
    assert stage.of(UnitFailed) == [UnitFailed("exits", "processing_failed", "ZeroDivisionError")]
    assert len(stage.of(OrderCreated)) == 1
