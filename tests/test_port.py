"""Any feed: the promises of the market-data port, asked of every implementation of it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from oracle.market.port import Carry, Feed
from oracle.market.tape import Tape
from rules.wants import ChainSlice, Plan, SettlementWanted
from state import contract as contracts
from state.market import ASK_PRESENT, GREEKS_KNOWN, SIZES_KNOWN, SettlementPrint, Spot
from tests.answers import answer
from tests.tapes import calendar_of, new_york, tape

DAY = "2026-02-13"
CALENDAR = calendar_of("2026-02-02", "2026-03-31")
NAMED = "SPY260213C00595000"
PLAN = Plan(
    ("SPY", "NONE"),
    (
        ChainSlice("SPY", date(2026, 2, 13), date(2026, 3, 20), 3),
        ChainSlice("NONE", date(2026, 2, 13), date(2026, 3, 20), 3),
    ),
    (NAMED, "NONE260213C00595000"),
    (SettlementWanted("SPY", date(2026, 2, 13), False), SettlementWanted("SPY", date(2026, 2, 13), True)),
)


def recorded(tmp_path: Path) -> Feed:
    """A tape of an afternoon: a price and a small chain every ten minutes, past the close."""
    clocks = [f"{hour}:{minute}0:00" for hour in (15, 16) for minute in range(6)]
    chain = [
        f"{root}{right}{595 + n:05d}000 {('0.50', '-')[n % 2]} 0.6{n} {('', '5 6')[n % 2]}"
        for root in ("SPY260213", "SPY260220")
        for right in "CP"
        for n in range(5)
    ]
    rows = [f"{clock} {row}" for clock in clocks for row in ("SPY 597.2", *chain)]
    return Tape(tape(tmp_path, DAY, "\n".join(rows)))


FEEDS = (recorded,)


@pytest.mark.parametrize("made", FEEDS)
@pytest.mark.parametrize("clock", ["09:30:00", "15:00:00", "15:59:59", "16:00:00", "18:00:00"])
def test_a_feed_keeps_its_promises(made: Callable[[Path], Feed], clock: str, tmp_path: Path) -> None:
    """Each contract once, columns of one length, nothing from the future, what is unknown absent or flagged."""
    feed, now = made(tmp_path), new_york(DAY, clock)
    raw = answer(feed, PLAN, now, calendar=CALENDAR)
    assert raw.source
    assert len(set(raw.contracts)) == len(raw.contracts)
    assert all(contracts.parse(occ).occ == occ for occ in raw.contracts)
    assert all(0 < one <= now for one in raw.at.tolist())
    told: list[Spot | SettlementPrint] = [*raw.spots, *raw.settlements]
    assert all(0 < one.at <= now and one.price > 0 and one.symbol == "SPY" for one in told)
    assert not any(occ.startswith("NONE") for occ in raw.contracts)
    assert not np.any(raw.flags & ~(ASK_PRESENT | SIZES_KNOWN | GREEKS_KNOWN))
    assert not np.any(raw.ask[raw.flags & ASK_PRESENT == 0])
    unsized = raw.flags & SIZES_KNOWN == 0
    assert not np.any(raw.bid_size[unsized] | raw.ask_size[unsized])


@pytest.mark.parametrize("made", FEEDS)
def test_a_feed_answers_what_it_knows(made: Callable[[Path], Feed], tmp_path: Path) -> None:
    """When a market is known, its price, the named contract, a chain on each side and the closing print are there."""
    raw = answer(made(tmp_path), PLAN, new_york(DAY, "16:30:00"), calendar=CALENDAR)
    assert [one.symbol for one in raw.spots] == ["SPY"]
    assert NAMED in raw.contracts
    assert len(raw.contracts) == 2 * 2 * 5
    assert [one.opening for one in raw.settlements] == [False]


def test_a_dividend_that_is_not_given_is_none() -> None:
    """Yields are by underlying."""
    carry = Carry(0.04, {"SPY": 0.012})
    assert (carry.dividend("SPY"), carry.dividend("QQQ")) == (0.012, 0.0)
