"""Strangers flood the door of a real daemon, and every alert among them is acknowledged; `python -m tests.floods` is the long one."""

from collections import Counter
from pathlib import Path

from tests.floods import KINDS, flood

STRANGERS, ALERTS = 3_000, 100
GROWN_KB_MAX = 32 * 1_024


def test_a_flood_of_strangers_keeps_no_alert_out(tmp_path: Path) -> None:
    """Forged, replayed and bare calls are refused or known again, each is counted, and nothing of them is kept."""
    told = flood(tmp_path, STRANGERS, ALERTS)
    assert told.acknowledged == ALERTS
    assert sum(told.answered.values()) == STRANGERS
    assert set(told.answered) == {f"{kind} {status}" for kind, (_, status) in KINDS.items()}
    # The three that were replayed are alerts too.
    assert told.signals == ALERTS + 3
    by_status = Counter[str]()
    for name, times in told.answered.items():
        by_status[name.split(" ")[1]] += times
    counted = Counter[str]()
    for name, times in told.refused.items():
        counted[name.split(" ")[1]] += times
    assert counted == {status: times for status, times in by_status.items() if status != "200"}
    assert told.held_kb[1] - told.held_kb[0] <= GROWN_KB_MAX
