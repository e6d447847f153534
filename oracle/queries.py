"""Questions a command asks of the database: rows of the query tables, and where a run stands."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from oracle.directory import DataDirectory
from state import keeping
from state.errors import BadUsage
from state.ledger import PAPER
from state.position import PositionPhase
from state.tables import TABLES, reading

_TABLE_OF = {"trades": "fills"}
_LOOK_AT_MAX = 5


def connect(path: Path) -> sqlite3.Connection:
    """A read-only connection to a run's database."""
    directory = DataDirectory(path)
    directory.must_have_database()
    return reading(directory.database)


def rows(path: Path, name: str, *, limit: int, where: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The newest rows of a table, oldest first, that hold all the values asked for (`COLUMN=VALUE`).

    Raises BadUsage for a column the table does not have.
    """
    table = _TABLE_OF.get(name, name)
    known = next(one for one in TABLES if one.name == table).names
    conditions, values = [], []
    for asked in where:
        column, equals, value = asked.partition("=")
        if not equals or column not in known:
            raise BadUsage(f"{asked!r} is no COLUMN=VALUE; the columns of {name} are: {', '.join(known)}")
        conditions.append(f'"{column}" = ?')
        values.append(value)
    kept = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    # Table and columns are names of this program's own, every value is bound.
    query = f'SELECT * FROM "{table}" {kept}ORDER BY rowid DESC LIMIT ?'  # noqa: S608
    with closing(connect(path)) as connection:
        found = connection.execute(query, (*values, limit)).fetchall()
    return [plain(row) for row in reversed(found)]


def plain(row: sqlite3.Row) -> dict[str, Any]:
    """A row with its JSON columns as values."""
    told = {}
    for key in row.keys():  # noqa: SIM118  A row iterates over its values.
        value = row[key]
        nested = isinstance(value, str) and value[:1] in ("[", "{") and key != "body"
        told[key] = json.loads(value) if nested else value
    return told


def status(path: Path) -> dict[str, Any]:
    """Where a run stands after its last record: money, what is open, what is owed, what somebody should look at."""
    with closing(connect(path)) as connection:
        kept = connection.execute("SELECT state FROM snapshots ORDER BY lsn DESC LIMIT 1").fetchone()
        if kept is None:
            raise BadUsage(f"{path} holds no snapshot: `oracle rebuild --data {path}` makes one")
        looks = connection.execute(
            "SELECT code, subject FROM alerts UNION ALL SELECT code, unit FROM failures LIMIT ?", (_LOOK_AT_MAX,)
        ).fetchall()
    portfolio = keeping.decode(kept[0])
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
        "orders_working": len(portfolio.working),
        "signals_undecided": len(portfolio.undecided),
        "closes_waiting": len(portfolio.asked),
        "look_at": [f"{code} {subject}" for code, subject in looks],
    }
