"""Real `oracle run` processes for tests: each in a process of its own, called over its port and its socket, ended by a signal.

>>> with running(tmp_path / "desk", "--simulate", "1") as daemon:
...     daemon.post({"symbol": "SPY", "direction": "long", "timeframe": "5m"}).status
201
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from oracle.ask import Asker, looks
from oracle.directory import DataDirectory
from oracle.stored import export_lines
from state.disk import Disk
from state.record import Record, decode
from state.segments import read
from tests.conftest import ROOT

READY_S_MAX = 60
"""Far longer than a start takes: a process that needs it hangs."""
ENDED_S_MAX = 30
SEGMENT_BYTES = 32 * 2**20
SMALL = f"[journal]\nsegment_bytes = {SEGMENT_BYTES}\n"
"""The smallest journal files that may be configured, so that directories stay small."""

_OWN = ("ORACLE_DATA", "WEBHOOK_TOKEN", "HMAC_SECRET", "WEBHOOK_REPLAY_URL", "NOTIFY_SOCKET")
_READY = re.compile(r"event=ready url=(\S+)")


class Reply(NamedTuple):
    """What a call was answered: its status, and the JSON it told."""

    status: int
    told: dict[str, Any]


class Line:
    """One connection to a port that stays open from call to call. Raises OSError or HTTPException when it is cut."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """One call and its answer."""
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        return Reply(answer.status, json.loads(answer.read()))

    def post(self, body: dict[str, Any] | str) -> Reply:
        """Post an alert: an object, or its text."""
        text = body if isinstance(body, str) else json.dumps(body)
        return self.call("POST", "/webhook", text.encode())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class Daemon:
    """One process on a data directory, from its start on."""

    def __init__(self, data: Path, *words: str | Path, entry: tuple[str, ...] = ("cli",)) -> None:
        """Start it, on a port of its own and with small journal files; it is not ready yet."""
        self.data, self.asker, self.port = data, Asker(data), 0
        self._log = data.parent / f"{data.name}.log"
        self._log.touch()
        self._begun = self._log.stat().st_size
        small = data.parent / "small.toml"
        if "--config" not in map(str, words):
            small.write_text(SMALL, "utf-8")
            words = (*words, "--config", small)
        command = [sys.executable, "-m", *entry, "run", "--data", data, "--port", "0", *words]
        environment = {name: value for name, value in os.environ.items() if name not in _OWN}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(one) for one in command],
                cwd=ROOT,
                env={**environment, "PYTHONPATH": str(ROOT)},
                stderr=log,
                stdout=subprocess.DEVNULL,
            )

    @property
    def log(self) -> str:
        """What this process has said on standard error."""
        return self._log.read_bytes()[self._begun :].decode()

    def wait_ready(self) -> "Daemon":
        """Return once it takes alerts; fails when it ends instead."""
        for _ in looks(READY_S_MAX):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.log}"
            if (found := _READY.search(self.log)) is not None:
                self.port = urlsplit(found[1]).port or 0
                break
        assert self.get("/health").status == 200
        return self

    # -- while it runs ------------------------------------------------------------------------------------------------

    def get(self, path: str) -> Reply:
        """One GET on a connection of its own."""
        return self._call("GET", path)

    def post(self, body: dict[str, Any] | str) -> Reply:
        """Post one alert on a connection of its own."""
        return self._call("POST", "/webhook", (body if isinstance(body, str) else json.dumps(body)).encode())

    def rows(self, name: str, *where: str) -> list[dict[str, Any]]:
        """Rows of a query table."""
        return self.asker.rows(name, limit=10_000, where=where)

    def until(self, name: str, *where: str) -> list[dict[str, Any]]:
        """The rows of a query table once there are any; fails when there never are."""
        for _ in looks(20):
            if found := self.rows(name, *where):
                return found
        raise AssertionError(f"no {name} where {where}: {self.rows(name)}")

    @property
    def rss_kb(self) -> int:
        """Memory it holds now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmRSS:\s+(\d+) kB", lines)[1])  # type: ignore[index]

    def line(self) -> Line:
        """A connection that stays open; to be closed by who asks for it."""
        return Line(self.port)

    def _call(self, method: str, path: str, body: bytes | None = None) -> Reply:
        line = self.line()
        try:
            return line.call(method, path, body)
        finally:
            line.close()

    # -- its end ------------------------------------------------------------------------------------------------------

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Its exit code once it has ended, by itself or not; it never leaves a traceback."""
        code = self.process.wait(ENDED_S_MAX)
        assert "Traceback" not in self.log, self.log
        return code

    def kill(self) -> None:
        """End it without a chance to do anything."""
        self.stop(signal.SIGKILL)


@contextmanager
def running(data: Path, *words: str | Path, entry: tuple[str, ...] = ("cli",)) -> Iterator[Daemon]:
    """A process that takes alerts, killed at the end of the block if it still runs."""
    daemon = Daemon(data, *words, entry=entry)
    try:
        yield daemon.wait_ready()
    finally:
        if daemon.process.poll() is None:
            daemon.kill()


def refused(data: Path, *words: str | Path) -> tuple[int, str]:
    """(exit code, what it said) of a process that ends instead of starting."""
    daemon = Daemon(data, *words)
    try:
        return daemon.ended(), daemon.log
    finally:
        daemon.kill()


# -- what a process left ----------------------------------------------------------------------------------------------


def records(data: Path, from_lsn: int = 1) -> Iterator[tuple[int, Record]]:
    """(LSN, record) of everything a directory's journal holds."""
    for body in read(Disk(), DataDirectory(data).journal, from_lsn=from_lsn):
        yield body.lsn, decode(body.payload, body.schema)


def exported(data: Path) -> list[str]:
    """The facts of a directory's journal, as `oracle journal export --facts` prints them."""
    return list(export_lines(data, facts_only=True))
