"""The listener starts where it may, tells how the program is, and ends without losing an answer that is owed."""

import asyncio
import json

import pytest

from oracle.keys import Keys
from oracle.listener.limits import ListenerSettings
from oracle.listener.listening import Listener
from state.errors import BadUsage
from state.inputs import CallsRefused
from tests.calling import HALF_PAST_TEN, QUICK, SAFETY_S, TOKEN, InboxDoor, StageDoor, listening, request, until

ALERT = b'{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "oracle.example", ""])  # noqa: S104
async def test_without_a_secret_only_this_machine_is_listened_on(host: str) -> None:
    """Any other address is refused before a socket is open, with the remedy."""
    listener = Listener(StageDoor(), Keys(), ListenerSettings(), health=dict)
    with pytest.raises(BadUsage, match="set WEBHOOK_TOKEN"):
        await listener.start(host, 0)


async def test_with_a_secret_every_address_may_be_listened_on() -> None:
    """Who calls must prove it instead."""
    listener = Listener(StageDoor(), Keys(None, TOKEN), ListenerSettings(), health=dict)
    assert await listener.start("0.0.0.0", 0) > 0  # noqa: S104
    await listener.close()


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", None), ("127.0.0.1", 70_000), ("no.such.host.invalid", 0)])
async def test_an_address_that_cannot_be_had_is_refused(host: str, port: int | None) -> None:
    """A port in use, one that does not exist, a name that is none: the message says which, and what to do."""
    async with listening(StageDoor()) as front:
        listener = Listener(StageDoor(), Keys(None, TOKEN), ListenerSettings(), health=dict)
        with pytest.raises(BadUsage, match="choose another host and port"):
            await listener.start(host, front.port if port is None else port)


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_health_is_what_the_program_says_of_itself(ready: bool, status: int) -> None:
    """200 when it is ready and 503 when it is not, with everything it says."""
    async with listening(StageDoor(), health=lambda: {"ready": ready, "lsn": 7}) as front:
        answer = await front.call("GET", "/health")
        assert (answer.status, answer.body["ready"], answer.body["lsn"]) == (status, ready, 7)
        assert answer.body["request_id"]
        assert (await front.call("HEAD", "/health")).status == status


async def test_the_probe_answers() -> None:
    """Small, in JSON, with the headers of every answer."""
    async with listening(StageDoor()) as front:
        answer = await front.call("GET", "/webhook/test")
    assert (answer.status, answer.body["status"]) == (200, "OK")
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    assert (answer.headers["content-type"], answer.headers["server"]) == ("application/json", "oracle")


async def test_what_is_under_way_is_answered_before_the_end() -> None:
    """No new connection, idle ones closed at once; the alert that waits has its answer, and the connection ends with it."""
    door = InboxDoor()
    async with listening(door) as front:
        idle, unused = await front.connect()
        busy, writer = await front.connect()
        writer.write(request("POST", "/webhook", ALERT, {"Connection": "keep-alive"}))
        await until(lambda: len(door.inbox) == 1 and front.listener.open_connections == 2)
        await front.listener.stop_accepting()
        async with asyncio.timeout(SAFETY_S):
            assert await idle.read() == b""
            with pytest.raises(OSError):
                await front.connect()
            ending = asyncio.create_task(front.listener.close())
            door.inbox.take().answer.cancel()
            answered = await busy.read()
            await ending
        assert answered.startswith(b"HTTP/1.1 503 ")
        assert b"Connection: close" in answered
        assert front.listener.open_connections == 0
        unused.close()
        writer.close()


async def test_the_end_does_not_wait_for_a_door_that_never_answers() -> None:
    """After the time a request may take, connections are cut."""
    door = InboxDoor()
    async with listening(door, settings=QUICK) as front:
        reader, writer = await front.connect()
        writer.write(request("POST", "/webhook", ALERT))
        await until(lambda: len(door.inbox) == 1)
        async with asyncio.timeout(SAFETY_S):
            await front.listener.close()
            assert b" 201 " not in await reader.read()
        writer.close()


async def test_what_was_turned_away_can_be_drained() -> None:
    """By reason, with how the first and the last call began, and nothing twice."""
    async with listening(StageDoor(), Keys(None, TOKEN)) as front:
        assert front.listener.refusals.drain(HALF_PAST_TEN) is None
        for number in range(3):
            await front.post(json.dumps({"number": number}))
        drained = front.listener.refusals.drain(HALF_PAST_TEN + 1)
        assert isinstance(drained, CallsRefused)
        assert drained.since == HALF_PAST_TEN
        (calls,) = drained.calls
        assert (calls.reason, calls.status, calls.count) == ("invalid_signature", 401, 3)
        assert (calls.first, calls.last) == ('POST /webhook {"number": 0}', 'POST /webhook {"number": 2}')
        assert front.listener.refusals.drain(HALF_PAST_TEN + 2) is None
