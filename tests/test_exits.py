"""Positions leave at their levels, at their times, when asked; while their contract trades, on fresh prices only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules import due, exits
from rules.orders import OrderSettings
from rules.profiles import SHORT_DATED, Profiles
from rules.settings import Settings
from state.facts import (
    Alerted,
    CloseAsked,
    ExitChosen,
    OrderCancelAsked,
    OrderCreated,
    OrderEnded,
    OrderFilled,
    OutcomeRecorded,
    PositionClosed,
    PositionReopened,
)
from state.order import Intent
from state.position import ExitTerms
from tests.stage import SPY_CALL, TRACE, Stage, instant, later, usd

DAY = "2026-02-13"
QUIET = f"{SPY_CALL} 3.43 3.47"
AAPL = ("AAPL 150.10", "AAPL260220C00151000 3.43 3.47")


def holding(day: str = DAY, clock: str = "10:30:00", settings: Settings = TRACE) -> Stage:
    """A stage on which nine SPY calls were bought at 3.45."""
    stage = Stage(day, settings)
    stage.buy(clock)
    return stage


def reasons(stage: Stage) -> list[tuple[str, ...]]:
    """The reasons of every exit chosen so far."""
    return [one.reasons for one in stage.of(ExitChosen)]


# -- levels ---------------------------------------------------------------------------------------------------------


LEVELS = [
    ("5.17", "5.179998", []),
    ("5.17", "5.18", [("profit_target",)]),
    ("1.720001", "1.730001", []),
    ("1.72", "1.73", [("stop_loss",)]),
    ("0.01", "0.02", [("stop_loss",)]),
    ("-", "0.01", []),
    ("5.30", "5.20", []),
    ("9.00", "-", []),
]


@pytest.mark.produces("profit_target", "stop_loss")
@pytest.mark.parametrize(("bid", "ask", "left"), LEVELS)
def test_a_mark_leaves_at_its_level(bid: str, ask: str, left: list[tuple[str, ...]]) -> None:
    """Bought at 3.45, out at 5.175 and at 1.725, both included; a crossed market is no mark, and no price leaves without both sides."""
    stage = holding()
    stage.tick("11:00:00", f"{SPY_CALL} {bid} {ask}")
    assert reasons(stage) == left


@given(
    cost=st.integers(1, 10**11),
    quantity=st.integers(1, 500),
    target_bp=st.integers(0, 50_000),
    stop_bp=st.integers(0, 10_000),
    mark=st.integers(0, 10**9),
)
def test_a_level_is_reached_exactly_with_its_percentage(
    cost: int, quantity: int, target_bp: int, stop_bp: int, mark: int
) -> None:
    """For every cost: mark >= target iff P&L >= target percent of cost, mark <= stop iff P&L <= -stop percent."""
    terms = ExitTerms("x", target_bp, stop_bp, None, None, None, None)
    target, stop = terms.levels(cost, quantity)
    for level in (mark, target, target - 1, stop, stop + 1):
        pnl = level * quantity * 100 - cost
        assert (level >= target) == (pnl * 10_000 >= cost * target_bp)
        assert (level <= stop) == (pnl * 10_000 <= -cost * stop_bp)


def test_a_stale_quote_never_leaves_on_price() -> None:
    """A stop seen two minutes ago is acted on, one of two minutes and a second is not; a new quote is."""
    for clock, left in (("11:02:00", [("stop_loss",)]), ("11:02:01", [])):
        stage = Stage(DAY, TRACE)
        stage.buy("10:30:00")
        asked = instant(DAY, "11:00:00")
        stage.portfolio.market.take_in(stage.columns(asked, [f"{SPY_CALL} 1.00 1.02"]))
        stage.tick(clock)
        assert reasons(stage) == left
    stage.tick("11:02:02", f"{SPY_CALL} 1.00 1.02")
    assert reasons(stage) == [("stop_loss",)]


def test_every_reason_that_holds_is_recorded_in_order() -> None:
    """Asked for, at the stop, and over time at once: the asked one decides, all are kept to the outcome."""
    stage = holding("2026-02-12")
    stage.day = "2026-02-19"
    stage.ask_close("09:00:00")
    stage.tick("10:00:00", f"{SPY_CALL} 1.00 1.02")
    stage.tick("10:00:01", f"{SPY_CALL} 1.00 1.02")
    expected = ("manual", "stop_loss", "min_dte_exit", "max_hold_time")
    assert reasons(stage) == [expected]
    assert stage.last(OutcomeRecorded).outcome.reasons == expected
    assert stage.last(OrderCreated).order.reason == "manual"


def test_a_price_without_a_bid_is_no_reason() -> None:
    """Asked to close while nobody bids: the mark of half the ask lies under the stop, but only the ask is a reason."""
    stage = holding()
    stage.ask_close("11:00:00")
    stage.tick("11:00:00", f"{SPY_CALL} - 0.01")
    assert reasons(stage) == [("manual",)]


# -- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.produces("min_dte_exit")
def test_days_to_expiry_are_new_york_dates_and_wait_for_the_open() -> None:
    """One day before Friday is Thursday from midnight on; the exit is ordered at Thursday's bell, not before."""
    stage = holding(settings=replace(TRACE, profiles=Profiles(short_dated=replace(SHORT_DATED, hold_hours_max=0))))
    for day, clock in (("2026-02-18", "15:59:59"), ("2026-02-19", "09:29:59")):
        stage.day = day
        stage.tick(clock, QUIET)
        assert reasons(stage) == []
    stage.tick("09:30:00", QUIET)
    assert reasons(stage) == [("min_dte_exit",)]


