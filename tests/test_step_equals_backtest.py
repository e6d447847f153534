"""A daemon led by hand along a tape concludes, byte for byte, what a backtest of the same tape and alerts concludes.

`STEP_SEEDS=50` tries as many storms of alerts instead of one.
"""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.daemons import SMALL
from tests.stepped import Script, backtested, storm, walked

DEMO = ROOT / "fixtures" / "demo"
SEEDS = range(int(os.environ.get("STEP_SEEDS", "1")))
WEATHER = ("PositionClosed", "EntriesHalted", "FlagSet", "duplicate_window", "exit_alert", "nothing_to_close")
"""What the first storm holds at least, so that it is one."""

CONFIG = f"""{SMALL}
[intake]
exit_alerts = "close"
[gates]
open_positions_max = 12
exposure_usd_max = 40000
exposure_pct_max = 80
"""


def script(tmp_path: Path, alerts: Path, config: str = CONFIG) -> Script:
    """The bundled tape with other alerts."""
    (tmp_path / "config.toml").write_text(config, "utf-8")
    return Script(DEMO / "tape", alerts, tmp_path / "config.toml")


def demo_alerts(tmp_path: Path) -> Path:
    """The alerts of the demo as they come over a webhook: it alone says where they are from."""
    alerts = tmp_path / "alerts.jsonl"
    alerts.write_text((DEMO / "alerts.jsonl").read_text("utf-8").replace('"source": "demo", ', ""), "utf-8")
    return alerts


def test_the_demo_led_by_hand_is_its_backtest(tmp_path: Path) -> None:
    """Three days: the same facts at the same instants."""
    demo = script(tmp_path, demo_alerts(tmp_path), SMALL)
    assert walked(demo, tmp_path / "daemon") == backtested(demo, tmp_path / "backtest")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_of_alerts_and_asks_is_its_backtest(tmp_path: Path, seed: int) -> None:
    """Several at one instant, at instants of the tape and between them; closes, halts, flags and requeues among them."""
    stormy = script(tmp_path, storm(tmp_path / "alerts.jsonl", seed, 150))
    facts = backtested(stormy, tmp_path / "backtest")
    assert seed or all(one in "".join(facts) for one in WEATHER)
    assert walked(stormy, tmp_path / "daemon") == facts


def test_one_payload_file_has_one_history(tmp_path: Path, data_dir: Path) -> None:
    """Posted to two empty directories, recorded bodies of real senders lead to the same facts, byte for byte."""
    bodies = [
        json.loads(line)["body"]
        for name in ("tv_payloads", "tv_rendered", "predecessor_payloads")
        for line in (data_dir / "payloads" / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    alerts = tmp_path / "alerts.jsonl"
    told = (
        {"at": f"2026-02-12T15:{number // 6:02}:{number % 6 * 10:02}Z", "body": one}
        for number, one in enumerate(bodies)
    )
    alerts.write_text("".join(f"{json.dumps(one)}\n" for one in told), "utf-8")
    recorded = script(tmp_path, alerts)
    facts = walked(recorded, tmp_path / "one")
    assert "SignalApproved" in "".join(facts)
    assert walked(recorded, tmp_path / "other") == facts
    assert backtested(recorded, tmp_path / "backtest") == facts


@pytest.mark.parametrize("seed", SEEDS)
def test_kills_between_the_steps_change_nothing(tmp_path: Path, seed: int) -> None:
    """Killed and started again several times on the way, with signals due, orders in flight and positions held."""
    stormy = script(tmp_path, storm(tmp_path / "alerts.jsonl", 100 + seed, 40))
    facts = backtested(stormy, tmp_path / "backtest")
    assert walked(stormy, tmp_path / "daemon", seed=seed) == facts
