"""Everything that is known about one id, told in order, with its figures computed again from the fills."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from oracle import narrate
from oracle.narrate import clock, percent, usd
from oracle.queries import connect, plain
from state.errors import BadUsage
from state.reason import words
from state.signal import Verdict

_TABLE_OF = {
    "evt": "events",
    "sig": "signals",
    "ord": "orders",
    "fil": "fills",
    "pos": "positions",
    "out": "outcomes",
}

Row = dict[str, Any]


class Case(msgspec.Struct):
    """All rows that belong to one id's story."""

    events: list[Row] = []
    signals: list[Row] = []
    verdicts: list[Row] = []
    orders: list[Row] = []
    fills: list[Row] = []
    positions: list[Row] = []
    outcomes: list[Row] = []


def explain(path: Path, noun_id: str) -> dict[str, Any]:
    """The story of an id in lines, and the rows it is told from. Raises BadUsage for an id nobody gave out."""
    table = _TABLE_OF.get(noun_id.partition("-")[0])
    if table is None:
        raise BadUsage(f"{noun_id!r} is no id: ids look like {', '.join(f'{one}-000001' for one in _TABLE_OF)}")
    with closing(connect(path)) as connection:
        found = _select(connection, table, id=noun_id)
        if not found:
            raise BadUsage(f"there is no {noun_id} in {path}; `oracle {_command(table)}` lists what there is")
        case = _case(connection, table, found[0])
    return {"id": noun_id, "story": _story(case), "rows": msgspec.to_builtins(case)}


def _command(table: str) -> str:
    return "trades" if table == "fills" else table


def _select(connection: sqlite3.Connection, table: str, **equal: Any) -> list[Row]:
    condition = " AND ".join(f'"{column}" = ?' for column in equal)
    # Table and columns are names of this program's own, every value is bound.
    query = f'SELECT * FROM "{table}" WHERE {condition} ORDER BY rowid'  # noqa: S608
    return [plain(row) for row in connection.execute(query, tuple(equal.values()))]


def _case(connection: sqlite3.Connection, table: str, row: Row) -> Case:
    """Follow the ids from any row to its position and its signals, and from those to everything else."""
    if table == "events" and row["signal_id"] is None:
        return Case(events=[row])
    position_id = row["id"] if table == "positions" else row.get("position_id")
    signal_ids = [row["id"] if table == "signals" else row.get("signal_id")]
    case = Case()
    if position_id is not None:
        case.positions = _select(connection, "positions", id=position_id)
        case.orders = _select(connection, "orders", position_id=position_id)
        case.fills = _select(connection, "fills", position_id=position_id)
        case.outcomes = _select(connection, "outcomes", position_id=position_id)
        signal_ids += [one["signal_id"] for one in case.orders]
    for signal_id in dict.fromkeys(one for one in signal_ids if one is not None):
        case.events += _select(connection, "events", signal_id=signal_id)
        case.signals += _select(connection, "signals", id=signal_id)
        case.verdicts += _select(connection, "verdicts", signal_id=signal_id)
        if position_id is None:
            case.orders += _select(connection, "orders", signal_id=signal_id)
            case.fills += [fill for order in case.orders for fill in _select(connection, "fills", order_id=order["id"])]
    return case


# -- telling --------------------------------------------------------------------------------------------------------


def _story(case: Case) -> list[str]:
    """All parts in the order in which they began; what belongs to one part stays together."""
    parts: list[tuple[int, list[str]]] = [(one["seen_at"], _event(one)) for one in case.events]
    for signal in case.signals:
        verdicts = [one for one in case.verdicts if one["signal_id"] == signal["id"]]
        parts.append((signal["received_at"], _signal(signal, verdicts)))
    for order in case.orders:
        parts.append(
            (order["created_at"], _order(order, [one for one in case.fills if one["order_id"] == order["id"]]))
        )
    for position in case.positions:
        fills = [one for one in case.fills if one["position_id"] == position["id"]]
        ended = position["closed_at"] or position["seen_at"]
        parts.append((ended, _position(position, fills, case.outcomes)))
    return [line for _, lines in sorted(parts, key=lambda part: part[0]) for line in lines]


def _event(event: Row) -> list[str]:
    code = f", {event['code']}: {words(event['code'])}" if event["code"] else ""
    lines = [f"{clock(event['seen_at'])}  {event['id']} from {event['source']}: {event['status']}{code}"]
    lines += [f"    {one['field']}: {one['message']}" for one in event["errors"]]
    lines += [f"    warning {one}" for one in event["warnings"]]
    return [*lines, f"    {event['body']}"]