def test_days_to_expiry_count_over_a_weekend() -> None:
    """A contract of Monday, bought ten days before, is one day away on Sunday: it leaves at Monday's bell."""
    stage = Stage("2026-02-19", TRACE)
    occ = "SPY260223C00596000"
    stage.buy("10:00:00", quote=f"{occ} 3.43 3.47", symbol=occ)
    (held,) = stage.portfolio.live_positions()
    assert held.terms.dte_exit_at == instant("2026-02-22", "00:00:00")
    stage.day = "2026-02-20"
    stage.tick("16:14:59", f"{occ} 3.43 3.47")
    stage.day = "2026-02-22"
    stage.tick("12:00:00", f"{occ} 3.43 3.47")
    assert reasons(stage) == []
    stage.day = "2026-02-23"
    stage.tick("09:30:00", f"{occ} 3.43 3.47")
    assert reasons(stage) == [("min_dte_exit",)]


@pytest.mark.produces("max_hold_time")
def test_hours_held_are_calendar_hours() -> None:
    """120 hours from Friday 10:30:01 end on Wednesday 10:30:01, weekend and holiday included."""
    stage = holding()
    stage.day = "2026-02-18"
    stage.tick("10:30:00", QUIET)
    assert reasons(stage) == []
    stage.tick("10:30:01", QUIET)
    assert reasons(stage) == [("max_hold_time",)]


def test_a_hold_that_ends_while_closed_waits_for_the_open() -> None:
    """Monday 10:00 plus 120 hours is Saturday: the exit is found there and ordered on Monday at the bell."""
    stage = Stage("2026-02-23", TRACE)
    stage.buy("10:00:00", quote="SPY260306C00596000 3.43 3.47")
    stage.day = "2026-02-28"
    stage.tick("10:00:01")
    assert reasons(stage) == []
    stage.day = "2026-03-02"
    stage.tick("09:30:00", "SPY260306C00596000 3.43 3.47")
    assert reasons(stage) == [("max_hold_time",)]


# -- sessions -------------------------------------------------------------------------------------------------------


