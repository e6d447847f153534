"""A copy of the tree into which one bug at a time is planted, and the run of what must find it.

Deliberately absent: the bugs, which stand in `tests.planted.bugs`.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.laws.tree import ROOT
from tests.planted.bugs import Bug

FOUND_S_MAX = 900
"""A finder that takes longer hangs."""
PLACES = ("cli.py", "config.toml", "docs", "fixtures", "oracle", "pyproject.toml", "rules", "state", "tests")
_WORDS = ("-q", "-x", "--tb=short", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-profile=hasty")


class Found(NamedTuple):
    """What a finder came to: whether it failed, all that it said, and its processor time."""

    failed: bool
    said: str
    seconds: float

    def tells(self, bug: Bug) -> bool:
        """Whether it failed for the reason that this bug gives."""
        return self.failed and re.search(bug.shows, self.said) is not None


class Copy:
    """The tree in another place, where it may be spoilt."""

    def __init__(self, place: Path) -> None:
        """Copy what the finders need."""
        self.root = place
        for name in PLACES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place / name)

    @contextmanager
    def planted(self, bug: Bug) -> Iterator[None]:
        """The copy with a bug in it, for as long as a block."""
        file = self.root / bug.file
        sound = file.read_text("utf-8")
        file.write_text(spoilt(sound, bug), "utf-8")
        try:
            yield
        finally:
            file.write_text(sound, "utf-8")

    def find(self, finder: str) -> Found:
        """Run a finder in the copy, in a process of its own."""
        environment = {
            **os.environ,
            # A planted file may have the size and second of the sound one, which is all that compiled files go by.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self.root),
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "pytest", *_WORDS, *finder.split()]
        with subprocess.Popen(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as run:
            try:
                said, _ = run.communicate(timeout=FOUND_S_MAX)
            finally:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if run.returncode not in (0, 1):
            raise RuntimeError(f"pytest {finder} ended with {run.returncode}, which is no verdict:\n{said}")
        return Found(run.returncode == 1, said.replace(f"{self.root}/", ""), seconds)


def spoilt(sound: str, bug: Bug) -> str:
    """The text of a file with a bug in it. Raises ValueError when the bug has no place in it any more."""
    for old, new in bug.changes:
        if sound.count(old) != 1:
            raise ValueError(f"{bug.name}: {bug.file} holds {sound.count(old)} times, not once:\n{old}")
        sound = sound.replace(old, new)
    return sound
