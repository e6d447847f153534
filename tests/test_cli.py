"""The command as its users meet it: exit codes, answers for people and for programs, and what it leaves on the disk."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cli import main
from oracle.queries import status
from oracle.version import code_version
from state.disk import Disk
from state.facts import AlertLogged, OrderCancelAsked
from state.frames import Body, Run
from state.journal import Journal
from state.record import SCHEMA, Record, decode, encode
from state.segments import LOCK, read, segments
from state.snapshots import TABLES
from state.tables import reading
from tests.conftest import ROOT
from tests.local import bundled
from tests.runs import oracle

LISTINGS = ("events", "signals", "orders", "trades", "positions", "outcomes")
EMPTY = ("calls", "halts")
"""Listings in which a backtest leaves nothing."""
READING = [
    *([name] for name in (*LISTINGS, *EMPTY, "deadletters")),
    *(["explain", f"{one}-000001"] for one in ("evt", "sig", "ord", "fil", "pos", "out")),
    ["status"],
    ["flags"],
    ["flags", "snap_unlisted"],
    ["verify", "--any-version"],
    ["journal", "inspect"],
    ["journal", "export", "--facts"],
]
"""Every command that only looks into a data directory."""


def ask(*words: str | Path) -> Result:
    """A command run in this process."""
    return CliRunner().invoke(main, [str(one) for one in words], prog_name="oracle")


def copied(tmp_path: Path) -> Path:
    """A copy of the bundled run's data directory, to be damaged."""
    return Path(shutil.copytree(bundled(), tmp_path / "run"))


def records() -> int:
    """How many records the bundled days make."""
    return int(status(bundled())["record"])


def leaves(value: Any) -> Iterator[Any]:
    """Every plain value of an answer."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and group."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


# -- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], *map(list, commands(main))], ids=" ".join)
def test_every_command_explains_itself(words: list[str]) -> None:
    """Both spellings of help answer, and nothing is loaded or asked for them."""
    short, long = ask(*words, "-h"), ask(*words, "--help")
    assert (short.exit_code, short.output) == (0, long.output)
    assert short.output.startswith(f"Usage: oracle{''.join(f' {one}' for one in words)} ")


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_people_and_programs_are_answered(words: list[str]) -> None:
    """For people lines of text; with `--json` one value in which money, instants and counts are whole numbers."""
    shown = ask(*words, "--data", bundled())
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.strip()
    if words[:2] == ["journal", "export"]:
        assert [json.loads(line)["lsn"] for line in shown.stdout.splitlines()] == list(range(1, records() + 1))
        return
    told = ask(*words, "--json", "--data", bundled())
    answer = json.loads(told.stdout)
    assert (told.exit_code, told.stderr) == (0, "")
    assert bool(answer) == (words[0] not in EMPTY)
    assert not [one for one in leaves(answer) if isinstance(one, float)]


def test_money_for_programs_is_whole_micro_dollars() -> None:
    """The first fill cost 5.46 a share and 0.70 of commission."""
    (fill,) = json.loads(ask("trades", "--where", "id=fil-000001", "--json", "--data", bundled()).stdout)
    assert (fill["price"], fill["commission"], fill["filled_at"]) == (5_460_000, 700_000, 1_770_907_860_000_000_000)


def test_a_backtest_answers_people_and_programs(tmp_path: Path) -> None:
    """Figures as a table, the story line by line, or JSON; each run in a directory of its own."""
    inputs = ("--tape", ROOT / "fixtures/demo/tape", "--alerts", ROOT / "fixtures/demo/alerts.jsonl")
    told = ask("backtest", *inputs, "--out", tmp_path / "a", "--json")
    figures = json.loads(told.stdout)
    assert (told.exit_code, figures["market"], figures["records"]) == (0, "simulated", records())
    assert not [one for one in leaves(figures) if isinstance(one, float)]
    story = ask("backtest", *inputs, "--out", tmp_path / "b", "--story")
    assert "evt-000001 accepted as sig-000001" in story.stdout
    assert "Result on simulated prices" in story.stdout
    assert ask("backtest", *inputs, "--out", tmp_path / "b").exit_code == 2


def test_the_directory_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ORACLE_DATA` stands in for `--data`."""
    monkeypatch.setenv("ORACLE_DATA", str(bundled()))
    assert "fil-000007" in ask("trades").stdout


@given(name=st.sampled_from(LISTINGS), where=st.text(), limit=st.integers(-5, 2**70))
def test_no_condition_crashes_a_listing(name: str, where: str, limit: int) -> None:
    """Whatever is asked for is answered, or refused as bad usage."""
    done = ask(name, "--where", where, "--limit", str(limit), "--data", bundled())
    assert done.exit_code in (0, 2), done.exception


