"""Which code decides: the version and a digest over the sources of `rules/` and `state/`, kept with every segment."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def package_version() -> str:
    """The installed version of the program."""
    try:
        return version("oracle-trader")
    except PackageNotFoundError:
        return "0+source"


@cache
def code_version() -> str:
    """E.g. `0.1.0+3f9c2a77b01d`: equal for two runs exactly when their rules and nouns are the same text."""
    digest = hashlib.sha256()
    for folder in ("rules", "state"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.relative_to(ROOT).as_posix().encode())
            digest.update(file.read_bytes())
    return f"{package_version()}+{digest.hexdigest()[:12]}"
