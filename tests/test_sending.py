"""Alerts sent over real loopback sockets: what goes out, what the answer says, and what is told of the way after it."""

import hashlib
import hmac
import io
import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle.ask import Asker
from oracle.keys import Keys
from oracle.sending import Reply, Sending, Trail, aimed, bodies, composed, post, proven, webhook_of
from state.errors import BadUsage, OracleFailure
from tests.conftest import ROOT
from tests.local import bundled, serving, webhook
from tests.runs import CALL, trade

TOKEN, SECRET = b"a-token-of-length", b"a-secret-of-length"
ACCEPTED = {"status": "ACCEPTED", "signal_id": "sig-000001", "webhook_event_id": "evt-000001", "message": "received"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A run's directory in which a socket may be made."""
    return Path(shutil.copytree(bundled(), tmp_path / "run"))


# -- what is posted -------------------------------------------------------------------------------------------------


def test_fields_make_one_body_without_those_that_are_empty() -> None:
    """What was not named is left to the reader of alerts."""
    fields = {"symbol": "SPY", "direction": "long", "timeframe": "5m", "price": None, "is_test": False}
    assert [json.loads(one) for one in composed(fields)] == [{"symbol": "SPY", "direction": "long", "timeframe": "5m"}]
    with pytest.raises(BadUsage, match=r"name a FILE .*, or give --symbol and --direction"):
        composed({**fields, "direction": None})


def test_a_file_is_one_body_and_lines_are_many(tmp_path: Path) -> None:
    """Bytes go out as they stand, damaged ones too; only empty lines are passed over."""
    (tmp_path / "one.json").write_bytes(b'{"a": 1,\n "b": NaN}\n')
    (tmp_path / "many.jsonl").write_bytes(b'{"symbol": "SPY"}\n\n\xff damaged\r\nSPY, 5 - Buy signal')
    assert bodies(tmp_path / "one.json") == [b'{"a": 1,\n "b": NaN}\n']
    assert bodies(tmp_path / "many.jsonl") == [b'{"symbol": "SPY"}', b"\xff damaged", b"SPY, 5 - Buy signal"]


def test_standard_input_is_one_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a pipe hands it over."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"SPY, 5 - Buy\nsignal")))
    assert bodies(Path("-")) == [b"SPY, 5 - Buy\nsignal"]


def test_the_alerts_of_a_backtest_can_be_sent(tmp_path: Path) -> None:
    """Their bodies go out in the order of their instants, texts as text; what the operator asks for does not."""
    found = bodies(ROOT / "fixtures/demo/alerts.jsonl")
    assert len(found) == 13
    assert json.loads(found[0])["symbol"] == "SPY"
    assert b"SPY, 5 - Buy signal" in found
    file = tmp_path / "asks.jsonl"
    file.write_text('{"at": 1770907800, "body": {"symbol": "SPY"}}\n{"at": 1770907801, "close": "all"}\n')
    with pytest.raises(BadUsage, match="a webhook takes alerts only"):
        bodies(file)


@pytest.mark.parametrize("content", [b"", b" \n\n"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_file_that_holds_nothing_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Nothing is posted for it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadUsage, match="holds no alert to send"):
        bodies(tmp_path / name)


def test_a_file_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    """The system's word is passed on."""
    with pytest.raises(BadUsage, match="cannot be read: No such file"):
        bodies(tmp_path / "absent")


# -- posting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "posted"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/webhook"),
        ("https://alerts.example/", "https://alerts.example/webhook"),
        ("http://[::1]:8080/hook/me?x=1", "http://[::1]:8080/hook/me?x=1"),
    ],
)
def test_an_address_stands_for_its_webhook(url: str, posted: str) -> None:
    """A path of its own is kept."""
    assert webhook_of(url) == posted


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://a/b", "http://", "http://a:port", "http://[::1", "http://a:99999"]
)
def test_what_is_no_address_is_bad_usage(url: str) -> None:
    """The message shows how one is written."""
    with pytest.raises(BadUsage, match="write it like http://127"):
        webhook_of(url)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"symbol": "SPY"}', "application/json"),
        (b"SPY, 5 - Buy", "text/plain; charset=utf-8"),
        (b"\xff", "text/plain; charset=utf-8"),
    ],
)
def test_a_body_goes_out_as_it_stands_and_is_labelled_as_by_its_senders(body: bytes, kind: str) -> None:
    """JSON as JSON, everything else as text; without secrets there is no proof."""
    with webhook((201, ACCEPTED)) as (url, heard):
        assert post(webhook_of(url), body, Keys()) == Reply(201, ACCEPTED)
    (call,) = heard
    assert (call.path, call.body, call.headers["Content-Type"]) == ("/webhook", body, kind)
    assert not [one for one in call.headers if one.startswith("X-Webhook")]


