"""The `oracle` command: thin click commands that call `oracle` and print. Everything heavy is imported where it is used."""

import sys
from pathlib import Path
from typing import Any

import click

from oracle import commands as given
from oracle.commands import Commands, answers, either, instant, print_json


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@given.version_option
def main() -> None:
    """Turns trading alerts into option positions and positions into outcomes, on paper.

    Exit codes: 0 done, 1 operation failed, 2 bad usage or configuration, 3 damaged journal, 4 divergence on verify,
    5 disk failure, 6 broken law, 7 directory in use.
    """


# -- the process ----------------------------------------------------------------------------------------------------


@main.command()
@given.port_option
@click.option("--url", help="Address under which it is reached from outside, such as https://alerts.example.")
@answers()
def init(data: Path, port: int, url: str | None) -> Any:
    """Prepare a new data directory: a configuration to edit, a token, and what to paste into TradingView.

    Where that was done before, nothing is changed, and what to paste is printed again.
    """
    from oracle import initial

    prepared = initial.found(data, port, url=url) or initial.prepare(data, port, url=url)
    return prepared._asdict(), prepared.lines()


@main.command()
@given.data_option
@given.port_option
@click.option("--host", help="Address to listen on; without it, that of the configuration.")
@click.option("--config", type=given.PATH, help="Configuration file; without it, config.toml of the data directory.")
@click.option("--simulate", type=given.SPEED, metavar="SPEED", help="Trade invented prices, so many times as fast.")
@click.option("--start", callback=instant, metavar="ISO", help="Where the time of --simulate begins; the next open.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="What the prices of --simulate follow from.")
@click.option("--tape", type=given.PATH, help="Directory of a recorded market; needs --step.")
@click.option("--step", is_flag=True, help="Let time stand; `oracle clock` moves it.")
def run(**options: Any) -> None:
    """Listen for alerts and trade them on paper, going on where the last run ended; SIGTERM ends it in order.

    Without --simulate and --tape the time is the machine's, and there is no market to trade on yet.
    """
    import asyncio

    from oracle import beginning, daemon

    asyncio.run(daemon.run(beginning.Job(**options)))


@main.command()
@click.option("--to", callback=instant, metavar="ISO", required=True, help="Where to, with its zone.")
@answers()
def clock(data: Path, to: int) -> Any:
    """Move the time of a run that was started with --step; returns when all that is due by then is decided."""
    from oracle import ask, narrate

    moved = ask.demanded(data).move(to)
    return moved, [f"{narrate.clock(moved['now'])} New York, record {moved['lsn']}"]


@main.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--symbol", help="Instead of FILE: an alert about this symbol or option.")
@click.option("--direction", help="Its direction, such as long or put.")
@click.option("--timeframe", default="5m", show_default=True, help="Its timeframe.")
@click.option("--price", help="The price it is sent at.")
@click.option("--test", "is_test", is_flag=True, help="Mark it as a test: it trades in a ledger of its own.")
@click.option("--url", envvar="WEBHOOK_REPLAY_URL", help="Webhook; without it, that of the process at work.")
@click.option("--token", help="Its token; without it, that of the environment or the data directory.")
@click.option("--follow/--no-follow", "to_the_end", help="Follow to the scored end, not only to the first fill.")
@click.option("--timeout-s", type=click.FloatRange(0), help="Give up after so long: 30, or 86400 with --follow.")
@given.data_option
@given.json_option
def send(file: Path | None, data: Path, url: str | None, token: str | None, as_json: bool, **how: Any) -> None:
    """Post an alert as its sender would, and tell what becomes of it.

    FILE holds one body, or one a line when it ends in .jsonl; - is standard input. Exits 1 when an alert is refused at
    the door or is not done in time.
    """
    from oracle import ask, sending

    follow = {one: how.pop(one) for one in ("to_the_end", "timeout_s")}
    found = sending.composed(how) if file is None else sending.bodies(file)
    asker = ask.reached(data)
    sent = sending.Sending(sending.aimed(asker, data, url), sending.proven(data, token), asker)
    for line in sent.send(found, **follow):
        if not as_json:
            click.echo(line)
    if as_json:
        print_json(sent.answers)
    if sent.failed:
        sys.exit(1)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in a shell; put it where the shell reads such scripts."""
    from click.shell_completion import shell_complete

    shell_complete(main, {}, "oracle", "_ORACLE_COMPLETE", f"{shell}_source")


# -- what the operator asks for -------------------------------------------------------------------------------------


@main.command()
@click.argument("about", metavar="ID", required=False, callback=given.position)
@click.option("--all", "everything", is_flag=True, help="Close every position, and give up the entries in flight.")
@click.option("--wait-s", type=click.FloatRange(0), default=10, show_default=True, help="Wait so long for the fills.")
@given.words_option
@answers()
def close(data: Path, about: str | None, everything: bool, wait_s: float, words: str) -> Any:
    """Close a position, now or at the next open, and tell how it went."""
    from oracle import ask, asking

    if everything == (about is not None):
        raise click.UsageError("name one position, or --all")
    return asking.Closing(ask.demanded(data), about or asking.ALL).ask(words, wait_s=wait_s)


def _wish(name: str, text: str) -> None:
    @main.command(name, help=text)
    @given.words_option
    @answers()
    def command(data: Path, words: str) -> Any:
        from oracle import ask, asking

        return asking.turned(ask.demanded(data), name, words=words)


_wish("halt", "Open nothing any more, and give up the entries in flight; exits go on.")
_wish("resume", "Open positions again; this also confirms a clock that jumped.")


@main.command()
@click.argument("name", required=False)
@click.argument("to", metavar="[on|off|default]", type=click.Choice(["on", "off", "default"]), required=False)
@given.words_option
@answers(lambda report, found: report.rows("flags", found))
def flags(data: Path, name: str | None, to: str | None, words: str) -> Any:
    """Show the switches, or one; or set it over the configuration, to which default gives the word back."""
    from oracle import ask, asking, stored

    if name is not None and to is not None:
        asking.switched(ask.demanded(data), name, to, words=words)
    found = either(data, lambda asker: asker.flags(), stored.flags)
    return found if name is None else [asking.flag(found, name)]


@main.command()
@click.argument("noun_id", metavar="ID")
@given.words_option
@answers()
def requeue(data: Path, noun_id: str, words: str) -> Any:
    """Try again what failed: a refused or failed signal, or an event that ended in an error; see `oracle deadletters`."""
    from oracle import ask, asking

    return asking.requeued(ask.demanded(data), noun_id, words=words)


# -- questions ------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("noun_id", metavar="ID")
@answers(lambda report, told: report.explanation(told))
def explain(data: Path, noun_id: str) -> Any:
    """Tell all about one id.

    ID is that of an event, signal, order, fill, position or outcome, such as sig-000001. The story goes from the first
    byte to the last cent, in New York time, with every figure of a position counted again from its fills.
    """
    from oracle import explain as telling

    return either(data, lambda asker: asker.explain(noun_id), lambda path: telling.explain(path, noun_id))


@main.command()
@answers(lambda report, figures: report.status(figures))
def status(data: Path) -> Any:
    """Equity, today's P&L, what is open, what is owed, and what somebody should look at.

    The first line says when no process answered, so that all this is what its files say.
    """
    return given.standing(data)


@main.command()
@given.limit_option
@answers(lambda report, found: report.rows("deadletters", found))
def deadletters(data: Path, limit: int) -> Any:
    """What was given up for a reason that may pass, and whether `oracle requeue` can try it again; newest last."""
    from oracle import queries

    return either(data, lambda asker: asker.deadletters(limit), lambda path: queries.deadletters(path, limit))


def _listing(name: str, text: str) -> None:
    @main.command(name, help=text)
    @given.limit_option
    @given.where_option
    @answers(lambda report, rows: report.rows(name, rows))
    def command(data: Path, limit: int, where: tuple[str, ...]) -> Any:
        from oracle import queries

        asked: dict[str, Any] = {"limit": limit, "where": where}
        return either(data, lambda asker: asker.rows(name, **asked), lambda path: queries.rows(path, name, **asked))


_listing("events", "Alerts as they were answered, newest last.")
_listing("signals", "Signals and what became of them, newest last.")
_listing("orders", "Orders, newest last.")
_listing("trades", "Fills, newest last.")
_listing("positions", "Positions, newest last.")
_listing("outcomes", "Outcomes of closed positions, newest last.")
_listing("calls", "Calls that were turned away at the door, counted once a minute by reason, newest last.")
_listing("halts", "When nothing was opened any more, why, and when that ended, newest last.")


# -- runs of recorded markets, and the journal ----------------------------------------------------------------------


@main.command()
@click.option("--tape", type=given.PATH, required=True, help="Directory of a recorded market.")
@click.option("--alerts", type=given.PATH, required=True, help="Alerts, one JSON object a line.")
@click.option("--out", type=given.PATH, required=True, help="New data directory for the run.")
@click.option("--config", type=given.PATH, help="Configuration file; without it, the defaults.")
@click.option("--story", is_flag=True, help="Tell what happens, line by line.")
@given.json_option
def backtest(story: bool, as_json: bool, **files: Any) -> None:
    """Trade a recorded market with a file of alerts."""
    import asyncio

    from oracle import backtest as root
    from oracle import report

    with report.progress("backtest", shown=not (as_json or story)) as progress:
        heard = report.tell if story and not as_json else None
        figures = asyncio.run(root.run(root.Job(**files), heard=heard, progress=progress))
    print_json(figures) if as_json else report.figures(figures)


@main.command()
@click.option("--out", type=given.PATH, help="Keep the run in this new data directory.")
@click.option("--speed", type=click.FloatRange(1), metavar="N", help="Play it so many times as fast; 400 takes 40 s.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="What its prices follow from; 7.")
def demo(out: Path | None, **how: Any) -> None:
    """Run the daemon for a simulated session, post alerts to it, tell what happens, and verify the journal."""
    from oracle import demonstration

    demonstration.run(out, **{name: told for name, told in how.items() if told is not None})


@main.command()
@given.data_option
@click.option("--any-version", is_flag=True, help="Judge records decided by another version of the code as well.")
@given.json_option
def verify(data: Path, any_version: bool, as_json: bool) -> None:
    """Decide every recorded input again and compare; exit 4 names the first difference.

    Records that another version of the code decided are not judged unless asked for; then it exits 1.
    """
    from oracle import report, stored

    with report.progress("verify", shown=not as_json) as progress:
        verified = stored.verify_directory(data, any_version=any_version, progress=progress)
    print_json(verified) if as_json else report.verified(verified)
    if verified["other_version"]:
        sys.exit(1)


@main.command()
@given.data_option
@given.json_option
def rebuild(data: Path, as_json: bool) -> None:
    """Make the database of snapshots and query tables again from the journal."""
    import asyncio

    from oracle import report, stored

    with report.progress("rebuild", shown=not as_json) as progress:
        rebuilt = asyncio.run(stored.rebuild_directory(data, progress=progress))
    print_json(rebuilt) if as_json else report.pairs("Rebuilt", rebuilt)


@main.group()
def journal() -> None:
    """A run's journal as it lies on the disk."""


@journal.command()
@answers(lambda report, segments: report.rows("segments", segments))
def inspect(data: Path) -> Any:
    """Segments with their run, code version, records, bytes and digest."""
    from oracle import stored

    return stored.inspect_directory(data)


@journal.command()
@given.data_option
@click.option("--from", "from_lsn", type=given.COUNT, default=1, show_default=True, help="First record.")
@click.option("--facts", "facts_only", is_flag=True, help="Only what was concluded, not what was observed.")
def export(data: Path, from_lsn: int, facts_only: bool) -> None:
    """Print every record as one JSON object a line."""
    from oracle import stored

    for line in stored.export_lines(data, from_lsn=from_lsn, facts_only=facts_only):
        click.echo(line)


@journal.command()
@click.option("--accept-loss", is_flag=True, help="Cut it back to there, once all of it is copied aside.")
@given.data_option
@given.json_option
def repair(data: Path, accept_loss: bool, as_json: bool) -> None:
    """Say up to which record a damaged journal is sound, and what is lost behind it; exit 3 where there is damage.

    With --accept-loss the journal goes on from that record; without it nothing is changed.
    """
    from oracle import repair as repairing

    told = repairing.repair(data, accept=accept_loss)
    print_json(told) if as_json else click.echo("\n".join(repairing.lines(told)))
    sys.exit(repairing.exit_code(told))


# -- tapes and configuration ----------------------------------------------------------------------------------------


@main.group()
def tape() -> None:
    """Recorded markets."""


@tape.command("import")
@click.option("--quotes", type=given.PATH, multiple=True, required=True, help="Option quotes, CSV (.gz).")
@given.bars_option
@click.option("--out", type=given.PATH, required=True, help="New tape directory.")
@click.option("--interval-s", type=click.IntRange(1), default=60, show_default=True, help="Length of a row's interval.")
@click.option("--bars-interval-s", type=click.IntRange(1), help="The same for bars; without it, that of the quotes.")
@click.option("--bars-zone", default="America/New_York", show_default=True, help="Time zone of the bars' times.")
@click.option("--rate", type=float, default=0.0, show_default=True, help="Interest rate per year, e.g. 0.04.")
@given.yields_option
def import_tape(quotes: tuple[Path, ...], bars: Any, out: Path, yields: Any, **options: Any) -> None:
    """Make a tape of LEAN-style rows, which are labelled by the start of their interval."""
    from oracle.market import lean

    told = lean.ImportOptions(**options, dividend_yields=yields)
    imported = lean.import_lean(quotes, bars, out, options=told)
    click.echo(f"{out}: {imported.quotes} quotes and {imported.bars} bars")


@main.group()
def config() -> None:
    """The configuration."""


@config.command()
@click.option("--config", "file", type=given.PATH, help="Configuration file; without it, the defaults.")
@given.json_option
def show(file: Path | None, as_json: bool) -> None:
    """The effective configuration: every key with its value, where that comes from, and what it means."""
    from msgspec import to_builtins

    from oracle import config as configuration
    from oracle import report

    rows = [to_builtins(one) for one in configuration.origins(file)]
    print_json(rows) if as_json else report.settings(rows)


@config.command()
@click.option("--config", "file", type=given.PATH, required=True, help="Configuration file.")
@given.json_option
def check(file: Path, as_json: bool) -> None:
    """Say whether a configuration file can be used; exit 2 lists every fault."""
    from oracle import config as configuration

    configuration.load(file)
    print_json({"config": str(file), "usable": True}) if as_json else click.echo(f"{file} can be used")


if __name__ == "__main__":
    main()
