"""What nobody sends: a clock that jumped or fell behind, a disk that filled up. Each is told when it turns, and as input."""

from collections.abc import Container, Iterator

from oracle.clock import JUMP_NS_MIN, Clock
from rules.halts import BY_CLOCK, BY_LAG, BY_STORAGE
from state.book import NEVER
from state.frames import Mark
from state.inputs import AnyInput, ClockFellBehind, ClockJumped, StorageTurned
from state.writer import Writer


class Lookout:
    """Looks after the clock and the disk of a process, and knows what it told of them."""

    def __init__(self, clock: Clock, writer: Writer, halts: Container[str]) -> None:
        """`halts`: the codes of what is halted; a step that an earlier process told of is known only by its code."""
        self._clock, self._writer, self._halts = clock, writer, halts
        self._told = None if BY_CLOCK in halts else 0
        self._looked_at: int | None = 0
        self._confirmed = False
        self._late = NEVER

    def noticed(self) -> Iterator[AnyInput]:
        """What turned since the last look, each to be taken in before the next is asked for."""
        behind = self._clock.behind()
        grown = behind > self._late + JUMP_NS_MIN
        self._late = min(self._late, behind) if behind and not grown else behind or NEVER
        if bool(behind) != (BY_LAG in self._halts) or grown or (behind and self._confirmed):
            yield ClockFellBehind(behind)
        self._confirmed = False
        by = self._clock.jumped()
        if by != self._told:
            self._told = by
            yield ClockJumped(by)
        low = self._writer.storage_low
        if low != (BY_STORAGE in self._halts):
            yield StorageTurned(low)
        if low:
            # A mark makes the journal try for its reserve again.
            self._writer.mark(Mark.IDLE)

    def asked(self) -> None:
        """A person's word has come, and is still to be taken in: it is about what was told by now."""
        self._looked_at = self._told

    def confirm(self) -> None:
        """Believe the steps the word was about, and no other; what it ended too soon is told anew."""
        if self._looked_at:
            self._clock.confirm(self._looked_at)
        self._told, self._confirmed = 0, True
