"""What a durable record asks of the world, and what is still owed to it after a recovery."""

from state.effects import CancelOrder, PlaceOrder, Reply, effects_of, outstanding
from state.facts import AlertLogged, OrderCreated
from state.inputs import ReportKind
from tests.stage import SPY_CALL, TRACE, Stage

DAY = "2026-02-13"


def ordered() -> Stage:
    """A stage with an entry order the broker has not heard of."""
    stage = Stage(DAY, TRACE)
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    return stage


def test_a_record_asks_for_replies_orders_and_cancels() -> None:
    """One effect for each such fact, in their order, and none for anything else."""
    stage = ordered()
    stage.tick("10:31:01")
    told = [effects_of(record) for record in stage.records]
    order = stage.last(OrderCreated).order
    assert told == [(), (), (Reply(stage.last(AlertLogged)),), (PlaceOrder(order),), (CancelOrder(order.id),)]


def test_what_the_broker_does_not_know_is_owed_again() -> None:
    """An order never acknowledged is placed again under its own id, a cancel never confirmed is asked again."""
    stage = ordered()
    order = stage.last(OrderCreated).order
    assert outstanding(stage.portfolio.working_orders()) == (PlaceOrder(order),)
    stage.report("10:30:01", order.id, ReportKind.ACCEPTED)
    assert outstanding(stage.portfolio.working_orders()) == ()
    stage.tick("10:31:01")
    assert outstanding(stage.portfolio.working_orders()) == (CancelOrder(order.id),)
    stage.report("10:31:02", order.id, ReportKind.CANCELLED)
    assert outstanding(stage.portfolio.working_orders()) == ()
