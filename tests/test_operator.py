"""What an operator's ask is about, that it is noted once, and which signals get another try."""

import pytest

from rules import operator
from state.facts import (
    Alerted,
    AlertLogged,
    CloseAsked,
    OrderCancelAsked,
    SignalApproved,
    SignalCreated,
    SignalExecuted,
    SignalFailed,
    SignalRefused,
)
from state.inputs import Ask, OperatorAsked
from state.signal import SignalPhase
from tests.stage import SPY_CALL, TRACE, Stage, instant

DAY = "2026-02-13"
SPY = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47")
LONG = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}


def holding() -> Stage:
    """A stage with one closed and two open positions."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.ask_close("10:10:00")
    stage.tick("10:10:00", f"{SPY_CALL} 3.43 3.47")
    stage.tick("10:10:01", f"{SPY_CALL} 3.43 3.47")
    stage.buy("10:20:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    stage.buy("10:30:00", "IWM 250.50", "IWM260220C00251000 0.99 1.01")
    return stage


def test_an_ask_names_live_positions() -> None:
    """All means every open one, oldest first; an id means itself; what is closed or unknown is about nothing."""
    stage = holding()
    named = {
        one: operator.named(stage.portfolio, OperatorAsked(one, "x"))
        for one in ("all", "pos-000003", "pos-000001", "x")
    }
    assert named == {
        "all": ("pos-000002", "pos-000003"),
        "pos-000003": ("pos-000003",),
        "pos-000001": (),
        "x": (),
    }


def test_an_ask_is_noted_once_with_its_words() -> None:
    """The first ask keeps its words, the second finds it asked; positions it does not name are untouched."""
    stage = holding()
    assert stage.ask_close("20:00:00", "pos-000002", "news") == (CloseAsked("pos-000002", "manual", "news"),)
    assert stage.ask_close("20:01:00", "all", "again") == (CloseAsked("pos-000003", "manual", "again"),)
    assert stage.ask_close("20:02:00", "pos-000001", "gone") == (Alerted("nothing_to_close", "pos-000001"),)
    assert [one.close_asked for one in stage.portfolio.live_positions()] == ["manual", "manual"]


@pytest.mark.produces("close_asked", "nothing_to_close")
def test_an_ask_to_close_gives_up_the_entries_in_flight() -> None:
    """What would open after the ask does not: the entry is cancelled in the same cycle and its signal fails."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert stage.ask_close("10:30:01", "pos-000009") == (Alerted("nothing_to_close", "pos-000009"),)
    assert stage.ask_close("10:30:01", "all") == (OrderCancelAsked("ord-000001", "close_asked"),)
    stage.tick("10:30:01", f"{SPY_CALL} 3.43 3.47")
    assert (stage.last(SignalFailed).code, stage.portfolio.live_positions()) == ("close_asked", ())


# -- another try ----------------------------------------------------------------------------------------------------


