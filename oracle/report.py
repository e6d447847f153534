"""Tables and lines for people, on rich. It only shows: every figure was made elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from oracle import narrate
from state.record import Record

_WIDTH_MIN = 150
_out = Console(highlight=False, soft_wrap=True)
_out.width = max(_out.width, _WIDTH_MIN)

_MONEY = frozenset(
    {
        "price",
        "limit_price",
        "cost",
        "cost_open",
        "proceeds",
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
        "target",
        "stop",
        "mark",
        "entry_price",
        "decision_price",
        "bid",
        "ask",
        "initial_risk",
        "today_pnl",
        "value",
        "commission_open",
        "settlement_price",
        "intrinsic",
        "today_realized_net",
        "today_entries_cost",
    }
)
_INSTANTS = frozenset(
    {
        "at",
        "seen_at",
        "created_at",
        "filled_at",
        "opened_at",
        "closed_at",
        "received_at",
        "decided_at",
        "ended_at",
        "quote_at",
        "last_seen_at",
    }
)
_COLUMNS = {
    "events": ("id", "seen_at", "status", "code", "signal_id", "symbol", "direction", "timeframe"),
    "signals": ("id", "received_at", "symbol", "direction", "timeframe", "phase", "reason", "order_id", "position_id"),
    "orders": ("id", "created_at", "intent", "side", "quantity", "occ", "limit_price", "phase", "end_reason"),
    "trades": ("id", "filled_at", "order_id", "position_id", "side", "quantity", "occ", "price", "commission"),
    "positions": ("id", "opened_at", "occ", "quantity", "quantity_open", "cost", "realized_net", "phase"),
    "outcomes": ("id", "closed_at", "position_id", "occ", "quantity", "net", "percent_bp", "r_bp", "reasons"),
    "segments": ("segment", "code_version", "first_lsn", "last_lsn", "used_bytes", "sealed", "chain"),
}
_CHAIN_SHOWN = 16


def cell(column: str, value: Any) -> str:
    """One value as a person reads it, by what its column counts."""
    if value is None:
        return "-"
    if column in _MONEY and isinstance(value, int):
        return narrate.usd(value)
    if column in _INSTANTS and isinstance(value, int):
        return narrate.clock(value)
    if column == "r_bp":
        return f"{value / 10_000:+.2f}"
    if column.endswith("_bp"):
        return narrate.percent(value)
    if column == "chain":
        return str(value)[:_CHAIN_SHOWN]
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    return str(value)


def rows(name: str, found: list[dict[str, Any]]) -> None:
    """A table of rows, in the columns people need; `--json` shows all of them."""
    if not found:
        _out.print(f"no {name}")
        return
    columns = _COLUMNS.get(name, tuple(found[0]))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix("_bp"), no_wrap=column != "meaning")
    for row in found:
        table.add_row(*(cell(column, row.get(column)) for column in columns))
    _out.print(table)


def settings(found: list[dict[str, Any]]) -> None:
    """Every configuration key with its value, where that comes from, and what it means."""
    for row in found:
        _out.print(f"{row['key']} = {row['value']}  ({row['origin']})\n    {row['meaning']}", markup=False)


def pairs(title: str, found: dict[str, Any]) -> None:
    """Named values, one a line."""
    _out.print(f"[bold]{title}[/bold]")
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in found.items():
        table.add_row(f"  {key.replace('_', ' ')}", cell(key, value))
    _out.print(table)


def figures(found: dict[str, Any]) -> None:
    """What a run came to."""
    pairs(f"Result on {found['market']} prices", {key: value for key, value in found.items() if key != "market"})


def status(found: dict[str, Any]) -> None:
    """Where a run stands."""
    pairs("Status", found)


def verified(found: dict[str, Any]) -> None:
    """What a verification judged."""
    _out.print(f"verified: {found['judged']} of {found['records']} records decided again, {found['facts']} facts equal")
    if found["other_version"]:
        _out.print(f"not judged: {found['other_version']} records of another code version; --any-version judges them")
    _out.print(f"chain {found['chain']}")


def explanation(found: dict[str, Any]) -> None:
    """The story of one id."""
    for line in found["story"]:
        _out.print(line, markup=False)


def tell(record: Record, seen_at: int) -> None:
    """Tell what one record means, at its New York time."""
    for line in narrate.lines(record.facts):
        _out.print(f"{narrate.clock(seen_at)}  {line}", markup=False)


def say(line: str) -> None:
    """One plain line."""
    _out.print(line, markup=False)


@contextmanager
def progress(title: str, *, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error for long work; nothing when it is not shown or nobody watches."""
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
