"""The task that every peer is given: walk minute bars, buy ten at one bar in three sessions, and sell them an hour later.

The scripts beside this file run in an environment of the peers, know nothing of the product, and print JSON.
"""

import csv
import json
import sys
import time
from collections.abc import Callable

EVERY, HELD, SIZE, CASH = 3 * 390, 60, 10, 1_000_000
ROUNDS = 3


def bars() -> list[tuple[int, float]]:
    """(instant, ns UTC; price in dollars) of every bar, from the file that is named first."""
    with open(sys.argv[1], newline="", encoding="utf-8") as file:  # noqa: PTH123  As plain as a script of a peer may be.
        return [(int(at), float(price)) for at, price in csv.reader(file)]


def best_s(run: Callable[[], Callable[[], object]]) -> float:
    """Seconds of the fastest of some runs; what `run` does to prepare one is not counted."""
    best = float("inf")
    for _ in range(ROUNDS):
        act = run()
        begun = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - begun)
    return best


def tell(version: str, trades: int, **figures: float) -> None:
    """Print what was measured."""
    print(json.dumps({"version": version, "trades": trades, **figures}))
