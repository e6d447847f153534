"""What a process tells of itself: how it fares, and by name what keeps alerts from becoming trades."""

from datetime import date
from pathlib import Path

import pytest

from oracle.beginning import Job, Setting
from oracle.clock import SECOND, Clock, FasterClock, StepClock
from oracle.market.absent import NoMarket
from oracle.market.port import Feed
from oracle.market.simulated import SimulatedMarket
from oracle.status import Status
from state.inputs import Ask, MarketChosen, MarketKind, OperatorAsked
from tests.beating import OPEN, Around, Beating, beating
from tests.tapes import new_york
from tests.test_heart import LONG, Full, until
from tests.trades import DAY


def status_of(run: Beating, path: Path, clock: Clock, feed: Feed | None = None) -> Status:
    """The status of a beating heart."""
    kind = MarketKind.SIMULATED if feed else MarketKind.NONE
    status = Status(Job(path, 0), Setting(clock, feed or NoMarket(), MarketChosen(kind)), run.heart, run.writer)
    status.listens("127.0.0.1", 8123, has_secret=True)
    return status


def names(told: dict[str, object]) -> list[str]:
    """The names of the blockers."""
    return [one["name"] for one in told["blockers"]]  # type: ignore[index,attr-defined]


async def test_a_run_without_a_market_says_so(tmp_path: Path) -> None:
    """In health, in one line of words, and in status; it is ready all the same."""
    clock = FasterClock(OPEN, 1.0)
    async with beating(tmp_path, clock) as run:
        status = status_of(run, tmp_path, clock)
        health = status.health()
        assert (health["ready"], health["market"], health["blockers"]) == (True, "none", ["no_market"])
        assert status.words().startswith("no market is configured")
        told = await status.told()
        assert names(told) == ["no_market"]
        assert (told["url"], told["port"]) == ("http://127.0.0.1:8123/webhook", 8123)


async def test_status_counts_what_is_durable(tmp_path: Path) -> None:
    """Alerts, cycles, the journal's growth and its lag, beside the figures of the portfolio."""
    clock = FasterClock(OPEN, 1.0)
    async with beating(tmp_path, clock) as run:
        status = status_of(run, tmp_path, clock)
        before = await status.told()
        assert (before["last_tick_at"], before["tick_age_s"]) == (None, None)
        await run.heart.alert(LONG)
        await until(lambda: not run.portfolio.undecided)
        told = await status.told()
        assert (told["alerts"], told["journal_lag_records"], told["inbox"], told["storage"]) == (1, 0, 0, "ok")
        assert told["cycles"] >= 1
        assert told["cycle_us"] > 0
        assert told["journal_bytes_today"] > before["journal_bytes_today"]
        assert told["equity"] == 50_000_000_000
        assert told["record"] == run.portfolio.lsn


async def test_a_halt_is_a_blocker_with_its_words(tmp_path: Path) -> None:
    """Named by its code until somebody resumes."""
    clock = FasterClock(OPEN, 1.0)
    async with beating(tmp_path, clock) as run:
        status = status_of(run, tmp_path, clock)
        await run.heart.ask(OperatorAsked("", "lunch", Ask.HALT))
        (halted,) = [one for one in (await status.told())["blockers"] if one["name"] == "entries_halted"]
        assert halted["words"].endswith("(lunch)")
        await run.heart.ask(OperatorAsked("", "", Ask.RESUME))
        assert "entries_halted" not in names(await status.told())


async def test_a_full_disk_is_not_ready(tmp_path: Path) -> None:
    """Health says so at once, before the halt is journaled."""
    clock, disk = FasterClock(OPEN, 1.0), Full()
    disk.full = True
    async with beating(tmp_path, clock) as run:
        status = status_of(run, tmp_path, clock)
        assert status.health()["ready"]
        run.writer._journal.storage_low = True
        health = status.health()
        assert (health["ready"], health["status"]) == (False, "unavailable")
        assert "storage_low" in health["blockers"]
        run.writer._journal.storage_low = False


async def test_a_stopping_process_is_not_ready(tmp_path: Path) -> None:
    """A supervisor sends nobody there any more."""
    clock = FasterClock(OPEN, 1.0)
    async with beating(tmp_path, clock) as run:
        status = status_of(run, tmp_path, clock)
        run.heart.stop()
        assert not status.health()["ready"]


async def test_without_a_secret_only_this_machine_may_call(tmp_path: Path) -> None:
    """Said by name, because nobody outside will ever get through."""
    clock = StepClock(OPEN)
    async with beating(tmp_path, clock) as run:
        status = status_of(run, tmp_path, clock)
        status.listens("::1", 8123, has_secret=False)
        told = await status.told()
        assert names(told) == ["no_market", "no_secret", "clock_by_hand"]
        assert (told["url"], told["clock"]) == ("http://[::1]:8123/webhook", "by hand")


async def test_prices_that_stopped_coming_are_a_blocker(tmp_path: Path) -> None:
    """A watched symbol without a price for longer than the gates allow, in regular hours only."""
    clock, market = StepClock(OPEN), SimulatedMarket(7, date(2026, 2, 13))
    async with beating(tmp_path, clock, market, Around()) as run:
        status = status_of(run, tmp_path, clock, market)
        await run.heart.alert(LONG)
        assert names(await status.told()) == ["clock_by_hand", "market_stale"]
        run.heart._cycle()
        assert names(await status.told()) == ["clock_by_hand"]
        clock.move(OPEN + 200 * SECOND)
        (stale,) = [one for one in (await status.told())["blockers"] if one["name"] == "market_stale"]
        assert stale["words"] == "no price younger than 180 s of SPY"
        clock.move(new_york(DAY, "17:00:00"))
        assert names(await status.told()) == ["clock_by_hand"]


@pytest.mark.parametrize(("clock", "closed"), [("10:30:00", False), ("17:00:00", True)])
async def test_a_closed_market_says_when_it_opens(tmp_path: Path, clock: str, closed: bool) -> None:
    """The next open, while it is closed."""
    standing = StepClock(new_york(DAY, clock))
    async with beating(tmp_path, standing) as run:
        told = await status_of(run, tmp_path, standing).told()
        assert told.get("next_open_at") == (new_york("2026-02-17", "09:30:00") if closed else None)
