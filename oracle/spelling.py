"""The ways in which a text may spell a secret: as it is, percent-encoded, with JSON escapes, as UTF-16, or mixed.

Deliberately absent: base64 and whatever else only somebody who knows the secret would do on purpose.
"""

import re

CHARS_PER_BYTE_MAX = 18
"""How many characters of a text one byte of a secret may take; longer spellings are nobody's habit."""

# A percent sign may itself have been encoded, and a backslash be escaped or encoded: once for every text inside a text.
_PERCENT = "%(?:25){0,2}"
_BACKSLASH = rf"(?:\\|{_PERCENT}5[cC])"
_RUNS = re.compile(r"\\+|[^\\]", re.DOTALL)


def pattern(secret: str) -> re.Pattern[str]:
    """What finds a secret however it is spelled, in time that grows with the text alone.

    Bytes of the secret that are no UTF-8 stand in it as by `surrogateescape`.
    """
    return re.compile(_BETWEEN.join(map(_spellings, _RUNS.findall(secret))))


def _spellings(char: str) -> str:
    """The spellings of one character, or of a run of backslashes; of them all the first that fits is never taken back."""
    if char.startswith("\\"):
        return f"(?>{_escapes(char)}|(?:{_BACKSLASH}{_BETWEEN}){{{len(char)},{4 * len(char)}}})"
    bare = [*map(_bytes, dict.fromkeys(_encodings(char))), re.escape(char), *([r"\+"] if char == " " else [])]
    return f"(?>{_escapes(char)}|{_BACKSLASH}{{0,4}}+(?:{'|'.join(bare)}))"


def _encodings(char: str) -> list[bytes]:
    utf8 = char.encode("utf-8", "surrogateescape")
    if char.isascii():
        return [utf8]
    wide = [char.encode(one, "surrogatepass") for one in ("utf-16-le", "utf-16-be")]
    return [utf8, *wide, *([char.encode("latin-1")] if ord(char) < 256 else [])]


def _bytes(encoded: bytes) -> str:
    """These bytes, each percent-encoded or as what a wrong decoding makes of it."""
    return "".join(f"(?:{_undecoded(one)}|{_PERCENT}(?i:{one:02x}))" for one in encoded)


def _undecoded(byte: int) -> str:
    """One byte as by `latin-1`, and where it is no ASCII as by `surrogateescape`."""
    return re.escape(chr(byte)) if byte < 0x80 else f"[{chr(byte)}{chr(0xDC00 + byte)}]"


def _escapes(text: str) -> str:
    """Every UTF-16 unit as an escape of JSON."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(_escape(units[at : at + 2].hex()) for at in range(0, len(units), 2))


def _escape(digits: str) -> str:
    """One such escape, of which every letter may be percent-encoded."""
    sent = (f"(?:{one}|{_PERCENT}(?:{ord(one):02x}|{ord(one.upper()):02x}))" for one in f"u{digits}")
    return f"{_BACKSLASH}{{1,4}}+(?i:{''.join(sent)})"


_BETWEEN = rf"(?:\x00|{_PERCENT}00|{_escape('0000')}){{0,3}}+"
"""The zero bytes of UTF-16, in whatever way they are written."""
