"""A closed position and its score: percent of cost, R of initial risk, time held and where it came from."""

import pytest
from msgspec.structs import replace

from rules import outcomes
from state.facts import OutcomeRecorded, PositionReduced
from state.outcome import Outcome, OutcomeSource
from tests.stage import FREE, SPY_CALL, TRACE, Stage, usd

DAY = "2026-02-13"


def scored(price: str, *, source: str = "recorded", **fields: object) -> Outcome:
    """The outcome of nine contracts bought at 3.45 and closed by hand at a price, commissions of 0.70 both ways."""
    settings = replace(TRACE, fills=replace(FREE, commission_per_contract_usd=700_000))
    stage = Stage(DAY, settings, source=source)
    stage.buy("10:30:00", **fields)  # type: ignore[arg-type]
    stage.ask_close("10:40:00")
    stage.tick("10:40:00", f"{SPY_CALL} {price} {price}")
    stage.tick("10:40:01", f"{SPY_CALL} {price} {price}")
    return stage.last(OutcomeRecorded).outcome


SCORES = [
    ("4.3125", "776.25", "763.65", 2_459, 4_918),
    ("3.45", "0", "-12.60", -40, -81),
    ("3.464", "12.60", "0", 0, 0),
    ("1.725", "-1552.50", "-1565.10", -5_040, -10_081),
]


@pytest.mark.parametrize(("price", "gross", "net", "percent_bp", "r_bp"), SCORES)
def test_percent_and_r_are_of_the_net(price: str, gross: str, net: str, percent_bp: int, r_bp: int) -> None:
    """3,105 of cost and 1,552.50 of risk; a stop-out is about -1 R, and both ratios are cut towards zero."""
    outcome = scored(price)
    assert (outcome.gross, outcome.net, outcome.commission) == (usd(gross), usd(net), usd("12.60"))
    assert (outcome.percent_bp, outcome.r_bp) == (percent_bp, r_bp)
    assert (outcome.cost, outcome.proceeds - outcome.cost) == (usd("3105"), outcome.gross)


def test_an_outcome_says_what_was_traded() -> None:
    """Signal, position, symbol, contract, direction, profile and the time between first fill and last."""
    outcome = scored("4.00")
    assert (outcome.id, outcome.position_id, outcome.signal_id) == ("out-000001", "pos-000001", "sig-000001")
    assert (outcome.symbol, outcome.contract.occ, outcome.direction) == ("SPY", SPY_CALL, "long")
    assert (outcome.profile, outcome.engine, outcome.quantity) == ("short_dated", "A", 9)
    assert (outcome.duration_s, outcome.reasons, outcome.book) == (600, ("manual",), "paper")


SOURCES = [
    ("live", False, OutcomeSource.LIVE),
    ("recorded", False, OutcomeSource.SIMULATION),
    ("live", True, OutcomeSource.TEST),
]


@pytest.mark.parametrize(("source", "is_test", "expected"), SOURCES)
def test_only_live_markets_give_live_outcomes(source: str, is_test: bool, expected: OutcomeSource) -> None:
    """Recorded and simulated markets are simulations; a test is a test on any market."""
    assert scored("4.00", source=source, is_test=is_test).source is expected


def test_without_risk_there_is_no_r() -> None:
    """A fill below the alert's own stop leaves nothing to divide by; the position is stopped at once."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol=SPY_CALL, action="buy", timeframe="5m", stop=3.445)
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    for clock in ("10:30:01", "10:30:02", "10:30:03"):
        stage.tick(clock, f"{SPY_CALL} 3.42 3.46")
    outcome = stage.last(OutcomeRecorded).outcome
    assert (outcome.reasons, outcome.r_bp) == (("stop_loss",), None)


def test_the_score_adds_the_last_part_to_the_ones_before() -> None:
    """Four of nine sold before, five now: the outcome is that of the whole."""
    stage = Stage(DAY, TRACE)
    position = stage.buy("10:30:00")
    before = replace(
        position, quantity_open=5, realized_gross=usd("220"), realized_net=usd("214"), proceeds=usd("1600")
    )
    last = PositionReduced(position.id, 5, usd("2000"), usd("1725"), 0, usd("3.50"))
    outcome = outcomes.score(stage.portfolio, before, last, reasons=("manual",)).outcome
    assert (outcome.gross, outcome.net, outcome.proceeds) == (usd("495"), usd("485.50"), usd("3600"))
