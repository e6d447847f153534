"""Who may call: with a secret configured, whoever proves to know it; without one, only programs on this machine.

Everything here is cheap for us, however large and odd the call is: a stranger must not make us work.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from itertools import islice
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web
from aiohttp.http import HttpVersion11

from oracle.keys import Keys
from oracle.listener.replies import Refused
from rules import alert_text

UNPROVEN = Refused(
    401,
    "invalid_signature",
    "the call proves no secret: send X-Webhook-Signature: sha256=<HMAC-SHA-256 of the raw body under HMAC_SECRET, in hex>"
    " or WEBHOOK_TOKEN (in X-Webhook-Token, Authorization: Bearer, the address as /webhook/<token> or /webhook?token=<token>, or as token"
    " in the body);"
    " compare both with what the program was started with, and never send HMAC_SECRET itself",
)
STRANGE = Refused(
    401,
    "no_secret",
    "without a secret only programs on this machine may call, and no browser or proxy: set WEBHOOK_TOKEN in the"
    " environment or in secrets.env of the data directory, restart, and send it with every call",
)

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
# What proxies, tunnels and balancers add, with `_` read as `-`.
_PROXIED = re.compile(
    r".*forwarded.*|.*-ip|via|cdn-loop|x-host|x-scheme|x-envoy-external-address|(?:cf|fly|x-original|x-amzn|tailscale)-.*",
    re.IGNORECASE,
)
_SIGNATURE_HEADER = "X-Webhook-Signature"
_SIGNATURE_CHARS = len("sha256=") + 64
_CANDIDATES_MAX = 16
_CANDIDATE = re.compile(r"[\"“”„](?:token|secret)[\"“”„]\s*:\s*[\"“”„]((?:[^\"“”„\\\x00-\x1f]|\\.){1,1000})[\"“”„]")


class _Told(msgspec.Struct):
    """What of a JSON body may be a proof; the rest of it is checked for shape and skipped."""

    token: msgspec.Raw = msgspec.Raw()
    secret: msgspec.Raw = msgspec.Raw()


_TOLD = msgspec.json.Decoder(_Told)
_TEXT = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


# -- without a secret -----------------------------------------------------------------------------------------------


def is_local(request: web.BaseRequest) -> bool:
    """Whether a program on this machine calls by itself: no browser of a foreign page, no proxy for somebody else.

    HTTP/1.0 is what a proxy speaks that was told nothing else, with our own address as Host and not one header of its own.
    """
    if request.version < HttpVersion11:
        return False
    hosts = request.headers.getall("Host", [])
    if not request.raw_path.startswith("/") or len(hosts) != 1 or not _LOCAL_HOST.fullmatch(hosts[0]):
        return False
    if any(_PROXIED.fullmatch(name.replace("_", "-")) for name in request.headers):
        return False
    sites = request.headers.getall("Sec-Fetch-Site", [])
    if "Origin" in request.headers or any(one not in ("none", "same-origin") for one in sites):
        return False
    return _is_loopback(request.remote or "")


def _is_loopback(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


# -- with a secret --------------------------------------------------------------------------------------------------


def is_hopeless(request: web.BaseRequest, keys: Keys) -> bool:
    """Whether no body could make this call a proven one, so that it need not be read."""
    signatures = request.headers.getall(_SIGNATURE_HEADER, [])
    return keys.signs and (len(signatures) > 1 or any(len(one) != _SIGNATURE_CHARS for one in signatures))


def is_proven(request: web.Request, body: bytes, keys: Keys) -> bool:
    """Whether a call knows a secret: a right signature of the raw body, or the token in one of its places.

    Where signatures are configured, one that is there must be right whatever else is; whoever sends the signing key
    itself is refused.
    """
    signatures = request.headers.getall(_SIGNATURE_HEADER, []) if keys.signs else []
    signed = len(signatures) == 1 and keys.signed(body, signatures[0])
    if signatures and not signed:
        return False
    told = [*_in_head(request), *_in_body(body, keys)]
    if any(keys.is_signing_key(one) for one in told):
        return False
    return signed or any(keys.is_token(one) for one in told)


def _in_head(request: web.Request) -> Iterator[bytes]:
    """What may be a token in the address and the headers, as the bytes that were sent."""
    told = [request.match_info.get("token", ""), *request.headers.getall("X-Webhook-Token", [])]
    for credentials in request.headers.getall("Authorization", []):
        scheme, _, token = credentials.partition(" ")
        told += [token.strip()] if scheme.lower() == "bearer" else []
    yield from (one.encode("utf-8", "surrogateescape") for one in told if one)
    for field in request.rel_url.raw_query_string.encode("utf-8", "surrogateescape").split(b"&"):
        name, _, value = field.partition(b"=")
        # A plus sign stays one: tokens have them, and no spaces.
        if name == b"token":
            yield unquote_to_bytes(value)


def _in_body(body: bytes, keys: Keys) -> list[bytes]:
    """What may be a token at the top of a body, read as an alert would be."""
    try:
        told = _TOLD.decode(body)
        return [_TEXT.decode(raw).encode() for raw in (told.token, told.secret) if bytes(raw).startswith(b'"')]
    except _UNREADABLE:
        return _in_damaged(body, keys)


def _in_damaged(body: bytes, keys: Keys) -> list[bytes]:
    """The same for a body that must be mended: mending is slow, so it is tried only where a secret seems to be there."""
    text = body.strip(b" \t\r\n")
    if text.startswith(b"payload="):
        text = unquote_to_bytes(text[len(b"payload=") :].split(b"&", 1)[0].replace(b"+", b" "))
    candidates = islice(_CANDIDATE.finditer(text.decode("utf-8", "replace")), _CANDIDATES_MAX)
    seem = [_unescaped(one[1]).encode() for one in candidates]
    if not any(keys.is_token(one) or keys.is_signing_key(one) for one in seem):
        return []
    parsed = alert_text.parse(body)
    tree = parsed.tree if isinstance(parsed, alert_text.Parsed) else {}
    return [value.encode() for name in ("token", "secret") if isinstance(value := tree.get(name), str)]


def _unescaped(text: str) -> str:
    try:
        return _TEXT.decode(f'"{text}"')
    except _UNREADABLE:
        return ""
