"""The story of one id: what happened and why, in order, with value, threshold and margin, for every way it can end."""

import re
from pathlib import Path
from typing import Any

import pytest

from oracle import story
from oracle.explain import explain
from oracle.moments import Case
from tests.runs import CALL, demo, trade

LONG = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
BOUGHT = f"""
10:30:00 SPY 595.42
10:30:00 {CALL} 3.43 3.47 9 9
10:30:05 {CALL} 3.44 3.48 9 9
"""
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
        "ord-000001",
        f"10:30:00 SPY 595.42\n10:30:00 {CALL} 3.43 3.47\n10:32:00 SPY 595.42",
        f"10:30:00 {LONG}",
        "",
        """
ord-000001: cancelled, 0 of 1 filled, order_timeout: the entry order found no fill in its time
10:30:00  ord-000001 to buy 1 x SPY260220C00596000 limit $3.52 for sig-000001
    decided on a mid of $3.45, quoted 10:30:00; good until 10:31:00
10:31:00  ord-000001 cancelled, order_timeout: the entry order found no fill in its time; 0 of 1 filled
    sig-000001 failed: nothing was bought for it
""",
    ),
    (
        "pos-000001",
        f"{BOUGHT}11:00:00 {CALL} 1.70 1.74 9 9\n11:00:05 {CALL} 1.66 1.74 9 9",
        f"10:30:00 {LONG}",
        "",
        """
10:30:05  fil-000001 of ord-000001: bought 1 at $3.48
    bid $3.44 ask $3.48, quoted 10:30:05; $0.03 worse than the mid decided on; fee $0.70
10:30:05  pos-000001 opened: 1 at $3.48, target $5.22, stop $1.74
    to be held until 2026-02-18 10:30:05; to be left from 2026-02-19 00:00:00 on, before its expiry 2026-02-20
11:00:00  ord-000002 to sell 1 x SPY260220C00596000 at the market, stop_loss: the mark reached the stop
    mark $1.72, quoted 11:00:00; stop $1.74, reached by $0.02
11:00:05  out-000001 (stop_loss): pos-000001 closed, net -$183.40, -52.70 % of cost, -1.05 R, held 30 min, simulation
    from its fills: bought for $348.00, sold for $166.00, fees $1.40
    gross -$182.00, net -$183.40, at risk $174.00: as recorded
""",
    ),
    (
        "pos-000001",
        f"""{BOUGHT.replace("3.48 9 9", "3.48 9 2")}
10:30:10 {CALL} 3.45 3.47 9 9
11:00:00 {CALL} 5.40 5.44 9 9
11:00:05 {CALL} 5.38 5.44 3 9
11:00:10 {CALL} 5.36 5.44 9 9""",
        f"10:30:00 {LONG}",
        "[sizing]\nbase_contracts = 5",
        """
10:30:05  fil-000001 of ord-000001: bought 2 at $3.48, 3 left
10:30:10  pos-000001 grew to 5 at an average of $3.474, target $5.211, stop $1.737
    mark $5.42, quoted 11:00:00; target $5.211, reached by $0.209
11:00:05  fil-000003 of ord-000002: sold 3 at $5.38, 2 left
11:00:05  pos-000001 holds 2; realized so far $567.60 net
    from its fills: bought for $1,737.00, sold for $2,686.00, fees $7.00
    gross $949.00, net $942.00, at risk $868.50: as recorded
""",
    ),
    (
        "pos-000001",
        """
10:30:00 SPY 595.42
10:30:00 SPY260213C00595000 1.43 1.47 9 9
10:30:05 SPY260213C00595000 1.43 1.47 9 9
16:00:00 SPY 596.25
16:20:00 SPY 596.30""",
        '10:30:00 {"symbol": "SPY260213C00595000", "action": "buy", "timeframe": "5m"}',
        "",
        """
    1 x SPY260213C00595000: SPY $595.00 call, expires 2026-02-13 (0 DTE)
16:15:00  pos-000001 settled, expiration: the contract expired and settled
    SPY at $596.25, 2026-02-13 16:00:00: 1 x SPY260213C00595000 worth $1.25 a share, $125.00
    from its fills: bought for $147.00, settled for $125.00, fees $0.70
    gross -$22.00, net -$22.70, at risk $73.50: as recorded
""",
    ),
    (
        "pos-000001",
        BOUGHT,
        '10:30:00 {"symbol": "SPY", "side": "buy", "tf": "5m", "is_test": true, "test_session": "[x", "test_scenario": "{"}',
        "",
        """
pos-000001 is open: holds 1 of 1 x SPY260220C00596000
    a test: it trades in a ledger of its own and never counts, session [x, scenario {
10:30:00  ord-000001 to buy 1 x SPY260220C00596000 limit $3.52 for sig-000001 (test ledger, never counted)
10:30:05  pos-000001 is open: holds 1 of 1 x SPY260220C00596000
    from its fills: paid $348.00 for what is held, realized so far $0.00 net, fees $0.70: as recorded
""",
    ),
    (
        "out-000001",
        f"{BOUGHT}11:00:00 {CALL} 3.43 3.47\n11:00:05 {CALL} 3.50 3.54",
        f"10:30:00 {LONG}\n11:00:00 close pos-000001 going to lunch",
        "",
        """
11:00:00  ord-000002 to sell 1 x SPY260220C00596000 at the market, manual: the operator asked to close the position
    mark $3.45, quoted 11:00:00
    bid $3.50 ask $3.54, quoted 11:00:05; $0.05 better than the mid decided on; fee $0.70
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
    intake.exit_alerts says whether it closes what its source holds in the symbol
""",
    ),
]


