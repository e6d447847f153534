"""A daemon killed with SIGKILL again and again while alerts are posted, twice and out of order: each is there once.

KILL_ROUNDS raises the number of kills. KILL_SEED is the storm of a failure: it fixes what happens when to each process,
and what each sender sends next; how their connections interleave is the machine's.
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
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from oracle.directory import DataDirectory
from state import keeping
from state.disk import Disk
from state.facts import AlertLogged
from state.inputs import AlertReceived
from state.recovery import History, recover
from state.snapshots import Store
from tests.conftest import ROOT
from tests.daemons import Daemon, Line, Reply, records, running
from tests.runs import oracle

ROUNDS = int(os.environ.get("KILL_ROUNDS", "20"))
SEED = int(os.environ.get("KILL_SEED", "20260213"))
LANES = 4
RETRIED, REPEATED = 0.15, 0.1
"""How many of all deliveries are of alerts without an answer yet, and of alerts that were answered before."""
ACKNOWLEDGED = (200, 201)
START = ("--simulate", "1", "--start", "2026-02-12T15:00:00Z", "--seed", "7")
START_S = 1_770_908_400
_NUMBER = re.compile(r'"note":\s*"n-(\d+)"')


def unique(number: int) -> bool:
    """Whether an alert asks for what no other one asks for, so that it has one signal, however often it is sent."""
    return number % 4 == 0


def alert(number: int) -> dict[str, Any]:
    """One of many bodies of which no two are the same."""
    body = {
        "symbol": ("SPY", "QQQ", "IWM")[number % 3],
        "direction": "long" if number % 2 else "short",
        "timeframe": ("5m", "15m", "1h")[number % 5 % 3],
        "note": f"n-{number}",
    }
    # What bears an instant of its own is known again for 48 hours, everything else for minutes.
    return {**body, "symbol": f"S{number:06}", "timestamp": START_S + number} if unique(number) else body


class Senders:
    """Several senders with a connection each, that have one list of what to send.

    What was not answered is sent again, later and by whichever sender comes to it: to the same process while the first
    delivery is still on its way, or to the next one. Some of what was answered is sent again as well.
    """

    def __init__(self) -> None:
        self.answers: dict[int, list[Reply]] = defaultdict(list)
        self.tries: Counter[int] = Counter()
        self.touched: dict[int, None] = {}
        """Alerts sent or answered since this was emptied."""
        self._open: list[int] = []
        self._chances = [random.Random(SEED + lane) for lane in range(1, LANES + 1)]
        self._list = Lock()

    def send(self, lane: int, port: int, *, on: bool) -> None:
        """Send while it goes on, else send again what was not answered, until the connection is cut."""
        line = Line(port)
        try:
            for number in self._numbers(self._chances[lane], on=on):
                reply = line.post(alert(number))
                if reply.status == 503:
                    assert reply.told["code"] == "stopping", reply
                    return
                self._answered(number, reply)
        except (OSError, http.client.HTTPException):
            # Killed: what was on its way stays unanswered.
            pass
        finally:
            line.close()

    def _numbers(self, chance: random.Random, *, on: bool) -> Iterator[int]:
        left = () if on else tuple(self._open)
        for number in chance.sample(left, len(left)):
            with self._list:
                self._tried(number)
            yield number
        while on:
            # Two draws each time, so that what a sender draws follows from the seed alone.
            fate, which = chance.random(), chance.random()
            with self._list:
                again = self._open if fate < RETRIED else tuple(self.answers) if fate < RETRIED + REPEATED else ()
                number = again[int(which * len(again))] if again else len(self.tries)
                if number not in self.tries:
                    self._open.append(number)
                self._tried(number)
            yield number

    def _tried(self, number: int) -> None:
        self.tries[number] += 1
        self.touched[number] = None

    def _answered(self, number: int, reply: Reply) -> None:
        with self._list:
            self.answers[number].append(reply)
            self.touched[number] = None
            if number in self._open:
                self._open.remove(number)

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
        self.data, self.lsn, self.overtaken = data, 0, 0
        self.of: dict[int, list[AlertLogged]] = defaultdict(list)
        self._newest = 0

    def read(self) -> list[int]:
        """Take in what was added; the alerts it is about."""
        added = []
        for lsn, record in records(self.data, self.lsn + 1):
            self.lsn = lsn
            if isinstance(record.input, AlertReceived):
                found = _NUMBER.search(record.input.body)
                assert found is not None
                number = int(found[1])
                self.of[number] += [one for one in record.facts if isinstance(one, AlertLogged)]
                self.overtaken += number < self._newest
                self._newest = max(self._newest, number)
                added.append(number)
        return added

    def check(self, senders: Senders, numbers: Iterable[int]) -> None:
        """Every acknowledged alert is there once, as it was answered, and nothing is there that was not sent."""
        for number in numbers:
            logged_of, replies = self.of.get(number, []), senders.answers.get(number, [])
            logged = {one.event_id: one for one in logged_of}
            assert len(logged) == len(logged_of), f"alert {number} was numbered twice alike"
            for reply in replies:
                assert reply.status in ACKNOWLEDGED, reply
                # Taken out: two answers never speak of one record.
                one = logged.pop(reply.told["webhook_event_id"], None)
                assert one is not None, f"alert {number} was answered {reply.told} and is gone"
                assert (one.signal_id, one.status.upper()) == (reply.told["signal_id"], reply.told["status"])
            tried = senders.tries[number]
            assert len(logged_of) <= tried, f"alert {number}: {len(logged_of)} records, {tried} tries"
            if unique(number) and logged_of:
                assert [one.status for one in logged_of] == ["accepted"] + ["duplicate"] * (len(logged_of) - 1)
                assert len({one.signal_id for one in logged_of}) == 1, f"alert {number} has two signals"


def lived(data: Path, senders: Senders, rng: random.Random) -> str:
    """One life, and where SIGKILL met it: at the start, under load, as it ended in order; or that it did end in order."""
    daemon, fate = Daemon(data, *START), rng.random()
    try:
        if fate < 0.25:
            time.sleep(rng.random())
            return "killed at its start"
        daemon.wait_ready()
        with senders.sending(daemon.port, on=True):
            time.sleep(rng.random() * 0.3)
            if fate < 0.8:
                assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
                return "killed under load"
            daemon.process.send_signal(signal.SIGTERM)
            if fate < 0.92:
                time.sleep(rng.random() * 0.1)
                daemon.process.kill()
            code = daemon.ended()
            assert code in (0, -signal.SIGKILL)
            return "killed while it stopped" if code else "stopped"
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


def figures(lives: Counter[str], senders: Senders, journaled: Journaled) -> str:
    """What a storm came to, in words."""
    tried, answered = senders.tries.total(), sum(map(len, senders.answers.values()))
    logged = sum(map(len, journaled.of.values()))
    return (
        f"KILL_SEED={SEED}: {dict(sorted(lives.items()))}; {len(senders.tries)} alerts in {tried} deliveries, "
        f"{answered} acknowledged, {logged} in the journal, {journaled.overtaken} of them behind a later alert, "
        f"{journaled.lsn} records; acknowledged and lost 0, doubled 0"
    )


def test_no_kill_loses_or_doubles_an_acknowledged_alert(tmp_path: Path) -> None:
    """After every kill the journal holds what was answered, once; at the end it folds to the last snapshot and verifies."""
    data, rng = tmp_path / "desk", random.Random(SEED)
    senders, journaled, lives = Senders(), Journaled(data), Counter[str]()
    try:
        while lives.total() - lives["stopped"] < ROUNDS:
            lives[lived(data, senders, rng)] += 1
            if (data / "journal").exists():
                journaled.check(senders, [*journaled.read(), *senders.touched])
                senders.touched.clear()
        with running(data, *START) as daemon:
            with senders.sending(daemon.port, on=False):
                pass
            assert daemon.stop() == 0
        journaled = Journaled(data)
        journaled.check(senders, [*journaled.read(), *senders.tries])
        assert all(senders.answers[number] for number in senders.tries), "something was never answered"
        lsn, kept, folded = asyncio.run(digests(data))
        assert (lsn, kept) == (journaled.lsn, folded)
        verified = oracle("verify", "--data", data, "--json")
        assert verified.returncode == 0, verified.stderr
        assert json.loads(verified.stdout)["judged"] == lsn
        print(figures(lives, senders, journaled))
    except BaseException as failure:
        command = f"KILL_SEED={SEED} KILL_ROUNDS={ROUNDS} .venv/bin/pytest {Path(__file__).relative_to(ROOT)}"
        raise AssertionError(f"{failure!r} after {dict(lives)}; again: {command}") from failure
