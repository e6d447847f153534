"""The nouns of a reading travel as tagged structs."""

import msgspec
import pytest

from state.alert import AtSource, BadAlert, Direction, Entry, ExitAlert, FieldError, NotEntry, Reading

READINGS = [
    Entry(
        symbol="SPY",
        direction=Direction.LONG,
        timeframe="5m",
        timeframe_s=300,
        at=1,
        at_source=AtSource.PAYLOAD,
        signal_hash="0" * 64,
        warnings=("bom",),
    ),
    ExitAlert(symbol="SPY", direction=None, source="webhook"),
    NotEntry(intent="info", code="not_an_entry", message="context"),
    BadAlert(errors=(FieldError("symbol", "missing_symbol", "add symbol"),)),
]


@pytest.mark.parametrize("reading", READINGS)
def test_a_reading_survives_the_journal(reading: Reading) -> None:
    """Each of the four comes back from its bytes as itself, not as one of the others."""
    assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading


def test_directions_are_the_words_of_the_hash() -> None:
    """The words `long` and `short` are part of every stored hash and may not change."""
    assert [str(direction) for direction in Direction] == ["long", "short"]
