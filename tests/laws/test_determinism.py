"""Law: the same script comes to the same chain and the same exported facts in every environment, and verifies in any other.

The environments stand in `tests.laws.matrix`; `make matrix` tries other versions of Python and recorded days besides.
"""

import re
from pathlib import Path

import pytest

from tests.laws.matrix import ENVIRONMENTS, NAMES, PLAIN, REPLAY, RUNS, after, first_difference, script
from tests.laws.tree import ROOT

LEFT = ("profit_target", "stop_loss")
REFUSED = ("missing_symbol", "ambiguous_direction", "signal_stale", "contract_not_listed", "duplicate_window")
SIMULATED = ("PositionSettled", "expiration", "invalid_symbol", "exposure_exceeded")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that is run everywhere."""
    return script(tmp_path_factory.mktemp("told") / "script")


@pytest.fixture(scope="module")
def plain(told: Path) -> list[bytes]:
    """The replay that the others are compared with."""
    return PLAIN.replay(told, told.parent / "plain")


@pytest.mark.parametrize("name", NAMES)
def test_a_script_comes_to_the_same_everywhere(name: str, told: Path, plain: list[bytes], tmp_path: Path) -> None:
    """Chain and facts are the same bytes as in the plain environment, and the next one of the ring decides them again."""
    difference = first_difference(plain, ENVIRONMENTS[name].replay(told, tmp_path / "out"))
    assert difference is None, difference
    for run in RUNS:
        after(name).verify(tmp_path / "out" / run)


def test_the_script_is_about_something(plain: list[bytes]) -> None:
    """In both runs trades end at their target and their stop; alerts are refused in many ways, and contracts expire."""
    told = b"".join(line + b"\n" for line in plain).decode()
    tape, simulated, _ = re.split(r"^[0-9a-f]{64}\n", told, flags=re.MULTILINE)
    assert [word for word in (*LEFT, *REFUSED) if f'"{word}"' not in tape] == []
    assert [word for word in (*LEFT, *SIMULATED) if f'"{word}"' not in simulated] == []


# -- planted differences --------------------------------------------------------------------------------------------

PLANT = """
import hashlib, locale, math, runpy, sys, time
from msgspec.structs import replace
from oracle import loop, verify
from state.facts import AlertLogged

honest = loop.decide
values = repr([math.exp(one / 4_000) for one in range(20_000)])
planted = (
    f"order {list({str(one) for one in range(20)})}",
    f"zone {time.localtime(0).tm_hour}",
    f"encoding {locale.getpreferredencoding(False)}",
    f"checked {__debug__}",
    f"floats {hashlib.sha256(values.encode()).hexdigest()}",
)

def decide(portfolio, told, settings):
    facts = honest(portfolio, told, settings)
    return tuple(replace(one, warnings=planted) if isinstance(one, AlertLogged) else one for one in facts)

loop.decide = verify.decide = decide
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Lets what is decided depend on five things it must not depend on, then runs a program."""

SEEN_IN = {
    "order": "another hash seed, zone and locale",
    "zone": "a random hash seed in New York",
    "encoding": "ASCII in another directory",
    "checked": "assertions and docstrings stripped",
    "floats": "the C library on an older processor",
}


@pytest.fixture(scope="module")
def planted(told: Path) -> tuple[list[bytes], Path]:
    """What the plain environment makes of the bundled tape with the plant, and the directory of that run."""
    brief = script(told.parent / "brief")
    (brief / "simulated.jsonl").unlink()
    ran = PLAIN.ran("-c", PLANT, REPLAY, brief, told.parent / "planted")
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.splitlines(), told.parent / "planted" / "tape"


@pytest.mark.parametrize("word", SEEN_IN)
def test_the_law_of_determinism_can_fail(word: str, planted: tuple[list[bytes], Path]) -> None:
    """A journal whose facts depend on where they were decided is refused elsewhere, and both sides are shown."""
    verified = ENVIRONMENTS[SEEN_IN[word]].ran("-c", PLANT, ROOT / "cli.py", "verify", "--data", planted[1])
    if word == "floats" and verified.returncode == 0:
        pytest.skip("the C library of this machine computes like that of an older processor")
    assert verified.returncode == 4, verified.stderr.decode()
    recorded, decided = re.findall(rf'"{word} [^"]+"', verified.stderr.decode())
    assert recorded != decided


def test_a_replay_that_differs_is_shown(planted: tuple[list[bytes], Path], plain: list[bytes]) -> None:
    """The first line that differs is that of the first record whose facts do."""
    assert '"warnings":["order' in str(first_difference(plain, planted[0]))
    assert first_difference(plain, [*plain, b"more"]) == f"line {len(plain) + 1}:\n  nothing\n  more"
