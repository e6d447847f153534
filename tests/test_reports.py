"""What a broker's report does: fills open, grow, shrink and close positions; endings tell the signal or free the position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules import reports
from rules.orders import OrderSettings
from rules.settings import Settings
from state.applying import apply
from state.errors import LawBroken
from state.facts import (
    Alerted,
    AnyFact,
    NounsRetired,
    OrderCreated,
    OrderEnded,
    OrderFilled,
    OrderSubmitted,
    OutcomeRecorded,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    PositionReopened,
    SignalExecuted,
    SignalFailed,
)
from state.inputs import BrokerReported, ReportKind
from state.order import OrderPhase
from state.position import PositionPhase
from state.signal import SignalPhase
from tests.stage import CASH, FREE, SPY_CALL, TRACE, Stage, later, usd

DAY = "2026-02-13"
SPOT, QUIET = "SPY 595.42", f"{SPY_CALL} 3.43 3.47"
FEES = replace(TRACE, fills=replace(FREE, commission_per_contract_usd=700_000))


def ordered(settings: Settings = TRACE) -> Stage:
    """A stage whose paper broker is off, with one entry order of nine contracts, not acknowledged yet."""
    stage = Stage(DAY, settings)
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, QUIET)
    return stage


def held(stage: Stage, *, exiting: bool = False) -> Stage:
    """The same stage with nine contracts bought at 3.45, and an exit order where asked for."""
    stage.report("10:30:01", "ord-000001", ReportKind.FILLED, quantity=9, price=usd("3.45"), quote_at=1)
    if exiting:
        stage.ask_close("11:00:00")
        stage.tick("11:00:00", SPOT, QUIET)
    return stage


def kinds(facts: tuple[AnyFact, ...]) -> list[type]:
    """The kinds of facts, in order."""
    return [type(one) for one in facts]


# -- entries --------------------------------------------------------------------------------------------------------


def test_one_fill_is_one_record() -> None:
    """Trade, order, position and signal change in the record of the report."""
    stage = ordered()
    stage.report("10:30:00", "ord-000001", ReportKind.ACCEPTED)
    facts = stage.report("10:30:01", "ord-000001", ReportKind.FILLED, quantity=9, price=usd("3.45"), quote_at=1)
    assert kinds(facts) == [OrderFilled, PositionOpened, SignalExecuted]
    assert stage.portfolio.orders["ord-000001"].phase is OrderPhase.FILLED
    signal = stage.portfolio.signals["sig-000001"]
    assert (signal.phase, signal.position_id) == (SignalPhase.EXECUTED, "pos-000001")


def test_a_partial_entry_puts_levels_and_risk_on_the_average() -> None:
    """Four at 3.40 and five at 3.49: the average is 3.45, and so are target, stop and risk."""
    stage = ordered(FEES)
    first = stage.report(
        "10:30:01", "ord-000001", ReportKind.FILLED, quantity=4, price=usd("3.40"), commission=usd("2.80"), quote_at=1
    )
    position = stage.portfolio.positions["pos-000001"]
    assert (kinds(first)[1:], position.stop, position.target) == (
        [PositionOpened, SignalExecuted],
        usd("1.70"),
        usd("5.10"),
    )
    assert stage.portfolio.orders["ord-000001"].phase is OrderPhase.PARTIALLY_FILLED
    second = stage.report(
        "10:30:02", "ord-000001", ReportKind.FILLED, quantity=5, price=usd("3.49"), commission=usd("3.50"), quote_at=2
    )
    position = stage.portfolio.positions["pos-000001"]
    assert (kinds(second), position.quantity, position.entry_price) == (
        [OrderFilled, PositionIncreased],
        9,
        usd("3.45"),
    )
    assert (position.stop, position.target, position.initial_risk) == (usd("1.725"), usd("5.175"), usd("1552.50"))
    assert (position.cost, position.commission) == (usd("3105"), usd("6.30"))
    assert stage.portfolio.today("paper").entries_filled == 1


@pytest.mark.parametrize("filled", [0, 4])
@pytest.mark.produces("order_timeout")
def test_a_timed_out_entry_books_what_filled(filled: int) -> None:
    """After sixty seconds the rest is cancelled: nothing filled fails the signal, a part is a position."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, QUIET)
    stage.tick("10:30:01", f"{QUIET} {filled} {filled}")
    stage.tick("10:31:00", f"{SPY_CALL} 3.50 3.60")
    assert stage.of(OrderEnded) == []
    stage.tick("10:31:01", f"{SPY_CALL} 3.50 3.60")
    order, signal = stage.portfolio.orders["ord-000001"], stage.portfolio.signals["sig-000001"]
    assert (order.phase, order.end_reason, order.quantity_filled) == (OrderPhase.CANCELLED, "order_timeout", filled)
    assert signal.phase is (SignalPhase.EXECUTED if filled else SignalPhase.FAILED)
    assert [one.code for one in stage.of(SignalFailed)] == ([] if filled else ["order_timeout"])
    assert [one.quantity_open for one in stage.portfolio.live_positions()] == ([filled] if filled else [])


