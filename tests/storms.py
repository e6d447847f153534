"""What the crash tests of the whole core share: a written story of two weeks, how it runs without a crash, and a storm.

A storm is one simulated disk through several lives of a process that is fed the story and loses power, is killed or
meets a failing disk. What it must come back as is known from the run that never stopped.
"""

import asyncio
import random
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from oracle import sessions
from oracle.broker.paper import PaperBroker
from oracle.loop import Loop
from oracle.verify import Verifier
from rules.settings import Settings
from rules.sizing import SizingLimits
from state import keeping, recovery
from state.errors import DiskFailed
from state.frames import GENESIS, Body, chained, decode_body, encode_body, encode_content
from state.inputs import AnyInput, BrokerReported, CalendarAdopted, ConfigAdopted
from state.journal import Journal, Limits, Run, is_initialised, read
from state.market import SettlementPrint
from state.portfolio import Portfolio
from state.record import Record
from state.recovery import History, Recovered
from state.snapshots import Store
from tests.simdisk import PowerLost, SimDisk
from tests.stage import CASH, Stage, instant, usd
from tests.tallies import Tally

PATH = Path("/data/journal")
VERSION = "v1"
BEGINNING_LENGTH = 8
LSN_BYTES = 8
LIVES_MAX = 16

STORY = """
2026-02-13
09:59:00 contracts 3
10:00:00 alert symbol=SPY direction=long timeframe=5m
10:00:00 tick SPY 595.42 | SPY260220C00596000 3.43 3.47 9 9 | SPY260220P00595000 2.90 2.94 9 9
10:00:02 tick SPY 595.45 | SPY260220C00596000 3.44 3.48 9 2
10:00:04 alert symbol=SPY direction=long timeframe=5m
10:00:05 tick SPY260220C00596000 3.45 3.49 9 5
10:01:00 alert symbol=QQQ direction=short timeframe=15m
10:01:00 tick QQQ 520.60 | QQQ260220P00520000 4.10 4.16 9 9
10:01:02 tick QQQ260220P00520000 4.12 4.18 9 9
10:02:00 alert price=595.42
10:03:00 alert symbol=IWM direction=long timeframe=1h
10:03:00 tick SPY 595.60
10:04:05 tick SPY 595.80
10:05:00 alert symbol=AAPL direction=long timeframe=5m
10:05:00 tick AAPL 150.20 | AAPL260220C00151000 2.35 2.40 9 9
10:05:02 tick AAPL260220C00151000 2.85 2.90 9 9
10:06:00 alert symbol=SPY action=SELL direction=CALL timeframe=5m
10:10:00 tick SPY 600.00 | SPY260220C00596000 5.40 5.46 2 9
10:10:02 tick SPY260220C00596000 5.42 5.48 2 9
10:10:04 tick SPY260220C00596000 5.41 5.47 9 9
10:15:00 close pos-000002
10:15:00 tick QQQ 520.10 | QQQ260220P00520000 4.20 4.26 9 9
10:15:03 tick QQQ260220P00520000 4.21 4.27 9 9
10:20:00 alert symbol=SPY direction=long timeframe=30m
10:20:00 tick SPY 600.10 | SPY260220C00601000 2.60 2.64 9 9
10:20:02 tick SPY260220C00601000 2.61 2.65 9 9
10:21:00 alert symbol=SPY direction=long timeframe=1h is_test=true test_session=storm
10:21:00 tick SPY 600.15 | SPY260220C00601000 2.62 2.66 9 9
10:21:02 tick SPY260220C00601000 2.63 2.67 9 9
2026-02-17
08:30:00 alert symbol=QQQ direction=long timeframe=1d
08:30:00 tick QQQ 521.20 | QQQ260227C00522000 5.10 5.16 9 9
09:31:00 tick SPY 600.40 | SPY260220C00601000 2.10 2.14 9 9
12:00:00 contracts 1
2026-02-18
10:30:00 tick SPY 600.80
16:20:00 tick SPY 600.90
2026-02-20
10:00:00 tick SPY 601.50
10:01:00 alert symbol=SPY direction=short timeframe=5m
10:01:00 tick SPY 601.50 | SPY260227P00601000 3.00 3.04 9 9
10:01:03 tick SPY260227P00601000 3.01 3.05 9 9
16:20:00 tick SPY 602.00
16:30:00 tick SPY 602.10 | settle SPY 602.10
16:31:00 tick SPY 602.10
2026-02-23
09:31:00 tick SPY 602.30 | SPY260227P00601000 2.00 2.04 9 9
09:32:00 tick SPY 603.90 | SPY260227P00601000 1.20 1.24 9 9
09:32:02 tick SPY260227P00601000 1.19 1.23 9 9
"""
"""Clock times of New York dates. `|` parts the observations of a tick; `settle` is a settlement print."""


