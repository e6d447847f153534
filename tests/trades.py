"""One small day, from tape and alerts to a finished backtest: what tests of runs and their data directories ask about.

The 596 call of SPY is bought at 3.47, doubles and is sold at its target; an alert repeats, one is no alert at all, a test
signal trades beside it, and the operator closes what is left.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from oracle import backtest
from oracle.backtest import Heard, Job
from tests.tapes import tape

DAY = "2026-02-13"
CALL = "SPY260220C00596000"
PUT = "SPY260220P00595000"

MARKET = f"""
    10:29:00 SPY 595.10
    10:30:00 SPY 595.42
    10:30:00 {CALL} 3.43 3.47 50 50
    10:30:00 {PUT} 2.98 3.02 50 50
    10:31:00 SPY 595.60
    10:31:00 {CALL} 3.43 3.47 50 50
    10:31:00 {PUT} 2.90 2.94 50 50
    10:32:00 {CALL} 3.60 3.64 50 50
    10:32:00 {PUT} 2.88 2.92 50 50
    10:33:00 {PUT} 2.88 2.92 50 50
    10:35:00 SPY 599.00
    10:35:00 {CALL} 5.30 5.34 50 50
    10:36:00 {CALL} 5.28 5.32 50 50
    10:40:00 SPY 599.10
    10:40:00 {PUT} 1.60 1.64 50 50
    10:41:00 {PUT} 1.58 1.62 50 50
    10:42:00 {PUT} 1.58 1.62 50 50
"""

LONG = {"symbol": "SPY", "direction": "long", "timeframe": "5m", "timestamp": 1770996600, "confidence": 75}
ALERTS: tuple[dict[str, Any], ...] = (
    {"at": "2026-02-13T10:30:00-05:00", "source": "rule", "body": LONG},
    {"at": "2026-02-13T10:30:20-05:00", "source": "rule", "body": LONG},
    {"at": "2026-02-13T10:31:30-05:00", "source": "rule", "body": {**LONG, "direction": "short", "is_test": True}},
    {"at": "2026-02-13T10:32:30-05:00", "source": "rule", "body": "nothing that could be read"},
    {"at": "2026-02-13T10:34:00-05:00", "source": "rule", "body": {**LONG, "symbol": "XLE", "secret": "hush"}},
    {"at": "2026-02-13T10:40:30-05:00", "close": "all", "reason": "enough"},
)


def job(root: Path, *, config: str | None = None, alerts: tuple[dict[str, Any], ...] = ALERTS) -> Job:
    """Tape, alerts and configuration as files under `root`, and the directory the run is to make there."""
    (root / "alerts.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in alerts), "utf-8")
    if config is not None:
        (root / "config.toml").write_text(config, "utf-8")
    return Job(
        tape(root, DAY, MARKET), root / "alerts.jsonl", root / "run", None if config is None else root / "config.toml"
    )


def traded(root: Path, *, config: str | None = None, heard: Heard | None = None) -> dict[str, Any]:
    """Run the day; its data directory is `root / "run"`."""
    return asyncio.run(backtest.run(job(root, config=config), heard=heard))
