"""A signal moves only along its life, and an illegal fact about it changes nothing."""

import pytest
from msgspec.structs import replace

from state.applying import apply
from state.errors import LawBroken
from state.facts import (
    AnyFact,
    SignalApproved,
    SignalCreated,
    SignalDecided,
    SignalExecuted,
    SignalFailed,
    SignalQueued,
    SignalRefused,
    SignalReleased,
    SignalRetryScheduled,
    UnitFailed,
)
from state.signal import SIGNAL_LIFE, SignalPhase, SignalTrigger, Verdict
from tests.stage import TRACE, Stage

DAY = "2026-02-13"


def fact_of(trigger: SignalTrigger, stage: Stage) -> AnyFact | None:
    """A fact that pulls a trigger on the first signal; None for triggers that no fact pulls yet."""
    recommendation = stage.of(SignalApproved)[0].recommendation
    facts: dict[SignalTrigger, AnyFact] = {
        SignalTrigger.QUEUE: SignalQueued("sig-000001", 1, "queued_market_closed"),
        SignalTrigger.RELEASE: SignalReleased("sig-000001"),
        SignalTrigger.APPROVE: SignalApproved("sig-000001", (), recommendation),
        SignalTrigger.DECIDE_ONLY: SignalDecided("sig-000001", "market_closed", (), recommendation),
        SignalTrigger.REJECT: SignalRefused("sig-000001", "signal_stale", (), ()),
        SignalTrigger.EXECUTE: SignalExecuted("sig-000001", "pos-000001"),
        SignalTrigger.FAIL: SignalFailed("sig-000001", "order_timeout"),
    }
    return facts.get(trigger)


def in_phase(phase: SignalPhase) -> Stage:
    """A stage whose first signal was put into a phase, with one approval of another signal to copy from."""
    stage = Stage(DAY, TRACE)
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", "SPY260220C00596000 3.43 3.47")
    signal = stage.portfolio.signals["sig-000001"]
    stage.portfolio.signals[signal.id] = replace(signal, phase=phase)
    return stage


CASES = [(phase, trigger) for phase in SignalPhase for trigger in SignalTrigger]


@pytest.mark.parametrize(("phase", "trigger"), CASES)
def test_a_fact_moves_a_signal_along_its_life_or_not_at_all(phase: SignalPhase, trigger: SignalTrigger) -> None:
    """A legal step ends in the phase of the table; an illegal one raises and leaves every byte as it was."""
    stage = in_phase(phase)
    fact, before = fact_of(trigger, stage), stage.digest()
    if fact is None:
        assert trigger in (SignalTrigger.ASK_APPROVAL, SignalTrigger.EXPIRE)
    elif (phase, trigger) in SIGNAL_LIFE.steps:
        apply(stage.portfolio, fact)
        assert stage.portfolio.signals["sig-000001"].phase is SIGNAL_LIFE.steps[phase, trigger]
    else:
        with pytest.raises(LawBroken):
            apply(stage.portfolio, fact)
        assert stage.digest() == before


def test_facts_about_unknown_or_known_signals_change_nothing() -> None:
    """No signal of that id, a second signal of one id, a retry of a decided one: each is a broken law."""
    stage = in_phase(SignalPhase.APPROVED)
    before = stage.digest()
    again = SignalCreated(stage.portfolio.signals["sig-000001"])
    for fact in (SignalReleased("sig-000009"), again, SignalRetryScheduled("sig-000001", 1, "quote_stale", ())):
        with pytest.raises(LawBroken):
            apply(stage.portfolio, fact)
    assert stage.digest() == before


def test_a_failure_about_a_decided_signal_is_only_told() -> None:
    """A unit that failed after its decision moves nothing."""
    stage = in_phase(SignalPhase.EXECUTED)
    before = stage.digest()
    apply(stage.portfolio, UnitFailed("sig-000001", "processing_failed", "ValueError", 1))
    assert stage.digest() == before


def test_undecided_means_pending_or_queued() -> None:
    """Only then a decision is owed, and only then the index holds the signal."""
    owed = {phase for phase in SignalPhase if in_phase(phase).portfolio.signals["sig-000001"].undecided}
    assert owed == {SignalPhase.PENDING, SignalPhase.QUEUED}


def test_a_verdict_passed_when_it_has_no_code() -> None:
    """A code is a refusal."""
    assert (Verdict("age", None).passed, Verdict("age", "signal_stale").passed) == (True, False)


def test_a_signal_trades_in_the_ledger_of_its_kind() -> None:
    """Tests trade apart."""
    stage = Stage(DAY)
    for is_test in (False, True):
        stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m", is_test=is_test)
    assert [(one.is_test, one.book) for one in stage.portfolio.signals.values()] == [(False, "paper"), (True, "test")]