class Told(NamedTuple):
    """One thing the world says by itself, and when. What the broker answers is not among them."""

    at: int
    told: AnyInput


class Course(msgspec.Struct):
    """How a run went: after record n, `bodies[:n]` are in its journal, digests and states stand at index n."""

    bodies: list[bytes]
    chains: list[bytes]
    digests: list[str]
    states: list[bytes]
    heard: list[int]
    """How many things the world had said by then."""


class Sink:
    """Hands the records of a loop to a journal, which buffers them: memory runs ahead of the disk."""

    def __init__(self, journal: Journal) -> None:
        self.submit = journal.append


class Memory:
    """Keeps the records of a loop as the bodies they would be in a journal."""

    def __init__(self, bodies: list[bytes]) -> None:
        self.bodies = bodies

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Number and keep a record."""
        self.bodies.append(
            encode_body(len(self.bodies) + 1, encode_content(seen_at, kind, schema=schema, payload=payload))
        )
        return len(self.bodies)


def settings_of(body: bytes) -> Settings:
    """The settings in an adopted configuration."""
    return msgspec.json.decode(body, type=Settings)


def fields_of(words: str, at: int) -> dict[str, Any]:
    """The body of an alert that is written `symbol=SPY is_test=true`, with the second it was sent."""
    fields: dict[str, Any] = dict(word.split("=") for word in words.split())
    numbers = {"price": float(fields["price"])} if "price" in fields else {}
    flags = {"is_test": True} if "is_test" in fields else {}
    return {**fields, **numbers, **flags, "timestamp": at // 10**9}


def perform(stage: Stage, clock: str, act: str, *, words: str) -> None:
    """Put one line of the story on a stage."""
    at = instant(stage.day, clock)
    match act:
        case "contracts":
            stage.settings = Settings(sizing=SizingLimits(base_contracts=int(words)))
            stage.take(ConfigAdopted(msgspec.json.encode(stage.settings), words, CASH), at=at)
        case "alert":
            stage.alert(clock, **fields_of(words, at))
        case "close":
            stage.ask_close(clock, words)
        case "tick":
            lines = [line.strip() for line in words.split("|")]
            prints = [line.split() for line in lines if line.startswith("settle")]
            day = stage.portfolio.sessions.day_of(at)
            settlements = tuple(SettlementPrint(one, day, False, usd(price), at) for _, one, price in prints)
            stage.tick(clock, *(line for line in lines if not line.startswith("settle")), settlements=settlements)


@cache
def story() -> tuple[Told, ...]:
    """Everything the world says in the story, as inputs."""
    stage: Stage | None = None
    for line in STORY.strip().splitlines():
        if " " not in line:
            stage = stage or Stage(line)
            stage.day = line
        elif stage is not None:
            clock, act, words = line.split(" ", 2)
            perform(stage, clock, act, words=words)
    if stage is None:
        raise ValueError("the story has no date")
    seen = [seen_at for seen_at, *_ in stage.kept.payloads]
    records = zip(seen, stage.records, strict=True)
    return tuple(Told(at, record.input) for at, record in records if not isinstance(record.input, BrokerReported))


def next_input(loop: Loop, heard: int, said: tuple[Told, ...]) -> Told | None:
    """What comes next, which follows from the portfolio alone: the broker's answer, else what the world says next."""
    report = PaperBroker(loop).next_report()
    if report is not None:
        return Told(loop.portfolio.now, report)
    return said[heard] if heard < len(said) else None


