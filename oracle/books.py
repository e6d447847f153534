"""Keeps the database in step with the journal while the process runs: query tables after each batch, snapshots now and then.

The journal is the truth: when the database refuses, the process goes on, says so, and tries again.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice

from oracle.inbox import within
from state.errors import LawBroken, OracleFailure
from state.inputs import AlertReceived
from state.portfolio import Portfolio
from state.projecting import Projector
from state.record import Record
from state.snapshots import Store
from state.standing import standing_of
from state.tables import Projected

SNAPSHOT_RECORDS = 20_000
"""Records between two snapshots, which a restart after a crash would have to fold: about a second."""

WAITING_MAX = 50_000
WAITING_BYTES_MAX = 64 * 2**20
"""Records, and bytes of alerts, whose rows are kept while the database refuses; beyond them the next start fills the tables."""

_BATCH_MAX = 2_000
_RETRY_S = 1.0
_GATHER_S = 0.05


class Books:
    """The rows of records that are not in the tables yet. For one event loop; `run` writes them until cancelled."""

    trouble: OracleFailure | None
    """What the database refused, until it takes rows again."""
    broken: LawBroken | None
    """A law that was broken on the way to the tables: the process must end."""

    def __init__(self, store: Store, portfolio: Portfolio, *, snapshot_records: int = SNAPSHOT_RECORDS) -> None:
        self._store, self._portfolio = store, portfolio
        self._projector = Projector()
        self._rows: deque[Projected] = deque()
        self._sizes: deque[int] = deque()
        self._durable = (portfolio.lsn, b"")
        self._wake, self._asked = asyncio.Event(), asyncio.Event()
        self._turn = asyncio.Lock()
        self._readers: list[tuple[int, asyncio.Future[None]]] = []
        self._snapshot_records, self._snapshot_lsn = snapshot_records, portfolio.lsn
        self._bytes, self._full = 0, False
        self.trouble, self.broken = None, None
        self.kept: Callable[[], None] = lambda: None
        """Called after a snapshot was kept."""

    def hear(self, record: Record, seen_at: int) -> None:
        """Note what a record changes, right after the portfolio folded it."""
        size = len(record.input.body) if isinstance(record.input, AlertReceived) else 0
        if self._full or len(self._rows) >= WAITING_MAX or self._bytes + size > WAITING_BYTES_MAX:
            # From here on there would be a gap: the next start fills it from the journal.
            self._full = True
            return
        self._rows.append(self._projector.project(self._portfolio, record, seen_at))
        self._sizes.append(size)
        self._bytes += size

    def release(self, durable: tuple[int, bytes]) -> None:
        """Let the rows of all records up to a durable LSN be written; `durable` is that LSN and the digest there."""
        self._durable = durable
        self._wake.set()

    async def written(self, lsn: int) -> None:
        """Return once the tables hold everything up to a durable record. Raises OracleFailure while they cannot."""
        refused = self.broken or self.trouble
        if refused is not None:
            raise refused
        if self._full:
            raise OracleFailure("the database refused for too long and lacks records: start again, which fills it")
        if self._store.applied_lsn < lsn:
            reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._readers.append((lsn, reader))
            self._asked.set()
            self._wake.set()
            await reader

    async def run(self) -> None:
        """Write what is durable, until cancelled or a law is broken."""
        while True:
            await self._wake.wait()
            # What becomes durable shortly after is written with it, unless somebody waits for his rows.
            if not self._readers:
                await within(_GATHER_S, self._asked.wait())
            self._wake.clear()
            self._asked.clear()
            try:
                await self._flush()
                if self._portfolio.lsn - self._snapshot_lsn >= self._snapshot_records:
                    await self._snapshot()
                self.trouble = None
            except Exception as failure:  # noqa: BLE001  Whatever ends this must end the process, or readers wait for ever.
                if isinstance(failure, LawBroken) or not isinstance(failure, OracleFailure):
                    self.broken = LawBroken(f"the query tables could not follow: {failure!r}; report this")
                    self._answer(self.broken)
                    return
                self.trouble = failure
                self._answer(failure)
                await asyncio.sleep(_RETRY_S)
                self._wake.set()

    async def close(self) -> None:
        """Write the last rows and a snapshot; everything must be durable. Raises OracleFailure when it is refused."""
        await self._flush()
        if self._store.applied_lsn == self._portfolio.lsn > self._snapshot_lsn:
            await self._snapshot()

    async def _flush(self) -> None:
        async with self._turn:
            lsn, chain = self._durable
            while ready := self._ready(lsn):
                last = ready[-1].lsn
                # Inside a batch that is not the last, the digest is not known; the next one tells it.
                await self._store.write(
                    ready,
                    chain if last == lsn else None,
                    standing=standing_of(self._portfolio) if last == self._portfolio.lsn else None,
                )
                for _ in ready:
                    self._rows.popleft()
                    self._bytes -= self._sizes.popleft()
                self._answer(None)
        self._answer(None)

    def _ready(self, lsn: int) -> list[Projected]:
        """The next rows of records up to one that is durable."""
        return [one for one in islice(self._rows, _BATCH_MAX) if one.lsn <= lsn]

    async def _snapshot(self) -> None:
        """Keep a snapshot when the portfolio is exactly where the tables are; at a busy moment the next flush tries."""
        lsn, chain = self._durable
        if self._portfolio.lsn == self._store.applied_lsn == lsn:
            await self._store.save_snapshot(self._portfolio, chain)
            self._snapshot_lsn = lsn
            self.kept()

    def _answer(self, failure: OracleFailure | None) -> None:
        waiting, self._readers = self._readers, []
        for lsn, reader in waiting:
            if reader.done():
                continue
            if failure is not None:
                reader.set_exception(failure)
            elif lsn <= self._store.applied_lsn:
                reader.set_result(None)
            else:
                self._readers.append((lsn, reader))
