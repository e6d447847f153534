"""The acceptance scenarios as the data would live them: alerts and quotes in, published figures out."""

from typing import Any

import pytest
from msgspec.structs import replace

from rules.fills import FillModel, FillSettings
from rules.orders import OrderSettings
from rules.settings import IntakeSettings, Settings
from rules.sizing import SizingLimits
from state.facts import AlertLogged, CloseAsked, ExitChosen, OrderCreated, OrderFilled, OutcomeRecorded, SignalApproved
from state.order import OrderPhase, Side
from state.position import PositionPhase
from state.signal import SignalPhase
from tests.stage import CASH, FREE, SPY_CALL, TRACE, Stage, usd

DAY = "2026-02-13"
SPY: dict[str, Any] = {
    "symbol": "SPY",
    "direction": "long",
    "timeframe": "5m",
    "timestamp": 1770996600,
    "price": 595.42,
    "confidence": 75,
    "indicators": {"ema8": 595.10, "ema21": 594.80, "atr": 1.25},
}
ADVERSE = FillSettings(model=FillModel.ADVERSE_PCT, adverse_pct=200, commission_per_contract_usd=700_000)
WIDE = OrderSettings(limit_offset_usd=200_000)
"""A limit that leaves room for 2 % above the mid."""


def open_two(stage: Stage) -> None:
    """Two open positions in other symbols, on quotes that never move."""
    stage.buy("10:00:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    stage.buy("10:05:00", "IWM 250.50", "IWM260220C00251000 0.99 1.01")


def held_spy(settings: Settings) -> Stage:
    """The trace up to the entry at a mid of 3.52."""
    stage = Stage(DAY, settings)
    stage.alert("10:30:00", **SPY)
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    stage.tick("10:30:01", "SPY 595.42", f"{SPY_CALL} 3.50 3.54")
    return stage


def test_the_trace_from_alert_to_order() -> None:
    """Accepted once, repeated never, judged at the next tick, and ordered as the 596 call of next Friday at 3.45."""
    stage = Stage(DAY, TRACE)
    open_two(stage)
    stage.alert("10:30:00", **SPY)
    logged, signal = stage.last(AlertLogged), stage.portfolio.signals["sig-000003"]
    assert (logged.status, logged.signal_id, signal.phase) == ("accepted", signal.id, SignalPhase.PENDING)
    assert signal.entry.signal_hash.startswith("3783b062")
    assert signal.entry.signal_hash.endswith("edec4decfa")
    stage.alert("10:30:30", **SPY)
    assert (stage.last(AlertLogged).status, stage.last(AlertLogged).signal_id) == ("duplicate", signal.id)
    assert len(stage.portfolio.signals) == 3
    stage.tick("10:30:30", "SPY 595.42", "SPY260220C00595000 3.98 4.02", f"{SPY_CALL} 3.43 3.47")
    approved, order = stage.last(SignalApproved), stage.last(OrderCreated).order
    room = {one.gate: (one.value, one.threshold) for one in approved.verdicts}
    assert (room["open_positions"], room["symbol_positions"]) == ((2, 5), (0, 3))
    assert (order.contract.occ, order.side, order.quantity, order.book) == (SPY_CALL, Side.BUY, 9, "paper")
    assert (order.phase, order.decision_price) == (OrderPhase.PENDING_EXECUTION, usd("3.45"))
    assert approved.recommendation.entry_price == usd("3.45")
    assert len([one for one in stage.of(OrderCreated) if one.order.signal_id == signal.id]) == 1


def test_the_trace_from_fill_to_outcome() -> None:
    """3.52 x 9, marked at 3.78, asked out at 5.30, out at 5.28: 1,584.00, 50 % and 1.00 R."""
    stage = held_spy(TRACE)
    held, fill = stage.portfolio.positions["pos-000001"], stage.last(OrderFilled).fill
    assert round((fill.price - fill.decision_price) / fill.decision_price * 100, 2) == 2.03
    assert (held.phase, held.entry_price, held.quantity_open, held.cost) == ("open", usd("3.52"), 9, usd("3168"))
    assert stage.portfolio.signals["sig-000001"].phase is SignalPhase.EXECUTED
    stage.tick("11:00:00", "SPY 596.10", f"{SPY_CALL} 3.76 3.80")
    unrealized = stage.portfolio.book.value("paper") - held.cost_open
    assert (unrealized, round(unrealized / held.cost * 100, 2)) == (usd("234"), 7.39)
    stage.tick("12:34:59", "SPY 599.90", f"{SPY_CALL} 5.28 5.32")
    chosen, order = stage.last(ExitChosen), stage.last(OrderCreated).order
    assert (chosen.reasons, chosen.mark) == (("profit_target",), usd("5.30"))
    assert stage.portfolio.positions[held.id].phase is PositionPhase.CLOSING
    assert (order.side, order.quantity, order.position_id) == (Side.SELL, 9, held.id)
    stage.tick("12:35:01", "SPY 599.85", f"{SPY_CALL} 5.26 5.30")
    outcome = stage.last(OutcomeRecorded).outcome
    assert stage.last(OrderFilled).fill.price == usd("5.28")
    assert (outcome.gross, outcome.net, outcome.percent_bp, outcome.r_bp) == (usd("1584"), usd("1584"), 5_000, 10_000)
    assert (outcome.reasons, outcome.duration_s // 60) == (("profit_target",), 125)
    assert stage.portfolio.positions[held.id].phase is PositionPhase.CLOSED
    assert stage.portfolio.ledgers["paper"].cash == CASH + usd("1584")
    assert len(stage.of(OrderCreated)) == 2


@pytest.mark.parametrize(
    ("rounds", "entry", "exit_price", "gross", "net"),
    [(False, "3.5904", "5.1744", "1425.60", "1413.00"), (True, "3.60", "5.17", "1413.00", "1400.40")],
)
def test_the_realistic_variant(rounds: bool, entry: str, exit_price: str, gross: str, net: str) -> None:
    """Two percent against the trader and 0.70 a contract: 5.30 is not the target, and a forced exit nets less."""
    fills = replace(ADVERSE, round_to_tick=rounds)
    stage = held_spy(Settings(sizing=SizingLimits(base_contracts=9), fills=fills, orders=WIDE))
    held = stage.portfolio.positions["pos-000001"]
    assert held.entry_price == usd(entry)
    stage.tick("12:00:00", "SPY 599.90", f"{SPY_CALL} 5.28 5.32")
    assert stage.of(ExitChosen) == []
    stage.ask_close("12:30:00", held.id, "enough")
    stage.tick("12:30:00", "SPY 599.85", f"{SPY_CALL} 5.26 5.30")
    stage.tick("12:30:01", "SPY 599.85", f"{SPY_CALL} 5.26 5.30")
    outcome = stage.last(OutcomeRecorded).outcome
    assert stage.last(OrderFilled).fill.price == usd(exit_price)
    assert (outcome.gross, outcome.commission, outcome.net) == (usd(gross), usd("12.60"), usd(net))
    assert outcome.reasons == ("manual",)
    assert stage.portfolio.ledgers["paper"].cash - CASH == usd(net)


def test_the_realistic_target_is_reached_at_its_own_price() -> None:
    """Half above 3.5904 is 5.3856: a mark of 5.3855 stays, 5.3856 leaves."""
    stage = held_spy(
        Settings(sizing=SizingLimits(base_contracts=9), fills=replace(ADVERSE, round_to_tick=False), orders=WIDE)
    )
    stage.tick("12:00:00", f"{SPY_CALL} 5.3835 5.3875")
    assert stage.of(ExitChosen) == []
    stage.tick("12:00:01", f"{SPY_CALL} 5.3836 5.3876")
    assert (stage.last(ExitChosen).reasons, stage.last(ExitChosen).mark) == (("profit_target",), usd("5.3856"))


@pytest.mark.produces("exit_alert")
def test_the_minimal_loop() -> None:
    """Ticker, action and direction open a position at once; an exit alert of the same sender closes it."""
    stage = Stage(DAY, Settings(intake=IntakeSettings(exit_alerts="close"), fills=FREE))
    stage.alert("10:30:00", ticker="SPY", action="BUY", direction="CALL", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    stage.tick("10:30:01", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert [one.phase for one in stage.portfolio.live_positions()] == [PositionPhase.OPEN]
    stage.alert("11:00:00", ticker="SPY", action="close")
    assert (stage.last(AlertLogged).status, stage.last(AlertLogged).code) == ("ignored", "exit_alert")
    stage.tick("11:00:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    stage.tick("11:00:01", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert stage.last(OutcomeRecorded).outcome.reasons == ("exit_alert",)


def held_december(**levels: float) -> Stage:
    """The December 600 call bought at 12.50 under the swing profile, with levels of the alert if it has any."""
    stage = Stage("2025-11-05", Settings(fills=FREE))
    occ = "SPY251219C00600000"
    said = {"symbol": occ, "direction": "BUY", "timeframe": "1d", "price": 12.50, "profile": "swing"} | levels
    stage.buy("10:30:00", "SPY 598.00", f"{occ} 12.48 12.52", **said)
    return stage


def test_levels_of_the_alert_win_over_the_profile() -> None:
    """Stop 6.25 and target 25.00 as sent; without them the swing profile says 3.125 and 18.75."""
    sent, profiled = held_december(stop=6.25, target=25.00), held_december()
    (own,), (other,) = sent.portfolio.live_positions(), profiled.portfolio.live_positions()
    assert (own.entry_price, own.stop, own.target) == (usd("12.50"), usd("6.25"), usd("25"))
    assert (other.stop, other.target, other.terms.profile) == (usd("3.125"), usd("18.75"), "swing")
    sent.tick("11:00:00", "SPY251219C00600000 18.74 18.76")
    profiled.tick("11:00:00", "SPY251219C00600000 18.74 18.76")
    assert (len(sent.of(ExitChosen)), profiled.last(ExitChosen).reasons) == (0, ("profit_target",))


@pytest.mark.produces("manual")
def test_a_manual_close_keeps_its_reason_and_words() -> None:
    """The operator closes with words; the outcome says manual, the journal keeps the words."""
    stage = held_december(stop=6.25, target=25.00)
    (held,) = stage.portfolio.live_positions()
    stage.ask_close("11:00:00", held.id, "earnings tonight")
    stage.tick("11:00:00", "SPY251219C00600000 13.00 13.04")
    stage.tick("11:00:01", "SPY251219C00600000 13.00 13.04")
    assert stage.last(CloseAsked) == CloseAsked(held.id, "manual", "earnings tonight")
    assert stage.last(OutcomeRecorded).outcome.reasons == ("manual",)
    assert stage.last(OutcomeRecorded).outcome.net == usd("52")
