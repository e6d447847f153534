"""Time until an alert is acknowledged, and alerts per second, each durable before its answer; beside a bare handler.

Run `python benchmarks/bench_webhook.py [directory]` from the root of the repository; the directory chooses the disk. The
callers are a process of their own that keeps its connections and speaks plain bytes; so are the whole daemon, which judges
every alert as well, and the bare handler of the same HTTP library, which parses the JSON, answers, and keeps nothing.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aiohttp import web

from benchmarks.figures import Part, Table, at_most, tell
from benchmarks.machine import sync_ms
from oracle import ask

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "a-token-for-measuring"  # noqa: S105  It opens nothing but the door of this measurement.

CONNECTIONS = (1, 16, 64)
ALERTS_PER_ROUND = {1: 1_000, 16: 4_000, 64: 4_000}
ROUNDS = 5
BEGUN = int(time.time())
WORDS = f"""\
Callers in a process of their own keep their connections and send the next alert when the last is answered; the whole daemon
judges every alert as well, and answers once its record is durable. No market is behind it, so that every signal ends refused
for want of prices; repeated alerts are not looked for, and only errors are logged. Bare: a handler of the same HTTP library that parses the JSON
and answers, and keeps nothing. Callers and servers share {os.cpu_count()} cores. The aim is twice the p99 of the bare handler
and one `fdatasync`, both of the same run."""


class Measured(NamedTuple):
    """What callers saw: milliseconds until half and 99 % of the answers, and answers per second."""

    p50_ms: float
    p99_ms: float
    per_s: float


# -- callers, in a process of their own -----------------------------------------------------------------------------


def alert(number: int) -> bytes:
    """The bytes of one call; fifty symbols, every call an alert of its own."""
    body = json.dumps(
        {
            "symbol": f"SYM{chr(65 + number % 50 // 10)}{chr(65 + number % 10)}",
            "direction": "long",
            "timeframe": "5m",
            "timestamp": BEGUN - number,
            "price": 595.42,
            "confidence": 75,
            "indicators": {"ema8": 595.10, "ema21": 594.80, "atr": 1.25},
        }
    ).encode()
    head = f"POST /webhook HTTP/1.1\r\nHost: localhost\r\nX-Webhook-Token: {TOKEN}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Caller(asyncio.Protocol):
    """One connection: sends the next alert when the last is answered, and notes how long each took."""

    def __init__(self, calls: list[bytes]) -> None:
        self.calls, self.spent_s = calls, []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport
        self.next()

    def next(self) -> None:
        """Send one more, or be done."""
        if not self.calls:
            self.transport.close()
            self.done.set_result(None)
            return
        self.answer, self.begun = b"", time.perf_counter()
        self.transport.write(self.calls.pop())

    def data_received(self, data: bytes) -> None:
        """An answer is whole with the bracket of its JSON."""
        self.answer += data
        if self.answer.endswith(b"}"):
            self.spent_s.append(time.perf_counter() - self.begun)
            if not self.answer.startswith(b"HTTP/1.1 20"):
                raise SystemExit(f"an alert was not taken: {self.answer!r}")
            self.next()


async def call(port: int, connections: int, first: int) -> Measured:
    """Send a round of alerts over so many connections."""
    count = ALERTS_PER_ROUND[connections]
    calls = [alert(first + number) for number in range(count)]
    callers = [Caller(calls[own::connections]) for own in range(connections)]
    loop, start = asyncio.get_running_loop(), time.perf_counter()
    for one in callers:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)
    await asyncio.gather(*[one.done for one in callers])
    spent_s = time.perf_counter() - start
    cuts = quantiles([1_000 * one for caller in callers for one in caller.spent_s], n=100)
    return Measured(cuts[49], cuts[98], count / spent_s)


async def called(port: int, connections: int, first: int) -> Measured:
    """What another process measures that calls here."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--call", str(port), str(connections), str(first)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    return Measured(*json.loads(said))


