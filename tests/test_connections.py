"""Connections end: the slow, the silent, the deaf and the many, each by a timer of its own; the honest are served."""

import asyncio
import contextlib
import gc
import logging
import socket

import pytest
from aiohttp import web
from msgspec.structs import replace

from oracle.inbox import InboxSettings
from oracle.keys import Keys
from oracle.listener.connections import Connections
from oracle.listener.limits import ListenerSettings
from oracle.listener.listening import Listener
from oracle.listener.refusals import Refusals
from state.inputs import AlertReceived
from tests.calling import QUICK, SAFETY_S, TOKEN, Front, InboxDoor, StageDoor, answer_in, listening, request, until

ALERT = b'{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
HEAD = b"POST /webhook HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(ALERT) + ALERT
PATIENT = ListenerSettings(read_s_max=SAFETY_S, idle_s_max=SAFETY_S)


async def test_nothing_open_is_nothing_to_wait_for() -> None:
    """The end of no connection is there at once, however long it might take."""
    connections = Connections(PATIENT, Refusals(Keys()))
    async with asyncio.timeout(SAFETY_S / 2):
        await connections.emptied(SAFETY_S)
    connections.finish()
    assert (len(connections), connections.finishing) == (0, True)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"P",
        b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nX-",
        HEAD + b"Content-Length: 90\r\n\r\n",
        HEAD + b"Content-Length: 90\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        HEAD + b"Expect: 100-continue\r\nContent-Length: 90\r\n\r\n",
    ],
)
async def test_a_call_that_stalls_is_cut(sent: bytes) -> None:
    """Nothing, half a line, half a head, half a body: the connection ends without an answer, and is counted if it spoke."""
    door = StageDoor()
    async with listening(door, settings=QUICK) as front:
        answered = await front.raw(sent)
        assert answered in {b"", b"HTTP/1.1 100 Continue\r\n\r\n"}
        await until(lambda: front.listener.open_connections == 0)
        assert front.refused() == ([("bad_request", 408, 1)] if sent else [])
    assert door.alerts == []


@pytest.mark.config_effect("listener.read_s_max")
@pytest.mark.parametrize("start", [b"POST /webhook HTTP/1.1\r\nX: ", HEAD + b"Content-Length: 90000\r\n\r\n"])
async def test_trickling_bytes_gain_no_time(start: bytes) -> None:
    """However regularly a byte arrives, the request has no more than its time."""
    async with listening(StageDoor(), settings=QUICK) as front:
        reader, writer = await front.connect()
        writer.write(start)
        ended, sent = asyncio.create_task(reader.read()), 0
        while not ended.done() and sent < 1_000:
            writer.write(b"x")
            sent += 1
            await asyncio.wait([ended], timeout=0.02)
        assert sent < 200
        assert isinstance(ended.exception() or b"", ConnectionError | bytes)
        writer.close()


async def test_a_broken_chunk_in_the_middle_ends_the_connection() -> None:
    """What follows the head may be no chunk at all: it ends by the timer, without a word in any log."""
    async with listening(StageDoor(), settings=QUICK) as front:
        reader, writer = await front.connect()
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"zz\r\nnot a chunk\r\n")
        async with asyncio.timeout(SAFETY_S):
            assert b" 200 " not in await reader.read()
        writer.close()


@pytest.mark.config_effect("listener.idle_s_max")
async def test_an_idle_connection_is_closed_and_not_counted() -> None:
    """After an answer the next request has some time to begin; then the connection ends."""
    async with listening(StageDoor(), settings=QUICK) as front:
        raw = await front.raw(WHOLE)
        assert answer_in(raw).status == 201
        assert front.refused() == []


async def test_a_second_request_has_its_own_time() -> None:
    """What begins while the connection is idle must arrive whole in its time, like the first."""
    async with listening(StageDoor(), settings=replace(QUICK, idle_s_max=SAFETY_S)) as front:
        reader, writer = await front.connect()
        writer.write(WHOLE)
        async with asyncio.timeout(SAFETY_S / 2):
            await reader.readuntil(b"}")
            writer.write(HEAD)
            assert await reader.read() == b""
        writer.close()
        assert front.refused() == [("bad_request", 408, 1)]