BELLS = [
    ("SPY", DAY, "15:59:59", True),
    ("SPY", DAY, "16:14:59", True),
    ("SPY", DAY, "16:15:00", False),
    ("AAPL", DAY, "15:59:59", True),
    ("AAPL", DAY, "16:00:00", False),
    ("SPY", "2026-02-17", "09:29:59", False),
    ("SPY", "2026-02-17", "09:30:00", True),
    ("SPY", "2026-02-16", "12:00:00", False),
]


@pytest.mark.parametrize(("symbol", "day", "clock", "leaves"), BELLS)
def test_exits_run_until_the_contract_closes(symbol: str, day: str, clock: str, *, leaves: bool) -> None:
    """A stop in the last five minutes fires; late roots go on to 16:15, nothing leaves on a holiday."""
    stage = Stage(DAY, TRACE)
    market = ("SPY 595.42", QUIET) if symbol == "SPY" else AAPL
    stage.buy("10:30:00", *market)
    stage.day = day
    stage.tick(clock, f"{market[1].split()[0]} 1.00 1.02")
    assert bool(reasons(stage)) == leaves


def test_an_expiring_index_weekly_stops_at_the_bell() -> None:
    """SPXW trades to 16:15 except on its last day."""
    stage = Stage(DAY, replace(TRACE, sizing=replace(TRACE.sizing, base_contracts=1)))
    occ = "SPXW260220C06000000"
    stage.buy("10:30:00", "SPX 6001.37", f"{occ} 21.00 21.40", symbol=occ)
    assert len(stage.portfolio.live_positions()) == 1
    for day, clock, leaves in (
        (DAY, "16:10:00", True),
        ("2026-02-20", "15:59:59", True),
        ("2026-02-20", "16:00:00", False),
    ):
        at, book = instant(day, clock), stage.portfolio.book
        stage.portfolio.now = at
        book.set_mark("pos-000001", (1, at))
        assert bool(exits.due(stage.portfolio, stage.settings)) == leaves


def test_a_close_asked_while_closed_is_ordered_at_the_open() -> None:
    """It is journaled and shown as asked, asked twice it stays one, and it is ordered when the contract trades."""
    stage = holding()
    stage.ask_close("20:00:00", "pos-000001", "weekend")
    stage.ask_close("20:01:00")
    assert (len(stage.of(CloseAsked)), list(stage.portfolio.asked)) == (1, ["pos-000001"])
    stage.tick("20:02:00", QUIET)
    assert reasons(stage) == []
    stage.day = "2026-02-17"
    stage.tick("09:30:00")
    assert reasons(stage) == [("manual",)]
    stage.tick("09:30:01", QUIET)
    assert (stage.last(OutcomeRecorded).outcome.reasons, stage.portfolio.asked) == (("manual",), {})


# -- orders of exits ------------------------------------------------------------------------------------------------


@pytest.mark.produces("position_exit")
def test_a_working_entry_is_cancelled_before_the_exit() -> None:
    """Four of nine filled, then the stop: first the rest of the entry ends, then four are sold."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{QUIET} 4 4")
    stage.tick("10:30:01", f"{QUIET} 4 4")
    stage.settings = stage.loop.settings = replace(TRACE, orders=OrderSettings(drift_pct_max=10_000))
    stage.tick("10:30:02", f"{SPY_CALL} 1.00 1.02 4 4")
    assert [(one.order_id, one.reason) for one in stage.of(OrderCancelAsked)] == [("ord-000001", "position_exit")]
    assert reasons(stage) == []
    stage.tick("10:30:03", f"{SPY_CALL} 1.00 1.02 4 4")
    assert (reasons(stage), stage.last(OrderCreated).order.quantity) == ([("stop_loss",)], 4)
    assert stage.portfolio.orders["ord-000001"].end_reason == "position_exit"


def test_an_entry_whose_cancel_is_not_confirmed_holds_the_exit_back() -> None:
    """As long as the broker may still fill the entry, no exit is ordered and no cancel is asked twice."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{QUIET} 4 4")
    stage.tick("10:30:01", f"{QUIET} 4 4")
    stage.broker = False
    stage.ask_close("10:30:02")
    for seconds in (2, 3, 4):
        stage.tick(later("10:30:00", seconds), f"{QUIET} 4 4")
    assert (len(stage.of(OrderCancelAsked)), reasons(stage)) == (1, [])