def _signal(signal: Row, verdicts: list[Row]) -> list[str]:
    about = f"{signal['symbol']} {signal['direction']} {signal['timeframe']}"
    why = f", {signal['reason']}: {words(signal['reason'])}" if signal["reason"] else ""
    lines = [f"{clock(signal['received_at'])}  {signal['id']} {about} ({signal['profile']}): {signal['phase']}{why}"]
    for row in verdicts:
        one = Verdict(*(row[name] for name in Verdict.__struct_fields__))
        lines.append(f"    {'pass' if one.passed else 'STOP'}  {one.gate}: {narrate.verdict(one)}")
    proposed = signal["recommendation"]
    if proposed:
        at = f"mid {usd(proposed['entry_price'])} (bid {usd(proposed['bid'])} ask {usd(proposed['ask'])})"
        lines.append(
            f"    proposed {proposed['quantity']} x {proposed['contract']} at {at}, seen {clock(proposed['quote_at'])}"
        )
        lines.append(
            f"    underlying {usd(proposed['spot'])}, at worst {usd(proposed['worst_cost'])}, {proposed['market_source']} prices"
        )
    return lines


def _order(order: Row, fills: list[Row]) -> list[str]:
    limit = "at the market" if order["limit_price"] is None else f"limit {usd(order['limit_price'])}"
    ended = f", {order['end_reason']}: {words(order['end_reason'])}" if order["end_reason"] else ""
    what = f"{order['side']} {order['quantity']} x {order['occ']} {limit} to {order['intent']} ({order['reason']})"
    lines = [f"{clock(order['created_at'])}  {order['id']} {what}: {order['phase']}{ended}"]
    seen = f", seen {clock(order['decision_quote_at'])}" if order["decision_quote_at"] else ""
    lines.append(f"    decided on a mark of {usd(order['decision_price'])}{seen}")
    for fill in fills:
        drift = fill["price"] - fill["decision_price"]
        against = f"bid {usd(fill['bid'])} ask {usd(fill['ask'])}, {usd(drift)} from the decision"
        lines.append(
            f"{clock(fill['filled_at'])}  {fill['id']} {fill['quantity']} at {usd(fill['price'])}, {against}, "
            f"fee {usd(fill['commission'])}"
        )
    return lines


def _position(position: Row, fills: list[Row], outcomes: list[Row]) -> list[str]:
    """The position, and its money computed again from its fills alone (and the settlement, where one ended it)."""
    bought = [one for one in fills if one["intent"] == "open"]
    sold = [one for one in fills if one["intent"] == "close"]
    cost = sum(one["price"] * one["quantity"] * 100 for one in bought)
    quantity = sum(one["quantity"] for one in bought)
    proceeds = sum(one["price"] * one["quantity"] * 100 for one in sold)
    settled = _settled(position, quantity - sum(one["quantity"] for one in sold))
    fees = sum(one["commission"] for one in fills)
    held = f"{position['quantity_open']} of {quantity} x {position['occ']} held"
    levels = f"target {usd(position['target'])} stop {usd(position['stop'])}"
    lines = [
        f"{clock(position['opened_at'])}  {position['id']} {position['phase']}: {held}, {levels}",
        f"    from its fills: cost {usd(cost)}, proceeds {usd(proceeds)}, fees {usd(fees)}",
    ]
    if position["settled_at"] is not None:
        price = usd(position["settlement_price"])
        lines.append(f"    settled at {price} of the underlying: {usd(settled)}")
    for one in outcomes:
        gross = proceeds + settled - cost
        shown = f"gross {usd(gross)} - fees {usd(fees)} = net {usd(gross - fees)}"
        agrees = "as recorded" if gross - fees == one["net"] else f"but recorded as {usd(one['net'])}"
        r = "" if one["r_bp"] is None else f", {one['r_bp'] / 10_000:+.2f} R"
        lines.append(f"{clock(one['closed_at'])}  {one['id']} {', '.join(one['reasons'])}: {shown}, {agrees}")
        lines.append(
            f"    {percent(one['percent_bp'])} of cost{r}, held {one['duration_s'] // 60} min, {one['source']}"
        )
    return lines


def _settled(position: Row, quantity: int) -> int:
    """What expiry brought for the contracts no fill had sold; 0 when the position was not settled."""
    price = position["settlement_price"]
    if price is None:
        return 0
    worth = price - position["strike"] if position["right"] == "C" else position["strike"] - price
    return int(max(0, worth) * quantity * 100)
