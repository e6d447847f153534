"""The crash proof of the whole core: loop, journal, recovery and paper broker on a disk that loses power at any call.

A failure names its seed; `STORM_SEED=<seed> .venv/bin/pytest -s tests/test_storm.py -k any_crash` runs that storm again,
to the same crash. STORM_POINTS raises the number of crash points, STORM_FIRST begins with another seed.
"""

import asyncio
import os
from collections.abc import Iterator

import msgspec
import pytest

from oracle.loop import Loop
from state import keeping
from state.errors import OracleFailure
from state.facts import SignalCreated
from state.frames import decode_body
from state.inputs import AlertReceived, BrokerReported, OperatorAsked
from state.journal import Journal
from state.portfolio import Portfolio
from state.record import decode
from tests.simdisk import SimDisk
from tests.storms import (
    VERSION,
    Course,
    Memory,
    Storm,
    Told,
    course,
    next_input,
    run_storm,
    settings_of,
    story,
)
from tests.tallies import Tally

POINTS = int(os.environ.get("STORM_POINTS", "2400"))
FIRST = int(os.environ.get("STORM_FIRST", "0"))
CHOSEN = os.environ.get("STORM_SEED")
SHARDS = 8
HOUR = 3_600 * 10**9


@pytest.fixture(scope="module", name="runner")
def _runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


# -- storms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shard", range(SHARDS) if CHOSEN is None else [0])
def test_any_crash_loses_nothing_acknowledged_and_doubles_nothing(shard: int, runner: asyncio.Runner) -> None:
    """Every recovery gives the state of the run that never stopped at its record, and every storm ends in its chain."""
    if CHOSEN is not None:
        print(run_storm(int(CHOSEN), runner))
        return
    tally, seed = Tally(), FIRST + shard
    while tally.crashes < POINTS / SHARDS:
        tally.add(run_storm(seed, runner))
        seed += SHARDS
    print(f"{(seed - FIRST - shard) // SHARDS} storms: {tally}")
    # A storm that only ever hits one phase of a life would prove little of the others.
    assert 0 < tally.in_second_recovery < tally.in_recovery < tally.crashes
    assert tally.inside.keys() >= {"_initialise", "_recover", "_mend", "_rotate"}
    assert tally.ahead > 0


class LyingDisk(SimDisk):
    """A disk that acknowledges syncs without doing them."""

    def _sync(self, descriptor: int, *, shrink: bool) -> None:
        self._call()


class HastyStorm(Storm):
    """A process whose answers leave before the record they answer for is durable."""

    def live(self, *, troubled: bool) -> None:
        """One life, with everything in memory promised."""
        before = self.tally.ahead
        super().live(troubled=troubled)
        self.promised += self.tally.ahead - before


class RepeatingStorm(Storm):
    """A world that repeats the last thing it said after every restart."""

    def _recover(self, journal: Journal) -> Loop:
        loop = super()._recover(journal)
        if loop.portfolio.lsn > 3 and self.course.heard[loop.portfolio.lsn] < len(self.story):
            told = self.story[self.course.heard[loop.portfolio.lsn] - 1]
            loop.take(told.told, at=loop.portfolio.now)
        return loop


def test_a_storm_finds_what_it_looks_for(runner: asyncio.Runner) -> None:
    """A lying disk, answers that leave too early and inputs taken twice are each found out by most storms."""

    def found(make: type[Storm], disk: type[SimDisk] = SimDisk) -> int:
        count = 0
        for seed in range(16):
            try:
                make(seed, runner, disk=disk).run()
            except (AssertionError, OracleFailure):
                count += 1
        return count

    assert found(Storm, LyingDisk) > 8
    assert found(HastyStorm) > 8
    assert found(RepeatingStorm) > 8


def test_the_story_has_what_a_crash_can_interrupt() -> None:
    """Partial fills both ways, a cancel, a close by hand, a day order's end, an expiry, a new day, a new configuration."""
    records = [decode(decode_body(one, code_version=VERSION).payload, 1) for one in course().bodies]
    facts = {type(fact).__name__ for record in records for fact in record.facts}
    assert facts >= {
        "AlertLogged", "SignalCreated", "SignalApproved", "SignalRefused", "SignalRetryScheduled", "SignalDecided",
        "SignalFailed", "OrderCreated", "OrderCancelAsked", "OrderEnded", "OrderFilled", "PositionOpened",
        "PositionIncreased", "PositionReduced", "CloseAsked", "ExitChosen", "PositionReopened", "PositionSettled",
        "PositionClosed", "OutcomeRecorded", "NounsRetired", "MarketRetired", "Alerted",
    }  # fmt: skip
    partial_exits = [
        record for record in records if [type(one).__name__ for one in record.facts[1:]] == ["PositionReduced"]
    ]
    assert partial_exits


# -- what is said again -----------------------------------------------------------------------------------------------


def holdings(portfolio: Portfolio) -> tuple[object, ...]:
    """What the trades came to: everything but what merely counts or repeats alerts."""
    days = {name: msgspec.to_builtins(ledger) for name, ledger in portfolio.ledgers.items()}
    signals = [msgspec.structs.replace(one, event_id="") for one in portfolio.signals.values()]
    return signals, portfolio.orders, portfolio.positions, tuple(portfolio.outcomes), days


def said_again(lsn: int, run: Course) -> list[Told]:
    """What others send again after a crash behind a record: recent alerts that made signals, asks, all broker reports."""
    again = []
    bodies = [decode_body(one, code_version=VERSION) for one in run.bodies[:lsn]]
    for body in bodies:
        record = decode(body.payload, body.schema)
        recent = body.seen_at > bodies[-1].seen_at - HOUR
        accepted = any(isinstance(fact, SignalCreated) for fact in record.facts)
        match record.input:
            case BrokerReported() as told:
                again.append(Told(bodies[-1].seen_at, told))
            case (AlertReceived() | OperatorAsked()) as told if recent and (
                accepted or isinstance(told, OperatorAsked)
            ):
                again.append(Told(bodies[-1].seen_at, told))
            case _:
                pass
    return again


def test_what_is_sent_again_after_a_crash_trades_nothing_twice() -> None:
    """Senders repeat what they got no answer for, brokers repeat their reports: signals, fills and money stay the same."""
    run, said = course(), story()
    for lsn in range(4, len(run.bodies) + 1):
        loop = Loop(keeping.decode(run.states[lsn]), Memory(run.bodies[:lsn]), settings_of=settings_of)
        for again in said_again(lsn, run):
            loop.take(again.told, at=again.at)
        assert holdings(loop.portfolio) == holdings(keeping.decode(run.states[lsn])), f"after record {lsn}"
        heard = run.heard[lsn]
        while (following := next_input(loop, heard, said)) is not None:
            loop.take(following.told, at=following.at)
            heard += not isinstance(following.told, BrokerReported)
        assert holdings(loop.portfolio) == holdings(keeping.decode(run.states[-1])), f"begun again at record {lsn}"
