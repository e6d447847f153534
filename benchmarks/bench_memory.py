"""Bytes of memory that an open position takes, and a closed one until it leaves memory, with all that belongs to it.

Run `python benchmarks/bench_memory.py` from the root of the repository.
"""

import gc
import sys
import tracemalloc
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.desks import Desk, Unkept
from benchmarks.figures import Part, Table, tell
from rules.gates import GateLimits
from rules.housekeeping import HORIZON_S
from rules.settings import IntakeSettings, Settings
from state.calendar import SECOND
from state.inputs import AlertReceived, OperatorAsked

SIZES = (1_000, 10_000)
AT_ONCE = 20
NO_LIMIT = 10**18
ROOMY = Settings(
    intake=IntakeSettings(duplicate_window_s=0),
    gates=GateLimits(
        signal_age_s_max=10**6,
        open_positions_max=10**6,
        positions_per_symbol_max=10**6,
        exposure_usd_max=NO_LIMIT,
        exposure_pct_max=10**6,
        daily_loss_usd_max=NO_LIMIT,
    ),
)
"""Nothing refuses a position because of those before it."""

WORDS = f"""\
Every position begins with an alert that names its contract, is judged, ordered, filled and later closed, all by the product's own
loop; what is counted is everything it keeps of that: alert, signal with its verdicts, orders, fills, position, outcome, its row in
the book, its contract and quote in the view of the market. Finished ones stay for {HORIZON_S // 3_600} hours: **later** is three days after. Bytes are those
that `tracemalloc` counts."""


class Day:
    """A desk without positions yet, on which alerts arrive."""

    def __init__(self, count: int) -> None:
        self.desk = Desk(count, Unkept(), settings=ROOMY)
        self.begun = traced()
        self.desk.cycle()

    def alert(self, occ: str) -> None:
        """One alert that names a contract, with levels that are never reached."""
        at = self.desk.at
        body = {
            "symbol": occ,
            "action": "buy",
            "timeframe": "5m",
            "timestamp": at // SECOND,
            "stop": 0.01,
            "target": 9_999,
        }
        self.desk.loop.take(AlertReceived(msgspec.json.encode(body).decode(), "bench"), at=at)

    def opened(self) -> float:
        """Bytes per position once all are open."""
        desk = self.desk
        for start in range(0, len(desk.feed.symbols), AT_ONCE):
            for occ in desk.feed.symbols[start : start + AT_ONCE]:
                self.alert(occ)
            desk.cycle()
            desk.cycle()
        return self.per_position(held=len(desk.feed.symbols))

    def closed(self) -> float:
        """Bytes per position once all are closed, on the same day."""
        desk, names = self.desk, list(self.desk.portfolio.book.row_of)
        for start in range(0, len(names), AT_ONCE):
            for name in names[start : start + AT_ONCE]:
                desk.loop.take(OperatorAsked(name, "bench"), at=desk.at)
            desk.cycle()
            desk.cycle()
        return self.per_position(held=0)

    def left(self) -> float:
        """Bytes per position three days later, when they have left memory."""
        for _ in range(2):
            self.desk.at += HORIZON_S * SECOND
            self.desk.cycle()
        return self.per_position(held=0)

    def per_position(self, *, held: int) -> float:
        """What is kept now beyond what was at the beginning, for each position there ever was."""
        if len(self.desk.portfolio.book) != held:
            raise SystemExit(f"{len(self.desk.portfolio.book)} positions are open, not {held}")
        return (traced() - self.begun) / len(self.desk.feed.symbols)


def traced() -> int:
    """Bytes in use."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def measure() -> Part:
    """Both numbers of positions."""
    tracemalloc.start()
    rows = []
    for count in SIZES:
        day = Day(count)
        figures = (f"{one:,.0f}" for one in (day.opened(), day.closed(), day.left()))
        rows.append((f"{count:,}", *figures))
    head = ("positions", "open, bytes each", "closed, bytes each", "later, bytes each")
    return Part("Memory", WORDS, (Table("By the number of positions", head, tuple(rows)),))


if __name__ == "__main__":
    tell(measure)