@pytest.mark.parametrize("rest", [b"POST /web", HEAD + b"Content-Length: 90\r\n\r\n{"])
async def test_a_request_that_begins_behind_another_is_timed_too(rest: bytes) -> None:
    """Half a request sent along with a whole one, and half of one sent while the first is answered."""
    async with listening(StageDoor(), settings=QUICK) as front:
        raw = await front.raw(WHOLE + rest)
        assert raw.count(b"HTTP/1.1 201 ") == 1
    door = InboxDoor()
    async with listening(door, settings=replace(QUICK, idle_s_max=SAFETY_S)) as front:
        reader, writer = await front.connect()
        writer.write(WHOLE)
        await until(lambda: len(door.inbox) == 1)
        writer.write(rest)
        await asyncio.sleep(0.02)
        waiting = door.inbox.take()
        assert waiting is not None
        waiting.answer.cancel()
        async with asyncio.timeout(SAFETY_S):
            assert (await reader.read()).count(b"HTTP/1.1 ") == 1
        writer.close()


async def test_a_request_may_wait_for_the_disk_longer_than_it_may_take_to_arrive() -> None:
    """Once it is here whole, no timer of the caller's cuts it."""
    door = InboxDoor()
    async with listening(door, settings=QUICK) as front:
        reader, writer = await front.connect()
        writer.write(WHOLE)
        await until(lambda: len(door.inbox) == 1)
        await asyncio.sleep(QUICK.read_s_max + QUICK.idle_s_max + 0.1)
        assert front.listener.open_connections == 1
        waiting = door.inbox.take()
        assert waiting is not None
        waiting.answer.cancel()
        async with asyncio.timeout(SAFETY_S):
            assert b" 503 " in await reader.readline()
        writer.close()


async def flood(deaf: socket.socket, sent: bytes) -> None:
    """Send without end, reading nothing, until the other side ends it."""
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    deaf.setblocking(False)
    loop = asyncio.get_running_loop()
    while True:
        await loop.sock_sendall(deaf, sent)


