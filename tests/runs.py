"""Whole runs for tests that ask as a user does: the bundled tape once per process, and small days written as text."""

import asyncio
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from oracle import backtest
from tests.conftest import ROOT
from tests.tapes import new_york, tape

DAY = "2026-02-13"
CALL, PUT = "SPY260220C00596000", "SPY260220P00595000"
SECOND = 1_000_000_000
_FIGURES = re.compile(r"[+-]?\$?\d[\d,.:]*| {2,}")
_WORDS = {name: value for name, value in os.environ.items() if name not in ("ORACLE_DATA", "COLUMNS")}


def oracle(*words: str | Path, cwd: Path | None = None, text: bool = True) -> Any:
    """The real command in a process of its own, finished: its exit code, output and errors."""
    command = [sys.executable, "-m", "cli", *map(str, words)]
    environment = {**_WORDS, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(command, cwd=cwd or ROOT, env=environment, capture_output=True, text=text, check=False)


@cache
def demo() -> tuple[str, Path]:
    """(the story of a backtest of the bundled tape, its data directory); whoever would change that copies it first."""
    kept = mkdtemp(prefix="oracle-demo-")
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    data = Path(kept) / "run"
    bundled = ROOT / "fixtures/demo"
    files = ("--tape", bundled / "tape", "--alerts", bundled / "alerts.jsonl")
    done = oracle("backtest", *files, "--out", data, "--story")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, data


def trade(tmp_path: Path, market: str, alerts: str, *, config: str = "") -> Path:
    """The data directory of a backtest of one day; `market` is a tape as text, `alerts` lines of a time and a body.

    10:30:00 {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
    11:00:00 close all going to lunch
    11:00:00 ask requeue sig-000001
    """
    lines = [_alert(*line.split(maxsplit=1)) for line in map(str.strip, alerts.splitlines()) if line]
    (tmp_path / "alerts.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    (tmp_path / "config.toml").write_text(config, "utf-8")
    out = tmp_path / "run"
    job = backtest.Job(tape(tmp_path, DAY, market), tmp_path / "alerts.jsonl", out, tmp_path / "config.toml")
    asyncio.run(backtest.run(job))
    return out


def shape(line: str) -> str:
    """A line without its figures, which differ from run to run with the instants at which a process comes to look."""
    return _FIGURES.sub("#", line)


def missing(lines: str, told: dict[str, Any]) -> list[str]:
    """The lines that do not stand in an explanation, in their order; and every figure in it that was recorded otherwise."""
    whole = [told["headline"], *(line.removeprefix(f"{DAY} ") for line in told["story"])]
    left = iter(whole)
    absent = [line for line in lines.strip("\n").splitlines() if line not in left]
    return absent + [line for line in whole if "BUT RECORDED" in line]


def _alert(clock: str, said: str) -> dict[str, Any]:
    day, _, time = clock.rpartition("T")
    at = new_york(day or DAY, time) // SECOND
    if said.startswith("close "):
        _, target, *words = said.split(maxsplit=2)
        return {"at": at, "close": target, "reason": "".join(words)}
    if said.startswith("ask "):
        _, ask, *about = said.split()
        return {"at": at, "ask": ask, "about": "".join(about), "reason": "a trial"}
    return {"at": at, "source": "desk", "body": json.loads(said)}
