"""A composition root: the process a trader runs. It recovers, chooses clock and market, listens, and ends in order.

Deliberately absent: every decision, and how anything is asked or answered.
"""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import msgspec

from oracle import beginning, config, heap, keys, repair, sessions
from oracle.beginning import Job, Setting
from oracle.books import Books
from oracle.config import Config
from oracle.directory import DataDirectory
from oracle.heart import Heart, World
from oracle.ids import run_id
from oracle.inbox import Inbox, Taken
from oracle.keys import Keys
from oracle.listener import address
from oracle.listener.listening import Listener
from oracle.local import Local
from oracle.log import Log
from oracle.loop import Loop
from oracle.market.tape import Tape
from oracle.status import Status
from oracle.systemd import Supervisor
from oracle.version import code_version
from state.disk import Disk
from state.errors import BadUsage, JournalDamaged, LawBroken, OracleFailure
from state.frames import Mark, Run
from state.inputs import CalendarAdopted, MarketKind
from state.journal import Journal
from state.portfolio import Portfolio
from state.recovery import History, Recovered, recover
from state.segments import is_initialised
from state.snapshots import Store
from state.writer import Writer

_CALENDAR_LOOK_S = 3_600.0


class Outside(msgspec.Struct, frozen=True):
    """What a run is given by its surroundings, and tells them: the disk, records once durable, the bound address."""

    disk: Disk = Disk()
    heard: Callable[[Taken], None] = lambda _: None
    ready: Callable[[str, int], None] = lambda _host, _port: None
    stopped: asyncio.Event | None = None


async def run(job: Job, outside: Outside | None = None) -> None:
    """Run until SIGTERM or SIGINT, then drain, snapshot, mark and return. Raises OracleFailure with its exit code."""
    outside = outside or Outside()
    heap.keep()
    # What cannot be used is told before anything is touched.
    tape = beginning.recorded(job)
    directory = DataDirectory(job.data)
    directory.must_be_usable()
    configured = _configured(job, directory)
    door = _door(job, configured)
    log = Log(configured.log)
    async with AsyncExitStack() as held:
        held.callback(log.close)
        journal = _journal(directory, configured, door, disk=outside.disk)
        held.callback(journal.close)
        store = await Store.open(directory.database)
        held.push_async_callback(store.close)
        recovered = await recover(History(outside.disk, directory.journal, journal.hand_over()), store)
        _tell_recovery(log, journal, recovered)
        where = beginning.setting(job, recovered.portfolio, tape)
        _tell_setting(log, job, where, recovered)
        daemon = _Daemon(_Given(job, configured, door, log, outside), where)
        await daemon.live(journal, store, recovered.portfolio)
        log.event("stopped", record=recovered.portfolio.lsn)


def _configured(job: Job, directory: DataDirectory) -> Config:
    """The configuration named, else the one in the directory, else the defaults."""
    own = directory.root / "config.toml"
    return config.load(job.config or (own if own.is_file() else None))


class _Door(NamedTuple):
    """Where alerts come in, and what proves them."""

    secrets: Keys
    host: str
    port: int

    def check(self) -> None:
        """Raise BadUsage when it cannot be opened."""
        address.check(self.secrets, self.host, self.port)


def _door(job: Job, configured: Config) -> _Door:
    settings = configured.listener
    port = settings.port if job.port is None else job.port
    return _Door(keys.load(job.data, os.environ), job.host or settings.host, port)


def _journal(directory: DataDirectory, configured: Config, door: _Door, *, disk: Disk) -> Journal:
    """The journal of a directory, begun only when everything else could be; who holds it is told before the door's state."""
    run_of = Run(run_id(), code_version(), os.uname().nodename)
    if not is_initialised(disk, directory.journal):
        door.check()
        directory.prepare()
        _refuse_lost(directory)
        return Journal.create(disk, directory.journal, run=run_of, limits=configured.journal.limits)
    journal = Journal.open(disk, directory.journal, run=run_of, limits=configured.journal.limits)
    try:
        door.check()
    except BadUsage:
        journal.close()
        raise
    return journal


def _refuse_lost(directory: DataDirectory) -> None:
    """Raise JournalDamaged where a database remembers a journal that is not there: no new one may take its place."""
    lost = repair.tabled(directory)
    if lost:
        message = f"{directory.journal} holds no journal, but the database beside it knows {lost} records of one"
        raise JournalDamaged(
            f"{message}; nothing was changed: restore the journal from a copy, or move {directory.database.name} away"
            " to begin anew"
        )


def _tell_setting(log: Log, job: Job, where: Setting, recovered: Recovered) -> None:
    """Say what of the market a reader of the log must know."""
    if where.market.kind is MarketKind.SIMULATED:
        log.market = str(MarketKind.SIMULATED)
        if job.start is not None and recovered.portfolio.chosen is not None:
            words = "--start is left aside: this directory goes on where its journal ends"
            log.event("continued", level="warning", words=words)


