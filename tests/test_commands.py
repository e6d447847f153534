"""What all commands share: options that are read, answers in both shapes, and failures that end with their code."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from oracle import commands, queries
from oracle.commands import Commands, answers, either
from state.errors import OracleFailure
from tests.local import bundled, serving


def made(body: Callable[..., Any]) -> Callable[..., Result]:
    """Runs the one command whose decorated function this is, with some words."""
    group = Commands("group")
    group.command("one")(body)
    return lambda *words: CliRunner().invoke(group, ["one", *words])


# -- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "words", "read"),
    [
        (commands.instant, [], "None"),
        (commands.instant, ["--it", "1970-01-01T00:00:01Z"], "1000000000"),
        (commands.pairs, ["--it", "A=1", "--it", "B=x=y"], "[('A', '1'), ('B', 'x=y')]"),
        (commands.fractions, ["--it", "A=1", "--it", "B=0.012"], "{'A': 1.0, 'B': 0.012}"),
        (commands.fractions, [], "{}"),
    ],
)
def test_options_are_read(callback: Any, words: list[str], read: str) -> None:
    """Instants as nanoseconds, pairs in their order, fractions by symbol."""

    @click.option("--it", callback=callback, multiple=callback is not commands.instant)
    def body(it: Any) -> None:
        click.echo(repr(it))

    assert made(body)(*words).stdout == f"{read}\n"


@pytest.mark.parametrize(
    ("callback", "words", "remedy"),
    [
        (commands.instant, ["--it", "noon"], "write it like 2026-02-13T15:30:00Z"),
        (commands.instant, ["--it", "2026-02-13T15:30:00"], "has no time zone"),
        (commands.pairs, ["--it", "A=1", "--it", "B"], "write it as SYMBOL=VALUE"),
        (commands.pairs, ["--it", "=1"], "write it as SYMBOL=VALUE"),
        (commands.fractions, ["--it", "A=much"], "write a fraction of the price"),
    ],
)
def test_options_that_cannot_be_read_are_bad_usage(callback: Any, words: list[str], remedy: str) -> None:
    """The option is named, and how to write it."""

    @click.option("--it", callback=callback, multiple=callback is not commands.instant)
    def body(it: Any) -> None:
        click.echo(repr(it))

    done = made(body)(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'--it'" in done.stderr
    assert remedy in done.stderr


# -- answers --------------------------------------------------------------------------------------------------------


def test_an_answer_has_lines_of_its_own() -> None:
    """What a command returns beside its answer is for people, the answer for programs."""

    @answers()
    def body(data: Path) -> Any:
        return {"data": data}, ["a", "b"]

    run = made(body)
    assert run("--data", "d").stdout == "a\nb\n"
    assert json.loads(run("--data", "d", "--json").stdout) == {"data": "d"}


def test_an_answer_may_be_shown_by_the_report() -> None:
    """For people it is handed over with the report, which prints."""

    @answers(lambda report, answer: report.say(f"seen: {answer}"))
    def body(data: Path) -> Any:
        return [1, 2]

    run = made(body)
    assert run().stdout == "seen: [1, 2]\n"
    assert run("--json").stdout == "[1, 2]\n"


def test_a_failure_ends_with_its_words_and_its_code() -> None:
    """On standard error, without a traceback."""

    class Odd(OracleFailure):
        exit_code = 6

    def body() -> None:
        raise Odd("so it went")

    done = made(body)()
    assert (done.exit_code, done.stdout, done.stderr) == (6, "", "error: so it went\n")


def test_a_process_at_work_is_asked_and_files_are_read_without_one(tmp_path: Path) -> None:
    """Never both, and the same answer from both."""
    data = Path(shutil.copytree(bundled(), tmp_path / "run"))

    def never(_: Any) -> Any:
        raise AssertionError

    with serving(data):
        live = either(data, lambda asker: asker.status(), never)
    assert live == either(data, never, queries.status)


def test_versions_name_the_code_and_what_it_writes() -> None:
    """The package, the digest of rules and nouns, and the three schemas on disk."""
    group = commands.version_option(Commands("group"))
    done = CliRunner().invoke(group, ["--version"])
    assert done.exit_code == 0
    (name, version), schemas = done.stdout.split(", schemas: ")[0].split(), done.stdout.split(", schemas: ")[1]
    assert (name, len(version.partition("+")[2])) == ("oracle", 12)
    assert [one.split()[0] for one in schemas.strip().split(", ")] == ["record", "state", "database"]
