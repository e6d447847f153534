"""The daemon's beat: durable before told, bounded, in order, and never in the way of an exit."""

import asyncio
import errno
import threading
from datetime import date
from pathlib import Path

import pytest

from oracle import beginning, config, queries
from oracle.clock import SECOND, FasterClock, PaceSettings, WallClock
from oracle.heart import STORAGE_LOW
from oracle.inbox import Busy, InboxSettings
from oracle.market.absent import NoMarket
from oracle.market.simulated import SimulatedMarket
from oracle.market.tape import Tape
from rules.gates import GateLimits
from state.disk import Disk
from state.errors import BadUsage, DiskFailed, LawBroken
from state.facts import AlertLogged, EntriesHalted, EntriesResumed, OrderFilled, PositionClosed, SignalRefused
from state.inputs import (
    AlertReceived,
    Ask,
    CallsRefused,
    ClockJumped,
    OperatorAsked,
    RefusedCalls,
    StorageTurned,
    TickReached,
)
from state.journal import Limits
from state.writer import Bounds
from tests.beating import OPEN, Around, Beating, beating
from tests.tapes import new_york, tape
from tests.trades import CALL, DAY, MARKET

LONG = AlertReceived('{"symbol": "SPY", "direction": "long", "timeframe": "5m"}', "webhook", "r-1")


def alert(number: int) -> AlertReceived:
    """One of many alerts that are no repeats of each other."""
    return AlertReceived(f'{{"symbol": "S{number}", "direction": "long", "timeframe": "5m"}}', "webhook")


class Slow(Disk):
    """A disk whose syncs wait until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()

    def sync(self, descriptor: int) -> None:
        """Wait, then sync."""
        self.go.wait(10)
        super().sync(descriptor)


class Failing(Disk):
    """A disk whose syncs fail from the moment it is told to."""

    broken = False

    def sync(self, descriptor: int) -> None:
        """Fail as a broken disk does."""
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        super().sync(descriptor)


class Full(Disk):
    """A disk that has no room for another segment while it is told to."""

    full = False

    def allocate(self, descriptor: int, size_bytes: int) -> None:
        """Refuse as a full disk does."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().allocate(descriptor, size_bytes)


async def flood(run: Beating) -> None:
    """Large alerts one after the other, more than a small journal holds."""
    body = "x" * 30_000
    for number in range(12):
        await run.heart.alert(AlertReceived(f'{{"n": {number}, "x": "{body}"}}', "webhook"))


async def until(holds: object, *, tries: int = 400) -> None:
    """Let the heart beat until something holds; fails when it never does."""
    for _ in range(tries):
        if holds():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to hold")


async def test_an_alert_is_answered_once_it_is_durable(tmp_path: Path) -> None:
    """The answer carries the record, its LSN and its instant, and the disk has it."""
    async with beating(tmp_path) as run:
        taken = await run.heart.alert(LONG)
        assert isinstance(taken.record.facts[0], AlertLogged)
        assert (taken.seen_at, taken.lsn) == (OPEN, run.portfolio.lsn)
        assert run.writer.durable_lsn >= taken.lsn
        await run.heart.settled()
        assert queries.rows(tmp_path, "events", limit=5)[0]["request_id"] == "r-1"


async def test_nothing_is_told_before_it_is_durable(tmp_path: Path) -> None:
    """While a sync hangs, answers, records told and reads all wait; then they come in order."""
    disk = Slow()
    async with beating(tmp_path, around=Around(disk=disk)) as run:
        await run.heart.settled()
        told = len(run.told)
        disk.go.clear()
        answer = asyncio.create_task(run.heart.alert(LONG))
        await until(lambda: run.portfolio.signals)
        read = asyncio.create_task(run.heart.settled())
        await asyncio.sleep(0.1)
        assert not answer.done()
        assert not read.done()
        assert len(run.told) == told
        disk.go.set()
        taken = await answer
        assert await read >= taken.lsn
        assert run.told[-1] == taken


