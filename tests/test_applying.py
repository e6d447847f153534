"""Every kind of fact has its one way of changing the portfolio, and the fold of the facts is the portfolio."""

from datetime import date
from typing import get_args

import pytest

from state import applying, keeping
from state.applying import apply
from state.errors import LawBroken
from state.facts import Alerted, AnyFact, EntriesHalted, EntriesResumed, FlagSet, MarketRetired, NounsRetired
from state.halt import Halt
from state.inputs import Ask, StorageTurned, TickReached
from state.portfolio import Portfolio
from state.record import decode
from tests.stage import SPY_CALL, TRACE, Stage, instant, usd

DAY = "2026-02-13"


def busy() -> Stage:
    """A stage on which something of almost everything happened over two weeks."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.buy("10:05:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01", is_test=True)
    stage.alert("10:06:00", symbol="IWM", direction="short", timeframe="5m")
    stage.tick("10:06:00", "IWM 250.50", "IWM260220P00250000 0.99 1.01 3 3")
    stage.tick("10:06:01", "IWM260220P00250000 0.99 1.01 3 3")
    stage.tick("10:07:02", "IWM260220P00250000 1.50 1.60 3 3")
    stage.ask_close("10:08:00", "pos-000001")
    stage.tick("10:08:00", f"{SPY_CALL} 3.60 3.64 4 4")
    stage.tick("10:08:01", f"{SPY_CALL} 3.60 3.64 4 4")
    stage.alert("10:09:00", symbol="SPY", direction="long")
    stage.alert("10:10:00", symbol="AAPL", direction="long", timeframe="5m")
    stage.tick("10:10:00")
    stage.day = "2026-02-17"
    stage.tick("09:30:00", f"{SPY_CALL} 3.60 3.64 9 9")
    for clock in ("09:30:01", "09:30:02"):
        stage.tick(clock, f"{SPY_CALL} 3.60 3.64 9 9")
    stage.ask("09:31:00", Ask.FLAG_ON, "allow_premarket")
    stage.ask("09:31:01", Ask.FLAG_OFF, "add_to_position")
    stage.ask("09:31:02", Ask.FLAG_CLEAR, "allow_premarket")
    stage.take(StorageTurned(low=True), at=instant("2026-02-17", "09:31:03"))
    stage.ask("09:31:04", Ask.HALT)
    stage.take(StorageTurned(low=False), at=instant("2026-02-17", "09:31:05"))
    stage.ask("09:31:06", Ask.REQUEUE, "sig-000003")
    return stage


def test_every_fact_can_be_applied() -> None:
    """No kind of fact is forgotten in the table, and none is there that is not a fact."""
    assert set(get_args(AnyFact)) == set(applying._APPLY)


def test_the_fold_of_a_journal_is_the_portfolio() -> None:
    """Inputs and facts alone, decoded from their bytes and without any rule, give the same digest at every record."""
    stage = busy()
    portfolio = Portfolio()
    for number, (seen_at, schema, payload) in enumerate(stage.kept.payloads, 1):
        record = decode(payload, schema)
        portfolio.take_in(record.input, lsn=number, seen_at=seen_at)
        for fact in record.facts:
            apply(portfolio, fact)
        portfolio.check()
    assert keeping.digest(portfolio) == stage.digest()


OWING = [
    NounsRetired(date(2026, 2, 17), ("sig-000001",), (), (), 0),
    NounsRetired(date(2026, 2, 17), (), ("ord-000001",), (), 0),
    NounsRetired(date(2026, 2, 17), (), (), ("pos-000009",), 0),
    NounsRetired(date(2026, 2, 17), ("sig-000009",), (), (), 0),
    NounsRetired(date(2026, 2, 17), (), ("ord-000009",), (), 0),
]


@pytest.mark.parametrize("fact", OWING)
def test_what_still_owes_something_is_never_retired(fact: NounsRetired) -> None:
    """A pending signal, a working order, and anything unknown stop the retirement whole."""
    stage = Stage(DAY, TRACE)
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    if "ord-000001" in fact.orders:
        stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    before = stage.digest()
    with pytest.raises(LawBroken):
        apply(stage.portfolio, fact)
    assert stage.digest() == before


def test_a_live_position_is_never_retired() -> None:
    """It stays, with everything the fact named beside it."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    before = stage.digest()
    with pytest.raises(LawBroken, match="pos-000001 cannot be retired"):
        apply(stage.portfolio, NounsRetired(date(2026, 2, 17), ("sig-000001",), ("ord-000001",), ("pos-000001",), 0))
    assert stage.digest() == before


def test_alerts_remember_their_newest_instant() -> None:
    """The rules ask when a subject was last alerted."""
    stage = Stage(DAY)
    apply(stage.portfolio, Alerted("exit_waiting", "ord-000001"))
    assert stage.portfolio.alerts == {("exit_waiting", "ord-000001"): stage.portfolio.now}


def test_a_market_retires_around_what_is_held() -> None:
    """The row of a held contract is found again in the shorter table."""
    stage = Stage(DAY, TRACE)
    stage.tick("10:29:00", "SPY260213C00590000 1.00 1.02")
    stage.buy("10:30:00")
    apply(stage.portfolio, MarketRetired(date(2026, 2, 14), (SPY_CALL,)))
    stage.tick("10:31:00", f"{SPY_CALL} 3.60 3.64")
    assert stage.portfolio.book.mark_of("pos-000001")[0] == usd("3.62")


def test_a_missed_tick_changes_no_market() -> None:
    """A cycle that observed nothing leaves quotes and marks as they were."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    before = stage.portfolio.market.to_state()
    stage.take(TickReached(None, ("SPY",)), at=stage.portfolio.now)
    assert stage.portfolio.market.to_state() == before


def test_halts_stand_in_the_order_they_began() -> None:
    """Each by its code with its words and its instant; what is not halted cannot be resumed."""
    stage = Stage(DAY)
    now = stage.portfolio.now
    apply(stage.portfolio, EntriesHalted("storage_low", "full"))
    apply(stage.portfolio, EntriesHalted("entries_halted", "lunch"))
    halts = [Halt("storage_low", "full", now), Halt("entries_halted", "lunch", now)]
    assert list(stage.portfolio.halts.values()) == halts
    apply(stage.portfolio, EntriesResumed("storage_low"))
    assert list(stage.portfolio.halts) == ["entries_halted"]
    with pytest.raises(LawBroken, match="nothing is halted for storage_low"):
        apply(stage.portfolio, EntriesResumed("storage_low"))


def test_a_flag_stands_until_it_is_given_back() -> None:
    """On, off, and gone: then the configuration has the word, and giving it back twice changes nothing."""
    stage = Stage(DAY)
    standing = []
    for on in (True, False, None, None):
        apply(stage.portfolio, FlagSet("snap_unlisted", on))
        standing.append(dict(stage.portfolio.flags))
    assert standing == [{"snap_unlisted": True}, {"snap_unlisted": False}, {}, {}]
