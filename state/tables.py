"""The query tables: their shape, derived from the nouns, and a connection to read them.

They hold nothing that the journal does not, so they are never the truth. Deliberately absent: the rows a record changes
(`state.projecting`) and writing them (`state.snapshots`), so that a command that only reads pays for no more than it
needs.
"""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import date
from enum import Enum
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec.structs import replace

from state.contract import Contract
from state.errors import BadUsage, OracleFailure
from state.facts import Alerted, AlertLogged, EntriesHalted, FlagSet, UnitFailed
from state.fill import Fill
from state.order import Order
from state.outcome import Outcome
from state.position import Position
from state.signal import Signal, Verdict

APPLICATION_ID = 0x6F72636C
"""The letters `orcl` in the header of the database file."""

INTEGER, TEXT = "INTEGER", "TEXT"


class Column(msgspec.Struct, frozen=True, dict=True):
    """One column: its SQL type, whether it always holds a value, and where in its noun that stands, and as what."""

    name: str
    kind: str
    required: bool
    path: str
    convert: Callable[[Any], Any] | None

    @cached_property
    def read(self) -> Callable[[Any], Any]:
        """What reads it off a noun; an absent value is not converted."""
        get, convert = attrgetter(self.path), self.convert
        return get if convert is None else lambda noun: None if (value := get(noun)) is None else convert(value)


class Table(msgspec.Struct, frozen=True):
    """One query table. A row is what its record says (`lead`) and what its noun says (`columns`), in this order."""

    name: str
    lead: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, in the order of a row."""
        return (*(name for name, _ in self.lead), *(one.name for one in self.columns))

    def creation(self) -> tuple[str, ...]:
        """The statements that make the table and its indexes."""
        lines = [f'"{name}" {kind} NOT NULL' for name, kind in self.lead]
        lines += [f'"{one.name}" {one.kind}{" NOT NULL" if one.required else ""}' for one in self.columns]
        lines.append(f"PRIMARY KEY ({_quoted(self.key)})")
        table = f'CREATE TABLE "{self.name}" (\n  ' + ",\n  ".join(lines) + "\n) STRICT"
        return table, *(f'CREATE INDEX "{self.name}_by_{one}" ON "{self.name}" ("{one}")' for one in self.indexes)

    def upsert(self) -> str:
        """The statement that writes a row over the one with its key; the place of the first write is kept."""
        changed = ", ".join(f'"{name}" = excluded."{name}"' for name in self.names if name not in self.key)
        places = ", ".join("?" * len(self.names))
        # Every name comes from a struct's field, every value is bound.
        into = f'INSERT INTO "{self.name}" ({_quoted(self.names)}) VALUES ({places})'  # noqa: S608
        return f"{into} ON CONFLICT ({_quoted(self.key)}) DO UPDATE SET {changed}"


class Row(NamedTuple):
    """One row of a table, not yet read off its noun: of the rows with one key only the last need ever be."""

    table: Table
    key: object
    noun: object
    lead: tuple[object, ...]

    def values(self) -> tuple[Any, ...]:
        """What is to stand in the columns of the table, in their order."""
        return (*self.lead, *[one.read(self.noun) for one in self.table.columns])


class Projected(msgspec.Struct, frozen=True, gc=False):
    """What one record changes in the tables, later rows over earlier ones."""

    lsn: int
    rows: tuple[Row, ...]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


# -- from a struct to columns ---------------------------------------------------------------------------------------


_CONTRACT: tuple[tuple[str, str, Callable[[Contract], Any]], ...] = (
    ("occ", TEXT, lambda one: one.occ),
    ("underlying", TEXT, lambda one: one.underlying),
    ("root", TEXT, lambda one: one.root),
    ("expiry", TEXT, lambda one: one.expiry.isoformat()),
    ("right", TEXT, lambda one: str(one.right)),
    ("strike", INTEGER, lambda one: one.strike),
)


def columns_of(noun: type[msgspec.Struct]) -> tuple[Column, ...]:
    """The columns of a noun: one per field, those of a contract and of every noun it always holds in its place.

    A held noun's column that is named like one of the holder's gets the field's name in front. Tuples and nouns that
    may be absent become JSON text with field names, contracts in them OCC symbols.
    """
    hints = get_type_hints(noun)
    taken = set(noun.__struct_fields__)
    found: list[Column] = []
    for name in noun.__struct_fields__:
        kind, required = _bare(hints[name])
        if kind is Contract:
            found += [Column(at, sql, required, name, read) for at, sql, read in _CONTRACT]
        elif required and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            found += [
                replace(one, name=f"{name}_{one.name}" if one.name in taken else one.name, path=f"{name}.{one.path}")
                for one in columns_of(kind)
            ]
        else:
            sql, convert = _stored(kind)
            found.append(Column(name, sql, required, name, convert))
    return tuple(found)


def _bare(hint: Any) -> tuple[Any, bool]:
    """(the type without None, whether it always holds a value)."""
    if isinstance(hint, UnionType) and NoneType in get_args(hint):
        kinds = [one for one in get_args(hint) if one is not NoneType]
        return kinds[0], False
    return hint, True


def _stored(kind: Any) -> tuple[str, Callable[[Any], Any] | None]:
    """The SQL type of a plain Python type, and the conversion into it where there must be one."""
    if kind in (int, bool):
        return INTEGER, None if kind is int else int
    if kind is date:
        return TEXT, date.isoformat
    if isinstance(kind, type) and issubclass(kind, str):
        return TEXT, None if kind is str else str
    return TEXT, lambda value: msgspec.json.encode(_named(value)).decode()


def _named(value: Any) -> Any:
    """Nested values with the names of their fields, for JSON."""
    match value:
        case Contract():
            return value.occ
        case msgspec.Struct():
            return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
        case tuple():
            return [_named(one) for one in value]
        case Enum():
            return value.value
        case _:
            return value


# -- the tables -----------------------------------------------------------------------------------------------------


_SEEN = (("lsn", INTEGER), ("seen_at", INTEGER))
_NUMBERED = (*_SEEN, ("number", INTEGER))
_PRICED = (*_SEEN, ("market_source", TEXT))
"""Whose prices a noun without a field for them was last changed on."""
_LOGGED = tuple(replace(one, name="id") if one.name == "event_id" else one for one in columns_of(AlertLogged))
_REFUSED = (
    ("since", INTEGER),
    ("reason", TEXT),
    ("status", INTEGER),
    ("count", INTEGER),
    ("first", TEXT),
    ("last", TEXT),
)

EVENTS = Table(
    "events",
    (*_SEEN, ("source", TEXT), ("request_id", TEXT), ("body", TEXT)),
    _LOGGED,
    ("id",),
    ("seen_at", "status", "signal_id"),
)
SIGNALS = Table("signals", _SEEN, columns_of(Signal), ("id",), ("phase", "symbol", "received_at", "requeued_from"))
VERDICTS = Table(
    "verdicts", (*_NUMBERED, ("signal_id", TEXT)), columns_of(Verdict), ("lsn", "signal_id", "number"), ("signal_id",)
)
ORDERS = Table("orders", _PRICED, columns_of(Order), ("id",), ("phase", "signal_id", "position_id", "underlying"))
FILLS = Table("fills", _SEEN, columns_of(Fill), ("id",), ("order_id", "position_id", "filled_at"))
POSITIONS = Table("positions", _SEEN, columns_of(Position), ("id",), ("phase", "underlying", "expiry", "signal_id"))
OUTCOMES = Table("outcomes", _PRICED, columns_of(Outcome), ("id",), ("position_id", "signal_id", "closed_at"))
ALERTS = Table("alerts", _NUMBERED, columns_of(Alerted), ("lsn", "number"), ("seen_at", "subject"))
FAILURES = Table("failures", _NUMBERED, columns_of(UnitFailed), ("lsn", "number"), ("seen_at", "unit"))
# Its columns are those of an input that carries the market too: naming them keeps the market out of every reading.
CALLS = Table("calls", (*_NUMBERED, *_REFUSED), (), ("lsn", "number"), ("seen_at", "reason"))
HALTS = Table("halts", (*_NUMBERED, ("kind", TEXT)), columns_of(EntriesHalted), ("lsn", "number"), ("seen_at", "code"))
FLAGS = Table("flags", _NUMBERED, columns_of(FlagSet), ("lsn", "number"), ("seen_at", "name"))

TABLES = (EVENTS, SIGNALS, VERDICTS, ORDERS, FILLS, POSITIONS, OUTCOMES, ALERTS, FAILURES, CALLS, HALTS, FLAGS)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), applied_lsn INTEGER NOT NULL, chain TEXT) STRICT",
        "INSERT INTO meta VALUES (1, 0, NULL)",
        """CREATE TABLE snapshots (lsn INTEGER PRIMARY KEY, chain TEXT NOT NULL, schema INTEGER NOT NULL,
           seen_at INTEGER NOT NULL, digest TEXT NOT NULL, state BLOB NOT NULL) STRICT""",
        """CREATE TABLE standing (one INTEGER PRIMARY KEY CHECK (one = 1), lsn INTEGER NOT NULL,
           seen_at INTEGER NOT NULL, figures TEXT NOT NULL, config TEXT NOT NULL) STRICT""",
        *(statement for table in TABLES for statement in table.creation()),
    ),
)
"""The statements of each version of the database, in order; `user_version` counts those applied.

