"""Milliseconds of one observation of the simulated market: a chain on two underlyings, many held contracts, a fresh start.

Run `python benchmarks/bench_simulated.py` from the root of the repository.
"""

import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle import sessions
from oracle.market.simulated import SimulatedMarket
from rules.wants import ChainSlice, Plan
from state.calendar import Calendar

FIRST, TODAY = date(2026, 1, 5), date(2026, 2, 13)
NOW = 1_770_996_600_000_000_000  # 2026-02-13 10:30 in New York
STEP = 5_000_000_000
ROUNDS = 200
PROFILES = ((5, 14), (30, 45))


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


def measured(name: str, plan: Plan, calendar: Calendar) -> None:
    """Print how long a plan takes, step after step of the grid."""
    market = SimulatedMarket(7, FIRST)
    known = market.observe(plan, NOW, calendar=calendar)
    took = milliseconds(lambda turn: market.observe(plan, NOW + turn * STEP, calendar=calendar))
    print(f"{name:<34} {len(known.codes):>6} contracts {took:>8.2f} ms")


if __name__ == "__main__":
    table = sessions.build(date(2026, 1, 2), date(2026, 12, 31))
    measured("two underlyings", sliced("SPY", "QQQ"), table)
    measured("an index with its two roots", sliced("SPX"), table)
    measured("held on fifty underlyings", held(1_000), table)
    fresh = milliseconds(lambda _: SimulatedMarket(7, FIRST).observe(sliced("SPY"), NOW, calendar=table), 10)
    print(f"{'the first answer of a process':<34} {'':>16} {fresh:>8.2f} ms")
    years = timedelta(days=3 * 365)
    old = milliseconds(lambda _: SimulatedMarket(7, FIRST - years).observe(sliced("SPY"), NOW, calendar=table), 3)
    print(f"{'the same, begun three years ago':<34} {'':>16} {old:>8.2f} ms")