def test_a_proof_goes_with_the_body() -> None:
    """The token as it is, and a signature over the very bytes that are sent."""
    with webhook((201, ACCEPTED)) as (url, heard):
        post(webhook_of(url), b"{}", Keys(SECRET, TOKEN))
    (call,) = heard
    assert call.headers["X-Webhook-Token"] == TOKEN.decode()
    assert call.headers["X-Webhook-Signature"] == f"sha256={hmac.new(SECRET, b'{}', hashlib.sha256).hexdigest()}"


def test_the_proof_is_the_one_given_or_that_of_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option outranks the environment, which outranks the file; whether it is any good is the webhook's to say."""
    (tmp_path / "secrets.env").write_text(f"WEBHOOK_TOKEN={TOKEN.decode()}\n")
    (tmp_path / "secrets.env").chmod(0o600)
    assert proven(tmp_path, None).is_token(TOKEN)
    monkeypatch.setenv("WEBHOOK_TOKEN", "that-of-environment")
    assert proven(tmp_path, None).is_token(b"that-of-environment")
    assert proven(tmp_path, "that-of-the-option").is_token(b"that-of-the-option")
    assert proven(tmp_path, "short").is_token(b"short")


def test_nobody_at_the_address_names_the_remedy() -> None:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/webhook"
        with pytest.raises(OracleFailure, match=r"does not answer .*: start oracle run there, or name another --url"):
            post(url, b"{}", Keys())


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        ((201, ACCEPTED), ["201 ACCEPTED sig-000001 evt-000001: received"]),
        (
            (
                200,
                {"status": "DUPLICATE", "signal_id": "sig-000001", "code": "duplicate_window", "message": "a repeat"},
            ),
            ["200 DUPLICATE sig-000001: duplicate_window: a repeat"],
        ),
        (
            (
                400,
                {"status": "REJECTED", "error": "Invalid payload", "details": [{"field": "symbol", "message": "none"}]},
            ),
            ["400 REJECTED: Invalid payload", "  symbol: none"],
        ),
        ((502, b"<html>\n\x1b[31mBad gateway"), ["502: <html>\\n\\x1b[31mBad gateway"]),
        ((200, b"[1, 2]"), ["200: [1, 2]"]),
    ],
)
def test_an_answer_is_told_in_a_line_and_its_faults_below(reply: tuple[int, Any], lines: list[str]) -> None:
    """Whatever answers; what a terminal would obey is written out."""
    with webhook(reply) as (url, _):
        told = post(webhook_of(url), b"{}", Keys())
    assert told.lines() == lines
    assert told.refused == (reply[0] >= 400)


# -- what becomes of it ---------------------------------------------------------------------------------------------


def test_a_signal_is_told_to_its_end_and_no_line_twice(data: Path) -> None:
    """Heads of the story only, from its own arrival on; a closed and scored position is the end."""
    with serving(data):
        trail = Trail("sig-000004", to_the_end=True)
        lines = list(trail.look(Asker(data)))
        assert list(trail.look(Asker(data))) == []
    assert trail.done
    assert lines[0] == "2026-02-12 10:06:00  evt-000006 accepted as sig-000004: SPY long 5m"
    assert lines[-1].startswith("2026-02-12 11:06:00  out-000001 (profit_target): pos-000001 closed, net $541.20")
    assert trail.became["id"] == "sig-000004"


@pytest.mark.parametrize("to_the_end", [False, True])
def test_a_refused_signal_is_done(data: Path, to_the_end: bool) -> None:
    """There is nothing to wait for."""
    with serving(data):
        trail = Trail("sig-000007", to_the_end=to_the_end)
        assert list(trail.look(Asker(data)))[-1].endswith("no fresh price or option chain of the symbol is known")
    assert trail.done


