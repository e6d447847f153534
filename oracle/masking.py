"""Takes secrets out of an alert body before it is journaled; number text, key order and repeated keys stay as sent."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from rules import alert_text

Hide: TypeAlias = Callable[[str], str]
"""What takes secrets that are known out of a text."""

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


_JSON = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
_KEY_CHARS_MAX = 40


def mask(body: str, hide: Hide = str) -> str:
    """The body with the values of secret-like keys replaced at any depth, and what looks like `secret: value` in texts.

    `hide` takes further secrets out of any text. JSON without a secret stays as it was sent; with one it is kept as the
    JSON it was read as. A damaged body that can be mended and holds a secret comes back as the JSON it was mended to, so
    that it reads alike. Any other body that is not JSON keeps at most 32 KB of its text. What comes back can always be
    encoded as UTF-8.
    """
    try:
        tree = _JSON.decode(body)
        return _encode(tree, hide) if _secretive(tree, hide) or not _is_sendable(body) else body
    except (ValueError, RecursionError):
        mended = alert_text.parse(body)
        if isinstance(mended, alert_text.Parsed) and _secretive(mended.tree, hide):
            return _encode(mended.tree, hide)
        # Hidden before it is cut, for half a secret would not be found.
        kept = hide(body).encode("utf-8", "replace")[:UNREADABLE_BYTES_MAX].decode("utf-8", "ignore")
        masked = mask_text(kept)
        # Without its zero bytes it might be read as an alert, which it was not.
        return f"\0{masked}" if "\0" in kept and "\0" not in masked else masked


def _secretive(tree: Any, hide: Hide) -> bool:
    """Whether a mended body holds anything to be masked."""
    if isinstance(tree, dict | _Pairs):
        members = tree.items() if isinstance(tree, dict) else tree
        return any(_is_secret(key) or hide(key) != key or _secretive(one, hide) for key, one in members)
    if isinstance(tree, list):
        return any(_secretive(one, hide) for one in tree)
    if isinstance(tree, Decimal | _Number):
        return hide(str(tree)) != str(tree)
    return isinstance(tree, str) and mask_text(hide(tree)) != tree


def _is_secret(key: str) -> bool:
    """Whether a key is named like one of a secret."""
    return _named_secret(key) if len(key) <= _KEY_CHARS_MAX else _SECRET.search(key) is not None


@lru_cache(maxsize=1_024)
def _named_secret(key: str) -> bool:
    return _SECRET.search(key) is not None


def _is_sendable(text: str) -> bool:
    """Whether a text can be encoded: half a surrogate pair is legal in JSON text as an escape, and only so."""
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def mask_text(text: str) -> str:
    """A text with what looks like `secret: value` in it replaced, and the credentials of addresses.

    UTF-16 that was read as another encoding has a zero byte in every letter: where it holds a secret they are left out.
    """
    if ":" not in text and "=" not in text:
        return text
    bare = text.replace("\0", "")
    masked = _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", bare)
    masked = _IN_TEXT.sub(lambda match: match["key"] + _mask_like(match["value"]), masked)
    return text if masked == bare else masked


def _mask_like(value: str) -> str:
    """The mask in the quotes of what it replaces, so that a damaged body reads as it did; a bare value gets some."""
    quote = next((one for one in ('\\"', "'") if value.startswith(one)), '"')
    return f"{quote}{MASK}{quote}"


def _encode(tree: Any, hide: Hide) -> str:
    match tree:
        case dict():
            return _encode(_Pairs(tree.items()), hide)
        case _Pairs():
            return "{" + ", ".join(_encode_pair(key, value, hide) for key, value in tree) + "}"
        case list():
            return "[" + ", ".join(_encode(one, hide) for one in tree) + "]"
        case Decimal() | _Number():
            # A secret of digits may be sent as a number.
            number = str(tree)
            return number if hide(number) == number else _text(MASK)
        case str():
            return _text(mask_text(hide(tree)))
        case _:
            return _text(tree)


def _encode_pair(key: str, value: Any, hide: Hide) -> str:
    return f"{_text(hide(key))}: {_text(MASK) if _is_secret(key) else _encode(value, hide)}"


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if _is_sendable(text) else json.dumps(value)
