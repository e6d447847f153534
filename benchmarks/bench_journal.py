"""Records per second that become durable, beside a bare append with fdatasync, and the time to come back from them.

Run `python benchmarks/bench_journal.py [directory]` from the root of the repository; the directory chooses the disk.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.figures import Part, Table, at_least, at_most, tell
from oracle import sessions
from oracle.loop import Loop
from rules.settings import Settings
from state import recovery
from state.disk import Disk
from state.frames import FRAME_HEAD_BYTES, encode_body, encode_content
from state.inputs import CalendarAdopted, ConfigAdopted, TickReached
from state.journal import Journal, Limits, Run
from state.market import ASK_PRESENT, FED, QUOTE, MarketColumns
from state.portfolio import Portfolio
from state.recovery import History
from state.writer import Bounds, Writer

GROUPS = (1, 10, 100)
PAYLOAD = bytes(range(256)) + bytes(144)
START = 1_770_994_800_000_000_000
ROUND_S = 0.1
ROUNDS = 25
RECOVERIES = 3
TICKS = 20_000
QUOTES = 10
RUN = Run(bytes(16), "bench", "bench")
LIMITS = Limits()
THROUGH = "through the writer's thread, against 100"
WORDS = f"""\
Records of {len(PAYLOAD)} bytes, made durable in groups; the raw append writes the same bytes and calls `fdatasync`, and nothing else:
no checksum, no chain, no frame. The writer's thread makes its own groups of what waits. The way back is what a start does:
the journal opened for writing (every byte verified), then folded into a portfolio without any snapshot."""


def seconds_of(act: Callable[[int], None], count: int) -> float:
    """How long an act takes for so many records."""
    start = time.perf_counter()
    act(count)
    return time.perf_counter() - start


class Rates:
    """Records per second of a bare append and of the journal, in many short rounds in which they take turns."""

    def __init__(self, bare: Callable[[int], None], ours: Callable[[int], None]) -> None:
        count = 20
        while (taken := seconds_of(bare, count)) < ROUND_S:
            count = int(count * min(10.0, max(1.5, ROUND_S / taken)))
        rounds = [[count / seconds_of(act, count) for act in (bare, ours)] for _ in range(ROUNDS)]
        self.bare, self.ours = (median(column) for column in zip(*rounds, strict=True))
        self.times = median(ours / bare for bare, ours in rounds)
        """The ratio within a round: a shared disk has moods."""


class Bare:
    """The least a durable append costs on this disk: one write and one fdatasync per group, nothing else."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.begin()
        content = encode_content(START, "TickReached", schema=1, payload=PAYLOAD)
        self.frame = bytes(FRAME_HEAD_BYTES) + encode_body(1, content)

    def begin(self) -> None:
        """A fresh file with its space reserved: what was written once before is written faster the next time."""
        self.descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.posix_fallocate(self.descriptor, 0, LIMITS.segment_bytes)
        os.fsync(self.descriptor)
        self.offset = 0

    def append(self, count: int, group: int) -> None:
        """Write so many records in groups."""
        for done in range(0, count, group):
            part = self.frame * min(group, count - done)
            if self.offset + len(part) > LIMITS.segment_bytes:
                self.close()
                self.begin()
            self.offset += os.pwrite(self.descriptor, part, self.offset)
            os.fdatasync(self.descriptor)

    def close(self) -> None:
        """Give the file up."""
        os.close(self.descriptor)
        self.file.unlink()


def journaled(journal: Journal, count: int, group: int) -> None:
    """Append so many records to a journal and commit them in groups."""
    for done in range(0, count, group):
        for _ in range(min(group, count - done)):
            journal.append(START, "TickReached", schema=1, payload=PAYLOAD)
        journal.commit()


def submitted(writer: Writer, count: int) -> None:
    """Hand so many records to the writer's thread, which makes its own groups, and wait for the last."""
    lsn = 0
    for _ in range(count):
        lsn = writer.submit(START, "TickReached", schema=1, payload=PAYLOAD)
    writer.wait_durable(lsn)


def writing(directory: Path) -> dict[str, Rates]:
    """Records per second for every group size, and through the writer."""
    bare = Bare(directory / "bare")
    journal = Journal.create(Disk(), directory / "journal", run=RUN, limits=LIMITS)
    found = {
        str(group): Rates(
            lambda count, group=group: bare.append(count, group),
            lambda count, group=group: journaled(journal, count, group),
        )
        for group in GROUPS
    }
    writer = Writer(journal, bounds=Bounds(idle_s=None))
    found[THROUGH] = Rates(lambda count: bare.append(count, GROUPS[-1]), lambda count: submitted(writer, count))
    bare.close()
    writer.close()
    return found


