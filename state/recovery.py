"""A snapshot and the journal after it become the portfolio again, and the query tables catch up with it.

It only folds what was recorded and never decides, so that a new version of the rules cannot rewrite what an old one did.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from state import keeping, segments
from state.applying import apply
from state.disk import Disk
from state.errors import BadUsage
from state.frames import GENESIS, Body, Scan, chained, encode_body, encode_content
from state.portfolio import Portfolio
from state.projecting import Projector
from state.record import Record, decode
from state.snapshots import Snapshot, Store
from state.standing import standing_of
from state.tables import Projected

_RECORDS_PER_WRITE = 512


class History(msgspec.Struct, frozen=True):
    """A journal as recovery reads it; for the process that writes it, after `Journal.open` has mended its tail.

    `last` is the segment that `Journal.hand_over` gave: it is not read and verified once more.
    """

    disk: Disk
    path: Path
    last: Scan | None = None

    def chained(self, from_lsn: int = 1) -> Iterator[tuple[Body, bytes]]:
        """Records from an LSN on, in order, verified, each with the digest after it. Raises as `segments.read` does."""
        last = self._last_from(from_lsn)
        for scan in segments.scans(self.disk, self.path, from_lsn=from_lsn) if last is None else (last,):
            for body in segments.bodies_of(scan, from_lsn=from_lsn):
                yield body, scan.chain_at(body.lsn)

    def chain_at(self, lsn: int) -> bytes | None:
        """The digest after a record; None when the journal does not reach that far."""
        last = self._last_from(lsn)
        if last is not None:
            return last.chain_at(lsn) if lsn <= last.last_lsn else None
        try:
            return segments.chain_at(self.disk, self.path, lsn=lsn)
        except BadUsage:
            return None

    def _last_from(self, lsn: int) -> Scan | None:
        """The segment handed over, when all records from an LSN on are in it."""
        return self.last if self.last is not None and lsn >= self.last.header.first_lsn else None


class Recovered(msgspec.Struct, frozen=True):
    """What a recovery came to: the portfolio, and the journal's digest after its last record.

    It began with the snapshot at record `snapshot_lsn` (0: none) and folded `folded` records. `ignored` says in words
    what of the database could not be used.
    """

    portfolio: Portfolio
    chain: bytes
    snapshot_lsn: int
    folded: int
    ignored: tuple[str, ...]


def fold(portfolio: Portfolio, body: Body) -> Record:
    """Let the portfolio live through one record again; raises JournalDamaged or LawBroken when it cannot be."""
    record = decode(body.payload, body.schema)
    portfolio.take_in(record.input, lsn=body.lsn, seen_at=body.seen_at)
    for fact in record.facts:
        apply(portfolio, fact)
    portfolio.check()
    return record


async def recover(history: History, store: Store | None = None) -> Recovered:
    """The portfolio at the journal's end, from the newest usable snapshot and the records after it.

    The query tables and where the run stands are brought to the same record. Without a store, everything is folded from the first record.
    """
    ignored: list[str] = []
    portfolio, chain = Portfolio(), GENESIS
    if store is not None:
        if store.applied_chain is None or history.chain_at(store.applied_lsn) != store.applied_chain:
            lsn = store.applied_lsn
            ignored.append(f"the query tables at record {lsn} are not known to be this journal's: made again")
            await store.clear()
        portfolio, chain = await _newest(history, store, ignored)
    begun = portfolio.lsn
    chain = await _go_on(portfolio, chain, history.chained(begun + 1), store)
    return Recovered(portfolio, chain, begun, portfolio.lsn - begun, tuple(ignored))


async def rebuild(store: Store, bodies: Iterable[Body]) -> Portfolio:
    """Every query table from the first record on, and one fresh snapshot; `bodies` is the whole journal."""
    await store.clear()
    portfolio = Portfolio()
    chain = await _go_on(portfolio, GENESIS, _chained(bodies), store)
    await store.save_snapshot(portfolio, chain)
    return portfolio


async def _newest(history: History, store: Store, ignored: list[str]) -> tuple[Portfolio, bytes]:
    """The portfolio of the newest usable snapshot, and its digest; an empty one when there is none."""
    # A later snapshot would leave a gap in the query tables.
    limit = store.applied_lsn
    while (kept := await store.latest_snapshot(limit)) is not None:
        try:
            return _opened(history, kept), kept.chain
        except ValueError as fault:
            ignored.append(f"the snapshot at record {kept.lsn} was not used: {fault}")
            limit = kept.lsn - 1
    return Portfolio(), GENESIS


def _opened(history: History, kept: Snapshot) -> Portfolio:
    """The portfolio of a snapshot. Raises ValueError saying why it cannot be used."""
    if kept.schema != keeping.STATE_SCHEMA:
        raise ValueError(f"it is of schema {kept.schema}, this version reads {keeping.STATE_SCHEMA}")
    if history.chain_at(kept.lsn) != kept.chain:
        raise ValueError("the journal has another record there, or none")
    if not kept.intact:
        raise ValueError("its bytes are not those that were written")
    try:
        portfolio = keeping.decode(kept.state)
    except msgspec.MsgspecError as fault:
        raise ValueError(f"its bytes cannot be read ({fault})") from fault
    if portfolio.lsn != kept.lsn:
        raise ValueError(f"it holds the portfolio of record {portfolio.lsn}")
    return portfolio


def _chained(bodies: Iterable[Body]) -> Iterator[tuple[Body, bytes]]:
    """All records of a journal, each with the digest after it."""
    chain = GENESIS
    for body in bodies:
        content = encode_content(body.seen_at, body.kind, schema=body.schema, payload=body.payload)
        chain = chained(chain, encode_body(body.lsn, content))
        yield body, chain


async def _go_on(
    portfolio: Portfolio, chain: bytes, records: Iterable[tuple[Body, bytes]], store: Store | None
) -> bytes:
    """Fold records, write their rows in batches, and return the digest after the last; `chain` is the one before them."""
    projector = Projector()
    waiting: list[Projected] = []
    for body, digest in records:
        record, chain = fold(portfolio, body), digest
        if store is not None and body.lsn > store.applied_lsn:
            waiting.append(projector.project(portfolio, record, body.seen_at))
            if len(waiting) == _RECORDS_PER_WRITE:
                await store.write(waiting, chain)
                waiting.clear()
    if store is not None:
        await store.write(waiting, chain, standing=standing_of(portfolio))
    return chain
