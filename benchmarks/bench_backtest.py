"""Cycles, bars and re-priced positions a second of backtests with their journal on disk, beside peers at a like task.

Run `python benchmarks/bench_backtest.py [profile]` from the root of the repository; `profile` adds where the time goes. Peers
take part where `make bench` has installed them.
"""

import asyncio
import cProfile
import json
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks import years
from benchmarks.figures import Part, Table, at_least, tell
from benchmarks.rounds import seconds
from oracle import backtest
from oracle.market import recording
from oracle.market.tape import Tape

ROOT = Path(__file__).resolve().parent.parent
PYTHON_OF_PEERS = ROOT / ".venv" / "peers" / "bin" / "python"
PEERS = {"backtesting.py": "backtesting", "NautilusTrader": "nautilus", "backtrader": "backtrader"}
PEER_S_MAX = 300
ROUNDS = 3
FEW_DAYS, SESSIONS_APART = 100, 3
HELD_DAYS = 3
OPENING_NS = 30 * years.MINUTE
ROOMY = """\
[account]
cash_start_usd = 100_000_000
[intake]
duplicate_window_s = 0
[gates]
open_positions_max = 100_000
positions_per_symbol_max = 100_000
exposure_usd_max = 100_000_000
exposure_pct_max = 100
daily_loss_usd_max = 100_000_000
[orders]
drift_pct_max = 10_000
limit_offset_usd = 1
"""
"""Nothing refuses a position because of those before it."""

WORDS = f"""\
Made tapes of minutes, run through the loop with the journal and the query tables on disk. **Few signals**: {FEW_DAYS} sessions
of one underlying and six quotes a minute or more, one alert in {SESSIONS_APART} sessions; something is watched or held all the time, so that every
minute is a cycle; the few cycles between minutes, of alerts and orders, are not counted. **Many held**: {HELD_DAYS} sessions in which {2 * len(years.HELD_STRIKES) * len(years.HELD_EXPIRIES):,} contracts are held and all are quoted anew every minute: implied volatility, greeks,
mark and exit screen of each. Rates are those from the first cycle (of many held, from half an hour after the open) to the end of the
run, last commit, tables and snapshot included; the whole run also reads the tape and makes its calendar.

Peers walk the prices of the same minutes as bars and trade as often, at one bar in three sessions and an hour later; what they read,
and what they prepare, is not counted, best of three runs. None of them keeps a journal, prices an option in that loop, or says why it traded.
NautilusTrader's greeks are those of its calculator, which implies a volatility from the cached prices of one option, again and again."""


class Run:
    """One backtest: its seconds as a whole, and the cycles and seconds of it from an instant on."""

    def __init__(self, job: backtest.Job, instants: np.ndarray, *, skip_ns: int = 0) -> None:
        self.skip_ns = skip_ns
        self.began: tuple[int, float] | None = None
        self.newest: tuple[int, float] | None = None
        self.start = int(instants[0])
        shutil.rmtree(job.out, ignore_errors=True)
        begun = time.perf_counter()
        self.figures: dict[str, Any] = asyncio.run(backtest.run(job, progress=self.progressed))
        end = time.perf_counter()
        if self.began is None:
            raise SystemExit("the run had no cycle")
        at, since = self.began
        self.whole_s, self.loop_s = end - begun, end - since
        self.cycles = int((instants > at).sum())

    def progressed(self, done: int, _: int) -> None:
        """Note the last record before what counts, which may be one of many cycles. A run begins just before its tape."""
        newest = self.start + done - 1, time.perf_counter()
        if self.began is None and done - 1 >= self.skip_ns:
            self.began = self.newest or newest
        self.newest = newest


