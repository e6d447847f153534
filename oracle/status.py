"""What a process at work tells of itself beside the figures of its portfolio: clock, disk, door, and what is in the way."""

import asyncio
from collections.abc import Iterator
from typing import Any

from oracle import queries
from oracle.beginning import Job, Setting
from oracle.clock import SECOND, FasterClock, StepClock
from oracle.heart import STORAGE_LOW, Heart
from oracle.version import code_version
from state import standing
from state.calendar import Phase
from state.errors import OracleFailure
from state.inputs import MarketKind
from state.reason import words
from state.writer import Writer

_NO_MARKET = (
    "no market is configured: every signal is refused market_data_unavailable; "
    "start with --simulate SPEED for an invented one"
)
_LOOPBACK_ONLY = "no secret is set: the webhook listens to this machine only; `oracle init` makes a token"
_BY_HAND = "the clock stands until it is moved: oracle clock --to ISO"


class Status:
    """The state of one process. Figures are told only once everything they count is durable."""

    url = ""
    mode: str = ""

    def __init__(self, job: Job, where: Setting, heart: Heart, writer: Writer) -> None:
        self._job, self._where, self._heart, self._writer = job, where, heart, writer
        self._port = 0
        self._has_secret = False

    def listens(self, host: str, port: int, *, has_secret: bool) -> None:
        """Note where the webhook is."""
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/webhook"
        self._port, self._has_secret = port, has_secret

    def health(self) -> dict[str, Any]:
        """Whether alerts can be taken now, and the names of what is in the way: nothing a stranger may not know."""
        ready = not self._writer.storage_low and self._writer.failure is None and not self._heart.stopping
        return {
            "ready": ready,
            "status": "ok" if ready else "unavailable",
            "mode": self.mode,
            "market": str(self._where.market.kind),
            "blockers": [name for name, _ in self._blockers()],
        }

    def words(self) -> str:
        """What is in the way, in one line."""
        return "; ".join(said for _, said in self._blockers())

    async def told(self) -> dict[str, Any]:
        """Everything `oracle status` shows. Raises DiskFailed when what it counts is lost."""
        figures, live = standing.figures(self._heart.portfolio), self._live()
        lsn = self._heart.portfolio.lsn
        await self._heart.durable(lsn)
        try:
            await self._heart.settled()
            look_at = (await asyncio.to_thread(queries.status, self._job.data))["look_at"]
        except OracleFailure as failure:
            look_at = []
            live["blockers"].append({"name": "database", "words": str(failure)})
        return {**figures, **live, "look_at": look_at}

    def _live(self) -> dict[str, Any]:
        clock, writer, heart = self._where.clock, self._writer, self._heart
        now = clock.now()
        return {
            "mode": self.mode,
            "clock": "by hand"
            if isinstance(clock, StepClock)
            else "faster"
            if isinstance(clock, FasterClock)
            else "wall",
            "speed": self._job.simulate,
            "now": now,
            **self._next_open(now),
            "last_tick_at": heart.last_cycle_at or None,
            "tick_age_s": (now - heart.last_cycle_at) // SECOND if heart.last_cycle_at else None,
            "cycles": heart.cycles,
            "cycle_us": heart.cycle_ns // 1_000,
            "alerts": heart.alerts,
            "journal_lag_records": writer.last_lsn - writer.durable_lsn,
            "journal_bytes_today": heart.bytes_today,
            "storage": "low" if writer.storage_low else "ok",
            "inbox": heart.waiting,
            "blockers": [{"name": name, "words": said} for name, said in self._blockers()],
            "url": self.url,
            "port": self._port,
            "code_version": code_version(),
        }

    def _next_open(self, now: int) -> dict[str, int]:
        """When the market opens, while it is closed."""
        calendar = self._heart.portfolio.calendar
        if calendar is None or not calendar.covers(now) or calendar.phase(now) is Phase.RTH:
            return {}
        return {"next_open_at": calendar.next_open(now)}

    def _blockers(self) -> Iterator[tuple[str, str]]:
        """(name, words) of everything that keeps alerts from becoming trades."""
        portfolio = self._heart.portfolio
        if self._where.market.kind is MarketKind.NONE:
            yield "no_market", _NO_MARKET
        for halt in portfolio.halts.values():
            yield halt.code, f"{words(halt.code)}{f' ({halt.words})' if halt.words else ''}"
        if self._writer.storage_low and "storage_low" not in portfolio.halts:
            yield "storage_low", STORAGE_LOW
        if not self._has_secret:
            yield "no_secret", _LOOPBACK_ONLY
        if isinstance(self._where.clock, StepClock):
            yield "clock_by_hand", _BY_HAND
        yield from self._stale()

    def _stale(self) -> Iterator[tuple[str, str]]:
        """What is watched in regular hours and has no fresh price."""
        portfolio, now = self._heart.portfolio, self._where.clock.now()
        calendar = portfolio.calendar
        if calendar is None or self._where.market.kind is MarketKind.NONE or not calendar.covers(now):
            return
        if calendar.phase(now) is not Phase.RTH:
            return
        oldest_s = self._heart.settings.gates.spot_age_s_max
        watched = {symbol for (symbol, _), until in portfolio.watches.items() if until >= now}
        spots = portfolio.market.spots
        stale = sorted(one for one in watched if one not in spots or now - spots[one].at > oldest_s * SECOND)
        if stale:
            yield "market_stale", f"no price younger than {oldest_s} s of {', '.join(stale[:5])}"
