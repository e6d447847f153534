"""Milliseconds of one cycle over many open positions, computed only and with its record on disk, beside references.

Run `python benchmarks/bench_cycle.py [profile]` from the root of the repository; `profile` adds where 10,000 go.
"""

import cProfile
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.by_hand import Reference, VolReference
from benchmarks.desks import SETTINGS, VOL, Desk, Unkept
from benchmarks.figures import Part, Table, at_most, tell
from benchmarks.rounds import ratio, turns
from oracle import implied, pricing
from oracle.loop import Sink
from oracle.pricing import Terms, Values
from rules import due, exits, wants
from state.calendar import SECOND
from state.disk import Disk
from state.journal import Journal, Limits, Run
from state.market import QUOTE
from state.money import MICROS_PER_USD

SIZES = (10, 1_000, 10_000, 100_000)
FEW = 100
ROUNDS = 7
ROUND_S = 0.05
PARTED = 9
RUN = Run(bytes(16), "bench", "bench")
WORDS = """\
Every position is of a contract of its own, on underlyings of a thousand contracts each; between two cycles every quote moves by a
cent. **Computed**: time to expiry, price and five greeks at known volatilities, or with the volatilities implied from the quotes
first; all positions marked and screened for exits. **By hand**: the same with the references of the pricing tables and masks
over bare columns, all in place and without a check. **Whole cycle**: the one of daemon and backtest (what is wanted, what changed,
valued, quantised, marked, screened, decided, checked, encoded), and then its record in the journal, written and synced by
`fdatasync` before the next begins. **Raw append**: a write of the same bytes with `fdatasync`, and nothing else."""


class Kept:
    """A journal on disk, each record made durable by itself."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal.create(Disk(), path, run=RUN, limits=Limits())
        self.bytes = 0

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Append a record."""
        self.bytes = len(payload)
        return self.journal.append(seen_at, kind, schema=schema, payload=payload)


class Raw:
    """The least a durable record costs on this disk: in space that was reserved and not written to before."""

    def __init__(self, file: Path, size: int) -> None:
        self.file, self.block, self.size = file, bytes(size), max(64 * 2**20, 4 * size)
        self.begin()

    def begin(self) -> None:
        """A fresh file."""
        self.file.unlink(missing_ok=True)
        self.descriptor, self.offset = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600), 0
        os.posix_fallocate(self.descriptor, 0, self.size)
        os.fsync(self.descriptor)

    def __call__(self) -> None:
        """Write and sync."""
        if self.offset + len(self.block) > self.size:
            os.close(self.descriptor)
            self.begin()
        self.offset += os.pwrite(self.descriptor, self.block, self.offset)
        os.fdatasync(self.descriptor)


def desk_of(count: int, sink: Sink) -> Desk:
    """A desk with its positions open."""
    desk = Desk(count, sink)
    desk.open()
    return desk


# -- what is compared -----------------------------------------------------------------------------------------------


def computed(desk: Desk, *, implying: bool) -> Callable[[], None]:
    """Price, greeks, marks and screen by the product."""
    feed, portfolio, terms = desk.feed, desk.portfolio, desk.feed.terms
    vol, into = np.full(len(terms), VOL), Values.empty(len(terms))
    bid, ask = (feed.quotes[:, QUOTE.index(side)] for side in ("bid", "ask"))

    def act() -> None:
        years = pricing.time_to_expiry(feed.expiry, desk.at)
        now = Terms(terms.spot, terms.strike, years, terms.rate, terms.dividend, terms.sign, terms.american)
        seen = implied.implied_vol(now, (bid + ask) / (2.0 * MICROS_PER_USD))[0] if implying else vol
        pricing.price_and_greeks(now, seen, into)
        portfolio.book.mark_all(portfolio.market)
        if exits.due(portfolio, SETTINGS):
            raise SystemExit("a position is due that should stay")

    return act


def by_hand(desk: Desk, *, implying: bool) -> Callable[[], None]:
    """The same over bare columns, in place."""
    terms, expiry, portfolio = desk.feed.terms, desk.feed.expiry, desk.portfolio
    count = len(terms)
    bid, ask, at = (np.ascontiguousarray(desk.feed.quotes[:, QUOTE.index(name)]) for name in ("bid", "ask", "at"))
    stop, target = (portfolio.book.column(name).copy() for name in ("stop", "target"))
    left, mid, vol, price = np.empty_like(expiry), np.empty_like(bid), np.full(count, VOL), np.empty(count)
    masks = [np.empty(count, np.bool_) for _ in range(3)]
    values, vols = Reference(terms, vol), VolReference(terms, price)
    oldest = desk.at - SETTINGS.gates.quote_age_s_max * SECOND

    def act() -> None:
        np.subtract(expiry, desk.at, out=left)
        np.maximum(left, pricing.EXPIRY_FLOOR_NS, out=left)
        np.divide(left, pricing.YEAR_NS, out=terms.years)
        np.add(bid, ask, out=mid)
        if implying:
            np.divide(mid, 2.0 * MICROS_PER_USD, out=price)
            vols()
            values.vol = vols.vol
        values()
        np.floor_divide(mid, 2, out=mid)
        fresh, low, high = masks
        np.greater_equal(at, oldest, out=fresh)
        np.less_equal(mid, stop, out=low)
        np.greater_equal(mid, target, out=high)
        np.logical_or(low, high, out=low)
        np.logical_and(low, fresh, out=low)
        if low.any():
            raise SystemExit("a position is due that should stay")

    return act