def refused() -> Stage:
    """A stage with one signal that a halt refused, which is over."""
    stage = Stage(DAY, TRACE)
    stage.ask("10:00:00", Ask.HALT)
    stage.alert("10:30:00", **LONG, timestamp=instant(DAY, "10:29:00") // 10**9)
    stage.tick("10:30:00", *SPY)
    stage.ask("10:31:00", Ask.RESUME)
    return stage


def test_a_refused_signal_becomes_a_new_one() -> None:
    """The next id, the same wish of the same alert, received now and watched anew; then the gates have it, and it trades."""
    stage = refused()
    (fact,) = stage.ask("10:40:00", Ask.REQUEUE, "sig-000001")
    old, now = stage.portfolio.signals["sig-000001"], instant(DAY, "10:40:00")
    assert isinstance(fact, SignalCreated)
    signal = fact.signal
    assert (signal.id, signal.requeued_from, signal.phase) == ("sig-000002", "sig-000001", SignalPhase.PENDING)
    assert (signal.entry, signal.profile, signal.event_id, signal.source) == (
        *(old.entry, old.profile, old.event_id, old.source),
    )
    assert (signal.received_at, signal.watch_until - now) == (now, old.watch_until - old.received_at)
    for clock in ("10:40:00", "10:40:01"):
        stage.tick(clock, *SPY)
    assert stage.last(SignalExecuted).signal_id == "sig-000002"
    assert old.phase is SignalPhase.REJECTED


def test_another_try_is_judged_by_the_age_of_the_alert() -> None:
    """Half an hour after the alert it is stale, whatever the operator wishes."""
    stage = refused()
    stage.ask("10:59:01", Ask.REQUEUE, "sig-000001")
    stage.tick("10:59:01", *SPY)
    assert (stage.last(SignalRefused).signal_id, stage.last(SignalRefused).code) == ("sig-000002", "signal_stale")


def test_repeats_of_the_alert_are_those_of_the_new_signal() -> None:
    """By content and by window: the other try takes the place of the first."""
    stage = refused()
    stage.ask("10:40:00", Ask.REQUEUE, "sig-000001")
    stage.alert("10:40:30", **LONG, timestamp=instant(DAY, "10:29:00") // 10**9)
    stage.alert("10:40:40", **LONG)
    stage.alert("10:41:00", **LONG)
    answers = [(one.status, one.code, one.signal_id) for one in stage.of(AlertLogged)]
    assert answers[1:] == [
        ("duplicate", "duplicate_content", "sig-000002"),
        ("duplicate", "duplicate_window", "sig-000002"),
        ("accepted", None, "sig-000003"),
    ]


@pytest.mark.produces("nothing_to_requeue")
def test_a_signal_is_taken_up_once() -> None:
    """The second ask finds it taken up; its successor, refused again, may be."""
    stage = refused()
    stage.ask("10:40:00", Ask.REQUEUE, "sig-000001")
    stage.ask("10:40:01", Ask.HALT)
    stage.tick("10:40:02", *SPY)
    assert stage.ask("10:41:00", Ask.REQUEUE, "sig-000001") == (Alerted("nothing_to_requeue", "sig-000001"),)
    (fact,) = stage.ask("10:41:01", Ask.REQUEUE, "sig-000002")
    assert isinstance(fact, SignalCreated)
    assert (fact.signal.id, fact.signal.requeued_from) == ("sig-000003", "sig-000002")


def test_what_was_bought_or_may_be_is_not_taken_up() -> None:
    """Pending, in flight, executed, unknown and long words are answered; a failed or judged-only signal is taken up."""
    stage = Stage(DAY, TRACE)
    found = {}
    stage.alert("10:30:00", **LONG)
    found["pending"] = stage.ask("10:30:00", Ask.REQUEUE, "sig-000001")
    stage.tick("10:30:00", *SPY)
    found["in flight"] = stage.ask("10:30:00", Ask.REQUEUE, "sig-000001")
    stage.tick("10:30:01", *SPY)
    found["executed"] = stage.ask("10:30:01", Ask.REQUEUE, "sig-000001")
    nothing = (Alerted("nothing_to_requeue", "sig-000001"),)
    assert found == dict.fromkeys(("pending", "in flight", "executed"), nothing)
    for about in ("", "sig-000009", "pos-000001", "x" * 99):
        assert stage.ask("10:30:02", Ask.REQUEUE, about) == (Alerted("nothing_to_requeue", about[:40]),)


def test_a_failed_and_a_judged_signal_are_taken_up() -> None:
    """Neither bought anything: an entry that found no fill, and a signal after the bell."""
    stage = Stage(DAY, TRACE)
    stage.broker = False
    stage.alert("15:50:00", **LONG)
    stage.tick("15:50:00", *SPY)
    stage.broker = True
    stage.tick("15:51:01", "SPY 595.42", f"{SPY_CALL} 3.60 3.70")
    assert stage.last(SignalFailed).signal_id == "sig-000001"
    stage.ask("15:51:02", Ask.REQUEUE, "sig-000001")
    stage.tick("15:51:02", *SPY)
    assert stage.last(SignalApproved).signal_id == "sig-000002"
    stage.alert("16:05:00", **(LONG | {"timeframe": "1h"}))
    stage.tick("16:05:00", *SPY)
    assert stage.portfolio.signals["sig-000003"].phase is SignalPhase.DECISION_ONLY
    (fact,) = stage.ask("16:06:00", Ask.REQUEUE, "sig-000003")
    assert isinstance(fact, SignalCreated)
