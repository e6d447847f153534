"""The law of determinism at length, run by `make matrix`: other versions of Python, and recorded days in every environment.

Deliberately no part of `make test`: it takes minutes, and needs an index of packages to equip the other interpreters from.
They are those of `ORACLE_OTHER_PYTHONS`, or else what is found on the PATH and under `~/.pyenv`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.days import alert_lines, build_tape, configuration, read_raw
from tests.laws.matrix import ENVIRONMENTS, NAMES, PLAIN, RUNS, Environment, after, first_difference, script
from tests.laws.tree import PROGRAM, ROOT


def others() -> list[str]:
    """Interpreters to try: those that are named, or one of each version and build that is found and is not this one."""
    named = os.environ.get("ORACLE_OTHER_PYTHONS", "").split()
    if named:
        return named
    places = [*map(Path, os.get_exec_path()), *sorted(Path.home().glob(".pyenv/versions/3.*/bin"))]
    found = [str(python) for place in places for python in sorted(place.glob("python3.1[1-9]"))]
    by_build = {build: python for python in reversed(found) if (build := _build(python))}
    return sorted(python for build, python in by_build.items() if build != sys.version)


def _build(python: str) -> str:
    """Version and build of an interpreter; nothing when it does not run, or is one this project does not support."""
    asked = "import sys; print(sys.version if sys.version_info >= (3, 11) else '', end='')"
    return subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False).stdout


NONE = pytest.param("", marks=pytest.mark.skip("no other Python was found: name some in ORACLE_OTHER_PYTHONS"))


def equipped(python: str, root: Path) -> Environment:
    """Another interpreter, with the program installed from a copy of its sources into an environment of its own."""
    source, home = root / "source", root / "home"
    source.mkdir()
    for name in (*PROGRAM, "pyproject.toml", "README.md"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, source / name)
    subprocess.run([python, "-m", "venv", "--without-pip", home], check=True)
    environment = Environment(cwd=root, python=home / "bin" / "python", code=None)
    pip = [sys.executable, "-m", "pip", "--python", str(environment.python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--quiet", source], check=True)
    return environment


@pytest.fixture(scope="module", params=list[object](others()) or [NONE])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Each of the other interpreters."""
    return equipped(request.param, tmp_path_factory.mktemp("python"))


class Told:
    """A script and what the plain environment makes of it."""

    def __init__(self, script: Path) -> None:
        self.script = script
        self.plain = PLAIN.replay(script, script.parent / "plain")
        self.runs = [run for run in RUNS if (script.parent / "plain" / run).exists()]

    def check(self, environment: Environment, out: Path) -> Iterator[Path]:
        """Fail where another environment comes to something else; yields the data of each of its runs."""
        difference = first_difference(self.plain, environment.replay(self.script, out))
        assert difference is None, difference
        yield from (out / run for run in self.runs)

    def check_other(self, other: Environment, out: Path) -> None:
        """The same for another Python; each also verifies what the other one wrote."""
        for data in self.check(other, out):
            PLAIN.verify(data)
            other.verify(self.script.parent / "plain" / data.name)


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The script of the law."""
    return Told(script(tmp_path_factory.mktemp("bundled") / "script"))


@pytest.fixture(scope="module")
def days(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Two recorded days of Google with alerts made of its bars."""
    root = tmp_path_factory.mktemp("days") / "script"
    build_tape(data_dir, root / "tape")
    (root / "alerts.jsonl").write_text("\n".join(alert_lines(read_raw(data_dir))) + "\n", "utf-8")
    (root / "config.toml").write_text(configuration("spread_fraction", "short_dated"), "utf-8")
    return Told(root)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_days_come_to_the_same_everywhere(name: str, days: Told, tmp_path: Path) -> None:
    """As the short script does, and the next environment of the ring decides them again."""
    for data in days.check(ENVIRONMENTS[name], tmp_path / "out"):
        after(name).verify(data)


def test_another_python_comes_to_the_same(other: Environment, bundled: Told, tmp_path: Path) -> None:
    """With the libraries that are chosen for it, and installed as a package."""
    bundled.check_other(other, tmp_path / "out")


def test_recorded_days_come_to_the_same_in_another_python(other: Environment, days: Told, tmp_path: Path) -> None:
    """The same of recorded days."""
    days.check_other(other, tmp_path / "out")


def test_the_recorded_days_are_about_something(days: Told) -> None:
    """Trades end at their target, their stop and their expiration, and alerts are refused."""
    facts = b"\n".join(days.plain).decode()
    for came in ("profit_target", "stop_loss", "PositionSettled", "SignalRefused", "too_close_to_close"):
        assert came in facts