ENDINGS = [
    (ReportKind.CANCELLED, OrderPhase.CANCELLED, "broker_cancelled"),
    (ReportKind.REJECTED, OrderPhase.REJECTED, "broker_rejected"),
    (ReportKind.EXPIRED, OrderPhase.EXPIRED, "end_of_day"),
    (ReportKind.FAILED, OrderPhase.FAILED, "broker_failed"),
]


@pytest.mark.produces("broker_cancelled", "broker_rejected", "broker_failed", "end_of_day")
@pytest.mark.parametrize(("kind", "phase", "reason"), ENDINGS)
def test_an_entry_that_ends_unfilled_fails_its_signal(kind: ReportKind, phase: OrderPhase, reason: str) -> None:
    """Whatever the broker's ending, the signal fails with its reason and its slot is free."""
    stage = ordered()
    stage.report("10:30:01", "ord-000001", ReportKind.ACCEPTED)
    stage.report("10:30:02", "ord-000001", kind)
    order = stage.portfolio.orders["ord-000001"]
    assert (order.phase, order.end_reason, order.working) == (phase, reason, False)
    assert (stage.last(SignalFailed).code, stage.portfolio.working) == (reason, {})


# -- adding ---------------------------------------------------------------------------------------------------------


def test_a_second_signal_adds_to_an_open_position() -> None:
    """Nine at 3.45 and nine at 3.65: one position of eighteen at 3.55, counted once, hold counted from the first."""
    stage = Stage(DAY, TRACE)
    first = stage.buy("10:30:00")
    second = stage.buy("11:00:00", quote=f"{SPY_CALL} 3.63 3.67", timeframe="1h")
    assert (second.id, second.quantity, second.entry_price) == (first.id, 18, usd("3.55"))
    assert (second.stop, second.target, second.hold_until) == (usd("1.775"), usd("5.325"), first.hold_until)
    assert stage.portfolio.ledgers["paper"].live_by_symbol == {"SPY": 1}
    assert [one.position_id for one in stage.of(SignalExecuted)] == [first.id] * 2


def test_adding_after_a_partial_exit_puts_levels_on_what_is_held() -> None:
    """Nine at 4.00, eight sold, one more at 2.00: the two left cost 3.00 each, so they leave at 1.50 and 4.50."""
    settings = replace(
        TRACE, sizing=replace(TRACE.sizing, base_contracts=9), orders=OrderSettings(drift_pct_max=10_000)
    )
    stage = Stage(DAY, settings)
    stage.buy("10:30:00", quote=f"{SPY_CALL} 3.99 4.01")
    stage.ask_close("15:00:00")
    stage.tick("15:00:00", f"{SPY_CALL} 2.99 3.01 8 8")
    stage.tick("15:00:01", f"{SPY_CALL} 2.99 3.01 8 8")
    stage.report("15:00:02", "ord-000002", ReportKind.CANCELLED)
    position = stage.portfolio.positions["pos-000001"]
    assert (position.phase, position.quantity_open, position.initial_risk) == ("open", 1, usd("1800"))
    fill = replace(stage.of(OrderFilled)[0].fill, quantity=1, price=usd("2.00"), commission=0)
    grown = reports._increased(position, fill, usd("200"))
    assert (grown.target, grown.stop) == (usd("4.50"), usd("1.50"))
    assert grown.initial_risk == usd("1600") + usd("300")


def test_a_contract_that_is_closing_opens_another_position() -> None:
    """A signal for a contract on its way out neither feeds the exit nor waits for it."""
    stage = held(ordered(), exiting=True)
    stage.alert("11:00:01", symbol="SPY", direction="long", timeframe="1h")
    stage.tick("11:00:01", SPOT, QUIET)
    entry = stage.last(OrderCreated).order
    assert (entry.id, entry.position_id, entry.side) == ("ord-000003", "pos-000002", "buy")


