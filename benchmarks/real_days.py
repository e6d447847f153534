"""What every fill model and profile comes to on two recorded days, as one table: results, and cycles per second of CPU.

Run `python benchmarks/real_days.py DATA` from the root of the repository, or set ORACLE_TEST_DATA: the directory of the
recorded market files. Days, alerts and configuration are those of `tests/days.py`; a cycle includes observing, pricing,
deciding, the journal and the query tables, and the time to read the tape is counted too.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle.narrate import usd
from state.disk import Disk
from state.inputs import TickReached
from state.portfolio import Portfolio
from state.recovery import History, fold
from tests.days import MODELS, PROFILES, Bench, Run

COLUMNS = (
    *("model", "profile", "signals", "refused", "trades", "won", "gross", "commission", "net", "open", "equity"),
    *("drawdown", "records", "cycles", "cycles/CPU s"),
)


def equity_at_ticks(run: Run) -> list[int]:
    """Cash plus marks of the paper ledger after every cycle, in micro-dollars."""
    portfolio = Portfolio()
    told = ((fold(portfolio, body).input, portfolio) for body in History(Disk(), run.out / "journal").bodies())
    return [after.equity("paper") for one, after in told if isinstance(one, TickReached)]


def drawdown(equity: list[int]) -> int:
    """The deepest fall of a series below its own highest value so far."""
    peak, deepest = equity[0], 0
    for one in equity:
        peak = max(peak, one)
        deepest = max(deepest, peak - one)
    return deepest


def row(run: Run, seconds: float) -> list[str]:
    """One line of the table."""
    told, equity = run.figures, equity_at_ticks(run)
    closed = told["trades_closed"]
    refused = ", ".join(f"{code} {count}" for code, count in told["refusals"].items())
    return [
        run.model,
        run.profile,
        str(told["alerts"]["accepted"]),
        refused,
        str(closed),
        f"{told['trades_won'] / closed:.0%}" if closed else "-",
        usd(told["realized_gross"]),
        usd(told["commission"]),
        usd(told["realized_net"]),
        str(told["positions_open"]),
        usd(told["equity"]),
        usd(drawdown(equity)),
        str(told["records"]),
        str(len(equity)),
        f"{len(equity) / seconds:,.0f}",
    ]


def main() -> None:
    """Run all pairs and print the table."""
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ORACLE_TEST_DATA")
    if given is None:
        sys.exit("name the directory of the recorded market files, or set ORACLE_TEST_DATA")
    table = Table(title="GOOG 2015-12-23 and 24, recorded minutes")
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(given), Path(directory))
        for profile in PROFILES:
            for model in MODELS:
                begun = time.process_time()
                run = bench.run(model, profile)
                table.add_row(*row(run, time.process_time() - begun))
    Console(width=220).print(table)


if __name__ == "__main__":
    main()
