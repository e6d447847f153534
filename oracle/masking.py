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
    r"secret|token|passw(?:or)?d|passphrase|passcode|pwd|(?:api|private|access)[ _+-]?key|auth(?!or(?!iz))|hmac|signature"
    r"|credential|bearer|jwt"
)
_SHORT_WORDS = "key|pin|pass|otp"
_NAME = re.compile(rf"{_WORDS}|[_.\s-]key\s*$|(?-i:[a-z\d]Key)$|^\s*(?:{_SHORT_WORDS})\s*$", re.IGNORECASE)
_LABEL = re.compile("name|key|id|field|header|label|param(?:eter)?", re.IGNORECASE)
_VALUE = re.compile("value|val|v", re.IGNORECASE)
# Of most texts this says that there is nothing to look for. It is asked of small letters, which is four times as fast.
_SUSPECT = re.compile(r"secret|token|pass|pwd|key|auth|hmac|signature|credential|bearer|jwt|pin|otp|://|[%\\\0]")
_QUOTE = r"\\*+[\"'“”„]"
_AFTER_NAME = rf"(?:{_QUOTE}\s*(?:,\s*{_QUOTE}(?:{_VALUE.pattern}){_QUOTE}\s*)?|\s*)[:=]\s*"
# The word, the rest of its key, and a value: one that was masked, one that closes like a text of JSON, or the first letter
# of any other. Whatever stands before the word is no part of the match, so that a long text is searched in one pass.
_IN_TEXT = re.compile(
    rf"(?:(?:{_WORDS})(?:[\w-]{{0,40}}|[^:=,\n\\\"'“”„]{{0,60}}(?={_QUOTE}))|(?<![\w-])(?:{_SHORT_WORDS})){_AFTER_NAME}"
    r"(?:(?P<masked>[\"']\0)|(?P<closed>(?:\"[^\"\\\n]*+\"|'[^'\\\n]*+')(?=\s*[,}\]]))|(?P<open>\S))",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<scheme>\bbearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?P<scheme>://)[^/\s:@\"]{0,200}:[^/\s@\"]{1,200}@")
_PERCENT = re.compile(r"%(?:25)*([0-7][0-9a-f])", re.IGNORECASE)
_ESCAPE = re.compile(r"(?<!\\)\\++(?:u00([0-7][0-9a-f])|([^\\u]))", re.IGNORECASE)
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

    `hide` takes further secrets out of any text. A body without a secret stays as it was sent; JSON with one is kept as
    the JSON it was read as, and a damaged body that can be mended as the JSON it was mended to, so that it reads alike.
    Any other body keeps at most 32 KB of its text, and is as unreadable as it was. What comes back can always be encoded
    as UTF-8.
    """
    if (
        len(body) <= UNREADABLE_BYTES_MAX
        and body.isascii()
        and not _SUSPECT.search(body.lower())
        and hide(body) == body
    ):
        return body
    try:
        tree = _JSON.decode(body)
        masked = _masked(tree, hide)
        return body if masked == tree and _is_sendable(body) else _encode(masked)
    except (ValueError, RecursionError):
        parsed = alert_text.parse(body)
        return _mended(body, parsed, hide) if isinstance(parsed, alert_text.Parsed) else _unreadable(body, hide)


def _mended(body: str, parsed: alert_text.Parsed, hide: Hide) -> str:
    """A damaged body that can be read: as it was sent, or as what is read of it where only that is free of secrets."""
    tree = _encode(_masked(parsed.tree, hide))
    if tree != _encode(parsed.tree) or not _is_sendable(body):
        return tree
    # What is not read of it, such as the other fields of a form, may hold a secret too.
    masked = mask_text(hide(body))
    if masked == body or alert_text.parse(masked) == parsed:
        return masked
    return _encode({**parsed.tree, MASK: MASK})


def _unreadable(body: str, hide: Hide) -> str:
    # Hidden before it is cut, for half a secret would not be found.
    masked = _beginning(mask_text(_beginning(hide(body))))
    # The fault may have stood in a secret and gone with it; what was no alert must not become one.
    return _beginning("{" + masked) if isinstance(alert_text.parse(masked), alert_text.Parsed) else masked


def _beginning(text: str) -> str:
    """As much of a text as is kept of one that is not understood, in whole letters."""
    return text.encode("utf-8", "replace")[:UNREADABLE_BYTES_MAX].decode("utf-8", "ignore")


# -- a tree ---------------------------------------------------------------------------------------------------------


def _masked(tree: Any, hide: Hide) -> Any:
    """What was read, without its secrets."""
    match tree:
        case dict():
            return _masked(_Pairs(tree.items()), hide)
        case _Pairs():
            return _masked_pairs(tree, hide)
        case list():
            return [_masked(one, hide) for one in tree]
        case Decimal() | _Number():
            # A secret of digits may be sent as a number.
            number = str(tree)
            return tree if hide(number) == number else MASK
        case str():
            return mask_text(hide(tree))
        case _:
            return tree


def _masked_pairs(pairs: _Pairs, hide: Hide) -> _Pairs:
    # The value of {"name": "token", "value": "..."} goes too; that of {"ticker": "KEY", "value": 16.2} is a price.
    values = {key for key, _ in pairs if _VALUE.fullmatch(key)}
    named = bool(values) and any(
        isinstance(one, str) and _LABEL.fullmatch(key) and _is_secret(one) for key, one in pairs
    )
    return _Pairs(
        (mask_text(hide(key)), MASK if _is_secret(key) or (named and key in values) else _masked(one, hide))
        for key, one in pairs
    )


def _is_secret(name: str) -> bool:
    """Whether a name is like one of a secret."""
    return _named_secret(name) if len(name) <= _KEY_CHARS_MAX else _names_secret(name)


def _names_secret(name: str) -> bool:
    plain = name.replace("\0", "")
    return any(_NAME.search(plain) or _NAME.search(plain := undo(plain)) for undo in _UNDOS)


_named_secret = lru_cache(maxsize=1_024)(_names_secret)


def _encode(tree: Any) -> str:
    match tree:
        case dict():
            return _encode(_Pairs(tree.items()))
        case _Pairs():
            return "{" + ", ".join(f"{_text(key)}: {_encode(value)}" for key, value in tree) + "}"
        case list():
            return "[" + ", ".join(map(_encode, tree)) + "]"
        case Decimal() | _Number():
            return str(tree)
        case _:
            return _text(tree)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if _is_sendable(text) else json.dumps(value)


def _is_sendable(text: str) -> bool:
    """Whether a text can be encoded: half a surrogate pair is legal in JSON text as an escape, and only so."""
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


# -- a text ---------------------------------------------------------------------------------------------------------


def mask_text(text: str) -> str:
    """A text with what looks like `secret: value` in it replaced, and the credentials of addresses.

    A value that is not closed like one of JSON is replaced with all that follows it, for nobody can tell where it ends. A
    text that shows a secret only once its percent signs and escapes are undone comes back with them undone. UTF-16 that
    was read as another encoding has a zero byte in every letter: where it holds a secret they are left out.
    """
    if not _SUSPECT.search(text.casefold()):
        return text
    bare = text.replace("\0", "")
    told = plain = _without_secrets(bare, closes=True)
    for undo in _UNDOS:
        undone = undo(plain)
        # What was undone may look like the end of a value, so that none is believed here.
        plain = undone if undone == plain else _without_secrets(undone, closes=False)
        told = told if plain == undone else plain
    return text if told == bare else told.replace("\0", MASK)


def _without_secrets(text: str, *, closes: bool) -> str:
    """A text with a zero byte for every secret; `closes` says whether a value may end before the text does."""
    text = _BEARER.sub("\\g<scheme>\0", _CREDENTIALS.sub("\\g<scheme>\0@", text))
    parts: list[str] = []
    at = 0
    for found in _IN_TEXT.finditer(text):
        ends = closes and found["closed"] is not None
        if found["masked"] is None:
            quote = found["closed"][0] if ends else '"'
            parts += (text[at : found.start(found.lastgroup or 0)], f"{quote}\0{quote}")
            at = found.end() if ends else len(text)
            if not ends:
                break
    return "".join(parts) + text[at:]


def _unpercented(text: str) -> str:
    """A text without percent-encoding, however often it was done; that of letters beyond ASCII stays."""
    return _PERCENT.sub(lambda found: _char(found[1]), text)


def _unescaped(text: str) -> str:
    """The same for the escapes of JSON; line breaks and tabs become spaces."""
    return _ESCAPE.sub(lambda found: _char(found[1]) if found[1] else _SPACES.get(found[2], found[2]), text)


def _char(digits: str) -> str:
    return chr(int(digits, 16)).replace("\0", "")


_SPACES = dict.fromkeys("nrtbf", " ")
_UNDOS = (_unpercented, _unescaped, _unpercented, _unescaped)