@pytest.mark.parametrize(("asked", "market", "alerts", "config", "lines"), CASES)
def test_the_story_tells_what_happened_and_why(
    tmp_path: Path, asked: str, market: str, alerts: str, config: str, lines: str
) -> None:
    """Each expected line stands in the story, in this order; nothing in it disagrees with what was recorded."""
    told = explain(trade(tmp_path, market, alerts, config=config), asked)
    whole = [told["headline"], *(line.removeprefix("2026-02-13 ") for line in told["story"])]
    left = iter(whole)
    missing = [line for line in lines.strip("\n").splitlines() if line not in left]
    assert missing == [], "\n".join(whole)
    assert "BUT RECORDED" not in "\n".join(whole)


def every_id() -> list[tuple[Path, str]]:
    """Every id the demo gave out."""
    output, data = demo()
    return [(data, one) for one in sorted(set(re.findall(r"\b(?:evt|sig|ord|pos)-\d{6}\b", output)))]


def test_every_id_of_the_demo_is_told_in_order_and_in_dollars() -> None:
    """Moments never go back in time, amounts are dollars, and recounted figures are those that were recorded."""
    ids = every_id()
    assert len(ids) > 30
    for data, one in ids:
        if one == "pos-000004":
            continue  # The position an entry would have opened, had it filled.
        told = explain(data, one)
        instants = [line[:19] for line in told["story"] if not line.startswith(" ")]
        assert instants == sorted(instants)
        assert told["headline"]
        whole = "\n".join(line for line in told["story"] if "received from" not in line)
        assert re.findall(r"\d{7,}", re.sub(r"[A-Z]+\d{6}[CP]\d{8}", "", whole)) == []
        assert "BUT RECORDED" not in whole


def test_a_figure_that_was_recorded_otherwise_is_called_out() -> None:
    """A cent more in the recorded outcome, or a level moved by a micro-dollar, is told in capitals."""
    _, data = demo()
    rows: dict[str, Any] = explain(data, "pos-000001")["rows"]
    case = Case(**rows)
    case.outcomes[0]["net"] += 10_000
    assert "BUT RECORDED AS net $541.21" in "\n".join(story.tell(case))
    case.positions[0] |= {"phase": "open", "target": case.positions[0]["target"] + 1}
    assert "BUT RECORDED OTHERWISE" in "\n".join(story.tell(case))


def test_what_somebody_should_look_at_is_told(tmp_path: Path) -> None:
    """An exit that waits for a bid, and a rule that failed, stand in the story of their unit."""
    market = f"{BOUGHT}11:00:00 {CALL} - 1.74\n11:05:00 {CALL} - 1.74\n11:10:00 {CALL} - 1.74\n"
    data = trade(tmp_path, market, f"10:30:00 {LONG}\n11:00:00 close all")
    told = explain(data, "pos-000001")
    assert any("LOOK at ord-000002, exit_waiting" in line for line in told["story"])
    assert any("ord-000002 is submitted: 0 of 1 filled" in line for line in told["story"])
    at = 1_770_996_600_000_000_000
    failed = {"seen_at": at, "unit": "sig-000001", "code": "processing_failed", "exception": "KeyError"}
    case = Case(failures=[{**failed, "retry_at": at + 60_000_000_000}])
    expected = "LOOK at sig-000001, processing_failed: a rule failed for this one; the others went on (KeyError)"
    assert story.tell(case) == [f"2026-02-13 10:30:00  {expected}; tried again at 10:31:00"]