def _tell_recovery(log: Log, journal: Journal, recovered: Recovered) -> None:
    if journal.torn:
        log.event("torn tail moved aside", level="warning", bytes=journal.torn)
    for words in recovered.ignored:
        log.event("database", level="warning", words=words)
    if recovered.portfolio.lsn:
        log.event("recovered", record=recovered.portfolio.lsn, folded=recovered.folded, snapshot=recovered.snapshot_lsn)


class _Given(NamedTuple):
    """What a run is started with."""

    job: Job
    configured: Config
    door: _Door
    log: Log
    outside: Outside


class _Daemon:
    """One run of the daemon, from its recovered portfolio on."""

    def __init__(self, given: _Given, where: Setting) -> None:
        self._job, self._configured, self._door, self._log, self._outside = given
        self._where = where
        self._stopped = self._outside.stopped or asyncio.Event()

    async def live(self, journal: Journal, store: Store, portfolio: Portfolio) -> None:
        """Everything between recovery and the end of the process."""
        events = asyncio.get_running_loop()
        # Before anybody is told that it runs: who hears of it may end it.
        for number in (signal.SIGTERM, signal.SIGINT):
            events.add_signal_handler(number, self._stopped.set)
        heart: Heart | None = None

        def released(_: int) -> None:
            with contextlib.suppress(RuntimeError):  # The event loop may be closed by the time the writer ends.
                events.call_soon_threadsafe(lambda: heart.released() if heart is not None else None)

        writer = Writer(journal, released=released)
        loop = Loop(portfolio, writer, settings_of=config.decode)
        books = Books(store, portfolio)
        books.kept = lambda: writer.mark(Mark.SNAPSHOT)
        inbox = Inbox(self._configured.inbox)
        world = World(self._where.clock, self._where.feed, inbox, books, self._configured.pace)

        def told(taken: Taken) -> None:
            self._log.decided(taken)
            self._outside.heard(taken)

        heart = Heart(loop, writer, world, told)
        heart.longer = lambda known, at: beginning.calendar_wanted(known, self._where.feed, at)
        try:
            self._adopt(heart)
            # What a run begins with stays: a search for garbage that walks it would hold up an alert.
            gc.freeze()
            status = Status(self._job, self._where, heart, writer)
            status.mode = self._configured.account.mode
            async with _beside(books.run()), self._served(heart, status) as address:
                self._outside.ready(*address)
                await self._beat(heart)
            await self._put_away(books)
            if books.broken is not None:
                raise books.broken
        finally:
            writer.close()

    async def _put_away(self, books: Books) -> None:
        """Write the last rows and a snapshot; without them the next start takes longer, and nothing is lost."""
        try:
            await books.close()
        except LawBroken:
            raise
        except OracleFailure as failure:
            self._log.event("database", level="warning", words=str(failure))

    def _adopt(self, heart: Heart) -> None:
        portfolio = heart.portfolio
        # A clock that was set back over a restart must not lead to a calendar that ends before the journal does.
        now = max(self._where.clock.now(), portfolio.now)
        calendar = beginning.calendar_wanted(portfolio, self._where.feed, now)
        found = beginning.inputs(portfolio, self._configured, self._where.market, calendar=calendar)
        heart.begin(tuple(found), at=now)

    @contextlib.asynccontextmanager
    async def _served(self, heart: Heart, status: Status) -> AsyncIterator[tuple[str, int]]:
        """The local API and the listener, open while the block runs."""
        secrets, host, wanted = self._door
        async with Local(self._job.data, heart, status):
            listener = Listener(heart, secrets, self._configured.listener, health=status.health)
            port = await listener.start(host, wanted)
            heart.refusals = listener.refusals
            status.listens(host, port, has_secret=bool(secrets))
            supervisor = Supervisor(os.environ)
            try:
                blocked = status.words()
                market = str(self._where.market.kind)
                self._log.event("ready", url=status.url, market=market, **({"words": blocked} if blocked else {}))
                supervisor.say("READY=1", f"STATUS=listening on {status.url}")
                yield host, port
            finally:
                supervisor.say("STOPPING=1")
                await listener.close()

    async def _beat(self, heart: Heart) -> None:
        """Beat until somebody asks for the end, or something ends it."""
        async with _beside(self._calendar(heart)), _beside(_on(self._stopped, heart.stop)):
            await heart.run()

    async def _calendar(self, heart: Heart) -> None:
        """Adopt a longer calendar before the adopted one ends."""
        while True:
            await asyncio.sleep(_CALENDAR_LOOK_S)
            now = max(self._where.clock.now(), heart.portfolio.now)
            dates = None if isinstance(self._where.feed, Tape) else beginning.dates_wanted(heart.portfolio, now)
            if dates is not None:
                longer = await asyncio.to_thread(sessions.build, *dates)
                with contextlib.suppress(OracleFailure):  # No room now: an hour from now is as good.
                    await heart.adopt(CalendarAdopted(longer))


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Work that goes on while the block runs, and is cancelled with its end; what it dies of ends the block, and is raised."""
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as failures:
        # That of the block comes last, if it raised one.
        raise failures.exceptions[-1] from None


async def _on(event: asyncio.Event, act: Callable[[], Any]) -> None:
    await event.wait()
    act()
