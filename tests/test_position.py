"""A position moves only along its life, holds what it bought, and an illegal fact about it changes nothing."""

import pytest
from msgspec.structs import replace

from state.applying import apply
from state.errors import LawBroken
from state.facts import (
    AnyFact,
    CloseAsked,
    ExitChosen,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    PositionReopened,
    PositionSettled,
)
from state.position import POSITION_LIFE, ExitTerms, PositionPhase, PositionTrigger
from tests.stage import SPY_CALL, TRACE, Stage, usd

DAY = "2026-02-13"
ID = "pos-000001"
FACTS: dict[PositionTrigger, AnyFact] = {
    PositionTrigger.BEGIN_CLOSE: ExitChosen(ID, ("manual",), "ord-000002", None, None),
    PositionTrigger.REOPEN: PositionReopened(ID, "exit_order_ended"),
    PositionTrigger.CLOSE: PositionClosed(ID, ("manual",)),
}


def in_phase(phase: PositionPhase) -> Stage:
    """A stage with a position in a phase, emptied where it is about to close."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    if phase is not PositionPhase.OPEN:
        stage.ask_close("11:00:00")
        stage.tick("11:00:00", f"{SPY_CALL} 3.43 3.47")
    if phase is PositionPhase.CLOSED:
        stage.tick("11:00:01", f"{SPY_CALL} 3.43 3.47")
    assert stage.portfolio.positions[ID].phase is phase
    return stage


CASES = [(phase, trigger) for phase in PositionPhase for trigger in PositionTrigger]


@pytest.mark.parametrize(("phase", "trigger"), CASES)
def test_a_fact_moves_a_position_along_its_life_or_not_at_all(phase: PositionPhase, trigger: PositionTrigger) -> None:
    """A legal step ends in the phase of the table; an illegal one raises and leaves every byte as it was."""
    stage = in_phase(phase)
    if trigger is PositionTrigger.CLOSE and phase is not PositionPhase.CLOSED:
        apply(stage.portfolio, PositionReduced(ID, 9, 0, usd("3105"), 0, 0))
    before = stage.digest()
    if (phase, trigger) in POSITION_LIFE.steps:
        apply(stage.portfolio, FACTS[trigger])
        assert stage.portfolio.positions[ID].phase is POSITION_LIFE.steps[phase, trigger]
    else:
        with pytest.raises(LawBroken):
            apply(stage.portfolio, FACTS[trigger])
        assert stage.digest() == before


ILLEGAL: list[tuple[PositionPhase, AnyFact]] = [
    (PositionPhase.OPEN, PositionClosed(ID, ("manual",))),
    (PositionPhase.OPEN, PositionReduced(ID, 10, 0, 0, 0, 0)),
    (PositionPhase.OPEN, PositionReduced(ID, 0, 0, 0, 0, 0)),
    (PositionPhase.OPEN, PositionReduced(ID, 9, 0, usd("3104"), 0, 0)),
    (PositionPhase.OPEN, PositionReduced(ID, 9, 0, usd("3105"), 1, 0)),
    (PositionPhase.OPEN, PositionReduced("pos-000009", 1, 0, 0, 0, 0)),
    (PositionPhase.CLOSING, PositionIncreased(ID, 1, 1, 0, 1, 1, 1)),
    (PositionPhase.CLOSED, PositionIncreased(ID, 1, 1, 0, 1, 1, 1)),
    (PositionPhase.CLOSED, PositionReduced(ID, 1, 0, 0, 0, 0)),
    (PositionPhase.CLOSED, CloseAsked(ID, "manual", "")),
    (PositionPhase.CLOSED, PositionSettled(ID, 1, 1, 1)),
]


@pytest.mark.parametrize(("phase", "fact"), ILLEGAL)
def test_what_a_position_cannot_do_changes_nothing(phase: PositionPhase, fact: AnyFact) -> None:
    """Close while it holds contracts, give more than it has, end with cost left, grow or settle once it is leaving."""
    stage = in_phase(phase)
    before = stage.digest()
    with pytest.raises(LawBroken):
        apply(stage.portfolio, fact)
    assert stage.digest() == before


@pytest.mark.parametrize("changes", [{}, {"id": "pos-000002", "book": "margin"}])
def test_a_position_opens_once_in_a_ledger_that_exists(changes: dict[str, str]) -> None:
    """A second one of an id, and one in a ledger nobody keeps, change nothing."""
    stage = in_phase(PositionPhase.OPEN)
    before = stage.digest()
    with pytest.raises(LawBroken):
        apply(stage.portfolio, PositionOpened(replace(stage.portfolio.positions[ID], **changes)))
    assert stage.digest() == before


def test_a_position_needs_a_calendar_that_reaches_its_expiry() -> None:
    """A contract that expires beyond the table cannot be held: nobody would know when it settles."""
    stage = in_phase(PositionPhase.OPEN)
    held = stage.portfolio.positions[ID]
    far = replace(
        held, id="pos-000002", contract=replace(held.contract, expiry=held.contract.expiry.replace(year=2031))
    )
    before = stage.digest()
    with pytest.raises(LawBroken, match="adopt a longer one"):
        apply(stage.portfolio, PositionOpened(far))
    assert stage.digest() == before


LEVELS = [
    ({"target_bp": 5_000, "stop_bp": 5_000}, "3168", 9, "5.28", "1.76"),
    ({"target_bp": 5_000, "stop_bp": 7_500}, "1250", 1, "18.75", "3.125"),
    ({"target_bp": 3_333, "stop_bp": 3_333}, "1", 1, "0.013333", "0.006667"),
    ({"target_bp": 5_000, "stop_bp": 10_000}, "3168", 9, "5.28", "0"),
    ({"target_price": 25_000_000}, "1250", 1, "25", "12.50"),
    ({"stop_price": 6_250_000}, "1250", 1, "12.50", "6.25"),
]


@pytest.mark.parametrize(("terms", "cost", "quantity", "target", "stop"), LEVELS)
def test_levels_follow_the_cost_unless_they_are_absolute(
    terms: dict[str, int], cost: str, quantity: int, target: str, stop: str
) -> None:
    """Percent of the fill price, the target rounded up and the stop down; a premium of the alert wins."""
    plain = {"profile": "x", "target_bp": 0, "stop_bp": 0, "target_price": None, "stop_price": None}
    said = ExitTerms(**(plain | {"dte_exit_at": None, "hold_s": None} | terms))  # type: ignore[arg-type]
    assert said.levels(usd(cost), quantity) == (usd(target), usd(stop))


def test_the_entry_price_is_the_average() -> None:
    """Of all contracts ever bought, rounded down to the micro-dollar."""
    held = in_phase(PositionPhase.OPEN).portfolio.positions[ID]
    assert replace(held, cost=1_000_001, quantity=1).entry_price == 10_000
    assert (held.live, replace(held, phase=PositionPhase.CLOSED).live) == (True, False)
