"""Every recorded option day that has an underlying, traded under every profile and fill model: docs/real-days.md.

Run `python benchmarks/real_days.py DATA > docs/real-days.md` from the root of the repository, or set ORACLE_TEST_DATA: the
directory of the recorded market files. More arguments choose sets by name. Progress goes to standard error.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle import stored
from oracle.narrate import usd
from tests.days import MODELS, PROFILES
from tests.reckoned import Reckoned, Reckoner
from tests.recorded import Recorded
from tests.recorded_sets import SETS

SHIPPED = "spread_fraction"
"""The fill model that is shipped: with it every set is run once more without any room or patience."""

COLUMNS = (
    *("limits", "profile", "fills at", "alerts", "trades", "won", "gross", "commission", "net", "open", "equity"),
    *("max drawdown", "not traded", "alerted", "ledger", "verified", "cycles", "CPU s"),
)

HEAD = """\
# Real days

What the program makes of recorded option days that nobody here wrote: backtests over every set that has an underlying, for both
profiles and all fill models. Nothing was tuned for profit, and nothing promises one: the alerts are breakouts by a rule of
one sentence, and the days are few. It is here to show that the program survives real chains, says why it did not trade, and
counts its money right.

This page is written by one command, from files that are not part of this repository:

```console
$ python benchmarks/real_days.py DATA > docs/real-days.md
```

**Alerts.** A close beyond every close of the rows before it (15 minutes and then none for 12 minutes; 2 hours; 2 days) is told a
second after it was known; by the day, twenty minutes after the session, to wait for the next open. In turn the alerts leave
the contract to the profile, name the nearest contract, and name it with levels that are never reached, so that it is held to its
expiration (`tests/breakouts.py`).

**Limits.** `room`: two contracts an entry, up to 8 positions and 30,000 dollars; by the hour and the day also what rows so far
apart ask for: an order waits for the next row, and by the day everything is judged on the row before, up to four days old.
`shipped`: the configuration as it comes, which is made for markets that are looked at every second.

**Fills.** An order never fills on the row that decided it, and never on one it could not have waited for. `mid` pays no spread;
`spread_fraction` the quoted side; `adverse_pct` 2 % of the mid, `harsh` 6 %, and at least the quoted side.

**Ledger.** After every record of every run a second ledger, written apart from the first in decimal dollars
(`tests/naive.py`), is told the same fills and settlements: `equal` says that cash, cost, commission, gross, net, percent, R and
equity agreed to the micro-dollar each time. **Verified** says that every input was decided again from the journal alone, with the
same facts.

`open` counts what is still held at the end, `equity` values it at its last mark; `not traded` counts
the signals that were refused, failed, only decided, or waited for an open beyond the tape, by their code ([reasons.md](reasons.md));
`alerted` what an operator was told.
"""

SPLITS = """
## What a split does

AAPL was split seven for one between 2014-06-06 and 09. The program knows no corporate actions: the old contracts are never quoted
again, and settled against the new price a put of 640 would come to 548 dollars a share, a profit that nobody made. A tape on which
an underlying jumps like a split is therefore refused, and each side of it is a run of its own ([tape-format.md](tape-format.md),
[decision 13](decisions/013-a-tape-ends-at-a-split.md)).

## What was left out

- AAPL chains of one price of 2014-06-06 and 09: the first file is all zeros, the second lists contracts of both sides of the split.
- AAPL daily quotes of 2014-06-09: one row a contract, on which nothing can be decided and then filled.
"""


def counted(codes: dict[str, int]) -> str:
    """Codes with their counts."""
    return ", ".join(f"{code} {count}" for code, count in codes.items() if count) or "-"


def row(labels: tuple[str, str, str], run: Reckoned, *, verified: bool, seconds: float) -> list[str]:
    """One line of a table."""
    told = run.figures
    closed = told["trades_closed"]
    alerts, signals = sum(told["alerts"].values()), told["signals"]
    ended = sum(signals.get(name, 0) for name in ("approved", "decision_only", "rejected"))
    waiting = {"decision_only": signals.get("decision_only", 0), "still waiting": alerts - ended}
    return [
        *labels,
        str(alerts),
        str(closed),
        str(told["trades_won"]) if closed else "-",
        usd(told["realized_gross"]),
        usd(told["commission"]),
        usd(told["realized_net"]),
        str(told["positions_open"]),
        usd(told["equity"]),
        usd(run.drawdown),
        counted(told["refusals"] | waiting),
        counted(told["look_at"]),
        "**not equal**" if run.differences else "equal",
        "yes" if verified else "**no**",
        str(len(run.equity)),
        f"{seconds:.1f}",
    ]


def rows(one: Recorded, data: Path) -> Iterator[list[str]]:
    """All runs of a set."""
    with tempfile.TemporaryDirectory() as directory:
        reckoner = Reckoner(one, data, Path(directory))
        pairs = [(profile, model, one.kind) for profile in PROFILES for model in MODELS]
        for profile, model, kind in (*pairs, *((profile, SHIPPED, None) for profile in PROFILES)):
            begun = time.process_time()
            run = reckoner.run(model, profile, kind=kind)
            judged = stored.verify_directory(run.out, any_version=True)
            verified = judged["judged"] == run.figures["records"] and judged["chain"] == run.figures["chain"]
            seconds = time.process_time() - begun
            print(one.name, profile, model, kind, f"{seconds:.1f} s", *run.differences[:3], file=sys.stderr, flush=True)
            limits = "shipped" if kind is None else "room"
            yield row((limits, profile, model), run, verified=verified, seconds=seconds)


def lines_of(cells: list[str]) -> str:
    """One row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run everything and print the page."""
    given, *chosen = sys.argv[1:] or [os.environ.get("ORACLE_TEST_DATA", "")]
    if not given:
        sys.exit("name the directory of the recorded market files, or set ORACLE_TEST_DATA")
    print(HEAD)
    runs = unequal = 0
    for one in SETS:
        if chosen and one.name not in chosen:
            continue
        print(f"## {one.title}\n\n{one.note}\n")
        print(lines_of(list(COLUMNS)))
        print(lines_of(["---"] * len(COLUMNS)))
        for cells in rows(one, Path(given)):
            print(lines_of(cells), flush=True)
            runs += 1
            unequal += "equal" not in cells
        print()
    print(f"{runs} runs, {unequal} of them with a ledger that disagrees.")
    print(
        f"Seconds are CPU seconds of one core, reading the tape, judging and verifying included ({platform.machine()})."
    )
    print(SPLITS, end="")


if __name__ == "__main__":
    main()
