"""Large blocks are fetched from the system once, where the C library can keep them."""

import platform
import subprocess
import sys

import pytest

from oracle import heap
from tests.conftest import ROOT

COUNTED = """
import resource, sys
import numpy as np
from oracle import heap
if sys.argv[1] == "kept":
    assert heap.keep()
blocks = [np.ones(2**17) for _ in range(8)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    del blocks
    blocks = [np.ones(2**17) for _ in range(8)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(kind: str) -> int:
    """The page faults of a process that takes and frees eight megabytes, twenty times."""
    done = subprocess.run([sys.executable, "-c", COUNTED, kind], cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_was_freed_is_taken_again() -> None:
    """A hundredth of the faults, or less."""
    assert faults("kept") * 20 < faults("plain")


def test_what_is_kept_is_bounded() -> None:
    """Less than the record of the largest tick that a journal takes is worth keeping many times over."""
    assert heap.BLOCK_BYTES <= heap.KEPT_BYTES <= 64 * 2**20
