"""Boot ids: the one reader of `os.urandom`. Ids of nouns are counters in the portfolio and never come from here."""

import base64
import os
from collections.abc import Iterator

_DRAWN = 256


def run_id() -> bytes:
    """Sixteen random bytes that tell one run of the program from every other."""
    return os.urandom(16)


def seed() -> int:
    """A seed for a simulated market; it is journaled, and everything else follows from it."""
    return int.from_bytes(os.urandom(6))


def token() -> str:
    """A secret for the webhook: 43 characters that may stand in a URL, a header and JSON as they are."""
    return base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()


def request_id() -> str:
    """A random identifier of one call, written as a UUID of version 4."""
    return next(_REQUEST_IDS)


def _request_ids() -> Iterator[str]:
    while True:
        # One question to the system for many calls: it costs more than all else about an id.
        drawn = os.urandom(16 * _DRAWN)
        yield from (_uuid(bytearray(drawn[at : at + 16])) for at in range(0, len(drawn), 16))


def _uuid(raw: bytearray) -> str:
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


_REQUEST_IDS = _request_ids()
