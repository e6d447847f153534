"""A daemon killed with SIGKILL again and again while alerts are posted: what was acknowledged is there, once.

KILL_ROUNDS raises the number of kills, KILL_SEED names the storm of a failure.
"""

import asyncio
import http.client
import json
import os
import random
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oracle.directory import DataDirectory
from state import keeping
from state.disk import Disk
from state.facts import AlertLogged
from state.inputs import AlertReceived
from state.recovery import History, recover
from state.snapshots import Store
from tests.daemons import Daemon, Line, Reply, records, running
from tests.runs import oracle

ROUNDS = int(os.environ.get("KILL_ROUNDS", "20"))
SEED = int(os.environ.get("KILL_SEED", "20260213"))
LANES = 4
ACKNOWLEDGED = (200, 201)
START = ("--simulate", "1", "--start", "2026-02-12T15:00:00Z", "--seed", "7")
_NUMBER = re.compile(r'"note":\s*"n-(\d+)"')


def alert(number: int) -> dict[str, Any]:
    """One of many bodies of which no two are the same; every eighth asks for what nobody else asks for."""
    unique = number % 8 == 0
    return {
        "symbol": f"S{number:05}" if unique else ("SPY", "QQQ", "IWM")[number % 3],
        "direction": "long" if number % 2 else "short",
        "timeframe": ("5m", "15m", "1h")[number % 5 % 3],
        "note": f"n-{number}",
    }


class Senders:
    """Several senders with a connection each. What is not acknowledged they send again, to the next process."""

    def __init__(self) -> None:
        self.answers: dict[int, list[Reply]] = defaultdict(list)
        self.tries: Counter[int] = Counter()
        self._unanswered: list[list[int]] = [[] for _ in range(LANES)]
        self._next = list(range(LANES))

    def send(self, lane: int, port: int, *, on: bool) -> None:
        """Send again what was not answered, then, while it goes on, what is new, until the connection is cut."""
        line = Line(port)
        try:
            for number in self._numbers(lane, on=on):
                self.tries[number] += 1
                reply = line.post(alert(number))
                if reply.status == 503:
                    assert reply.told["code"] == "stopping", reply
                    return
                self.answers[number].append(reply)
                self._unanswered[lane].remove(number)
        except (OSError, http.client.HTTPException):
            # Killed: what was on its way stays unanswered.
            pass
        finally:
            line.close()

    def _numbers(self, lane: int, *, on: bool) -> Iterator[int]:
        yield from tuple(self._unanswered[lane])
        while on:
            number = self._next[lane]
            self._next[lane] += LANES
            self._unanswered[lane].append(number)
            yield number

    @contextmanager
    def sending(self, port: int, *, on: bool) -> Iterator[None]:
        """Send on every lane while the block runs, and until each lane has come to its end."""
        with ThreadPoolExecutor(LANES) as threads:
            lanes = [threads.submit(self.send, lane, port, on=on) for lane in range(LANES)]
            yield
        for lane in lanes:
            lane.result()


class Journaled:
    """What the journal says of each alert, read on from where it was read before."""

    def __init__(self, data: Path) -> None:
        self.data, self.lsn = data, 0
        self.of: dict[int, list[AlertLogged]] = defaultdict(list)

    def read(self) -> None:
        """Take in what was added."""
        for lsn, record in records(self.data, self.lsn + 1):
            self.lsn = lsn
            if isinstance(record.input, AlertReceived):
                found = _NUMBER.search(record.input.body)
                assert found is not None
                self.of[int(found[1])] += [one for one in record.facts if isinstance(one, AlertLogged)]

    def check(self, senders: Senders) -> None:
        """Every acknowledged alert is there once, as it was answered, and nothing is there that was not sent."""
        for number, replies in senders.answers.items():
            logged = {one.event_id: one for one in self.of[number]}
            assert len(logged) == len(self.of[number]), f"alert {number} was numbered twice alike"
            for reply in replies:
                assert reply.status in ACKNOWLEDGED, reply
                one = logged.get(reply.told["webhook_event_id"])
                assert one is not None, f"alert {number} was answered {reply.told} and is gone"
                assert (one.signal_id, one.status.upper()) == (reply.told["signal_id"], reply.told["status"])
        for number, logged_of in self.of.items():
            answered, tried = len(senders.answers[number]), senders.tries[number]
            assert answered <= len(logged_of) <= tried, f"alert {number}: {len(logged_of)} records, {tried} tries"
            if number % 8 == 0 and logged_of:
                assert [one.status for one in logged_of] == ["accepted"] + ["duplicate"] * (len(logged_of) - 1)
                assert len({one.signal_id for one in logged_of}) == 1, f"alert {number} has two signals"


def lived(data: Path, senders: Senders, rng: random.Random) -> None:
    """One life under load: killed at its start, killed in the middle, or ended in order there."""
    daemon, fate = Daemon(data, *START), rng.random()
    try:
        if fate < 0.25:
            time.sleep(rng.random())
            return
        daemon.wait_ready()
        with senders.sending(daemon.port, on=True):
            time.sleep(rng.random() * 0.3)
            number = signal.SIGKILL if fate < 0.85 else signal.SIGTERM
            assert daemon.stop(number) == (0 if number is signal.SIGTERM else -number)
    finally:
        daemon.kill()


async def digests(data: Path) -> tuple[int, str, str]:
    """(the record of the last snapshot, its digest, the digest of a fold of the whole journal)."""
    directory = DataDirectory(data)
    folded = await recover(History(Disk(), directory.journal))
    store = await Store.open(directory.database)
    try:
        snapshot = await store.latest_snapshot(folded.portfolio.lsn)
    finally:
        await store.close()
    assert snapshot is not None
    return snapshot.lsn, keeping.digest(keeping.decode(snapshot.state)), keeping.digest(folded.portfolio)


def test_no_kill_loses_or_doubles_an_acknowledged_alert(tmp_path: Path) -> None:
    """After every kill the journal holds what was answered, once; at the end it folds to the last snapshot and verifies."""
    data, rng = tmp_path / "desk", random.Random(SEED)
    senders, journaled, rounds = Senders(), Journaled(data), 0
    try:
        while rounds < ROUNDS:
            rounds += 1
            lived(data, senders, rng)
            if (data / "journal").exists():
                journaled.read()
                journaled.check(senders)
        with running(data, *START) as daemon:
            with senders.sending(daemon.port, on=False):
                pass
            assert daemon.stop() == 0
        journaled.read()
        journaled.check(senders)
        assert all(senders.answers[number] for number in senders.tries), "something was never answered"
        lsn, kept, folded = asyncio.run(digests(data))
        assert (lsn, kept) == (journaled.lsn, folded)
        verified = oracle("verify", "--data", data, "--json")
        assert verified.returncode == 0, verified.stderr
        assert json.loads(verified.stdout)["judged"] == lsn
    except BaseException as failure:
        raise AssertionError(
            f"{failure!r} in round {rounds}; again: KILL_SEED={SEED} KILL_ROUNDS={ROUNDS}"
        ) from failure
