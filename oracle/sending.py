"""Posts alerts to a webhook as their senders do, and follows what becomes of them.

Deliberately absent: judging an alert. A body goes out as it stands, and the door's answer is told as it came.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from oracle import alert_file, keys
from oracle.ask import Asker, looks
from oracle.keys import Keys
from oracle.layout import printable
from oracle.moments import SIMULATED_PRICES
from oracle.narrate import clock
from state.errors import BadUsage, OracleFailure
from state.inputs import AlertReceived

REPLY_S_MAX = 10.0
"""Seconds after which a sender gives up; well above the three that TradingView grants."""
DECIDED_S_MAX, ENDED_S_MAX = 30, 86_400
"""For how long, in seconds, an alert is followed to its first fill, and to its end."""

_ENDED = frozenset({"rejected", "decision_only", "failed", "expired"})
_DECIDED = _ENDED | {"queued", "awaiting_approval", "executed"}

Row = dict[str, Any]


class Reply(NamedTuple):
    """What a webhook answered: the HTTP status, and the JSON it told."""

    status: int
    told: Row

    @property
    def refused(self) -> bool:
        """True when the alert was not taken in."""
        return self.status >= 400

    def lines(self) -> list[str]:
        """The answer for people."""
        told = self.told
        ids = [str(told[one]) for one in ("signal_id", "webhook_event_id") if told.get(one)]
        said = [str(told[one]) for one in ("code", "error", "message") if told.get(one)]
        first = " ".join([str(self.status), str(told.get("status", "")), *ids]).rstrip()
        details = [f"  {one.get('field')}: {one.get('message')}" for one in told.get("details", ())]
        return [printable(one) for one in (": ".join([first, *said]), *details)]


# -- what is posted -------------------------------------------------------------------------------------------------


def composed(fields: Row) -> list[bytes]:
    """The one body of an alert of these fields, without those that hold nothing.

    Raises BadUsage unless it names a symbol and a direction.
    """
    if not (fields["symbol"] and fields["direction"]):
        raise BadUsage("name a FILE (- for standard input), or give --symbol and --direction")
    return [json.dumps({key: value for key, value in fields.items() if value}).encode()]


def bodies(path: Path) -> list[bytes]:
    """The bodies in a file, as they are to be posted: the whole of it, or every line of a `.jsonl`; `-` is standard input.

    A file of timed alerts, as a backtest takes it, is posted in the order of its instants, without waiting for them.
    Raises BadUsage when it cannot be read or holds nothing that could be posted.
    """
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as refusal:
        raise BadUsage(f"{path} cannot be read: {refusal.strerror}") from refusal
    if path.suffix != ".jsonl":
        found = [content]
    elif _timed(lines := [one for one in content.splitlines() if one.strip()]):
        found = [_posted(told, path) for _, group in alert_file.read(path) for told in group]
    else:
        found = lines
    if not any(one.strip() for one in found):
        raise BadUsage(f"{path} holds no alert to send")
    return found


def _timed(lines: list[bytes]) -> bool:
    try:
        told = json.loads(lines[0]) if lines else None
    except ValueError:
        return False
    return isinstance(told, dict) and "at" in told and not told.keys().isdisjoint({"body", "close", "ask"})


def _posted(told: object, path: Path) -> bytes:
    if not isinstance(told, AlertReceived):
        raise BadUsage(f"{path} also asks for something as the operator: a webhook takes alerts only, use oracle close")
    return told.body.encode()


# -- posting --------------------------------------------------------------------------------------------------------


def webhook_of(url: str) -> str:
    """The URL to post to: the address of a process stands for its webhook. Raises BadUsage for what is no URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadUsage(f"{url} is no address to send to: write it like http://127.0.0.1:8080")
    return parts._replace(path="/webhook").geturl() if parts.path in ("", "/") else url


def proven(data: Path, token: str | None) -> Keys:
    """What to prove an alert with: the token given, else the secrets of the environment or the data directory."""
    return keys.load(data, os.environ) if token is None else Keys(token=token.encode())


def post(url: str, body: bytes, proof: Keys) -> Reply:
    """Post one body with its proof; raises OracleFailure when nobody answers."""
    # A command that sends nothing does not load it.
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415

    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=REPLY_S_MAX)
    try:
        target = parts._replace(scheme="", netloc="").geturl()
        connection.request("POST", target, body, {"Content-Type": _kind_of(body), **proof.proof(body)})
        answer = connection.getresponse()
        return Reply(answer.status, _told(answer.read()))
    except (OSError, HTTPException) as failure:
        message = f"{url} does not answer ({failure})"
        raise OracleFailure(f"{message}: start oracle run there, or name another --url") from failure
    finally:
        connection.close()


