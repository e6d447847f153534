"""What strangers do to a socket, by name: calls that lie, swell, nest and stall. Each says what it may be answered.

Many are proven with the token, because only then are their bodies read at all.
"""

import gzip
import zlib
from typing import NamedTuple

from tests.calling import TOKEN, request
from tests.test_connections import ALERT, HEAD, MALFORMED

SECRETS = f"WEBHOOK_TOKEN={TOKEN.decode()}\n"
PROOF = {"X-Webhook-Token": TOKEN.decode()}
BODY_BYTES_MAX = 131_072
SILENCE = 0
_KEPT = request("POST", "/webhook", ALERT, PROOF | {"Connection": "keep-alive"})
_CHUNKED = HEAD + b"X-Webhook-Token: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % TOKEN


class Attack(NamedTuple):
    """What is sent, and the statuses it may be answered with; where there are none the connection only ends.

    What is dripped comes byte by byte behind the rest for as long as it is taken.
    """

    sent: bytes
    answers: tuple[int, ...]
    dripped: bytes = b""
    hangs_up: bool = False

    @property
    def may_hear(self) -> set[int]:
        """The statuses, and SILENCE where nobody waits for an answer or the call never was whole."""
        silent = self.hangs_up or self.dripped or not self.answers
        return {*self.answers, SILENCE} if silent else set(self.answers)


def posted(body: bytes, *answers: int, **headers: str) -> Attack:
    """A proven alert with this body."""
    named = {name.replace("_", "-"): one for name, one in headers.items()}
    return Attack(request("POST", "/webhook", body, PROOF | named), answers)


def bombs() -> dict[str, Attack]:
    """Bodies that would unpack into far more than they are; none is ever unpacked."""
    plain = bytes(64 * 2**20)
    packed = {"gzip": gzip.compress(plain, mtime=0), "deflate": zlib.compress(plain)}
    told = {
        f"a {name} bomb": posted(body[:BODY_BYTES_MAX], 400, Content_Encoding=name) for name, body in packed.items()
    }
    names = ("br", "zstd", "gzip, gzip", "identity, gzip", "x")
    told |= {f"a body in {name}": posted(ALERT, 400, Content_Encoding=name) for name in names}
    return told | {"a gzip bomb that does not say so": posted(packed["gzip"][:BODY_BYTES_MAX], 400)}


