"""What the world should do: derived from durable records, never stored."""

import msgspec

from state.facts import AlertLogged, OrderCancelAsked, OrderCreated
from state.order import Order, OrderPhase
from state.record import Record


class PlaceOrder(msgspec.Struct, frozen=True):
    """Place an order at the broker, under its own client id, so that a repeat is recognised."""

    order: Order


class CancelOrder(msgspec.Struct, frozen=True):
    """Ask the broker to cancel what is left of an order."""

    order_id: str


class Reply(msgspec.Struct, frozen=True):
    """Answer the sender of an alert."""

    logged: AlertLogged


Effect = PlaceOrder | CancelOrder | Reply


def effects_of(record: Record) -> tuple[Effect, ...]:
    """What a record asks of the world, once it is durable."""
    effects: list[Effect] = []
    for fact in record.facts:
        match fact:
            case OrderCreated(order=order):
                effects.append(PlaceOrder(order))
            case OrderCancelAsked(order_id=order_id):
                effects.append(CancelOrder(order_id))
            case AlertLogged():
                effects.append(Reply(fact))
            case _:
                pass
    return tuple(effects)


def outstanding(working: tuple[Order, ...]) -> tuple[Effect, ...]:
    """What is still owed to the world after a recovery, in the order the orders were created: at least once."""
    effects: list[Effect] = []
    for order in working:
        if order.phase is OrderPhase.PENDING_EXECUTION:
            effects.append(PlaceOrder(order))
        elif order.phase is OrderPhase.CANCEL_REQUESTED:
            effects.append(CancelOrder(order.id))
    return tuple(effects)
