"""The operator's log: one line per decision and per event of the process, on standard error, after the fact is durable.

The journal is the story; this is what scrolls by. A log that cannot be written stops nothing.
"""

import contextlib
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog

from oracle.inbox import Taken
from oracle.narrate import sentence
from state.facts import AnyFact, subject_of
from state.reason import REASONS

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format`: text for people or json for machines. `level`: the least grave line that is written."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Log:
    """Lines of one process on one stream."""

    def __init__(self, settings: LogSettings, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._least = _LEVELS[settings.level]
        render: Any = structlog.processors.JSONRenderer()
        if settings.format == "text":
            render = structlog.processors.LogfmtRenderer(
                key_order=("time", "level", "event", "id", "code"), drop_missing=True
            )
        self._logger = structlog.wrap_logger(
            structlog.WriteLogger(self._stream), processors=[render], wrapper_class=structlog.BoundLogger
        )

    def event(self, name: str, *, level: str = "info", **fields: Any) -> None:
        """One line about the process."""
        if _LEVELS[level] < self._least:
            return
        with contextlib.suppress(OSError, ValueError):
            # Whoever read the log may be gone.
            self._logger.info(name, level=level, **fields)

    def decided(self, taken: Taken) -> None:
        """One line per conclusion of a durable record that means something to a person."""
        for fact in taken.record.facts:
            words = sentence(fact)
            if words is not None:
                self._decision(taken, fact, words)

    def _decision(self, taken: Taken, fact: AnyFact, words: str) -> None:
        code = getattr(fact, "code", None) or getattr(fact, "reason", None)
        reason = REASONS.get(code or "")
        self.event(
            type(fact).__name__,
            level=str(reason.severity) if reason is not None else "info",
            time=_iso(taken.seen_at),
            lsn=taken.lsn,
            id=subject_of(fact),
            words=words,
            **({} if code is None else {"code": code}),
        )


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
