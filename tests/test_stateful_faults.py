"""The runs of the stateful test can fail: each fault that is put into the program is found out."""

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test

from rules import fills, gates, operator
from state import keeping, money
from state.errors import LawBroken
from state.market import Quote
from state.portfolio import Portfolio
from state.signal import SignalPhase
from tests.test_stateful import Run, limits


def middle(quote: Quote, *_: Any) -> int | None:
    """A fill model that is too kind."""
    return quote.mark


def forgetful(decode: Callable[[bytes], Portfolio]) -> Callable[[bytes], Portfolio]:
    """A snapshot that loses the window of repeated alerts."""

    def forgetting(body: bytes) -> Portfolio:
        portfolio = decode(body)
        portfolio.accepted = {}
        return portfolio

    return forgetting


FAULTS = {
    "a share is rounded down": (money, "share", lambda amount, part, whole: amount * part // whole),
    "fills are too kind": (fills, "model_price", middle),
    "nothing is reserved for entries in flight": (gates, "pending_entries", lambda *_: ()),
    "a quote from before the decision fills": (fills, "observes", lambda order, quote, **_: quote.at > 0),
    "a halt is not asked": (gates, "GATES", gates.GATES[1:]),
    "a trade is taken up once more": (operator, "ENDED_WITHOUT_A_TRADE", (SignalPhase.EXECUTED, SignalPhase.REJECTED)),
    "a snapshot forgets": (keeping, "decode", forgetful(keeping.decode)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_runs_can_fail(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is found out by the first hundreds of runs."""
    module, name, wrong = FAULTS[fault]
    monkeypatch.setattr(module, name, wrong)
    few = hypothesis.settings(
        limits(400, 50), phases=[Phase.generate], derandomize=True, database=None, print_blob=False, max_examples=400
    )
    with pytest.raises((AssertionError, LawBroken)):
        run_state_machine_as_test(Run, settings=few)
