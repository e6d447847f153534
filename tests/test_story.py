"""The story of one id: what happened and why, in order, with value, threshold and margin, for every way it can end."""

import re
from pathlib import Path

import pytest

from oracle import story
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
]


@pytest.mark.parametrize(("asked", "market", "alerts", "config", "lines"), CASES)
def test_an_order_is_told_from_its_decision_to_its_end(
    tmp_path: Path, asked: str, market: str, alerts: str, config: str, lines: str
) -> None:
    """Mark, level and margin of an exit, drift and fee of a fill, and how an entry ends that finds none."""
    told = explain(trade(tmp_path, market, alerts, config=config), asked)
    assert missing(lines, told) == []


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
