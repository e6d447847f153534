"""What a run begins with: its clock, its market, and the inputs that must be known before the first alert.

A directory keeps the kind of market it began with: invented prices and real ones never meet in one book.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from oracle import config, ids, sessions
from oracle.clock import SECOND, SPEED_MAX, Clock, FasterClock, StepClock, WallClock
from oracle.config import Config
from oracle.market.absent import NoMarket
from oracle.market.port import Feed
from oracle.market.simulated import SimulatedMarket
from oracle.market.tape import Tape
from state.calendar import Calendar
from state.errors import BadUsage
from state.inputs import AnyInput, CalendarAdopted, MarketChosen, MarketKind
from state.portfolio import Portfolio

_BEFORE = timedelta(days=14)
_AFTER_TAPE = timedelta(days=120)
_AFTER = timedelta(days=400)
_LEFT_MIN = timedelta(days=220)
_KEPT = timedelta(days=400)

_HOW = {
    MarketKind.NONE: "without --simulate and without --tape",
    MarketKind.SIMULATED: "with --simulate SPEED",
    MarketKind.TAPE: "with --tape DIR --step",
}


class Job(msgspec.Struct, frozen=True):
    """How the daemon is to run: `simulate` is a speed, `start` an instant (ns UTC), `step` a clock moved by hand.

    Without `port` and `host` they are those of the configuration.
    """

    data: Path
    port: int | None = None
    host: str | None = None
    config: Path | None = None
    simulate: float | None = None
    start: int | None = None
    seed: int | None = None
    tape: Path | None = None
    step: bool = False

    @property
    def kind(self) -> MarketKind:
        """Where its prices come from. Raises BadUsage for options that contradict each other."""
        if self.tape is not None and self.simulate is not None:
            raise BadUsage("--tape and --simulate are two markets: choose one")
        if (self.tape is not None) != self.step:
            raise BadUsage("--tape DIR and --step belong together: the clock of a tape is moved with `oracle clock`")
        if self.simulate is None and (self.start is not None or self.seed is not None):
            raise BadUsage("--start and --seed belong to --simulate SPEED")
        if self.simulate is not None and not 0 < self.simulate <= SPEED_MAX:
            raise BadUsage(f"a speed of {self.simulate:g} cannot be run: give more than 0 and at most {SPEED_MAX:,}")
        if self.tape is not None:
            return MarketKind.TAPE
        return MarketKind.NONE if self.simulate is None else MarketKind.SIMULATED


class Setting(NamedTuple):
    """Where a run takes place."""

    clock: Clock
    feed: Feed
    market: MarketChosen


def recorded(job: Job) -> Tape | None:
    """The tape of a job that has one. Raises BadUsage when the job or the tape cannot be used."""
    return Tape(job.tape or Path()) if job.kind is MarketKind.TAPE else None


def setting(job: Job, portfolio: Portfolio, tape: Tape | None) -> Setting:
    """Clock and market of a job, going on where a portfolio's journal ends; `tape` is what `recorded` gave.

    Raises BadUsage when the directory began with another kind of market, or another seed.
    """
    kind, before = job.kind, portfolio.chosen
    if before is not None and before.kind is not kind:
        raise BadUsage(f"{job.data} was run {_HOW[before.kind]}: go on like that, or name another directory")
    match kind:
        case MarketKind.TAPE if tape is not None:
            return Setting(StepClock(max(portfolio.now, tape.first - 1)), tape, MarketChosen(kind))
        case MarketKind.SIMULATED if job.simulate is not None:
            return _simulated(job, portfolio, job.simulate)
        case _:
            return Setting(WallClock(portfolio.now), NoMarket(), MarketChosen(kind))


def _simulated(job: Job, portfolio: Portfolio, speed: float) -> Setting:
    before = portfolio.chosen
    start = portfolio.now if before is not None else job.start
    if start is None:
        now = WallClock().now()
        start = sessions.build(day_of(now), day_of(now) + _BEFORE).next_open(now)
    if before is None:
        seed = ids.seed() if job.seed is None else job.seed
        before = MarketChosen(MarketKind.SIMULATED, seed, day_of(start))
    elif job.seed not in (None, before.seed):
        raise BadUsage(f"{job.data} was begun with seed {before.seed}: leave --seed out, or name another directory")
    market = SimulatedMarket(before.seed, before.first or day_of(start))
    return Setting(FasterClock(start, speed), market, before)


def inputs(
    portfolio: Portfolio, configured: Config, market: MarketChosen, *, calendar: Calendar | None
) -> list[AnyInput]:
    """What has to be adopted that is not in force yet, in the order of the law: configuration, calendar, market."""
    adopted = config.adopted(configured)
    found: list[AnyInput] = []
    if adopted.digest != portfolio.config.digest:
        found.append(adopted)
    if calendar is not None:
        found.append(CalendarAdopted(calendar))
    if market != portfolio.chosen:
        found.append(market)
    return found


def calendar_for_tape(tape: Tape, start: int, end: int) -> Calendar:
    """Sessions from two weeks before a recorded run to beyond the last expiration on its tape."""
    first, last = day_of(start) - _BEFORE, max(day_of(end), tape.last_expiry or date.min) + _AFTER_TAPE
    return sessions.build(first, last)


def calendar_wanted(portfolio: Portfolio, feed: Feed, now: int) -> Calendar | None:
    """A calendar that reaches far enough beyond an instant, or None when the adopted one still does."""
    known = portfolio.calendar
    if isinstance(feed, Tape):
        return calendar_for_tape(feed, feed.first - 1, feed.last) if known is None else None
    dates = dates_wanted(portfolio, now)
    return None if dates is None else sessions.build(*dates)


def dates_wanted(portfolio: Portfolio, now: int) -> tuple[date, date] | None:
    """(first, last) date of that calendar where prices come from no tape: to find out is quick, to build it is not."""
    today, known = day_of(now), portfolio.calendar
    if known is None:
        return today - _BEFORE, today + _AFTER
    if known.covers(now) and known.last - today >= _LEFT_MIN:
        return None
    # What was seen last must be in it, however long ago that was, and the last session of all that is held.
    held = [one.contract.expiry - _BEFORE for one in portfolio.live_positions()]
    first = min(max(known.first, today - _KEPT), today - _BEFORE, day_of(portfolio.now) - timedelta(days=1), *held)
    return first, today + _AFTER


def day_of(instant: int) -> date:
    """The UTC date of an instant, near enough to choose a range of sessions."""
    return datetime.fromtimestamp(instant // SECOND, UTC).date()