def shapes() -> dict[str, Attack]:
    """Bodies of the largest size in odd shapes."""
    most = BODY_BYTES_MAX - 100
    good = ALERT[:-1].decode()
    bodies = {
        "lists in lists": b"[" * most,
        "objects in objects": b'{"a":' * (most // 5),
        "a deep tail behind an alert": f'{good}, "a": {"[" * 60_000}'.encode(),
        "equal keys": b"{" + b'"symbol":"SPY",' * (most // 15) + b'"a":1}',
        "equal secrets": f"{good},{','.join(['%22token%22:1' for _ in range(5_000)])}}}".replace("%22", '"').encode(),
        "no utf-8": b'{"symbol": "SPY", "note": "' + b"\xff\xfe" * 60_000 + b'"}',
        "utf-16": ALERT.decode().encode("utf-16"),
        "utf-32": (ALERT.decode() * 500).encode("utf-32"),
        "half a pair": f'{good}, "profile": "{chr(92)}ud800"}}'.encode(),
        "zero bytes": bytes(most),
        "digits": f'{good}, "price": {"9" * most}'.encode()[:most] + b"}",
        "an exponent": f'{good}, "price": 1e{"9" * 30_000}}}'.encode(),
        "many numbers": f'{good}, "a": [{"1e9," * 30_000}1]}}'.encode(),
        "many secrets": b"secret:" * (most // 7),
        "many tokens": b'{"token":"' * (most // 10),
        "smart tokens": "“token”:“\\”".encode() * 6_000,
        "escapes": b'{"a": "' + b"\\u0061" * 21_000 + b'"}',
        "percents": b"payload=" + b"%2525" * 26_000,
        "credentials": b"://a:" * 26_000,
        "brackets in a form": b"payload=" + b"%5B" * 43_000,
        "a line": b"SPY, 5 - Buy " + b"x" * (most - 20),
        "spaces": b" " * most,
    }
    return {f"{name} in a body": posted(body, 200, 201, 400) for name, body in bodies.items()}


def sizes() -> dict[str, Attack]:
    """Lengths that lie, and bodies without an end."""
    return {
        "a body too large": posted(b"x" * (BODY_BYTES_MAX + 1), 413),
        "a body far too large": Attack(HEAD + b"Content-Length: %d\r\n\r\n" % 10**12 + b"x" * 2**20, (413,)),
        "a length too long": Attack(HEAD + b"Content-Length: 4000\r\n\r\n" + ALERT, ()),
        "a length too short": Attack(HEAD + b"Content-Length: 4\r\n\r\n" + ALERT, (401, 400)),
        "no length": Attack(HEAD + b"\r\n" + ALERT, (401, 400)),
        "chunks without end": Attack(_CHUNKED + b"1000\r\n%b\r\n" % (b"x" * 4_096) * 100, (413,)),
        "tiny chunks": Attack(_CHUNKED + b"1\r\nx\r\n" * 140_000, (413,)),
        "a chunk of all memory": Attack(_CHUNKED + b"ffffffffffffffff\r\nx", ()),
        "a long chunk size": Attack(_CHUNKED + b"0" * 100_000 + b"1\r\nx\r\n0\r\n\r\n", (400,)),
        "a long chunk extension": Attack(_CHUNKED + b"1;" + b"a" * 200_000 + b"\r\nx\r\n0\r\n\r\n", (400,)),
        "trailers": Attack(_CHUNKED + b"1\r\n{\r\n0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", (400, 413)),
        "a header line": Attack(HEAD + b"X: " + b"a" * 2**20 + b"\r\n\r\n", (400,)),
        "header lines": Attack(HEAD + b"".join(b"X%d: %b\r\n" % (n, b"a" * 99) for n in range(9_999)), (400,)),
        "a header without end": Attack(HEAD + b"a" * 2**20, (400,)),
        "an address": Attack(request("POST", "/webhook/" + "%41" * 300_000, ALERT), (400,)),
        "a method": Attack(request("P" * 2**20, "/webhook", ALERT), (400,)),
        "many in one packet": Attack(request("GET", "/nowhere").replace(b"Connection: close\r\n", b"") * 400, (404,)),
        "many proven in one packet": Attack(_KEPT * 40 + request("POST", "/webhook", ALERT, PROOF), (200, 201)),
    }


def stalls() -> dict[str, Attack]:
    """Who begins and does not go on, who goes on and on, and who leaves in the middle."""
    begun = {"a head": HEAD, "a body": HEAD + b"Content-Length: 90000\r\n\r\n{", "chunks": _CHUNKED + b"5\r\n"}
    told = {f"{name} that stops": Attack(sent, ()) for name, sent in begun.items()}
    told |= {f"{name} drop by drop": Attack(sent, (400,), dripped=b"1") for name, sent in begun.items()}
    told |= {f"{name} and gone": Attack(sent, (), hangs_up=True) for name, sent in begun.items()}
    whole = request("POST", "/webhook", ALERT, PROOF)
    return told | {"nothing": Attack(b"", ()), "an alert and gone": Attack(whole, (200, 201), hangs_up=True)}


def prefaces() -> dict[str, Attack]:
    """Other protocols, and calls that are no calls."""
    told = {name: Attack(sent, (400,)) for name, sent in MALFORMED.items()}
    told |= {
        f"an upgrade to {name}": Attack(
            request("POST", "/webhook", ALERT, {"Upgrade": name, "Connection": "Upgrade"}), (401,)
        )
        for name in ("h2c", "websocket")
    }
    return told | {
        "http/0.9": Attack(b"GET /health\r\n", ()),
        "http/1.0": Attack(b"POST /webhook HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", (401,)),
        "http/2": Attack(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100), (400,)),
        "tls": Attack(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508), (400,)),
        "a proxied call": Attack(request("POST", "http://xn--a/webhook", ALERT), (400, 401)),
        "another method": Attack(request("BREW", "/webhook", ALERT), (400, 405)),
        "trace": Attack(request("TRACE", "/webhook"), (405,)),
        "connect": Attack(request("CONNECT", "localhost:22"), (400, 404)),
    }


ATTACKS = bombs() | shapes() | sizes() | stalls() | prefaces()