The query tables follow the nouns. When those change, the next version drops the tables, creates them again and sets
`applied_lsn` to 0: the journal fills them at the next start.
"""


# -- reading --------------------------------------------------------------------------------------------------------


def reading(path: Path) -> sqlite3.Connection:
    """A read-only connection to a database, for commands; rows are read by column name.

    Raises BadUsage when there is none, or none of this program and version.
    """
    if not path.is_file():
        raise BadUsage(f"there is no database {path}; `oracle rebuild` makes it from the journal")
    # Without its log nobody has the database open; read as what cannot change, it leaves no files of SQLite's behind.
    quiet = "" if Path(f"{path}-wal").exists() else "&immutable=1"
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{quiet}", uri=True, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        application, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        check_header(path, application, version)
        if version != len(MIGRATIONS):
            raise BadUsage(f"{path} is of version {version}, older than this program; start it, or `oracle rebuild`")
    except sqlite3.Error as failure:
        connection.close()
        raise unusable(path, failure) from failure
    except BadUsage:
        connection.close()
        raise
    return connection


def check_header(path: Path, application: int, version: int) -> None:
    """Raise BadUsage unless a database file is one of this program, of a version it knows."""
    if application != APPLICATION_ID:
        raise BadUsage(f"{path} is a database of another program; nothing was changed, name another path")
    if version > len(MIGRATIONS):
        message = f"{path} was written by a newer version ({version}, this one knows {len(MIGRATIONS)})"
        raise BadUsage(f"{message}; update oracle, or remove the file and run `oracle rebuild`")


def unusable(path: Path, failure: sqlite3.Error | OSError) -> OracleFailure:
    """What SQLite or the disk refused, with the remedy that always exists."""
    message = f"the database {path} could not be used: {failure}; the journal is unharmed"
    return OracleFailure(f"{message}: check the disk, or remove the file and run `oracle rebuild`")
