"""Takes secrets out of an alert body before it is journaled; number text, key order and repeated keys stay as sent."""

import json
import re
from typing import Any

MASK = "***"
_WORDS = (
    r"secret|token|passw(?:or)?d|passphrase|passcode|pwd|(?:api|private|access)[ _-]?key|auth(?!or(?!iz))|hmac|signature"
    r"|credential"
)
_SECRET = re.compile(rf"{_WORDS}|^(?:key|pin)$", re.IGNORECASE)
# What follows such a word and `:` or `=` in text, be it quoted, quoted inside a quoted text, or bare. Whatever stands
# before the word is no part of the match, so that a long text is searched in one pass.
_IN_TEXT = re.compile(
    rf"(?P<key>(?:{_WORDS}|(?<![\w-])(?:key|pin))[\w-]{{0,40}}\\?[\"'”]?\s*[:=]\s*)"
    r"(?P<value>\\\"(?:(?!\\\").)*(?:\\\")?|\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|(?:(?:bearer|basic)\s+)?[^\s,;&}\])]+)",
    re.IGNORECASE | re.DOTALL,
)
UNREADABLE_BYTES_MAX = 32 * 1024


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that repeated keys survive."""


class _Number(str):
    """A number as its text."""

    __slots__ = ()


def mask(body: str) -> str:
    """The body with the values of secret-like keys replaced at any depth, and what looks like `secret: value` in texts.

    A body that is not JSON keeps at most 32 KB of its text. What comes back can always be encoded as UTF-8.
    """
    try:
        tree = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
        return _encode(tree)
    except (ValueError, RecursionError):
        cut = body.encode("utf-8", "replace")[:UNREADABLE_BYTES_MAX].decode("utf-8", "ignore")
        return _masked(cut)


def _masked(text: str) -> str:
    return _IN_TEXT.sub(lambda match: match["key"] + _mask_like(match["value"]), text)


def _mask_like(value: str) -> str:
    """The mask in the quotes of what it replaces, so that a damaged body reads as it did; a bare value gets some."""
    quote = next((one for one in ('\\"', "'") if value.startswith(one)), '"')
    return f"{quote}{MASK}{quote}"


def _encode(tree: Any) -> str:
    match tree:
        case _Pairs():
            pairs = (f"{_text(key)}: {_text(MASK) if _SECRET.search(key) else _encode(value)}" for key, value in tree)
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(_encode(one) for one in tree) + "]"
        case _Number():
            return str(tree)
        case str():
            return _text(_masked(tree))
        case _:
            return _text(tree)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # Half a surrogate pair is legal in JSON text as an escape, and only so.
    return text if text.isascii() or text.encode("utf-8", "replace").decode() == text else json.dumps(value)