class Found:
    """What everything took at one number of positions: seconds of a call in each round, by name."""

    def __init__(self, count: int, directory: Path) -> None:
        self.count = count
        sink = Kept(directory / f"journal-{count}")
        durable, memory, still = desk_of(count, sink), desk_of(count, Unkept()), desk_of(count, Unkept())
        few = desk_of(count, Unkept())
        few.feed.moved = FEW

        def whole() -> None:
            durable.cycle()
            sink.journal.commit()

        with np.errstate(all="ignore"):
            acts = {
                "by hand": by_hand(still, implying=False),
                "computed": computed(still, implying=False),
                "by hand, implied": by_hand(still, implying=True),
                "computed, implied": computed(still, implying=True),
                "cycle in memory": memory.cycle,
                f"cycle in memory, {FEW} quotes moved": few.cycle,
                "cycle on disk": whole,
                "raw append": Raw(directory / f"raw-{count}", sink.bytes),
            }
            taken = turns(list(acts.values()), rounds=ROUNDS, round_s=ROUND_S)
        self.taken = dict(zip(acts, taken, strict=True))
        self.bytes = sink.bytes
        self.parts = parted(durable, sink)
        sink.journal.close()

    def ms(self, name: str) -> str:
        """Milliseconds: median of the rounds."""
        return f"{median(self.taken[name]) * 1e3:,.4g}"

    def times(self, name: str, reference: str) -> float:
        """How many times the reference."""
        return ratio(self.taken[name], self.taken[reference])

    def row(self, names: Sequence[str], reference: str) -> tuple[str, ...]:
        """Milliseconds of some acts, and times the reference of the last."""
        times = f"{self.times(names[-1], reference):,.2f}"
        return (f"{self.count:,}", *(self.ms(name) for name in names), times)


def parted(desk: Desk, sink: Kept) -> dict[str, float]:
    """Milliseconds of the steps of a cycle on disk, median of some cycles; the same steps as `Steps.cycle` takes."""
    portfolio, steps = desk.portfolio, []
    for _ in range(PARTED):
        desk.at += SECOND
        stamps = [time.perf_counter()]
        plan = wants.plan(portfolio, SETTINGS.wants, SETTINGS.profiles.entry_dte(), now=desk.at)
        stamps.append(time.perf_counter())
        told = desk.steps._observer.observe(portfolio, plan, desk.at)  # noqa: SLF001  The steps of a cycle one by one.
        stamps.append(time.perf_counter())
        desk.steps.take(told, at=desk.at)
        stamps.append(time.perf_counter())
        sink.journal.commit()
        stamps.append(time.perf_counter())
        due.next_at(portfolio, SETTINGS)
        stamps.append(time.perf_counter())
        steps.append(np.diff(stamps) * 1e3)
    names = ("plan", "observe, value, quantise", "mark, decide, encode", "frame, write, sync", "next due")
    return dict(zip(names, (median(column) for column in zip(*steps, strict=True)), strict=True))


# -- the tables -----------------------------------------------------------------------------------------------------


def measure() -> Part:
    """All sizes."""
    with tempfile.TemporaryDirectory() as directory:
        every = [Found(count, Path(directory)) for count in SIZES]
    plain, vols = ("by hand", "computed"), ("by hand, implied", "computed, implied")
    memory, disk, raw = "cycle in memory", "cycle on disk", "raw append"
    few = f"{memory}, {FEW} quotes moved"
    whole = tuple(
        (
            *(f"{one.count:,}", one.ms(memory), one.ms(disk), one.ms(raw), f"{one.bytes:,}", one.ms(few)),
            *(f"{one.times(act, base):,.2f}" for act in (memory, disk) for base in (plain[0], vols[0])),
        )
        for one in every
    )
    tens = next(one for one in every if one.count == 10_000)
    return Part(
        "One cycle",
        WORDS,
        (
            Table(
                "Computed, at known volatilities",
                ("positions", "by hand, ms", "computed, ms", "x by hand"),
                tuple(one.row(plain, plain[0]) for one in every),
            ),
            Table(
                "Computed, with volatilities implied from the quotes",
                ("positions", "by hand, ms", "computed, ms", "x by hand"),
                tuple(one.row(vols, vols[0]) for one in every),
            ),
            Table(
                "Whole cycle; times by hand at known (k) and at implied (i) volatilities",
                (
                    *("positions", "in memory, ms", "on disk, ms", "raw append, ms", "record bytes"),
                    *(f"in memory, {FEW} quotes moved, ms", "in memory, x k", "x i", "on disk, x k", "x i"),
                ),
                whole,
            ),
            Table(
                "Where a cycle on disk spends its ms",
                ("positions", *tens.parts),
                tuple((f"{one.count:,}", *(f"{value:,.4g}" for value in one.parts.values())) for one in every),
            ),
        ),
        (
            at_most("computed, 10,000 positions, times by hand", 2, tens.times(plain[1], plain[0]), " x"),
            at_most("whole cycle on disk, 10,000 positions, times by hand", 4, tens.times(disk, plain[0]), " x"),
            at_most("the same, times by hand with implied volatilities", 4, tens.times(disk, vols[0]), " x"),
        ),
    )


def profiled(count: int) -> None:
    """Print where the whole cycle spends its time."""
    desk, profile = desk_of(count, Unkept()), cProfile.Profile()
    for _ in range(30):
        profile.runcall(desk.cycle)
    print(f"\na cycle of {count:,} positions in memory, 30 times")
    pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    tell(measure)
    if "profile" in sys.argv[1:]:
        profiled(10_000)
