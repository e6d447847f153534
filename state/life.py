"""The one wrapper round `transitions`: build a life from its table, advance along it, draw it. No rule lives here."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

import msgspec

from state.errors import LawBroken

Phase = TypeVar("Phase", bound=StrEnum)
Trigger = TypeVar("Trigger", bound=StrEnum)


class Life(Generic[Phase, Trigger]):
    """The legal life of one kind of noun: which trigger moves which phase to which.

    The library's machine is built once from the table, without callbacks, conditions or automatic transitions;
    `advance` uses a look-up compiled from that machine, because firing it costs fifty times as much.
    """

    def __init__(self, kind: str, rows: tuple[tuple[Trigger, Phase, Phase], ...], *, initial: Phase) -> None:
        self.kind = kind
        self.rows = rows
        self.initial = initial

    @cached_property
    def machine(self):  # type: ignore[no-untyped-def]
        """The `transitions.Machine` of this life, with no model attached."""
        from transitions import Machine

        phases = type(self.initial)
        return Machine(
            model=None,
            states=[phase.value for phase in phases],
            transitions=[[trigger.value, source.value, target.value] for trigger, source, target in self.rows],
            initial=self.initial.value,
            auto_transitions=False,
            send_event=False,
        )

    @cached_property
    def steps(self) -> Mapping[tuple[Phase, Trigger], Phase]:
        """(phase, trigger) -> next phase, read back from the machine."""
        phases, triggers = type(self.initial), type(self.rows[0][0])
        table: dict[tuple[Phase, Trigger], Phase] = {}
        for trigger in triggers:
            for step in self.machine.get_transitions(trigger.value):
                table[phases(step.source), trigger] = phases(step.dest)
        return table

    def advance(self, phase: Phase, trigger: Trigger) -> Phase:
        """The phase after `trigger`; raises LawBroken for a step the table does not allow."""
        try:
            return self.steps[phase, trigger]
        except KeyError:
            raise LawBroken(f"a {self.kind} that is {phase} cannot {trigger}") from None

    @cached_property
    def final(self) -> tuple[Phase, ...]:
        """The phases that nothing leaves."""
        left = {source for _, source, _ in self.rows}
        return tuple(phase for phase in type(self.initial) if phase not in left)

    def draw(self) -> str:
        """A Mermaid state diagram, drawn by the library from the same machine."""
        from transitions.extensions import GraphMachine

        machine = GraphMachine(
            model=msgspec.defstruct("Drawn", [], dict=True)(),
            states=[phase.value for phase in type(self.initial)],
            transitions=[[trigger.value, source.value, target.value] for trigger, source, target in self.rows],
            initial=self.initial.value,
            auto_transitions=False,
            graph_engine="mermaid",
            title=self.kind,
        )
        return str(machine.get_combined_graph().draw(None))
