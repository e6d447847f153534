"""A machine whose two clocks are led by a script, and a real daemon that lives on it: time passes only when it waits.

Everything is what it is in production, the listener and the disk included, but for three things: the machine's time, a
simulated market behind the wall clock, and the heart's wait, which moves the machine instead of waiting for it.
"""

import asyncio
import contextlib
from collections import deque
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oracle import beginning, clock, daemon, heart, pricing, sessions
from oracle.beginning import Job, Setting
from oracle.clock import JUMP_NS_MIN, SECOND, WallClock
from oracle.directory import DataDirectory
from oracle.heart import Heart, World
from oracle.inbox import Busy, Taken
from oracle.market.simulated import SimulatedMarket
from state.calendar import Calendar
from state.contract import Right
from state.disk import Disk
from state.facts import EntriesResumed, ExitChosen
from state.frames import Body
from state.inputs import AlertReceived, Ask, ClockJumped, MarketChosen, MarketKind, OperatorAsked, TickReached
from state.portfolio import Portfolio
from state.record import Record
from state.segments import read
from tests import bells

_LIFE_S_MAX = 300
INTERVAL_S = 300
_BEATS_MAX = 200_000
WEEK_S = 7 * 86_400
EXIT_S_MAX = 2 * (INTERVAL_S + 10)
"""For so many seconds of the machine an exit may wait for its fill, also while time goes at half its pace."""
_ROUNDED_NS = 10_000


class Act(NamedTuple):
    """What happens so many seconds after what happened before it: one of the acts of `Crooked`, and what it takes."""

    after_s: float
    name: str
    words: tuple[Any, ...] = ()


