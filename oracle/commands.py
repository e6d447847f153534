"""What all commands share: their options, how an answer is printed, and how a failure ends the process.

Deliberately absent: every single command. Only the entry of the command line imports this.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TextIO

import click

from oracle.instants import parse
from state.errors import BadUsage, DirectoryInUse, OracleFailure

COUNT = click.IntRange(1, 2**62)
SPEED = click.FloatRange(0, 100_000, min_open=True)
PATH = click.Path(path_type=Path)


_JSON = "--json"
_HUNG = "ask again, or end it with SIGKILL and start it anew, which loses nothing that was acknowledged"
_POSITION = re.compile(r"pos-\d+", re.ASCII)


class Commands(click.Group):
    """Turns the world's failures into a message and their exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether the command is asked for JSON: its own words are read later, and may be at fault themselves."""
        ctx.meta[_JSON] = _JSON in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; see `state.errors` for the exit codes. Whoever asked for JSON is told of a failure in it."""
        try:
            return super().invoke(ctx)
        except OracleFailure as failure:
            _tell(f"error: {failure}" if not ctx.meta[_JSON] else _failure(str(failure), failure.exit_code))
            sys.exit(failure.exit_code)
        except click.ClickException as fault:
            if not ctx.meta[_JSON]:
                raise
            _tell(_failure(fault.format_message(), fault.exit_code))
            sys.exit(fault.exit_code)
        except BrokenPipeError:
            # Whoever read the output has had enough of it.
            _silence(sys.stdout)
            sys.exit(0)


def _failure(words: str, exit_code: int) -> str:
    return json.dumps({"error": words, "exit_code": exit_code})


def _tell(line: str) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        # A log on a full disk takes no word of it; the exit code still says what happened.
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """What is still buffered goes nowhere, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def instant(ctx: click.Context, param: click.Parameter, told: str | None) -> int | None:
    """The callback of an option that takes an instant: ns UTC."""
    try:
        return None if told is None else parse(told)
    except BadUsage as fault:
        raise click.BadParameter(str(fault), ctx, param) from fault


def position(ctx: click.Context, param: click.Parameter, told: str | None) -> str | None:
    """The callback of an argument that names a position."""
    if told is not None and _POSITION.fullmatch(told) is None:
        message = f"{told!r} is no position: give an id such as pos-000001, which oracle positions lists, or --all"
        raise click.BadParameter(message, ctx, param)
    return told


def pairs(ctx: click.Context, param: click.Parameter, told: tuple[str, ...]) -> list[tuple[str, str]]:
    """The callback of a repeated option that takes SYMBOL=VALUE."""
    found = [one.partition("=")[::2] for one in told]
    if not all(symbol and value for symbol, value in found):
        raise click.BadParameter(f"{' '.join(told)}: write it as SYMBOL=VALUE", ctx, param)
    return found


def fractions(ctx: click.Context, param: click.Parameter, told: tuple[str, ...]) -> dict[str, float]:
    """The callback of a repeated option that takes SYMBOL=FRACTION."""
    try:
        return {symbol: float(value) for symbol, value in pairs(ctx, param, told)}
    except ValueError as fault:
        raise click.BadParameter(f"{fault}: write a fraction of the price, such as SPY=0.012", ctx, param) from fault


def files(ctx: click.Context, param: click.Parameter, told: tuple[str, ...]) -> dict[str, list[Path]]:
    """The callback of a repeated option that takes SYMBOL=FILE: all files of each symbol."""
    found: dict[str, list[Path]] = {}
    for symbol, file in pairs(ctx, param, told):
        found.setdefault(symbol, []).append(Path(file))
    return found


