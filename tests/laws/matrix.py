"""The environments in which a script must come to the same journal, the script, and processes that run in them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from itertools import zip_longest
from pathlib import Path

from tests.laws.tree import ROOT

DEMO = ROOT / "fixtures" / "demo"
REPLAY = ROOT / "tests" / "laws" / "replay.py"
RUNS = ("tape", "simulated")

# -- the script -----------------------------------------------------------------------------------------------------

CONFIG = """# For Zürich: whoever opens this file must say how it is encoded.
[strikes]
snap_unlisted = true
[orders]
limit_offset_usd = 0.50
entry_timeout_s = 600
[gates]
open_positions_max = 8
[sizing]
base_contracts = 3
[profiles.short_dated]
profit_target_pct = 8
stop_loss_pct = 10
"""

# Levels that no price reaches, so that the contract stays to its end.
_TO_THE_END = {"action": "buy", "timeframe": "5m", "stop": 0.01, "target": 40}
SIMULATED: tuple[tuple[str, dict[str, object]], ...] = (
    ("2026-02-12T09:36:00-05:00", {"symbol": "SPY", "direction": "long", "timeframe": "5m"}),
    ("2026-02-12T09:36:00-05:00", {"symbol": "QQQ", "direction": "short", "timeframe": "15m"}),
    ("2026-02-12T09:37:00-05:00", {"symbol": "TSLA", "direction": "long", "timeframe": "5m"}),
    ("2026-02-12T09:37:00-05:00", {"symbol": "Zürich", "direction": "long", "timeframe": "5m"}),
    ("2026-02-12T11:00:00-05:00", {"symbol": "SPY260213C00600000", **_TO_THE_END}),
    ("2026-02-12T11:00:01-05:00", {"symbol": "SPY260213P00600000", **_TO_THE_END}),
    ("2026-02-12T13:00:00-05:00", {"symbol": "IWM", "direction": "short", "timeframe": "1h"}),
    ("2026-02-13T17:30:00-05:00", {"symbol": "SPX", "direction": "long", "timeframe": "5m"}),
)
"""Alerts of two sessions on the simulated market, some at one instant; on the second two of the contracts expire."""


def script(root: Path) -> Path:
    """A new directory with the bundled tape and its alerts, alerts for the simulated market, and a configuration."""
    root.mkdir()
    (root / "tape").symlink_to(DEMO / "tape")
    (root / "alerts.jsonl").symlink_to(DEMO / "alerts.jsonl")
    lines = (json.dumps({"at": at, "body": body}, ensure_ascii=False) for at, body in SIMULATED)
    (root / "simulated.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    (root / "config.toml").write_text(CONFIG, "utf-8")
    return root


def first_difference(one: Iterable[bytes], other: Iterable[bytes]) -> str | None:
    """The first line on which two replays differ, with both sides; None when they are the same bytes."""
    for number, (left, right) in enumerate(zip_longest(one, other, fillvalue=b"nothing"), 1):
        if left != right:
            return f"line {number}:\n  {left.decode()}\n  {right.decode()}"
    return None


# -- processes ------------------------------------------------------------------------------------------------------

_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_PLAIN = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C", "PYTHONSAFEPATH": "1"}


@dataclass(frozen=True)
class Environment:
    """Where a process runs: variables beside the plain ones, a working directory, an interpreter and its code.

    Without `code` that is what was installed for the interpreter.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = ROOT
    python: Path = Path(sys.executable)
    code: Path | None = ROOT

    def ran(self, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
        """A finished process of the interpreter."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        code = {} if self.code is None else {"PYTHONPATH": str(self.code)}
        environment = {**kept, **_PLAIN, **code, **self.variables}
        return subprocess.run([self.python, *words], cwd=self.cwd, env=environment, capture_output=True, check=False)

    def replay(self, script: Path, out: Path) -> list[bytes]:
        """What a script came to: for each run every record's digest and facts, then the chain."""
        ran = self.ran(REPLAY, script, out)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.splitlines()

    def verify(self, data: Path) -> None:
        """Fail unless `oracle verify` finds every decision of a journal again, wherever that was written."""
        ran = self.ran("-m", "cli", "verify", "--json", "--data", data)
        assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
        told = json.loads(ran.stdout)
        assert told["judged"] == told["records"] > 0


# -- environments ---------------------------------------------------------------------------------------------------


def _dispatched() -> str:
    """The processor features numpy chose its code by, on this machine: those it can be told to leave alone."""
    built = import_module("numpy._core._multiarray_umath")
    return " ".join(one for one in built.__cpu_dispatch__ if built.__cpu_features__.get(one))


def _a_locale() -> str:
    """A locale with other decimal points and another order of letters, where it is installed."""
    asked = ["sh", "-c", "locale -a"]
    installed = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    return next((one for one in installed if one.startswith("de_DE")), "C.UTF-8")


_OLD_NUMPY = {"NPY_DISABLE_CPU_FEATURES": _dispatched()}
_OLD_C_LIBRARY = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-FMA4"}
_OLD_BLAS = {"OPENBLAS_CORETYPE": "Prescott"}
_ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

PLAIN = Environment()
ENVIRONMENTS = {
    "plain": PLAIN,
    "another hash seed, zone and locale": Environment(
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "LC_ALL": _a_locale()}
    ),
    "a random hash seed in New York": Environment({"PYTHONHASHSEED": "random", "TZ": "America/New_York"}),
    "ASCII in another directory": Environment(_ASCII, cwd=Path("/")),
    "numpy on an older processor": Environment(_OLD_NUMPY),
    "the C library on an older processor": Environment(_OLD_C_LIBRARY),
    "BLAS on an older processor in one thread": Environment(
        {**_OLD_BLAS, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    ),
    "BLAS in many threads": Environment({"OPENBLAS_NUM_THREADS": "16", "OMP_NUM_THREADS": "16"}),
    "assertions and docstrings stripped": Environment({"PYTHONOPTIMIZE": "2"}),
    "new memory that is not empty": Environment({"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "165"}),
    "everything older and elsewhere": Environment(
        {
            **_OLD_NUMPY,
            **_OLD_C_LIBRARY,
            **_OLD_BLAS,
            "PYTHONHASHSEED": "2",
            "PYTHONOPTIMIZE": "1",
            "PYTHONUTF8": "1",
            "TZ": "Pacific/Auckland",
        },
        cwd=Path("/"),
    ),
}
NAMES = tuple(ENVIRONMENTS)


def after(name: str) -> Environment:
    """The next environment of the ring: it verifies what was written in this one."""
    return ENVIRONMENTS[NAMES[(NAMES.index(name) + 1) % len(NAMES)]]
