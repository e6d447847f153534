"""Positions in a story: opened, grown, sold in parts, settled, still held: every figure counted again from fills."""

from pathlib import Path

import pytest

from oracle import told_positions
from oracle.explain import explain
from oracle.moments import Case
from tests.runs import CALL, demo, missing, trade

LONG = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
BOUGHT = f"""
10:30:00 SPY 595.42
10:30:00 {CALL} 3.43 3.47 9 9
10:30:05 {CALL} 3.44 3.48 9 9
"""
CASES = [
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
]


@pytest.mark.parametrize(("asked", "market", "alerts", "config", "lines"), CASES)
def test_a_position_is_told_from_its_fills(
    tmp_path: Path, asked: str, market: str, alerts: str, config: str, lines: str
) -> None:
    """Each expected line stands in the story, in this order; nothing in it disagrees with what was recorded."""
    told = explain(trade(tmp_path, market, alerts, config=config), asked)
    assert missing(lines, told) == []


def test_a_figure_that_was_recorded_otherwise_is_called_out() -> None:
    """A cent more in the recorded outcome, or a level moved by a micro-dollar, is told in capitals."""
    case = Case(**explain(demo()[1], "pos-000001")["rows"])
    case.outcomes[0]["net"] += 10_000
    assert "BUT RECORDED AS net $541.21" in str(list(told_positions.positions(case)))
    case.positions[0] |= {"phase": "open", "target": case.positions[0]["target"] + 1}
    assert "BUT RECORDED OTHERWISE" in str(list(told_positions.positions(case)))
