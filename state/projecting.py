"""The rows of the query tables that one record changes. Deliberately absent: their shape (`state.tables`), writing them."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import astuple

from state.facts import (
    Alerted,
    AlertLogged,
    AnyFact,
    EntriesHalted,
    EntriesResumed,
    Fact,
    FlagSet,
    OrderCreated,
    OrderFilled,
    OutcomeRecorded,
    PositionOpened,
    SignalCreated,
    UnitFailed,
)
from state.inputs import AlertReceived, CallsRefused
from state.portfolio import Portfolio
from state.record import Record
from state.signal import Verdict
from state.tables import (
    ALERTS,
    CALLS,
    EVENTS,
    FAILURES,
    FILLS,
    FLAGS,
    HALTS,
    ORDERS,
    OUTCOMES,
    POSITIONS,
    SIGNALS,
    VERDICTS,
    Projected,
    Row,
    Table,
)

HALTED, RESUMED = "halted", "resumed"


class Projector:
    """Gathers, after each record, the rows it changed. Nouns that left memory keep their last row."""

    def project(self, portfolio: Portfolio, record: Record, seen_at: int) -> Projected:
        """The rows of a record that the portfolio has just folded; to be written only once the record is durable."""
        lsn, source = portfolio.lsn, portfolio.market.source
        rows = list(_said(record, (lsn, seen_at)))
        touched: dict[tuple[str, str], None] = {}
        for number, fact in enumerate(record.facts):
            rows.extend(_own_rows(record, fact, at=(lsn, seen_at, number), source=source))
            touched.update(dict.fromkeys(_touched(fact)))
        nouns: dict[str, tuple[Table, Mapping[str, Any], tuple[object, ...]]] = {
            "signals": (SIGNALS, portfolio.signals, (lsn, seen_at)),
            "orders": (ORDERS, portfolio.orders, (lsn, seen_at, source)),
            "positions": (POSITIONS, portfolio.positions, (lsn, seen_at)),
        }
        for name, noun_id in touched:
            table, kept, lead = nouns[name]
            if (noun := kept.get(noun_id)) is not None:
                rows.append(Row(table, noun_id, noun, lead))
        return Projected(lsn, tuple(rows))


def _said(record: Record, at: tuple[int, int]) -> Iterator[Row]:
    """The rows that an input itself is."""
    if isinstance(record.input, CallsRefused):
        for number, one in enumerate(record.input.calls):
            key = (*at, number)
            yield Row(CALLS, key, one, (*key, record.input.since, *astuple(one)))


def _own_rows(record: Record, fact: AnyFact, *, at: tuple[int, int, int], source: str) -> Iterator[Row]:
    """The rows that a fact itself is, or carries."""
    lsn, seen_at, _ = at
    match fact:
        case AlertLogged():
            told = record.input if isinstance(record.input, AlertReceived) else AlertReceived("", "")
            yield Row(EVENTS, fact.event_id, fact, (lsn, seen_at, told.source, told.request_id, told.body))
        case OrderFilled(fill=fill):
            yield Row(FILLS, fill.id, fill, (lsn, seen_at))
        case OutcomeRecorded(outcome=outcome):
            yield Row(OUTCOMES, outcome.id, outcome, (lsn, seen_at, source))
        case Alerted():
            yield Row(ALERTS, at, fact, at)
        case UnitFailed():
            yield Row(FAILURES, at, fact, at)
        case EntriesHalted() | EntriesResumed():
            yield Row(HALTS, at, fact, (*at, HALTED if isinstance(fact, EntriesHalted) else RESUMED))
        case FlagSet():
            yield Row(FLAGS, at, fact, at)
        case _:
            said: tuple[Verdict, ...] = getattr(fact, "verdicts", ())
            for place, verdict in enumerate(said):
                lead = (lsn, seen_at, place, getattr(fact, "signal_id", ""))
                yield Row(VERDICTS, lead, verdict, lead)


_IDS = (("signal_id", "signals"), ("unit", "signals"), ("order_id", "orders"), ("position_id", "positions"))


def _touched(fact: Fact) -> Iterator[tuple[str, str]]:
    """(table, id) of every noun that a fact may have changed."""
    match fact:
        case AlertLogged():
            # The signal it names was created beside it, or repeated and left as it was.
            return
        case SignalCreated(signal=signal):
            yield SIGNALS.name, signal.id
        case OrderCreated(order=order):
            yield ORDERS.name, order.id
            if order.signal_id is not None:
                yield SIGNALS.name, order.signal_id
        case PositionOpened(position=position):
            yield POSITIONS.name, position.id
        case _:
            ids = ((table, getattr(fact, name, None)) for name, table in _IDS)
            yield from ((table, one) for table, one in ids if isinstance(one, str))
