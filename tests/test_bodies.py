"""Bodies are bounded, taken as they are, and carried as text that reads as the bytes would."""

import gzip
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.keys import Keys
from oracle.listener import bodies
from rules.alert_text import BODY_BYTES_MAX
from rules.reading import read
from state.alert import BadAlert, FieldError
from tests.calling import TOKEN, StageDoor, listening

LATE = 1_800_000_000_000_000_000
HEAD = b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
ALERT = b'{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'


def meant(body: str | bytes) -> list[FieldError] | Any:
    """How a body is read, with the faults of one that cannot be used."""
    found = read(body, source="webhook", received_at=LATE)
    return list(found.errors) if isinstance(found, BadAlert) else found


def chunked(*parts: bytes) -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


@pytest.mark.produces("body_too_large")
@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 131073\r\n\r\n",
        b"Content-Length: 999999999999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*[b"x" * 8_192] * 17),
        b"Content-Length: 140000\r\n\r\n" + b"x" * 140_000,
    ],
)
async def test_a_body_that_is_too_large_is_refused(sent: bytes) -> None:
    """By what its length says before a byte of it is read, and by what comes where no length is said."""
    door = StageDoor()
    async with listening(door) as front:
        raw = await front.raw(HEAD + sent)
        assert raw.startswith(b"HTTP/1.1 413 ")
        assert b'"status":"REJECTED"' in raw
        assert b'"code":"body_too_large"' in raw
        assert front.refused() == [("body_too_large", 413, 1)]
    assert door.alerts == []


@pytest.mark.parametrize("parts", [(ALERT,), tuple(ALERT[at : at + 1] for at in range(len(ALERT)))])
async def test_a_body_in_chunks_is_read(parts: tuple[bytes, ...]) -> None:
    """In one, or byte by byte."""
    async with listening(StageDoor()) as front:
        raw = await front.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*parts))
        assert raw.startswith(b"HTTP/1.1 201 ")


async def test_the_largest_body_is_read() -> None:
    """Exactly at the limit it is an alert like others."""
    body = ALERT[:-1] + b', "note": "' + b"x" * (BODY_BYTES_MAX - len(ALERT) - 12) + b'"}'
    assert len(body) == BODY_BYTES_MAX
    async with listening(StageDoor()) as front:
        assert (await front.post(body)).status == 201


@pytest.mark.produces("bad_request")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "GZIP"])
async def test_a_packed_body_is_refused_and_never_unpacked(coding: str) -> None:
    """A small body that unpacks to a large one costs nothing: it is told to come as it is."""
    async with listening(StageDoor()) as front:
        answer = await front.post(gzip.compress(b"0" * 10_000_000), Content_Encoding=coding)
        assert (answer.status, answer.body["code"]) == (400, "bad_request")
        assert "without compression" in answer.body["error"]
        assert (await front.post(ALERT, Content_Encoding="identity")).status == 201


@pytest.mark.parametrize("method", [b"POST /webhook", b"GET /health", b"GET /nowhere"])
@pytest.mark.parametrize(
    ("version", "coding"),
    [
        (b"1.1", b"xchunked"),
        (b"1.1", b"gzip, chunked"),
        (b"1.1", b"chunked, chunked"),
        (b"1.1", b"identity"),
        (b"1.1", b"chunked;a=b"),
        (b"1.1", b""),
        (b"1.1", b"chunked\r\nTransfer-Encoding: chunked"),
        (b"1.0", b"chunked"),
    ],
)
async def test_a_body_whose_end_others_might_see_elsewhere_is_refused(
    method: bytes, version: bytes, coding: bytes
) -> None:
    """Only `chunked` alone is taken, on every path; what follows on the connection is never read as a call."""
    door = StageDoor()
    async with listening(door, Keys(None, TOKEN)) as front:
        head = b"%b HTTP/%b\r\nHost: localhost\r\nX-Webhook-Token: %b\r\n" % (method, version, TOKEN)
        raw = await front.raw(head + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + chunked(ALERT) + HEAD + b"\r\n")
        assert raw.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert raw.count(b"Server: oracle") == 1
        assert front.refused() == [("bad_request", 400, 1)]
    assert door.alerts == []


