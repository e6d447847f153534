"""A secret that came in by whatever way leaves the listener by none: not to the journal, a caller, a count or a log."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest

from oracle.inbox import InboxSettings
from oracle.keys import Keys
from tests.calling import DurableDoor, Front, InboxDoor, StageDoor, listening, request, until
from tests.test_spelling import SPELLED, escaped, percented

TOKEN, SIGNING_KEY = "Zk3v9Qw7Lx2Rt8Yb5Nc1Mf6Hd4Gs0JpAaUuEeIiOoKk", "9d2c41f7e0b85a63-signing-key-of-many-letters"
KEYS = Keys(SIGNING_KEY.encode(), TOKEN.encode())
PROOF = {"X-Webhook-Token": TOKEN}
PIECE_CHARS = 6
"""So much of the beginning of a secret is too much."""

_ESCAPE = re.compile(rb"\\+[uU]00([0-9a-fA-F]{2})")


def bodies(secret: str) -> Iterator[bytes]:
    """Alerts of every shape that hold a secret: sound, damaged, forms, lines, and in other encodings."""
    for number, spelled in enumerate(one(secret) for one in SPELLED.values()):
        for key in ("token", "note", "symbol", "test_session_id", "tok"):
            alert = f'{{"symbol": "SPY", "direction": "long", "timeframe": "{number}m", "is_test": true, "{key}": "'
            for end in ('"}', '",}', '"', '", "x": "\udcff"}', '", "meta": {"a": [1, 2,]}}'):
                yield (alert + spelled + end).encode("utf-8", "surrogateescape")
    sound = json.dumps({"symbol": "SPY", "direction": "long", "timeframe": "5m", "note": f"a {secret} b"})
    keyed = json.dumps({"symbol": "SPY", "direction": "long", "timeframe": "5m", secret: 1, "l": [[secret]]})
    for text in (sound, keyed, keyed[:-1] + ",}", json.dumps({"message": sound}), json.dumps([sound])):
        yield text.encode()
        yield b"\xef\xbb\xbf" + text.encode()
        yield from (text.encode(one) for one in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"))
        yield text.replace('"', "\u201c").encode()
        yield b"payload=" + quote(text).encode()
        yield b"payload=" + quote(text).replace(secret, percented(secret)).encode()
        yield b"payload=" + quote(text).replace(secret, percented(escaped(secret))).encode()
        yield b"payload=" + quote(text[:-4]).encode() + b"&other=" + percented(secret).encode()
        yield b"payload=" + quote(text.encode("utf-16")).encode()
    yield from (
        f"{line}{secret}".encode() for line in ("SPY, 5 - Buy ", "SPY, 6 - Buy token=", "", f"token={secret}&payload=")
    )
    yield f'{{"n": {"x" * 32_700}{secret}'.encode()
    yield b"\xff" + b"x" * 10_210 + secret.encode()


def strays(secret: str) -> Iterator[bytes]:
    """Calls with a secret where none belongs, most of them unproven."""
    for path in (f"/{secret}", f"/webhook{secret}", f"/api/{secret}", f"/webhook%2F{secret}", f"/{percented(secret)}"):
        yield request("POST", path, b"{}")
        yield request("GET", path)
    yield request("PUT", f"/webhook/{secret}")
    yield request("POST", f"/webhook/{secret}/x", b"{}")
    yield request("POST", f"/webhook?key={secret}", secret.encode())
    yield request(secret, "/webhook", b"{}")
    yield f"{secret} {secret} {secret}\r\n\r\n".encode()
    yield f"POST /webhook/{secret} HTTP/1.1\r\nHost: x\r\nX {secret}: {secret}\r\nBad\x00: {secret}\r\n\r\n".encode()
    yield request("POST", "/webhook", b"{}", {"Expect": secret})
    yield request("POST", "/webhook", b"{}", {"Host": secret, "Transfer-Encoding": secret})
    for number in range(900, 1_100, 20):
        yield request("POST", "/webhook", b"x" * number + secret.encode() * 20)
    for body in (secret * 60, escaped(secret) * 60, percented(secret) * 60):
        yield request("POST", "/webhook", body.encode(), {"X-Webhook-Signature": "sha256=" + "0" * 64})


def plain(written: bytes) -> bytes:
    """Some bytes with every encoding of ASCII in them undone."""
    before = b""
    while written != before:
        before = written
        written = unquote_to_bytes(written.replace(b"\0", b""))
        written = _ESCAPE.sub(lambda one: bytes([int(one[1], 16)]), written)
    return written.replace(b"\0", b"").replace(b"\\", b"")


def shown(written: bytes) -> list[str]:
    """The secrets of which something stands in some bytes."""
    found = plain(written)
    return [one for one in (TOKEN, SIGNING_KEY) if one[:PIECE_CHARS].encode() in found]


async def counted(front: Front) -> bytes:
    """What is kept of the calls that were turned away."""
    drained = front.listener.refusals.drain(1)
    return b"" if drained is None else b"\n".join(f"{one.first}\n{one.last}".encode() for one in drained.calls)


def test_the_search_of_these_tests_finds_what_is_there() -> None:
    """In every spelling, and only a beginning of it."""
    spelled = [one(TOKEN).encode("latin-1") for one in SPELLED.values()] + [TOKEN[:PIECE_CHARS].encode()]
    assert [one for one in spelled if shown(b"a " + one + b" b") != [TOKEN]] == []
    assert shown(b"nothing") == []


@pytest.mark.parametrize("secret", [TOKEN, SIGNING_KEY])
async def test_no_body_takes_a_secret_to_the_journal(
    secret: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever its shape: nothing of it in the files of the journal, the answers, the counts and the log."""
    caplog.set_level(logging.DEBUG, logger="oracle")
    door, written = DurableDoor(tmp_path / "journal"), []
    async with listening(door, KEYS) as front:
        for body in bodies(secret):
            written.append(await front.raw(request("POST", "/webhook", body, PROOF)))
            assert shown(written[-1]) == [], body
            assert shown(await counted(front)) == [], body
    door.close()
    statuses = [one[9:12] for one in written]
    assert statuses.count(b"201") > 10
    assert set(statuses) <= {b"200", b"201", b"400", b"401"}
    files = [one.read_bytes() for one in (tmp_path / "journal").rglob("*") if one.is_file()]
    assert sum(map(len, files)) > 10_000
    assert [shown(one) for one in files] == [[]] * len(files)
    assert shown(caplog.text.encode()) == []


