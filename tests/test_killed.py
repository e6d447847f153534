"""A real process on a real disk, killed with SIGKILL in the middle of a backtest: what its journal then holds.

STORM_POINTS, which raises the number of crash points of all storms, raises the number of kills as well.
"""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.directory import DataDirectory
from oracle.stored import rebuild_directory, verify_directory
from state.disk import Disk
from state.frames import GENESIS, Run, chained
from state.journal import Journal, Limits, read, segments
from tests.storms import bytes_of

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "fixtures" / "demo"
KILLS = max(5, int(os.environ.get("STORM_POINTS", "2400")) // 400)
COMMAND = (sys.executable, "-u", str(ROOT / "cli.py"), "backtest", "--story")
DRAW_MS_MAX = 30


def begin(out: Path) -> subprocess.Popen[str]:
    """Start a backtest of the bundled demo that tells its story line by line."""
    options = ("--tape", DEMO / "tape", "--alerts", DEMO / "alerts.jsonl", "--out", out)
    return subprocess.Popen([*COMMAND, *map(str, options)], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def bodies_in(out: Path) -> list[bytes]:
    """The records of a data directory, as they lie there."""
    return [bytes_of(body) for body in read(Disk(), DataDirectory(out).journal)]


@pytest.fixture(scope="module", name="whole")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[bytes], int]]:
    """The records of the run that nobody killed, and how many lines its story has."""
    out = tmp_path_factory.mktemp("whole") / "run"
    story, _ = begin(out).communicate()
    lines = story.split("Result on simulated prices")[0].splitlines()
    yield bodies_in(out), len(lines)
    shutil.rmtree(out)


@pytest.fixture(name="out")
def _out(tmp_path: Path) -> Iterator[Path]:
    """A place for a data directory, whose reserved space is given back."""
    yield tmp_path / "run"
    shutil.rmtree(tmp_path / "run")


def killed(out: Path, *, lines: int, pause_s: float) -> str:
    """Kill a backtest a moment after it told so many lines; what it told."""
    process = begin(out)
    assert process.stdout is not None
    told = "".join(process.stdout.readline() for _ in range(lines))
    time.sleep(pause_s)
    process.kill()
    process.communicate()
    return told


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_backtest_leaves_a_clean_beginning(whole: tuple[list[bytes], int], seed: int, out: Path) -> None:
    """Its records are the first ones of the run nobody killed; they verify, and the database is made of them again."""
    bodies, length = whole
    rng = random.Random(seed)
    told = killed(out, lines=rng.randint(1, length), pause_s=rng.random() * DRAW_MS_MAX / 1_000)
    assert told.startswith("2026-02-12"), told

    found = bodies_in(out)
    assert found == bodies[: len(found)]
    verified = verify_directory(out, any_version=False)
    assert (verified["records"], verified["judged"]) == (len(found), len(found))
    assert asyncio.run(rebuild_directory(out))["records"] == len(found)

    limits = Limits(segment_bytes=2**20)
    journal = Journal.open(Disk(), DataDirectory(out).journal, run=Run(bytes(16), "v1", "host"), limits=limits)
    journal.close()
    chain = GENESIS
    for body in found:
        chain = chained(chain, body)
    assert (journal.last_lsn, journal.chain) == (len(found), chain)
    assert segments(Disk(), DataDirectory(out).journal)[-1].chain == chain
    assert bodies_in(out) == found


def asked(command: str, out: Path) -> subprocess.CompletedProcess[str]:
    """What a command answers about a data directory."""
    words = [sys.executable, str(ROOT / "cli.py"), command, "--data", str(out), "--json"]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_killed_run_answers_through_its_commands(out: Path) -> None:
    """`oracle verify` and `oracle rebuild` end with 0 on what a killed process left, and with 3 once a bit has flipped."""
    killed(out, lines=20, pause_s=0)
    found = bodies_in(out)
    for command in ("verify", "rebuild"):
        answer = asked(command, out)
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["records"] == len(found)

    (segment,) = DataDirectory(out).journal.glob("*.seg")
    place = segment.read_bytes().index(found[2]) + len(found[2]) // 2
    with segment.open("r+b") as file:
        file.seek(place)
        flipped = file.read(1)[0] ^ 1
        file.seek(place)
        file.write(bytes([flipped]))
    for command in ("verify", "rebuild"):
        answer = asked(command, out)
        assert answer.returncode == 3, answer.stderr
        assert segment.name in answer.stderr
