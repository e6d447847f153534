"""A heart on a machine whose clock is set: a word about the time never keeps an exit waiting, and opens nothing too early."""

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from oracle import clock, config, heart
from oracle.clock import SECOND, WallClock
from oracle.market.simulated import SimulatedMarket
from rules.settings import OrderSettings
from state.facts import EntriesHalted, EntriesResumed, OrderCreated, PositionClosed
from state.inputs import AlertReceived, Ask, OperatorAsked
from state.order import Intent
from tests.beating import OPEN, Around, Beating, beating
from tests.test_heart import until

SPEED = 60
HOUR = 3_600 * SECOND
RESUME = OperatorAsked("", "it is right", Ask.RESUME)
CLOSE = OperatorAsked("all", "enough", Ask.CLOSE)


class Led:
    """A machine that lives a minute in a second, and whose wall clock is wrong by as much as is said."""

    CLOCK_BOOTTIME = 7

    def __init__(self) -> None:
        self.by, self._begun = 0, time.monotonic_ns()

    def monotonic_ns(self) -> int:
        """What only goes on."""
        return (time.monotonic_ns() - self._begun) * SPEED

    def clock_gettime_ns(self, _which: int) -> int:
        """The same."""
        return self.monotonic_ns()

    def time_ns(self) -> int:
        """The wall clock."""
        return OPEN + self.monotonic_ns() + self.by


@pytest.fixture(name="machine")
def _machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Led]:
    made = Led()
    monkeypatch.setattr(clock, "time", made)
    monkeypatch.setattr(heart, "_LOOK_S", 0.01)
    return made


def alert(frame: str) -> AlertReceived:
    """One that opens a position where nothing is halted."""
    return AlertReceived(f'{{"symbol": "SPY", "direction": "long", "timeframe": "{frame}"}}', "webhook")


def halted(run: Beating) -> list[str]:
    """What is halted, in the order in which it was."""
    return list(run.portfolio.halts)


def around() -> Around:
    """Entries that fill."""
    orders = OrderSettings(entry_timeout_s=900, limit_offset_usd=50_000_000, drift_pct_max=1_000_000)
    return Around(settings=config.Config(orders=orders))


async def opened(run: Beating) -> None:
    """A position is held."""
    await run.heart.alert(alert("5m"))
    await until(lambda: run.portfolio.live_positions() and not run.portfolio.working)


@pytest.mark.produces("clock_behind")
async def test_after_a_confirmed_step_back_time_goes_on(tmp_path: Path, machine: Led) -> None:
    """Three hours: the word ends the jump, what is held can be left within moments, and nothing is opened until later."""
    async with beating(tmp_path, WallClock(), SimulatedMarket(7, date(2026, 2, 13)), around()) as run:
        await opened(run)
        machine.by = -3 * HOUR
        await until(lambda: halted(run) == ["clock_jumped"])
        before = run.portfolio.now
        assert (await run.heart.ask(RESUME)).record.facts == (EntriesResumed("clock_jumped", RESUME.words),)
        assert halted(run) == ["clock_behind"]
        await run.heart.ask(CLOSE)
        await run.heart.alert(alert("1h"))
        await until(lambda: run.facts(PositionClosed))
        assert before < run.portfolio.now < before + HOUR
        assert [one.order.intent for one in run.facts(OrderCreated)] == [Intent.OPEN, Intent.CLOSE]
        machine.by += 3 * HOUR
        await until(lambda: halted(run) == ["clock_behind", "clock_jumped"])


async def test_a_word_about_one_step_does_not_confirm_the_next(tmp_path: Path, machine: Led) -> None:
    """Three hours are told, thirty days are told as well; and what steps before the word is heard is not believed by it."""
    async with beating(tmp_path, WallClock()) as run:
        await run.heart.alert(alert("5m"))
        machine.by = 3 * HOUR
        await until(lambda: halted(run) == ["clock_jumped"])
        machine.by = 30 * 24 * HOUR
        await until(lambda: len(run.facts(EntriesHalted)) == 2)
        machine.by = 60 * 24 * HOUR
        await run.heart.ask(RESUME)
        assert halted(run) == ["clock_jumped"]
        assert run.portfolio.now < OPEN + HOUR
        told = dict.fromkeys(int(one.words.split()[-2]) for one in run.facts(EntriesHalted))
        assert list(told) == pytest.approx([10_800, 30 * 86_400, 60 * 86_400], abs=1)
        await run.heart.ask(RESUME)
        assert halted(run) == []
        await run.heart.alert(alert("15m"))
        assert run.portfolio.now > OPEN + 60 * 24 * HOUR
