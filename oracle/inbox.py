"""The one way in: what the world says waits here, in its order, until the loop takes it. Bounded, with reserved room.

Strangers' alerts have their own limit, so that no flood of them can keep out a broker's report or the operator.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Any, Protocol

import msgspec

from state.errors import OracleFailure
from state.inputs import AlertReceived, AnyInput, CallsRefused, OperatorAsked
from state.money import Count
from state.record import Record


class Busy(OracleFailure):
    """An alert cannot be taken now; it is answered 503 before it is numbered, so that its sender tries again."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class InboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much may wait: alerts of strangers, and besides them what the operator and brokers say."""

    alerts_max: Count = 1_024
    reserved_max: Count = 256


class Taken(msgspec.Struct, frozen=True):
    """An input that was decided and is durable: its record, the LSN and the instant (ns UTC) it was seen."""

    lsn: int
    seen_at: int
    record: Record


class Door(Protocol):
    """What the listener and the local API ask of the daemon."""

    async def alert(self, told: AlertReceived) -> Taken:
        """Hand in an alert; returns once it is durable. Raises Busy before it is numbered, DiskFailed when lost."""
        ...

    async def ask(self, told: OperatorAsked) -> Taken:
        """Hand in what the operator asks for; returns once it is durable."""
        ...


class Refusals(Protocol):
    """Who counts the calls that were turned away."""

    def drain(self, now: int) -> CallsRefused | None:
        """What was turned away since the last time, or None."""
        ...


class Waiting(msgspec.Struct):
    """One input in the inbox, and who waits for it to be durable."""

    told: AnyInput
    answer: "asyncio.Future[Taken] | None" = None


class Inbox:
    """Inputs in the order they are to be taken. For one event loop; `arrived` is set while anything waits."""

    def __init__(self, limits: InboxSettings) -> None:
        self._limits = limits
        self._alerts: deque[Waiting] = deque()
        self._reserved: deque[Waiting] = deque()
        self._closed: str | None = None
        self._number = 0
        self.arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._alerts) + len(self._reserved)

    def close(self, code: str, words: str) -> None:
        """Take nothing more: from here on Busy is raised with this code. What waits already is still taken."""
        self._closed = code
        self._words = words

    def offer(self, told: AlertReceived) -> "asyncio.Future[Taken]":
        """Let a stranger's alert wait; the answer comes when it is durable. Raises Busy when there is no room."""
        self._check_open()
        if len(self._alerts) >= self._limits.alerts_max:
            raise Busy("inbox_full", "too many alerts are waiting; send this one again in a few seconds")
        return self._put(self._alerts, told)

    def put(self, told: AnyInput) -> "asyncio.Future[Taken]":
        """Let the operator, a clock or a broker be heard, before alerts that arrived at the same time wait longer.

        Raises Busy when even the reserved room is full.
        """
        self._check_open()
        if len(self._reserved) >= self._limits.reserved_max:
            raise Busy("inbox_full", "too many requests are waiting; ask again in a few seconds")
        return self._put(self._reserved, told)

    def take(self) -> Waiting | None:
        """The next input to be decided, or None: reserved ones first, each by arrival."""
        for queue in (self._reserved, self._alerts):
            if queue:
                return queue.popleft()
        self.arrived.clear()
        return None

    def _check_open(self) -> None:
        if self._closed is not None:
            raise Busy(self._closed, self._words)

    def _put(self, queue: deque[Waiting], told: AnyInput) -> "asyncio.Future[Taken]":
        answer: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        queue.append(Waiting(told, answer))
        self.arrived.set()
        return answer


async def within(seconds: float, waited: Awaitable[Any]) -> None:
    """Wait for something, but not longer than so many seconds of the machine. Raises what it raises."""
    try:
        async with asyncio.timeout(seconds) as limit:
            await waited
    except TimeoutError:
        # A connection or a disk may time out too.
        if not limit.expired():
            raise
