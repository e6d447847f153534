"""A prepared directory: private, with a configuration that can be used, and alerts that its own reader understands."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from oracle import config, keys
from oracle.initial import found, messages, prepare
from rules import reading
from state.alert import ExitAlert
from state.errors import BadUsage
from tests.stage import Stage

FILLED_IN = {
    "{{ticker}}": "SPY",
    "{{interval}}": "5",
    "{{timenow}}": "2026-02-13T15:30:00Z",
    "{{close}}": "595.42",
}
"""What stands in any alert."""


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
        assert {f"  {one.message}", f"  {one.strategy_message}"} <= set(told)
        assert any(
            'exits are ignored unless the configuration has intake.exit_alerts = "close"' in line for line in told
        )
        assert told[-1] == f"start it: oracle run --data {one.config.parent} --port 9000 --simulate 1"
    assert any("this machine only" in line for line in near.lines())
    assert not any("this machine only" in line for line in far.lines())


def filled_in(text: str, **placeholders: str) -> dict[str, Any]:
    """A message as it is sent, every placeholder rendered; `order_action` stands for `{{strategy.order.action}}`."""
    own = {f"{{{{strategy.{name.replace('order_', 'order.')}}}}}": told for name, told in placeholders.items()}
    for placeholder, value in {**FILLED_IN, **own}.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    assert "{{" not in text
    sent: dict[str, Any] = json.loads(text)
    return sent


@pytest.mark.parametrize("direction", ["long", "short"])
def test_the_message_of_an_indicator_becomes_a_signal(direction: str) -> None:
    """Every placeholder is one that any alert has, and the reader takes all of what they become."""
    stage = Stage("2026-02-13")
    stage.alert("10:30:01", **filled_in(messages("t" * 43)[0].replace('"long"', f'"{direction}"')))
    (signal,) = stage.portfolio.signals.values()
    assert (signal.entry.symbol, str(signal.entry.direction), signal.entry.timeframe) == ("SPY", direction, "5m")
    assert (signal.entry.price, signal.entry.at_source) == (595_420_000, "payload")


@pytest.mark.parametrize(
    ("action", "position", "direction"),
    [
        ("buy", "long", "long"),
        ("sell", "short", "short"),
        # A part of a long is sold: what is left is long, and nothing short was opened.
        ("sell", "long", "long"),
        ("buy", "short", "short"),
    ],
)
def test_an_order_of_a_strategy_wishes_what_it_leads_to(action: str, position: str, direction: str) -> None:
    """Whatever the order itself does, the signal is that of the position it leaves."""
    stage = Stage("2026-02-13")
    sent = filled_in(messages("t" * 43)[1], order_action=action, market_position=position)
    stage.alert("10:30:01", **sent)
    (signal,) = stage.portfolio.signals.values()
    assert str(signal.entry.direction) == direction


@pytest.mark.parametrize("action", ["buy", "sell"])
def test_an_order_of_a_strategy_that_goes_flat_is_an_exit(action: str) -> None:
    """It opens nothing, and says of which symbol it is."""
    body = json.dumps(filled_in(messages("t" * 43)[1], order_action=action, market_position="flat"))
    read = reading.read(body, source="desk", received_at=1_770_996_600_000_000_000)
    assert isinstance(read, ExitAlert)
    assert (read.symbol, read.direction) == ("SPY", None)


def test_a_prepared_directory_tells_again_what_to_paste(tmp_path: Path) -> None:
    """Nothing in it is changed, also after a run; port and URL are those of its configuration, or those given."""
    made = prepare(tmp_path / "desk", 9000)
    for name in ("journal", "oracle.db", "oracle.sock"):
        (tmp_path / "desk" / name).touch()
    before = {one: (one.read_bytes(), one.stat().st_mtime_ns) for one in (tmp_path / "desk").iterdir()}
    again = found(tmp_path / "desk")
    assert again is not None
    assert again == made._replace(made=False)
    assert again.lines()[0] == f"{made.config} and {made.secrets} were there already and stay as they are"
    assert again.lines()[1:] == made.lines()[1:]
    other = found(tmp_path / "desk", 9001, url="https://alerts.example")
    assert other is not None
    assert (other.url, other.port) == ("https://alerts.example/webhook", 9001)
    assert {one: (one.read_bytes(), one.stat().st_mtime_ns) for one in (tmp_path / "desk").iterdir()} == before


def test_a_directory_that_was_not_prepared_is_not_found(tmp_path: Path) -> None:
    """None at all, an empty one, and one of a run that began without; what is strange is refused."""
    (tmp_path / "run/journal").mkdir(parents=True)
    for name in ("absent", "", "run"):
        assert found(tmp_path / name) is None
    made = prepare(tmp_path / "desk")
    made.secrets.write_text("# none yet\n", "utf-8")
    with pytest.raises(BadUsage, match="holds no WEBHOOK_TOKEN: write one into it"):
        found(tmp_path / "desk")
    made.config.write_text("[listener]\nport = 'none'\n", "utf-8")
    with pytest.raises(BadUsage, match=r"listener\.port"):
        found(tmp_path / "desk")
    (tmp_path / "desk/letters.txt").touch()
    with pytest.raises(BadUsage, match=r"holds letters\.txt, which is not ours"):
        found(tmp_path / "desk")


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
