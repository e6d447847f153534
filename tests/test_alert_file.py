"""A file of alerts: every line read as it was meant, every fault named with its line and what to do."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import alert_file
from state.errors import BadUsage
from state.inputs import AlertReceived, Ask, OperatorAsked
from tests.tapes import new_york

AT = "2026-02-13T15:30:00Z"
INSTANT = new_york("2026-02-13", "10:30:00")


def written(tmp_path: Path, *lines: str) -> Path:
    """A file of these lines."""
    path = tmp_path / "alerts.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def line(**fields: object) -> str:
    """One line as JSON."""
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("at", "instant"),
    [
        ('"2026-02-13T15:30:00Z"', INSTANT),
        ('"2026-02-13T10:30:00-05:00"', INSTANT),
        ('"2026-02-13T15:30:00.250000Z"', INSTANT + 250_000_000),
        ('"2026-02-13T15:30:00.000001+00:00"', INSTANT + 1_000),
        ("1770996600", INSTANT),
        ("1770996600250", INSTANT + 250_000_000),
    ],
)
def test_instants_are_read_exactly(tmp_path: Path, at: str, instant: int) -> None:
    """ISO text with a zone, epoch seconds, epoch milliseconds."""
    found = alert_file.read(written(tmp_path, f'{{"at": {at}, "body": {{}}}}'))
    assert found == [(instant, (AlertReceived("{}", "webhook"),))]


@given(st.integers(631_152_000_000, 4_102_444_799_999))
def test_milliseconds_are_exact_over_a_century(epoch_ms: int) -> None:
    """No instant passes through a float."""
    assert alert_file._instant(epoch_ms, "here") == epoch_ms * 1_000_000


def test_a_body_is_an_object_or_a_text(tmp_path: Path) -> None:
    """An object keeps its JSON text; a JSON string is what it says, as a sender of plain text posts it."""
    path = written(
        tmp_path,
        f'{{"at": "{AT}", "body": {{"price": 690.10, "symbol": "SPY"}}}}',
        line(at=AT, body="SPY, 5 - Buy signal", source="phone"),
    )
    (_, told), *_ = alert_file.read(path)
    assert told == (
        AlertReceived('{"price": 690.10, "symbol": "SPY"}', "webhook"),
        AlertReceived("SPY, 5 - Buy signal", "phone"),
    )


def test_secrets_are_masked_on_the_way_in(tmp_path: Path) -> None:
    """Nothing later ever sees them."""
    (_, (told,)), *_ = alert_file.read(written(tmp_path, line(at=AT, body={"symbol": "SPY", "secret": "hush"})))
    assert told == AlertReceived('{"symbol": "SPY", "secret": "***"}', "webhook")


def test_lines_are_put_in_order_and_those_of_one_instant_keep_theirs(tmp_path: Path) -> None:
    """Earlier instants first; at one instant, as they stand in the file; empty lines are nothing."""
    later = "2026-02-13T15:30:01Z"
    path = written(tmp_path, line(at=later, body={"n": 1}), "", line(at=AT, body={"n": 2}), line(at=later, close="all"))
    assert alert_file.read(path) == [
        (INSTANT, (AlertReceived('{"n": 2}', "webhook"),)),
        (INSTANT + alert_file.SECOND, (AlertReceived('{"n": 1}', "webhook"), OperatorAsked("all", ""))),
    ]


def test_an_operator_may_ask_to_close(tmp_path: Path) -> None:
    """A line with `close` names positions and says why."""
    found = alert_file.read(written(tmp_path, line(at=AT, close="pos-000001", reason="enough")))
    assert found == [(INSTANT, (OperatorAsked("pos-000001", "enough"),))]


@pytest.mark.parametrize(
    ("ask", "about"),
    [
        (Ask.HALT, ""),
        (Ask.RESUME, ""),
        (Ask.FLAG_ON, "snap_unlisted"),
        (Ask.FLAG_OFF, "allow_premarket"),
        (Ask.FLAG_CLEAR, "close_on_exit_alerts"),
        (Ask.REQUEUE, "sig-000001"),
        (Ask.CLOSE, "pos-000001"),
    ],
)
def test_an_operator_may_ask_for_anything(tmp_path: Path, ask: Ask, about: str) -> None:
    """A line with `ask` says what it is about and why."""
    found = alert_file.read(written(tmp_path, line(at=AT, ask=ask, about=about, reason="a trial")))
    assert found == [(INSTANT, (OperatorAsked(about, "a trial", ask),))]


def test_a_compressed_file_is_the_same_file(tmp_path: Path) -> None:
    """By its name, `.gz`."""
    plain = written(tmp_path, line(at=AT, body={}))
    packed = tmp_path / "alerts.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert alert_file.read(packed) == alert_file.read(plain)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{", "a line is like"),
        (b'{"at": "2026-02-13T15:30:00Z", "body": {}, "sorce": "x"}', "unknown field"),
        (b'{"body": {}}', "missing required field"),
        (b'{"at": 1.5, "body": {}}', "int | str"),
        (b'{"at": "noon", "body": {}}', "is no instant"),
        (b'{"at": "2026-02-13T15:30:00", "body": {}}', "has no time zone"),
        (b'{"at": "1969-12-31T23:59:59Z", "body": {}}', "outside the years"),
        (b'{"at": "0001-01-01T00:00:00+14:00", "body": {}}', "outside the years"),
        (b'{"at": -100000000000000000000000000, "body": {}}', "outside the years"),
        (b'{"at": 99999999999, "body": {}}', "outside the years"),
        (b'{"at": "2026-02-13T15:30:00Z"}', "give either a body or close or ask"),
        (b'{"at": "2026-02-13T15:30:00Z", "body": {}, "close": "all"}', "give either a body or close or ask"),
        (b'{"at": "2026-02-13T15:30:00Z", "ask": "halt", "close": "all"}', "not two of them"),
        (b'{"at": "2026-02-13T15:30:00Z", "ask": "stop"}', "Invalid enum value"),
        (b'{"at": "2026-02-13T15:30:00Z", "ask": "halt", "about": "all"}', "halt is about nothing, not 'all'"),
        (b'{"at": "2026-02-13T15:30:00Z", "ask": "flag_on", "about": "snap"}', "is about one of the flags: allow_pre"),
        (b'{"at": "2026-02-13T15:30:00Z", "ask": "flag_on"}', "flag_on is about one of the flags: "),
        (b'{"at": "2026-02-13T15:30:00Z", "ask": "requeue", "about": "sig-1"}', "a signal such as sig-000001, not"),
        (b'{"at": "2026-02-13T15:30:00Z", "body": {"x": "\xff"}}', "no UTF-8 text"),
        (b'{"at": "2026-02-13T15:30:00Z", "body": "\xff"}', "no UTF-8 text"),
        (b'{"at": "2026-02-13T15:30:00Z", "body": "' + b"x" * 131_072 + b'"}', "larger than 128 KB"),
        (b'{"at": "2026-02-13T15:30:00Z", "body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion"),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(tmp_path: Path, bad: bytes, said: str) -> None:
    """The file, the line, what is wrong with it: exit 2, and nothing was read."""
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(line(at=AT, body={}).encode() + b"\n" + bad + b"\n")
    with pytest.raises(BadUsage, match=r"alerts\.jsonl, line 2: ") as found:
        alert_file.read(path)
    assert said in str(found.value)


@pytest.mark.parametrize(("name", "content"), [("missing.jsonl", None), ("a.gz", b"plain"), ("b.gz", b"\x1f\x8b\x08")])
def test_a_file_that_cannot_be_read_is_bad_usage(tmp_path: Path, name: str, content: bytes | None) -> None:
    """Missing, or not compressed as its name says."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadUsage, match="cannot be read"):
        alert_file.read(tmp_path / name)


def test_an_empty_file_holds_no_alerts(tmp_path: Path) -> None:
    """A market may be watched without any."""
    assert alert_file.read(written(tmp_path, "")) == []


@pytest.mark.parametrize("close", ["ALL", "pos-1", "SPY", ""])
def test_a_close_names_all_or_a_position(tmp_path: Path, close: str) -> None:
    """A mistyped one is refused with its line, and never passes for a close."""
    file = tmp_path / "alerts.jsonl"
    file.write_text(json.dumps({"at": "2026-02-13T15:30:00Z", "close": close}) + "\n")
    with pytest.raises(BadUsage, match=r"line 1: .* cannot be closed; name all, or a position"):
        alert_file.read(file)
