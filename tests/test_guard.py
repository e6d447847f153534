"""Who may call: every place a proof may stand in, every attempt to do without one, and every sign of a stranger."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request

from oracle.keys import Keys
from oracle.listener import guard
from tests.calling import SIGNING_KEY, TOKEN, StageDoor, Told, listening

BODY = b'{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
BOTH, SIGNED, TOKENED = Keys(SIGNING_KEY, TOKEN), Keys(SIGNING_KEY, None), Keys(None, TOKEN)
T, K = TOKEN.decode(), SIGNING_KEY.decode()
GUESS = "a-guess-0123456789"


def signature(body: bytes = BODY, key: bytes = SIGNING_KEY) -> str:
    """What a sender puts into the header."""
    return f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"


def told(**fields: Any) -> bytes:
    """The alert with more fields."""
    return json.dumps({"symbol": "SPY", "direction": "long", "timeframe": "5m"} | fields).encode()


Headers = list[tuple[str, str]]
Call = tuple[str, bytes, Headers]


async def answered(keys: Keys, call: Call) -> Told:
    """What one call is answered by a listener of its own."""
    path, body, headers = call
    async with listening(StageDoor(), keys) as front:
        return await front.call("POST", path, body, headers)


PROVEN: list[tuple[Keys, Call]] = [
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature())])),
    (SIGNED, ("/webhook", BODY, [("x-webhook-signature", signature().upper())])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Token", T)])),
    (BOTH, ("/webhook", BODY, [("Authorization", f"bearer  {T}")])),
    (BOTH, (f"/webhook/{T}", BODY, [])),
    (BOTH, (f"/webhook/{T}/", BODY, [])),
    (BOTH, ("/webhook/", BODY, [("X-Webhook-Token", T)])),
    (BOTH, (f"/webhook?token={T}", BODY, [])),
    (BOTH, (f"/webhook/?a=1&token=wrong&token={''.join(f'%{ord(one):02x}' for one in T)}", BODY, [])),
    (Keys(None, b"a+token/of==base64"), ("/webhook?token=a+token/of==base64", BODY, [])),
    (BOTH, ("/webhook", told(token=T), [])),
    (BOTH, ("/webhook", told(secret=T), [])),
    (BOTH, ("/webhook", told(token=T[::-1], secret=T), [])),
    (BOTH, ("/webhook", told(token=T), [("Content-Type", "text/plain")])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature()), ("X-Webhook-Token", T)])),
    (TOKENED, ("/webhook", BODY, [("X-Webhook-Signature", "sha256=00"), ("X-Webhook-Token", T)])),
    (TOKENED, ("/webhook", BODY, [("X-Webhook-Token", "wrong"), ("X-Webhook-Token", T)])),
    (BOTH, ("/webhook", told(token=T)[:-1] + b",}", [])),
    (BOTH, ("/webhook", b"\xef\xbb\xbf" + told(token=T), [])),
    (BOTH, ("/webhook", told(token=T).replace(b'"', "“".encode()), [])),
    (BOTH, ("/webhook", b"payload=" + quote(told(token=T)).encode(), [])),
    (BOTH, ("/webhook", told(token=T).replace(b"-", b"\\u002d"), [])),
    (BOTH, ("/webhook", (told(token=T)[:-1] + b",}").replace(b"-", b"\\u002d"), [])),
]

UNPROVEN: list[tuple[Keys, Call]] = [
    (BOTH, ("/webhook", BODY, [])),
    (SIGNED, ("/webhook", BODY, [])),
    (TOKENED, ("/webhook", BODY, [])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", "")])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature()[7:])])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature(BODY + b" "))])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature(key=TOKEN))])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature()[:-1] + "é")])),
    # A wrong signature beside a good token, and a right one beside a wrong or an equal one.
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", "sha256=" + "0" * 64), ("X-Webhook-Token", T)])),
    (BOTH, (f"/webhook/{T}", told(token=T), [("X-Webhook-Signature", signature())])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature()), ("X-Webhook-Signature", "sha256=" + "0" * 64)])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", signature()), ("X-Webhook-Signature", signature())])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Signature", f"{signature()},{signature()}")])),
    # The signing key travels.
    (BOTH, ("/webhook", told(secret=K), [])),
    (SIGNED, ("/webhook", told(secret=K), [])),
    (SIGNED, ("/webhook", told(secret=K), [("X-Webhook-Signature", signature(told(secret=K)))])),
    (BOTH, ("/webhook", told(secret=K)[:-1] + b",}", [("X-Webhook-Token", T)])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Token", K)])),
    (SIGNED, (f"/webhook/{K}", BODY, [])),
    # A token that is none, or stands where none belongs.
    (BOTH, ("/webhook", BODY, [("X-Webhook-Token", T[:-1])])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Token", T + "x")])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Token", T.upper())])),
    (BOTH, ("/webhook", BODY, [("X-Webhook-Token", "tökén" * 4)])),
    (BOTH, ("/webhook", BODY, [("Authorization", f"Basic {T}")])),
    (BOTH, ("/webhook", BODY, [("Authorization", T)])),
    (BOTH, (f"/webhook?token={T[:-1]}", BODY, [])),
    (BOTH, (f"/webhook?tokens={T}", BODY, [])),
    (BOTH, (f"/webhook?token={K}", BODY, [("X-Webhook-Token", T)])),
    (BOTH, ("/webhook?token=%ff&token=%zz&token", BODY, [])),
    (BOTH, (f"/webhook?{'token=&' * 1_000}", BODY, [])),
    (BOTH, ("/webhook/short/", BODY, [])),
    (BOTH, ("/webhook", BODY, [("Cookie", f"token={T}")])),
    (BOTH, ("/webhook/wrong", BODY, [])),
    (BOTH, ("/webhook", told(meta={"token": T}), [])),
    (BOTH, ("/webhook", told(token=[T]), [])),
    (BOTH, ("/webhook", told(token={"token": T}), [])),
    (BOTH, ("/webhook", told(token=None, note=T), [])),
    (BOTH, ("/webhook", told(meta={"token": T})[:-1] + b",}", [])),
    (BOTH, ("/webhook", b'"token": "' + TOKEN + b'"', [])),
    (BOTH, ("/webhook", b'["token", "' + TOKEN + b'"]', [])),
    (BOTH, ("/webhook", b"", [])),
    (BOTH, ("/webhook", b"\xff\xfe" + told(token=T), [])),
    (BOTH, ("/webhook", b'{"token": "' + b"\\ud800" * 3 + b'"}', [])),
    (BOTH, ("/webhook", b'{"token": "\\x"' + b"[" * 2_000, [])),
    (BOTH, ("/webhook", b"payload=%zz&token=" + TOKEN, [])),
]


@pytest.mark.parametrize(("keys", "call"), PROVEN)
async def test_a_proof_may_stand_in_many_places(keys: Keys, call: Call) -> None:
    """A signature, or the token in a header, the path, or the top of a body that is damaged as senders damage it."""
    answer = await answered(keys, call)
    assert (answer.status, answer.body["status"]) == (201, "ACCEPTED")


@pytest.mark.produces("invalid_signature")
@pytest.mark.parametrize(("keys", "call"), UNPROVEN)
async def test_there_is_no_way_round_a_proof(keys: Keys, call: Call) -> None:
    """Every attempt is answered 401 in the same words, which name the remedy and no secret."""
    answer = await answered(keys, call)
    assert (answer.status, answer.body["status"], answer.body["code"]) == (401, "REJECTED", "invalid_signature")
    assert answer.body["error"] == guard.UNPROVEN.error
    assert "WEBHOOK_TOKEN" in answer.body["error"]
    assert set(answer.body) == {"status", "error", "code", "request_id"}


async def test_an_unproven_alert_leaves_nothing_but_a_count() -> None:
    """It never reaches the door, and what is kept of it shows neither the guess nor a secret."""
    door = StageDoor()
    async with listening(door, BOTH) as front:
        await front.post(told(secret=K, token=GUESS))
        (kept,) = front.listener.refusals.drain(1).calls
    assert door.alerts == []
    assert (kept.reason, kept.status, kept.count) == ("invalid_signature", 401, 1)
    assert kept.first.startswith('POST /webhook {"symbol": "SPY"')
    assert not any(secret in kept.first for secret in (K, T, GUESS))


def test_mending_is_not_done_for_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged body of the largest size is not mended unless a secret seems to stand in it: mending is slow."""
    monkeypatch.setattr(guard.alert_text, "parse", None)
    body = b'{"token": "' + b"x" * 16 + b'", "numbers": [' + b"1, " * 43_000 + b"]"
    assert not guard.is_proven(make_mocked_request("POST", "/webhook"), body, BOTH)
    with pytest.raises(TypeError):
        guard.is_proven(make_mocked_request("POST", "/webhook"), body.replace(b"x" * 16, TOKEN), BOTH)


