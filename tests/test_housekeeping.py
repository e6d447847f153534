"""What ends by itself: entries that drift or outlive their time, and nouns that leave memory once a day."""

import pytest
from msgspec.structs import replace

from rules import housekeeping
from rules.orders import OrderSettings
from rules.settings import Settings
from state.facts import MarketRetired, NounsRetired, OrderCancelAsked, OrderEnded, OrderFilled, SignalFailed
from state.inputs import ReportKind
from state.order import OrderPhase
from tests.stage import SPY_CALL, TRACE, Stage, later

DAY = "2026-02-13"
SPOT, QUIET = "SPY 595.42", f"{SPY_CALL} 3.43 3.47"
WIDE = replace(TRACE, orders=OrderSettings(limit_offset_usd=1_000_000))
"""A limit so wide that only the drift guard stands between a decision and a far price."""


def ordered(settings: Settings = TRACE) -> Stage:
    """A stage with one entry decided at a mid of 3.45."""
    stage = Stage(DAY, settings)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, QUIET)
    return stage


DRIFTS = [("3.775", "3.815", True), ("3.775", "3.8152", False), ("3.085", "3.125", True), ("3.08", "3.1298", False)]


@pytest.mark.produces("price_drift_exceeded")
@pytest.mark.parametrize(("bid", "ask", "filled"), DRIFTS)
def test_an_entry_fills_within_ten_percent_of_its_decision(bid: str, ask: str, *, filled: bool) -> None:
    """From 3.45 the mid may go to 3.795 and 3.105; beyond either the entry is cancelled before it can fill."""
    stage = ordered(WIDE)
    stage.tick("10:30:01", f"{SPY_CALL} {bid} {ask}")
    assert len(stage.of(OrderFilled)) == filled
    assert [one.code for one in stage.of(SignalFailed)] == ([] if filled else ["price_drift_exceeded"])


def test_a_quote_without_a_mark_or_news_is_no_drift() -> None:
    """The decision's own quote and a one-sided one say nothing about drift."""
    stage = ordered()
    assert housekeeping.entry(stage.portfolio, "ord-000001", stage.settings) == ()
    stage.tick("10:30:01", f"{SPY_CALL} 9.00 -")
    assert stage.of(OrderCancelAsked) == []


TIMES = [(60, False), (61, True)]


@pytest.mark.parametrize(("seconds", "ended"), TIMES)
def test_an_entry_lives_sixty_seconds(seconds: int, *, ended: bool) -> None:
    """At sixty seconds it may still fill, a second later it is cancelled."""
    stage = ordered()
    stage.tick(later("10:30:00", seconds), f"{SPY_CALL} 3.50 3.60")
    assert (stage.portfolio.orders["ord-000001"].phase is OrderPhase.CANCELLED) == ended
    assert [one.reason for one in stage.of(OrderEnded)] == (["order_timeout"] if ended else [])


def test_a_cancel_is_asked_once() -> None:
    """While the broker has not confirmed, the order is left alone; exits are never timed out."""
    stage = ordered()
    stage.broker = False
    for clock in ("10:31:01", "10:31:02", "10:40:00"):
        stage.tick(clock, f"{SPY_CALL} 9.00 9.10")
    assert len(stage.of(OrderCancelAsked)) == 1
    stage.report("10:41:00", "ord-000001", ReportKind.FILLED, quantity=9, price=3_450_000, quote_at=1)
    stage.ask_close("11:00:00")
    stage.tick("11:00:00")
    stage.tick("12:00:00", f"{SPY_CALL} 9.00 9.10")
    assert len(stage.of(OrderCancelAsked)) == 1


# -- retirement -----------------------------------------------------------------------------------------------------


def lived(day: str = "2026-02-09") -> Stage:
    """A stage on which one position was closed, one is held, one signal was refused and one waits, all on one day."""
    stage = Stage(day, replace(TRACE, sizing=replace(TRACE.sizing, base_contracts=1)))
    stage.buy("10:00:00", quote="SPY260220C00596000 3.43 3.47")
    stage.ask_close("10:10:00")
    stage.tick("10:10:00", QUIET)
    stage.tick("10:10:01", QUIET)
    stage.buy("10:20:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    stage.alert("10:30:00", symbol="IWM", direction="long", timeframe="5m")
    stage.tick("10:30:00", "IWM 250.50", "IWM260220C00290000 0.50 0.52", "IWM260211C00250000 0.50 0.52")
    return stage


def test_finished_nouns_leave_after_two_days_and_live_ones_stay() -> None:
    """On the third date after 48 hours the closed go; the held position, its signal and its order's id remain usable."""
    stage = lived()
    assert [one.day.isoformat() for one in stage.of(NounsRetired)] == ["2026-02-09"]
    stage.day = "2026-02-11"
    stage.tick("10:10:01")
    early = stage.last(NounsRetired)
    assert (early.positions, early.orders) == ((), ("ord-000001",))
    stage.day = "2026-02-12"
    stage.tick("09:30:00")
    retired = stage.last(NounsRetired)
    assert (retired.positions, retired.orders) == (("pos-000001",), ("ord-000002", "ord-000003"))
    assert retired.signals == ("sig-000002", "sig-000003")
    assert (list(stage.portfolio.positions), list(stage.portfolio.signals)) == (["pos-000002"], [])
    stage.ask_close("09:31:00")
    stage.tick("09:31:00", "QQQ260220C00601000 1.99 2.01")
    stage.tick("09:31:01", "QQQ260220C00601000 1.99 2.01")
    assert len(stage.portfolio.book) == 0


def test_memory_is_swept_once_a_date() -> None:
    """The first cycle of a New York date sweeps, later ones do not."""
    stage = lived()
    for clock in ("10:31:00", "10:32:00"):
        stage.tick(clock)
    assert len(stage.of(NounsRetired)) == 1


def test_expired_contracts_leave_the_market_view() -> None:
    """What expired before today goes; what expires today and what is held stays quoted, in its own row."""
    stage = lived()
    stage.day = "2026-02-11"
    stage.tick("09:30:00")
    assert stage.of(MarketRetired) == []
    stage.day = "2026-02-12"
    stage.tick("09:30:00")
    assert stage.last(MarketRetired).before.isoformat() == "2026-02-12"
    assert "IWM260211C00250000" not in stage.portfolio.market.rows
    stage.tick("09:30:01", "QQQ260220C00601000 2.49 2.51")
    assert stage.portfolio.book.mark_of("pos-000002")[0] == 2_500_000


def test_hashes_are_kept_for_two_days() -> None:
    """A repeated body is known for 48 hours; watches end with the horizon of the profile."""
    stage = lived()
    assert (len(stage.portfolio.hashes), len(stage.portfolio.accepted), len(stage.portfolio.watches)) == (3, 3, 3)
    stage.day = "2026-02-12"
    stage.tick("09:30:00")
    assert (len(stage.portfolio.hashes), len(stage.portfolio.accepted), len(stage.portfolio.watches)) == (0, 0, 3)
    stage.day = "2026-02-17"
    stage.tick("09:30:00")
    assert stage.portfolio.watches == {}
