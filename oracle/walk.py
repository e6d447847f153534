"""Steps a loop through a market: what is observed for a cycle, what the broker says, and which instants are owed one.

The same steps serve a backtest and the daemon, so that both decide alike. Deliberately absent: the clock.
"""

from collections.abc import Callable, Iterator

from oracle.broker.paper import PaperBroker
from oracle.loop import Loop
from oracle.market.port import Feed
from oracle.market.tape import Tape
from oracle.observe import Observer
from rules import due, quiet, wants
from state.errors import BadUsage
from state.facts import UnitFailed
from state.inputs import AnyInput, TicksPassed
from state.portfolio import Portfolio
from state.record import Record

_TRIED_MIN = 32
"""So many cycles are looked at together in about the time of one."""

Told = Callable[[Record, int], None]


class Steps:
    """A loop, a feed and the paper broker. `told` hears every record and the instant it was seen."""

    cycles = 0
    """How many cycles were run."""

    def __init__(self, loop: Loop, feed: Feed, told: Told) -> None:
        self._loop = loop
        self._observer = Observer(feed)
        self._broker = PaperBroker(loop)
        self._told = told

    @property
    def portfolio(self) -> Portfolio:
        """The portfolio the loop owns."""
        return self._loop.portfolio

    def take(self, told: AnyInput, *, at: int) -> Record:
        """Let the loop take in one input."""
        record = self._loop.take(told, at=at)
        self._told(record, self.portfolio.now)
        return record

    def cycle(self, at: int) -> None:
        """Observe what is wanted, decide, and let the broker answer."""
        self.cycles += 1
        settings = self._loop.settings
        plan = wants.plan(self.portfolio, settings.wants, settings.profiles.entry_dte(), now=at)
        self.take(self._observer.observe(self.portfolio, plan, at), at=at)
        failed: tuple[str, ...] = ()
        while (report := self._broker.next_report(skip=failed)) is not None:
            record = self.take(report, at=at)
            if any(isinstance(fact, UnitFailed) for fact in record.facts):
                # The broker would say the same of this order without end; it does so in the next cycle.
                failed = (*failed, report.order_id)

    def due_at(self) -> int | None:
        """The next instant at which something is owed a cycle by itself, or None."""
        return due.next_at(self.portfolio, self._loop.settings)


class Walk(Steps):
    """Steps along a tape: its instants are part of what is due."""

    def __init__(self, loop: Loop, tape: Tape, told: Told, *, longest: int = 1) -> None:
        """So many cycles at most become one record when they decide nothing."""
        super().__init__(loop, tape, told)
        self._tape = tape
        self._longest = self._tried = longest

    def begin(self, inputs: tuple[AnyInput, ...], *, at: int) -> None:
        """Take in what must be known before the first alert: configuration, calendar, choice of market."""
        for one in inputs:
            self.take(one, at=at)

    def arrive(self, inputs: tuple[AnyInput, ...], *, at: int) -> Iterator[int]:
        """Everything due up to an instant, then what arrived at it in its order, then one cycle for what arrived.

        What arrives at an instant of the tape finds its quotes observed: on a clock that is moved by hand an alert can
        only come after the move. Yields the instant of each cycle after it was run.
        """
        yield from self.until(at)
        for one in inputs:
            self.take(one, at=at)
        self.cycle(at)
        yield at

    def until(self, instant: int) -> Iterator[int]:
        """Run every cycle that is owed up to and including an instant; yields the last instant of each record they became."""
        for owed in self._owed(instant):
            if self._longest < 2 or not self._passed(owed, instant):
                self.cycle(owed)
            yield self.portfolio.now

    def _passed(self, first: int, last: int) -> bool:
        """Take coming cycles as one record, where they decide nothing and the tape tells them at once."""
        portfolio, settings, tape = self.portfolio, self._loop.settings, self._tape
        quiet_until = quiet.until(portfolio, settings)
        if quiet_until is None or first >= quiet_until or portfolio.market.source != tape.source:
            return False
        session = portfolio.sessions.session_at_or_before(first)
        last = min(last, quiet_until - 1, session.late_close, wants.steady_until(portfolio))
        instants = tape.instants_from(first, last, self._tried)
        if len(instants) < 2 or instants[0] != first:
            return False
        plan = wants.with_chains(portfolio, settings.wants, settings.profiles.entry_dte(), now=first)
        looks = wants.looks(portfolio, settings.wants, instants)
        raw = tape.coming(plan, instants, looks, calendar=portfolio.sessions)
        if raw is None:
            return False
        ticks = self._observer.stretch(portfolio, raw, lambda coming: quiet.passing(portfolio, coming, settings))
        passed = 0 if ticks is None else len(ticks)
        # Where little passes little is tried, and more again as it does.
        self._tried = min(
            self._longest, 8 * self._tried if passed == len(raw.instants) else max(_TRIED_MIN, 4 * passed)
        )
        if ticks is None:
            return False
        self.cycles += passed
        self.take(TicksPassed(ticks), at=ticks.last)
        return True

    def check_reach(self, to: int) -> None:
        """Raise BadUsage for an instant that the adopted calendar does not reach: what is held waits for the next open."""
        calendar = self.portfolio.calendar
        if calendar is not None and to >= calendar.sessions[-1].open:
            raise BadUsage(
                f"the calendar of this run ends with {calendar.last}: move the clock to an instant before its last open"
            )

    def _owed(self, instant: int) -> Iterator[int]:
        """The instants of coming cycles, each asked for only after the one before it was run."""
        while True:
            owed = [self.due_at(), self._next_seen()]
            ahead = [one for one in owed if one is not None and one <= instant]
            if not ahead:
                return
            yield min(ahead)

    def _next_seen(self) -> int | None:
        """The tape's next instant inside a session, while anything is wanted from it."""
        portfolio, now = self.portfolio, self.portfolio.now
        if not wants.anything(portfolio):
            return None
        session = portfolio.sessions.session_at_or_before(now)
        if now >= session.late_close:
            session = portfolio.sessions.next_session(now)
        seen = self._tape.next_instant(max(now, session.open - 1))
        if seen is None or seen <= session.late_close:
            return seen
        following = portfolio.sessions.next_session(session.late_close)
        return self._tape.next_instant(following.open - 1)
