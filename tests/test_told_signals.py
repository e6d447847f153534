"""Signals in a story: answered, repeated, put off, waiting, refused, judged only: with value, threshold and margin."""

from pathlib import Path

import pytest

from oracle import told_signals
from oracle.explain import explain
from oracle.moments import Case, Rank
from tests.runs import CALL, missing, trade

LONG = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
CASES = [
    (
        "sig-000001",
        "10:30:00 SPY 595.42",
        '10:30:00 {"symbol": "SPY", "direction": "long", "timeframe": "5m", "timestamp": "2026-02-13T14:00:00Z"}',
        "",
        """
sig-000001: rejected, signal_stale: the signal is too old to act on
10:30:00  sig-000001 (short_dated) refused, signal_stale: the signal is too old to act on
    STOP  age  5,400 s  limit  1,800 s  margin  -3,600 s  (the signal is too old to act on)
""",
    ),
    (
        "evt-000002",
        "10:30:00 SPY 595.42",
        f"10:30:00 {LONG}\n10:30:04 {LONG}",
        "",
        """
evt-000002: duplicate of sig-000001, duplicate_window: a like alert was accepted moments ago
10:30:00  evt-000001 accepted as sig-000001: SPY long 5m
10:30:04  evt-000002 duplicate of sig-000001, duplicate_window: a like alert was accepted moments ago
    4 s after evt-000001, also SPY long 5m; intake.duplicate_window_s says for how long that is a repeat
""",
    ),
    (
        "evt-000002",
        "10:30:00 SPY 595.42",
        "".join(
            f'{at} {{"symbol": "SPY", "side": "buy", "tf": "5m", "timestamp": "2026-02-13T15:29:00Z"}}\n'
            for at in ("10:30:00", "10:45:00")
        ),
        "",
        """
10:45:00  evt-000002 duplicate of sig-000001, duplicate_content: the same alert was received before
    15 min after evt-000001, with the same content
""",
    ),
    (
        "sig-000001",
        f"08:00:00 SPY 595.42\n09:30:00 SPY 595.42\n09:30:00 {CALL} 3.43 3.47",
        f"08:00:00 {LONG}",
        '[session]\nclosed_market_mode = "queue"',
        """
08:00:00  sig-000001 waits until 2026-02-13 09:30:00, queued_market_closed: the market is closed: waits for the next open
09:30:00  sig-000001 (short_dated) approved
    pass  age                5,400 s  limit      345,600 s  margin   340,200 s
""",
    ),
    (
        "sig-000001",
        f"10:30:30 SPY 595.42\n10:30:30 {CALL} 3.43 3.47",
        f"10:30:00 {LONG}",
        "",
        """
10:30:00  sig-000001 put off, market_data_unavailable: no fresh price or option chain of the symbol is known; tried again at 10:31:00
10:31:00  sig-000001 (short_dated) approved
    pass  market_known          30 s  limit          180 s  margin       150 s
    pass  quote_fresh           30 s  limit          120 s  margin        90 s
""",
    ),
    (
        "sig-000001",
        f"15:59:59 SPY 595.42\n15:59:59 {CALL} 3.43 3.47",
        f"16:00:05 {LONG}",
        "",
        """
16:00:05  sig-000001 (short_dated) judged but not traded, market_closed: the market is closed: judged only, or refused; it would have bought
    pass  quote_fresh           6 s  limit          120 s  margin       114 s
    1 x SPY260220C00596000: SPY $596.00 call, expires 2026-02-20 (7 DTE)
    costs at most $352.70 with fees
""",
    ),
    (
        "evt-000001",
        "10:30:00 SPY 595.42",
        '10:30:00 {"price": 595.42}',
        "",
        """
evt-000001: invalid_payload, missing_symbol: the alert names no symbol
    symbol: no symbol; add symbol (or ticker) as text, for instance SPY
    received from desk: {"price": 595.42}
""",
    ),
    (
        "evt-000001",
        "10:30:00 SPY 595.42",
        '10:30:00 {"symbol": "SPY", "action": "close"}',
        "",
        """
10:30:00  evt-000001 ignored, exit_alert: the alert asks to leave a position
    intake.exit_alerts (or the flag close_on_exit_alerts) says whether it closes what its source holds in the symbol
""",
    ),
    (
        "sig-000001",
        "15:00:00 SPY 595.42",
        f"17:00:00 {LONG}",
        '[session]\nclosed_market_mode = "queue"',
        """
sig-000001: queued
17:00:00  sig-000001 waits until 2026-02-17 09:30:00, queued_market_closed: the market is closed: waits for the next open
""",
    ),
]


@pytest.mark.parametrize(("asked", "market", "alerts", "config", "lines"), CASES)
def test_a_signal_is_told_with_every_verdict(
    tmp_path: Path, asked: str, market: str, alerts: str, config: str, lines: str
) -> None:
    """Each expected line stands in the story, in this order."""
    told = explain(trade(tmp_path, market, alerts, config=config), asked)
    assert missing(lines, told) == []


def test_a_failed_rule_refuses_without_a_verdict() -> None:
    """A signal that no gate judged is told to be refused, and why."""
    signal = {
        "id": "sig-000001",
        "profile": "swing",
        "phase": "rejected",
        "reason": "processing_failed",
        "contributing": ["size_zero"],
        "recommendation": None,
        "decided_at": 7,
        "next_at": None,
        "queued_at": None,
        "requeued_from": None,
    }
    (moment,) = told_signals.signals(Case(signals=[signal]))
    because = "processing_failed: a rule failed for this one; the others went on"
    assert (moment.at, moment.rank) == (7, Rank.JUDGED)
    assert moment.line == f"sig-000001 (swing) refused, {because}"
    assert moment.details == ["also size_zero: the size comes out as no contract at all"]


def test_an_unjudged_signal_waits() -> None:
    """What was accepted a moment ago has no verdict yet."""
    signal = {"id": "sig-000001", "phase": "pending", "seen_at": 7, "next_at": None}
    (moment,) = told_signals.signals(
        Case(signals=[{**signal, **dict.fromkeys(("decided_at", "queued_at", "requeued_from"))}])
    )
    assert moment.line == "sig-000001 waits to be judged at the next tick"


def test_another_try_is_told_with_what_it_takes_up(tmp_path: Path) -> None:
    """Which signal, the alert behind both, and the flags that each was judged on."""
    market = f"10:30:00 SPY 595.42\n10:30:00 {CALL} 3.43 3.47\n10:32:00 SPY 595.42\n10:32:00 {CALL} 3.43 3.47"
    asks = """
10:00:00 ask halt
10:30:00 {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
10:31:00 ask resume
10:31:30 ask flag_on snap_unlisted
10:32:00 ask requeue sig-000001
"""
    data = trade(tmp_path, market, asks)
    lines = """
10:30:00  sig-000001 (short_dated) refused, entries_halted: the operator halted entries: nothing is opened
    STOP  halted                                                              a trial (the operator halted entries: nothing is opened)
    flags on: add_to_position
"""
    assert missing(lines, explain(data, "sig-000001")) == []
    lines = """
10:32:00  sig-000002 takes up sig-000001 once more, as the operator asked: SPY long 5m
    it goes back to the alert evt-000001
10:32:00  sig-000002 (short_dated) approved
    flags on: snap_unlisted, add_to_position
"""
    assert missing(lines, explain(data, "sig-000002")) == []