def _kind_of(body: bytes) -> str:
    """As TradingView labels what it sends."""
    try:
        json.loads(body)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json"


def _told(answer: bytes) -> Row:
    try:
        told = json.loads(answer)
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {"error": answer.decode("utf-8", "replace")}


# -- what becomes of it ---------------------------------------------------------------------------------------------


class Trail:
    """One signal on its way: to its decision and first fill, or to the end, when its position is closed and scored."""

    def __init__(self, signal_id: str, *, to_the_end: bool) -> None:
        self.signal_id = signal_id
        self.done = False
        self.became: Row = {}
        self._to_the_end = to_the_end
        self._told: set[str] = set()

    @property
    def simulated(self) -> bool:
        """Whether it was told with prices of a simulated market."""
        return bool(self.became) and self.became["simulated"] is True

    def look(self, asker: Asker) -> Iterator[str]:
        """What happened since the last look, one line each."""
        self.became = asker.explain(self.signal_id)
        rows = self.became["rows"]
        (signal,) = (one for one in rows["signals"] if one["id"] == self.signal_id)
        since = clock(signal["received_at"])
        for line in self.became["story"]:
            # Indented lines are the details of `oracle explain`; a shared position has a story before this signal.
            if line not in self._told and not line.startswith(" ") and line >= since:
                self._told.add(line)
                yield line
        scored = any(one["position_id"] == signal["position_id"] for one in rows["outcomes"])
        self.done = scored or signal["phase"] in (_ENDED if self._to_the_end else _DECIDED)


class Sending:
    """Alerts on their way through one webhook. Without an asker, what becomes of them is not known here."""

    def __init__(self, url: str, proof: Keys, asker: Asker | None) -> None:
        self._url, self._proof, self._asker = url, proof, asker
        self._sent: list[tuple[Reply, Trail | None]] = []

    def send(self, found: Iterable[bytes], *, to_the_end: bool, timeout_s: float | None = None) -> Iterator[str]:
        """Post every body, then follow those that became signals; one line for each thing that happens.

        The last line says so when prices of a simulated market were told.
        Without a time to give up after it is `DECIDED_S_MAX`, or `ENDED_S_MAX` to the end.
        """
        for body in found:
            reply = post(self._url, body, self._proof)
            yield from reply.lines()
            followed = self._asker is not None and reply.told.get("status") == "ACCEPTED"
            self._sent.append((reply, Trail(reply.told["signal_id"], to_the_end=to_the_end) if followed else None))
        yield from self._follow(timeout_s if timeout_s is not None else ENDED_S_MAX if to_the_end else DECIDED_S_MAX)
        if any(trail.simulated for _, trail in self._sent if trail is not None):
            yield SIMULATED_PRICES

    @property
    def answers(self) -> list[Row]:
        """For every body the webhook's status and reply, and what became of its signal as `oracle explain` has it.

        `simulated` is true when that holds prices of a simulated market.
        """
        return [
            {
                "status": reply.status,
                "reply": reply.told,
                "simulated": trail is not None and trail.simulated,
                "became": trail.became if trail is not None else None,
            }
            for reply, trail in self._sent
        ]

    @property
    def failed(self) -> bool:
        """True when an alert was refused at the door, or was not done in its time."""
        return any(reply.refused for reply, _ in self._sent) or bool(self._left())

    def _left(self) -> list[Trail]:
        return [trail for _, trail in self._sent if trail is not None and not trail.done]

    def _follow(self, timeout_s: float) -> Iterator[str]:
        if self._asker is None:
            return
        for _ in looks(timeout_s):
            for trail in self._left():
                yield from trail.look(self._asker)
            if not self._left():
                return
        for trail in self._left():
            told = f"oracle explain {trail.signal_id} tells what follows"
            yield f"{trail.signal_id} is not done within {timeout_s:g} s; {told}"


def aimed(asker: Asker | None, data: Path, url: str | None) -> str:
    """The URL to post to: the one given, else that of the process at work. Raises OracleFailure when there is neither."""
    if url is not None:
        return webhook_of(url)
    if asker is None:
        raise OracleFailure(f"nothing runs on {data}: start it with oracle run --data {data}, or give --url")
    return webhook_of(asker.status()["url"])