async def test_a_failed_sync_ends_everything_and_acknowledges_nothing(tmp_path: Path) -> None:
    """Who waits hears of it, the heart ends with the disk's failure, and nothing more is taken."""
    disk = Failing()

    async def lose_an_alert() -> None:
        async with beating(tmp_path, around=Around(disk=disk)) as run:
            await run.heart.settled()
            disk.broken = True
            with pytest.raises(DiskFailed):
                await run.heart.alert(LONG)
            with pytest.raises((Busy, DiskFailed)):
                await run.heart.alert(alert(2))
            assert run.told[-1].record.facts == ()

    with pytest.raises(DiskFailed):
        await lose_an_alert()


@pytest.mark.produces("storage_low")
async def test_a_disk_that_fills_up_refuses_before_numbering_and_recovers(tmp_path: Path) -> None:
    """Without a spare segment alerts are refused and entries halt; asks still pass; with room again all goes on."""
    disk = Full()
    small = Limits(segment_bytes=256 * 1024, spare_retry_commits=1)
    async with beating(tmp_path, FasterClock(OPEN, 1.0), around=Around(disk=disk, limits=small)) as run:
        disk.full = True
        with pytest.raises(Busy) as refused:
            await flood(run)
        assert (refused.value.code, str(refused.value)) == ("storage_low", STORAGE_LOW)
        taken = len(run.portfolio.signals)
        await until(lambda: any(isinstance(one.record.input, StorageTurned) for one in run.told))
        turned = [one.record.input for one in run.told if isinstance(one.record.input, StorageTurned)]
        assert (turned, len(run.portfolio.signals)) == ([StorageTurned(low=True)], taken)
        assert (await run.heart.ask(OperatorAsked("", "look", Ask.HALT))).record.facts
        disk.full = False
        await until(lambda: "storage_low" not in run.portfolio.halts)
        assert (await run.heart.alert(LONG)).record.facts
        assert run.facts(EntriesResumed)


async def test_memory_never_runs_far_ahead_of_the_disk(tmp_path: Path) -> None:
    """With a hanging disk at most the allowed records are ahead, the flood is refused, and the operator has his room."""
    disk = Slow()
    around = Around(disk=disk, inbox=InboxSettings(alerts_max=5), bounds=Bounds(records_max=8))
    async with beating(tmp_path, around=around) as run:
        await run.heart.settled()
        disk.go.clear()
        floods = [asyncio.create_task(run.heart.alert(alert(number))) for number in range(30)]
        await until(lambda: any(one.done() for one in floods))
        asked = asyncio.create_task(run.heart.ask(OperatorAsked("", "", Ask.HALT)))
        await asyncio.sleep(0.05)
        assert run.writer.last_lsn - run.writer.durable_lsn <= 8
        disk.go.set()
        answers = await asyncio.gather(*floods, return_exceptions=True)
        refused = [one for one in answers if isinstance(one, Busy)]
        assert refused
        assert len(refused) + sum(hasattr(one, "lsn") for one in answers) == 30
        assert isinstance((await asked).record.facts[0], EntriesHalted)


async def test_a_stopping_heart_finishes_what_it_took(tmp_path: Path) -> None:
    """What waits is taken and answered, what comes later is refused."""
    async with beating(tmp_path) as run:
        waiting = [asyncio.create_task(run.heart.alert(alert(number))) for number in range(20)]
        await asyncio.sleep(0)
        run.heart.stop()
        with pytest.raises(Busy, match="being stopped"):
            await run.heart.alert(LONG)
        assert len({(await one).lsn for one in waiting}) == 20


async def test_an_alert_is_decided_at_once_by_a_running_clock(tmp_path: Path) -> None:
    """Without a market it is refused in the cycle its arrival asked for."""
    async with beating(tmp_path, FasterClock(OPEN, 1.0)) as run:
        await run.heart.alert(LONG)
        await until(lambda: run.facts(SignalRefused))
        assert run.facts(SignalRefused)[0].code == "market_data_unavailable"


