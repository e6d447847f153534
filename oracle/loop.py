"""The synchronous heart: one input becomes one record of that input and all its facts. No asyncio, clock or I/O here."""

from collections.abc import Callable
from typing import Protocol

from rules.decide import decide
from rules.settings import Settings
from state.errors import LawBroken
from state.inputs import AnyInput, ConfigAdopted
from state.portfolio import Portfolio
from state.record import SCHEMA, Record, encode


class Sink(Protocol):
    """Where records go to become durable: the journal's writer."""

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Take a record and return the LSN it will have."""
        ...


class Loop:
    """Owns the portfolio. `settings_of` reads the settings out of an adopted configuration's bytes."""

    def __init__(self, portfolio: Portfolio, sink: Sink, *, settings_of: Callable[[bytes], Settings]) -> None:
        self.portfolio = portfolio
        self._sink = sink
        self._settings_of = settings_of
        self._whole = True
        self.settings = settings_of(portfolio.config.body) if portfolio.config.body else Settings()

    def take(self, told: AnyInput, *, at: int) -> Record:
        """Take in one input seen at an instant (ns UTC), decide everything that follows, and hand the record on.

        Time never goes back: an instant before the last one counts as that one. Raises LawBroken, after which the
        process must end; nothing of the record may leave it before its LSN is durable.
        """
        if not self._whole:
            raise LawBroken(
                "an input before this one was not finished: memory is not what the journal holds; start again"
            )
        self._whole = False
        portfolio = self.portfolio
        seen_at = max(at, portfolio.now)
        portfolio.take_in(told, lsn=portfolio.lsn + 1, seen_at=seen_at)
        if isinstance(told, ConfigAdopted):
            self.settings = self._settings_of(told.body)
        record = Record(told, decide(portfolio, told, self.settings))
        portfolio.check()
        lsn = self._sink.submit(seen_at, type(told).__name__, schema=SCHEMA, payload=encode(record))
        if lsn != portfolio.lsn:
            raise LawBroken(f"the journal numbered record {portfolio.lsn} as {lsn}")
        self._whole = True
        return record
