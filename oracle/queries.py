"""Questions a command asks of the database: rows of the query tables, and where a run stands."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from oracle.directory import DataDirectory
from state import keeping, money
from state.disk import Disk
from state.errors import BadUsage
from state.frames import HEADER_BYTES, decode_header
from state.ledger import PAPER
from state.portfolio import Portfolio
from state.position import Position, PositionPhase
from state.segments import scans
from state.tables import TABLES, reading, unusable

_TABLE_OF = {"trades": "fills"}
_LOOK_AT_MAX = 5
NESTED = frozenset(
    {"errors", "warnings", "contributing", "verdicts", "recommendation", "exit_reasons", "reasons", "flags"}
)
"""The columns that hold JSON; all other text is text, whatever it begins with."""


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a run's database while the block runs.

    Raises BadUsage when there is no run or no database, OracleFailure when SQLite refuses what is asked of it.
    """
    directory = DataDirectory(path)
    directory.must_have_database()
    connection = reading(directory.database)
    try:
        (applied,) = connection.execute("SELECT applied_lsn FROM meta").fetchone()
        _check_in_step(directory, applied)
        yield connection
    except sqlite3.Error as failure:
        raise unusable(directory.database, failure) from failure
    finally:
        connection.close()


def _check_in_step(directory: DataDirectory, applied: int) -> None:
    """Raise BadUsage when the journal holds records that the tables do not: the run was cut short, or is going on.

    A run that ended well wrote its tables first and sealed its journal, so that a sealed one is not read again.
    """
    newest = max(directory.journal.glob("*.seg"), default=None)
    if newest is None:
        return
    with newest.open("rb") as file:
        head = file.read(HEADER_BYTES)
    try:
        sealed = newest.stat().st_size < decode_header(head).allocated_bytes
    except ValueError:
        sealed = False
    if sealed:
        return
    last = max((one.last_lsn for one in scans(Disk(), directory.journal, from_lsn=applied + 1)), default=0)
    if last > applied:
        behind = f"{directory.database} is {last - applied} records behind its journal"
        raise BadUsage(f"{behind}: the run was cut short; `oracle rebuild --data {directory.root}` catches up")


def rows(path: Path, name: str, *, limit: int, where: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The newest rows of a table, oldest first, that hold all the values asked for (`COLUMN=VALUE`).

    An empty value asks for rows where the column holds none. Raises BadUsage for a column the table does not have.
    """
    table = _TABLE_OF.get(name, name)
    known = next(one for one in TABLES if one.name == table).names
    conditions, values = [], []
    for asked in where:
        column, equals, value = asked.partition("=")
        if not equals or column not in known:
            raise BadUsage(f"{asked!r} is no COLUMN=VALUE; the columns of {name} are: {', '.join(known)}")
        conditions.append(f'"{column}" IS ?')
        values.append(value or None)
    kept = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    # Table and columns are names of this program's own, every value is bound.
    query = f'SELECT * FROM "{table}" {kept}ORDER BY rowid DESC LIMIT ?'  # noqa: S608
    with connected(path) as connection:
        found = connection.execute(query, (*values, limit)).fetchall()
    return [plain(row) for row in reversed(found)]


def plain(row: sqlite3.Row) -> dict[str, Any]:
    """A row with its JSON columns as values."""
    told = {}
    for key in row.keys():  # noqa: SIM118  A row iterates over its values.
        value = row[key]
        told[key] = json.loads(value) if key in NESTED and value is not None else value
    return told


def status(path: Path) -> dict[str, Any]:
    """Where a run stands after its last record: money, what is open, what is owed, what somebody should look at."""
    with connected(path) as connection:
        newest = "SELECT schema, state FROM snapshots ORDER BY lsn DESC LIMIT 1"
        kept = connection.execute(newest).fetchone()
        looks = connection.execute(
            "SELECT code, subject, seen_at FROM alerts UNION ALL SELECT code, unit, seen_at FROM failures "
            "ORDER BY seen_at DESC LIMIT ?",
            (_LOOK_AT_MAX,),
        ).fetchall()
    if kept is None or kept["schema"] != keeping.STATE_SCHEMA:
        raise BadUsage(f"{path} holds no snapshot this version can read: `oracle rebuild --data {path}` makes one")
    try:
        portfolio = keeping.decode(kept["state"])
    except msgspec.MsgspecError as fault:
        raise BadUsage(f"the snapshot in {path} cannot be read ({fault}): `oracle rebuild --data {path}`") from fault
    ledger, value = portfolio.ledgers[PAPER], portfolio.book.value(PAPER)
    live = [one for one in portfolio.live_positions() if one.book == PAPER]
    today = ledger.days.get(portfolio.day) if portfolio.day is not None else None
    equity = ledger.cash + value
    return {
        "market": portfolio.market.source,
        "last_seen_at": portfolio.now,
        "record": portfolio.lsn,
        "config": portfolio.config.digest[:12],
        "equity": equity,
        "cash": ledger.cash,
        "marks": value,
        "today_pnl": equity - today.equity_start if today is not None else 0,
        "today_entries": today.entries_filled if today is not None else 0,
        "realized_net": ledger.realized_net,
        "unrealized": value - ledger.cost_open,
        "commission": ledger.commission,
        "positions_open": len(live),
        "positions_closing": sum(one.phase is PositionPhase.CLOSING for one in live),
        "orders_working": sum(one.book == PAPER for one in portfolio.working_orders()),
        "signals_undecided": sum(portfolio.signals[one].book == PAPER for one in portfolio.undecided),
        "closes_waiting": sum(one.close_asked is not None for one in live),
        "positions": [_held(portfolio, one) for one in live],
        "look_at": [f"{one['code']} {one['subject']}" for one in looks],
    }


def _held(portfolio: Portfolio, position: Position) -> dict[str, Any]:
    """One position as it is marked; `mark` is null until a quote was seen."""
    mark, mark_at = portfolio.book.mark_of(position.id)
    value = money.notional(mark, position.quantity_open)
    return {
        "id": position.id,
        "seen_at": portfolio.now,
        "occ": position.contract.occ,
        "expiry": position.contract.expiry.isoformat(),
        "quantity": position.quantity_open,
        "cost_open": position.cost_open,
        "mark": mark if mark_at else None,
        "mark_at": mark_at or None,
        "value": value,
        "unrealized": value - position.cost_open,
        "target": position.target,
        "stop": position.stop,
        "phase": str(position.phase),
    }