async def test_a_clock_moved_by_hand_trades_the_tape(tmp_path: Path) -> None:
    """Everything due is decided and durable when the move returns: bought, doubled, sold."""
    market = Tape(tape(tmp_path, DAY, MARKET))
    async with beating(tmp_path, feed=market) as run:
        await run.heart.alert(LONG)
        assert not run.facts(OrderFilled)
        lsn = await run.heart.move(new_york(DAY, "10:40:00"))
        assert run.writer.durable_lsn >= lsn
        assert [one.fill.quantity for one in run.facts(OrderFilled)]
        assert run.facts(PositionClosed)[0].reasons[0] == "profit_target"
        assert queries.rows(tmp_path, "trades", limit=5)[0]["occ"] == CALL


async def test_a_running_clock_cannot_be_moved(tmp_path: Path) -> None:
    """Somebody who tries is told how to start one that can."""
    async with beating(tmp_path, FasterClock(OPEN, 1.0)) as run:
        with pytest.raises(BadUsage, match="--tape DIR --step"):
            await run.heart.move(OPEN)


class Jumping(WallClock):
    """A wall clock of the day whose jump is set by hand."""

    by = 0
    at = OPEN

    def now(self) -> int:
        """What was set."""
        return self.at

    def jumped(self) -> int:
        """What was set."""
        return self.by


@pytest.mark.produces("clock_jumped")
async def test_a_clock_that_jumps_halts_entries_until_it_agrees(tmp_path: Path) -> None:
    """Said once when it jumps and once when it agrees again; an operator may confirm instead."""
    clock = Jumping()

    def jumps(run: Beating) -> list[int]:
        return [one.record.input.by for one in run.told if isinstance(one.record.input, ClockJumped)]

    async with beating(tmp_path, clock) as run:
        clock.by = 5 * SECOND
        await run.heart.alert(LONG)
        await until(lambda: jumps(run) == [5 * SECOND])
        assert list(run.portfolio.halts) == ["clock_jumped"]
        clock.by = 0
        await run.heart.alert(alert(1))
        await until(lambda: jumps(run) == [5 * SECOND, 0])
        assert not run.portfolio.halts


async def test_refused_calls_are_journaled_when_the_heart_stops(tmp_path: Path) -> None:
    """What was counted at the door is not lost with the process."""

    class Counted:
        left: CallsRefused | None = CallsRefused(OPEN, (RefusedCalls("invalid_signature", 401, 3, "a", "b"),))

        def drain(self, now: int) -> CallsRefused | None:
            """Once."""
            drained, self.left = self.left, None
            return drained

    async with beating(tmp_path) as run:
        run.heart.refusals = Counted()
    assert isinstance(run.told[-1].record.input, CallsRefused)
    assert queries.rows(tmp_path, "calls", limit=5)[0]["count"] == 3


async def test_an_idle_heart_makes_no_records(tmp_path: Path) -> None:
    """Nothing watched and nothing held: no tick is journaled."""
    async with beating(tmp_path, FasterClock(OPEN, 600.0)) as run:
        await asyncio.sleep(0.1)
        assert not [one for one in run.told if isinstance(one.record.input, TickReached)]


@pytest.mark.config_effect("pace.interval_s")
async def test_the_market_is_looked_at_at_the_interval(tmp_path: Path) -> None:
    """While a symbol is watched in a session, a minute lies between two looks where a minute is configured."""
    settings = config.Config(pace=PaceSettings(interval_s=60), gates=GateLimits(open_positions_max=0))
    market = SimulatedMarket(7, date(2026, 2, 13))
    async with beating(tmp_path, FasterClock(OPEN, 2_000.0), market, Around(settings=settings)) as run:
        await run.heart.alert(LONG)

        def looks() -> list[int]:
            return [one.seen_at for one in run.told if isinstance(one.record.input, TickReached)]

        await until(lambda: len(looks()) >= 4)
        gaps = [after - before for before, after in zip(looks(), looks()[1:], strict=False)]
        assert min(gaps) >= 60 * SECOND


