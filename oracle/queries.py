"""Questions to the database: rows of the query tables, where a run stands, and what was given up.

They answer what the tables hold, so that the process at work can ask them of its own. Deliberately absent: whether the
tables are as far as the journal, which is `oracle.reading`'s.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oracle.directory import DataDirectory
from state.calendar import SECOND
from state.errors import BadUsage
from state.reason import REASONS, words
from state.tables import TABLES, reading, unusable

_TABLE_OF = {"trades": "fills"}
_LOOK_AT_MAX = 5
_LOOK_AT_S_MAX = 172_800
_SLIPS = json.dumps(["nothing_to_close", "nothing_to_resume", "nothing_to_requeue", "unknown_flag"])
"""Answers to what the operator asked in error: who asked was told, and nobody needs to look again."""

_BODY_SHOWN = 200
REQUEUE_S_MAX = 172_800
"""48 hours: for how long a refused signal certainly is in memory, and an alert can be read again."""
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
        yield connection
    except sqlite3.Error as failure:
        raise unusable(directory.database, failure) from failure
    finally:
        connection.close()


def rows(path: Path, name: str, *, limit: int, where: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The newest rows of a table, oldest first, that hold all the values asked for (`COLUMN=VALUE`).

    An empty value asks for rows where the column holds none. Raises BadUsage for a table that does not exist, and for
    a column that the table does not have.
    """
    table = next((one for one in TABLES if one.name == _TABLE_OF.get(name, name)), None)
    if table is None:
        raise BadUsage(f"there is no table {name!r}; there are: {', '.join(one.name for one in TABLES)}")
    conditions, values = [], []
    for asked in where:
        column, equals, value = asked.partition("=")
        if not equals or column not in table.names:
            raise BadUsage(f"{asked!r} is no COLUMN=VALUE; the columns of {name} are: {', '.join(table.names)}")
        conditions.append(f'"{column}" IS ?')
        values.append(value or None)
    kept = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    # Table and columns are names of this program's own, every value is bound.
    query = f'SELECT * FROM "{table.name}" {kept}ORDER BY rowid DESC LIMIT ?'  # noqa: S608
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


# -- where a run stands ---------------------------------------------------------------------------------------------


_LOOKS = """
    SELECT code, subject, seen_at, lsn, number FROM alerts
    WHERE seen_at >= ?1 AND code NOT IN (SELECT value FROM json_each(?3)) UNION ALL
    SELECT code, unit, seen_at, lsn, number FROM failures WHERE seen_at >= ?1
    ORDER BY seen_at DESC, lsn DESC, number DESC LIMIT ?2"""


def status(path: Path) -> dict[str, Any]:
    """Where a run stands after its last record: money, what is open, what is owed, what somebody should look at.

    That is the newest of the 48 hours before that record, newest first.
    """
    with connected(path) as connection:
        told = stood(connection, path)
        since = told["seen_at"] - _LOOK_AT_S_MAX * SECOND
        looks = connection.execute(_LOOKS, (since, _LOOK_AT_MAX, _SLIPS)).fetchall()
    return {**json.loads(told["figures"]), "look_at": [f"{one['code']} {one['subject']}" for one in looks]}


def stood(connection: sqlite3.Connection, path: Path) -> sqlite3.Row:
    """The row that says where a run stands. Raises BadUsage when there is none yet."""
    found = connection.execute("SELECT * FROM standing").fetchone()
    if not isinstance(found, sqlite3.Row):
        raise BadUsage(f"the database of {path} does not say where it stands: `oracle rebuild --data {path}` finds out")
    return found


# -- what was given up ----------------------------------------------------------------------------------------------


_RETRYABLE = json.dumps([code for code, reason in REASONS.items() if reason.retryable])
_SIGNALS_GIVEN_UP = """
    SELECT one.id, one.seen_at, one.symbol, one.reason AS code, substr(event.body, 1, ?1) AS body,
        coalesce(one.decided_at, one.seen_at) >= ?2
        AND NOT EXISTS (SELECT 1 FROM signals AS again WHERE again.requeued_from = one.id) AS requeueable
    FROM signals AS one LEFT JOIN events AS event ON event.id = one.event_id
    WHERE one.phase = 'failed' OR (one.phase = 'rejected' AND one.reason IN (SELECT value FROM json_each(?4)))
    ORDER BY one.rowid DESC LIMIT ?3"""
_EVENTS_GIVEN_UP = """
    SELECT one.id, one.seen_at, one.symbol, one.code, substr(one.body, 1, ?1) AS body,
        one.seen_at >= ?2 AND NOT EXISTS (
            SELECT 1 FROM events AS again
            WHERE again.seen_at >= one.seen_at AND again.lsn > one.lsn AND again.body = one.body) AS requeueable
    FROM events AS one WHERE one.status = 'error' ORDER BY one.rowid DESC LIMIT ?3"""


def deadletters(path: Path, limit: int = 50) -> list[dict[str, Any]]:
    """What was given up for a reason that may pass, the newest, oldest first: alerts, and signals refused or failed.

    Each with its reason in words, the beginning of its alert, and whether it may still be requeued: it is younger than
    48 hours and was not requeued yet.
    """
    with connected(path) as connection:
        since = stood(connection, path)["seen_at"] - REQUEUE_S_MAX * SECOND
        bound = (_BODY_SHOWN, since, limit)
        found = connection.execute(_SIGNALS_GIVEN_UP, (*bound, _RETRYABLE)).fetchall()
        found += connection.execute(_EVENTS_GIVEN_UP, bound).fetchall()
    newest = sorted(found, key=lambda one: (one["seen_at"], one["id"]))[-limit:]
    return [_given_up(one) for one in newest]


def _given_up(row: sqlite3.Row) -> dict[str, Any]:
    told = {name: row[name] for name in ("id", "seen_at", "symbol", "code")}
    return {**told, "text": words(row["code"]), "requeueable": bool(row["requeueable"]), "body": row["body"] or ""}


def alert_of(path: Path, event_id: str) -> tuple[str, str]:
    """(body, source) of an alert that was logged, as it was journaled. Raises BadUsage for an unknown id."""
    with connected(path) as connection:
        found = connection.execute("SELECT body, source FROM events WHERE id = ?", (event_id,)).fetchone()
    if found is None:
        raise BadUsage(f"there is no alert {event_id!r} in {path}; `oracle events` lists what there is")
    return found["body"], found["source"]
