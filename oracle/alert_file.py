"""Reads a file of alerts and operator asks, one JSON object a line, in the order they are to arrive."""

import gzip
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from oracle import instants
from oracle.masking import mask, mask_text
from rules.flags import FLAGS
from state.calendar import SECOND
from state.errors import BadUsage
from state.inputs import AlertReceived, AnyInput, Ask, OperatorAsked

BODY_BYTES_MAX = 128 * 1024
EPOCH_MS_MIN = 10**11
"""Numbers from here on are milliseconds: as seconds they would lie in the year 5138."""

_EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * SECOND
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * SECOND


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line: an instant, and an alert body (an object or text), positions to close, or another ask of the operator."""

    at: str | int
    body: msgspec.Raw = msgspec.Raw()
    source: str = "webhook"
    close: str | None = None
    ask: Ask | None = None
    about: str = ""
    reason: str = ""


_CLOSABLE = re.compile(r"all|pos-\d{6,}")
_FLAG = (re.compile("|".join(one.name for one in FLAGS)), "one of the flags: " + ", ".join(one.name for one in FLAGS))
_ABOUT = {
    Ask.CLOSE: (_CLOSABLE, "all, or a position such as pos-000001"),
    Ask.HALT: (re.compile(""), "nothing"),
    Ask.RESUME: (re.compile(""), "nothing"),
    Ask.FLAG_ON: _FLAG,
    Ask.FLAG_OFF: _FLAG,
    Ask.FLAG_CLEAR: _FLAG,
    Ask.REQUEUE: (re.compile(r"sig-\d{6,}"), "a signal such as sig-000001"),
}
"""What each ask may be about: its pattern, and its words for a line that is about something else."""

_DECODER = msgspec.json.Decoder(_Line)


def read(path: Path) -> list[tuple[int, tuple[AnyInput, ...]]]:
    """(instant in ns UTC, inputs that arrive at it) in ascending order; lines of one instant keep their order.

    Raises BadUsage naming the file, the line and the remedy. Secrets are masked here, as a listener would.
    """
    lines = sorted(_lines(path), key=lambda one: one[0])
    return [(at, tuple(told for _, told in group)) for at, group in groupby(lines, key=lambda one: one[0])]


def _lines(path: Path) -> Iterator[tuple[int, AnyInput]]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as refusal:
        raise BadUsage(f"{path} cannot be read: {refusal}") from refusal
    for number, raw in enumerate(content.split(b"\n"), 1):
        if raw.strip():
            yield _read_line(raw, f"{path}, line {number}")


def _read_line(raw: bytes, where: str) -> tuple[int, AnyInput]:
    try:
        line = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadUsage(f'{where}: {fault}; a line is like {{"at": "2026-02-13T15:30:00Z", "body": {{...}}}}') from fault
    at = _instant(line.at, where)
    if [bool(bytes(line.body)), line.close is not None, line.ask is not None].count(True) != 1:
        raise BadUsage(f"{where}: give either a body or close or ask, not two of them and not none")
    if line.close is not None:
        if not _CLOSABLE.fullmatch(line.close):
            raise BadUsage(f"{where}: {line.close!r} cannot be closed; name all, or a position such as pos-000001")
        return at, OperatorAsked(line.close, line.reason)
    if line.ask is not None:
        pattern, wanted = _ABOUT[line.ask]
        if not pattern.fullmatch(line.about):
            raise BadUsage(f"{where}: {line.ask} is about {wanted}, not {line.about!r}")
        return at, OperatorAsked(line.about, line.reason, line.ask)
    return at, AlertReceived(mask(_text(line.body, where)), mask_text(line.source))


def _text(body: msgspec.Raw, where: str) -> str:
    """The body as posted: the JSON text itself, or what a JSON string says."""
    raw = bytes(body)
    if len(raw) > BODY_BYTES_MAX:
        raise BadUsage(f"{where}: the body is larger than 128 KB")
    try:
        value: Any = msgspec.json.decode(raw) if raw.startswith(b'"') else raw.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise BadUsage(f"{where}: the body is no UTF-8 text: {fault}") from fault
    return str(value)


def _instant(at: str | int, where: str) -> int:
    instant = _epoch(at) if isinstance(at, int) else _written(at, where)
    if not _EARLIEST <= instant < _LATEST:
        raise BadUsage(f"{where}: {at!r} lies outside the years 1990 to 2100; write it like 2026-02-13T15:30:00Z")
    return instant


def _epoch(at: int) -> int:
    return at * (1_000_000 if abs(at) >= EPOCH_MS_MIN else SECOND)


def _written(at: str, where: str) -> int:
    try:
        return instants.parse(at)
    except BadUsage as fault:
        raise BadUsage(f"{where}: {fault}") from None
