"""Asks the process that works on a data directory: one call at a time over the Unix socket it keeps there.

Deliberately absent: anything asynchronous, and reading files when no process answers; loading it costs a few milliseconds.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote, urlencode

from oracle.clock import SECOND, monotonic
from state.errors import OracleFailure

SOCKET = "oracle.sock"
ANSWER_S_MAX = 10.0
"""Seconds after which a process is given up that does not answer; moving the clock may take any time."""

READ_S_MAX = 2.0
"""The same for questions that the files of its directory can answer as well."""

_PATH_BYTES_MAX = 103
"""The longest path of a Unix socket that every system takes."""

_LATE = (TimeoutError, BlockingIOError)
"""What the system says of a process that does not answer, and of one whose queue of connections is full."""

_OPEN_FILES = Path("/proc/self/fd")
_LOOK_S = 0.1

Row = dict[str, Any]


class Silent(OracleFailure):
    """A process holds the socket of a directory and does not answer in time: it is stopped, stuck or very busy."""


@contextmanager
def socket_path(directory: Path) -> Iterator[str]:
    """A path of the socket in a data directory that is short enough to bind or connect while the block runs.

    Raises OracleFailure when the directory cannot be opened, or its path is too long and the system knows no shorter one.
    """
    path = str(directory / SOCKET)
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield path
        return
    if not _OPEN_FILES.is_dir():
        raise OracleFailure(f"{path} is too long for a socket: name a data directory with a shorter path")
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(_OPEN_FILES / str(opened) / SOCKET)
    finally:
        os.close(opened)


def reached(directory: Path, answer_s_max: float = ANSWER_S_MAX) -> "Asker | None":
    """The process that works on a data directory, or None when there is none; its answers are waited for so long.

    Raises Silent when it takes no question, OracleFailure when the socket cannot be asked.
    """
    asker = Asker(directory, answer_s_max)
    try:
        asker.connected(answer_s_max).close()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except _LATE as failure:
        raise asker.silent() from failure
    except OSError as refusal:
        message = f"{directory / SOCKET} cannot be asked: {refusal.strerror or refusal}"
        raise OracleFailure(f"{message}; ask as the user who runs the process, or try again") from refusal
    return asker


def demanded(directory: Path) -> "Asker":
    """The process that works on a data directory; raises OracleFailure when there is none."""
    asker = reached(directory)
    if asker is None:
        raise OracleFailure(f"nothing runs on {directory}: start it with oracle run --data {directory}")
    return asker


def looks(seconds: float) -> Iterator[None]:
    """Now, and again and again until so many seconds have passed: for who asks until an answer is there."""
    until = monotonic() + round(seconds * SECOND)
    yield
    while (left := until - monotonic()) > 0:
        Event().wait(min(left / SECOND, _LOOK_S))
        yield


class Asker:
    """One process at work. Each question is a connection of its own.

    Every method raises the failure that the process itself met, Silent when it does not answer in time, and
    OracleFailure when it goes away unheard.
    """

    def __init__(self, directory: Path, answer_s_max: float = ANSWER_S_MAX) -> None:
        self._directory, self._answer_s_max = directory, answer_s_max

    def status(self) -> Row:
        """Where the run stands, and how its process fares."""
        found: Row = self.get("/status")
        return found

    def rows(self, name: str, *, limit: int, where: tuple[str, ...] = ()) -> list[Row]:
        """As `oracle.queries.rows`."""
        asked = urlencode([("limit", limit), *(("where", one) for one in where)])
        found: list[Row] = self.get(f"/rows/{quote(name, safe='')}?{asked}")
        return found

    def explain(self, noun_id: str) -> Row:
        """As `oracle.explain.explain`."""
        found: Row = self.get(f"/explain/{quote(noun_id, safe='')}")
        return found

    def deadletters(self, limit: int) -> list[Row]:
        """What failed and what may be tried again, newest last."""
        found: list[Row] = self.get(f"/deadletters?limit={limit}")
        return found

    def flags(self) -> list[Row]:
        """Every switch: its name, whether it is on, who set it, and what it means."""
        found: list[Row] = self.get("/flags")
        return found

    def ask(self, ask: str, *, about: str = "", words: str = "") -> Row:
        """Ask for something as the operator; the record is durable when this returns: `lsn`, `seen_at`, `facts`."""
        found: Row = self.post("/ask", {"ask": ask, "about": about, "words": words})
        return found

    def requeue(self, event_id: str) -> Row:
        """Have an event's body received once more; as `ask`."""
        found: Row = self.post("/requeue", {"event_id": event_id})
        return found

    def move(self, instant: int) -> Row:
        """Move a stepped clock to an instant (ns UTC): `now` and `lsn` once everything due by then is durable."""
        found: Row = self._answer("POST", "/clock", {"to": instant}, None)
        return found

    def get(self, target: str) -> Any:
        """The answer to a question."""
        return self._answer("GET", target, None, self._answer_s_max)

    def post(self, target: str, told: Row) -> Any:
        """The answer to something told."""
        return self._answer("POST", target, told, self._answer_s_max)

    def silent(self) -> Silent:
        """The failure of a process that does not answer in time."""
        return Silent(f"the process that works on {self._directory} did not answer in {self._answer_s_max:g} s")

    def connected(self, answer_s_max: float | None) -> socket.socket:
        """A connection; raises OSError as the system does, and None waits as long as it takes."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(answer_s_max)
            with socket_path(self._directory) as path:
                connection.connect(path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _answer(self, method: str, target: str, told: Row | None, answer_s_max: float | None) -> Any:
        # It costs more to load than all the rest, and where no process is up nobody needs it.
        from http.client import HTTPConnection, HTTPException  # noqa: PLC0415

        connection = HTTPConnection("oracle")
        body = None if told is None else json.dumps(told).encode()
        try:
            connection.sock = self.connected(answer_s_max)
            connection.request(method, target, body, {"Content-Type": "application/json", "Connection": "close"})
            answer = connection.getresponse()
            status, said = answer.status, json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as failure:
            raise self._unheard(method, failure) from failure
        finally:
            connection.close()
        if status >= 400:
            raise _failure(said, status)
        return said

    def _unheard(self, method: str, failure: Exception) -> OracleFailure:
        taken = "" if method == "GET" else "; what it was asked may have been taken: look with oracle status"
        if isinstance(failure, _LATE):
            return Silent(f"{self.silent()}{taken}")
        gone = f"the process that works on {self._directory} went away while it was asked"
        return OracleFailure(f"{gone} ({failure!r}){taken}")


def _failure(said: Any, status: int) -> OracleFailure:
    """The failure that the process told of, as it would have been raised here."""
    told = said if isinstance(said, dict) else {}
    kinds: tuple[type[OracleFailure], ...] = (OracleFailure, *OracleFailure.__subclasses__())
    kind = next((one for one in kinds if one.exit_code == told.get("exit_code")), OracleFailure)
    return kind(str(told.get("error", f"the process answered {status}: {said}")))