async def test_time_beyond_the_calendar_brings_a_longer_one(tmp_path: Path) -> None:
    """Years of idling later an alert is judged, not a reason to end."""
    clock = Jumping()
    async with beating(tmp_path, clock) as run:
        run.heart.longer = lambda known, at: beginning.calendar_wanted(known, NoMarket(), at)
        await run.heart.alert(LONG)
        clock.at = new_york("2029-03-14", "11:00:00")
        taken = await run.heart.alert(alert(1))
        assert taken.seen_at == clock.at
        assert run.portfolio.calendar.covers(clock.at)


async def test_a_clock_is_not_moved_back_or_beyond_its_calendar(tmp_path: Path) -> None:
    """Both are told before anything is decided."""
    market = Tape(tape(tmp_path, DAY, MARKET))
    async with beating(tmp_path, feed=market) as run:
        before = run.portfolio.lsn
        with pytest.raises(BadUsage, match="only moved forward"):
            await run.heart.move(OPEN - 1)
        with pytest.raises(BadUsage, match="ends with 2026-06-30"):
            await run.heart.move(new_york("2029-03-14", "11:00:00"))
        assert run.portfolio.lsn == before


async def test_what_is_held_lasts_to_the_end_of_the_calendar(tmp_path: Path) -> None:
    """Without a print it is held for ever; the clock goes to the last open that is known, and no further."""
    told = AlertReceived(f'{{"symbol": "{CALL}", "action": "buy", "timeframe": "5m", "target": 999}}', "webhook")
    async with beating(tmp_path, feed=Tape(tape(tmp_path, DAY, MARKET))) as run:
        await run.heart.alert(told)
        await run.heart.move(new_york("2026-06-30", "09:29:59"))
        assert len(run.portfolio.live_positions()) == 1
        with pytest.raises(BadUsage, match="before its last open"):
            await run.heart.move(new_york("2026-06-30", "09:30:00"))


async def test_a_law_broken_while_the_clock_is_moved_ends_the_beat(tmp_path: Path) -> None:
    """Whoever moves it is told, and so is whoever tries again; nothing more is taken, and the process must end."""

    async def break_a_law() -> None:
        async with beating(tmp_path, feed=Tape(tape(tmp_path, DAY, MARKET))) as run:
            await run.heart.alert(LONG)
            run.heart._steps.cycle = law  # type: ignore[method-assign]
            for _ in range(2):
                with pytest.raises(LawBroken, match="for a test"):
                    await run.heart.move(new_york(DAY, "10:40:00"))
            with pytest.raises(Busy):
                await run.heart.alert(alert(1))

    def law(*_: object, **__: object) -> None:
        raise LawBroken("for a test")

    with pytest.raises(LawBroken, match="for a test"):
        await break_a_law()


async def test_whoever_breaks_a_law_has_an_answer(tmp_path: Path) -> None:
    """The alert that ends the process is answered like those that waited behind it."""

    async def break_a_law() -> None:
        async with beating(tmp_path) as run:
            run.heart._steps.take = law  # type: ignore[method-assign]
            answers = await asyncio.gather(*(run.heart.alert(alert(one)) for one in range(3)), return_exceptions=True)
            assert [type(one) for one in answers] == [LawBroken] * 3

    def law(*_: object, **__: object) -> None:
        raise LawBroken("for a test")

    with pytest.raises(LawBroken):
        await break_a_law()


async def test_a_law_broken_on_the_way_to_the_tables_ends_the_beat(tmp_path: Path) -> None:
    """It is no trouble of the database that goes away: whoever waits for the tables has it, and the process must end."""

    async def break_a_law() -> None:
        async with beating(tmp_path) as run:
            run.heart._books._store.write = law  # type: ignore[method-assign]
            await run.heart.alert(alert(1))
            with pytest.raises(LawBroken):
                await run.heart.settled()
            await until(lambda: run.inbox._closed is not None)

    async def law(*_: object, **__: object) -> None:
        raise LawBroken("for a test")

    with pytest.raises(LawBroken):
        await break_a_law()
