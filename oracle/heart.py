"""The daemon's beat: it takes what waits in the inbox, runs the cycles that are due, and lets out what is durable.

Everything happens on one event loop, and every decision inside the synchronous loop. Deliberately absent: sockets and
files, which stand around it, and any decision.
"""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from oracle.books import Books
from oracle.clock import SECOND, Clock, PaceSettings, StepClock, monotonic
from oracle.inbox import Busy, Inbox, Refusals, Taken, within
from oracle.lookout import Lookout
from oracle.loop import Loop
from oracle.market.port import Feed
from oracle.market.tape import Tape
from oracle.moves import Moves
from oracle.untold import Untold
from oracle.walk import Steps, Walk
from rules import wants
from rules.settings import Settings
from state.calendar import Calendar
from state.errors import BadUsage, OracleFailure
from state.facts import AlertLogged, SignalCreated
from state.inputs import AlertReceived, AnyInput, Ask, CalendarAdopted, OperatorAsked
from state.portfolio import Portfolio
from state.record import Record
from state.writer import Writer

ALERTS_PER_BEAT = 256
"""Most inputs taken before the next cycle, so that a flood does not delay an exit."""

STORAGE_LOW = "the disk is almost full; free space, and send this alert again"
_LOOK_S = 1.0
_ANSWER_S_MAX = 0.05
_HEELS_S, _BURST_NS_MAX = 0.002, SECOND // 250
_REACH_NS = 30 * 86_400 * SECOND
_REFUSALS_S = 60


class World(NamedTuple):
    """What a heart beats in: time, prices, the way in, the database, and how often it looks."""

    clock: Clock
    feed: Feed
    inbox: Inbox
    books: Books
    pace: PaceSettings


