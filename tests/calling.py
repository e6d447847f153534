"""A listener for tests, on a real loopback socket with a real core behind its door, and a caller who speaks plain bytes.

>>> async with listening(StageDoor()) as front:
...     told = await front.post({"symbol": "SPY", "direction": "long", "timeframe": "5m"})
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from oracle.inbox import Inbox, InboxSettings, Taken
from oracle.keys import Keys
from oracle.listener.limits import ListenerSettings
from oracle.listener.listening import Listener
from oracle.loop import Loop
from rules.settings import Settings
from state.disk import Disk
from state.inputs import AlertReceived, CalendarAdopted, ConfigAdopted, OperatorAsked
from state.journal import Journal, Limits, Run
from state.portfolio import Portfolio
from state.writer import Writer
from tests.stage import CASH, Stage, calendar_around, instant

DAY = "2026-02-13"
HALF_PAST_TEN = instant(DAY, "10:30:00")
TOKEN = b"a-token-of-the-test-0001"
SIGNING_KEY = b"a-signing-key-of-the-test-0002"
QUICK = ListenerSettings(read_s_max=0.2, idle_s_max=0.3)
"""Limits that a test can wait for."""

SAFETY_S = 20
"""Far more than anything here takes: a test that waits so long hangs."""


# -- doors ----------------------------------------------------------------------------------------------------------


class StageDoor:
    """A door to a stage: every alert is decided at once, at the instant the test says."""

    def __init__(self, stage: Stage | None = None, *, now: int = HALF_PAST_TEN) -> None:
        self.stage, self.now = stage or Stage(DAY), now
        self.alerts: list[AlertReceived] = []

    async def alert(self, told: AlertReceived) -> Taken:
        """Decide an alert."""
        self.alerts.append(told)
        return await self._take(told)

    async def ask(self, told: OperatorAsked) -> Taken:
        """Decide what the operator asks."""
        return await self._take(told)

    async def _take(self, told: AlertReceived | OperatorAsked) -> Taken:
        self.stage.take(told, at=self.now)
        taken = Taken(self.stage.portfolio.lsn, self.stage.portfolio.now, self.stage.records[-1])
        await asyncio.sleep(0)
        return taken


class InboxDoor:
    """A door to an inbox that nobody empties, unless the test does."""

    def __init__(self, limits: InboxSettings | None = None) -> None:
        self.inbox = Inbox(limits or InboxSettings())

    async def alert(self, told: AlertReceived) -> Taken:
        """Let an alert wait."""
        return await self.inbox.offer(told)

    async def ask(self, told: OperatorAsked) -> Taken:
        """Let the operator wait."""
        return await self.inbox.put(told)


class DurableDoor:
    """A door to a loop over a real journal: an alert is answered once it is on disk. For one running event loop."""

    def __init__(self, directory: Path, now: Callable[[], int] = lambda: HALF_PAST_TEN) -> None:
        aio, self._now = asyncio.get_running_loop(), now
        limits = Limits(segment_bytes=8 * 2**20)
        journal = Journal.create(Disk(), directory, run=Run(bytes(16), "test", "test"), limits=limits)
        self.writer = Writer(journal, released=lambda _: aio.call_soon_threadsafe(self._released))
        self.core = Loop(Portfolio(), self.writer, settings_of=lambda _: Settings())
        self._waiting: deque[tuple[Taken, asyncio.Future[Taken]]] = deque()
        for told in (ConfigAdopted(b"{}", "test", CASH), CalendarAdopted(calendar_around(date.fromisoformat(DAY)))):
            self.core.take(told, at=instant(DAY, "00:00:01"))

    async def alert(self, told: AlertReceived) -> Taken:
        """Decide an alert and wait for the disk."""
        return await self._take(told)

    async def ask(self, told: OperatorAsked) -> Taken:
        """Decide what the operator asks and wait for the disk."""
        return await self._take(told)

    def close(self) -> None:
        """End the writer."""
        self.writer.close()

    def _take(self, told: AlertReceived | OperatorAsked) -> "asyncio.Future[Taken]":
        record = self.core.take(told, at=self._now())
        answer: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        self._waiting.append((Taken(self.core.portfolio.lsn, self.core.portfolio.now, record), answer))
        return answer

    def _released(self) -> None:
        while self._waiting and self._waiting[0][0].lsn <= self.writer.durable_lsn:
            taken, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_result(taken)


# -- callers --------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """One answer: status, headers with lower-case names, and the JSON body."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


class Front:
    """What a caller sees of a listener."""

    def __init__(self, listener: Listener, port: int) -> None:
        self.listener, self.port = listener, port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of its own."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def raw(self, sent: bytes) -> bytes:
        """Everything that is answered to some bytes until the other side ends the connection."""
        reader, writer = await self.connect()
        writer.write(sent)
        try:
            async with asyncio.timeout(SAFETY_S):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def call(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, Any] | list[tuple[str, str]] | None = None
    ) -> Told:
        """One call on a connection of its own."""
        return answer_in(await self.raw(request(method, path, body, headers)))

    async def post(self, body: bytes | str | dict[str, Any], path: str = "/webhook", **headers: str) -> Told:
        """Post an alert; `X_Webhook_Token="..."` stands for that header."""
        sent = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        return await self.call("POST", path, sent, {name.replace("_", "-"): one for name, one in headers.items()})

    def refused(self) -> list[tuple[str, int, int]]:
        """(reason, status, count) of every kind of call that was turned away since the last time."""
        drained = self.listener.refusals.drain(HALF_PAST_TEN)
        return [(one.reason, one.status, one.count) for one in drained.calls] if drained else []


def request(
    method: str, path: str, body: bytes = b"", headers: dict[str, Any] | list[tuple[str, str]] | None = None
) -> bytes:
    """The bytes of a request after which the connection is closed."""
    given = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    names = {name.lower() for name, _ in given}
    own = [("Host", "localhost"), ("Content-Length", str(len(body))), ("Connection", "close")]
    lines = [f"{name}: {one}" for name, one in given + [pair for pair in own if pair[0].lower() not in names]]
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])
    return head.encode("utf-8", "surrogateescape") + body


def answer_in(raw: bytes) -> Told:
    """The first answer in some bytes, interim ones left out."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status == 100:
        return answer_in(rest)
    pairs = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:]]
    headers = {name.lower(): one for name, one in pairs}
    body = rest[: int(headers["content-length"])]
    return Told(status, headers, json.loads(body) if body else {})


async def until(condition: Callable[[], bool]) -> None:
    """Return once something holds."""
    async with asyncio.timeout(SAFETY_S):
        while not condition():  # noqa: ASYNC110  # what it waits for tells nobody
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(
    door: StageDoor | InboxDoor | DurableDoor,
    keys: Keys | None = None,
    settings: ListenerSettings | None = None,
    *,
    health: Callable[[], dict[str, Any]] = lambda: {"ready": True},
) -> AsyncIterator[Front]:
    """A listener on a free port while the block runs."""
    listener = Listener(door, keys or Keys(), settings or ListenerSettings(), health=health)
    port = await listener.start("127.0.0.1", 0)
    try:
        yield Front(listener, port)
    finally:
        await listener.close()
