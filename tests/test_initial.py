"""A prepared directory: private, with a configuration that can be used, and an alert that its own reader understands."""

import json
import stat
from pathlib import Path

import pytest

from oracle import config, keys
from oracle.initial import message, prepare
from state.errors import BadUsage
from tests.stage import Stage

FILLED_IN = {
    "{{ticker}}": "SPY",
    "{{strategy.order.action}}": "sell",
    "{{interval}}": "5",
    "{{timenow}}": "2026-02-13T15:30:00Z",
    "{{close}}": "595.42",
}


def test_a_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """Directory and files can be read by nobody else, and each does its work."""
    made = prepare(tmp_path / "desk", 8080)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "desk", made.config, made.secrets)]
    assert modes == [0o700, 0o600, 0o600]
    assert config.load(made.config) == config.Config()
    token = json.loads(made.message)["token"]
    assert keys.load(tmp_path / "desk", {}).is_token(token.encode())
    assert not keys.load(prepare(tmp_path / "other", 8080).secrets.parent, {}).is_token(token.encode())


def test_what_is_pasted_is_told(tmp_path: Path) -> None:
    """The webhook, the message, and how to start; an address of this machine is said to be one."""
    near, far = prepare(tmp_path / "near", 9000), prepare(tmp_path / "far", 9000, url="https://alerts.example")
    assert (near.url, far.url) == ("http://127.0.0.1:9000/webhook", "https://alerts.example/webhook")
    for one in (near, far):
        told = one.lines()
        assert f"  {one.url}" in told
        assert f"  {one.message}" in told
        assert told[-1] == f"start it: oracle run --data {one.config.parent} --port 9000 --simulate 1"
    assert any("this machine only" in line for line in near.lines())
    assert not any("this machine only" in line for line in far.lines())


def test_the_message_becomes_a_signal_once_it_is_filled_in() -> None:
    """Every placeholder is one that is rendered, and the reader takes all of what they become."""
    text = message("t" * 43)
    for placeholder, value in FILLED_IN.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    stage = Stage("2026-02-13")
    stage.alert("10:30:01", **json.loads(text))
    (signal,) = stage.portfolio.signals.values()
    assert (signal.entry.symbol, str(signal.entry.direction), signal.entry.timeframe) == ("SPY", "short", "5m")
    assert (signal.entry.price, signal.entry.at_source) == (595_420_000, "payload")


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    """A run is never prepared anew, and a mistyped home directory is not closed to others."""
    prepare(tmp_path / "desk", 8080)
    before = (tmp_path / "desk/secrets.env").read_bytes()
    with pytest.raises(BadUsage, match="is not empty"):
        prepare(tmp_path / "desk", 8080)
    assert (tmp_path / "desk/secrets.env").read_bytes() == before
    with pytest.raises(BadUsage, match="is no address"):
        prepare(tmp_path / "third", 8080, url="alerts.example")
    assert not (tmp_path / "third").exists()