def test_a_directory_is_prepared(tmp_path: Path) -> None:
    """What is pasted elsewhere stands in the answer for people and in that for programs."""
    shown = ask("init", "--data", tmp_path / "a", "--port", "9000", "--url", "https://alerts.example")
    told = json.loads(ask("init", "--data", tmp_path / "b", "--port", "9000", "--json").stdout)
    assert "  https://alerts.example/webhook\n" in shown.stdout
    assert told["url"] == "http://127.0.0.1:9000/webhook"
    assert json.loads(told["message"])["direction"] == "long"
    assert json.loads(told["strategy_message"])["direction"] == "{{strategy.market_position}}"


def test_a_prepared_directory_is_told_of_again(tmp_path: Path) -> None:
    """Whoever lost what to paste asks again; a directory of somebody else's is refused."""
    made = json.loads(ask("init", "--data", tmp_path / "a", "--port", "9000", "--json").stdout)
    before = seen(tmp_path / "a")
    again = ask("init", "--data", tmp_path / "a", "--json")
    assert (again.exit_code, json.loads(again.stdout)) == (0, {**made, "made": False})
    assert made["message"] in ask("init", "--data", tmp_path / "a").stdout
    assert seen(tmp_path / "a") == before
    (tmp_path / "b").mkdir()
    (tmp_path / "b/letters.txt").touch()
    assert ask("init", "--data", tmp_path / "b").exit_code == 2


def test_a_run_that_is_down_says_so() -> None:
    """In the first line for people, and to programs as a value."""
    first = ask("status", "--data", bundled()).stdout.splitlines()[0]
    assert first == "NOT RUNNING: from the files, as of 2026-02-17 10:30:00 New York, simulated prices"
    assert json.loads(ask("status", "--json", "--data", bundled()).stdout)["running"] is False


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str) -> None:
    """It asks this program by its name."""
    done = ask("completion", shell)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"_ORACLE_COMPLETE={shell}_complete" in done.stdout


def test_status_loads_nothing_heavy() -> None:
    """A question of a moment must not wait for numpy, a market or a server: neither from files nor through the socket."""
    heavy = ("numpy", "scipy", "pandas", "aiohttp", "asyncio", "rich", "transitions", "exchange_calendars")
    program = (
        "import sys; from click.testing import CliRunner; from cli import main\n"
        f"done = CliRunner().invoke(main, ['status', '--data', {str(bundled())!r}])\n"
        "assert done.exit_code == 0, done.output\n"
        "import http.client, oracle.ask\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


# -- configuration --------------------------------------------------------------------------------------------------


def test_config_check_lists_every_fault_at_once(tmp_path: Path) -> None:
    """An unknown key with a suggestion, a wrong type and a value out of range stand in one answer."""
    file = tmp_path / "mine.toml"
    file.write_text('[gates]\nspot_age_max = 5\nopen_positions_max = "many"\n[profiles.swing]\nstop_loss_pct = 0\n')
    done = ask("config", "check", "--config", file)
    assert (done.exit_code, done.stdout) == (2, "")
    for key in ("gates.spot_age_max", "spot_age_s_max", "gates.open_positions_max", "profiles.swing.stop_loss_pct"):
        assert key in done.stderr
    file.write_text("[gates]\nopen_positions_max = 7\n")
    assert ask("config", "check", "--config", file).stdout == f"{file} can be used\n"


def test_config_check_answers_programs(tmp_path: Path) -> None:
    """Whether it can be used, or all that keeps it from being used."""
    file = tmp_path / "mine.toml"
    file.write_text("[gates]\nspot_age_max = 5\n")
    done = ask("config", "check", "--json", "--config", file)
    told = json.loads(done.stderr)
    assert (done.exit_code, done.stdout, told["exit_code"]) == (2, "", 2)
    assert "gates.spot_age_max" in told["error"]
    file.write_text("[gates]\nopen_positions_max = 7\n")
    done = ask("config", "check", "--json", "--config", file)
    assert json.loads(done.stdout) == {"config": str(file), "usable": True}


def test_config_show_says_where_a_value_comes_from(tmp_path: Path) -> None:
    """A key of the file names the file, all others are defaults."""
    file = tmp_path / "mine.toml"
    file.write_text("[gates]\nopen_positions_max = 7\n")
    keys = {one["key"]: one for one in json.loads(ask("config", "show", "--config", file, "--json").stdout)}
    assert keys["gates.open_positions_max"]["value"] in (7, "7")
    assert keys["gates.open_positions_max"]["origin"] != keys["gates.spot_age_s_max"]["origin"]
    assert "gates.open_positions_max = 7" in ask("config", "show", "--config", file).stdout


# -- exit codes -----------------------------------------------------------------------------------------------------


def forged(tmp_path: Path, change: Callable[[Record], Record]) -> Path:
    """A copy of the bundled run whose journal was written again, whole and well-formed, with its records changed."""
    data = copied(tmp_path)
    bodies: list[Body] = list(read(Disk(), data / "journal"))
    shutil.rmtree(data / "journal")
    journal = Journal.create(Disk(), data / "journal", run=Run(b"\x07" * 16, code_version(), "forged"))
    for body in bodies:
        record = change(decode(body.payload, body.schema))
        journal.append(body.seen_at, body.kind, schema=SCHEMA, payload=encode(record))
    journal.close()
    return data


def test_done_is_0() -> None:
    """A version for people who report a fault."""
    done = oracle("--version")
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "oracle", "")


