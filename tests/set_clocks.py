"""The command line on a machine whose wall clock is set by a file: `python -m tests.set_clocks FILE run ...`.

The file holds by how many seconds the wall clock is wrong; the clock that only goes on is the machine's own.
"""

import sys
import time
from pathlib import Path

from cli import main
from oracle import clock

SECOND = 1_000_000_000


class Set:
    """Stands in for the module `time`, where the program reads it."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME
    clock_gettime_ns = staticmethod(time.clock_gettime_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)

    def __init__(self, by: Path) -> None:
        self._by = by

    def time_ns(self) -> int:
        """The wall clock, as somebody set it."""
        return time.time_ns() + int(self._by.read_text("utf-8")) * SECOND


if __name__ == "__main__":
    clock.time = Set(Path(sys.argv[1]))
    main(sys.argv[2:], prog_name="oracle")
