"""Trades the bundled demo in a process of its own and prints what came of it; started by the law of determinism.

Usage: `python -m tests.laws.replay ALERTS OUT`. The first line is the digest of the chain, each other one is one record's
facts as they are exported.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from oracle import backtest, stored

DEMO = Path(__file__).resolve().parents[2] / "fixtures" / "demo"


def replayed(alerts: Path, out: Path) -> Iterator[str]:
    """The digest of the chain and the exported facts of one run."""
    yield asyncio.run(backtest.run(backtest.Job(DEMO / "tape", alerts, out)))["chain"]
    yield from stored.export_lines(out, facts_only=True)


if __name__ == "__main__":
    for line in replayed(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.stdout.buffer.write(f"{line}\n".encode())