@pytest.mark.parametrize(
    "words",
    [
        ["close", "pos-000001"],
        ["close", "--all"],
        ["halt"],
        ["resume"],
        ["flags", "snap_unlisted", "on"],
        ["requeue", "sig-000001"],
        ["clock", "--to", "2026-02-13T15:30:00Z"],
        ["send", "--symbol", "SPY", "--direction", "long"],
    ],
    ids=" ".join,
)
def test_what_needs_a_process_at_work_is_1_without_one(words: list[str]) -> None:
    """The remedy is to start it; the files are left alone."""
    before = seen(bundled())
    done = ask(*words, "--data", bundled())
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"nothing runs on {bundled()}: start it with oracle run --data {bundled()}" in done.stderr
    assert seen(bundled()) == before


def test_a_database_that_is_none_is_1(tmp_path: Path) -> None:
    """The operation failed; the remedy is named."""
    data = copied(tmp_path)
    (data / "oracle.db").write_text("this is no database, whatever its name may say\n" * 100)
    done = oracle("orders", "--data", data)
    assert (done.returncode, done.stdout) == (1, "")
    assert "oracle rebuild" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["bactest"],
        ["backtest"],
        ["orders", "--data", "nowhere"],
        ["orders", "--limit", "0"],
        ["backtest", "--tape", "nowhere", "--alerts", "nowhere", "--out", "nowhere"],
        ["config", "check", "--config", "nowhere.toml"],
        ["tape", "import", "--quotes", "q.csv", "--bars", "GOOG", "--out", "t"],
        ["tape", "import", "--quotes", "q.csv", "--bars", "GOOG=b.csv", "--out", "t", "--dividend-yield", "GOOG=much"],
        ["tape", "import", "--quotes", "q.csv", "--bars", "GOOG=b.csv", "--out", "t"],
        ["explain", "sig-000001", "--data", "nowhere"],
        ["rebuild", "--data", "nowhere"],
        ["verify", "--data", "nowhere"],
        ["journal", "export", "--data", "nowhere"],
        ["flags", "--data", "nowhere"],
        ["flags", "snap_unlisted", "maybe"],
        ["close", "--data", "nowhere"],
        ["close", "pos-000001", "--all"],
        ["close", "SPY"],
        ["close", "sig-000001", "--json"],
        ["clock", "--to", "noon"],
        ["init", "--url", "alerts.example", "--data", "desk"],
        ["send"],
        ["send", "--symbol", "SPY"],
        ["send", "absent.json"],
        ["completion", "powershell"],
        ["calls", "--where", "nothing"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """What the user must mend is said on standard error, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    done = ask(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr
    assert list(tmp_path.iterdir()) == []


def test_bad_usage_is_2_in_a_shell() -> None:
    """An unknown id of a real run, asked in a process of its own."""
    done = oracle("explain", "sig-999999", "--data", bundled())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no sig-999999 in")
    assert "Traceback" not in done.stderr


def test_a_missing_database_is_2_and_rebuild_makes_it_again(tmp_path: Path) -> None:
    """Without the database the journal still holds everything: after a rebuild every row is as it was."""
    data = copied(tmp_path)
    before = content(data)
    (data / "oracle.db").unlink()
    asked = oracle("status", "--data", data)
    assert (asked.returncode, "oracle rebuild" in asked.stderr) == (2, True)
    made = oracle("rebuild", "--data", data, "--json")
    assert (made.returncode, made.stderr, json.loads(made.stdout)["records"]) == (0, "", records())
    assert content(data) == before
    assert oracle("status", "--data", data).stdout == oracle("status", "--data", bundled()).stdout


def content(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all query tables."""
    connection = reading(data / "oracle.db")
    try:
        queries = {one.name: f'SELECT * FROM "{one.name}" ORDER BY rowid' for one in TABLES}  # noqa: S608
        return {name: [tuple(row) for row in connection.execute(query)] for name, query in queries.items()}
    finally:
        connection.close()


@pytest.mark.parametrize(
    "words", [["verify"], ["rebuild"], ["journal", "inspect"], ["journal", "export"]], ids=" ".join
)
def test_a_damaged_journal_is_3(tmp_path: Path, words: list[str]) -> None:
    """One bit of a sealed segment: nothing is answered from it, and the database is left as it was."""
    data = copied(tmp_path)
    (segment,) = segments(Disk(), data / "journal")
    file = data / "journal" / segment.name
    damaged = bytearray(file.read_bytes())
    damaged[segment.used_bytes // 2] ^= 1
    file.write_bytes(damaged)
    before = (data / "oracle.db").read_bytes()
    done = oracle(*words, "--data", data)
    assert (done.returncode, done.stdout) == (3, "")
    assert segment.name in done.stderr
    assert "Traceback" not in done.stderr
    assert (data / "oracle.db").read_bytes() == before


def test_a_decision_that_does_not_come_out_again_is_4(tmp_path: Path) -> None:
    """A well-formed journal in which one answer was changed: the record, its unit and both sides are named."""

    def change(record: Record) -> Record:
        facts = tuple(
            replace(one, symbol="QQQ") if isinstance(one, AlertLogged) and one.event_id == "evt-000001" else one
            for one in record.facts
        )
        return Record(record.input, facts)

    done = oracle("verify", "--any-version", "--data", forged(tmp_path, change))
    assert done.returncode == 4
    assert "unit sig-000001" in done.stderr or "unit evt-000001" in done.stderr
    assert '"QQQ"' in done.stderr.split("recorded:")[1].split("decided:")[0]
    assert '"SPY"' in done.stderr.split("decided:")[1]


def test_a_disk_that_cannot_be_read_is_5(tmp_path: Path) -> None:
    """A segment of which the first byte cannot be had."""
    data = copied(tmp_path)
    (segment,) = segments(Disk(), data / "journal")
    (data / "journal" / segment.name).unlink()
    (data / "journal" / segment.name).symlink_to("/proc/self/mem")
    done = oracle("verify", "--data", data)
    assert done.returncode == 5
    assert "check the disk" in done.stderr


def test_a_broken_law_is_6(tmp_path: Path) -> None:
    """A journal that says what cannot be: an order is cancelled that never was."""

    def change(record: Record) -> Record:
        impossible = (OrderCancelAsked("ord-000099", "order_timeout"),)
        return Record(record.input, record.facts + (impossible if record.facts else ()))

    done = oracle("rebuild", "--data", forged(tmp_path, change))
    assert done.returncode == 6
    assert "there is no order ord-000099" in done.stderr


def test_a_directory_in_use_is_7(tmp_path: Path) -> None:
    """Whoever holds the journal's lock keeps the database too; looking into it stays possible."""
    data = copied(tmp_path)
    held = Disk().lock(data / "journal" / LOCK)
    try:
        done = oracle("rebuild", "--data", data)
        assert (done.returncode, "in use" in done.stderr) == (7, True)
        assert oracle("status", "--data", data).returncode == 0
    finally:
        os.close(held)


# -- the disk, the terminal and the pipe ----------------------------------------------------------------------------


def seen(data: Path) -> dict[str, tuple[int, int]]:
    """Every name below a directory, itself included, with its size and when it was last changed."""
    paths = [data, *sorted(data.rglob("*"))]
    return {str(one): (one.stat().st_size, one.stat().st_mtime_ns) for one in paths}


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_question_leaves_the_directory_as_it_was(tmp_path: Path, words: list[str]) -> None:
    """No file appears, grows or is touched, also where the directory could be written."""
    data = copied(tmp_path)
    before = seen(data)
    assert ask(*words, "--data", data).exit_code == 0
    assert seen(data) == before


@pytest.mark.parametrize("words", [["journal", "export"], ["journal", "inspect", "--json"], ["events"]], ids=" ".join)
def test_a_reader_that_has_had_enough_is_no_fault(words: list[str]) -> None:
    """`| head -1` ends the command quietly."""
    command = [sys.executable, "-m", "cli", *words, "--data", str(bundled())]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_progress_is_for_terminals(tmp_path: Path) -> None:
    """Long work draws a bar on a terminal's standard error; a pipe, and a program that asks for JSON, get none."""
    shown, plain, program = (
        on_a_terminal("verify"),
        oracle("verify", "--data", bundled()),
        on_a_terminal("verify", "--json"),
    )
    assert b"verify" in shown
    assert (plain.returncode, plain.stderr) == (0, "")
    assert program == b""


def on_a_terminal(*words: str) -> bytes:
    """What a command writes to standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli", *words, "--data", str(bundled())]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, check=False)
    os.close(theirs)
    assert done.returncode == 0
    found = b""
    try:
        while part := os.read(ours, 65_536):
            found += part
    except OSError:
        # A terminal whose other end is closed ends with an error instead of an empty read.
        pass
    finally:
        os.close(ours)
    return found
