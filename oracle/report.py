"""Tables and lines for people. It only shows: every figure was made elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from oracle import narrate
from oracle.cells import cell, cell_of, counts, header, shown
from oracle.layout import columns, printable
from oracle.moments import SIMULATED, SIMULATED_PRICES
from state.facts import AnyFact
from state.reason import words


class Concluded(Protocol):
    """A record, of which only the facts are told: knowing it by its name would load the market it may carry."""

    @property
    def facts(self) -> tuple[AnyFact, ...]:
        """What was concluded, in order."""
        ...


def rows(name: str, found: list[dict[str, Any]]) -> None:
    """A table of rows, in the columns people need; `--json` shows all of them. Instants are of New York.

    Rows with the prices of a simulated market are said to be such.
    """
    if not found:
        say(f"no {name}")
        return
    names = shown(name, found)
    cells = [[cell_of(one, row) for one in names] for row in found]
    right = [at for at, one in enumerate(names) if counts(one)]
    first, *lines = columns([[header(one) for one in names], *cells], right)
    click.secho(first, bold=True)
    for line in lines:
        say(line)
    if any(row.get("market_source") == SIMULATED for row in found):
        say(SIMULATED_PRICES)


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


_TOLD_APART = frozenset(
    {
        *("running", "silent", "last_seen_at", "market", "simulated"),
        *("positions", "blockers", "halts", "flags", "look_at"),
    }
)


def status(found: dict[str, Any]) -> None:
    """Where a run stands: whether it runs, what keeps it from trading, then its market and money, then what it holds.

    Figures that only a process at work can give are shown where it gave them.
    """
    click.secho(_title(found), bold=True, fg=None if found["running"] else "red")
    for line in _hindrances(found):
        click.secho(f"  {line}", fg="red")
    plain = (key for key in found if key not in _TOLD_APART and not key.startswith("market_"))
    told = [("market", _market(found))]
    told += [(key.replace("_", " "), cell(key, found[key])) for key in plain if found[key] is not None]
    told += [("flags", _flags(found["flags"])), ("look at", cell("look_at", found["look_at"] or "nothing"))]
    for line in columns([f"  {name}", value] for name, value in told):
        say(line)
    if found["positions"]:
        say("")
        rows("held", found["positions"])
        if found["simulated"]:
            say(SIMULATED_PRICES)


def _title(found: dict[str, Any]) -> str:
    """When this was so, and whose prices it is told in; before that, that nobody at work said it."""
    told = f"{narrate.clock(found['last_seen_at'])} New York, {_prices(found)}"
    if found["running"]:
        return told
    return f"NOT {'ANSWERING' if found['silent'] else 'RUNNING'}: from the files, as of {told}"


def _prices(found: dict[str, Any]) -> str:
    if found["simulated"]:
        return f"{SIMULATED} prices"
    return "no prices" if found["market"] == "none" else f"{printable(found['market'])} prices"


def _hindrances(found: dict[str, Any]) -> Iterator[str]:
    """What keeps it from opening positions; a halt that is told as a blocker is told once."""
    blockers = found.get("blockers") or []
    for one in blockers:
        yield f"BLOCKED {printable(one['name'])}: {printable(one['words'])}"
    for halt in found["halts"]:
        if all(one["name"] != halt["code"] for one in blockers):
            said = f", {printable(halt['words'])}" if halt["words"] else ""
            yield f"HALTED {halt['code']} since {narrate.clock(halt['since'])}: {words(halt['code'])}{said}"


def _market(found: dict[str, Any]) -> str:
    """The kind of market, whose prices were seen where its kind does not say it, and how new the newest is."""
    kind, source = found["market_kind"] or found["market"], found["market"]
    told = [printable(kind)]
    if found["market_seed"] is not None:
        told.append(f"seed {found['market_seed']}, from {found['market_first']}")
    if found["market_at"] is None:
        return ", ".join([*told, "no price yet"])
    if source != kind:
        told.append(f"{printable(source)} prices")
    return ", ".join([*told, f"newest price {narrate.clock(found['market_at'])}"])


def _flags(found: dict[str, bool]) -> str:
    return ", ".join(f"{printable(name)} {cell('on', on)}" for name, on in found.items()) or "none set"


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
    if found["simulated"]:
        say("")
        say(SIMULATED_PRICES)


def tell(record: Concluded, seen_at: int) -> None:
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
