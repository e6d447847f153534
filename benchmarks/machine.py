"""The machine on which measurements were made, in words and figures."""

import os
import platform
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from statistics import median

from benchmarks.figures import Table

SYNCS = 500
LIBRARIES = ("numpy", "scipy", "aiohttp", "msgspec")


def sync_ms(directory: Path) -> float:
    """Milliseconds of one small write with fdatasync, the median of many."""
    descriptor = os.open(directory / "synced", os.O_RDWR | os.O_CREAT, 0o600)
    os.posix_fallocate(descriptor, 0, SYNCS * 512)
    os.fsync(descriptor)
    spent = []
    for number in range(SYNCS):
        start = time.perf_counter()
        os.pwrite(descriptor, bytes(512), number * 512)
        os.fdatasync(descriptor)
        spent.append(1_000 * (time.perf_counter() - start))
    os.close(descriptor)
    return median(spent)


def described() -> Table:
    """What a reader needs to know to compare."""
    with tempfile.TemporaryDirectory() as directory:
        sync, place = sync_ms(Path(directory)), Path(directory).parent
    cpu, memory = named("/proc/cpuinfo", "model name"), named("/proc/meminfo", "MemTotal")
    rows = (
        ("processor", cpu or platform.processor() or "unknown"),
        ("cores", str(os.cpu_count())),
        ("memory", f"{int(memory.split()[0]) / 2**20:.1f} GiB" if memory else "unknown"),
        ("kernel", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        (f"one write with fdatasync in {place}", f"{sync:.3f} ms (median of {SYNCS})"),
        ("load average at the start", ", ".join(f"{one:.2f}" for one in os.getloadavg())),
        ("Python", sys.version.split()[0]),
        *((name, version(name)) for name in LIBRARIES),
    )
    return Table("The machine", ("", "here"), rows)


def named(file: str, name: str) -> str:
    """The first value of a name in one of the kernel's lists; nothing where there is none."""
    path = Path(file)
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def version(library: str) -> str:
    """The version of an installed library."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"
