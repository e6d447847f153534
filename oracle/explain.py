"""Finds everything that is known about one id, and has it told. Deliberately absent: the words, which are `story`'s."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from oracle import story
from oracle.moments import Case, Row
from oracle.queries import connected, plain
from state.errors import BadUsage

_TABLE_OF = {
    "evt": "events",
    "sig": "signals",
    "ord": "orders",
    "fil": "fills",
    "pos": "positions",
    "out": "outcomes",
}


def explain(path: Path, noun_id: str) -> dict[str, Any]:
    """What became of an id, its story in lines, and the rows it is told from. Raises BadUsage for an unknown id."""
    table = _TABLE_OF.get(noun_id.partition("-")[0])
    if table is None:
        raise BadUsage(f"{noun_id!r} is no id: ids look like {', '.join(f'{one}-000001' for one in _TABLE_OF)}")
    with connected(path) as connection:
        found = _select(connection, table, id=noun_id)
        if not found:
            raise BadUsage(f"there is no {noun_id} in {path}; `oracle {_command(table)}` lists what there is")
        case = _case(connection, table, found[0])
    rows = msgspec.to_builtins(case)
    return {"id": noun_id, "headline": story.headline(case, found[0]), "story": story.tell(case), "rows": rows}


def _command(table: str) -> str:
    return "trades" if table == "fills" else table


def _select(connection: sqlite3.Connection, table: str, **equal: Any) -> list[Row]:
    condition = " AND ".join(f'"{column}" = ?' for column in equal)
    # Table and columns are names of this program's own, every value is bound.
    query = f'SELECT * FROM "{table}" WHERE {condition} ORDER BY rowid'  # noqa: S608
    return [plain(row) for row in connection.execute(query, tuple(equal.values()))]


def _case(connection: sqlite3.Connection, table: str, row: Row) -> Case:
    """Follow the ids from any row to its position and its signals, and from those to everything else."""
    case = Case(events=[row] if table == "events" else [])
    signal_id = row["id"] if table == "signals" else row.get("signal_id")
    position_id = row["id"] if table == "positions" else row.get("position_id")
    if table == "events" and signal_id is not None:
        case.events = []
        position_id = next((one["position_id"] for one in _select(connection, "signals", id=signal_id)), None)
    signal_ids = [signal_id]
    if position_id is not None:
        case.positions = _select(connection, "positions", id=position_id)
        case.orders = _select(connection, "orders", position_id=position_id)
        case.fills = _select(connection, "fills", position_id=position_id)
        case.outcomes = _select(connection, "outcomes", position_id=position_id)
        signal_ids += [one["signal_id"] for one in case.orders]
    for one in dict.fromkeys(one for one in signal_ids if one is not None):
        _add_signal(connection, case, one)
    _add_looks(connection, case)
    return case


def _add_signal(connection: sqlite3.Connection, case: Case, signal_id: str) -> None:
    case.events += _select(connection, "events", signal_id=signal_id)
    case.signals += _select(connection, "signals", id=signal_id)
    case.verdicts += _select(connection, "verdicts", signal_id=signal_id)
    known = {one["id"] for one in case.orders}
    orders = [one for one in _select(connection, "orders", signal_id=signal_id) if one["id"] not in known]
    case.orders += orders
    case.fills += [fill for order in orders for fill in _select(connection, "fills", order_id=order["id"])]


def _add_looks(connection: sqlite3.Connection, case: Case) -> None:
    """What somebody should look at, about any noun of the case."""
    for row in (*case.events, *case.signals, *case.orders, *case.positions):
        case.alerts += _select(connection, "alerts", subject=row["id"])
        case.failures += _select(connection, "failures", unit=row["id"])
