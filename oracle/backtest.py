"""A composition root: a recorded market, a file of alerts and the paper broker, run through the loop and the journal."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import msgspec

from oracle import alert_file, config, heap
from oracle.beginning import calendar_for_tape
from oracle.directory import DataDirectory
from oracle.ids import run_id
from oracle.loop import Loop
from oracle.market.tape import Tape
from oracle.summary import Summary
from oracle.version import code_version
from oracle.walk import Walk
from state.calendar import SECOND
from state.disk import Disk
from state.frames import Run
from state.inputs import AnyInput, CalendarAdopted, MarketChosen, MarketKind
from state.journal import Journal
from state.portfolio import Portfolio
from state.projecting import Projector
from state.record import Record
from state.snapshots import Store
from state.tables import Projected

HOUR = 3_600 * SECOND
LONGEST = 512
"""So many cycles that decide nothing travel in one record at most."""

_RECORDS_PER_BATCH, _BYTES_PER_BATCH = 1_000, 4 * 2**20


class Job(msgspec.Struct, frozen=True):
    """What to run: a tape directory, a file of alerts, a new data directory, and a configuration file or defaults."""

    tape: Path
    alerts: Path
    out: Path
    config: Path | None = None


Heard = Callable[[Record, int], None]
"""Called with each record once it is durable, and the instant it was seen."""

Progress = Callable[[int, int], None]
"""Called now and then with how far the run is, and how far it goes, as instants."""


async def run(job: Job, *, heard: Heard | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Run a backtest to the end of its tape and return its figures; its data directory then answers every question.

    Raises BadUsage for input files that cannot be used, before anything is written.
    """
    heap.keep()
    adopted = config.load(job.config)
    tape, arrivals = Tape(job.tape), alert_file.read(job.alerts)
    start, end = _span(tape, arrivals)
    calendar = CalendarAdopted(calendar_for_tape(tape, start, end))
    directory = DataDirectory(job.out)
    directory.make()
    run_of = Run(run_id(), code_version(), "backtest")
    journal = Journal.create(Disk(), directory.journal, run=run_of, limits=adopted.journal.limits)
    async with AsyncExitStack() as held:
        held.enter_context(closing(journal))
        sink = _Sink(journal)
        loop = Loop(Portfolio(), sink, settings_of=config.decode)
        books = _Books(loop, journal, heard)
        walk = Walk(loop, tape, books.hear, longest=LONGEST)
        store = await Store.open(directory.database)
        held.push_async_callback(store.close)
        for at in _steps(
            walk, arrivals, (config.adopted(adopted), calendar, MarketChosen(MarketKind.TAPE)), span=(start, end)
        ):
            if books.waiting >= _RECORDS_PER_BATCH or sink.taken >= _BYTES_PER_BATCH:
                await books.flush(store)
                sink.taken = 0
            if progress is not None:
                progress(at - start, end - start)
        await books.flush(store)
        await store.save_snapshot(loop.portfolio, journal.durable_chain)
    return books.summary.figures(loop.portfolio, chain=journal.durable_chain.hex())


def _steps(
    walk: Walk,
    arrivals: list[tuple[int, tuple[AnyInput, ...]]],
    first: tuple[AnyInput, ...],
    *,
    span: tuple[int, int],
) -> Iterator[int]:
    """The whole run; yields how far it came after each cycle, or each row of cycles that decided nothing."""
    start, end = span
    walk.begin(first, at=start)
    for at, inputs in arrivals:
        yield from walk.arrive(inputs, at=at)
    # What expires with the last quote is settled within the hour.
    yield from walk.until(end + HOUR)


def _span(tape: Tape, arrivals: list[tuple[int, tuple[AnyInput, ...]]]) -> tuple[int, int]:
    instants = [*(at for at, _ in arrivals), tape.first, tape.last]
    return min(instants) - 1, max(instants)


class _Sink:
    """Numbers records for the next commit. Nobody waits for a single record of a backtest, so that no thread does."""

    taken = 0
    """Bytes of payload since this was last set to zero."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Append a record."""
        self.taken += len(payload)
        return self._journal.append(seen_at, kind, schema=schema, payload=payload)


class _Books:
    """Keeps the query tables and the summary in step with what the journal holds."""

    def __init__(self, loop: Loop, journal: Journal, heard: Heard | None) -> None:
        self._loop = loop
        self._journal = journal
        self._heard: Heard = heard or (lambda record, seen_at: None)  # noqa: ARG005  Nobody listens.
        self._projector = Projector()
        self._rows: list[Projected] = []
        self._untold: list[tuple[Record, int]] = []
        self.summary = Summary()

    @property
    def waiting(self) -> int:
        """Records not yet in the query tables."""
        return len(self._rows)

    def hear(self, record: Record, seen_at: int) -> None:
        """Note one record. It is told to nobody yet: it may not be durable."""
        self.summary.hear(record)
        self._rows.append(self._projector.project(self._loop.portfolio, record, seen_at))
        self._untold.append((record, seen_at))

    async def flush(self, store: Store) -> None:
        """Make what is waiting durable, tell it, and write it to the query tables."""
        if not self._rows:
            return
        self._journal.commit()
        untold, self._untold = self._untold, []
        for record, seen_at in untold:
            self._heard(record, seen_at)
        await store.write(self._rows, chain=self._journal.durable_chain)
        self._rows = []
