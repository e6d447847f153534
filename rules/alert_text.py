"""The text of an alert body as a tree: strict JSON, the damage that TradingView is known to do, one line of plain text.

Every mend is recorded as a warning; anything else is refused with the position of the fault. Numbers become Decimal,
never float. What the fields mean is not decided here.
"""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

import msgspec

Value: TypeAlias = "str | bool | Decimal | list[Value] | dict[str, Value] | None"
Tree: TypeAlias = dict[str, Value]

BODY_BYTES_MAX = 131_072
DEPTH_MAX = 32
NUMBER_CHARS_MAX = 40
WARNINGS_MAX = 16
NUMBER_EXPONENT_MAX = 30

_EXAMPLE = '{"symbol":"SPY","direction":"long","timeframe":"5m"}'
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[+-]?(?:NaN|nan|Infinity)\b")
_BARE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_PLACEHOLDER = re.compile(r"\{\{[^{}\r\n]{1,80}\}\}")
_CHART_TICKER = re.compile(r"=\{[^{}\r\n]{1,300}\}")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_PLAIN_SMART = re.compile(r'[^"“”„\\\x00-\x1f]*')
_SMART_QUOTES = "“”„"
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_FORM_PREFIX = "payload="
_FORM_BYTE = re.compile(rb"%([0-9a-fA-F]{2})")
_LINE = re.compile(
    r"(?P<symbol>=\{[^{}\r\n]{1,300}\}|[^\s,{}\"=]{1,60})[ \t]*,[ \t]*(?P<timeframe>[0-9A-Za-z]{1,10})"
    r"[ \t]*-[ \t]*(?P<action>buy|sell)\b[ \t]*(?P<rest>[^\r\n]{0,200})",
    re.IGNORECASE,
)


class Parsed(msgspec.Struct, frozen=True):
    """A body that could be read, with the mends that were needed."""

    tree: Tree
    warnings: tuple[str, ...]


class Unreadable(msgspec.Struct, frozen=True):
    """A body that could not be read: a code, a message naming the remedy, and the offset of the fault in characters."""

    code: str
    message: str
    offset: int


def parse(body: str | bytes) -> Parsed | Unreadable:
    """Read one alert body; never raises, whatever the text.

    Of two equal keys in one object the last one counts, with a warning. Lone surrogates become U+FFFD.
    """
    scanner = _Scanner("")
    try:
        text = _decode(body)
        if text.startswith("\ufeff"):
            scanner.warn("bom")
            text = text[1:]
        text = text.strip(" \t\r\n")
        if text.startswith(_FORM_PREFIX):
            scanner.warn("form_payload")
            text = _decode(_unquote(text[len(_FORM_PREFIX) :])).strip(" \t\r\n")
        if not text:
            raise _Fault("body_empty", 0, f"the body is empty; send one JSON object such as {_EXAMPLE}")
        tree = _sound(text)
        if tree is None:
            scanner.text = text
            tree = _line(scanner) or scanner.document()
    except _Fault as fault:
        return Unreadable(fault.code, fault.message, fault.offset)
    return Parsed(tree, tuple(scanner.warnings))


