"""An order moves only along its life, and an illegal fact about it changes nothing."""

import pytest
from msgspec.structs import replace

from state.applying import apply
from state.errors import LawBroken
from state.facts import AnyFact, OrderCancelAsked, OrderCreated, OrderEnded, OrderFilled, OrderSubmitted
from state.inputs import ReportKind
from state.order import ORDER_LIFE, WORKING, OrderPhase, OrderTrigger
from tests.stage import SPY_CALL, TRACE, Stage, usd

DAY = "2026-02-13"


def in_phase(phase: OrderPhase) -> tuple[Stage, OrderFilled]:
    """A stage whose entry order of nine was put into a phase, and a fill of all nine."""
    stage = Stage(DAY, TRACE)
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    twin = Stage(DAY, TRACE)
    twin.buy("10:30:00")
    order = replace(stage.portfolio.orders["ord-000001"], phase=phase)
    stage.portfolio.orders[order.id] = order
    if not order.working:
        stage.portfolio.working.clear()
    return stage, twin.last(OrderFilled)


def fact_of(trigger: OrderTrigger, filled: OrderFilled) -> AnyFact:
    """A fact that pulls a trigger on the order."""
    match trigger:
        case OrderTrigger.SUBMIT:
            return OrderSubmitted("ord-000001", 1)
        case OrderTrigger.FILL:
            return replace(filled, fill=replace(filled.fill, quantity=9))
        case OrderTrigger.FILL_PART:
            return replace(filled, fill=replace(filled.fill, quantity=4))
        case OrderTrigger.ASK_CANCEL:
            return OrderCancelAsked("ord-000001", "order_timeout")
        case _:
            return OrderEnded("ord-000001", 1, str(trigger), "end_of_day")


CASES = [(phase, trigger) for phase in OrderPhase for trigger in OrderTrigger]


@pytest.mark.parametrize(("phase", "trigger"), CASES)
def test_a_fact_moves_an_order_along_its_life_or_not_at_all(phase: OrderPhase, trigger: OrderTrigger) -> None:
    """A legal step ends in the phase of the table and in the index of its kind; an illegal one leaves every byte."""
    stage, filled = in_phase(phase)
    fact, before = fact_of(trigger, filled), stage.digest()
    if (phase, trigger) in ORDER_LIFE.steps:
        apply(stage.portfolio, fact)
        order = stage.portfolio.orders["ord-000001"]
        assert order.phase is ORDER_LIFE.steps[phase, trigger]
        assert (order.id in stage.portfolio.working) == order.working == (order.ended_at is None)
    else:
        with pytest.raises(LawBroken):
            apply(stage.portfolio, fact)
        assert stage.digest() == before


@pytest.mark.parametrize("quantity", [0, -1, 10])
def test_an_order_fills_what_it_has_left(quantity: int) -> None:
    """Nothing, less than nothing, or more than the order: nothing changes."""
    stage, filled = in_phase(OrderPhase.SUBMITTED)
    before = stage.digest()
    with pytest.raises(LawBroken):
        apply(stage.portfolio, replace(filled, fill=replace(filled.fill, quantity=quantity)))
    assert stage.digest() == before


def test_an_order_that_cannot_be_changes_nothing() -> None:
    """A number given twice, a signal that is not there, a second exit for one position."""
    stage, _ = in_phase(OrderPhase.SUBMITTED)
    before = stage.digest()
    known = stage.portfolio.orders["ord-000001"]
    for order in (known, replace(known, id="ord-000002", signal_id="sig-000009")):
        with pytest.raises(LawBroken):
            apply(stage.portfolio, OrderCreated(order))
    assert stage.digest() == before
    stage.report("10:30:01", "ord-000001", ReportKind.FILLED, quantity=9, price=usd("3.45"), quote_at=1)
    stage.ask_close("11:00:00")
    stage.tick("11:00:00")
    before = stage.digest()
    with pytest.raises(LawBroken, match="already has a working closing order"):
        apply(stage.portfolio, OrderCreated(replace(stage.last(OrderCreated).order, id="ord-000003")))
    assert stage.digest() == before


def test_an_unknown_order_is_a_broken_law() -> None:
    """There is no order of that id."""
    stage, _ = in_phase(OrderPhase.SUBMITTED)
    with pytest.raises(LawBroken, match="no order ord-000009"):
        apply(stage.portfolio, OrderSubmitted("ord-000009", 1))


def test_what_an_order_may_still_cost() -> None:
    """Its limit for the contracts left: 9, then 5, then none; without a limit nothing is reserved."""
    stage, _ = in_phase(OrderPhase.SUBMITTED)
    order = stage.portfolio.orders["ord-000001"]
    parts = [replace(order, quantity_filled=filled) for filled in (0, 4, 9)]
    assert [one.worst_cost for one in parts] == [usd("3168"), usd("1760"), 0]
    assert [one.quantity_left for one in parts] == [9, 5, 0]
    assert replace(order, limit_price=None).worst_cost == 0


def test_an_order_works_until_it_ends() -> None:
    """Four phases may still fill; a cancel that was asked for is one of them."""
    stage, _ = in_phase(OrderPhase.SUBMITTED)
    order = stage.portfolio.orders["ord-000001"]
    assert tuple(phase for phase in OrderPhase if replace(order, phase=phase).working) == WORKING
