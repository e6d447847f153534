"""The kept inputs: what a fuzzer once thought of goes through every reader again, and each keeps its promises."""

import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hostile import CORPUS, TARGETS

INPUTS = [path for path in sorted(CORPUS.glob("*/*")) if path.is_file()]
HUNG_S = 60
"""Far longer than any of them takes: what needs it hangs."""
HELD_BYTES_MAX = 64 * 2**20
"""No kept input is larger than a few kilobytes; a table read in pieces holds some of them."""


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    """The calendar and the listener are made once, and are no memory of an input."""
    for name in TARGETS:
        TARGETS[name](b"")


@contextmanager
def bounded() -> Iterator[None]:
    """Fail what hangs, and what holds more memory at once than its input can be worth."""

    def hang(*_: object) -> None:
        raise AssertionError(f"still at it after {HUNG_S} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(HUNG_S)
    tracemalloc.start()
    try:
        yield
        _, held_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert held_bytes <= HELD_BYTES_MAX


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_kept_input_breaks_no_promise(path: Path) -> None:
    """It is read, or refused in the way of its reader, in bounded time and memory."""
    with bounded():
        TARGETS[path.parent.name](path.read_bytes())


def test_every_reader_has_kept_inputs() -> None:
    """And every directory of them has a reader."""
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


def test_what_hangs_or_swells_is_seen() -> None:
    """The bounds themselves can fail."""
    with pytest.raises(AssertionError), bounded():
        bytearray(HELD_BYTES_MAX + 1)
    with pytest.raises(AssertionError, match="still at it"), bounded():
        signal.raise_signal(signal.SIGALRM)
