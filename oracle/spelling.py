"""The ways in which a text may spell a secret: as it is, percent-encoded, with JSON escapes, as UTF-16, or mixed.

Deliberately absent: base64 and whatever else only somebody who knows the secret would do on purpose.
"""

import re

CHARS_PER_CHAR_MAX = 12
"""How many characters of a text one character of a secret may take; longer spellings are nobody's habit."""

# A percent sign may itself have been encoded, and a backslash be escaped or encoded: once for every text inside a text.
_PERCENT = "%(?:25){0,2}"
_BACKSLASH = rf"(?:\\|{_PERCENT}5[cC])"
# The zero bytes of UTF-16, in whatever way they are written.
_BETWEEN = rf"(?:\x00|{_PERCENT}00|{_BACKSLASH}{{1,4}}+u0000){{0,3}}+"
_RUNS = re.compile(r"\\+|[^\\]", re.DOTALL)


def pattern(secret: str) -> re.Pattern[str]:
    """What finds a secret however it is spelled, in time that grows with the text alone.

    Bytes of the secret that are no UTF-8 stand in it as by `surrogateescape`.
    """
    return re.compile(_BETWEEN.join(map(_spellings, _RUNS.findall(secret))))


def _spellings(char: str) -> str:
    """The spellings of one character, or of a run of backslashes."""
    if char.startswith("\\"):
        return f"{_BACKSLASH}{{{len(char)},{4 * len(char)}}}+"
    bare = [re.escape(char), *map(_bytes, dict.fromkeys(_encodings(char)))]
    bare += [r"\+"] if char == " " else []
    # An encoding of its own that was read as another one.
    bare += [] if char.isascii() else ["\ufffd{1,4}"]
    return f"(?:{_BACKSLASH}{{0,4}}+(?:{'|'.join(bare)})|{_escapes(char)})"


def _encodings(char: str) -> list[bytes]:
    utf8 = char.encode("utf-8", "surrogateescape")
    if char.isascii():
        return [utf8]
    wide = [char.encode(one, "surrogatepass") for one in ("utf-16-le", "utf-16-be")]
    return [utf8, *wide, *([char.encode("latin-1")] if ord(char) < 256 else [])]


def _bytes(encoded: bytes) -> str:
    """These bytes, each as the character of its number, or percent-encoded."""
    return "".join(f"(?:{re.escape(chr(one))}|{_PERCENT}(?i:{one:02x}))" for one in encoded)


def _escapes(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(rf"{_BACKSLASH}{{1,4}}+[uU](?i:{one})" for one in pairs)
