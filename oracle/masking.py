"""Takes secrets out of an alert body before it is journaled; number text, key order and repeated keys stay as sent."""

import json
import re
from decimal import Decimal
from typing import Any

from rules import alert_text

MASK = "***"
_WORDS = (
    r"secret|token|passw(?:or)?d|passphrase|passcode|pwd|(?:api|private|access)[ _-]?key|auth(?!or(?!iz))|hmac|signature"
    r"|credential|bearer|jwt"
)
_SECRET = re.compile(rf"{_WORDS}|^(?:key|pin|pass|otp)$", re.IGNORECASE)
# What follows such a word and `:` or `=` in text, be it quoted, quoted inside a quoted text, or bare. Whatever stands
# before the word is no part of the match, so that a long text is searched in one pass.
_IN_TEXT = re.compile(
    rf"(?P<key>(?:{_WORDS}|(?<![\w-])(?:key|pin|pass|otp))[\w-]{{0,40}}\\?[\"'”]?\s*[:=]\s*)"
    r"(?P<value>\[[^\]]*\]?|\{[^}]*\}?|\\\"(?:(?!\\\").)*(?:\\\")?|\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|(?:(?:bearer|basic)\s+)?[^\s,;&}\])]+)",
    re.IGNORECASE | re.DOTALL,
)
_CREDENTIALS = re.compile(r"(?P<scheme>://)[^/\s:@\"]{1,200}:[^/\s@\"]{1,200}@")
UNREADABLE_BYTES_MAX = 32 * 1024


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that repeated keys survive."""


class _Number(str):
    """A number as its text."""

    __slots__ = ()


def mask(body: str) -> str:
    """The body with the values of secret-like keys replaced at any depth, and what looks like `secret: value` in texts.

    A damaged body that can be mended and holds a secret comes back as the JSON it was mended to, so that it reads alike.
    Any other body that is not JSON keeps at most 32 KB of its text. What comes back can always be encoded as UTF-8.
    """
    try:
        tree = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
        return _encode(tree)
    except (ValueError, RecursionError):
        mended = alert_text.parse(body)
        if isinstance(mended, alert_text.Parsed) and _secretive(mended.tree):
            return _encode(mended.tree)
        cut = body.encode("utf-8", "replace")[:UNREADABLE_BYTES_MAX].decode("utf-8", "ignore")
        return mask_text(cut)


def _secretive(tree: Any) -> bool:
    """Whether a mended body holds anything to be masked."""
    match tree:
        case dict():
            return any(_SECRET.search(key) or _secretive(value) for key, value in tree.items())
        case list():
            return any(map(_secretive, tree))
        case str():
            return mask_text(tree) != tree
        case _:
            return False


def mask_text(text: str) -> str:
    """A text with what looks like `secret: value` in it replaced, and the credentials of addresses."""
    text = _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)
    return _IN_TEXT.sub(lambda match: match["key"] + _mask_like(match["value"]), text)


def _mask_like(value: str) -> str:
    """The mask in the quotes of what it replaces, so that a damaged body reads as it did; a bare value gets some."""
    quote = next((one for one in ('\\"', "'") if value.startswith(one)), '"')
    return f"{quote}{MASK}{quote}"


def _encode(tree: Any) -> str:
    match tree:
        case dict():
            return _encode(_Pairs(tree.items()))
        case Decimal():
            return str(tree)
        case _Pairs():
            pairs = (f"{_text(key)}: {_text(MASK) if _SECRET.search(key) else _encode(value)}" for key, value in tree)
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(_encode(one) for one in tree) + "]"
        case _Number():
            return str(tree)
        case str():
            return _text(mask_text(tree))
        case _:
            return _text(tree)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # Half a surrogate pair is legal in JSON text as an escape, and only so.
    return text if text.isascii() or text.encode("utf-8", "replace").decode() == text else json.dumps(value)
