"""What a durable record asks of the world, and what is still owed to it after a recovery."""

from state import keeping
from state.effects import CancelOrder, PlaceOrder, Reply, effects_of, outstanding
from state.facts import AlertLogged, OrderCreated
from state.frames import decode_body
from state.inputs import ReportKind
from state.record import decode
from tests.stage import SPY_CALL, TRACE, Stage
from tests.storms import VERSION, course

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


def test_a_broker_hears_of_each_order_under_one_id_whenever_a_process_ends() -> None:
    """What is sent again after a crash behind any record is an order it was told of or is to be told of, as it was made."""
    told: dict[str, str] = {}
    again = 0
    for lsn, state in enumerate(course().states[1:], 1):
        body = decode_body(course().bodies[lsn - 1], code_version=VERSION)
        sent = [one.order for one in effects_of(decode(body.payload, body.schema)) if isinstance(one, PlaceOrder)]
        assert not told.keys() & {one.client_order_id for one in sent}, f"record {lsn} places an order twice"
        told |= {one.client_order_id: one.id for one in sent}
        for effect in outstanding(keeping.decode(state).working_orders()):
            if isinstance(effect, PlaceOrder):
                again += 1
                assert told.get(effect.order.client_order_id) == effect.order.id, f"sent anew after record {lsn}"
    assert len(set(told.values())) == len(told) > 5
    assert again > 5
