"""A flood of strangers at the door of a real daemon while alerts pass, and what it cost those who sent them.

    python -m tests.floods [STRANGERS] [ALERTS]    50,000 and 1,000 unless told otherwise; prints the figures

The strangers are a process of their own. After each STRANGERS / ALERTS of their calls one alert is let go, so that alerts
and flood begin and end together.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import NamedTuple

from oracle.clock import monotonic
from oracle.keys import Keys
from state.inputs import CallsRefused
from tests.calling import SIGNING_KEY, TOKEN, request
from tests.conftest import ROOT
from tests.daemons import SMALL, Daemon, records, running

KEYS = Keys(SIGNING_KEY, TOKEN)
SECRETS = f"WEBHOOK_TOKEN={TOKEN.decode()}\nHMAC_SECRET={SIGNING_KEY.decode()}\n"
SETTINGS = f'{SMALL}[intake]\nduplicate_window_s = 0\n[log]\nlevel = "info"\n'
MORNING = ("--simulate", "1", "--start", "2026-02-12T15:00:00Z", "--seed", "7")
BEGUN_S = 1_770_908_400
STRANGERS_AT_ONCE, SENDERS = 24, 4
SEED = 20260213
OPEN = {"Connection": "keep-alive"}


class Figures(NamedTuple):
    """What a flood was answered, what the alerts in it were, and what it left."""

    seconds: float
    answered: dict[str, int]
    """How often each kind of stranger was answered with each status, as `kind status`."""
    acknowledged: int
    p50_ms: float
    p99_ms: float
    held_kb: tuple[int, int]
    signals: int
    refused: dict[str, int]
    """Refused calls by `reason status`, as the journal counts them."""
    records: int
    """How many records of the journal say so."""


# -- what is sent -----------------------------------------------------------------------------------------------------


def alert(number: int) -> bytes:
    """One of many alerts, each of an instant of its own."""
    body = {"symbol": ("SPY", "QQQ", "IWM")[number % 3], "direction": "long", "timeframe": "5m"}
    return json.dumps(body | {"timestamp": BEGUN_S + number}).encode()


def _replayed(number: int) -> bytes:
    """A call that somebody recorded: proven, and sent again and again."""
    body = alert(-1 - number % 3)
    return request("POST", "/webhook", body, KEYS.proof(body) | OPEN)


def _altered(number: int) -> bytes:
    """A recorded signature under another body."""
    signed = KEYS.proof(alert(-1))["X-Webhook-Signature"]
    return request("POST", "/webhook", alert(number), {"X-Webhook-Signature": signed} | OPEN)


def _forged(number: int) -> bytes:
    """A signature of nothing."""
    return request("POST", "/webhook", alert(number), {"X-Webhook-Signature": f"sha256={number:064x}"} | OPEN)


def _guessed(number: int) -> bytes:
    """A token that somebody guessed, by header or by address."""
    if number % 2:
        return request("POST", f"/webhook/a-guess-of-the-token-{number}", alert(number), OPEN)
    return request("POST", "/webhook", alert(number), {"X-Webhook-Token": f"a-guess-{number}"} | OPEN)


def _keyed(number: int) -> bytes:
    """The signing key itself, which must never travel, beside a right token."""
    body = json.dumps({"symbol": "SPY", "secret": SIGNING_KEY.decode(), "number": number}).encode()
    return request("POST", "/webhook", body, {"X-Webhook-Token": TOKEN.decode()} | OPEN)


def _bare(number: int) -> bytes:
    return request("POST", "/webhook", alert(number), OPEN)


def _lost(_: int) -> bytes:
    return request("GET", "/admin", b"", OPEN)


def _large(_: int) -> bytes:
    return request("POST", "/webhook", b"", {"Content-Length": "9999999"})


def _noise(number: int) -> bytes:
    return Random(number).randbytes(60) + b"\r\n\r\n"


KINDS: dict[str, tuple[Callable[[int], bytes], int]] = {
    "replayed": (_replayed, 200),
    "altered": (_altered, 401),
    "forged": (_forged, 401),
    "guessed": (_guessed, 401),
    "keyed": (_keyed, 401),
    "bare": (_bare, 401),
    "lost": (_lost, 404),
    "large": (_large, 413),
    "noise": (_noise, 400),
}
"""Each kind of stranger: what it sends, and the one status it may be answered with."""

SHARES = (18, 14, 14, 14, 10, 14, 6, 4, 6)
"""Of a hundred strangers, in the order of the kinds."""


# -- who sends it -----------------------------------------------------------------------------------------------------


class Caller:
    """One connection, opened again whenever it was ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, sent: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a call."""
        if self._line is None:
            self._line = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._line
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(one.lower().split(b": ", 1) for one in head.split(b"\r\n")[1:-2])
        body = await reader.readexactly(int(lines[b"content-length"]))
        # What was no HTTP is answered in its first version, which ends without a word.
        if lines.get(b"connection") == b"close" or head.startswith(b"HTTP/1.0 "):
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line[1].close()
            self._line = None


async def strangers(port: int, count: int, each: int) -> None:
    """Call so often, say a line after each so many calls, and at the end what was answered."""
    chance, numbers, answered = Random(SEED), iter(range(count)), Counter[str]()

    async def one() -> None:
        caller = Caller(port)
        for number in numbers:
            (kind,) = chance.choices(list(KINDS), SHARES)
            try:
                status, _ = await caller.call(KINDS[kind][0](number))
                answered[f"{kind} {status}"] += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                answered[f"{kind} cut"] += 1
                caller.close()
            if (number + 1) % each == 0:
                print(flush=True)
        caller.close()

    await asyncio.gather(*[one() for _ in range(STRANGERS_AT_ONCE)])
    print(json.dumps(answered), flush=True)


async def pass_through(port: int, count: int, alerts: int) -> tuple[dict[str, int], list[tuple[int, float]]]:
    """Let the strangers loose, and send alerts among them: what those were answered, and status and ms of each alert."""
    words = ("-m", "tests.floods", "--strangers", str(port), str(count), str(max(1, count // alerts)))
    child = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    due, told = asyncio.Queue[int | None](), list[tuple[int, float]]()

    async def sender() -> None:
        caller = Caller(port)
        while (number := await due.get()) is not None:
            body = alert(number)
            begun = monotonic()
            status, _ = await caller.call(request("POST", "/webhook", body, _proof(number, body) | OPEN))
            told.append((status, (monotonic() - begun) / 1e6))
        caller.close()

    senders = [asyncio.create_task(sender()) for _ in range(SENDERS)]
    said, number = b"", 0
    while line := await child.stdout.readline():
        said = line
        if not line.strip() and number < alerts:
            due.put_nowait(number := number + 1)
    for _ in senders:
        due.put_nowait(None)
    await asyncio.gather(*senders)
    await child.wait()
    return json.loads(said), told


def _proof(number: int, body: bytes) -> dict[str, str]:
    """Some senders sign, some send the token, some do both."""
    proof = KEYS.proof(body)
    return dict(list(proof.items())[: 1 + number % 2] if number % 3 else list(proof.items())[1:])


# -- the whole of it --------------------------------------------------------------------------------------------------


def flood(directory: Path, count: int, alerts: int) -> Figures:
    """Begin a daemon in a directory, flood it, end it, and count. Fails when it leaves a word of an error in its log."""
    desk, settings = directory / "desk", directory / "flood.toml"
    desk.mkdir(mode=0o700)
    (desk / "secrets.env").write_text(SECRETS)
    (desk / "secrets.env").chmod(0o600)
    settings.write_text(SETTINGS)
    with running(desk, *MORNING, "--config", settings) as daemon:
        before_kb, begun = _ready(daemon), monotonic()
        answered, told = asyncio.run(pass_through(daemon.port, count, alerts))
        seconds, after_kb = (monotonic() - begun) / 1e9, daemon.rss_kb
        assert daemon.stop() == 0
        assert "level=error" not in daemon.log
    signals, refused, drained = counted(desk)
    cuts = quantiles([ms for _, ms in told], n=100)
    acknowledged = sum(status == 201 for status, _ in told)
    memory = (before_kb, after_kb)
    return Figures(seconds, answered, acknowledged, cuts[49], cuts[98], memory, signals, refused, drained)


def _ready(daemon: Daemon) -> int:
    """What it holds after the calls that are replayed later were made for the first time."""
    for number in range(3):
        body = alert(-1 - number)
        answered, _ = asyncio.run(Caller(daemon.port).call(request("POST", "/webhook", body, KEYS.proof(body))))
        assert answered == 201
    return daemon.rss_kb


def counted(desk: Path) -> tuple[int, dict[str, int], int]:
    """What a journal says: signals, refused calls by reason and status, and in how many records those are counted."""
    signals, refused, drained = 0, Counter[str](), 0
    for _, record in records(desk):
        signals += sum(type(fact).__name__ == "SignalCreated" for fact in record.facts)
        if isinstance(record.input, CallsRefused):
            drained += 1
            for one in record.input.calls:
                refused[f"{one.reason} {one.status}"] += one.count
    return signals, dict(sorted(refused.items())), drained


def show(figures: Figures, count: int) -> None:
    """Print the figures."""
    print(f"{count:,} strangers in {figures.seconds:.1f} s: {count / figures.seconds:,.0f} calls/s beside the alerts")
    print(f"alerts acknowledged {figures.acknowledged:,}: p50 {figures.p50_ms:.1f} ms, p99 {figures.p99_ms:.1f} ms")
    print(f"signals {figures.signals:,}; memory {figures.held_kb[0]:,} kB before, {figures.held_kb[1]:,} kB after")
    for name, times in sorted(figures.answered.items()):
        print(f"  answered  {name:<32} {times:>8,}")
    for name, times in figures.refused.items():
        print(f"  journaled {name:<32} {times:>8,}")
    print(f"  in {figures.records} records of refused calls")


def main(words: list[str]) -> None:
    """Be the strangers, or measure what they do."""
    if words[:1] == ["--strangers"]:
        with contextlib.suppress(BrokenPipeError):
            asyncio.run(strangers(*map(int, words[1:])))
        return
    count, alerts = [*map(int, words), *(50_000, 1_000)[len(words) :]]
    with tempfile.TemporaryDirectory() as directory:
        show(flood(Path(directory), count, alerts), count)


if __name__ == "__main__":
    main(sys.argv[1:])
