"""What all commands share: options that are read, answers in both shapes, and failures that end with their code."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from oracle import commands, queries
from oracle.commands import Commands, answers, either, standing
from state.errors import OracleFailure
from tests.conftest import ROOT
from tests.directories import bodies_of, tabled, written
from tests.local import bundled, serving, stuck
from tests.runs import DAY
from tests.stage import Stage

REPEATED = (commands.pairs, commands.fractions)
"""The callbacks of options that may be given again and again."""


def made(body: Callable[..., Any]) -> Callable[..., Result]:
    """Runs the one command whose decorated function this is, with some words."""
    group = Commands("group")
    group.command("one")(body)
    return lambda *words: CliRunner().invoke(group, ["one", *words])


class Odd(OracleFailure):
    """A failure with a code of its own."""

    exit_code = 6


def failing(**_: Any) -> None:
    """A command that fails, whatever it is told."""
    raise Odd("so it went")


# -- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "words", "read"),
    [
        (commands.instant, [], "None"),
        (commands.instant, ["--it", "1970-01-01T00:00:01Z"], "1000000000"),
        (commands.pairs, ["--it", "A=1", "--it", "B=x=y"], "[('A', '1'), ('B', 'x=y')]"),
        (commands.fractions, ["--it", "A=1", "--it", "B=0.012"], "{'A': 1.0, 'B': 0.012}"),
        (commands.fractions, [], "{}"),
        (commands.position, ["--it", "pos-000001"], "'pos-000001'"),
        (commands.position, [], "None"),
    ],
)
def test_options_are_read(callback: Any, words: list[str], read: str) -> None:
    """Instants as nanoseconds, pairs in their order, fractions by symbol."""

    @click.option("--it", callback=callback, multiple=callback in REPEATED)
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
        (commands.position, ["--it", "SPY"], "'SPY' is no position: give an id such as pos-000001"),
        (commands.position, ["--it", "sig-000001"], "'sig-000001' is no position"),
        (commands.position, ["--it", "pos-"], "'pos-' is no position"),
        (commands.position, ["--it", "all"], "or --all"),
    ],
)
def test_options_that_cannot_be_read_are_bad_usage(callback: Any, words: list[str], remedy: str) -> None:
    """The option is named, and how to write it."""

    @click.option("--it", callback=callback, multiple=callback in REPEATED)
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
    done = made(failing)()
    assert (done.exit_code, done.stdout, done.stderr) == (6, "", "error: so it went\n")


@pytest.mark.parametrize(
    ("words", "error", "exit_code"),
    [
        (["--json"], "so it went", 6),
        (["--json", "--limit", "0"], "Invalid value for '--limit': 0 is not in the range", 2),
        (["--limit", "0", "--json"], "Invalid value for '--limit': 0 is not in the range", 2),
        (["--nothing", "--json"], "No such option", 2),
    ],
)
def test_a_program_is_told_of_a_failure_in_json(words: list[str], error: str, exit_code: int) -> None:
    """One object on standard error, also for words that cannot be read; the exit code is the same."""
    body = commands.limit_option(commands.json_option(failing))
    done = made(body)(*words)
    told = json.loads(done.stderr)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert (told["error"][: len(error)], told["exit_code"], list(told)) == (error, exit_code, ["error", "exit_code"])


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_full_disk_under_the_log_hides_no_exit_code(tmp_path: Path, words: list[str]) -> None:
    """Nobody can read the words; the code is that of the failure all the same."""
    command = [sys.executable, "-m", "cli", "status", "--data", str(tmp_path / "nowhere"), *words]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(command, cwd=ROOT, stderr=full, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_process_at_work_is_asked_and_files_are_read_without_one(tmp_path: Path) -> None:
    """Never both, and the same answer from both."""
    data = Path(shutil.copytree(bundled(), tmp_path / "run"))

    def never(_: Any) -> Any:
        raise AssertionError

    with serving(data):
        live = either(data, lambda asker: asker.status(), never)
    assert live == either(data, never, queries.status)


def test_files_speak_for_a_process_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line on standard error says so, and who is answered can tell it from a process that is down."""
    monkeypatch.setattr("oracle.ask.READ_S_MAX", 0.05)
    data = Path(shutil.copytree(bundled(), tmp_path / "run"))
    with stuck(data):
        assert either(data, lambda asker: asker.status(), queries.status) == queries.status(data)
        assert either(data, lambda asker: asker.flags(), queries.status, silent=lambda _: "silent") == "silent"
        assert standing(data) == {"running": False, "silent": True, **queries.status(data)}
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert f"the process that works on {data} did not answer in 0.05 s, so its files did: ask again" in said[0]


def test_where_a_run_stands_is_told_with_who_says_so(tmp_path: Path) -> None:
    """The process at work, or the files of one that is down."""
    data = Path(shutil.copytree(bundled(), tmp_path / "run"))
    with serving(data, port=8080):
        assert standing(data) == {"running": True, **queries.status(data), "port": 8080}
    assert standing(data) == {"running": False, "silent": False, **queries.status(data)}


def test_files_that_are_behind_do_not_speak_for_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it decided last stands in its memory and its journal only: the failure says so, and what to do."""
    monkeypatch.setattr("oracle.ask.READ_S_MAX", 0.05)
    stage = Stage(DAY)
    stage.buy("10:30:00")
    bodies = bodies_of(stage)
    journal = written(tmp_path / "run", bodies)
    tabled(tmp_path / "run", bodies[:-1])
    with stuck(tmp_path / "run"), pytest.raises(OracleFailure, match="and its files lack its newest records") as raised:
        either(tmp_path / "run", lambda asker: asker.status(), queries.status)
    assert raised.value.exit_code == 1
    journal.close()


def test_versions_name_the_code_and_what_it_writes() -> None:
    """The package, the digest of rules and nouns, and the three schemas on disk."""
    group = commands.version_option(Commands("group"))
    done = CliRunner().invoke(group, ["--version"])
    assert done.exit_code == 0
    (name, version), schemas = done.stdout.split(", schemas: ")[0].split(), done.stdout.split(", schemas: ")[1]
    assert (name, len(version.partition("+")[2])) == ("oracle", 12)
    assert [one.split()[0] for one in schemas.strip().split(", ")] == ["record", "state", "database"]