class Sink:
    """A journal that commits now and then."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Append a record, and commit every thousandth."""
        lsn = self.journal.append(seen_at, kind, schema=schema, payload=payload)
        if lsn % 1_000 == 0:
            self.journal.commit()
        return lsn


def tick(at: int, number: int) -> TickReached:
    """One cycle that saw ten quotes move; the first one lists their contracts."""
    listed = tuple(f"SPY260220C{590 + row:05d}000" for row in range(QUOTES)) if number == 0 else ()
    mid = 3_020_000 + 10_000 * (number % 7)
    quotes = np.zeros((QUOTES, len(QUOTE)), "<i8")
    quotes[:, :FED] = at, mid - 20_000, mid + 20_000, 0, 0, ASK_PRESENT
    rows = np.arange(QUOTES, dtype="<i4").tobytes()
    return TickReached(MarketColumns("bench", listed=listed, rows=rows, quotes=quotes.tobytes()))


def ticked(path: Path, count: int) -> None:
    """A closed journal of so many cycles."""
    journal = Journal.create(Disk(), path, run=RUN, limits=LIMITS)
    loop = Loop(Portfolio(), Sink(journal), settings_of=lambda _: Settings())
    loop.take(ConfigAdopted(b"{}", "bench", 50_000_000_000), at=START)
    loop.take(CalendarAdopted(sessions.build(date(2026, 2, 1), date(2026, 4, 1))), at=START)
    for number in range(count):
        loop.take(tick(START + number * 1_000_000_000, number), at=START + number * 1_000_000_000)
    journal.close()


def come_back(path: Path, count: int) -> tuple[float, float]:
    """Seconds until a journal of so many cycles is open for writing, and then until its portfolio is there."""
    opened = folded = float("inf")
    for _ in range(RECOVERIES):
        start = time.perf_counter()
        journal = Journal.open(Disk(), path, run=RUN, limits=LIMITS)
        opened = min(opened, time.perf_counter() - start)
        start = time.perf_counter()
        recovered = asyncio.run(recovery.recover(History(Disk(), path, journal.hand_over())))
        folded = min(folded, time.perf_counter() - start)
        journal.close()
        if recovered.portfolio.lsn != count + 2:
            raise SystemExit("the journal did not give back what was put in")
    return opened, folded


def coming_back(directory: Path) -> list[tuple[float, float]]:
    """Seconds (opened, folded) of a journal without cycles, and of one with all of them."""
    times = []
    for count in (0, TICKS):
        ticked(directory / f"ticks-{count}", count)
        times.append(come_back(directory / f"ticks-{count}", count))
    return times


def measure() -> Part:
    """Writing and coming back."""
    chosen = next((one for one in sys.argv[1:] if not one.startswith("-")), None)
    with tempfile.TemporaryDirectory(dir=chosen) as directory:
        written, (empty, full) = writing(Path(directory)), coming_back(Path(directory))
    rows = tuple((name, f"{one.bare:,.0f}", f"{one.ours:,.0f}", f"{one.times:.2f}") for name, one in written.items())
    million = [(after - before) * 1_000_000 / TICKS for before, after in zip(empty, full, strict=True)]
    names = ("opened: verified, mended", "portfolio: folded")
    starts = tuple((name, f"{empty[n]:.3f}", f"{million[n]:.1f}") for n, name in enumerate(names))
    return Part(
        "Journal",
        WORDS,
        (
            Table(
                f"Records made durable, per second, median of {ROUNDS} rounds",
                ("records in a group", "raw append", "journal", "x raw"),
                rows,
            ),
            Table(
                f"Start of a process, in seconds, best of {RECOVERIES}, by {TICKS:,} cycles of {QUOTES} quotes",
                ("", "empty journal", "per million records"),
                (*starts, ("both", f"{sum(empty):.3f}", f"{sum(million):.1f}")),
            ),
        ),
        (
            *(at_least(f"group {group}, times raw append", 0.6, written[str(group)].times, " x") for group in GROUPS),
            at_most("a million records, opened and folded", 6, sum(million), " s"),
        ),
    )


if __name__ == "__main__":
    tell(measure)
