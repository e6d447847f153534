"""Tables and lines for people. It only shows: every figure was made elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import click

from oracle import narrate
from oracle.layout import columns, duration, printable
from state import money
from state.record import Record

_MONEY = frozenset(
    {
        "price",
        "limit_price",
        "average",
        "cost",
        "commission",
        "gross",
        "net",
        "realized_gross",
        "realized_net",
        "unrealized",
        "cash",
        "equity",
        "cash_start",
        "marks",
        "mark",
        "value",
        "cost_open",
        "target",
        "stop",
        "bid",
        "ask",
        "today_pnl",
    }
)
_INSTANTS = frozenset(
    {"seen_at", "created_at", "filled_at", "opened_at", "closed_at", "received_at", "queued_until", "last_seen_at"}
)
_COUNTS = frozenset({"quantity", "dte", "first_lsn", "last_lsn", "used_bytes", "torn_bytes", "records", "facts"})
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
}
_CHAIN_SHOWN = 16


def _days_left(row: dict[str, Any]) -> int:
    """Days to expiry on the New York date of a row's own instant."""
    at = next(row[one] for one in ("created_at", "filled_at", "opened_at", "seen_at") if one in row)
    return (date.fromisoformat(row["expiry"]) - date.fromisoformat(narrate.clock(at)[:10])).days


_DERIVED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "filled": lambda row: f"{row['quantity_filled']} of {row['quantity']}",
    "held": lambda row: f"{row['quantity_open']} of {row['quantity']}",
    "average": lambda row: row["cost"] // (row["quantity"] * money.MULTIPLIER),
    "dte": _days_left,
}
"""Columns that are read off several of a row. `average` is what all contracts ever bought cost per share."""


def cell(column: str, value: Any) -> str:
    """One value as a person reads it, by what its column counts."""
    if value is None:
        return "-"
    if column in _MONEY and isinstance(value, int):
        return narrate.usd(value)
    if column in _INSTANTS and isinstance(value, int):
        return narrate.clock(value)
    match column:
        case "r_bp":
            return f"{value / 10_000:+.2f}"
        case "is_test":
            return "test" if value else ""
        case "duration_s":
            return duration(value)
        case "chain":
            return str(value)[:_CHAIN_SHOWN]
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


def rows(name: str, found: list[dict[str, Any]]) -> None:
    """A table of rows, in the columns people need; `--json` shows all of them. Instants are of New York."""
    if not found:
        say(f"no {name}")
        return
    names = [one for one in _COLUMNS[name] if one != "is_test" or any(row[one] for row in found)]
    header = [_HEADERS.get(one, one.removesuffix("_id").replace("_", " ")) for one in names]
    cells = [[cell(one, _value(row, one)) for one in names] for row in found]
    right = [at for at, one in enumerate(names) if one in _MONEY | _COUNTS or one.endswith("_bp")]
    first, *lines = columns([header, *cells], right)
    click.secho(first, bold=True)
    for line in lines:
        say(line)


def _value(row: dict[str, Any], column: str) -> Any:
    derived = _DERIVED.get(column)
    return derived(row) if derived is not None else row[column]


def settings(found: list[dict[str, Any]]) -> None:
    """Every configuration key with its value, where that comes from, and what it means."""
    for row in found:
        say(f"{row['key']} = {row['value']}  ({row['origin']})\n    {row['meaning']}")


def pairs(title: str, found: dict[str, Any]) -> None:
    """Named values, one a line."""
    click.secho(title, bold=True)
    for line in columns([f"  {key.replace('_', ' ')}", cell(key, value)] for key, value in found.items()):
        say(line)


def figures(found: dict[str, Any]) -> None:
    """What a run came to."""
    shown = {key: value for key, value in found.items() if key != "market"}
    pairs(f"Result on {printable(found['market'])} prices", shown)


def status(found: dict[str, Any]) -> None:
    """Where a run stands."""
    shown = {key: value for key, value in found.items() if key not in ("market", "last_seen_at", "positions")}
    shown["look_at"] = found["look_at"] or "nothing"
    pairs(f"{narrate.clock(found['last_seen_at'])} New York, {printable(found['market'])} prices", shown)
    if found["positions"]:
        say("")
        rows("held", found["positions"])


def verified(found: dict[str, Any]) -> None:
    """What a verification judged."""
    said = "verified" if found["judged"] == found["records"] else "judged"
    say(f"{said}: {found['judged']} of {found['records']} records decided again, {found['facts']} facts equal")
    if found["other_version"]:
        say(f"not judged: {found['other_version']} records of another code version; --any-version judges them")
    say(f"chain {found['chain']}")


def explanation(found: dict[str, Any]) -> None:
    """What became of one id, and its story."""
    click.secho(found["headline"], bold=True)
    say("")
    for line in found["story"]:
        say(line)


def tell(record: Record, seen_at: int) -> None:
    """Tell what one record means, at its New York time."""
    for line in narrate.lines(record.facts):
        say(f"{narrate.clock(seen_at)}  {printable(line)}")


def say(line: str) -> None:
    """One plain line."""
    click.echo(line)


@contextmanager
def progress(title: str, *, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error for long work; nothing when it is not shown or nobody watches."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    # Only long work that is watched pays for loading it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    bars = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*bars, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
