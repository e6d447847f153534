"""The command line on a disk that falls ill while a file exists: `python -m tests.sick_disks KIND FILE run ...`.

A `failing` disk refuses every sync then, a `slow` one lets it wait until the file is gone, a `sound` one does nothing of
the kind. Journal files may be smaller than a configuration allows, so that they fill up soon.
"""

import errno
import sys
from pathlib import Path
from threading import Event

from cli import main
from oracle import config, daemon
from oracle.beginning import Job
from state.disk import Disk

SEGMENT_BYTES = 2**20
_LOOK_S = 0.01
_LOOKS_MAX = 3_000


class Failing(Disk):
    """A disk that can make nothing durable while a file exists."""

    def __init__(self, sign: Path) -> None:
        self._sign = sign

    def sync(self, descriptor: int) -> None:
        """Refuse as a broken disk does."""
        if self._sign.exists():
            raise OSError(errno.EIO, "Input/output error")
        super().sync(descriptor)


class Slow(Failing):
    """A disk that makes nothing durable until the file is gone."""

    def sync(self, descriptor: int) -> None:
        """Wait, then sync."""
        for _ in range(_LOOKS_MAX):
            if not self._sign.exists():
                break
            Event().wait(_LOOK_S)
        Disk.sync(self, descriptor)


def disk(kind: str, sign: Path) -> Disk:
    """A disk of a kind."""
    return {"failing": Failing, "slow": Slow}[kind](sign) if kind != "sound" else Disk()


if __name__ == "__main__":
    config.SEGMENT_BYTES_MIN = SEGMENT_BYTES
    outside = daemon.Outside(disk=disk(sys.argv[1], Path(sys.argv[2])))
    run = daemon.run

    async def run_on_it(job: Job) -> None:
        """As `daemon.run`, on that disk."""
        await run(job, outside)

    daemon.run = run_on_it
    main(sys.argv[3:], prog_name="oracle")
