"""The command line against a process at work: a trader's day from `oracle init` to SIGTERM, each in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import main
from oracle.ask import looks, reached
from oracle.instants import parse
from tests.conftest import ROOT
from tests.local import bundled, serving
from tests.runs import oracle

START = ("--start", "2026-02-12T15:00:00Z", "--seed", "7")
SPEED = "20"
"""Fast enough to wait for nothing, slow enough that an entry finds its fill on a busy machine."""

BUNDLED = ROOT / "fixtures/demo"


@contextmanager
def running(data: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """`oracle run` in a process of its own, from its readiness on; killed at the end if it still runs."""
    command = [sys.executable, "-m", "cli", "run", "--data", str(data), "--port", "0", *words]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            ready = any(reached(data) is not None or process.poll() is not None for _ in looks(30))
            assert ready
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield process
        finally:
            process.kill()


def environment() -> dict[str, str]:
    """That of these tests, without what would speak for another directory."""
    own = ("ORACLE_DATA", "WEBHOOK_TOKEN", "HMAC_SECRET", "WEBHOOK_REPLAY_URL", "NOTIFY_SOCKET")
    return {**{name: value for name, value in os.environ.items() if name not in own}, "PYTHONPATH": str(ROOT)}


def ended(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> tuple[int, str]:
    """(exit code, log) of a process after a signal."""
    process.send_signal(number)
    _, log = process.communicate(timeout=30)
    return process.returncode, log


def ask(*words: str | Path) -> Result:
    """A command run in this process."""
    return CliRunner().invoke(main, [str(one) for one in words], prog_name="oracle")


def answer(*words: str | Path) -> Any:
    """What a command that succeeds tells a program."""
    done = ask(*words, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return json.loads(done.stdout)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared directory, which every command takes for its own."""
    monkeypatch.setenv("ORACLE_DATA", str(tmp_path / "desk"))
    assert ask("init").exit_code == 0
    return tmp_path / "desk"


# -- a day ----------------------------------------------------------------------------------------------------------


def test_a_day_at_the_desk(desk: Path) -> None:
    """An alert becomes a position, which is closed; a halt refuses the next, which is tried again; SIGTERM ends it all."""
    with running(desk, "--simulate", SPEED, *START) as process:
        figures = answer("status")
        assert figures["running"]
        assert (figures["market_kind"], figures["speed"], figures["blockers"]) == ("simulated", float(SPEED), [])

        (sent,) = answer("send", "--symbol", "SPY", "--direction", "long")
        assert (sent["status"], sent["reply"]["status"], sent["simulated"]) == (201, "ACCEPTED", True)
        (position,) = sent["became"]["rows"]["positions"]
        assert [one["id"] for one in answer("positions", "--where", "phase=open")] == [position["id"]]
        assert "prices: simulated" in ask("positions").stdout

        closed = ask("close", "--all", "--reason", "going to lunch")
        assert closed.exit_code == 0
        assert closed.stdout.startswith(f"{position['id']} closed (manual): net ")
        assert closed.stdout.endswith("\nprices: simulated\n")
        (outcome,) = answer("outcomes")
        assert answer("positions")[0]["realized_net"] == outcome["net"]
        assert ask("close", position["id"]).exit_code == 1

        assert ask("halt", "--reason", "news").stdout == "nothing is opened: news; exits go on\n"
        refused = ask("send", "--symbol", "QQQ", "--direction", "put")
        assert refused.exit_code == 0
        assert "sig-000002 (short_dated) refused, entries_halted" in refused.stdout
        assert ask("resume").stdout == "entries go on\n"
        assert [one["kind"] for one in answer("halts")] == ["halted", "resumed"]
        assert ask("resume").exit_code == 1
        assert ask("requeue", "sig-000002").stdout == "sig-000003 is judged anew\n"
        assert ask("requeue", "sig-000001").exit_code == 1

        code, log = ended(process)
    assert code == 0
    assert "event=stopped" in log
    assert "Traceback" not in log
    assert reached(desk) is None
    after = answer("status")
    assert (after["running"], after["silent"]) == (False, False)
    assert after["record"] >= figures["record"]
    assert "url" not in after
    assert answer("signals", "--where", "id=sig-000003")[0]["requeued_from"] == "sig-000002"


def test_switches_are_shown_and_set(desk: Path) -> None:
    """One, all, and set over the configuration; the files say the same when the process is down."""
    with running(desk, "--simulate", SPEED, *START) as process:
        before = answer("flags")
        assert {one["set_by"] for one in before} == {"config"}
        (set_on,) = answer("flags", "snap_unlisted", "on")
        assert (set_on["on"], set_on["set_by"]) == (True, "operator")
        assert ask("flags", "snap").exit_code == 2
        assert ended(process)[0] == 0
    assert answer("flags", "snap_unlisted") == [set_on]
    down = ask("flags", "snap_unlisted", "default")
    assert (down.exit_code, down.stdout) == (1, "")
    assert f"nothing runs on {desk}: start it with oracle run --data {desk}" in down.stderr
    with running(desk, "--simulate", SPEED):
        assert answer("flags", "snap_unlisted", "default") == answer("flags", "snap_unlisted")
        assert answer("flags") == before


