"""The text of an alert becomes a tree, with known damage mended and everything else refused where it stands."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import alert_text
from rules.alert_text import BODY_BYTES_MAX, DEPTH_MAX, WARNINGS_MAX, Parsed, Unreadable, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def test_strict_json_needs_no_mend() -> None:
    """Texts, escapes, numbers, literals, lists and objects are read as they are, numbers exactly."""
    body = r'{"a":"x\n\u00e9\ud83d\ude00","b":[1,-2.50,1e3,true,false,null],"c":{"d":{}},"e":[]}'
    parsed = parse(body)
    assert isinstance(parsed, Parsed)
    assert parsed.warnings == ()
    assert parsed.tree["a"] == "x\né😀"
    assert repr(parsed.tree["b"]) == "[Decimal('1'), Decimal('-2.50'), Decimal('1E+3'), True, False, None]"
    assert (parsed.tree["c"], parsed.tree["e"]) == ({"d": {}}, [])


MENDS: list[tuple[str | bytes, dict[str, Any], str]] = [
    ('\ufeff{"a":1}', {"a": Decimal(1)}, "bom"),
    (b'\xef\xbb\xbf{"a":1}', {"a": Decimal(1)}, "bom"),
    ('{"a":NaN,"b":-Infinity,"c":Infinity}', {"a": None, "b": None, "c": None}, "not_a_number"),
    ('{"a":2025-08-29T18:59:00Z}', {"a": "2025-08-29T18:59:00Z"}, "bare_time"),
    ('{"a":{{time}},"b":1}', {"a": "{{time}}", "b": Decimal(1)}, "placeholder"),
    ('{"a":{{plot("RSI")}}}', {"a": '{{plot("RSI")}}'}, "placeholder"),
    ('{"a":1,}', {"a": Decimal(1)}, "trailing_comma"),
    ('{"a":[1,\n],\n}', {"a": [Decimal(1)]}, "trailing_comma"),
    ('{“a”: “b", "c": "d “e” f"}', {"a": "b", "c": "d “e” f"}, "smart_quotes"),
    ("payload=%7B%22a%22%3A+%22b%26c%22%7D&x=1", {"a": "b&c"}, "form_payload"),
    (
        '{"a":"={"settlement-as-close":true,"symbol":"CME_MINI:NQ1!"}","b":"c"}',
        {"a": '={"settlement-as-close":true,"symbol":"CME_MINI:NQ1!"}', "b": "c"},
        "chart_ticker",
    ),
    ('{"a":1,"b":2,"a":3}', {"a": Decimal(3), "b": Decimal(2)}, "duplicate_key:a"),
    (
        "HYPEUSDT.P, 1D - Buy Signal",
        {"symbol": "HYPEUSDT.P", "timeframe": "1D", "action": "Buy", "message": "Signal"},
        "text_alert",
    ),
]


@pytest.mark.parametrize(("body", "tree", "warning"), MENDS)
def test_known_damage_is_mended_and_recorded(body: str | bytes, tree: dict[str, Any], warning: str) -> None:
    """Each damage that TradingView is known to do gives the tree that was meant, and a warning."""
    assert parse(body) == Parsed(tree, (warning,))


REFUSED = [
    ("", "body_empty", 0),
    ("  \r\n\t ", "body_empty", 0),
    ("payload=", "body_empty", 0),
    (b"\xff{}", "body_not_utf8", 0),
    ("payload=%7B%ff", "body_not_utf8", 1),
    ("null", "body_not_object", 0),
    ("[]", "body_not_object", 0),
    ('"{}"', "body_not_object", 0),
    ('[{"symbol":"SPY"}]', "body_not_object", 0),
    ('{"a":1', "body_not_json", 6),
    ('{"a":1}x', "body_not_json", 7),
    ('{"a" 1}', "body_not_json", 5),
    ("{'a':1}", "body_not_json", 1),
    ("{a:1}", "body_not_json", 1),
    ("{,}", "body_not_json", 1),
    ('{"a":1,,}', "body_not_json", 7),
    ('{"a":01}', "body_not_json", 6),
    ('{"a":+1}', "body_not_json", 5),
    ('{"a":.5}', "body_not_json", 5),
    ('{"a":tru}', "body_not_json", 5),
    ('{"a":"x\ny"}', "body_not_json", 7),
    ('{"a":"\\x"}', "body_not_json", 6),
    ('{"a":"\\u12"}', "body_not_json", 6),
    ('{"a":"Take Profit "TP1""}', "body_not_json", 19),
    ('{"a":1} // said', "body_not_json", 8),
    ("<html>502</html>", "body_not_json", 0),
    ("HYPEUSDT.P, 1W - UPTREND", "body_not_json", 0),
    ("BUY BTCUSDT", "body_not_json", 0),
    ('{"a":1e999}', "number_out_of_range", 5),
    ('{"a":1e99999999999999999999}', "number_out_of_range", 5),
    ('{"a":' + "9" * 41 + "}", "number_out_of_range", 5),
    ('{"a":' + "[" * 100_000, "body_too_deep", 36),
    ('{"a":"' + "x" * BODY_BYTES_MAX + '"}', "body_too_large", BODY_BYTES_MAX),
    ('{"a":"' + "é" * (BODY_BYTES_MAX // 2) + '"}', "body_too_large", BODY_BYTES_MAX),
]


@pytest.mark.parametrize(("body", "code", "offset"), REFUSED)
def test_anything_else_is_refused_where_it_stands(body: str | bytes, code: str, offset: int) -> None:
    """What is no JSON and no known damage is refused with a code, the offset of the fault and a remedy."""
    refused = parse(body)
    assert isinstance(refused, Unreadable)
    assert (refused.code, refused.offset) == (code, offset)
    assert "send" in refused.message or "mend" in refused.message


def test_a_fault_is_told_by_line_and_column() -> None:
    """The position counts from line 1, column 1, and the message never repeats the text of the body."""
    refused = parse('{\n  "secret": "hunter2",\n  "a": hunter2\n}')
    assert isinstance(refused, Unreadable)
    assert "line 3, column 8 (character 32)" in refused.message
    assert "hunter2" not in refused.message


def test_depth_is_counted_to_the_last_level() -> None:
    """As many levels as the limit are read, one more is refused."""
    deepest = "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)
    assert isinstance(parse(f'{{"a":{deepest}}}'), Parsed)
    assert isinstance(parse(f'{{"a":[{deepest}]}}'), Unreadable)


def test_warnings_are_bounded() -> None:
    """A body of nothing but repeated keys does not fill the journal with warnings."""
    parsed = parse("{" + ",".join(f'"k{n // 2}":1' for n in range(2_000)) + "}")
    assert isinstance(parsed, Parsed)
    assert len(parsed.warnings) == WARNINGS_MAX


def test_lone_surrogates_never_reach_the_tree() -> None:
    """Half a character, escaped or raw, becomes U+FFFD, so that every text can be encoded again."""
    for body in ('{"a":"\\ud800"}', '{"a":"\ud800"}'):
        assert parse(body) == Parsed({"a": "\ufffd"}, ())


@given(JSON.filter(lambda value: isinstance(value, dict)), st.sampled_from([None, 1]))
def test_what_json_writes_is_read_back(value: Any, indent: int | None) -> None:
    """Any object written by a JSON library is read back unchanged and without a warning."""
    parsed = parse(json.dumps(value, indent=indent))
    assert isinstance(parsed, Parsed)
    assert parsed == Parsed(value, ())


@given(st.text() | st.binary() | st.text(alphabet='{}[]":,=\\“”0123456789eE+-.tTnNaN \n{{'))
def test_no_text_makes_the_parser_raise(body: str | bytes) -> None:
    """Whatever the text, the answer is a tree or a refusal, and the same one twice."""
    assert parse(body) == parse(body)


@given(JSON, st.data())
def test_a_cut_body_is_never_read_as_another(value: Any, draw: st.DataObject) -> None:
    """An object that lost its end is refused, never read as a smaller object."""
    body = json.dumps({"a": value})
    assert isinstance(parse(body[: draw.draw(st.integers(0, len(body) - 1))]), Unreadable)


CORPUS = Path(__file__).parent / "corpus" / "body"
PIECES = (
    *(
        '"',
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\x01",
        "“",
        "\ufeff",
        "\xa0",
        "\ud83d",
        "\\ud83d",
        "\\ude00",
        "\\u00e9",
    ),
    *("NaN", "-Infinity", "{{x}}", "-", "+", "0", ".5", "e31", "1e9999", '"={"', '={","}"', "true", '"a":1,', "[" * 33),
)
SOUND = (
    '{"a": {"b": [1, -0, 2.50, 1e3, -1.5E-7, true, false, null]}, "c": "x\\n\\u00e9 \\ud83d\\ude00", "": [[], {}]}',
    '{"symbol":"={\\"symbol\\":\\"CME:NQ1!\\"}","a":["={","}"],"a":{"b":1,"b":2},"n":1234567890123456789012345678901234567890}',
    "{" + '"a":{' * (DEPTH_MAX - 1) + "}" * DEPTH_MAX,
    '{"a":' + "[" * DEPTH_MAX + "]" * DEPTH_MAX + "}",
    '{"a":' + "[" * 100_000,
    '{"b":[' + '{"a":[]},' * 40 + "1]}",
)


def both_ways(body: str | bytes) -> tuple[str, str]:
    """What is read of a body, and what the scanner alone reads of it: values, their order, warnings, faults."""
    with pytest.MonkeyPatch.context() as without:
        without.setattr(alert_text, "_sound", lambda _: None)
        scanned = repr(parse(body))
    return repr(parse(body)), scanned


def mutations(text: str, step: int) -> Iterator[str]:
    """The text with each piece put in here and there, instead of a character or between two."""
    for at in range(0, len(text) + 1, step):
        for piece in ("", *PIECES):
            yield text[:at] + piece + text[at:]
            yield text[:at] + piece + text[at + 1 :]


@pytest.mark.parametrize("text", SOUND, ids=range(len(SOUND)))
def test_the_short_way_reads_what_the_scanner_reads(text: str) -> None:
    """Sound, or damaged in one place: tree, warnings and faults are the same."""
    for body in (text, *mutations(text, max(1, len(text) // 50) if len(text) < 500 else len(text) // 2)):
        short, scanned = both_ways(body)
        assert short == scanned, body[:1_000]


def test_the_short_way_reads_kept_bodies_as_the_scanner_does() -> None:
    """What a fuzzer once thought of, as it is and damaged further."""
    for path in sorted(CORPUS.iterdir()):
        body = path.read_bytes()
        text = body.decode("utf-8", "replace")
        for one in (body, *mutations(text, max(1, len(text) // 8))):
            short, scanned = both_ways(one)
            assert short == scanned, (path.name, one[:1_000])


@given(
    JSON | st.text(alphabet='{}[]":,=\\“”0123456789eE+-.tTnNaN \n{{'),
    st.sampled_from(['{"a":%s}', "%s", '{"a":1,"a":%s}']),
)
def test_the_short_way_reads_anything_as_the_scanner_does(value: Any, around: str) -> None:
    """Also what nobody kept."""
    short, scanned = both_ways(around.replace("%s", value if isinstance(value, str) else json.dumps(value)))
    assert short == scanned


def test_sound_json_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scanner is not asked."""
    monkeypatch.setattr(alert_text._Scanner, "document", None)
    assert parse(' {"a": [1, {"b": "x"}]} ') == Parsed({"a": [Decimal(1), {"b": "x"}]}, ())