@cache
def beginning() -> tuple[Told, ...]:
    """The first minutes of the story, under a calendar of four weeks: a journal small enough to hurt every byte of."""
    calendar = CalendarAdopted(sessions.build(date(2026, 2, 6), date(2026, 3, 6)))
    return tuple(
        Told(at, calendar if isinstance(told, CalendarAdopted) else told) for at, told in story()[:BEGINNING_LENGTH]
    )


@cache
def course(*, brief: bool = False) -> Course:
    """The run that never stopped, over the whole story or its beginning.

    Its digests are those of a fold of its records, which must be those of the loop that made them.
    """
    said = beginning() if brief else story()
    found = Course([], [GENESIS], [keeping.digest(Portfolio())], [keeping.encode(Portfolio())], [0])
    loop, folded = Loop(Portfolio(), Memory(found.bodies), settings_of=settings_of), Portfolio()
    while (following := next_input(loop, found.heard[-1], said)) is not None:
        loop.take(following.told, at=following.at)
        body = found.bodies[-1]
        recovery.fold(folded, decode_body(body, code_version=VERSION))
        assert keeping.digest(folded) == keeping.digest(loop.portfolio), f"record {folded.lsn} folds to something else"
        found.chains.append(chained(found.chains[-1], body))
        found.states.append(keeping.encode(folded))
        found.digests.append(keeping.digest(folded))
        found.heard.append(found.heard[-1] + (not isinstance(following.told, BrokerReported)))
    return found


def keep(journal: Journal, bodies: list[bytes]) -> None:
    """Append records as they lie in another journal, each committed, every third followed by an idle moment."""
    for body in bodies:
        lsn = journal.append_content(body[LSN_BYTES:])
        assert journal.commit() == lsn
        if lsn % 3 == 0:
            journal.mark()


def bytes_of(body: Body) -> bytes:
    """A body as it lies in the journal."""
    content = encode_content(body.seen_at, body.kind, schema=body.schema, payload=body.payload)
    return encode_body(body.lsn, content)


@cache
def judged() -> int:
    """How many records of the run that never stopped decide alike again; raises Diverged at the first that does not."""
    verifier = Verifier(settings_of=settings_of, code_version=VERSION, any_version=False)
    for body in course().bodies:
        verifier.take(decode_body(body, code_version=VERSION))
    return verifier.verified.judged


