"""Orders as they are constructed: what they carry, how long they live, and which position they are for."""

import pytest
from msgspec.structs import replace

from rules import orders
from rules.fills import FillModel
from rules.orders import OrderSettings
from rules.ticks import TickRules
from state.contract import parse
from state.errors import LawBroken
from state.facts import OrderCreated, OrderFilled
from state.order import Intent, OrderPhase, Side
from tests.stage import SPY_CALL, TRACE, Stage, instant, usd

DAY = "2026-02-13"
SPOT, QUIET = "SPY 595.42", f"{SPY_CALL} 3.43 3.47"


def test_an_entry_is_a_limit_order_of_sixty_seconds() -> None:
    """It carries signal, position, side, intent, limit, decision and both of its ends."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, QUIET)
    order, at = stage.last(OrderCreated).order, instant(DAY, "10:30:00")
    assert (order.id, order.client_order_id, order.signal_id) == ("ord-000001", "oracle-ord-000001", "sig-000001")
    assert (order.position_id, order.side, order.intent) == ("pos-000001", Side.BUY, Intent.OPEN)
    assert (order.limit_price, order.decision_price, order.decision_quote_at) == (usd("3.52"), usd("3.45"), at)
    assert (order.created_at, order.valid_until) == (at, at + 60 * 10**9)
    assert order.expires_at == instant(DAY, "16:15:00")
    assert (order.phase, order.worst_cost, order.reason) == (OrderPhase.PENDING_EXECUTION, usd("3168"), "signal")


def test_an_exit_sells_everything_at_the_market_until_the_contract_closes() -> None:
    """No limit, no time of its own: the contract's own close ends it."""
    stage = Stage(DAY, TRACE)
    position = stage.buy("10:30:00", "AAPL 150.10", "AAPL260220C00151000 3.43 3.47")
    order = orders.to_close(stage.portfolio, position, "stop_loss")
    assert (order.side, order.intent, order.quantity) == (Side.SELL, Intent.CLOSE, 9)
    assert (order.limit_price, order.valid_until, order.reason) == (None, None, "stop_loss")
    assert (order.expires_at, order.worst_cost) == (instant(DAY, "16:00:00"), 0)
    assert (order.decision_price, order.decision_quote_at) == (usd("3.45"), instant(DAY, "10:30:01"))


LIMITS = [("SPY", "3.47", "3.52"), ("SPY", "3.471", "3.53"), ("AAPL", "2.97", "3.05"), ("MSTR", "2.92", "3.00")]


@pytest.mark.parametrize(("root", "ask", "limit"), LIMITS)
def test_a_limit_is_the_ask_and_five_cents_on_the_tick(root: str, ask: str, limit: str) -> None:
    """Ask plus the offset, rounded up to the tick of the class at that price."""
    named = replace(parse(SPY_CALL), root=root)
    assert orders.limit_price(usd(ask), named, OrderSettings(), TickRules()) == usd(limit)


def test_a_position_takes_contracts_while_it_is_open() -> None:
    """It is found by contract and ledger, and not once it is closing."""
    stage = Stage(DAY, TRACE)
    position = stage.buy("10:30:00")
    assert orders.held_position(stage.portfolio, position.contract, "paper") == position
    assert orders.held_position(stage.portfolio, position.contract, "test") is None
    assert orders.held_position(stage.portfolio, parse("SPY260220P00595000"), "paper") is None
    stage.ask_close("11:00:00")
    stage.tick("11:00:00")
    assert orders.held_position(stage.portfolio, position.contract, "paper") is None


def test_no_order_is_made_on_a_day_without_a_session() -> None:
    """A decision on a Saturday is a fault of the program, not an order."""
    stage = Stage(DAY, TRACE)
    position = stage.buy("10:30:00")
    stage.day = "2026-02-14"
    stage.tick("10:00:00")
    with pytest.raises(LawBroken):
        orders.to_close(stage.portfolio, position, "manual")


def test_entries_in_flight_share_the_position_they_will_open() -> None:
    """Two signals for one contract, both before any fill: one position, and one place taken."""
    stage = Stage(DAY, TRACE)
    market = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47 4 4")
    for timeframe in ("5m", "15m"):
        stage.alert("10:30:00", symbol="SPY", direction="long", timeframe=timeframe)
    stage.tick("10:30:00", *market)
    assert [one.order.position_id for one in stage.of(OrderCreated)] == ["pos-000001"] * 2
    stage.tick("10:30:01", *market)
    stage.tick("10:30:02", *market)
    assert [(one.id, one.quantity) for one in stage.portfolio.live_positions()] == [("pos-000001", 8)]


def test_a_displayed_size_is_taken_once() -> None:
    """Two orders see four contracts offered: the first takes them, the second waits for the next quote."""
    stage = Stage(DAY, TRACE)
    market = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47 4 4")
    for timeframe in ("5m", "15m"):
        stage.alert("10:30:00", symbol="SPY", direction="long", timeframe=timeframe)
    stage.tick("10:30:00", *market)
    stage.tick("10:30:01", *market)
    assert [(one.order_id, one.fill.quantity) for one in stage.of(OrderFilled)] == [("ord-000001", 4)]


def test_a_limit_leaves_room_for_what_the_model_charges() -> None:
    """With 20 % against the trader the limit is five cents above 3.45 x 1.2, and the entry fills."""
    adverse = replace(TRACE, fills=replace(TRACE.fills, model=FillModel.ADVERSE_PCT, adverse_pct=2_000))
    stage = Stage(DAY, adverse)
    position = stage.buy("10:30:00")
    assert stage.portfolio.orders["ord-000001"].limit_price == usd("4.19")
    assert position.entry_price == usd("4.14")


def test_a_signal_with_levels_of_its_own_opens_a_position_of_its_own() -> None:
    """Its stop and target are honoured and those of the first position stay; the same holds for another profile."""
    stage = Stage(DAY, TRACE)
    first = stage.buy("10:30:00")
    second = stage.buy("10:40:00", symbol=SPY_CALL, stop=3.0, target=4.0)
    third = stage.buy("10:50:00", symbol=SPY_CALL, timeframe="15m", profile="swing")
    assert [one.id for one in (first, second, third)] == ["pos-000001", "pos-000002", "pos-000003"]
    assert [(one.stop, one.target) for one in (second,)] == [(usd("3.00"), usd("4.00"))]
