"""Law: one file reads the clock, one reads the system's chance, two print; none says otherwise with a `noqa`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.tree import PROGRAM, ROOT, obeyed

RULES = "TID251,T20,DTZ006"


def ruff(*arguments: str, stdin: str | None = None) -> list[str]:
    """The complaints of ruff under the configuration of this tree, comments that silence it disregarded."""
    command = [
        str(Path(sys.executable).with_name("ruff")),
        *("check", "--no-cache", "--quiet", "--ignore-noqa", "--output-format=json", "--select", RULES),
        *arguments,
    ]
    result = subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    return [
        f"{fault['filename']}:{fault['location']['row']}: {fault['code']} {fault['message']}"
        for fault in json.loads(result.stdout)
    ]


def complaints(path: str, text: str) -> list[str]:
    """What ruff says of `text` if it stood at `path`."""
    return ruff(f"--stdin-filename={path}", "-", stdin=text)


def test_clock_chance_and_print_have_their_files() -> None:
    """No file of the program reads the clock or chance or prints, except those that own it."""
    obeyed(ruff(*(place for place in PROGRAM if (ROOT / place).exists())))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import time", "TID251"),
        ("from time import monotonic_ns", "TID251"),
        ("import random", "TID251"),
        ("from random import Random", "TID251"),
        ("import secrets", "TID251"),
        ("import uuid", "TID251"),
        ("import os; os.urandom(8)", "TID251"),
        ("import os as system; system.getrandom(8)", "TID251"),
        ("from datetime import datetime; datetime.now()", "TID251"),
        ("import datetime as dt; dt.datetime.utcnow()", "TID251"),
        ("import datetime; datetime.datetime.today()", "TID251"),
        ("from datetime import date; date.today()", "TID251"),
        ("import datetime; datetime.datetime.fromtimestamp(0)", "DTZ006"),
        ("import numpy as np; np.random.rand(3)", "TID251"),
        ("from numpy.random import default_rng; default_rng()", "TID251"),
        ("print(1)", "T201"),
        ("import time  # noqa: TID251", "TID251"),
    ],
)
@pytest.mark.parametrize("path", ["rules/gates.py", "oracle/daemon.py"])
def test_the_law_of_bans_can_fail(path: str, line: str, rule: str) -> None:
    """Every spelling of a banned act is refused wherever it stands."""
    found = complaints(path, line + "\n")
    assert found
    assert all(f": {rule} " in complaint for complaint in found)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("oracle/clock.py", "import time; time.time_ns()"),
        ("oracle/ids.py", "import os; os.urandom(16)"),
        ("oracle/report.py", "print(1)"),
        ("cli.py", "print(1)"),
        ("oracle/market/simulated.py", "import numpy as np; np.random.Generator(np.random.Philox(key=1))"),
        ("oracle/narrate.py", "from datetime import UTC, datetime; datetime.fromtimestamp(0, tz=UTC)"),
        ("rules/intake.py", "from datetime import UTC, datetime; datetime(2026, 2, 13, tzinfo=UTC).timestamp()"),
    ],
)
def test_owners_may_do_what_they_own(path: str, line: str) -> None:
    """The owner of an act may do it, a keyed generator and plain calendar arithmetic are nobody's act."""
    assert complaints(path, line + "\n") == []
