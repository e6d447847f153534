"""The part of a story in which alerts become signals and signals are judged: value, threshold and margin of each gate."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby

from oracle.layout import columns, duration, printable
from oracle.moments import Case, Moment, Rank, Row, because, of_signal, when
from oracle.narrate import clock, usd
from state import contract
from state.calendar import SECOND
from state.reason import words

_AT_LEAST = frozenset({"near_close", "size"})
"""Gates whose threshold is the least that passes; all others name the most."""


def events(case: Case) -> Iterator[Moment]:
    """Every alert: how it was answered, why, and what was received."""
    accepted = {one["signal_id"]: one for one in case.events if one["status"] == "accepted"}
    for one in case.events:
        about = " ".join(one[name] for name in ("symbol", "direction", "timeframe") if one[name])
        match one["status"]:
            case "accepted":
                line = f"accepted as {one['signal_id']}: {about}"
            case "duplicate" | "ignored":
                line = f"{one['status']}{of_signal(one)}{because(one['code'])}"
            case _:
                line = f"refused ({one['status']}){because(one['code'])}"
        details = _repeated(one, accepted.get(one["signal_id"])) if one["status"] == "duplicate" else []
        details += [f"{printable(fault['field'])}: {printable(fault['message'])}" for fault in one["errors"]]
        details += [f"warning: {printable(warning)}" for warning in one["warnings"]]
        if one["code"] == "exit_alert":
            who = "intake.exit_alerts (or the flag close_on_exit_alerts)"
            details.append(f"{who} says whether it closes what its source holds in the symbol")
        details += _test(one)
        details.append(f"received from {printable(one['source'])}: {printable(one['body'])}")
        yield Moment(one["seen_at"], Rank.RECEIVED, f"{one['id']} {line}", details)


def _repeated(event: Row, first: Row | None) -> list[str]:
    if first is None:
        return []
    after = f"{duration((event['seen_at'] - first['seen_at']) // SECOND)} after {first['id']}"
    if event["code"] == "duplicate_content":
        return [f"{after}, with the same content"]
    about = " ".join((first["symbol"], first["direction"], first["timeframe"]))
    return [f"{after}, also {about}; intake.duplicate_window_s says for how long that is a repeat"]


def _test(event: Row) -> list[str]:
    if not event["is_test"]:
        return []
    marks = [f"{name} {printable(event[f'test_{name}'])}" for name in ("session", "scenario") if event[f"test_{name}"]]
    return [", ".join(["a test: it trades in a ledger of its own and never counts", *marks])]


def signals(case: Case) -> Iterator[Moment]:
    """Every time a signal was taken up once more, waited or was judged, with all verdicts."""
    for signal in case.signals:
        if signal["requeued_from"] is not None:
            yield _requeued(signal)
        yield from _judged(signal, [one for one in case.verdicts if one["signal_id"] == signal["id"]])
        if signal["queued_at"] is not None:
            line = f"{signal['id']} waits until {clock(signal['queued_until'])}{because(signal['queue_reason'])}"
            yield Moment(signal["queued_at"], Rank.JUDGED, line)
        if signal["phase"] == "pending" and signal["next_at"] is None:
            yield Moment(signal["seen_at"], Rank.LATER, f"{signal['id']} waits to be judged at the next tick")


def _requeued(signal: Row) -> Moment:
    """That the operator asked for another try: the alert itself was answered long before."""
    about = " ".join((signal["symbol"], signal["direction"], signal["timeframe"]))
    line = f"{signal['id']} takes up {signal['requeued_from']} once more, as the operator asked: {about}"
    return Moment(signal["received_at"], Rank.RECEIVED, line, [f"it goes back to the alert {signal['event_id']}"])


def _judged(signal: Row, verdicts: list[Row]) -> Iterator[Moment]:
    """Each time the signal was judged: put off, or decided. A rule that failed may decide without any verdict."""
    rounds = [list(asked) for _, asked in groupby(verdicts, key=lambda one: one["lsn"])]
    at = [asked[0]["seen_at"] for asked in rounds]
    if signal["decided_at"] is not None and signal["decided_at"] not in at:
        rounds, at = [*rounds, []], [*at, signal["decided_at"]]
    for instant, asked, following in zip(at, rounds, [*at, signal["next_at"]][1:], strict=True):
        if instant == signal["decided_at"]:
            yield Moment(instant, Rank.JUDGED, *_decision(signal, asked))
        else:
            code = next((one["code"] for one in asked if one["code"]), None)
            again = f"; tried again at {when(following, instant)}" if following else ""
            yield Moment(instant, Rank.JUDGED, f"{signal['id']} put off{because(code)}{again}", _verdicts(asked))


def _decision(signal: Row, verdicts: list[Row]) -> tuple[str, list[str]]:
    """(what was decided, every verdict and what was or would have been bought)."""
    match signal["phase"]:
        case "rejected":
            line = f"refused{because(signal['reason'])}"
        case "decision_only":
            line = f"judged but not traded{because(signal['reason'])}; it would have bought"
        case _:
            line = "approved"
    details = _verdicts(verdicts)
    details += [f"also {code}: {words(code)}" for code in signal["contributing"]]
    if verdicts:
        details.append(f"flags on: {', '.join(signal['flags']) or 'none'}")
    if signal["recommendation"]:
        details += _recommendation(signal["recommendation"], signal["decided_at"])
    return f"{signal['id']} ({signal['profile']}) {line}", details


def _verdicts(verdicts: list[Row]) -> list[str]:
    return columns((_verdict(one) for one in verdicts), right=(2, 4, 6)) if verdicts else []


def _verdict(one: Row) -> tuple[str, ...]:
    """The cells of one verdict: what the gate said, what it saw, its threshold, the margin, and why."""
    why = " ".join(part for part in (printable(one["note"]), f"({words(one['code'])})" if one["code"] else "") if part)
    verdict, value = "STOP" if one["code"] else "pass", _amount(one["value"], one["unit"])
    if one["threshold"] is None:
        return (verdict, one["gate"], value, "", "", "", "", why)
    bound = "at least" if one["gate"] in _AT_LEAST else "limit"
    threshold, margin = _amount(one["threshold"], one["unit"]), _amount(one["margin"], one["unit"])
    return (verdict, one["gate"], value, bound, threshold, "margin", margin, why)


def _amount(value: int | None, unit: str) -> str:
    match unit:
        case _ if value is None:
            return ""
        case "usd":
            return usd(value)
        case "bp":
            return f"{value / 100:,.2f} %"
        case "s":
            return f"{value:,} s"
        case _:
            return f"{value:,}"


def _recommendation(one: Row, at: int) -> list[str]:
    option = contract.parse(one["contract"])
    right = "call" if option.right is contract.Right.CALL else "put"
    days = (option.expiry - date.fromisoformat(clock(at)[:10])).days
    about = f"{option.underlying} {usd(option.strike)} {right}, expires {option.expiry} ({days} DTE)"
    quoted = f"bid {usd(one['bid'])} ask {usd(one['ask'])}, quoted {when(one['quote_at'], at)}"
    spot = f"{option.underlying} at {usd(one['spot'])}, {when(one['spot_at'], at)}"
    return [
        f"{one['quantity']} x {one['contract']}: {about}",
        f"mid {usd(one['entry_price'])}, {quoted}; {spot}; {one['market_source']} prices",
        f"costs at most {usd(one['worst_cost'])} with fees",
    ]
