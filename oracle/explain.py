"""Finds everything that is known about one id, and has it told. Deliberately absent: the words, which are `story`'s."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from oracle import story
from oracle.moments import Case, Row, simulated
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
    """What became of an id, its story in lines, and the rows it is told from; whether they hold simulated prices.

    Raises BadUsage for an unknown id.
    """
    table = _TABLE_OF.get(noun_id.partition("-")[0])
    if table is None:
        raise BadUsage(f"{noun_id!r} is no id: ids look like {', '.join(f'{one}-000001' for one in _TABLE_OF)}")
    with connected(path) as connection:
        found = _select(connection, table, id=noun_id)
        if not found:
            raise BadUsage(f"there is no {noun_id} in {path}; `oracle {_command(table)}` lists what there is")
        case = _case(connection, table, found[0])
    rows = msgspec.to_builtins(case)
    return {
        "id": noun_id,
        "headline": story.headline(case, found[0]),
        "story": story.tell(case),
        "simulated": any(simulated(one) for kind in rows.values() for one in kind),
        "rows": rows,
    }


def _command(table: str) -> str:
    return "trades" if table == "fills" else table


def _select(connection: sqlite3.Connection, table: str, **equal: Any) -> list[Row]:
    condition = " AND ".join(f'"{column}" = ?' for column in equal)
    # Table and columns are names of this program's own, every value is bound.
    query = f'SELECT * FROM "{table}" WHERE {condition} ORDER BY rowid'  # noqa: S608
    return [plain(row) for row in connection.execute(query, tuple(equal.values()))]


def _case(connection: sqlite3.Connection, table: str, row: Row) -> Case:
    """Follow the ids from any row to its positions and its signals, and from those to everything else."""
    signal_id = row["id"] if table == "signals" else row.get("signal_id")
    case = Case(events=[row] if table == "events" and signal_id is None else [])
    signal_ids = _family(connection, signal_id) if signal_id is not None else []
    position_ids = [row["id"] if table == "positions" else row.get("position_id")]
    if table in ("events", "signals"):
        found = [one for each in signal_ids for one in _select(connection, "signals", id=each)]
        position_ids += [one["position_id"] for one in found]
    for one in dict.fromkeys(one for one in position_ids if one is not None):
        case.positions += _select(connection, "positions", id=one)
        case.orders += _select(connection, "orders", position_id=one)
        case.fills += _select(connection, "fills", position_id=one)
        case.outcomes += _select(connection, "outcomes", position_id=one)
    signal_ids += [one["signal_id"] for one in case.orders]
    for one in dict.fromkeys(one for one in signal_ids if one is not None):
        _add_signal(connection, case, one)
    _add_looks(connection, case)
    return case


def _family(connection: sqlite3.Connection, signal_id: str) -> list[str]:
    """A signal with all those it was requeued from, and those that were requeued from it, oldest first."""
    found = [signal_id]
    while (before := _select(connection, "signals", id=found[0])) and before[0]["requeued_from"] is not None:
        found.insert(0, before[0]["requeued_from"])
    while after := _select(connection, "signals", requeued_from=found[-1]):
        found.append(after[-1]["id"])
    return found


def _add_signal(connection: sqlite3.Connection, case: Case, signal_id: str) -> None:
    signals = _select(connection, "signals", id=signal_id)
    case.signals += signals
    events = _select(connection, "events", signal_id=signal_id)
    # A signal that was requeued has no alert of its own: it names the one it began with.
    events += [one for signal in signals for one in _select(connection, "events", id=signal["event_id"])]
    known = {one["id"] for one in (*case.events, *case.orders)}
    case.events += {one["id"]: one for one in events if one["id"] not in known}.values()
    case.verdicts += _select(connection, "verdicts", signal_id=signal_id)
    orders = [one for one in _select(connection, "orders", signal_id=signal_id) if one["id"] not in known]
    case.orders += orders
    case.fills += [fill for order in orders for fill in _select(connection, "fills", order_id=order["id"])]


def _add_looks(connection: sqlite3.Connection, case: Case) -> None:
    """What somebody should look at, about any noun of the case."""
    for row in (*case.events, *case.signals, *case.orders, *case.positions):
        case.alerts += _select(connection, "alerts", subject=row["id"])
        case.failures += _select(connection, "failures", unit=row["id"])