class Machine:
    """The two clocks of a machine, in place of the module `time`: `wall` may be set, `running` only ever goes on.

    `apart` is by how much the wall clock was set without anybody's word since a process began to trust it, as a person
    would reckon it: steps of at most two seconds are none, and what adds up to no more than that is made good. `shown` is
    what may be written down: the wall clock without those steps, caught up with at half the pace where it lies behind.
    """

    CLOCK_BOOTTIME = 7

    def __init__(self, wall: int) -> None:
        self.wall = self.truth = wall
        self.running = 1_000 * SECOND
        self.awake = 0
        """For how long it did not sleep."""
        self.rate = 1.0
        """Seconds of the wall clock in a second of the machine."""
        self.amid: deque[int] = deque()
        """Steps that come in the middle of a beat: at the second reading of the clock after they were ordered."""
        self._readings = 0
        self.begin(0)

    def begin(self, seen: int) -> None:
        """A process begins, which wrote down an instant before."""
        self.apart, self.shown = 0, max(self.wall, seen)
        self._began_behind = self.behind > JUMP_NS_MIN

    @property
    def behind(self) -> int:
        """How far the time that is believed lies behind what is shown."""
        return self.shown - self.wall + self.apart

    def time_ns(self) -> int:
        """The wall clock."""
        if self.amid:
            self._readings += 1
            if self._readings % 2 == 0:
                self.step(self.amid.popleft())
        return self.wall

    def monotonic_ns(self) -> int:
        """The other one."""
        return self.running

    def clock_gettime_ns(self, which: int) -> int:
        """The other one, which counts the sleep of a machine too."""
        assert which == self.CLOCK_BOOTTIME
        return self.running

    def run(self, ns: int, *, awake: bool = True) -> None:
        """Let time pass."""
        self.running += ns
        self.awake += ns if awake else 0
        self.truth += ns
        self.wall += int(ns * self.rate)
        self._show(ns)

    def step(self, ns: int) -> None:
        """Set the wall clock."""
        self.wall += ns
        if abs(ns) > JUMP_NS_MIN:
            self.apart += ns
        wrong_all_along = self._began_behind and self.wall <= self.shown + WEEK_S * SECOND
        if abs(self.apart) <= JUMP_NS_MIN or wrong_all_along:
            self.apart = 0
        self._show(0)

    def confirm(self) -> None:
        """Somebody says that the wall clock is right."""
        self.apart = 0
        self._show(0)

    def _show(self, ns: int) -> None:
        self.shown = max(self.wall - self.apart, self.shown + ns // 2)
        self._began_behind &= self.behind > JUMP_NS_MIN


class Crooked(WallClock):
    """The wall clock of such a machine. When the heart is about to wait, time passes, up to the next act of the script."""

    def __init__(self, machine: Machine, script: tuple[Act, ...], seen: int) -> None:
        super().__init__(seen)
        self.machine, self._script, self.stopped = machine, deque(script), asyncio.Event()
        self.heart: Watched | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self._left_s = script[0].after_s if script else 0.0
        self._beats = 0

    def wait_s(self, instant: int) -> float:
        """There is no waiting left: time has passed already."""
        return 0.0

    def bound(self, instant: int | None) -> None:
        """Let time pass until an instant or the next act, and while the clock is odd at most until the next look."""
        self._beats += 1
        assert self._beats < _BEATS_MAX, "the heart beats, and nothing ever happens"
        if not self._script:
            self.stopped.set()
            return
        wanted = self._left_s
        if instant is not None:
            wanted = min(wanted, super().wait_s(instant))
        if self.behind():
            wanted = min(wanted, INTERVAL_S)
        if self.machine.rate != 1.0:
            wanted = max(min(wanted, 1.0), 0.001)
        self.machine.run(round(wanted * SECOND))
        self._left_s -= wanted
        if self._left_s <= 0.0:
            act = self._script.popleft()
            getattr(self, f"_{act.name}")(*act.words)
            self._left_s = self._script[0].after_s if self._script else 0.0
        if self.heart is not None:
            self.heart.judge_clock()

    @property
    def _portfolio(self) -> Portfolio:
        assert self.heart is not None
        return self.heart.portfolio

    # -- acts -----------------------------------------------------------------------------------------------------------

    def _jump(self, seconds: float) -> None:
        self.machine.step(round(seconds * SECOND))

    def _jump_amid(self, seconds: float) -> None:
        self.machine.amid.append(round(seconds * SECOND))

    def _set_right(self) -> None:
        self.machine.step(self.machine.truth - self.machine.wall)

    def _sleep(self, seconds: float) -> None:
        """The machine stands, and knows it when it wakes."""
        self.machine.run(round(seconds * SECOND), awake=False)

    def _freeze(self, seconds: float) -> None:
        """The machine stands and does not know it: when it wakes, only its wall clock is set right."""
        self.machine.truth += round(seconds * SECOND)
        self._set_right()

    def _nothing(self) -> None:
        """Time passes."""

    def _drift(self, rate: float) -> None:
        self.machine.rate = rate

    def _alert(self, body: str) -> None:
        self._tell(AlertReceived(body, "webhook"))

    def _named(self, pick: int, stop: float) -> None:
        """An alert about a listed contract that expires soon, which stays to its end or leaves at its own stop."""
        portfolio = self._portfolio
        listed = sorted(one for one in portfolio.market.contracts if portfolio.day and one.expiry >= portfolio.day)
        expiries = sorted({one.expiry for one in listed})[: 1 + pick % 3]
        near = [one for one in listed if one.expiry in expiries]
        if near:
            levels = f'"stop": {stop}, "target": 9999'
            self._alert(f'{{"symbol": "{near[pick % len(near)].occ}", "action": "buy", "timeframe": "5m", {levels}}}')

    def _hold(self, root: str, expiry: date) -> None:
        """An alert about a listed call near the money, with levels that keep it to its end."""
        listed = [one for one in self._portfolio.market.contracts if (one.root, one.expiry) == (root, expiry)]
        calls = sorted(one for one in listed if one.right is Right.CALL)
        levels = '"stop": 0.01, "target": 9999'
        self._alert(f'{{"symbol": "{calls[0].occ}", "action": "buy", "timeframe": "5m", {levels}}}')

    def _ask(self, ask: str, about: str = "") -> None:
        self._tell(OperatorAsked(about, "a trial", Ask(ask)))

    def _tell(self, told: AlertReceived | OperatorAsked) -> None:
        assert self.heart is not None
        door = self.heart.alert(told) if isinstance(told, AlertReceived) else self.heart.ask(told)
        self.tasks.append(asyncio.ensure_future(door))


class Watched(Heart):
    """A heart that is judged at every record: by its machine, it halts when it must, and no wrong hour gets into it.

    And between them: time goes on as long as the machine does, and no exit waits that could be filled.
    """

    def __init__(self, loop: Any, writer: Any, world: World, told: Any) -> None:
        super().__init__(loop, writer, world, told)
        assert isinstance(world.clock, Crooked)
        self._crooked, self._machine = world.clock, world.clock.machine
        self._machine.begin(self.portfolio.now)
        self._told = self._asked = 0
        self._shown, self._ran = self._crooked.now(), self._machine.running
        self._leaving: dict[str, int] = {}
        world.clock.heart = self
        self.judge_clock()

    async def ask(self, told: OperatorAsked) -> Taken:
        """Note what was told when the word came."""
        self._asked = self._told
        return await super().ask(told)

    def judge_clock(self) -> None:
        """Time goes on, by half of what passed at least; the next look must find how clocks stand now."""
        machine, shown = self._machine, self._crooked.now()
        assert shown - self._shown >= (machine.running - self._ran) // 2 - _ROUNDED_NS, "time stands"
        assert shown >= self.portfolio.now, "time fell"
        self._shown, self._ran = shown, machine.running
        self._judged = (machine.apart, machine.wall)
        waits = [machine.awake - since for since in self._leaving.values()]
        assert max(waits, default=0) <= EXIT_S_MAX * SECOND, ("an exit waits", self._leaving)

    def _hear(self, record: Record, seen_at: int) -> None:
        machine = self._machine
        # What drifted in the second of a step counts as part of it.
        assert seen_at <= machine.shown + JUMP_NS_MIN, "a wrong hour got into a record"
        if isinstance(record.input, ClockJumped):
            self._told = record.input.by
        elif isinstance(record.input, OperatorAsked):
            if EntriesResumed("clock_jumped", record.input.words) in record.facts:
                # What came since the word was said is told next.
                if abs(self._asked - machine.apart) <= JUMP_NS_MIN:
                    machine.confirm()
                self._judged = (machine.apart, machine.wall)
        elif isinstance(record.input, TickReached) and (machine.apart, machine.wall) == self._judged:
            # What steps in the middle of a beat may be found in it, and is in the next.
            halts = self.portfolio.halts
            assert ("clock_jumped" in halts) == (machine.apart != 0), (self.portfolio.lsn, halts, machine.apart)
            if abs(machine.behind - JUMP_NS_MIN) > _ROUNDED_NS:
                assert ("clock_behind" in halts) == (machine.behind > JUMP_NS_MIN), (self.portfolio.lsn, machine.behind)
        for fact in record.facts:
            # What nobody bids for may wait.
            if isinstance(fact, ExitChosen) and fact.mark is not None:
                self._leaving[fact.order_id] = machine.awake
        self._leaving = {name: since for name, since in self._leaving.items() if self._may_fill(name, seen_at)}
        super()._hear(record, seen_at)

    def _may_fill(self, order_id: str, at: int) -> bool:
        """Whether an order works, and somebody quotes its contract still: nobody does once it has expired."""
        if order_id not in self.portfolio.working:
            return False
        expires_at = self.portfolio.sessions.expiry_instant(self.portfolio.orders[order_id].contract)
        return expires_at is None or at < expires_at


class Life(NamedTuple):
    """One process: what happens in it, for how long it was down before, and by how far its clock was set meanwhile."""

    script: tuple[Act, ...]
    down_s: float = 0.0
    set_s: float = 0.0


class Desk(NamedTuple):
    """Where lives are lived: a data directory, a configuration, when they begin, and the seed of their market."""

    data: Path
    config: Path
    begins: int
    seed: int


def lived(desk: Desk, lives: tuple[Life, ...], patch: pytest.MonkeyPatch) -> float:
    """Live through some processes on one directory and one machine; returns the shortest time to expiry priced, in years."""
    machine, nearest = Machine(desk.begins), [1.0]
    expiry = pricing.time_to_expiry

    def watched(expiry_ns: pricing.Ints, now_ns: int) -> pricing.Floats:
        years = expiry(expiry_ns, now_ns)
        nearest[0] = min(nearest[0], *years.tolist(), 1.0)
        return years

    with patch.context() as here:
        here.setattr(clock, "time", machine)
        here.setattr(sessions, "build", _built)
        here.setattr(heart, "_LOOK_S", 0.0)
        here.setattr(pricing, "time_to_expiry", watched)
        here.setattr(daemon, "Heart", Watched)
        for life in lives:
            machine.run(round(life.down_s * SECOND))
            machine.wall += round(life.set_s * SECOND)
            asyncio.run(_live(desk, life, machine, here))
    return nearest[0]


def bodies_of(data: Path) -> list[Body]:
    """Everything a journal holds."""
    return list(read(Disk(), DataDirectory(data).journal))


async def _live(desk: Desk, life: Life, machine: Machine, patch: pytest.MonkeyPatch) -> None:
    stopped, tasks = asyncio.Event(), list[asyncio.Task[Any]]()
    first = bells.date_of(desk.begins)
    chosen = MarketChosen(MarketKind.SIMULATED, desk.seed, first)

    def setting(_job: Job, portfolio: Portfolio, _tape: None) -> Setting:
        crooked = Crooked(machine, life.script, portfolio.now)
        crooked.stopped, crooked.tasks = stopped, tasks
        return Setting(crooked, SimulatedMarket(desk.seed, first), chosen)

    patch.setattr(beginning, "setting", setting)
    job = Job(desk.data, 0, config=desk.config, simulate=1.0)
    async with asyncio.timeout(_LIFE_S_MAX):
        await daemon.run(job, daemon.Outside(stopped=stopped))
    for task in tasks:
        # What came after the end was refused.
        with contextlib.suppress(Busy):
            await task


_build = sessions.build


@cache
def _built(first: date, last: date) -> Calendar:
    """A calendar costs a second, and every life of a storm wants one."""
    return _build(first, last)
