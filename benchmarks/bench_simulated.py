"""Milliseconds of one observation of the simulated market: a chain on two underlyings, many held contracts, a fresh start.

Run `python benchmarks/bench_simulated.py` from the root of the repository.
"""

import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import Part, Table, tell
from oracle import sessions
from oracle.market.simulated import SimulatedMarket
from rules.wants import ChainSlice, Plan

FIRST, TODAY = date(2026, 1, 5), date(2026, 2, 13)
NOW = 1_770_996_600_000_000_000  # 2026-02-13 10:30 in New York
STEP = 5_000_000_000
ROUNDS = 200
PROFILES = ((5, 14), (30, 45))
WORDS = (
    "What one observation of the simulated market costs: the mean of some, each five seconds after the one before it."
)


def sliced(*symbols: str) -> Plan:
    """What two profiles watch of each symbol."""
    day = timedelta(days=1)
    slices = (ChainSlice(one, TODAY + a * day, TODAY + b * day, 5) for one in symbols for a, b in PROFILES)
    return Plan(symbols, tuple(slices), (), ())


def held(count: int) -> Plan:
    """Contracts of one date on many underlyings, as a full book holds them."""
    names = [f"X{chr(65 + number // 26 % 26)}{chr(65 + number % 26)}" for number in range(50)]
    return Plan(
        tuple(names), (), tuple(f"{names[n % 50]}260220C{(10 + n // 50) * 10:05d}000" for n in range(count)), ()
    )


def milliseconds(act: Callable[[int], object], rounds: int = ROUNDS) -> float:
    """The mean time of one act."""
    begun = time.perf_counter()
    for turn in range(rounds):
        act(turn)
    return (time.perf_counter() - begun) / rounds * 1_000


def measure() -> Part:
    """Steady answers, and first ones."""
    table, rows = sessions.build(date(2026, 1, 2), date(2026, 12, 31)), []
    plans = {
        "two underlyings": sliced("SPY", "QQQ"),
        "an index with its two roots": sliced("SPX"),
        "held on fifty underlyings": held(1_000),
    }
    for name, plan in plans.items():
        market = SimulatedMarket(7, FIRST)
        known = market.observe(plan, NOW, calendar=table)
        took = milliseconds(lambda n, m=market, p=plan: m.observe(p, NOW + n * STEP, calendar=table))
        rows.append((name, f"{len(known.codes):,}", f"{took:.2f}"))
    years = timedelta(days=3 * 365)
    for name, first, rounds in (
        ("the first answer of a process", FIRST, 10),
        ("begun three years ago", FIRST - years, 3),
    ):
        took = milliseconds(
            lambda _, f=first: SimulatedMarket(7, f).observe(plans["two underlyings"], NOW, calendar=table), rounds
        )
        rows.append((name, "", f"{took:.2f}"))
    return Part("Simulated market", WORDS, (Table("One answer, in ms", ("plan", "contracts", "ms"), tuple(rows)),))


if __name__ == "__main__":
    tell(measure)
