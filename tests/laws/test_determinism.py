"""Law: the same tape and alerts give the same chain and the same exported facts, whatever machine and process they run in."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from tests.laws.replay import DEMO
from tests.laws.tree import ROOT

ALERTS = DEMO / "alerts.jsonl"
KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def dispatched() -> str:
    """The processor features numpy chose its code by, on this machine: those it can be told to leave alone."""
    built = import_module("numpy._core._multiarray_umath")
    return " ".join(one for one in built.__cpu_dispatch__ if built.__cpu_features__.get(one))


def a_locale() -> str:
    """A locale with other decimal points and another order of letters, where it is installed."""
    installed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    return next((one for one in installed if one.startswith("de_DE")), "C.UTF-8")


PLAIN = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}
ELSEWHERE = {
    "another hash seed, zone and locale": {"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "LC_ALL": a_locale()},
    "a random hash seed in New York": {
        "PYTHONHASHSEED": "random",
        "TZ": "America/New_York",
        "OPENBLAS_NUM_THREADS": "1",
    },
    "numpy on an older processor": {"NPY_DISABLE_CPU_FEATURES": dispatched(), "OPENBLAS_NUM_THREADS": "2"},
    "the C library on an older processor": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-FMA4"},
    "assertions stripped": {"PYTHONOPTIMIZE": "1"},
}


def replay(alerts: Path, out: Path, environment: Mapping[str, str]) -> list[bytes]:
    """What a process of its own prints: the chain, then the facts of every record."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.laws.replay", str(alerts), str(out)],
        cwd=ROOT,
        env={**kept, **PLAIN, **environment},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.splitlines()


def first_difference(one: Iterable[bytes], other: Iterable[bytes]) -> str | None:
    """The first record on which two replays differ, with both sides; None when they are the same bytes."""
    ours, theirs = list(one), list(other)
    for place, (left, right) in enumerate(zip(ours[1:], theirs[1:], strict=False), 1):
        if left != right:
            return f"record {place}:\n  {left.decode()}\n  {right.decode()}"
    return None if ours == theirs else f"{len(ours)} and {len(theirs)} lines, chains {ours[0]!r} and {theirs[0]!r}"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The replay that the others are compared with."""
    return replay(ALERTS, tmp_path_factory.mktemp("plain") / "run", {})


@pytest.mark.parametrize("environment", ELSEWHERE.values(), ids=ELSEWHERE)
def test_the_demo_replays_alike(plain: list[bytes], environment: dict[str, str], tmp_path: Path) -> None:
    """Chain and facts are the same bytes in another environment."""
    assert len(plain) > 100
    difference = first_difference(plain, replay(ALERTS, tmp_path / "run", environment))
    assert difference is None, difference


def test_the_law_of_determinism_can_fail(plain: list[bytes], tmp_path: Path) -> None:
    """One changed alert changes the chain, and the first record that differs is that of the alert."""
    first, *others = ALERTS.read_text("utf-8").splitlines()
    assert '"confidence": 75' in first
    changed = tmp_path / "alerts.jsonl"
    changed.write_text("\n".join([first.replace('"confidence": 75', '"confidence": 74'), *others]), "utf-8")
    replayed = replay(changed, tmp_path / "run", {})
    assert replayed[0] != plain[0]
    assert "AlertReceived" in str(first_difference(plain, replayed))