class Heart:
    """Implements the `Door`. `told` hears each record once it is durable."""

    refusals: Refusals | None = None
    longer: Callable[[Portfolio, int], Calendar | None] = staticmethod(lambda _portfolio, _at: None)
    """Makes a calendar that reaches beyond an instant, or None when there is no longer one."""
    last_cycle_at = 0
    alerts = 0
    cycle_ns = 0
    """How long the last cycle took, in ns of the machine."""

    def __init__(self, loop: Loop, writer: Writer, world: World, told: Callable[[Taken], None]) -> None:
        self._core, self._writer = loop, writer
        self._clock, self._inbox, self._books, self._pace = world.clock, world.inbox, world.books, world.pace
        self._feed = feed = world.feed
        self._steps = Walk(loop, feed, self._hear) if isinstance(feed, Tape) else Steps(loop, feed, self._hear)
        self._moves: Moves | None = None
        if isinstance(world.clock, StepClock) and isinstance(self._steps, Walk):
            self._moves = Moves(world.clock, self._steps)
        self._untold = Untold(told)
        self._released = asyncio.Event()
        self._stopping = self._urgent = False
        self._day: date | None = None
        self._bytes_before = 0
        self._lookout = Lookout(world.clock, writer, loop.portfolio.halts)
        self._drained_at = monotonic()

    @property
    def portfolio(self) -> Portfolio:
        """The portfolio the loop owns, which may be ahead of the disk: wait for `durable` before telling of it."""
        return self._core.portfolio

    @property
    def now(self) -> int:
        """What the clock shows, in ns UTC."""
        return self._clock.now()

    @property
    def cycles(self) -> int:
        """How many cycles were run."""
        return self._steps.cycles

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._core.settings

    @property
    def stopping(self) -> bool:
        """Whether no more alerts are taken."""
        return self._stopping

    @property
    def bytes_today(self) -> int:
        """Bytes the journal gained on the current New York date, in this process."""
        return self._writer.bytes_written - self._bytes_before

    @property
    def waiting(self) -> int:
        """How many inputs wait to be taken."""
        return len(self._inbox)

    # -- the door -----------------------------------------------------------------------------------------------

    async def alert(self, told: AlertReceived) -> Taken:
        """Hand in an alert; returns once it is durable. Raises Busy before it is numbered, DiskFailed when lost."""
        if self._writer.storage_low:
            raise Busy("storage_low", STORAGE_LOW)
        return await self._inbox.offer(told)

    async def ask(self, told: OperatorAsked) -> Taken:
        """Hand in what the operator asks for; returns once it is durable. Raises Busy, DiskFailed."""
        if told.ask is Ask.RESUME:
            self._lookout.asked()
        return await self._inbox.put(told)

    async def adopt(self, told: CalendarAdopted) -> Taken:
        """Hand in a longer calendar; returns once it is durable."""
        return await self._inbox.put(told)

    async def durable(self, lsn: int) -> None:
        """Return once a record is durable. Raises DiskFailed when it never will be."""
        if self._writer.durable_lsn < lsn:
            self._check()
            await self._untold.durable(lsn)

    async def settled(self) -> int:
        """Wait until all that was decided so far is durable and in the query tables; returns its newest LSN."""
        lsn = self.portfolio.lsn
        await self.durable(lsn)
        await self._books.written(lsn)
        return lsn

    async def move(self, to: int) -> int:
        """Move a clock that stands: decide everything due until `to` (ns UTC), and return the newest LSN, durable.

        Raises BadUsage when the clock runs by itself, OracleFailure when the process is stopped on the way.
        """
        if self._moves is None:
            raise BadUsage("this clock runs by itself; start with --tape DIR --step to move it by hand")
        moved = self._moves.ask(to)
        self._inbox.arrived.set()
        await moved
        return await self.settled()

    # -- the beat -----------------------------------------------------------------------------------------------

    def begin(self, inputs: tuple[AnyInput, ...], *, at: int) -> None:
        """Take in what must be known before anything else."""
        for one in inputs:
            self._steps.take(one, at=at)

    async def run(self) -> None:
        """Beat until `stop`. Raises DiskFailed or LawBroken, after which the process must end."""
        try:
            await self._beat()
        except BaseException as failure:
            self._fail(failure)
            raise

    async def _beat(self) -> None:
        while not self._stopping:
            await self._room()
            self._look()
            if not self._by_hand and self._is_due():
                self._cycle()
            due_at = self._next_at()
            await self._take_waiting()
            if self._moves:
                await self._move(self._moves)
            if not self._by_hand and self.portfolio.owed:
                await self._answered()
                await self._gathered(due_at)
                await self._room()
                self._cycle()
            self._clock.bound(None if self._by_hand else self._next_at())
            await self._pause()
            self._check()
        while len(self._inbox):
            await self._take_waiting()
        self.drain(self._clock.now())
        await self.durable(self.portfolio.lsn)
        if self._moves is not None:
            self._moves.end(OracleFailure("the program is being stopped: start it again, and move its clock again"))

    def stop(self) -> None:
        """Take no more alerts; `run` returns once all that waits is taken and durable."""
        self._inbox.close("stopping", "the program is being stopped; send this alert again in a few seconds")
        self._stopping = True
        self._inbox.arrived.set()

    def released(self) -> None:
        """Let out what became durable; to be called on the event loop after each batch of the writer."""
        durable, failure = self._writer.durable, self._writer.failure
        self._untold.release(durable[0])
        self._books.release(durable)
        self._released.set()
        failure = failure or self._untold.broken
        if failure is not None:
            self._fail(failure)

    @property
    def _by_hand(self) -> bool:
        return isinstance(self._clock, StepClock)

    def _hear(self, record: Record, seen_at: int) -> None:
        if self.portfolio.day != self._day:
            self._day, self._bytes_before = self.portfolio.day, self._writer.bytes_written
        self._books.hear(record, seen_at)
        self._untold.hear(Taken(self.portfolio.lsn, seen_at, record))

    async def _take_waiting(self) -> None:
        for _ in range(ALERTS_PER_BEAT):
            await self._room()
            waiting = self._inbox.take()
            if waiting is None:
                return
            try:
                record = self._take(waiting.told)
            except BaseException as failure:
                if waiting.answer is not None and not waiting.answer.done():
                    waiting.answer.set_exception(_told_of(failure))
                raise
            if waiting.answer is not None:
                self._untold.answer(waiting.answer)
            is_alert = isinstance(record.input, AlertReceived)
            self.alerts += is_alert
            self._urgent |= not (is_alert and all(isinstance(one, AlertLogged | SignalCreated) for one in record.facts))
            if isinstance(record.input, OperatorAsked) and record.input.ask is Ask.RESUME:
                # Before anything else is decided: what it did not end halts on.
                self._lookout.confirm()
                self._look()

    def _take(self, told: AnyInput) -> Record:
        """Let the loop take in one input now."""
        return self._steps.take(told, at=self._reached())

    def _reached(self) -> int:
        """The instant, which the adopted calendar reaches: a longer one is adopted before anything could come too late."""
        at, calendar = max(self._clock.now(), self.portfolio.now), self.portfolio.calendar
        if calendar is not None and not calendar.covers(at + _REACH_NS):
            longer = self.longer(self.portfolio, at)
            if longer is not None:
                self._steps.take(CalendarAdopted(longer), at=min(at, self.portfolio.now))
        return at

    async def _room(self) -> None:
        """Wait while memory is as far ahead of the disk as it may be."""
        self._check()
        while self._writer.crowded:
            self._released.clear()
            await self._released.wait()
            self._check()

    async def _answered(self) -> None:
        """Let what was just taken be answered before it is judged, unless the disk takes its time."""
        await within(_ANSWER_S_MAX, self.durable(self.portfolio.lsn))

    async def _gathered(self, due_at: int | None) -> None:
        """Take what follows on the heels of an alert, so that one cycle judges a burst; nothing due, asked or to be left waits."""
        until = monotonic() + _BURST_NS_MAX
        while not (self._urgent or self._stopping) and monotonic() < until:
            if due_at is not None and due_at <= self._clock.now():
                return
            await within(_HEELS_S, self._inbox.arrived.wait())
            if not len(self._inbox):
                return
            await self._take_waiting()

    def _cycle(self) -> None:
        at, begun = self._reached(), monotonic()
        self._urgent = False
        self._steps.cycle(at)
        self.last_cycle_at = at
        self.cycle_ns = monotonic() - begun

    async def _move(self, moves: Moves) -> None:
        """Move the clock as far as was asked first, unless the end comes before."""
        while len(self._inbox):
            await self._take_waiting()
        if self.portfolio.owed:
            self._cycle()
        for at in moves.go():
            self.last_cycle_at = at
            await self._room()
            self._look()
            await asyncio.sleep(0)
            if self._stopping:
                return

    def _is_due(self) -> bool:
        at = self._next_at()
        return at is not None and at <= self._clock.now()

    def _next_at(self) -> int | None:
        """The next instant of a cycle: what is owed by itself, or the next look at what is held or watched."""
        instants = [at for at in (self._steps.due_at(), self._sweep_at()) if at is not None]
        return min(instants, default=None)

    def _sweep_at(self) -> int | None:
        portfolio = self.portfolio
        if not wants.anything(portfolio):
            return None
        now = max(self._clock.now(), portfolio.now)
        session = portfolio.sessions.session_at_or_before(now)
        if now > session.late_close:
            return portfolio.sessions.next_open(now)
        # Between two instants of the market a look would see nothing new.
        return self._feed.next_instant(max(self.last_cycle_at, session.open) + self._pace.interval_s * SECOND - 1)

    async def _pause(self) -> None:
        """Wait for an input, for the next instant, or for the next look around."""
        if len(self._inbox) or self._moves or self._stopping:
            await asyncio.sleep(0)
            return
        at = None if self._by_hand else self._next_at()
        wait_s = None if at is None else self._clock.wait_s(at)
        seconds = _LOOK_S if wait_s is None else min(wait_s, _LOOK_S)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await within(seconds, self._inbox.arrived.wait())

    def _look(self) -> None:
        """Note what nobody sends: a clock that jumped, a disk that filled up, calls that were refused."""
        for told in self._lookout.noticed():
            self._take(told)
        if (
            not self._writer.storage_low
            and self.refusals is not None
            and monotonic() - self._drained_at >= _REFUSALS_S * SECOND
        ):
            self.drain(self._clock.now())

    def drain(self, now: int) -> None:
        """Journal the calls that were refused since the last time."""
        self._drained_at = monotonic()
        refused = self.refusals.drain(now) if self.refusals is not None else None
        if refused is not None:
            self._take(refused)

    # -- the end ------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        for failure in (self._writer.failure, self._books.broken, self._untold.broken):
            if failure is not None:
                raise failure

    def _fail(self, failure: BaseException) -> None:
        """Let nobody wait for what will not come."""
        self._inbox.close("stopping", "the program is ending; send this alert again once it runs")
        lost = _told_of(failure)
        self._untold.fail(lost)
        while (left := self._inbox.take()) is not None:
            if left.answer is not None and not left.answer.done():
                left.answer.set_exception(lost)
        if self._moves is not None:
            self._moves.end(lost)
        self._inbox.arrived.set()


def _told_of(failure: BaseException) -> OracleFailure:
    """What somebody who waited is told of what ended everything."""
    return failure if isinstance(failure, OracleFailure) else OracleFailure(f"the program is ending: {failure!r}")