class Tried:
    """A tape and its alerts, run several times; the fastest run counts."""

    def __init__(self, made: tuple[Path, Path], config: str = "", *, skip_ns: int = 0) -> None:
        self.tape, alerts = made
        written = self.tape.with_suffix(".config.toml")
        written.write_text(config)
        self.job = backtest.Job(self.tape, alerts, self.tape.parent / "run", written)
        self.reading_s = min(seconds(partial(Tape, self.tape)) for _ in range(ROUNDS))
        self.recorded = recording.read(self.tape)
        self.instants = Tape(self.tape).instants
        runs = [Run(self.job, self.instants, skip_ns=skip_ns) for _ in range(ROUNDS)]
        self.best = min(runs, key=lambda run: run.loop_s)
        self.whole_s = min(run.whole_s for run in runs)
        self.rows = len(self.recorded.quotes.at) + sum(len(bars.at) for bars in self.recorded.bars.values())

    @property
    def cycles_per_s(self) -> float:
        """Cycles a second, reading not counted."""
        return self.best.cycles / self.best.loop_s

    @property
    def rows_per_s(self) -> float:
        """Bars and quotes a second, reading not counted."""
        return self.cycles_per_s * self.rows / len(self.instants)

    @property
    def repriced_per_s(self) -> float:
        """Positions a second that were valued and screened on a new quote."""
        return self.cycles_per_s * self.best.figures["positions_open"]

    def row(self, name: str) -> tuple[str, ...]:
        """The figures of a tape."""
        told = self.best.figures
        sizes = (len(self.instants), self.rows, told["positions_open"] + told["trades_closed"], self.best.cycles)
        times = (f"{one:.2f}" for one in (self.whole_s, self.reading_s, self.best.loop_s))
        return (name, *(f"{one:,}" for one in sizes), *times)

    def profiled(self) -> None:
        """Print where a run spends its time, without its imports and calendars, which an earlier run has made."""
        profile = cProfile.Profile()
        profile.runcall(Run, self.job, self.instants)
        for order in ("tottime", "cumulative"):
            pstats.Stats(profile).sort_stats(order).print_stats(25)


def peer(name: str, bars: Path) -> dict[str, Any] | None:
    """What a peer tells of itself; None where it is not installed, or does not run."""
    if not PYTHON_OF_PEERS.exists():
        return None
    script = ROOT / "benchmarks" / "peers" / f"run_{PEERS[name]}.py"
    done = subprocess.run(
        [str(PYTHON_OF_PEERS), str(script), str(bars)], capture_output=True, text=True, check=False, timeout=PEER_S_MAX
    )
    if done.returncode != 0:
        print(f"{name} did not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def beside(few: Tried, many: Tried) -> Table:
    """Everybody's rates."""
    bars = few.tape.parent / "bars.csv"
    (prices,) = few.recorded.bars.values()
    pairs = zip(prices.at.tolist(), prices.close.tolist(), strict=True)
    bars.write_text("".join(f"{at},{price / 1e6:.2f}\n" for at, price in pairs))
    rows = [("oracle", f"{few.cycles_per_s:,.0f}", "1.00", f"{many.repriced_per_s:,.0f}")]
    for name in PEERS:
        told = peer(name, bars)
        if told is None:
            rows.append((name, "absent", "", ""))
            continue
        greeks = f"{told['greeks_per_s']:,.0f}" if "greeks_per_s" in told else ""
        rate = told["bars_per_s"]
        rows.append((f"{name} {told['version']}", f"{rate:,.0f}", f"{few.cycles_per_s / rate:,.2f}", greeks))
    head = ("", "minutes a second", "oracle, times it", "options or positions priced a second")
    return Table("Beside peers", head, tuple(rows))


def measure() -> Part:
    """Both tapes, and the peers."""
    with tempfile.TemporaryDirectory() as directory:
        few = Tried(years.make(Path(directory) / "few", days=FEW_DAYS, sessions_apart=SESSIONS_APART))
        many = Tried(years.make_held(Path(directory) / "many", days=HELD_DAYS), ROOMY, skip_ns=OPENING_NS)
        if "profile" in sys.argv[1:]:
            few.profiled()
            many.profiled()
        table = beside(few, many)
    head = ("", "minutes", "bars and quotes", "trades", "cycles counted", "whole run, s", "reading, s", "counted, s")
    rates = (
        ("few signals", f"{few.cycles_per_s:,.0f}", f"{few.rows_per_s:,.0f}", ""),
        ("many held", f"{many.cycles_per_s:,.0f}", f"{many.rows_per_s:,.0f}", f"{many.repriced_per_s:,.0f}"),
    )
    return Part(
        "Backtest",
        WORDS,
        (
            Table(f"Runs, best of {ROUNDS}", head, (few.row("few signals"), many.row("many held"))),
            Table("A second", ("", "cycles", "rows of the tape passed", "re-priced positions"), rates),
            table,
        ),
        (
            at_least("cycles, few signals", 60_000, few.cycles_per_s, "/s"),
            at_least("rows of the tape, few signals", 200_000, few.rows_per_s, "/s"),
            at_least("re-priced positions, many held", 5_000_000, many.repriced_per_s, "/s"),
        ),
    )


if __name__ == "__main__":
    tell(measure)
