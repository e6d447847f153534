"""How long the programs take to begin: `oracle status` and the modules of the daemon, beside a bare interpreter.

Run `python benchmarks/bench_start.py` from the root of the repository.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import Part, Table, tell
from oracle import backtest

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15
SCRIPT = Path(sys.executable).with_name("oracle")
WORDS = """\
From the start of a process to its end. `oracle status` asks a directory whose process is down, and so reads its files; the daemon
is imported only. Beside both, a bare interpreter and the two libraries that the daemon cannot do without."""


def programs(directory: str) -> dict[str, list[str]]:
    """What is begun, by name; the first is the reference."""
    python = [sys.executable, "-c"]
    return {
        "python -c pass": [*python, "pass"],
        "oracle --version": [str(SCRIPT), "--version"],
        "oracle status, process down": [str(SCRIPT), "status", "--data", directory],
        "import numpy and aiohttp": [*python, "import numpy, aiohttp"],
        "import oracle.daemon": [*python, "import oracle.daemon"],
    }


def took_ms(command: list[str]) -> float:
    """Milliseconds from the start of a program to its end."""
    begun = time.perf_counter()
    subprocess.run(command, check=False, capture_output=True, cwd=ROOT)
    return (time.perf_counter() - begun) * 1e3


def measure() -> Part:
    """All programs; they take turns."""
    with tempfile.TemporaryDirectory() as directory:
        demo, out = ROOT / "fixtures" / "demo", Path(directory) / "run"
        asyncio.run(backtest.run(backtest.Job(demo / "tape", demo / "alerts.jsonl", out)))
        commands = programs(str(out))
        rounds = [[took_ms(command) for command in commands.values()] for _ in range(ROUNDS)]
    times = [median(column) for column in zip(*rounds, strict=True)]
    head = ("program", "ms", "x the bare interpreter")
    rows = tuple((name, f"{took:,.0f}", f"{took / times[0]:,.1f}") for name, took in zip(commands, times, strict=True))
    return Part("Start", WORDS, (Table(f"Median of {ROUNDS} rounds", head, rows),))


if __name__ == "__main__":
    tell(measure)