async def test_who_does_not_take_answers_is_cut() -> None:
    """Requests without end and not one answer read: the connection ends, and holds little memory until then."""
    asked = request("GET", "/health").replace(b"Connection: close\r\n", b"") * 50
    async with listening(StageDoor(), settings=QUICK) as front:
        # The system itself would keep megabytes of answers; connections have the buffer of what they are accepted by.
        front.listener._sockets.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        with socket.create_connection(("127.0.0.1", front.port)) as deaf, pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(deaf, asked), SAFETY_S)
        await until(lambda: front.listener.open_connections == 0)


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Many in one packet, and many cut into odd packets."""
    async with listening(StageDoor(), settings=PATIENT) as front:
        asked = WHOLE * 40 + HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        for step in (len(asked), 1_000, 37):
            reader, writer = await front.connect()
            for at in range(0, len(asked), step):
                writer.write(asked[at : at + step])
                await asyncio.sleep(0)
            async with asyncio.timeout(SAFETY_S):
                answers = await reader.read()
            writer.close()
            assert answers.count(b"HTTP/1.1 20") == 40
            assert answers.rindex(b"HTTP/1.1 400 ") > answers.rindex(b"HTTP/1.1 20")


@pytest.mark.produces("inbox_full")
@pytest.mark.config_effect("listener.connections_max")
async def test_more_connections_than_may_be_are_closed_at_once() -> None:
    """Whoever is being answered stays; the one too many is counted, and there is room again after one ended."""
    door = InboxDoor(InboxSettings())
    async with listening(door, settings=replace(PATIENT, connections_max=2)) as front:
        first, second = await front.connect(), await front.connect()
        for _, writer in (first, second):
            writer.write(WHOLE)
        await until(lambda: len(door.inbox) == 2)
        assert await front.raw(WHOLE) == b""
        assert front.refused() == [("inbox_full", 503, 1)]
        assert front.listener.open_connections == 2
        for reader, writer in (first, second):
            door.inbox.take().answer.cancel()
            async with asyncio.timeout(SAFETY_S):
                assert b" 503 " in await reader.readline()
            writer.close()
        await until(lambda: front.listener.open_connections == 0)
        assert (await front.call("GET", "/webhook/test")).status == 200


@pytest.mark.parametrize("begun", [b"", b"POST /webhook HTTP/1.1\r\n", HEAD + b"Content-Length: 90\r\n\r\n{"])
async def test_connections_that_never_call_lock_nobody_out(begun: bytes) -> None:
    """Many that are silent or stall: each newcomer is served at once, the oldest of them had to go, and is counted once."""
    async with listening(StageDoor(), settings=replace(PATIENT, connections_max=4)) as front:
        idle = [await front.connect() for _ in range(4)]
        for _, writer in idle:
            writer.write(begun)
        await until(lambda: front.listener.open_connections == 4)
        assert (await front.call("GET", "/webhook/test")).status == 200
        await until(lambda: front.listener.open_connections == 3)
        async with asyncio.timeout(SAFETY_S):
            with contextlib.suppress(ConnectionError):
                assert await idle[0][0].read() == b""
        assert front.refused() == [("inbox_full", 503, 1)]
        for _, writer in idle:
            writer.close()


async def test_who_called_before_goes_after_those_who_never_did() -> None:
    """A connection kept alive gives way only where no other can."""
    async with listening(StageDoor(), settings=replace(PATIENT, connections_max=2)) as front:
        caller, silent = await front.connect(), await front.connect()
        caller[1].write(WHOLE)
        async with asyncio.timeout(SAFETY_S):
            assert b" 201 " in await caller[0].readuntil(b"}")
            await until(lambda: front.listener.open_connections == 2)
            third = await front.connect()
            with contextlib.suppress(ConnectionError):
                assert await silent[0].read() == b""
            caller[1].write(WHOLE)
            assert b" 200 " in await caller[0].readuntil(b"}")
            third[1].write(WHOLE)
            assert b" 200 " in await third[0].readuntil(b"}")
            fourth = await front.connect()
            with contextlib.suppress(ConnectionError):
                assert await caller[0].read() == b""
        assert front.refused() == [("inbox_full", 503, 2)]
        for _, writer in (caller, silent, third, fourth):
            writer.close()


@pytest.mark.produces("not_found")
@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (request("GET", "/"), 404, "not_found"),
        (request("POST", "/webhooks", ALERT), 404, "not_found"),
        (request("POST", "/webhook/a/b", ALERT), 404, "not_found"),
        (request("GET", "/webhook"), 405, "not_found"),
        (request("PUT", "/webhook", ALERT), 405, "not_found"),
        (request("POST", "/health", ALERT), 405, "not_found"),
        (request("PROPFIND", "/health"), 405, "not_found"),
        (request("CONNECT", "localhost:1"), 401, "no_secret"),
        (request("POST", "/webhook", ALERT, {"Expect": "the-worst"}), 417, "bad_request"),
        (request("POST", "/nowhere", ALERT, {"Expect": "the-worst"}), 417, "bad_request"),
        (request("POST", "/webhook", ALERT, {"Expect": "\udcff"}), 417, "bad_request"),
        (request("GET", "/health", b"", {"Expect": "100-continue\udcff\udcfe"}), 417, "bad_request"),
        (request("POST", "/webhook", ALERT, [("Expect", "100-continue"), ("Expect", "\u00e9")]), 417, "bad_request"),
    ],
)
async def test_other_paths_and_methods_are_answered_in_json(sent: bytes, status: int, code: str) -> None:
    """Nothing of the library's own pages is ever seen, and each such call is counted."""
    async with listening(StageDoor()) as front:
        answer = answer_in(await front.raw(sent))
        assert (answer.status, answer.body["code"], answer.body["status"]) == (status, code, "REJECTED")
        assert answer.body["request_id"]
        assert answer.headers["server"] == "oracle"
        assert front.refused() == [(code, status, 1)]
        if status == 405:
            assert answer.headers["allow"]


MALFORMED = {
    "no request": b"hello\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "a zero byte in the path": b"POST /web\x00hook HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a zero byte in a header": HEAD + b"X: \x00\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/9": b"POST /webhook HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "a giant line": b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a giant header": HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X%d: a\r\n" % n for n in range(500)) + b"\r\n",
    "two hosts": HEAD + b"Host: localhost\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an absurd length": HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\n",
    "another coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
    "bad chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk that lies": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "a broken address": b"POST http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a space before a colon": HEAD + b"X : 1\r\n\r\n",
    "a bare carriage return": b"POST /webhook HTTP/1.1\rHost: localhost\r\r",
}