# -- without a secret -----------------------------------------------------------------------------------------------

LOCAL: list[Headers] = [
    [],
    [("Host", "127.0.0.1:8080")],
    [("Host", "LOCALHOST:1")],
    [("Host", "[::1]:8080")],
    [("Sec-Fetch-Site", "none")],
    [("Sec-Fetch-Site", "same-origin")],
]

STRANGE: list[Headers] = [
    [("Host", "evil.example")],
    [("Host", "localhost.evil.example")],
    [("Host", "127.0.0.1.evil.example")],
    [("Host", "localhost:80@evil.example")],
    [("Host", "192.168.1.5")],
    [("Host", "localhost.")],
    [("Origin", "http://localhost:8080")],
    [("Origin", "null")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-site")],
    [("Forwarded", "for=1.2.3.4")],
    [("Via", "1.1 proxy")],
    [("X-Real-IP", "127.0.0.1")],
    [("X-Forwarded-For", "127.0.0.1")],
    [("X-FORWARDED-PROTO", "https")],
    [("X-Forwarded-Anything", "1")],
    [("CF-Connecting-IP", "1.2.3.4")],
    [("CF-Ray", "230b030023ae2822-SJC")],
    [("CDN-Loop", "cloudflare")],
    [("Client-IP", "1.2.3.4")],
    [("True-Client-IP", "1.2.3.4")],
    [("Fly-Client-IP", "1.2.3.4")],
    [("X-Cluster-Client-IP", "1.2.3.4")],
    [("X_Real_IP", "1.2.3.4")],
    [("X_Forwarded_For", "1.2.3.4")],
    [("X-Original-Forwarded-For", "1.2.3.4")],
    [("X-Envoy-External-Address", "1.2.3.4")],
    [("X-Original-URL", "/webhook")],
    [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")],
]


@pytest.mark.parametrize("headers", LOCAL)
async def test_without_a_secret_programs_on_this_machine_may_call(headers: Headers) -> None:
    """By any name of the machine's own."""
    answer = await answered(Keys(), ("/webhook", BODY, headers))
    assert answer.status == 201


@pytest.mark.produces("no_secret")
@pytest.mark.parametrize("headers", STRANGE)
@pytest.mark.parametrize(("method", "path"), [("POST", "/webhook"), ("GET", "/health"), ("GET", "/webhook/test")])
async def test_without_a_secret_browsers_and_proxies_may_not(method: str, path: str, headers: Headers) -> None:
    """A foreign page, a rebound name or a forwarded stranger is told to have a secret set, on every path."""
    async with listening(StageDoor()) as front:
        answer = await front.call(method, path, BODY if method == "POST" else b"", headers)
        assert (answer.status, answer.body["code"]) == (401, "no_secret")
        assert "WEBHOOK_TOKEN" in answer.body["error"]
        assert front.refused() == [("no_secret", 401, 1)]


@pytest.mark.parametrize(
    "head",
    [
        b"POST /webhook HTTP/1.0\r\n",
        b"POST /webhook HTTP/1.0\r\nHost: localhost\r\n",
        b"POST http://localhost/webhook HTTP/1.1\r\nHost: localhost\r\n",
    ],
)
async def test_without_a_secret_a_call_without_a_host_or_through_a_proxy_is_strange(head: bytes) -> None:
    """No Host header at all, HTTP/1.0 as a proxy speaks it that names our own address, a target written as for one."""
    async with listening(StageDoor()) as front:
        raw = await front.raw(head + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        assert b" 401 " in raw.split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.1.5", False),
        ("::ffff:8.8.8.8", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_only_this_machine_is_local(peer: str, local: bool) -> None:
    """An address inside IPv6 notation is judged as what it stands for."""
    call = make_mocked_request("POST", "/webhook", headers={"Host": "localhost"}).clone(remote=peer)
    assert guard.is_local(call) is local


async def test_with_a_secret_a_proxy_may_speak_http_1_0() -> None:
    """What proves the secret is taken, however it comes."""
    async with listening(StageDoor(), BOTH) as front:
        head = (
            f"POST /webhook HTTP/1.0\r\nHost: localhost\r\nX-Webhook-Token: {T}\r\nContent-Length: {len(BODY)}\r\n\r\n"
        )
        assert (await front.raw(head.encode() + BODY)).split(b"\r\n")[0].endswith(b" 201 Created")


async def test_with_a_secret_everybody_may_ask_how_the_program_is() -> None:
    """Health and the probe hold no secret, and a proxy in front is what a secret is for."""
    async with listening(StageDoor(), BOTH) as front:
        for path in ("/health", "/webhook/test"):
            told_ = await front.call("GET", path, headers=[("Host", "oracle.example"), ("X-Forwarded-For", "1.2.3.4")])
            assert told_.status == 200
        proxied = [("Host", "oracle.example"), ("X-Forwarded-For", "1.2.3.4"), ("X-Webhook-Token", T)]
        assert (await front.call("POST", "/webhook", BODY, proxied)).status == 201
