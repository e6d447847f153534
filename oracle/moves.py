"""A clock that stands, and who waits for it to be moved. What is due on the way is decided while it moves."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from oracle.clock import StepClock
from oracle.walk import Walk
from state.errors import BadUsage, OracleFailure


class _Move(NamedTuple):
    to: int
    done: "asyncio.Future[None]"


class Moves:
    """The moves that were asked for, in their order."""

    def __init__(self, clock: StepClock, walk: Walk) -> None:
        self._clock, self._walk = clock, walk
        self._waiting: deque[_Move] = deque()
        self._lost: OracleFailure | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, to: int) -> "asyncio.Future[None]":
        """Let a move to an instant (ns UTC) wait. Raises BadUsage for one that is past or unknown, and what `end` was told."""
        if to < self._clock.now():
            raise BadUsage("the clock shows a later instant already: it is only moved forward")
        self._walk.check_reach(to)
        if self._lost is not None:
            raise self._lost
        self._waiting.append(_Move(to, asyncio.get_running_loop().create_future()))
        return self._waiting[-1].done

    def go(self) -> Iterator[int]:
        """Go the whole way of the first move, and tell who asked for it; yields each instant at which something was decided."""
        to, done = self._waiting[0]
        for at in self._walk.until(to):
            self._clock.move(at)
            yield at
        self._clock.move(to)
        if self._waiting:  # It is gone where the end came on the last step.
            self._waiting.popleft()
        if not done.done():
            done.set_result(None)

    def end(self, lost: OracleFailure) -> None:
        """Let nobody wait for a move that will not come."""
        self._lost = lost
        while self._waiting:
            done = self._waiting.popleft().done
            if not done.done():
                done.set_exception(lost)
