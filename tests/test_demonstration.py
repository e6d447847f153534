"""The demo: a session of the real daemon, told as it happens, stopped in order, and proven by its own verification."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle import demonstration, scenes
from oracle.queries import rows
from state.errors import BadUsage, OracleFailure
from tests.conftest import ROOT
from tests.runs import oracle, shape

SPEED = "2500"


def excerpt() -> list[str]:
    """The lines of the README's first block, under its command."""
    (command, *lines) = (ROOT / "README.md").read_text().split("```console\n", 1)[1].split("```", 1)[0].splitlines()
    assert command == "$ make demo"
    return [line for line in lines if line not in ("...", "")]


def test_the_demo_tells_a_whole_session(tmp_path: Path) -> None:
    """Every scene is played over HTTP and the socket; what came of it is told, counted, kept, and decided again alike.

    The README shows nothing but what is told.
    """
    data = tmp_path / "run"
    done = oracle("demo", "--out", data, "--speed", SPEED)
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout
    for scene in scenes.read(demonstration.BUNDLED / "session.jsonl"):
        assert f"  > {scene.told}\n" in told
    for answer in ("200 DUPLICATE", "400 REJECTED", "401 REJECTED, invalid_signature", "413 REJECTED, body_too_large"):
        assert f"  HTTP {answer}" in told
    assert "Result on simulated prices" in told
    records = told.split("verified: ")[1].split()
    assert records[0] == records[2]
    assert {"accepted", "duplicate", "ignored", "invalid_payload"} == {
        one["status"] for one in rows(data, "events", limit=99)
    }
    assert {"invalid_signature", "body_too_large"} == {one["reason"] for one in rows(data, "calls", limit=99)}
    assert len(rows(data, "outcomes", limit=99)) == told.count(" closed: net ")
    shapes = {shape(line) for line in told.replace(str(data), "runs/demo").splitlines()}
    assert [line for line in excerpt() if shape(line) not in shapes] == []
    assert len(excerpt()) > 15


def test_ctrl_c_ends_the_demo_in_order(tmp_path: Path) -> None:
    """The daemon is stopped, what it came to is told and verified, and nothing is left of a run that is not kept.

    A token of the environment goes before that of the directory, here as in the daemon.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path),
        "WEBHOOK_TOKEN": "a-token-of-the-environment",
    }
    command = [sys.executable, "-m", "cli", "demo", "--speed", "100"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        assert process.stdout is not None
        shown = [next(process.stdout) for _ in range(5)]
        process.send_signal(signal.SIGINT)
        rest, faults = process.communicate(timeout=60)
    assert (process.returncode, faults) == (0, "")
    assert "accepted as sig-000001" in shown[-1]
    assert "ended early" in rest
    assert "verified: " in rest
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_cannot_run_ends_the_demo(tmp_path: Path) -> None:
    """Its failure is the demo's."""
    with pytest.raises(BadUsage, match="a speed of 200000"):
        demonstration.run(tmp_path / "run", speed=200_000)


def test_an_installation_without_the_bundled_files_says_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the source checkout."""
    monkeypatch.setattr(demonstration, "BUNDLED", Path("/nowhere"))
    with pytest.raises(OracleFailure, match="source checkout"):
        demonstration.run(None)