def test_an_open_position_is_done_only_for_whom_its_first_fill_is_enough(tmp_path: Path) -> None:
    """Who follows to the end goes on."""
    market = f"10:30:00 SPY 595.42\n10:30:00 {CALL} 3.43 3.47\n10:30:05 {CALL} 3.44 3.48"
    run = trade(tmp_path, market, '10:30:00 {"symbol": "SPY", "direction": "long", "timeframe": "5m"}')
    with serving(run), webhook((201, ACCEPTED)) as (url, _):
        for to_the_end in (False, True):
            sent = Sending(webhook_of(url), Keys(), Asker(run))
            lines = list(sent.send([b"{}"], to_the_end=to_the_end, timeout_s=0))
            assert sent.failed == to_the_end
            assert lines.pop() == "prices: simulated"
            assert any("pos-000001 opened" in one for one in lines)
            late = "sig-000001 is not done within 0 s; oracle explain sig-000001 tells what follows"
            assert (lines[-1] == late) == to_the_end


def test_every_body_is_posted_and_every_signal_followed(data: Path) -> None:
    """Answers for programs in the order of the bodies; one refused at the door makes the whole fail."""
    second = {**ACCEPTED, "signal_id": "sig-000005"}
    with serving(data), webhook((201, ACCEPTED), (201, second), (400, {"status": "REJECTED"})) as (url, heard):
        sent = Sending(webhook_of(url), Keys(), Asker(data))
        lines = list(sent.send([b"a", b"b"], to_the_end=True))
        assert not sent.failed
        assert [one["became"]["id"] for one in sent.answers] == ["sig-000001", "sig-000005"]
        lines += sent.send([b"c"], to_the_end=True)
    assert sent.failed
    assert sent.answers[2] == {"status": 400, "reply": {"status": "REJECTED"}, "simulated": False, "became": None}
    assert [one.body for one in heard] == [b"a", b"b", b"c"]
    assert [one for one in lines if one[:2] == "20"][:2] == [
        f"201 ACCEPTED {one} evt-000001: received" for one in ("sig-000001", "sig-000005")
    ]


def test_invented_prices_are_said_to_be_such_once_and_last(data: Path) -> None:
    """However many signals were told with them, and to programs with each answer; a signal without a price is none."""
    replies = [(201, {**ACCEPTED, "signal_id": one}) for one in ("sig-000001", "sig-000004", "sig-000005")]
    with serving(data), webhook(*replies) as (url, _):
        sent = Sending(webhook_of(url), Keys(), Asker(data))
        lines = list(sent.send([b"a", b"b", b"c"], to_the_end=True))
        assert [one["simulated"] for one in sent.answers] == [True, True, False]
        assert [at for at, one in enumerate(lines) if one == "prices: simulated"] == [len(lines) - 1]
    with serving(data), webhook(replies[-1]) as (url, _):
        assert "prices: simulated" not in Sending(webhook_of(url), Keys(), Asker(data)).send([b"c"], to_the_end=True)


def test_without_the_process_only_the_answer_is_known() -> None:
    """A webhook elsewhere: nothing is followed, and nothing is late."""
    with webhook((201, ACCEPTED)) as (url, _):
        sent = Sending(webhook_of(url), Keys(), None)
        assert len(list(sent.send([b"{}"], to_the_end=True))) == 1
    assert not sent.failed
    assert sent.answers == [{"status": 201, "reply": ACCEPTED, "simulated": False, "became": None}]


def test_the_address_is_the_one_given_or_that_of_the_process(tmp_path: Path) -> None:
    """Without either there is nowhere to send to."""

    class Up(Asker):
        def status(self) -> dict[str, Any]:
            return {"url": "http://127.0.0.1:7/webhook"}

    assert aimed(None, tmp_path, "http://a:1") == "http://a:1/webhook"
    assert aimed(Up(tmp_path), tmp_path, None) == "http://127.0.0.1:7/webhook"
    with pytest.raises(OracleFailure, match=r"start it with oracle run --data .*, or give --url"):
        aimed(None, tmp_path, None)