class Storm:
    """One disk, several lives of a process on it, and what those processes promised the world."""

    def __init__(self, seed: int, runner: asyncio.Runner, *, disk: type[SimDisk] = SimDisk) -> None:
        self.rng = random.Random(seed)
        self.runner = runner
        self.disk = disk(self.rng)
        self.limits = Limits(
            segment_bytes=self.rng.choice([9_000, 16_000, 60_000]),
            batch_bytes_max=self.rng.choice([700, 5_000, 50_000]),
            spare_retry_commits=2,
        )
        self.course, self.story = course(), story()
        self.promised = 0
        """LSN up to which answers and effects may have left a process."""
        self.mending = False
        """Whether the last life ended before it had recovered."""
        self.store: Store | None = None
        self.recovered: Recovered | None = None
        self.tally = Tally()

    def run(self) -> Tally:
        """Lives with trouble, and one without that brings the story to its end."""
        for _ in range(LIVES_MAX):
            self.live(troubled=True)
            if self.promised == len(self.course.bodies):
                break
        self.live(troubled=False)
        self._check_end()
        self.tally.records = self.promised
        return self.tally

    def live(self, *, troubled: bool) -> None:
        """One life: open, recover, go on with the story, and end somehow; then the disk comes back."""
        at_once = self.rng.random() < 0.4
        if troubled and at_once:
            self._trouble()
        journal: Journal | None = None
        loop: Loop | None = None
        try:
            journal = self._open()
            loop = self._recover(journal)
            if troubled and not at_once:
                self._trouble()
            self._go_on(loop, journal, hurried=not troubled)
            if not troubled or self.rng.random() < 0.1:
                journal.close()
        except (PowerLost, DiskFailed) as failure:
            assert troubled, "a disk without trouble failed"
            self.tally.crashed(failure, in_recovery=loop is None, again=self.mending)
        self.mending = loop is None
        if journal is not None:
            self.promised = max(self.promised, journal.durable_lsn)
        self.tally.ahead += 0 if loop is None else loop.portfolio.lsn - self.promised
        self.disk.space_bytes = None
        if self.rng.random() < 0.25:
            self.disk.kill()
        else:
            self.disk.crash()

    def _trouble(self) -> None:
        start, fate = self.disk.calls, self.rng.random()
        when = start + self.rng.randint(1, self.rng.choice([8, 30, 60]))
        self.disk.short_writes = self.rng.random() < 0.3
        if fate < 0.7:
            self.disk.dark_at = when
        elif fate < 0.8:
            self.disk.failing[when] = self.rng.choice([5, 28])
        elif fate < 0.93:
            self.disk.failing_syncs.add(self.disk.syncs + self.rng.randint(1, 25))
        else:
            self.disk.space_bytes = self.limits.segment_bytes * self.rng.randint(2, 8)

    def _open(self) -> Journal:
        run = Run(self.rng.randbytes(16), VERSION, "host")
        if is_initialised(self.disk, PATH):
            return Journal.open(self.disk, PATH, run=run, limits=self.limits)
        assert self.promised == 0, "an initialised journal is gone"
        return Journal.create(self.disk, PATH, run=run, limits=self.limits)

    def _recover(self, journal: Journal) -> Loop:
        """The recovered state is that of the run that never stopped, at a record not before the last promised one."""
        # What opening verified and what the mended disk holds must come to the same: they take turns.
        history = History(self.disk, PATH, journal.hand_over() if journal.last_lsn % 2 else None)
        recovered = self.recovered = self.runner.run(recovery.recover(history, self.store))
        portfolio, lsn = recovered.portfolio, recovered.portfolio.lsn
        assert lsn == journal.last_lsn == journal.durable_lsn
        assert lsn < len(self.course.digests), f"record {lsn} was never to be: something was taken twice"
        assert lsn >= self.promised, f"{self.promised} records were acknowledged, {lsn} are left"
        assert keeping.digest(portfolio) == self.course.digests[lsn], f"the state at record {lsn} diverged"
        assert recovered.chain == journal.chain == self.course.chains[lsn], f"the chain at record {lsn} diverged"
        self.promised = lsn
        self.tally.recoveries += 1
        return Loop(portfolio, Sink(journal), settings_of=settings_of)

    def _go_on(self, loop: Loop, journal: Journal, *, hurried: bool) -> None:
        heard = self.course.heard[loop.portfolio.lsn]
        ahead = 0
        while (following := next_input(loop, heard, self.story)) is not None:
            self._took(loop, loop.take(following.told, at=following.at))
            heard += not isinstance(following.told, BrokerReported)
            ahead -= 1
            if ahead <= 0:
                self.promised = journal.commit()
                self._committed(loop, journal)
                ahead = self.rng.choice([1, 1, 1, 2, 3, 8, 20])
                if not hurried and self.rng.random() < 0.1:
                    journal.mark()
        self.promised = journal.commit()
        assert keeping.digest(loop.portfolio) == self.course.digests[-1], "a restarted process ended elsewhere"

    def _took(self, loop: Loop, record: Record) -> None:
        """A record was decided, and is not durable yet."""

    def _committed(self, loop: Loop, journal: Journal) -> None:
        """Every record in memory is durable."""

    def _check_end(self) -> None:
        """Everything the world said is in the journal exactly once, as if nothing had happened, and decides alike."""
        found = [bytes_of(body) for body in read(self.disk, PATH)]
        assert len(found) == self.promised
        assert found == self.course.bodies, "the journal is not that of the run that never stopped"
        assert judged() == len(found)


def run_storm(seed: int, runner: asyncio.Runner) -> Tally:
    """One storm; a failure names the command that brings it back."""
    storm = Storm(seed, runner)
    try:
        return storm.run()
    except BaseException as failure:
        command = f"STORM_SEED={seed} .venv/bin/pytest -s tests/test_storm.py -k any_crash"
        raise AssertionError(
            f"storm {seed} after {storm.tally.crashes} crashes: {failure!r}; again: {command}"
        ) from failure
