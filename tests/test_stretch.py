"""A stretch of ticks is its ticks: cut, unrolled and folded it says what they say, and what does not fit is refused."""

import numpy as np
import pytest
from msgspec.structs import replace

from oracle.verify import Verifier
from state import keeping
from state.errors import LawBroken
from state.frames import Body
from state.inputs import TickReached, TicksPassed
from state.record import SCHEMA, Record, decode, encode
from state.recovery import fold
from state.stretch import Stretch
from tests.passing import stretch
from tests.stage import SPY_CALL, TRACE, Stage, instant

DAY = "2026-02-13"
OTHER = "SPY260220P00595000"
TICKS = (
    ("10:31:00", "SPY 595.50", f"{SPY_CALL} 3.43 3.47", f"{OTHER} 2.98 3.02"),
    ("10:32:00",),
    ("10:33:00", f"{SPY_CALL} 3.60 3.64 50 50", "QQQ 520.10"),
    ("10:34:00", "SPY 595.70", f"{SPY_CALL} - -", f"{OTHER} 2.90 2.94"),
)


def held() -> Stage:
    """A stage on which SPY calls were bought."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    return stage


def test_unrolled_it_is_its_ticks() -> None:
    """Spots, contracts listed on the way and quotes of each; a tick that saw nothing new saw nothing."""
    stage = held()
    ticks = stretch(stage, *TICKS)
    listed = len(stage.portfolio.market.contracts)
    expected = []
    for clock, *lines in TICKS:
        seen = stage.columns(instant(DAY, clock), lines)
        expected.append((instant(DAY, clock), seen if lines else None))
        stage.take(TickReached(seen), at=instant(DAY, clock))
    assert len(ticks) == 4
    assert ticks.listed == (OTHER,)
    assert listed + 1 == len(stage.portfolio.market.contracts)
    assert list(ticks.unrolled()) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_its_beginning_is_the_beginning_of_its_ticks(count: int) -> None:
    """So many ticks of it, with all that they saw and nothing else."""
    ticks = stretch(held(), *TICKS)
    assert list(ticks.first(count).unrolled()) == list(ticks.unrolled())[:count]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_folded_at_once_or_tick_by_tick_is_the_same(count: int) -> None:
    """The market, the marks, and how far time came; only the records are fewer."""
    alone, together = held(), held()
    ticks = stretch(together, *TICKS).first(count)
    for at, seen in ticks.unrolled():
        alone.take(TickReached(seen), at=at)
    together.take(TicksPassed(ticks), at=ticks.last)
    assert together.portfolio.lsn == alone.portfolio.lsn - count + 1
    together.portfolio.lsn = alone.portfolio.lsn
    assert keeping.encode(together.portfolio) == keeping.encode(alone.portfolio)


LATER = np.array([instant(DAY, "10:31:30")], "<i8").tobytes()


def shifted(ticks: Stretch, name: str, byte: int) -> Stretch:
    """A stretch one of whose values comes from half a minute after its tick."""
    told: bytes = getattr(ticks, name)
    return replace(ticks, **{name: told[:byte] + LATER + told[byte + 8 :]})


@pytest.mark.parametrize(("name", "byte"), [("quotes", 0), ("spots", 24)])
def test_a_value_from_after_its_tick_is_refused(name: str, byte: int) -> None:
    """It counts for its own tick, though a later one of the stretch might have known it."""
    ticks = shifted(stretch(held(), *TICKS), name, byte)
    with pytest.raises(LawBroken, match="from after it was seen"):
        ticks.check(0, 99)


def test_a_stretch_ends_when_it_was_seen() -> None:
    """A record tells the instant of its last tick, and ticks of one market follow on one another."""
    stage = held()
    ticks = stretch(stage, *TICKS)
    with pytest.raises(LawBroken, match="another instant"):
        stage.take(TicksPassed(ticks), at=ticks.last + 1)
    stage = held()
    with pytest.raises(LawBroken, match="elsewhere"):
        stage.take(TicksPassed(replace(ticks, source="simulated")), at=ticks.last)


def test_a_stretch_follows_on_what_was_seen_within_its_date() -> None:
    """Not before the record before it, and not over a midnight of New York."""
    stage = held()
    early = stretch(stage, ("10:29:59", "SPY 595.42"), ("10:31:00",))
    with pytest.raises(LawBroken, match="begins before"):
        stage.take(TicksPassed(early), at=early.last)
    stage = held()
    ticks = stretch(stage, ("10:31:00", "SPY 595.42"), ("10:32:00",))
    tomorrow = words(int(ticks.at[0]), instant("2026-02-14", "00:00:01"))
    with pytest.raises(LawBroken, match="two dates"):
        stage.take(TicksPassed(replace(ticks, instants=tomorrow)), at=instant("2026-02-14", "00:00:01"))


def words(*values: int) -> bytes:
    """Some values of eight bytes."""
    return np.array(values, "<i8").tobytes()


def places(*values: int) -> bytes:
    """Some places."""
    return np.array(values, "<u4").tobytes()


WRONG = [
    ("instants", b"", "do not ascend"),
    ("instants", words(1, 2, 2, 4), "do not ascend"),
    ("instants", words(1, 3, 2, 4), "do not ascend"),
    ("instants", b"1234567", "multiple"),
    ("ticks", places(0, 0, 2), "differ in length"),
    ("ticks", places(0, 2, 0, 3, 3), "in the order"),
    ("ticks", places(0, 0, 2, 3, 4), "in the order"),
    ("ticks", b"123", "multiple"),
    ("rows", places(0, 1), "bytes of rows"),
    ("quotes", b"half", "bytes of rows"),
    ("listed", ("A", "B"), "differ in length"),
    ("listed_in", places(4), "in the order"),
    ("spots", words(0, 0, 1, 1, 9, 0, 1, 1), "in the order"),
    ("spots", words(-1, 0, 1, 1), "in the order"),
    ("spots", words(0, 7, 1, 1), "nobody's"),
    ("spots", words(0, -1, 1, 1), "nobody's"),
    ("spots", words(0, 0, 1), "reshape"),
    ("symbols", ("SPY", "SPY"), "named twice"),
    ("listed_in", places(3), "no tick has listed"),
    ("rows", places(0, 9, 0, 0, 9), "no tick has listed"),
    ("instants", words(1, 2, 3, instant(DAY, "10:34:00")), "from after it was seen"),
]


@pytest.mark.parametrize(("name", "value", "fault"), WRONG)
def test_columns_that_contradict_one_another_are_refused(name: str, value: object, fault: str) -> None:
    """By recovery and by `verify`, before anything of them is used."""
    stage = held()
    ticks = stretch(stage, *TICKS)
    wrong = TicksPassed(replace(ticks, **{name: value}))
    body = Body(stage.portfolio.lsn + 1, ticks.last, "TicksPassed", SCHEMA, encode(Record(wrong, ())), "now")
    with pytest.raises(LawBroken, match=fault):
        fold(stage.portfolio, body)
    verifier = Verifier(settings_of=lambda _: stage.settings, code_version="now", any_version=False)
    for lsn, (seen_at, schema, payload) in enumerate(stage.kept.payloads, 1):
        kind = type(decode(payload, schema).input).__name__
        verifier.take(Body(lsn, seen_at, kind, schema, payload, "now"))
    with pytest.raises(LawBroken, match=fault):
        verifier.take(body)