# -- exits ----------------------------------------------------------------------------------------------------------


@given(
    parts=st.lists(st.integers(1, 8), min_size=1, max_size=8),
    price=st.integers(1, 3_520_000),
    fee=st.integers(0, 10**7),
)
def test_partial_exits_share_cost_and_commission_exactly(parts: list[int], price: int, fee: int) -> None:
    """However nine contracts leave, the shares of cost and entry commission sum to the whole and cash keeps its law."""
    stage = ordered()
    stage.report("10:30:01", "ord-000001", ReportKind.FILLED, quantity=9, price=price, commission=fee, quote_at=1)
    stage.ask_close("11:00:00")
    stage.tick("11:00:00", SPOT, QUIET)
    left = 9
    for number, wanted in enumerate([*parts, 9]):
        part = min(wanted, left)
        if not part:
            break
        left -= part
        clock = later("11:00:01", number)
        stage.report(
            clock, "ord-000002", ReportKind.FILLED, quantity=part, price=usd("4"), commission=part, quote_at=number
        )
    reduced, outcome, ledger = (
        stage.of(PositionReduced),
        stage.last(OutcomeRecorded).outcome,
        stage.portfolio.ledgers["paper"],
    )
    assert (sum(one.cost for one in reduced), sum(one.entry_commission for one in reduced)) == (price * 900, fee)
    assert sum(one.net for one in reduced) == outcome.net == ledger.realized_net == ledger.cash - CASH
    assert outcome.net == usd("3600") - price * 900 - fee - 9
    assert (ledger.cost_open, ledger.commission_open, ledger.live) == (0, 0, 0)


@pytest.mark.produces("exit_order_failed", "exit_order_ended")
@pytest.mark.parametrize("kind", [ReportKind.REJECTED, ReportKind.FAILED, ReportKind.CANCELLED])
def test_an_exit_that_ends_frees_its_position(kind: ReportKind) -> None:
    """It opens again and is ordered anew at the next cycle; a refusal of the broker alerts."""
    stage = held(ordered(), exiting=True)
    stage.report("11:00:01", "ord-000002", ReportKind.ACCEPTED)
    stage.report("11:00:02", "ord-000002", kind)
    assert stage.last(PositionReopened).code == "exit_order_ended"
    alerts = [] if kind is ReportKind.CANCELLED else ["exit_order_failed"]
    assert [one.code for one in stage.of(Alerted)] == alerts
    stage.tick("11:00:03", SPOT, QUIET)
    assert stage.portfolio.positions["pos-000001"].phase is PositionPhase.CLOSING
    assert stage.last(OrderCreated).order.id == "ord-000003"


def test_a_partly_filled_exit_that_ends_leaves_the_rest_open() -> None:
    """Four of nine are sold, then the order is cancelled: five remain with their share of the cost."""
    stage = held(ordered(), exiting=True)
    stage.report("11:00:01", "ord-000002", ReportKind.FILLED, quantity=4, price=usd("4"), quote_at=2)
    stage.report("11:00:02", "ord-000002", ReportKind.CANCELLED)
    position = stage.portfolio.positions["pos-000001"]
    assert (position.phase, position.quantity_open, position.cost_open) == ("open", 5, usd("1725"))
    assert (position.realized_net, stage.of(OutcomeRecorded)) == (usd("220"), [])
    stage.tick("11:00:03", SPOT, QUIET)
    assert stage.last(OrderCreated).order.quantity == 5


# -- order of reports -----------------------------------------------------------------------------------------------


def test_a_report_counts_once() -> None:
    """The same number again, and anything about an ended order, changes nothing but the count of records."""
    stage = held(ordered())
    for number, kind in (
        (1, ReportKind.FILLED),
        (2, ReportKind.FILLED),
        (2, ReportKind.CANCELLED),
        (7, ReportKind.ACCEPTED),
    ):
        before = stage.portfolio.positions, stage.portfolio.ledgers["paper"].cash
        assert stage.take(BrokerReported("ord-000001", number, kind, quantity=9, price=1), at=stage.portfolio.now) == ()
        assert (stage.portfolio.positions, stage.portfolio.ledgers["paper"].cash) == before


