"""What was decided and is not durable yet: whom it is told to, who is answered with it, who only waits.

For one event loop. Deliberately absent: what is decided, and how it becomes durable.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from oracle.inbox import Taken
from state.errors import LawBroken, OracleFailure


class Untold:
    """Records in their order, and everybody who waits for one of them. `told` hears each once it is durable."""

    broken: OracleFailure | None = None
    """What telling came to when it failed, for which the process must end; whoever waits is answered all the same."""

    def __init__(self, told: Callable[[Taken], None]) -> None:
        self._told = told
        self._lost: BaseException | None = None
        self._taken: deque[Taken] = deque()
        self._answers: deque[tuple[Taken, asyncio.Future[Taken]]] = deque()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def hear(self, taken: Taken) -> None:
        """Keep a record that was decided."""
        self._taken.append(taken)

    def answer(self, answer: "asyncio.Future[Taken]") -> None:
        """Let somebody be answered with the record that was decided last."""
        self._answers.append((self._taken[-1], answer))

    async def durable(self, lsn: int) -> None:
        """Return once a record is released. Raises what `fail` was told instead."""
        if self._lost is not None:
            raise self._lost
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((lsn, waiter))
        await waiter

    def release(self, lsn: int) -> None:
        """Let out everything up to a record that became durable, in order."""
        while self._taken and self._taken[0].lsn <= lsn:
            self._tell(self._taken.popleft())
        while self._answers and self._answers[0][0].lsn <= lsn:
            taken, answer = self._answers.popleft()
            if not answer.done():
                answer.set_result(taken)
        ready = [one for at, one in self._waiters if at <= lsn]
        self._waiters = [(at, one) for at, one in self._waiters if at > lsn]
        for waiter in ready:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, lost: BaseException) -> None:
        """Let nobody wait for what will not come."""
        self._lost = lost
        waiting: list[asyncio.Future[Any]] = [*(one for _, one in self._waiters), *(one for _, one in self._answers)]
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(lost)

    def _tell(self, taken: Taken) -> None:
        try:
            self._told(taken)
        except Exception as mistake:  # noqa: BLE001  It was decided and is durable: nobody may miss it for a line of a log.
            self.broken = self.broken or LawBroken(f"record {taken.lsn} could not be told: {mistake!r}; report this")
