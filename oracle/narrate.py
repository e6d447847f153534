"""One line of plain words per fact, for people watching; the same words serve the demo, `explain` and progress."""

from datetime import datetime
from zoneinfo import ZoneInfo

from oracle.layout import printable
from state import facts as f
from state import money
from state.alert import Entry
from state.facts import AnyFact
from state.position import Position
from state.reason import words

_NEW_YORK = ZoneInfo("America/New_York")


def clock(instant: int) -> str:
    """An instant as New York wall time, e.g. `2026-02-13 10:30:02`."""
    return datetime.fromtimestamp(instant // 1_000_000_000, _NEW_YORK).strftime("%Y-%m-%d %H:%M:%S")


def usd(amount: int | None) -> str:
    """Dollars with a sign in front of the dollar, `-` when there is no amount."""
    if amount is None:
        return "-"
    return f"-${money.text(-amount)}" if amount < 0 else f"${money.text(amount)}"


def percent(basis_points: int) -> str:
    """Basis points as percent with two decimals."""
    return f"{basis_points / 100:+.2f} %"


def levels(position: Position) -> str:
    """Target and stop; where the alert brought them, with what they are in percent of the price paid."""
    told = []
    own = {"target": position.terms.target_price, "stop": position.terms.stop_price}
    for name, level in (("target", position.target), ("stop", position.stop)):
        away = money.ratio_bp(level * position.quantity * money.MULTIPLIER - position.cost, position.cost)
        told.append(f"{name} {usd(level)}" + ("" if own[name] is None else f" ({percent(away)})"))
    return " ".join(told)


def lines(facts: tuple[AnyFact, ...]) -> list[str]:
    """What one record means to a person, in order; most ticks mean nothing."""
    return [line for fact in facts if (line := sentence(fact)) is not None]


def sentence(fact: AnyFact) -> str | None:
    """One fact in words, or None when it says nothing to a person."""
    match fact:
        case f.AlertLogged():
            return _alert(fact)
        case f.SignalCreated(signal=one) if one.requeued_from is not None:
            return f"{one.id} takes up {one.requeued_from} once more, as the operator asked: {_wish(one.entry)}"
        case f.SignalQueued():
            return f"{fact.signal_id} waits until {clock(fact.until)}: {words(fact.reason)}"
        case f.SignalRetryScheduled():
            return f"{fact.signal_id} is tried again at {clock(fact.next_at)}: {words(fact.code)}"
        case f.SignalApproved(recommendation=one):
            return f"{fact.signal_id} approved: {one.quantity} x {one.contract.occ} at mid {usd(one.entry_price)}"
        case f.SignalDecided(recommendation=one):
            shown = f"{one.quantity} x {one.contract.occ} at {usd(one.entry_price)}"
            return f"{fact.signal_id} judged only ({words(fact.code)}): would buy {shown}"
        case f.SignalRefused():
            return f"{fact.signal_id} refused, {fact.code}: {words(fact.code)}"
        case f.SignalFailed():
            return f"{fact.signal_id} failed, {fact.code}: {words(fact.code)}"
        case f.OrderCreated(order=order):
            limit = "at the market" if order.limit_price is None else f"limit {usd(order.limit_price)}"
            return f"{order.id} {order.side} {order.quantity} x {order.contract.occ} {limit} ({order.reason})"
        case f.OrderFilled(fill=fill):
            against = f"bid {usd(fill.bid)} ask {usd(fill.ask)}"
            return f"{fact.order_id} filled {fill.quantity} at {usd(fill.price)}, {against}, fee {usd(fill.commission)}"
        case f.OrderEnded():
            return f"{fact.order_id} ended, {fact.reason}: {words(fact.reason)}"
        case f.PositionOpened(position=one):
            return f"{one.id} opened, {levels(one)}"
        case f.PositionIncreased():
            grown = f"by {fact.quantity}, target {usd(fact.target)} stop {usd(fact.stop)}"
            return f"{fact.position_id} grows {grown}"
        case f.ExitChosen():
            return f"{fact.position_id} leaves, {fact.reasons[0]}: {words(fact.reasons[0])}, mark {usd(fact.mark)}"
        case f.CloseAsked():
            return f"{fact.position_id} is to be closed, {fact.reason}: {fact.words or words(fact.reason)}"
        case f.PositionSettled():
            shown = f"{usd(fact.settlement_price)}, worth {usd(fact.intrinsic)} a share"
            return f"{fact.position_id} settled at {shown}"
        case f.OutcomeRecorded(outcome=one):
            r = "" if one.r_bp is None else f", {one.r_bp / 10_000:+.2f} R"
            return f"{one.position_id} closed: net {usd(one.net)}, {percent(one.percent_bp)}{r}"
        case f.EntriesHalted():
            return f"entries are halted, {fact.code}: {_said(fact.words, words(fact.code))}"
        case f.EntriesResumed():
            return f"entries go on, {fact.code} is over: {_said(fact.words, 'nothing was said about it')}"
        case f.FlagSet():
            stands = "as configured" if fact.on is None else ("on" if fact.on else "off")
            return f"flag {fact.name} is {stands}: {_said(fact.words, 'nothing was said about it')}"
        case f.Alerted():
            return f"LOOK at {fact.subject}, {fact.code}: {words(fact.code)}"
        case f.UnitFailed():
            return f"LOOK at {fact.unit}, {fact.code}: a rule raised {fact.exception}"
        case _:
            return None


def _wish(entry: Entry) -> str:
    return f"{entry.symbol} {entry.direction} {entry.timeframe}"


def _said(given: str, otherwise: str) -> str:
    """The words that were given for something, as no terminal obeys them; other words where none were given."""
    return printable(given) or otherwise


def _alert(fact: f.AlertLogged) -> str:
    about = " ".join(one for one in (fact.symbol, fact.direction, fact.timeframe) if one)
    match fact.status:
        case "accepted":
            return f"{fact.event_id} accepted as {fact.signal_id}: {about}"
        case "duplicate":
            return f"{fact.event_id} duplicate of {fact.signal_id}, {fact.code}: {words(fact.code)}"
        case "ignored":
            return f"{fact.event_id} ignored, {fact.code}: {words(fact.code)}"
        case _:
            faults = "; ".join(f"{one.field}: {one.message}" for one in fact.errors)
            return f"{fact.event_id} refused, {fact.code}: {faults}"
