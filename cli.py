"""The `oracle` command: thin click commands that call `oracle` and print. Everything heavy is imported where it is used."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from state.errors import OracleFailure

_COUNT = click.IntRange(1, 2**62)


class _Commands(click.Group):
    """Turns the world's failures into a message and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; see `state.errors` for the exit codes."""
        try:
            return super().invoke(ctx)
        except OracleFailure as failure:
            click.echo(f"error: {failure}", err=True)
            sys.exit(failure.exit_code)
        except BrokenPipeError:
            # Whoever read the output has had enough of it; what is still buffered goes nowhere, without a word.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def _data_option(command: Any) -> Any:
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="ORACLE_DATA",
        default=Path("data"),
        show_default=True,
        help="Data directory of a run.",
    )(command)


def _json_option(command: Any) -> Any:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON; money in micro-dollars, instants in ns UTC."
    )(command)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, default=str))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oracle-trader", message="oracle %(version)s")
def main() -> None:
    """Turns trading alerts into option positions and positions into outcomes, on paper.

    Exit codes: 0 done, 1 operation failed, 2 bad usage or configuration, 3 damaged journal, 4 divergence on verify,
    5 disk failure, 6 broken law, 7 directory in use.
    """


# -- runs -----------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--tape", type=click.Path(path_type=Path), required=True, help="Directory of a recorded market.")
@click.option("--alerts", type=click.Path(path_type=Path), required=True, help="Alerts, one JSON object a line.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New data directory for the run.")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file; without it, the defaults.")
@click.option("--story", is_flag=True, help="Tell what happens, line by line.")
@_json_option
def backtest(tape: Path, alerts: Path, out: Path, config: Path | None, story: bool, as_json: bool) -> None:
    """Trade a recorded market with a file of alerts."""
    import asyncio

    from oracle import backtest as root
    from oracle import report

    job = root.Job(tape, alerts, out, config)
    with report.progress("backtest", shown=not (as_json or story)) as progress:
        heard = report.tell if story and not as_json else None
        figures = asyncio.run(root.run(job, heard=heard, progress=progress))
    _print_json(figures) if as_json else report.figures(figures)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), help="Keep the run in this new data directory.")
def demo(out: Path | None) -> None:
    """Trade the bundled days, tell the story as it happens, and verify the run's own journal."""
    from oracle import demonstration

    demonstration.run(out)


@main.command()
@_data_option
@click.option("--any-version", is_flag=True, help="Judge records decided by another version of the code as well.")
@_json_option
def verify(data: Path, any_version: bool, as_json: bool) -> None:
    """Decide every recorded input again and compare; exit 4 names the first difference.

    Records that another version of the code decided are not judged unless asked for; then it exits 1.
    """
    from oracle import report
    from oracle.stored import verify_directory

    with report.progress("verify", shown=not as_json) as progress:
        verified = verify_directory(data, any_version=any_version, progress=progress)
    _print_json(verified) if as_json else report.verified(verified)
    if verified["other_version"]:
        sys.exit(1)


@main.command()
@_data_option
@_json_option
def rebuild(data: Path, as_json: bool) -> None:
    """Make the database of snapshots and query tables again from the journal."""
    import asyncio

    from oracle import report
    from oracle.stored import rebuild_directory

    with report.progress("rebuild", shown=not as_json) as progress:
        rebuilt = asyncio.run(rebuild_directory(data, progress=progress))
    _print_json(rebuilt) if as_json else report.pairs("Rebuilt", rebuilt)


# -- questions ------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("noun_id", metavar="ID")
@_data_option
@_json_option
def explain(noun_id: str, data: Path, as_json: bool) -> None:
    """Tell all about one id.

    ID is that of an event, signal, order, fill, position or outcome, such as sig-000001. The story goes from the first
    byte to the last cent, in New York time, with every figure of a position counted again from its fills.
    """
    from oracle import explain as telling
    from oracle import report

    told = telling.explain(data, noun_id)
    _print_json(told) if as_json else report.explanation(told)


@main.command()
@_data_option
@_json_option
def status(data: Path, as_json: bool) -> None:
    """Equity, today's P&L, what is open, what is owed, and what somebody should look at."""
    from oracle import queries, report

    figures = queries.status(data)
    _print_json(figures) if as_json else report.status(figures)


def _listing(name: str, words: str) -> None:
    @main.command(name, help=words)
    @_data_option
    @click.option("--limit", type=_COUNT, default=50, show_default=True, help="Show the newest so many.")
    @click.option(
        "--where",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Only rows with this value, as --json prints it; nothing after = asks for null. May be repeated.",
    )
    @_json_option
    def command(data: Path, limit: int, where: tuple[str, ...], as_json: bool) -> None:
        from oracle import queries, report

        rows = queries.rows(data, name, limit=limit, where=where)
        _print_json(rows) if as_json else report.rows(name, rows)


