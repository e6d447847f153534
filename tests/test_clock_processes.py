"""Real processes whose clock is set or whose machine stands: what they halt, what they take up again, and what they wrote."""

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest

from oracle.ask import looks
from oracle.stored import verify_directory
from state.inputs import ClockJumped, TickReached
from tests.clocks import bodies_of
from tests.daemons import Daemon, records, running
from tests.set_clocks import SECOND

DAY_S = 86_400
LONG = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
LOOKS_APART_S = 6
"""Simulated prices move every five seconds, and a look keeps a second from the one before it."""


def until_halted(daemon: Daemon, *codes: str) -> None:
    """Return once entries are halted for these reasons and no other."""
    halts: list[str] = []
    for _ in looks(20):
        halts = [one["code"] for one in daemon.asker.status()["halts"]]
        if halts == list(codes):
            return
    raise AssertionError(f"halted by {halts}")


def until_cycles(daemon: Daemon, count: int) -> None:
    """Return once so many cycles were run."""
    for _ in looks(20):
        if daemon.asker.status()["cycles"] >= count:
            return
    raise AssertionError("it stands still")


def set_clock(wrong: Path, by_s: int) -> None:
    """Set the wall clock of the process wrong by so many seconds; it may be read at any moment."""
    fresh = wrong.with_suffix(".fresh")
    fresh.write_text(f"{by_s}", "utf-8")
    fresh.rename(wrong)


def seen(data: Path) -> list[int]:
    """When each record was seen, in seconds from now."""
    return [(body.seen_at - time.time_ns()) // SECOND for body in bodies_of(data)]


@pytest.mark.produces("clock_jumped")
def test_a_clock_that_is_set_on_and_back_gets_into_no_record_unconfirmed(tmp_path: Path) -> None:
    """A day ahead halts and changes no time until somebody confirms it; a day back halts on, and time goes on all the same."""
    wrong, desk = tmp_path / "wrong", tmp_path / "desk"
    set_clock(wrong, 0)
    with running(desk, entry=("tests.set_clocks", str(wrong))) as daemon:
        assert daemon.post(LONG).status == 201
        set_clock(wrong, DAY_S)
        until_halted(daemon, "clock_jumped")
        assert daemon.post({**LONG, "symbol": "QQQ"}).status == 201
        assert max(seen(desk)) <= 0
        daemon.asker.ask("resume", words="daylight")
        until_halted(daemon)
        assert daemon.post({**LONG, "symbol": "IWM"}).status == 201
        assert max(seen(desk)) > DAY_S - 60
        set_clock(wrong, 0)
        until_halted(daemon, "clock_jumped")
        daemon.asker.ask("resume", words="so it was wrong")
        until_halted(daemon, "clock_behind")
        before = bodies_of(desk)[-1].seen_at
        assert daemon.post({**LONG, "symbol": "DIA"}).status == 201
        assert bodies_of(desk)[-1].seen_at > before
        assert daemon.stop() == 0
    jumps = [round(one.input.by / SECOND) for _, one in records(desk) if isinstance(one.input, ClockJumped)]
    assert jumps == [DAY_S, -DAY_S]
    assert seen(desk) == sorted(seen(desk))
    assert verify_directory(desk, any_version=True)["judged"] == len(seen(desk))


@pytest.mark.parametrize("behind_s", [3_600, 400 * DAY_S, 20_000 * DAY_S])
def test_a_start_with_the_clock_behind_the_journal_waits_until_it_is_set_right(tmp_path: Path, behind_s: int) -> None:
    """An hour, a year, or back to when machines without a battery begin: alerts are taken, nothing is opened meanwhile.

    Time goes on from the last record.
    """
    wrong, desk = tmp_path / "wrong", tmp_path / "desk"
    set_clock(wrong, 0)
    entry = ("tests.set_clocks", str(wrong))
    with running(desk, entry=entry) as daemon:
        assert daemon.post(LONG).status == 201
        assert daemon.stop() == 0
    before = bodies_of(desk)[-1].seen_at
    set_clock(wrong, -behind_s)
    with running(desk, entry=entry) as daemon:
        until_halted(daemon, "clock_behind")
        assert daemon.post({**LONG, "symbol": "QQQ"}).status == 201
        assert before < bodies_of(desk)[-1].seen_at < before + 60 * SECOND
        set_clock(wrong, 0)
        until_halted(daemon)
        assert daemon.post({**LONG, "symbol": "IWM"}).status == 201
        assert bodies_of(desk)[-1].seen_at > before
        assert daemon.stop() == 0
    assert verify_directory(desk, any_version=True)["judged"] == len(bodies_of(desk))


def test_a_process_that_stood_still_leaves_out_no_look(tmp_path: Path) -> None:
    """Stopped for a second, a minute of its session: time went on from where it stood, and every price was looked at."""
    words = ("--simulate", "60", "--start", "2026-03-09T14:00:00Z", "--seed", "7")
    desk = tmp_path / "desk"
    with running(desk, *words) as daemon:
        assert daemon.post(LONG).status == 201
        daemon.until("positions", "phase=open")
        for _ in range(3):
            os.kill(daemon.process.pid, signal.SIGSTOP)
            time.sleep(1.0)
            os.kill(daemon.process.pid, signal.SIGCONT)
            until_cycles(daemon, daemon.asker.status()["cycles"] + 5)
        assert daemon.stop() == 0
    inputs = [record.input for _, record in records(desk)]
    ticks = [body.seen_at for body, told in zip(bodies_of(desk), inputs, strict=True) if isinstance(told, TickReached)]
    assert len(ticks) > 20
    assert max(after - before for before, after in pairwise(ticks)) <= LOOKS_APART_S * SECOND
    assert verify_directory(desk, any_version=True)["judged"] == len(inputs)