data_option = click.option(
    "--data", type=PATH, envvar="ORACLE_DATA", default=Path("data"), show_default=True, help="Data directory of a run."
)
json_option = click.option(
    _JSON, "as_json", is_flag=True, help="Print JSON; money in micro-dollars, instants in ns UTC."
)
limit_option = click.option("--limit", type=COUNT, default=50, show_default=True, help="Show the newest so many.")
where_option = click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only rows with this value, as --json prints it; nothing after = asks for null. May be repeated.",
)
words_option = click.option("--reason", "words", default="", help="Why, in words; kept with the record.")
port_option = click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port of the webhook; without it, that of the configuration."
)
bars_option = click.option(
    "--bars", callback=files, multiple=True, metavar="SYMBOL=FILE", required=True, help="Bars, CSV (.gz)."
)
yields_option = click.option(
    "--dividend-yield",
    "yields",
    callback=fractions,
    multiple=True,
    metavar="SYMBOL=YIELD",
    help="Dividend yield per year, e.g. SPY=0.012; may be repeated.",
)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  click hands it like that
    if not wanted or ctx.resilient_parsing:
        return
    # Nothing but this option needs any of it.
    from oracle.version import code_version  # noqa: PLC0415
    from state.keeping import STATE_SCHEMA  # noqa: PLC0415
    from state.record import SCHEMA  # noqa: PLC0415
    from state.tables import MIGRATIONS  # noqa: PLC0415

    click.echo(f"oracle {code_version()}, schemas: record {SCHEMA}, state {STATE_SCHEMA}, database {len(MIGRATIONS)}")
    ctx.exit()


version_option = click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version, the digest of the code that decides and the schemas on disk, and exit.",
)


def print_json(value: Any) -> None:
    """Print one value as JSON on one line."""
    click.echo(json.dumps(value, default=str))


def answers(show: Callable[[Any, Any], None] | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Options and output of a command that answers: as JSON, or for people.

    `show` is handed `oracle.report` and the answer; without it the command returns its answer and the lines that tell it.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        @data_option
        @json_option
        @wraps(function)
        def command(*, as_json: bool, **asked: Any) -> None:
            found = function(**asked)
            answer, lines = found if show is None else (found, ())
            if as_json:
                print_json(answer)
            elif show is None:
                click.echo("\n".join(lines))
            else:
                # Programs that ask for JSON do not pay for what people are shown.
                from oracle import report  # noqa: PLC0415

                show(report, answer)

        return command

    return decorate


def either(
    data: Path, live: Callable[[Any], Any], kept: Callable[[Path], Any], *, silent: Callable[[Path], Any] | None = None
) -> Any:
    """What the process at work answers or, where none is, what its files say; only the one that answers is loaded.

    The files are also asked when the process does not answer in time, which one line on standard error says; `silent`
    then takes the place of `kept`. Raises OracleFailure when the tables lack records that only the process knows.
    """
    from oracle import ask  # noqa: PLC0415

    try:
        asker = ask.reached(data, ask.READ_S_MAX)
        if asker is not None:
            return live(asker)
    except ask.Silent as silence:
        return _of_the_silent(data, silent or kept, silence)
    from oracle import reading  # noqa: PLC0415

    return reading.answer(data, kept)


def standing(data: Path) -> dict[str, Any]:
    """Where a run stands, and whether that is what its process says: `running`.

    Without an answer it is what the files say, and `silent` tells a process that does not answer from none at all.
    """
    from oracle import queries  # noqa: PLC0415

    def kept(path: Path, *, silent: bool = False) -> dict[str, Any]:
        return {"running": False, "silent": silent, **queries.status(path)}

    def live(asker: Any) -> dict[str, Any]:
        return {"running": True, **asker.status()}

    found: dict[str, Any] = either(data, live, kept, silent=lambda path: kept(path, silent=True))
    return found


def _of_the_silent(data: Path, kept: Callable[[Path], Any], silence: OracleFailure) -> Any:
    """What the files of a process say that does not answer."""
    from oracle import reading  # noqa: PLC0415

    try:
        found = reading.answer(data, kept)
    except DirectoryInUse as behind:
        raise OracleFailure(f"{silence}, and its files lack its newest records: {_HUNG}") from behind
    _tell(f"{silence}, so its files did: {_HUNG}")
    return found