@pytest.mark.parametrize("rest", [b"Content-Length: 90\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
async def test_a_body_that_breaks_off_is_no_alert(rest: bytes) -> None:
    """The connection ends in the middle of a body: nothing is handed in, one call is counted."""
    door = StageDoor()
    async with listening(door) as front:
        _, writer = await front.connect()
        writer.write(HEAD + rest)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await front.listener.close()
        assert front.refused() == [("bad_request", 408, 1)]
    assert door.alerts == []


# -- bytes that are no text -----------------------------------------------------------------------------------------

UNDECODABLE = [
    b"\xff",
    b'{"symbol": "SPY\xe9"}',
    b'  {"symbol": "SPY", "note": "\xc3("}',
    b"payload=%7B%22a%22:\xff&b=+",
    b'{"note": "a+b&c=d%41", "x": "\x80"}',
]


@pytest.mark.produces("body_not_utf8")
@pytest.mark.parametrize("body", UNDECODABLE)
async def test_bytes_that_are_no_text_are_refused_as_such(body: bytes) -> None:
    """What is journaled reads with the very fault the bytes have, and the answer says so."""
    assert meant(bodies.carried(body)) == meant(body)
    door = StageDoor()
    async with listening(door) as front:
        answer = await front.post(body)
    assert (answer.status, answer.body["code"]) == (400, "body_not_utf8")
    assert answer.body["details"][0]["message"] == meant(body)[0].message


@given(
    st.binary(max_size=60), st.sampled_from([b"", b'{"token": "', b'{"symbol": "SPY", "secret": "']), st.integers(0, 9)
)
def test_whatever_the_bytes_the_text_is_no_better(body: bytes, before: bytes, size: int) -> None:
    """Bytes that are no UTF-8 never become an alert by being masked or cut, and what is kept stays small."""
    whole = before + body + b"x" * size * 2_000 + b"\xc3"
    text = bodies.carried(whole)
    assert [one.code for one in meant(text)] == ["body_not_utf8"]
    assert len(text) < 40_000


def test_a_fault_at_the_end_of_a_long_body_is_kept() -> None:
    """The middle is left out, the fault is not."""
    assert [one.code for one in meant(bodies.carried(ALERT + b" " * 100_000 + b"\xff"))] == ["body_not_utf8"]


def test_secrets_in_bytes_that_are_no_text_are_masked() -> None:
    """Also when the only fault stands in the secret itself."""
    for body in (b'{"secret": "hunter2-hunter2", "x": "\xff"}', b'{"secret": "hunter2-hunter2\xff"}'):
        text = bodies.carried(body)
        assert "hunter2" not in text
        assert [one.code for one in meant(text)] == ["body_not_utf8"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("key", ["token", "note"])
def test_secrets_in_another_encoding_are_masked(encoding: str, key: str) -> None:
    """By what they are called, and the known ones under any name."""
    body = f'{{"{key}": "{TOKEN.decode()}", "x": "\u00e9"}}'.encode(encoding)
    text = bodies.carried(body, Keys(None, TOKEN).hide)
    assert [one.code for one in meant(text)] in (["body_not_utf8"], ["body_not_json"])
    assert TOKEN[:6] not in unquote_to_bytes(text).replace(b"\0", b"")


def test_a_known_secret_is_hidden_before_bytes_are_cut() -> None:
    """Where 10 KB end half of it may stand."""
    for over in range(len(TOKEN)):
        text = bodies.carried(b"\xff" + b"x" * (10 * 1_024 - 1 - over) + TOKEN, Keys(None, TOKEN).hide)
        assert TOKEN[:2].decode() not in text
