"""What stands in the columns of a listing: which ones people need of each table, and one value as a person reads it."""

from collections.abc import Callable
from datetime import date
from typing import Any

from oracle import narrate
from oracle.layout import duration, printable
from state import money

Row = dict[str, Any]

_MONEY = frozenset(
    {
        *("price", "limit_price", "average", "cost", "cost_open", "commission", "gross", "net"),
        *("realized_gross", "realized_net", "unrealized", "cash", "equity", "cash_start", "today_pnl"),
        *("marks", "mark", "value", "target", "stop", "bid", "ask"),
    }
)
_INSTANTS = frozenset(
    {
        *("seen_at", "created_at", "filled_at", "opened_at", "closed_at", "received_at", "queued_until"),
        *("last_seen_at", "last_tick_at", "next_open_at", "since", "now"),
    }
)
_COUNTS = frozenset(
    {"quantity", "dte", "first_lsn", "last_lsn", "used_bytes", "torn_bytes", "records", "facts", "status", "count"}
)
_TEXT_OF_STRANGERS = frozenset({"first", "last", "body"})
_TEXT_SHOWN = 48
_CHAIN_SHOWN = 16

_COLUMNS = {
    "events": ("id", "seen_at", "source", "symbol", "direction", "timeframe", "status", "code", "signal_id", "is_test"),
    "signals": (
        *("id", "received_at", "symbol", "direction", "timeframe", "profile"),
        *("phase", "reason", "order_id", "position_id", "is_test"),
    ),
    "orders": (
        *("id", "created_at", "position_id", "side", "filled", "occ", "dte", "limit_price"),
        *("reason", "phase", "end_reason", "is_test"),
    ),
    "trades": (
        *("id", "filled_at", "order_id", "position_id", "side", "quantity", "occ", "dte"),
        *("price", "bid", "ask", "commission", "is_test"),
    ),
    "positions": (
        *("id", "opened_at", "held", "occ", "dte", "average", "target", "stop"),
        *("realized_net", "phase", "exit_reasons", "is_test"),
    ),
    "outcomes": (
        *("id", "closed_at", "position_id", "quantity", "occ", "cost", "net", "percent_bp", "r_bp"),
        *("duration_s", "reasons", "source"),
    ),
    "calls": ("seen_at", "since", "count", "status", "reason", "first", "last"),
    "halts": ("seen_at", "kind", "code", "words"),
    # Those in force say who set them and what they do, those of the past when they were set and why.
    "flags": ("seen_at", "name", "on", "set_by", "meaning", "words"),
    "deadletters": ("id", "seen_at", "symbol", "code", "text", "requeueable", "body"),
    "held": ("id", "quantity", "occ", "dte", "cost_open", "mark", "value", "unrealized", "target", "stop", "phase"),
    "segments": ("segment", "code_version", "first_lsn", "last_lsn", "used_bytes", "torn_bytes", "sealed", "chain"),
}
_HEADERS = {
    "occ": "contract",
    "dte": "DTE",
    "average": "paid",
    "limit_price": "limit",
    "commission": "fee",
    "cost_open": "paid",
    "realized_net": "realized",
    "percent_bp": "percent",
    "r_bp": "R",
    "duration_s": "held for",
    "exit_reasons": "left for",
    "reasons": "left for",
    "code": "reason",
    "end_reason": "ended for",
    "is_test": "test",
    "text": "in words",
    "requeueable": "requeue",
}


def shown(name: str, found: list[Row]) -> list[str]:
    """The columns that people need of the rows of a table; that of test marks only where there is one."""
    there = [one for one in _COLUMNS[name] if one in _DERIVED or one in found[0]]
    return [one for one in there if one != "is_test" or any(row[one] for row in found)]


def header(column: str) -> str:
    """What a column is called above it."""
    return _HEADERS.get(column, column.removesuffix("_id").replace("_", " "))


def counts(column: str) -> bool:
    """Whether the values of a column are amounts, whose last digits stand below each other."""
    return column in _MONEY | _COUNTS or column.endswith("_bp")


def cell_of(column: str, row: Row) -> str:
    """One column of a row as a person reads it."""
    derived = _DERIVED.get(column)
    return cell(column, row[column] if derived is None else derived(row))


def cell(column: str, value: Any) -> str:
    """One value as a person reads it, by what its column counts."""
    if column == "on":
        return "default" if value is None else "on" if value else "off"
    if value is None:
        return "-"
    if column in _MONEY and isinstance(value, int):
        return narrate.usd(value)
    if column in _INSTANTS and isinstance(value, int):
        return narrate.clock(value)
    if column in _TEXT_OF_STRANGERS:
        text = printable(str(value))
        return text if len(text) <= _TEXT_SHOWN else f"{text[: _TEXT_SHOWN - 3]}..."
    match column:
        case "r_bp":
            return f"{value / 10_000:+.2f}"
        case "is_test":
            return "test" if value else ""
        case "duration_s" | "tick_age_s":
            return duration(int(value))
        case "chain":
            return str(value)[:_CHAIN_SHOWN]
        case "port":
            return str(value)
        case _:
            return narrate.percent(value) if column.endswith("_bp") else _plain(value)


def _plain(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return ", ".join(printable(str(one)) for one in value) or "-"
        case dict():
            return ", ".join(f"{printable(str(key))} {count}" for key, count in value.items()) or "none"
        case _:
            return printable(str(value))


def _days_left(row: Row) -> int:
    """Days to expiry on the New York date of a row's own instant."""
    at = next(row[one] for one in ("created_at", "filled_at", "opened_at", "seen_at") if one in row)
    return (date.fromisoformat(row["expiry"]) - date.fromisoformat(narrate.clock(at)[:10])).days


_DERIVED: dict[str, Callable[[Row], Any]] = {
    "filled": lambda row: f"{row['quantity_filled']} of {row['quantity']}",
    "held": lambda row: f"{row['quantity_open']} of {row['quantity']}",
    "average": lambda row: row["cost"] // (row["quantity"] * money.MULTIPLIER),
    "dte": _days_left,
}
"""Columns that are read off several of a row. `average` is what all contracts ever bought cost per share."""