def test_what_a_process_at_work_refuses(desk: Path) -> None:
    """A stranger, a second process, and to have its clock moved: each has its exit code, and it goes on undisturbed."""
    with running(desk, "--simulate", SPEED, *START) as process:
        stranger = ask("send", "--symbol", "SPY", "--direction", "long", "--token", "not-the-token-of-this-desk")
        assert (stranger.exit_code, stranger.stdout[:13]) == (1, "401 REJECTED:")
        second = oracle("run", "--data", desk, "--port", "0", "--simulate", SPEED)
        assert (second.returncode, "in use" in second.stderr) == (7, True)
        moved = ask("clock", "--to", "2026-02-12T18:00:00Z")
        assert (moved.exit_code, "--step" in moved.stderr) == (2, True)
        assert (answer("events"), answer("status")["mode"]) == ([], "paper")
        assert ended(process)[0] == 0
    assert [(one["reason"], one["count"]) for one in answer("calls")] == [("invalid_signature", 1)]


def test_a_position_is_followed_to_its_end(desk: Path) -> None:
    """A test alert on standard input is told of until its position, closed by somebody else, is scored."""
    with running(desk, "--simulate", SPEED, *START):
        words = [sys.executable, "-m", "cli", "send", "-", "--data", str(desk), "--follow", "--timeout-s", "60"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(words, cwd=ROOT, env=environment(), text=True, **pipes) as sender:
            assert sender.stdin is not None
            sender.stdin.write('{"symbol": "SPY", "direction": "long", "timeframe": "5m", "test": true}')
            sender.stdin.close()
            held = any(answer("positions", "--where", "phase=open") for _ in looks(30))
            assert held
            assert ask("close", "pos-000001").exit_code == 0
            assert sender.stdout is not None
            lines = sender.stdout.read().splitlines()
        assert sender.returncode == 0
    assert ": pos-000001 closed, net " in lines[-2]
    assert lines[-2].endswith("test")
    assert lines[-1] == "prices: simulated"


def test_a_killed_process_leaves_files_that_answer(desk: Path) -> None:
    """After SIGKILL the socket is there and nobody behind it; the tables catch up with the journal."""
    with running(desk, "--simulate", SPEED, *START) as process:
        (sent,) = answer("send", "--symbol", "SPY", "--direction", "long")
        assert ended(process, signal.SIGKILL)[0] == -signal.SIGKILL
    assert (desk / "oracle.sock").exists()
    done = ask("explain", sent["reply"]["signal_id"])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{sent['reply']['signal_id']}: ")
    assert ask("halt").exit_code == 1
    with running(desk, "--simulate", SPEED):
        assert answer("events")[0]["id"] == sent["reply"]["webhook_event_id"]


def test_a_stopped_process_does_not_hold_up_who_asks(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files answer in its place, at the first moment at which they hold all it decided; asks still need it."""
    monkeypatch.setattr("oracle.ask.READ_S_MAX", 0.1)
    with running(desk, "--simulate", SPEED, *START) as process:
        for _ in looks(30):
            process.send_signal(signal.SIGSTOP)
            told, known = ask("status"), ask("status", "--json")
            process.send_signal(signal.SIGCONT)
            if (told.exit_code, known.exit_code) == (0, 0):
                break
        assert told.stdout.startswith("NOT ANSWERING: from the files, as of 2026-02-12 ")
        assert f"the process that works on {desk} did not answer in 0.1 s, so its files did: " in told.stderr
        figures = json.loads(known.stdout)
        assert (figures["running"], figures["silent"]) == (False, True)
        assert any(ask("status").stdout.startswith("2026-02-12 ") for _ in looks(30))


# -- a clock that is moved ------------------------------------------------------------------------------------------


def test_a_stepped_clock_moves_when_it_is_told_to(desk: Path) -> None:
    """Nothing happens until `oracle clock`; everything due by then has happened when it returns."""
    with running(desk, "--tape", str(BUNDLED / "tape"), "--step"):
        answer("clock", "--to", "2026-02-12T14:50:00Z")
        assert answer("status")["now"] == 1_770_907_800_000_000_000
        sent = ask("send", "--symbol", "SPY", "--direction", "long", "--timeout-s", "0")
        assert "evt-000001 accepted as sig-000001" in sent.stdout
        told = ask("clock", "--to", "2026-02-12T14:52:00Z").stdout
        assert told.startswith("2026-02-12 09:52:00 New York, record ")
        assert [one["id"] for one in answer("positions", "--where", "phase=open")] == ["pos-000001"]
        up = ask("status").stdout
    market = "market tape, simulated prices, newest price 2026-02-12 09:52:00"
    for told in (up, ask("status").stdout):
        assert market in {" ".join(line.split()) for line in told.splitlines()}


@pytest.mark.parametrize(("asked", "stands"), [("14:52", "09:52:00"), ("14:50", "09:51:00")])
def test_what_a_clock_shows_is_what_the_process_says(tmp_path: Path, asked: str, stands: str) -> None:
    """A clock that was not moved back does not look as if it had been."""
    data = Path(shutil.copytree(bundled(), tmp_path / "run"))
    at = parse("2026-02-12T14:51:00Z")
    with serving(data, {"/clock": lambda told: {"now": max(at, told["to"]), "lsn": 7}}):
        told = ask("clock", "--to", f"2026-02-12T{asked}:00Z", "--data", data).stdout
    assert told == f"2026-02-12 {stands} New York, record 7\n"


@pytest.mark.parametrize(
    "words",
    [
        ("--tape", "t"),
        ("--step",),
        ("--tape", "t", "--step", "--simulate", "1"),
        ("--seed", "1"),
        ("--start", "2026-02-12T15:00:00Z"),
        ("--simulate", "1", "--start", "noon"),
        ("--simulate", "0"),
        ("--simulate", "fast"),
        ("--port", "70000"),
        ("--config", "absent.toml"),
    ],
    ids=" ".join,
)
def test_contradicting_options_are_bad_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Told before anything is made."""
    done = ask("run", "--data", tmp_path / "desk", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr
    assert not (tmp_path / "desk").exists()
