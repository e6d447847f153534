"""A secret is found however usual encodings spell it, and nothing else is taken for it."""

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.spelling import CHARS_PER_BYTE_MAX, pattern


def escaped(text: str) -> str:
    """Every UTF-16 unit as an escape of JSON."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def percented(text: str) -> str:
    """Every byte percent-encoded."""
    return "".join(f"%{one:02X}" for one in text.encode("utf-8", "surrogateescape"))


SECRETS = [
    "tökén-ü-of-latin",
    "a-token-of-the-test-0001",
    "a+b/c==d~e f",
    'quo"ted\\and\\\\sla/shed',
    "tökén-€-\U0001d11e-ü",
    "t\udcffk\udcfe",
]
SPELLED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "json": lambda text: json.dumps(text)[1:-1],
    "json in letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json in json": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "escapes": escaped,
    "escapes in capitals": lambda text: escaped(text).upper(),
    "escapes in json": lambda text: json.dumps(escaped(text))[1:-1],
    "percent": percented,
    "percent in small letters": lambda text: percented(text).lower(),
    "percent twice": lambda text: quote(percented(text)),
    "percent of a url": lambda text: quote(text, safe="", errors="surrogateescape"),
    "percent of escapes": lambda text: percented(escaped(text)),
    "form": lambda text: quote(text, safe=" ", errors="surrogateescape").replace(" ", "+"),
    "utf-8 as latin-1": lambda text: text.encode("utf-8", "surrogateescape").decode("latin-1"),
    "latin-1 as utf-8": lambda text: text.encode("latin-1", "replace").decode("utf-8", "surrogateescape"),
    "utf-16-le": lambda text: text.encode("utf-16-le", "surrogatepass").decode("latin-1"),
    "utf-16-be": lambda text: text.encode("utf-16-be", "surrogatepass").decode("latin-1"),
    "utf-16 in percent": lambda text: quote(text.encode("utf-16-le", "surrogatepass")),
}


IMPOSSIBLE = {
    # Letters that latin-1 lacks, and bytes that are no UTF-8 and so no text.
    SECRETS[4]: {"latin-1 as utf-8"},
    SECRETS[5]: {"latin-1 as utf-8", "utf-16-le", "utf-16-be", "utf-16 in percent"},
}


@pytest.mark.parametrize(
    ("secret", "name"),
    [(one, name) for one in SECRETS for name in SPELLED if name not in IMPOSSIBLE.get(one, ())],
)
def test_every_usual_spelling_is_found(secret: str, name: str) -> None:
    """Whole, in the middle of other text, and twice."""
    spelled = SPELLED[name](secret)
    found = pattern(secret).sub("*", f"[{spelled}] and [{spelled}]").replace("\0", "").replace("%00", "")
    assert found == "[*] and [*]"
    assert len(spelled) <= CHARS_PER_BYTE_MAX * len(secret.encode("utf-8", "surrogateescape"))


@given(st.lists(st.sampled_from(list("ab\\%5c\0u0061")), max_size=60).map("".join))
def test_nothing_else_is_taken_for_it(text: str) -> None:
    """What holds no such letter stays, and what is found holds one in some spelling."""
    found = pattern("ab").search(text)
    plain = text.replace("\0", "").replace("\\", "")
    assert (found is not None) or "ab" not in text
    assert found is None or "a" in plain or "61" in plain


@pytest.mark.parametrize("piece", ["Z", "\\", "%5c", "%2525", "\\u005a", "\0", "Zk3v9Qw7Lx2Rt8Yb5Nc1", "Z%00", "Z\0\0"])
def test_no_text_makes_the_search_slow(piece: str) -> None:
    """The largest body of the worst letters ends, and holds nothing."""
    text = piece * (131_072 // len(piece))
    assert pattern("Zk3v9Qw7Lx2Rt8Yb5Nc1Mf6Hd4Gs0JpAaUuEeIiOoKk").sub("*", text) == text
