"""No market: a feed that answers nothing, and does not repeat in every tick that it has nothing."""

from datetime import date

from oracle.market.absent import NoMarket
from oracle.observe import Observer
from rules.wants import ChainSlice, Plan, SettlementWanted
from state.inputs import TickReached
from tests.answers import answer
from tests.tapes import calendar_of, new_york, opened

DAY = "2026-02-13"
CALENDAR = calendar_of("2026-02-02", "2026-03-31")
PLAN = Plan(
    ("SPY", "QQQ"),
    (ChainSlice("SPY", date(2026, 2, 13), date(2026, 3, 20), 3),),
    ("SPY260213C00595000",),
    (SettlementWanted("SPY", date(2026, 2, 12), False),),
)


def test_no_market_answers_nothing() -> None:
    """Nothing is made up, in a session or out of it."""
    for clock in ("10:30:00", "20:00:00"):
        raw = answer(NoMarket(), PLAN, new_york(DAY, clock), calendar=CALENDAR)
        assert (raw.source, raw.missed) == ("none", ())
        assert (raw.spots, raw.settlements, raw.contracts) == ((), (), ())
        assert NoMarket().next_instant(new_york(DAY, clock)) is None


def test_a_tick_without_a_market_is_empty() -> None:
    """There is nothing to see, however much is watched."""
    portfolio, watcher = opened(CALENDAR, new_york(DAY, "10:30:00")), Observer(NoMarket())
    for clock in ("10:30:00", "10:30:01"):
        told = watcher.observe(portfolio, PLAN, new_york(DAY, clock))
        assert told == TickReached(None)
        portfolio.take_in(told, lsn=portfolio.lsn + 1, seen_at=new_york(DAY, clock))
    assert portfolio.market.source == "none"