# -- what is called -------------------------------------------------------------------------------------------------


async def serve_bare() -> None:
    """The least the HTTP library costs: parse the JSON, answer. Prints its port and goes on until killed."""

    async def answer(request: web.Request) -> web.Response:
        told = json.loads(await request.read())
        return web.json_response({"status": "ACCEPTED", "symbol": told["symbol"]})

    application = web.Application()
    application.router.add_post("/webhook", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def served(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that serves while the block runs."""
    process = subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def daemon(data: Path) -> Iterator[int]:
    """The port of a daemon without a market: every signal is judged, and refused for that."""
    words = ("-m", "cli", "run", "--data", str(data), "--port", "0", "--config", str(quiet(data)))
    with served(*words, WEBHOOK_TOKEN=TOKEN) as process:
        while (status := ask.reached(data)) is None:
            time.sleep(0.1)
        yield status.status()["port"]
        process.stderr.close()


def quiet(data: Path) -> Path:
    """A configuration without a line of log per decision, and under which no alert repeats another."""
    path = data.with_suffix(".toml")
    path.write_text('[log]\nlevel = "error"\n[intake]\nduplicate_window_s = 0\n', "utf-8")
    return path


class Found(NamedTuple):
    """Medians over the rounds: what callers of either server saw, and one `fdatasync` between them."""

    bare: Measured
    ours: Measured
    sync_ms: float


async def measured(directory: Path) -> dict[int, Found]:
    """What was found for each number of connections."""
    with served(__file__, "--bare") as bare, daemon(directory / "data") as our_port:
        bare_port = int(bare.stdout.readline())
        return {connections: await in_turns(directory, bare_port, our_port, connections) for connections in CONNECTIONS}


async def in_turns(directory: Path, bare_port: int, our_port: int, connections: int) -> Found:
    """Both servers and the disk, round by round. No alert of any round repeats another."""
    bare, ours, syncs = [], [], []
    first = sum(ROUNDS * ALERTS_PER_ROUND[one] for one in CONNECTIONS if one < connections)
    for turn in range(ROUNDS):
        number = first + turn * ALERTS_PER_ROUND[connections]
        bare.append(await called(bare_port, connections, number))
        ours.append(await called(our_port, connections, number))
        syncs.append(sync_ms(directory))
    medians = (Measured(*(median(column) for column in zip(*seen, strict=True))) for seen in (bare, ours))
    return Found(*medians, median(syncs))


def measure() -> Part:
    """The table, and the aim that follows from the bare handler and the disk of the same run."""
    chosen = next((one for one in sys.argv[1:] if not one.startswith("-")), None)
    with tempfile.TemporaryDirectory(dir=chosen) as directory:
        found = asyncio.run(measured(Path(directory)))
    rows = tuple(
        (f"{name}, {connections}", f"{one.p50_ms:.2f}", f"{one.p99_ms:.2f}", f"{one.per_s:,.0f}", sync)
        for connections, both in found.items()
        for name, one, sync in (("bare", both.bare, ""), ("oracle", both.ours, f"{both.sync_ms:.3f}"))
    )
    aims = (
        at_most(f"p99, connections: {n}", round(2 * both.bare.p99_ms + both.sync_ms, 2), both.ours.p99_ms, " ms")
        for n, both in found.items()
    )
    head = ("connections", "p50, ms", "p99, ms", "alerts a second", "one fdatasync, ms")
    return Part("Alerts", WORDS, (Table(f"Median of {ROUNDS} rounds", head, rows),), tuple(aims))


def main() -> None:
    """Call somebody, be called, or measure both."""
    if sys.argv[1:2] == ["--call"]:
        print(json.dumps(asyncio.run(call(*map(int, sys.argv[2:])))))
        return
    if sys.argv[1:2] == ["--bare"]:
        asyncio.run(serve_bare())
        return
    tell(measure)


if __name__ == "__main__":
    main()
