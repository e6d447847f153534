"""The operator's log: one line per decision and per event of the process, on standard error, after the fact is durable.

The journal is the story; this is what scrolls by. A log that cannot be written stops nothing.
"""

import contextlib
import queue
import sys
import threading
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog

from oracle.inbox import Taken
from oracle.narrate import sentence
from state.facts import AnyFact, subject_of
from state.reason import REASONS

_LINES_MAX = 10_000
_CLOSE_S = 1.0
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format`: text for people or json for machines. `level`: the least grave line that is written."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Log:
    """Lines of one process on one stream. They are written by a thread of their own until `close`.

    Whoever should read them may be stalled: beyond a bound lines are dropped, and counted, rather than waited for.
    """

    market: str | None = None
    """What prices are, where that must be said with every decision."""

    def __init__(self, settings: LogSettings, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._least = _LEVELS[settings.level]
        self._render: Any = structlog.processors.JSONRenderer()
        if settings.format == "text":
            self._render = structlog.processors.LogfmtRenderer(
                key_order=("time", "level", "event", "id", "code"), drop_missing=True
            )
        self._lines: queue.Queue[str | None] = queue.Queue(_LINES_MAX)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def event(self, name: str, *, level: str = "info", **fields: Any) -> None:
        """One line about the process."""
        if _LEVELS[level] < self._least:
            return
        if self._lost:
            fields["lines_lost"] = self._lost
        try:
            self._lines.put_nowait(self._render(None, level, {"level": level, "event": name, **fields}))
            self._lost = 0
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Write what waits, as far as somebody reads it within a moment."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(_CLOSE_S)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            # Whoever read the log may be gone.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(f"{line}\n")
                self._stream.flush()

    def decided(self, taken: Taken) -> None:
        """One line per conclusion of a durable record that means something to a person."""
        for fact in taken.record.facts:
            code = getattr(fact, "code", None) or getattr(fact, "reason", None)
            reason = REASONS.get(code or "")
            level = str(reason.severity) if reason is not None else "info"
            # Most of what is decided need not be put into words where only graver lines are written.
            words = sentence(fact) if _LEVELS[level] >= self._least else None
            if words is not None:
                self._decision(taken, fact, level=level, words=words)

    def _decision(self, taken: Taken, fact: AnyFact, *, level: str, words: str) -> None:
        code = getattr(fact, "code", None) or getattr(fact, "reason", None)
        self.event(
            type(fact).__name__,
            level=level,
            time=_iso(taken.seen_at),
            lsn=taken.lsn,
            id=subject_of(fact),
            words=words,
            **({} if code is None else {"code": code}),
            **({} if self.market is None else {"market": self.market}),
        )


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
