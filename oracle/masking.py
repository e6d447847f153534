"""Takes secrets out of an alert body before it is journaled; number text, key order and repeated keys stay as sent."""

import json
import re
from typing import Any

MASK = "***"
_SECRET = re.compile(
    r"secret|token|passw(or)?d|passphrase|passcode|pwd|api_?key|apikey|auth(orization)?|hmac|signature|credential"
    r"|private_?key|access_?key|^key$|^pin$",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(
    r"(?P<key>[\"'“]?[\w-]*(?:secret|token|passw(?:or)?d|passphrase|passcode|pwd|api_?key|auth|hmac|signature|credential"
    r"|private_?key|access_?key)[\w-]*[\"'”]?\s*[:=]\s*)(?P<value>\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s,;&}\])]+)",
    re.IGNORECASE,
)
UNREADABLE_BYTES_MAX = 32 * 1024


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that repeated keys survive."""


class _Number(str):
    """A number as its text."""

    __slots__ = ()


def mask(body: str) -> str:
    """The body with the values of secret-like keys replaced at any depth.

    A body that is not JSON keeps at most 32 KB of its text, with what looks like `key: value` of a secret masked.
    """
    try:
        tree = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
        return _encode(tree)
    except (ValueError, RecursionError):
        cut = body.encode("utf-8", "replace")[:UNREADABLE_BYTES_MAX].decode("utf-8", "ignore")
        return _IN_TEXT.sub(lambda match: match["key"] + f'"{MASK}"', cut)


def _encode(tree: Any) -> str:
    match tree:
        case _Pairs():
            pairs = (f"{_text(key)}: {_text(MASK) if _SECRET.search(key) else _encode(value)}" for key, value in tree)
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(_encode(one) for one in tree) + "]"
        case _Number():
            return str(tree)
        case _:
            return _text(tree)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
