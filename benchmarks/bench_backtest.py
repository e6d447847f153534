"""Cycles and records per second of the bundled demo as a backtest, and of what is done with its journal afterwards.

Run `python benchmarks/bench_backtest.py [profile]` from the root of the repository; `profile` adds where the time goes.
"""

import asyncio
import cProfile
import pstats
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle import backtest
from oracle.stored import rebuild_directory, verify_directory
from state.inputs import TickReached
from state.record import Record

DEMO = Path(__file__).resolve().parent.parent / "fixtures" / "demo"
ROUNDS = 5


class Heard:
    """Counts what a run does, and when it did it first."""

    def __init__(self) -> None:
        self.cycles = self.records = 0
        self.began = 0.0

    def __call__(self, record: Record, seen_at: int) -> None:
        """One record of the run."""
        if not self.records:
            self.began = time.perf_counter()
        self.records += 1
        self.cycles += isinstance(record.input, TickReached) and seen_at > 0


def ran(out: Path) -> tuple[Heard, float, float]:
    """One backtest: what it heard, its seconds as a whole, and those from its first record to its end."""
    shutil.rmtree(out, ignore_errors=True)
    heard, start = Heard(), time.perf_counter()
    asyncio.run(backtest.run(backtest.Job(DEMO / "tape", DEMO / "alerts.jsonl", out), heard=heard))
    end = time.perf_counter()
    return heard, end - start, end - heard.began


def best_s(act: Callable[[], object]) -> float:
    """Seconds of an act: best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - start)
    return best


def profiled(out: Path) -> None:
    """Print where a run spends its time, without its imports and calendars, which an earlier run has made."""
    profile = cProfile.Profile()
    profile.runcall(ran, out)
    for order in ("tottime", "cumulative"):
        pstats.Stats(profile).sort_stats(order).print_stats(30)


def main() -> None:
    """Print one table."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "run"
        runs = [ran(out) for _ in range(ROUNDS)]
        heard = runs[0][0]
        whole, loop = min(seconds for _, seconds, _ in runs), min(seconds for *_, seconds in runs)
        print(f"the demo: {heard.cycles} cycles, {heard.records} records, best of {ROUNDS}")
        print(f"{'':<30} {'s':>7} {'cycles/s':>10} {'records/s':>10}")
        acts = {
            "backtest, tape read and all": whole,
            "backtest from its first record": loop,
            "verify": best_s(lambda: verify_directory(out, any_version=False)),
            "rebuild": best_s(lambda: asyncio.run(rebuild_directory(out))),
        }
        for name, seconds in acts.items():
            print(f"{name:<30} {seconds:>7.3f} {heard.cycles / seconds:>10,.0f} {heard.records / seconds:>10,.0f}")
        if "profile" in sys.argv[1:]:
            profiled(out)


if __name__ == "__main__":
    main()
