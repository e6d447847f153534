"""Many instants of a tape at once: the same answers as instant by instant, only what is newer told."""

from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oracle.market.coming import CELLS_MAX, RawTicks
from oracle.market.tape import Tape
from rules.wants import ChainSlice, Plan
from state.market import FED, GREEKS_KNOWN, QUOTE, Table
from tests.passing import DAYS, market
from tests.tapes import calendar_of, new_york, tape

CALENDAR = calendar_of("2026-02-02", "2026-03-31")
EXPIRY = date(2026, 2, 20)
NAMED = ("SPY260220C00596000", "SPY260220P00599000", "SPY260220C00700000")
PLAN = Plan(("SPY", "QQQ"), (ChainSlice("SPY", EXPIRY, EXPIRY, 2),), NAMED, ())
NOTHING = Plan((), (), (), ())


def fed(quotes: Table) -> list[list[int]]:
    """What the tape told of some quotes: single answers are priced already."""
    told = quotes[:, :FED].copy()
    told[:, QUOTE.index("flags")] &= ~GREEKS_KNOWN
    return told.tolist()


def one_by_one(recorded: Tape, instants: list[int], looks: list[bool]) -> tuple[list[object], list[object]]:
    """(quotes, prices) that are newer at each instant than at the one before, from the answers to single questions."""
    quotes, prices, known = [], [], {}
    for tick, (now, looked) in enumerate(zip(instants, looks, strict=True)):
        raw = recorded.observe(PLAN if looked else replace(PLAN, slices=()), now, calendar=CALENDAR)
        for code, quote in zip(raw.codes.tolist(), fed(raw.quotes), strict=True):
            if known.get(code) != quote:
                quotes.append((tick, code, quote))
            known[code] = quote
        prices.append({one.symbol: (one.price, one.at) for one in raw.spots})
    return quotes, prices


def at_once(raw: RawTicks) -> tuple[list[object], list[object]]:
    """The same of an answer to all of them."""
    quotes = list(zip(raw.ticks.tolist(), raw.codes.tolist(), fed(raw.quotes), strict=True))
    prices = []
    for tick in range(len(raw.instants)):
        told = {symbol: (int(price[tick]), int(at[tick])) for symbol, (price, at) in raw.spots.items()}
        prices.append({symbol: one for symbol, one in told.items() if one[1]})
    return quotes, prices


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_at_once_or_one_by_one_the_same_is_answered(seed: int) -> None:
    """From anywhere in three days, at any of the instants or all, with chains looked at now and then."""
    chance = Random(seed)
    with TemporaryDirectory() as name:
        whole, single = (Tape(tape(Path(name), DAYS[0], market(Random(seed)))) for _ in range(2))
    first = chance.choice([one for one in whole.instants.tolist() if new_york(DAYS[1], "09:00:00") < one])
    last = CALENDAR.midnight_of(CALENDAR.day_of(first)) + 24 * 3_600 * 10**9 - 1
    instants = whole.instants_from(first, last, chance.choice((2, 30, 500)))
    looks = np.array([chance.random() < 0.5 for _ in instants], np.bool_)
    raw = whole.coming(PLAN, instants, looks, calendar=CALENDAR)
    if raw is None:
        return
    count = len(raw.instants)
    assert raw.instants.tolist() == instants[:count].tolist()
    assert at_once(raw) == one_by_one(single, raw.instants.tolist(), looks[:count].tolist())


LISTED_LATE = """
    09:31:00 SPY 596.00
    09:31:00 SPY260220C00596000 3.43 3.47
    09:32:00 SPY260220C00596000 3.44 3.48
    09:33:00 SPY260220C00596000 3.45 3.49
    09:34:00 SPY260220C00597000 3.05 3.09
    09:35:00 SPY260220C00596000 3.46 3.50
"""


def at(clock: str) -> int:
    """An instant of the first day."""
    return new_york(DAYS[0], clock)


def coming(recorded: Tape, plan: Plan, clock: str) -> RawTicks | None:
    """What the tape says from an instant on, the chain looked at each time."""
    instants = recorded.instants_from(at(clock), at("16:00:00"), 500)
    return recorded.coming(plan, instants, np.ones(len(instants), np.bool_), calendar=CALENDAR)


def test_the_first_quote_of_a_day_changes_what_is_listed(tmp_path: Path) -> None:
    """An answer ends before it; where nobody looks at the chain, it goes on."""
    recorded = Tape(tape(tmp_path, DAYS[0], LISTED_LATE))
    plan = replace(PLAN, contracts=NAMED[:1])
    short, whole = coming(recorded, plan, "09:31:00"), coming(recorded, replace(plan, slices=()), "09:31:00")
    assert short is not None
    assert whole is not None
    assert (len(short.instants), len(whole.instants)) == (3, 5)
    assert coming(recorded, plan, "09:33:00") is None
    after = coming(recorded, plan, "09:34:00")
    assert after is not None
    assert at_once(after) == one_by_one(recorded, after.instants.tolist(), [True, True])


def test_an_answer_has_a_bound(tmp_path: Path) -> None:
    """Instants times contracts; a plan too large for two instants is told one by one."""
    minutes = [f"{10 + minute // 60}:{minute % 60:02d}:00" for minute in range(300)]
    held = [f"SPY260220C00{strike:03d}000" for strike in range(100, 200)]
    lines = [f"{clock} {occ} 3.43 3.47" for clock in minutes for occ in held[:1]] + [
        f"10:00:00 {occ} 1 2" for occ in held
    ]
    recorded = Tape(tape(tmp_path, DAYS[0], "\n".join(lines)))
    raw = coming(recorded, replace(NOTHING, contracts=tuple(held)), "10:00:00")
    assert raw is not None
    assert len(raw.instants) == CELLS_MAX // len(held)


@pytest.mark.parametrize("plan", [NOTHING, replace(NOTHING, symbols=("QQQ",)), replace(NOTHING, contracts=NAMED[2:])])
def test_what_the_tape_does_not_hold_is_not_told(tmp_path: Path, plan: Plan) -> None:
    """Instants pass all the same."""
    raw = coming(Tape(tape(tmp_path, DAYS[0], LISTED_LATE)), plan, "09:31:00")
    assert raw is not None
    assert (len(raw.instants), len(raw.codes)) == (5, 0)
    assert at_once(raw) == ([], [{}] * 5)