def test_a_repeated_fill_of_a_working_order_is_booked_once() -> None:
    """Idempotent by order and number, also while the order still works."""
    stage = ordered()
    said = BrokerReported("ord-000001", 1, ReportKind.FILLED, quantity=4, price=usd("3.45"), quote_at=1)
    assert len(stage.take(said, at=stage.portfolio.now)) == 3
    assert stage.take(said, at=stage.portfolio.now) == ()
    assert stage.portfolio.positions["pos-000001"].quantity == 4


def test_an_acknowledgement_overtaken_by_a_fill_is_counted() -> None:
    """Fill first, acknowledgement second, fill third: nothing is lost, and the acknowledgement moves nothing."""
    stage = ordered()
    stage.report("10:30:01", "ord-000001", ReportKind.FILLED, quantity=4, price=usd("3.45"), quote_at=1)
    assert kinds(stage.report("10:30:01", "ord-000001", ReportKind.ACCEPTED)) == [OrderSubmitted]
    assert stage.portfolio.orders["ord-000001"].phase is OrderPhase.PARTIALLY_FILLED
    stage.report("10:30:02", "ord-000001", ReportKind.FILLED, quantity=5, price=usd("3.45"), quote_at=2)
    assert stage.portfolio.positions["pos-000001"].quantity == 9


def test_a_fill_after_a_cancel_was_asked_still_counts() -> None:
    """A cancel is a wish: what fills before its confirmation is held, acknowledged late or not."""
    stage = ordered()
    stage.tick("10:31:01", f"{SPY_CALL} 3.50 3.60")
    assert stage.portfolio.orders["ord-000001"].phase is OrderPhase.CANCEL_REQUESTED
    stage.report("10:31:01", "ord-000001", ReportKind.ACCEPTED)
    stage.report("10:31:02", "ord-000001", ReportKind.FILLED, quantity=4, price=usd("3.52"), quote_at=1)
    assert stage.portfolio.orders["ord-000001"].phase is OrderPhase.CANCEL_REQUESTED
    stage.report("10:31:03", "ord-000001", ReportKind.CANCELLED)
    order = stage.portfolio.orders["ord-000001"]
    assert (order.phase, order.end_reason, order.quantity_filled) == ("cancelled", "order_timeout", 4)


def test_a_missing_report_and_an_unknown_order_break_the_law() -> None:
    """Report 2 without report 1, and an order that never was, are no inputs to go on from."""
    stage = ordered()
    said = [
        BrokerReported("ord-000001", 2, ReportKind.ACCEPTED),
        BrokerReported("ord-000009", 1, ReportKind.ACCEPTED),
        BrokerReported("nonsense", 1, ReportKind.ACCEPTED),
    ]
    for one in said:
        with pytest.raises(LawBroken):
            reports.understand(stage.portfolio, one, stage.settings)


def test_a_report_on_an_order_that_left_memory_changes_nothing() -> None:
    """Brokers repeat themselves for days; an order retired long ago is ended, not unknown."""
    stage = held(ordered(), exiting=True)
    stage.report("11:00:01", "ord-000002", ReportKind.FILLED, quantity=9, price=usd("4"), quote_at=2)
    apply(stage.portfolio, NounsRetired(stage.portfolio.sessions.first, (), ("ord-000001",), (), 0))
    assert stage.take(BrokerReported("ord-000001", 1, ReportKind.FILLED), at=stage.portfolio.now) == ()


def test_a_broker_may_cancel_before_it_acknowledges() -> None:
    """The order ends cancelled, unasked."""
    stage = ordered()
    stage.report("10:30:01", "ord-000001", ReportKind.CANCELLED)
    assert stage.portfolio.orders["ord-000001"].phase is OrderPhase.CANCELLED
    assert stage.last(SignalFailed).code == "broker_cancelled"


@pytest.mark.parametrize("kind", [ReportKind.REJECTED, ReportKind.FAILED])
def test_a_refused_rest_leaves_a_partly_filled_order_cancelled(kind: ReportKind) -> None:
    """What filled is held, and the reason is the broker's."""
    stage = ordered()
    stage.report("10:30:01", "ord-000001", ReportKind.ACCEPTED)
    stage.report("10:30:02", "ord-000001", ReportKind.FILLED, quantity=2, price=usd("3.45"))
    stage.report("10:30:03", "ord-000001", kind)
    order = stage.portfolio.orders["ord-000001"]
    assert (order.phase, order.end_reason) == (OrderPhase.CANCELLED, f"broker_{kind}")
    assert [one.quantity_open for one in stage.portfolio.live_positions()] == [2]
