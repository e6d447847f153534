"""A heart that really beats: journal, database and loop in a directory, with any clock and market, for as long as a block."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from oracle import config
from oracle.books import Books
from oracle.clock import Clock, StepClock
from oracle.heart import Heart, World
from oracle.ids import run_id
from oracle.inbox import Inbox, InboxSettings, Taken
from oracle.loop import Loop
from oracle.market.absent import NoMarket
from oracle.market.port import Feed
from state.disk import Disk
from state.frames import Run
from state.inputs import CalendarAdopted, MarketChosen, MarketKind
from state.journal import Journal, Limits
from state.portfolio import Portfolio
from state.snapshots import Store
from state.writer import Bounds, Writer
from tests.tapes import calendar_of, new_york

DAY = "2026-02-13"
CALENDAR = CalendarAdopted(calendar_of("2026-02-02", "2026-06-30"))
OPEN = new_york(DAY, "10:30:00")


class Beating(NamedTuple):
    """What a test of a beating heart looks at."""

    heart: Heart
    told: list[Taken]
    writer: Writer
    store: Store
    inbox: Inbox

    @property
    def portfolio(self) -> Portfolio:
        """The portfolio."""
        return self.heart.portfolio

    def facts(self, kind: type) -> list[Any]:
        """The facts of a kind that were told."""
        return [fact for one in self.told for fact in one.record.facts if isinstance(fact, kind)]


class Around(NamedTuple):
    """What a heart may be given instead of the usual."""

    disk: Disk = Disk()
    inbox: InboxSettings = InboxSettings()
    bounds: Bounds = Bounds()
    limits: Limits = Limits(segment_bytes=4 * 2**20, spare_retry_commits=1)
    settings: config.Config = config.Config()


@contextlib.asynccontextmanager
async def beating(
    path: Path, clock: Clock | None = None, feed: Feed | None = None, around: Around | None = None
) -> AsyncIterator[Beating]:
    """A new run in a directory; ends in order, unless the heart failed, which is raised."""
    clock, around = clock or StepClock(OPEN), around or Around()
    journal = Journal.create(around.disk, path / "journal", run=Run(run_id(), "test", "test"), limits=around.limits)
    store = await Store.open(path / "oracle.db")
    events, told = asyncio.get_running_loop(), []
    heart: Heart | None = None

    def released(_: int) -> None:
        with contextlib.suppress(RuntimeError):
            events.call_soon_threadsafe(lambda: heart and heart.released())

    writer = Writer(journal, released=released, bounds=around.bounds)
    loop = Loop(Portfolio(), writer, settings_of=config.decode)
    books, inbox = Books(store, loop.portfolio), Inbox(around.inbox)
    world = World(clock, feed or NoMarket(), inbox, books, around.settings.pace)
    heart = Heart(loop, writer, world, told.append)
    kind = MarketChosen(MarketKind.NONE if feed is None else MarketKind.TAPE)
    heart.begin((config.adopted(around.settings), CALENDAR, kind), at=clock.now())
    run, write = asyncio.create_task(heart.run()), asyncio.create_task(books.run())
    try:
        yield Beating(heart, told, writer, store, inbox)
        heart.stop()
        await run
        write.cancel()
        await books.close()
    finally:
        for task in (run, write):
            task.cancel()
        await asyncio.gather(run, write, return_exceptions=True)
        with contextlib.suppress(Exception):
            writer.close()
        await store.close()