@pytest.mark.parametrize("secret", [TOKEN, SIGNING_KEY])
async def test_no_stray_call_shows_a_secret(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    """In a wrong path, in place of a method, in odd headers, where a long body is cut: it is answered, counted, not shown."""
    caplog.set_level(logging.DEBUG)
    door = StageDoor()
    async with listening(door, KEYS) as front:
        for sent in strays(secret):
            answered = await front.raw(sent)
            assert answered.startswith(b"HTTP/1."), sent
            kept = await counted(front)
            assert kept, sent
            assert (shown(answered), shown(kept)) == ([], []), sent
    assert door.alerts == []
    assert shown(caplog.text.encode()) == []


async def test_an_alert_for_which_there_is_no_room_shows_no_secret() -> None:
    """It is counted with the beginning of its body, proven as it is."""
    door = InboxDoor(InboxSettings(alerts_max=1))
    async with listening(door, KEYS) as front:
        waits = asyncio.create_task(front.call("POST", "/webhook", b"{}", PROOF))
        await until(lambda: len(door.inbox) == 1)
        for body in bodies(TOKEN):
            assert b" 503 " in (await front.raw(request("POST", "/webhook", body, PROOF)))[:20]
            assert shown(await counted(front)) == [], body
        waiting: Any = door.inbox.take()
        waiting.answer.cancel()
        await waits
