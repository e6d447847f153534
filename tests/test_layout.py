"""Layout: columns of one width, spans of time in words, and text from outside that no terminal obeys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.layout import columns, duration, printable


def test_columns_end_where_they_are_asked_to() -> None:
    """Words begin at one edge, numbers end at one, and no line carries blanks at its end."""
    rows = [("pass", "5,400 s", ""), ("STOP", "0 s", "too old")]
    assert columns(rows, right=(1,)) == ["pass  5,400 s", "STOP      0 s  too old"]


def test_no_rows_are_no_lines() -> None:
    """An empty table is empty."""
    assert columns([]) == []


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (4, "4 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_601, "1 h"),
        (4_500, "1 h 15 min"),
        (430_560, "4 d 23 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: int, told: str) -> None:
    """Days are not told to the second."""
    assert duration(seconds) == told


def test_what_a_terminal_would_obey_is_written_out() -> None:
    """Colours, bells and new lines of an alert stay text on one line."""
    assert printable("a\x1b[31mb\x07\nc") == "a\\x1b[31mb\\x07\\nc"


@given(st.text(max_size=3_000))
def test_any_text_becomes_one_printable_line(text: str) -> None:
    """Whatever arrives is shown, cut where it is very long, and never obeyed."""
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= 2_040
