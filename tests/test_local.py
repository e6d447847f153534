"""The local API answers over its socket what the files would, waits for the disk, and says its failures with exit codes."""

import asyncio
import contextlib
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from oracle import explain, queries
from oracle.ask import SOCKET, Asker, reached
from oracle.beginning import Job, Setting
from oracle.clock import Clock, FasterClock, StepClock
from oracle.local import Local
from oracle.market.absent import NoMarket
from oracle.market.port import Feed
from oracle.market.tape import Tape
from oracle.status import Status
from rules import reading
from state.errors import BadUsage, OracleFailure
from state.facts import AlertLogged
from state.inputs import MarketChosen, MarketKind
from tests.beating import OPEN, Around, Beating, beating
from tests.tapes import new_york, tape
from tests.test_heart import LONG, Slow, alert, until
from tests.trades import DAY, MARKET


@contextlib.asynccontextmanager
async def served(
    path: Path, clock: Clock | None = None, feed: Feed | None = None, around: Around | None = None
) -> AsyncIterator[tuple[Beating, Callable[..., Any]]]:
    """A beating heart and its socket; the second is a question to it, asked in a thread as a command would."""
    clock = clock or FasterClock(OPEN, 1.0)
    async with beating(path, clock, feed, around) as run:
        kind = MarketKind.NONE if feed is None else MarketKind.TAPE
        where = Setting(clock, feed or NoMarket(), MarketChosen(kind))
        status = Status(Job(path, 0), where, run.heart, run.writer)
        status.listens("127.0.0.1", 8123, has_secret=False)

        async def ask(name: str, *words: Any, **named: Any) -> Any:
            return await asyncio.to_thread(getattr(Asker(path), name), *words, **named)

        async with Local(path, run.heart, status):
            yield run, ask


async def test_questions_are_answered_as_the_files_would(tmp_path: Path) -> None:
    """Listings, explanations, flags and what was given up, with everything decided so far in them."""
    async with served(tmp_path) as (run, ask):
        await run.heart.alert(LONG)
        await until(lambda: not run.portfolio.undecided)
        assert await ask("rows", "signals", limit=5) == queries.rows(tmp_path, "signals", limit=5)
        assert await ask("rows", "signals", limit=5, where=("phase=approved",)) == []
        assert await ask("explain", "sig-000001") == explain.explain(tmp_path, "sig-000001")
        assert [one["id"] for one in await ask("deadletters", 5)] == ["sig-000001"]
        assert {one["set_by"] for one in await ask("flags")} == {"config"}


async def test_asks_are_durable_when_they_are_answered(tmp_path: Path) -> None:
    """A halt, its end, a flag, a close and a requeue come back with their record and facts."""
    async with served(tmp_path) as (run, ask):
        halted = await ask("ask", "halt", words="lunch")
        assert halted["facts"] == [{"fact": "EntriesHalted", "code": "entries_halted", "words": "lunch"}]
        assert run.writer.durable_lsn >= halted["lsn"]
        assert [one["code"] for one in (await ask("status"))["halts"]] == ["entries_halted"]
        assert (await ask("ask", "resume"))["facts"][0]["fact"] == "EntriesResumed"
        assert (await ask("ask", "flag_on", about="add_to_position"))["facts"][0]["on"] is True
        assert (await ask("ask", "close", about="all"))["facts"][0]["code"] == "nothing_to_close"
        await run.heart.alert(LONG)
        await until(lambda: not run.portfolio.undecided)
        assert (await ask("ask", "requeue", about="sig-000001"))["facts"][0]["fact"] == "SignalCreated"


async def test_a_read_waits_for_a_slow_disk_and_then_shows_the_record(tmp_path: Path) -> None:
    """What was decided but is not durable is neither shown nor left out: the question waits."""
    disk = Slow()
    async with served(tmp_path, around=Around(disk=disk)) as (run, ask):
        await run.heart.settled()
        disk.go.clear()
        answer = asyncio.create_task(run.heart.alert(LONG))
        await until(lambda: run.portfolio.signals)
        reads = [asyncio.create_task(ask("rows", "events", limit=5)), asyncio.create_task(ask("status"))]
        await asyncio.sleep(0.2)
        assert not any(one.done() for one in (answer, *reads))
        disk.go.set()
        rows, status = await asyncio.gather(*reads)
        assert rows[0]["id"] == "evt-000001"
        assert status["record"] >= (await answer).lsn


async def test_a_standing_clock_is_moved(tmp_path: Path) -> None:
    """The answer comes when everything due is durable, and says where the clock stands."""
    market = Tape(tape(tmp_path, DAY, MARKET))
    async with served(tmp_path, StepClock(OPEN), market) as (run, ask):
        await run.heart.alert(LONG)
        moved = await ask("move", new_york(DAY, "10:40:00"))
        assert moved["now"] == new_york(DAY, "10:40:00")
        assert run.writer.durable_lsn >= moved["lsn"]
        assert len(await ask("rows", "outcomes", limit=5)) == 1


@pytest.mark.parametrize(
    ("target", "told", "kind", "words"),
    [
        ("/rows/nothing?limit=5", None, BadUsage, "nothing"),
        ("/rows/events?limit=0", None, BadUsage, "limit"),
        ("/rows/events?limit=many", None, BadUsage, "limit"),
        ("/rows/events?where=nonsense", None, BadUsage, "COLUMN=VALUE"),
        ("/explain/sig-000009", None, BadUsage, "sig-000009"),
        ("/ask", {"ask": "dance"}, BadUsage, "cannot be read"),
        ("/ask", {"ask": "halt", "more": 1}, BadUsage, "cannot be read"),
        ("/clock", {"to": OPEN}, BadUsage, "runs by itself"),
        ("/requeue", {"event_id": "evt-000009"}, BadUsage, "evt-000009"),
        ("/nowhere", None, OracleFailure, "404"),
    ],
)
async def test_a_question_that_cannot_be_answered_says_why(
    tmp_path: Path, target: str, told: dict[str, Any] | None, kind: type[OracleFailure], words: str
) -> None:
    """The failure arrives as it would have been raised, with its remedy."""
    async with served(tmp_path) as (_, ask):
        with pytest.raises(kind, match=words):
            await (ask("get", target) if told is None else ask("post", target, told))


async def test_the_socket_is_the_owners_alone_and_leaves_with_the_process(tmp_path: Path) -> None:
    """Mode 600; one left by a killed process is replaced; afterwards nobody answers."""
    (tmp_path / SOCKET).touch()
    async with served(tmp_path) as (_, ask):
        assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o600
        assert (await ask("status"))["url"].endswith("/webhook")
    assert reached(tmp_path) is None


async def test_a_long_path_is_served_and_reached(tmp_path: Path) -> None:
    """A directory deeper than a socket's name may be long."""
    deep = tmp_path / ("d" * 100) / ("e" * 40)
    deep.mkdir(parents=True)
    async with served(deep) as (_, ask):
        assert (await ask("status"))["mode"] == ""


async def test_an_event_that_failed_is_received_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its body goes through the door once more; an event that was answered is refused."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError("a rule with a fault")

    async with served(tmp_path) as (run, ask):
        with monkeypatch.context() as patched:
            patched.setattr(reading, "read", fail)
            taken = await run.heart.alert(alert(1))
        assert [one.status for one in taken.record.facts if isinstance(one, AlertLogged)] == ["error"]
        again = await ask("requeue", "evt-000001")
        assert [one["fact"] for one in again["facts"]] == ["AlertLogged", "SignalCreated"]
        with pytest.raises(BadUsage, match="requeue its signal"):
            await ask("requeue", "evt-000002")