@pytest.mark.produces("end_of_day", "exit_order_ended")
def test_an_exit_order_that_expires_gives_its_position_back() -> None:
    """Nobody bids until 16:15: the order ends, the position opens again and leaves in the next session."""
    stage = holding()
    stage.tick("16:00:00", f"{SPY_CALL} 0.01 0.02")
    stage.tick("16:00:01", f"{SPY_CALL} - 0.01")
    assert stage.portfolio.positions["pos-000001"].phase == "closing"
    stage.tick("16:15:00")
    assert (stage.last(OrderEnded).reason, stage.last(PositionReopened).code) == ("end_of_day", "exit_order_ended")
    assert stage.portfolio.positions["pos-000001"].phase == "open"
    stage.day = "2026-02-17"
    stage.tick("09:30:00", f"{SPY_CALL} 0.05 0.07")
    stage.tick("09:30:01", f"{SPY_CALL} 0.05 0.07")
    assert (reasons(stage), stage.last(PositionClosed).reasons) == ([("stop_loss",)] * 2, ("stop_loss",))
    closing = [one.order.id for one in stage.of(OrderCreated) if one.order.intent is Intent.CLOSE]
    assert closing == ["ord-000002", "ord-000003"]


def test_an_exit_fills_by_what_is_displayed() -> None:
    """Nine contracts leave as 4, 4 and 1 on three quotes; one order, one outcome, cost shared exactly."""
    stage = holding()
    stage.ask_close("11:00:00")
    for seconds in range(4):
        stage.tick(later("11:00:00", seconds), f"{SPY_CALL} 3.99 4.01 4 4")
    assert [one.fill.quantity for one in stage.of(OrderFilled)] == [9, 4, 4, 1]
    outcome = stage.last(OutcomeRecorded).outcome
    assert (outcome.gross, outcome.cost, len(stage.of(OutcomeRecorded))) == (usd("495"), usd("3105"), 1)


@pytest.mark.produces("exit_waiting")
def test_an_exit_without_a_fill_alerts_every_five_minutes() -> None:
    """Silence for five minutes is alerted once, and again five minutes later."""
    stage = holding()
    stage.ask_close("11:00:00")
    alerts = []
    for clock in ("11:00:00", "11:04:59", "11:05:00", "11:05:01", "11:10:00"):
        stage.tick(clock, f"{SPY_CALL} - 0.01")
        alerts.append([one.code for one in stage.of(Alerted)])
    assert alerts == [[], [], ["exit_waiting"], ["exit_waiting"], ["exit_waiting"] * 2]


def test_nothing_is_due_without_positions() -> None:
    """A stage that holds nothing has nothing to screen, in session or out of it."""
    stage = Stage(DAY, TRACE)
    for clock in ("03:00:00", "10:30:00"):
        stage.tick(clock)
        assert exits.due(stage.portfolio, stage.settings) == exits.expired(stage.portfolio) == ()


def test_an_exit_that_waits_for_its_entry_to_end_stays_decided() -> None:
    """The mark falls to the stop while a second entry works; it is cancelled, and the position leaves though it rose again."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.alert("10:40:00", symbol="SPY", direction="long", timeframe="15m")
    stage.tick("10:40:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    stage.tick("10:40:01", f"{SPY_CALL} 1.70 1.74")
    assert stage.last(OrderCancelAsked).order_id == "ord-000002"
    assert due.next_at(stage.portfolio, stage.settings) == instant(DAY, "10:40:02")
    stage.tick("10:40:02", f"{SPY_CALL} 3.43 3.47")
    assert stage.last(ExitChosen).reasons == ("stop_loss",)