class _Fault(Exception):
    """Unwinds the scanner; never leaves this module."""

    def __init__(self, code: str, offset: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.offset = offset
        self.message = message


def _decode(body: str | bytes) -> str:
    """Text of bounded size without lone surrogates, so that it can always be encoded again."""
    text = body
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise _Fault(
                "body_not_utf8", error.start, f"byte {error.start} is not UTF-8; send the alert as UTF-8 text"
            ) from None
    if len(text) > BODY_BYTES_MAX or len(text.encode("utf-8", "replace")) > BODY_BYTES_MAX:
        raise _Fault(
            "body_too_large", BODY_BYTES_MAX, f"the body is larger than {BODY_BYTES_MAX} bytes; send fewer fields"
        )
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _unquote(form: str) -> bytes:
    """The first field of a urlencoded form."""
    encoded = form.split("&", 1)[0].replace("+", " ").encode("utf-8", "replace")
    return _FORM_BYTE.sub(lambda match: bytes((int(match[1], 16),)), encoded)


def _line(scanner: "_Scanner") -> Tree | None:
    """The one grammar of plain text, `SPY, 5 - Buy Signal`; what follows the side is kept as the message."""
    match = _LINE.fullmatch(scanner.text)
    if match is None:
        return None
    scanner.warn("text_alert")
    return {
        "symbol": match["symbol"],
        "timeframe": match["timeframe"],
        "action": match["action"],
        "message": match["rest"].strip(),
    }


def _sound(text: str) -> Tree | None:
    """The tree of a text that is sound JSON by all our limits, without a word to say of it; None leaves it to the scanner.

    This is a short way and no second opinion: what the scanner would warn of, mend or refuse is never read here.
    """
    if not text.startswith("{") or _NOT_SHORT.search(text):
        return None
    try:
        tree: Tree = _SHORT.decode(text)
    except (ValueError, RecursionError):
        return None
    flat = text.count("{") + text.count("[") <= DEPTH_MAX
    return tree if flat or _is_within(tree, DEPTH_MAX) else None


def _is_within(value: Value, levels: int) -> bool:
    """Whether a tree has at most so many levels of objects and lists."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_within(one, levels - 1) for one in inner)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key was repeated")
    return members


def _short_number(text: str) -> Decimal:
    number = _number(text)
    if number is None:
        raise ValueError("a number is out of range")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


_SHORT = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_short_number, parse_float=_short_number, parse_constant=_no_number
)
# Half a surrogate pair as an escape, and what may be the ticker of a modified chart: the scanner reads them its own way.
_NOT_SHORT = re.compile(r'\\u[dD][89a-fA-F]|"=\{"')


class _Scanner:
    """A recursive descent over one text; depth is bounded, so recursion is too."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.warnings: dict[str, None] = {}

    def warn(self, code: str) -> None:
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings[code] = None

    def document(self) -> Tree:
        root = self.value(0)
        self.skip_space()
        if self.at < len(self.text):
            self.fail("nothing more after the end of the JSON value")
        if not isinstance(root, dict):
            raise _Fault("body_not_object", 0, f"the body is not a JSON object; send one alert such as {_EXAMPLE}")
        return root

    def fail(self, expected: str) -> NoReturn:
        """Refuse the text; the message shows where, never what stands there, for that may be a secret."""
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - self.text.rfind("\n", 0, self.at)
        raise _Fault(
            "body_not_json",
            self.at,
            f"line {line}, column {column} (character {self.at}): expected {expected};"
            f" mend the alert message so that it is one JSON object such as {_EXAMPLE}",
        )

    def skip_space(self) -> str:
        """Move to the next character that is no white space and return it, or an empty string at the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Value:
        first = self.skip_space()
        if first and (first == '"' or first in _SMART_QUOTES):
            return self.string()
        if first == "{" and not _PLACEHOLDER.match(self.text, self.at):
            return self.object(depth + 1)
        if first == "[":
            return self.array(depth + 1)
        for word, meaning in _LITERALS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        return self.bare()

    def bare(self) -> Value:
        """A number, or what TradingView leaves where a number was meant."""
        for pattern, code in ((_NO_NUMBER, "not_a_number"), (_BARE_TIME, "bare_time"), (_PLACEHOLDER, "placeholder")):
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
                self.warn(code)
                return None if pattern is _NO_NUMBER else found[0]
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            self.fail("a JSON value (text in double quotes, a number, true, false, null, an object or a list)")
        number = _number(found[0])
        if number is None:
            raise _Fault(
                "number_out_of_range",
                self.at,
                f"character {self.at}: a number is too long or too large; send at most {NUMBER_CHARS_MAX} characters"
                f" and an exponent within {NUMBER_EXPONENT_MAX}",
            )
        self.at = found.end()
        return number

    def object(self, depth: int) -> Tree:
        members: Tree = {}
        self.open(depth)
        while True:
            first = self.skip_space()
            if first == "}":
                if members:
                    self.warn("trailing_comma")
                self.at += 1
                return members
            if not first or (first != '"' and first not in _SMART_QUOTES):
                self.fail("a key in double quotes or }")
            key = self.string()
            if self.skip_space() != ":":
                self.fail("a colon after the key")
            self.at += 1
            if key in members:
                self.warn(f"duplicate_key:{key[:20]}")
            members[key] = self.value(depth)
            if self.closed("}"):
                return members

    def array(self, depth: int) -> list[Value]:
        items: list[Value] = []
        self.open(depth)
        while True:
            if self.skip_space() == "]":
                if items:
                    self.warn("trailing_comma")
                self.at += 1
                return items
            items.append(self.value(depth))
            if self.closed("]"):
                return items

    def open(self, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise _Fault(
                "body_too_deep", self.at, f"character {self.at}: more than {DEPTH_MAX} levels; send a flatter object"
            )
        self.at += 1

    def closed(self, bracket: str) -> bool:
        """Take the comma or the closing bracket after a member; True when it was the bracket."""
        mark = self.skip_space()
        if mark not in (",", bracket):
            self.fail(f"a comma or {bracket}")
        self.at += 1
        return mark == bracket

    def string(self) -> str:
        smart = self.text[self.at] in _SMART_QUOTES
        if smart:
            self.warn("smart_quotes")
        elif raw := self.chart_ticker():
            return raw
        self.at += 1
        pattern, closing = (_PLAIN_SMART, '"' + _SMART_QUOTES) if smart else (_PLAIN, '"')
        parts: list[str] = []
        while True:
            plain = pattern.match(self.text, self.at)
            if plain:
                parts.append(plain[0])
                self.at = plain.end()
            mark = self.text[self.at : self.at + 1]
            if mark and mark in closing:
                self.at += 1
                return _joined(parts)
            if mark != "\\":
                self.fail("the closing quote of a text (a line break inside a text is written \\n)")
            parts.append(self.escape())

    def chart_ticker(self) -> str | None:
        """The ticker of a modified chart is pasted with its quotes unescaped: `"={"symbol":"CME_MINI:NQ1!"}"`."""
        found = _CHART_TICKER.match(self.text, self.at + 1) if self.text.startswith('={"', self.at + 1) else None
        if found is None or not self.text.startswith('"', found.end()):
            return None
        self.warn("chart_ticker")
        self.at = found.end() + 1
        return found[0]

    def escape(self) -> str:
        letter = self.text[self.at + 1 : self.at + 2]
        if letter == "u" and (found := _HEX4.match(self.text, self.at + 2)):
            self.at = found.end()
            return chr(int(found[0], 16))
        if letter not in _ESCAPES:
            self.fail("one of the escapes of JSON after a backslash")
        self.at += 2
        return _ESCAPES[letter]


def _joined(parts: list[str]) -> str:
    """Surrogates written as two escapes become one character; a lone one becomes U+FFFD."""
    text = "".join(parts)
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _number(text: str) -> Decimal | None:
    """A number of bounded length and exponent, so that no later arithmetic on it can grow without bound."""
    if len(text) > NUMBER_CHARS_MAX or len(text.lower().partition("e")[2]) > 4:
        return None
    number = Decimal(text)
    return number if abs(number.adjusted()) <= NUMBER_EXPONENT_MAX else None
