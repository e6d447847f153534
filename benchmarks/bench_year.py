"""A week, ten weeks and a year of minutes through the loop and the journal on disk: size, time, and the way back.

Run `python benchmarks/bench_year.py [sessions ...]` from the root of the repository; the year takes some minutes.
"""

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import years
from benchmarks.figures import Part, Table, tell
from oracle import backtest
from oracle.directory import DataDirectory
from oracle.stored import rebuild_directory, verify_directory
from state import recovery
from state.disk import Disk
from state.journal import Journal, Run
from state.recovery import History, Recovered
from state.snapshots import Store

SESSIONS = (5, 50, 252)
ALERTS_A_DAY = 2
WORDS = f"""\
A made tape of minutes: one underlying, six quotes a minute or more, {ALERTS_A_DAY} alerts a session, run through the loop with its journal and database on
disk; then everything that is done with such a directory. The last column tells how a figure grows: as the work to that power, so
that 1 doubles with the work and 0 does not grow."""
RUN = Run(bytes(16), "bench", "bench")


def seconds(act: Callable[[], Any]) -> tuple[float, Any]:
    """How long an act took, and what it came to."""
    begun = time.perf_counter()
    told = act()
    return time.perf_counter() - begun, told


def started(out: DataDirectory, *, stored: bool) -> tuple[float, float, Recovered]:
    """Seconds to open the journal, then to have the portfolio, as a daemon starts with or without its database."""
    opened, journal = seconds(lambda: Journal.open(Disk(), out.journal, run=RUN))
    history = History(Disk(), out.journal, journal.hand_over())
    folded, recovered = seconds(lambda: asyncio.run(come_back(out, history, stored=stored)))
    journal.close()
    return opened, folded, recovered


async def come_back(out: DataDirectory, history: History, *, stored: bool) -> Recovered:
    """The portfolio of a directory."""
    store = await Store.open(out.database) if stored else None
    try:
        return await recovery.recover(history, store)
    finally:
        if store is not None:
            await store.close()


async def snapshot(out: DataDirectory, recovered: Recovered) -> float:
    """Seconds of one more snapshot."""
    store = await Store.open(out.database)
    begun = time.perf_counter()
    await store.save_snapshot(recovered.portfolio, recovered.chain)
    took = time.perf_counter() - begun
    await store.close()
    return took


def measured(days: int, directory: Path) -> dict[str, float]:
    """The figures of so many sessions."""
    tape, alerts = years.make(directory, days=days, alerts_a_day=ALERTS_A_DAY)
    path = directory / "run"
    run_s, figures = seconds(lambda: asyncio.run(backtest.run(backtest.Job(tape, alerts, path))))
    out = DataDirectory(path)
    size = sum(one.stat().st_size for one in out.journal.iterdir() if one.suffix == ".seg")
    open_s, from_snapshot_s, recovered = started(out, stored=True)
    _, from_nothing_s, _ = started(out, stored=False)
    return {
        "records": figures["records"],
        "trades closed": figures["trades_closed"],
        "backtest, s": run_s,
        "records per second": figures["records"] / run_s,
        "journal, MB": size / 1e6,
        "journal, bytes per record": size / figures["records"],
        "database, MB": out.database.stat().st_size / 1e6,
        "open and verify the journal, s": open_s,
        "then the portfolio from its snapshot, s": from_snapshot_s,
        "or the portfolio from nothing, s": from_nothing_s,
        "one snapshot, ms": asyncio.run(snapshot(out, recovered)) * 1e3,
        "verify, s": seconds(lambda: verify_directory(path, any_version=False))[0],
        "rebuild, s": seconds(lambda: asyncio.run(rebuild_directory(path)))[0],
    }


def figure(value: float) -> str:
    """Four digits, or a whole number."""
    return f"{value:,.4g}" if value < 1_000 else f"{value:,.0f}"


def growth(small: float, large: float, work: float) -> str:
    """As what power of the work a figure grows; nothing for what was not there."""
    return f"{math.log(large / small) / math.log(work):.2f}" if small > 0 and large > 0 else "-"


def measure() -> Part:
    """Some sessions, ten times as many, and a year."""
    days = tuple(int(one) for one in sys.argv[1:] if one.isdigit()) or SESSIONS
    with tempfile.TemporaryDirectory() as directory:
        every = {count: measured(count, Path(directory) / str(count)) for count in days}
    (first, some), (last, all_of) = (pick(every.items(), key=lambda one: one[0]) for pick in (min, max))
    rows = tuple(
        (name, *(figure(one[name]) for one in every.values()), growth(some[name], all_of[name], last / first))
        for name in some
    )
    head = ("", *(f"{count} sessions" for count in days), f"power of the work, {first} to {last}")
    return Part("A year", WORDS, (Table("By the number of sessions", head, rows),))


if __name__ == "__main__":
    tell(measure)
