"""The fuzzer: lets atheris think of bytes that lead the readers of `tests/hostile.py` where no test has been.

    python -m tests.fuzz SECONDS [TARGET...]   so long in all, shared out evenly; ends with 1 when a promise was broken
    python -m tests.fuzz keep [TARGET...]      the few of what it learned that lead somewhere new, into `tests/corpus`

What it learns stays in `runs/fuzz`. An input that breaks a promise is printed with its file: copied into `tests/corpus`,
it fails in `test_corpus.py`. Needs the extra `fuzz`.
"""

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORPUS, LEARNED = ROOT / "tests" / "corpus", ROOT / "runs" / "fuzz"
KEPT_BYTES_MAX = 1_024
HANG_S, MEMORY_MB_MAX = 20, 2_048
_CHILD = "--child"


def main(words: list[str]) -> int:
    """What the command line asks for; the exit code."""
    if words[:1] == [_CHILD]:
        return child(words[1], words[2:])
    targets = words[1:] or sorted(path.name for path in CORPUS.iterdir())
    if words[0] == "keep":
        return max(keep(name) for name in targets)
    each_s = max(1, int(words[0]) // len(targets))
    failed = [name for name in targets if search(name, each_s)]
    print(f"{len(targets)} readers, {each_s} s each; promises broken: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def search(name: str, seconds: int) -> int:
    """Look for inputs that break a promise of one reader."""
    LEARNED.joinpath(name).mkdir(parents=True, exist_ok=True)
    limits = (f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB_MAX}", f"-max_total_time={seconds}")
    print(f"-- {name}", flush=True)
    return run(
        name, *limits, f"-artifact_prefix={LEARNED / name}-", "-print_final_stats=1", LEARNED / name, CORPUS / name
    )


def keep(name: str) -> int:
    """Add to the corpus of one reader the small inputs that reach what none there reaches."""
    return run(name, "-set_cover_merge=1", f"-max_len={KEPT_BYTES_MAX}", CORPUS / name, LEARNED / name)


def run(name: str, *words: str | Path) -> int:
    """The fuzzer of one reader in a process of its own, for it never returns; its exit code."""
    command = [sys.executable, "-m", "tests.fuzz", _CHILD, name, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def child(name: str, words: list[str]) -> int:
    """Fuzz, with the program and the checks watched while they are imported."""
    import atheris  # noqa: PLC0415  # an extra that only this process needs

    with atheris.instrument_imports(include=["oracle", "rules", "state", "tests.hostile"]):
        from tests.hostile import TARGETS  # noqa: PLC0415  # what is imported here is watched
    # Where it reduces a corpus it starts itself again, through a shell, by the first of these words.
    again = shlex.join([sys.executable, "-m", "tests.fuzz", _CHILD, name])
    atheris.Setup([again, *words], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
