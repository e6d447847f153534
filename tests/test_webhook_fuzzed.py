"""Whatever bytes arrive at the socket, the answer is one of ours, no log has a word of it, and nothing is left behind."""

import asyncio
import gc
import json
import logging
import re
from collections.abc import Callable
from random import Random

import pytest

from oracle.keys import Keys
from oracle.listener.limits import ListenerSettings
from state.facts import AlertLogged
from tests.calling import SIGNING_KEY, TOKEN, Front, StageDoor, listening, request, until
from tests.test_guard import BODY, signature

CALLS, AT_ONCE = 2_000, 64
HASTY = ListenerSettings(read_s_max=0.1, idle_s_max=0.1)
PROOFS = [[("X-Webhook-Token", TOKEN.decode())], [("X-Webhook-Signature", signature())], []]
METHODS = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "P\u00d6ST", "X" * 300, ""]
PATHS = [
    "/",
    "/webhook",
    "/webhook/",
    "/webhook/test",
    f"/webhook/{TOKEN.decode()}",
    "/health",
    "//",
    "*",
    "/%00",
    "/%ff",
]
PATHS += [
    "/webhook?token=1",
    f"/webhook/?token={TOKEN.decode()}",
    "/webhook?token=\udcff&token=%ff",
    "/webhook/../health",
    "http://localhost/webhook",
    "localhost:80",
    "/\u00e9",
    "/" + "a" * 9_000,
    "",
]
NAMES = ["Host", "Content-Length", "Transfer-Encoding", "Content-Encoding", "Expect", "Upgrade", "Connection", "Origin"]
NAMES += [
    "X-Webhook-Signature",
    "X-Webhook-Token",
    "Authorization",
    "Content-Type",
    "Range",
    "Cookie",
    "Forwarded",
    "\u00e9",
    "",
]
VALUES = [
    "",
    "0",
    "-1",
    "99999999999999999999",
    "1e3",
    "chunked",
    "gzip",
    "100-continue",
    "websocket",
    "close",
    "keep-alive",
]
VALUES += [
    "identity",
    "localhost",
    "\u00e9\u00e8",
    "Bearer ",
    f"Bearer {TOKEN.decode()}",
    "a" * 9_000,
    "\x00",
    "multipart/form-data",
    "\udcff\udcfe",
    "100-continue\udcff",
    "chunked, chunked",
]
BODIES = [
    BODY,
    b"",
    b"\xff\xfe",
    b"{" * 500,
    b"payload=%7B",
    b"\x00" * 200,
    b"5\r\n" + BODY[:5] + b"\r\n0\r\n\r\n",
    b"[1,2",
]


def noise(chance: Random) -> bytes:
    """Bytes that mean nothing."""
    return chance.randbytes(chance.choice([1, 10, 300, 5_000]))


def odd(chance: Random) -> bytes:
    """A request of odd parts."""
    headers = [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randrange(5))]
    return request(chance.choice(METHODS), chance.choice(PATHS), chance.choice(BODIES), headers + chance.choice(PROOFS))


def mutated(chance: Random) -> bytes:
    """A good request with some places of it changed, cut out, or doubled."""
    sent = bytearray(request("POST", "/webhook", chance.choice(BODIES), chance.choice(PROOFS)))
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(sent))
        to = at + chance.choice([1, 1, 2, 20])
        sent[at:to] = chance.choice([chance.randbytes(1), b"", sent[at:to] * 2, b"\r\n", b"\x00", b"\xe2\x80\x9c"])
        sent += b"" if sent else b"\n"
    return bytes(sent)


def joined(chance: Random) -> bytes:
    """Several requests in one packet, the last of them cut."""
    whole = b"".join(chance.choice([odd, mutated])(chance) for _ in range(chance.randrange(2, 6)))
    return whole[: chance.randrange(1, len(whole) + 1)]


def expecting(chance: Random) -> bytes:
    """A request that asks whether it may go on, in good and in odd words."""
    return request(
        chance.choice(METHODS), chance.choice(PATHS), chance.choice(BODIES), [("Expect", chance.choice(VALUES))]
    )


KINDS: list[Callable[[Random], bytes]] = [noise, odd, mutated, joined, expecting]


async def left(front: Front, sent: bytes) -> list[int]:
    """Nothing: the caller is gone as soon as he has spoken."""
    _, writer = await front.connect()
    writer.write(sent)
    writer.close()
    return []


async def answered(front: Front, sent: bytes) -> list[int]:
    """The status of every answer to some bytes; each answer is JSON with a request id."""
    raw = await front.raw(sent)
    heads = list(re.finditer(rb"HTTP/[0-9.]+ ([0-9]{3}) [^\r]*\r\n(?:[^\r]+\r\n)*\r\n", raw))
    for head in heads:
        length = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head[0])
        body = raw[head.end() : head.end() + int(length[1])] if length else b""
        assert body == b"" or json.loads(body)["request_id"], sent
    return [int(head[1]) for head in heads]


@pytest.mark.parametrize("seed", [7])
async def test_no_bytes_bring_the_listener_out_of_order(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Statuses are 200 to 417 or 503, logs are silent, and at the end there is no connection, task or event too many."""
    caplog.set_level(logging.INFO)
    chance, door = Random(seed), StageDoor()
    async with listening(door, Keys(SIGNING_KEY, TOKEN), HASTY) as front:
        tasks = len(asyncio.all_tasks())
        statuses: list[int] = []
        for _ in range(CALLS // AT_ONCE):
            some = [chance.choice(KINDS)(chance) for _ in range(AT_ONCE)]
            ways = [chance.choice([answered] * 7 + [left]) for _ in some]
            for told in await asyncio.gather(*[way(front, one) for way, one in zip(ways, some, strict=True)]):
                statuses += told
        await until(lambda: front.listener.open_connections == 0 and len(asyncio.all_tasks()) <= tasks)
        kinds = front.refused()
    # A task that failed unseen speaks when it is collected.
    gc.collect()
    assert {one for one in statuses if one >= 500} <= {503}
    assert {200, 201, 400, 401, 404, 405, 413, 417} & set(statuses) >= {200, 400, 401, 404, 405}
    assert [one.getMessage() for one in caplog.records if one.exc_info or one.levelno >= logging.WARNING] == []
    assert len(kinds) <= 12
    assert len(door.stage.of(AlertLogged)) == len(door.alerts) < len(statuses)
