"""Instants as a person writes them: exact, with a zone, or refused with an example."""

import pytest

from oracle.instants import parse
from state.errors import BadUsage


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-02-13T15:30:00Z", 1_770_996_600_000_000_000),
        ("2026-02-13T10:30:00-05:00", 1_770_996_600_000_000_000),
        ("2026-02-13 15:30+00:00", 1_770_996_600_000_000_000),
        ("2026-02-13T15:30:00.000001Z", 1_770_996_600_000_001_000),
    ],
)
def test_an_instant_is_exact(text: str, instant: int) -> None:
    """To the microsecond, whatever the offset."""
    assert parse(text) == instant


@pytest.mark.parametrize("text", ["", "now", "2026-02-30T10:00:00Z", "10:30", "1770996600"])
def test_what_is_no_instant_is_answered_with_one(text: str) -> None:
    """The message shows how to write it."""
    with pytest.raises(BadUsage, match="is no instant; write it like 2026-02-13T15:30:00Z"):
        parse(text)


@pytest.mark.parametrize("text", ["2026-02-13T10:30:00", "2026-02-13"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    """Neither New York nor the machine's zone is guessed."""
    with pytest.raises(BadUsage, match="has no time zone"):
        parse(text)