@pytest.mark.produces("bad_request")
@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_http_is_answered_and_not_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A 400 in JSON, counted as a bad request; no log of the library or of the event loop says a word."""
    caplog.set_level(logging.DEBUG)
    door = StageDoor()
    async with listening(door, settings=QUICK) as front:
        raw = await front.raw(MALFORMED[name])
        answer = answer_in(raw)
        assert (answer.status, answer.body["code"]) == (400, "bad_request")
        assert front.refused() == [("bad_request", 400, 1)]
    assert door.alerts == []
    assert [one for one in caplog.records if one.exc_info or one.levelno > logging.DEBUG] == []


@pytest.mark.parametrize("host", ["xn--a", "xn--", "xn--" + "a" * 300, "%zz", "[::1]", "a@b@c", ".", "xn--a:80"])
@pytest.mark.parametrize("target", ["POST http://{}/webhook", "GET http://{}", "CONNECT {}", "POST //{}/webhook"])
async def test_the_host_of_an_address_is_never_looked_at(
    target: str, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Names that cannot be decoded are answered like any other path; nothing fails and nothing is logged."""
    method, address = target.format(host).split(" ")
    async with listening(StageDoor(), Keys(None, TOKEN), QUICK) as front:
        answer = await front.call(method, address, ALERT, {"X-Webhook-Token": TOKEN.decode()})
        assert answer.status in {201, 400, 404}
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0"])
async def test_an_upgrade_is_not_taken_up(protocol: bytes) -> None:
    """The request is answered as it stands, and the connection ends with it."""
    upgrade = b"Upgrade: %b\r\nConnection: Upgrade\r\nContent-Length: %d\r\n\r\n" % (protocol, len(ALERT))
    async with listening(StageDoor()) as front:
        raw = await front.raw(HEAD + upgrade + ALERT)
        assert (answer_in(raw).status, answer_in(raw).headers["connection"]) == (201, "close")


async def test_a_caller_may_ask_before_it_sends_the_body() -> None:
    """`Expect: 100-continue` is answered with it, then the alert is taken."""
    async with listening(StageDoor()) as front:
        reader, writer = await front.connect()
        writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(ALERT))
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(ALERT)
        async with asyncio.timeout(SAFETY_S):
            assert b"HTTP/1.1 201 " in await reader.readuntil(b"}")
        writer.close()


@pytest.mark.parametrize("path", ["/webhook", "/health", "/nowhere"])
@pytest.mark.parametrize("rest", [b"", ALERT])
async def test_who_leaves_before_he_may_go_on_is_only_counted(
    path: str, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """He asks whether to send his body and is gone before the answer: no failure of ours, and not a word in the log."""
    caplog.set_level(logging.INFO)
    door = StageDoor()
    async with listening(door, settings=QUICK) as front:
        for _ in range(20):
            _, writer = await front.connect()
            sent = request("POST", path, ALERT, {"Expect": "100-continue"})
            writer.write(sent.removesuffix(ALERT) + rest)
            writer.close()
        await until(lambda: front.listener.open_connections == 0)
        assert front.refused() == [("bad_request", 408, 20)]
    gc.collect()
    assert caplog.records == []


async def test_failures_without_end_are_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever knows how to bring one about does not fill the disk; each is counted."""

    async def fail(_: web.Request) -> web.StreamResponse:
        raise ValueError("the inner reason")

    listener = Listener(StageDoor(), Keys(), QUICK, health=dict)
    listener.app.router.add_get("/fail", fail)
    front = Front(listener, await listener.start("127.0.0.1", 0))
    for _ in range(5):
        assert (await front.call("GET", "/fail")).status == 500
    await listener.close()
    assert len(caplog.records) == 1
    assert front.refused() == [("processing_failed", 500, 5)]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_failure_of_ours_is_a_500_and_is_logged(begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    """In JSON and without a word of what failed; an answer that was begun breaks off. Time running out is no 504."""

    async def fail(asked: web.Request) -> web.StreamResponse:
        if begun:
            answer = web.StreamResponse()
            await answer.prepare(asked)
            await answer.write(b"begun")
        raise TimeoutError("the inner reason")

    listener = Listener(StageDoor(), Keys(), QUICK, health=dict)
    listener.app.router.add_get("/fail", fail)
    front = Front(listener, await listener.start("127.0.0.1", 0))
    raw = await front.raw(request("GET", "/fail"))
    await listener.close()
    assert b"the inner reason" not in raw
    assert [one.exc_info is not None for one in caplog.records] == [True]
    if begun:
        assert raw.startswith(b"HTTP/1.1 200 ")
    else:
        assert (answer_in(raw).status, answer_in(raw).body["code"]) == (500, "processing_failed")


async def test_a_caller_who_leaves_does_not_take_his_alert_back() -> None:
    """What was handed in at the door is decided, although nobody waits for the answer."""
    door = InboxDoor(InboxSettings())
    async with listening(door) as front:
        _, writer = await front.connect()
        writer.write(WHOLE)
        await until(lambda: len(door.inbox) == 1)
        writer.transport.abort()
        await until(lambda: front.listener.open_connections == 0)
        waiting = door.inbox.take()
        assert waiting is not None
        assert isinstance(waiting.told, AlertReceived)
        assert not waiting.answer.cancelled()
        waiting.answer.cancel()
        assert front.refused() == []