_listing("events", "Alerts as they were answered, newest last.")
_listing("signals", "Signals and what became of them, newest last.")
_listing("orders", "Orders, newest last.")
_listing("trades", "Fills, newest last.")
_listing("positions", "Positions, newest last.")
_listing("outcomes", "Outcomes of closed positions, newest last.")


# -- journal --------------------------------------------------------------------------------------------------------


@main.group()
def journal() -> None:
    """Look into a run's journal without changing it."""


@journal.command()
@_data_option
@_json_option
def inspect(data: Path, as_json: bool) -> None:
    """Segments with their run, code version, records, bytes and digest."""
    from oracle import report
    from oracle.stored import inspect_directory

    segments = inspect_directory(data)
    _print_json(segments) if as_json else report.rows("segments", segments)


@journal.command()
@_data_option
@click.option("--from", "from_lsn", type=_COUNT, default=1, show_default=True, help="First record.")
@click.option("--facts", "facts_only", is_flag=True, help="Only what was concluded, not what was observed.")
def export(data: Path, from_lsn: int, facts_only: bool) -> None:
    """Print every record as one JSON object a line."""
    from oracle.stored import export_lines

    for line in export_lines(data, from_lsn=from_lsn, facts_only=facts_only):
        click.echo(line)


# -- tapes and configuration ----------------------------------------------------------------------------------------


@main.group()
def tape() -> None:
    """Recorded markets."""


@tape.command("import")
@click.option(
    "--quotes", type=click.Path(path_type=Path), multiple=True, required=True, help="Option quotes, CSV (.gz)."
)
@click.option("--bars", multiple=True, metavar="SYMBOL=FILE", required=True, help="Bars of the underlying, CSV (.gz).")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New tape directory.")
@click.option("--interval-s", type=click.IntRange(1), default=60, show_default=True, help="Length of a row's interval.")
@click.option("--bars-interval-s", type=click.IntRange(1), help="The same for bars; without it, that of the quotes.")
@click.option("--bars-zone", default="America/New_York", show_default=True, help="Time zone of the bars' times.")
@click.option("--rate", type=float, default=0.0, show_default=True, help="Interest rate per year, e.g. 0.04.")
@click.option(
    "--dividend-yield",
    "yields",
    multiple=True,
    metavar="SYMBOL=YIELD",
    help="Dividend yield per year, e.g. SPY=0.012; may be repeated.",
)
def import_tape(
    quotes: tuple[Path, ...],
    bars: tuple[str, ...],
    out: Path,
    interval_s: int,
    bars_interval_s: int | None,
    bars_zone: str,
    rate: float,
    yields: tuple[str, ...],
) -> None:
    """Make a tape of LEAN-style rows, which are labelled by the start of their interval."""
    from oracle.market import lean

    files: dict[str, list[Path]] = {}
    for symbol, file in (_named("--bars", one) for one in bars):
        files.setdefault(symbol, []).append(Path(file))
    options = lean.ImportOptions(
        interval_s=interval_s,
        bars_interval_s=bars_interval_s,
        bars_zone=bars_zone,
        rate=rate,
        dividend_yields={symbol: _fraction(one) for symbol, one in (_named("--dividend-yield", one) for one in yields)},
    )
    imported = lean.import_lean(quotes, files, out, options=options)
    click.echo(f"{out}: {imported.quotes} quotes and {imported.bars} bars")


def _named(option: str, one: str) -> tuple[str, str]:
    symbol, equals, value = one.partition("=")
    if not (symbol and equals and value):
        raise click.UsageError(f"{option} {one}: write it as SYMBOL=VALUE")
    return symbol, value


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.UsageError(f"--dividend-yield {text}: write a fraction of the price, such as SPY=0.012") from None


@main.group()
def config() -> None:
    """The configuration."""


@config.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration file; without it, the defaults.")
@_json_option
def show(file: Path | None, as_json: bool) -> None:
    """The effective configuration: every key with its value, where that comes from, and what it means."""
    from msgspec import to_builtins

    from oracle import config as configuration
    from oracle import report

    rows = [to_builtins(one) for one in configuration.origins(file)]
    _print_json(rows) if as_json else report.settings(rows)


@config.command()
@click.option("--config", "file", type=click.Path(path_type=Path), required=True, help="Configuration file.")
def check(file: Path) -> None:
    """Say whether a configuration file can be used; exit 2 lists every fault."""
    from oracle import config as configuration

    configuration.load(file)
    click.echo(f"{file} can be used")


if __name__ == "__main__":
    main()
