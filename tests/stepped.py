"""Files of alerts lived through by a daemon whose clock is moved by hand, as a backtest lives through them by itself.

The clock is moved to the instant of each line, the line is posted or asked, and at last an hour beyond the end.
"""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec

from oracle import backtest
from oracle.backtest import HOUR
from oracle.instants import parse
from oracle.market.tape import Tape
from tests.daemons import Daemon, exported, running
from tests.tapes import new_york

DAY = "2026-02-13"
SECOND = 1_000_000_000
KILLED = 0.05
"""How often, where it is to be killed at all, a daemon is killed before a step."""

_FLAGS = ("add_to_position", "close_on_exit_alerts", "snap_unlisted")


class Script(NamedTuple):
    """What happens: a tape, and a file of alerts and asks whose instants lie on it."""

    tape: Path
    alerts: Path
    config: Path


class Said(msgspec.Struct):
    """One line of a file of alerts, its body as it stands there."""

    at: str
    body: msgspec.Raw = msgspec.Raw()
    close: str | None = None
    ask: str | None = None
    about: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """The body as it is posted."""
        raw = bytes(self.body)
        return str(json.loads(raw)) if raw.startswith(b'"') else raw.decode()


def backtested(script: Script, out: Path) -> list[str]:
    """The exported facts of a backtest that takes its cycles one by one, as a daemon does."""
    with patch.object(backtest, "LONGEST", 1):
        asyncio.run(backtest.run(backtest.Job(script.tape, script.alerts, out, script.config)))
    return exported(out)


def walked(script: Script, data: Path, *, seed: int | None = None) -> list[str]:
    """The exported facts of a daemon that was led through a script; with a seed, one that is killed again and again."""
    rng = None if seed is None else random.Random(seed)
    words = ("--tape", script.tape, "--step", "--config", script.config)
    with ExitStack() as held:
        daemon = held.enter_context(running(data, *words))

        def perhaps_killed(daemon: Daemon) -> Daemon:
            if rng is None or rng.random() > KILLED:
                return daemon
            daemon.kill()
            return held.enter_context(running(data, *words))

        for at, group in groupby(lines(script.alerts), key=lambda one: parse(one.at)):
            daemon = perhaps_killed(daemon)
            daemon.asker.move(at)
            daemon = perhaps_killed(daemon)
            # A clock that stood later than the last record is forgotten with its process.
            daemon.asker.move(at)
            for line in group:
                say(daemon, line)
                daemon = perhaps_killed(daemon)
        last = max(Tape(script.tape).last, *(parse(one.at) for one in lines(script.alerts)))
        perhaps_killed(daemon).asker.move(last + HOUR)
    return exported(data)


def say(daemon: Daemon, line: Said) -> None:
    """Post or ask what a line says."""
    if line.close is not None:
        daemon.asker.ask("close", about=line.close, words=line.reason)
    elif line.ask is not None:
        daemon.asker.ask(line.ask, about=line.about, words=line.reason)
    else:
        assert daemon.post(line.text).status in (200, 201, 400)


def lines(alerts: Path) -> list[Said]:
    """The lines of a file by their instants; those of one instant keep their order."""
    told = (msgspec.json.decode(line, type=Said) for line in alerts.read_bytes().splitlines())
    return sorted(told, key=lambda one: parse(one.at))


# -- storms -----------------------------------------------------------------------------------------------------------


def storm(path: Path, seed: int, count: int) -> Path:
    """A file of alerts and asks at random instants of a morning, many of them at those of a tape of whole minutes."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in _storm(random.Random(seed), count)), "utf-8")
    return path


def _storm(rng: random.Random, count: int) -> Iterator[dict[str, Any]]:
    at = new_york(DAY, "09:31:00") // SECOND
    for _ in range(count):
        at += rng.choice([0, 0, 1, 7, 30])
        at = at // 60 * 60 + 60 if rng.random() < 0.2 else at
        yield {"at": _iso(at), **(_ask(rng) if rng.random() < 0.15 else {"body": _body(rng, at)})}


def _iso(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()}Z"


def _ask(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        [
            {"close": rng.choice(["all", f"pos-{rng.randint(1, 6):06}"]), "reason": "enough"},
            {"ask": rng.choice(["halt", "resume", "resume"]), "reason": "news"},
            {"ask": rng.choice(["flag_on", "flag_off", "flag_clear"]), "about": rng.choice(_FLAGS)},
            {"ask": "requeue", "about": f"sig-{rng.randint(1, 30):06}"},
        ]
    )


def _body(rng: random.Random, at: int) -> Any:
    if rng.random() < 0.1:
        return rng.choice(["SPY, 5 - Buy signal", "{", {"price": 595.42}, {"symbol": "SPY", "secret": "hush"}])
    body = {
        "symbol": rng.choice(["SPY", "SPY", "QQQ", "IWM", "XLE"]),
        "direction": rng.choice(["long", "short"]),
        "timeframe": rng.choice(["5m", "15m", "1h"]),
    }
    if rng.random() < 0.5:
        body["timestamp"] = at - rng.choice([0, 0, 60, 4_000])
    if rng.random() < 0.2:
        body["action"] = "close"
    if rng.random() < 0.2:
        body["is_test"] = True
    return body
