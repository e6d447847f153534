"""`oracle demo`: trades the bundled simulated days with the bundled alerts, and proves the run by verifying its journal."""

import asyncio
import tempfile
from contextlib import nullcontext
from pathlib import Path

from oracle import backtest, report
from oracle.stored import verify_directory
from oracle.version import ROOT
from state.errors import OracleFailure

BUNDLED = ROOT / "fixtures" / "demo"


def run(out: Path | None) -> None:
    """Tell the story, the result and the verification. Without `out` the run is thrown away at the end."""
    if not BUNDLED.is_dir():
        raise OracleFailure(f"{BUNDLED} is missing: run the demo from a source checkout")
    with tempfile.TemporaryDirectory() if out is None else nullcontext(str(out)) as kept:
        data = Path(kept) / "run" if out is None else out
        job = backtest.Job(BUNDLED / "tape", BUNDLED / "alerts.jsonl", data)
        report.say("Three invented days of SPY, QQQ and IWM (simulated prices), thirteen alerts, times of New York:\n")
        figures = asyncio.run(backtest.run(job, heard=report.tell))
        report.say("")
        report.figures(figures)
        report.say("\nThe same inputs, decided again from the journal:")
        report.verified(verify_directory(data, any_version=False))
        if out is not None:
            report.say(f"\nAsk it: oracle positions --data {out}; oracle explain pos-000001 --data {out}")
