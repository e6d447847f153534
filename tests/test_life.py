"""The three lives: the library's machine, fired for every phase and trigger, agrees with the look-up that is used."""

from enum import StrEnum
from typing import Any

import pytest
from transitions import MachineError

from state.errors import LawBroken
from state.life import Life
from state.order import ORDER_LIFE, WORKING, OrderPhase
from state.position import POSITION_LIFE, PositionPhase
from state.signal import SIGNAL_LIFE, SignalPhase

LIVES: list[Life[Any, Any]] = [SIGNAL_LIFE, ORDER_LIFE, POSITION_LIFE]
STEPS = [
    pytest.param(life, phase, trigger, id=f"{life.kind}-{phase}-{trigger}")
    for life in LIVES
    for phase in type(life.initial)
    for trigger in type(life.rows[0][0])
]


class Carrier:
    """Something that has a phase, for the machine to move."""


@pytest.mark.parametrize(("life", "phase", "trigger"), STEPS)
def test_advance_is_what_the_machine_does(life: Life[Any, Any], phase: StrEnum, trigger: StrEnum) -> None:
    """A legal step gives the same next phase; an illegal one raises in both and moves nothing."""
    carrier = Carrier()
    life.machine.add_model(carrier, initial=phase.value)
    try:
        fire = getattr(carrier, trigger.value)
        if (phase, trigger) in life.steps:
            fire()
            assert life.advance(phase, trigger) == carrier.state  # type: ignore[attr-defined]
        else:
            with pytest.raises(MachineError):
                fire()
            assert carrier.state == phase  # type: ignore[attr-defined]
            with pytest.raises(LawBroken, match=f"a {life.kind} that is {phase} cannot {trigger}"):
                life.advance(phase, trigger)
    finally:
        life.machine.remove_model(carrier)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.kind)
def test_a_table_says_each_step_once(life: Life[Any, Any]) -> None:
    """No row contradicts another, none is lost in the machine, and every phase can be reached."""
    assert {(source, trigger): target for trigger, source, target in life.rows} == life.steps
    assert len(life.rows) == len(life.steps)
    reached = {life.initial}
    while grown := {target for _, source, target in life.rows if source in reached} - reached:
        reached |= grown
    assert sorted(reached) == sorted(life.machine.states)


def test_what_is_over_stays_over() -> None:
    """The final phases are the ones the design names."""
    assert set(SIGNAL_LIFE.final) == {
        SignalPhase.DECISION_ONLY,
        SignalPhase.REJECTED,
        SignalPhase.EXECUTED,
        SignalPhase.FAILED,
        SignalPhase.EXPIRED,
    }
    assert set(ORDER_LIFE.final) == set(OrderPhase) - set(WORKING)
    assert POSITION_LIFE.final == (PositionPhase.CLOSED,)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.kind)
def test_the_machine_has_no_way_round_its_table(life: Life[Any, Any]) -> None:
    """No automatic transition leads anywhere, and there are as many events as triggers in use."""
    assert set(life.machine.events) == {str(trigger) for trigger, _, _ in life.rows}


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.kind)
def test_a_life_is_drawn_with_all_its_phases(life: Life[Any, Any]) -> None:
    """The diagram names every phase and every step."""
    drawn = life.draw()
    assert drawn.count("-->") >= len({(source, target) for _, source, target in life.rows})
    assert all(phase.value in drawn for phase in type(life.initial))
