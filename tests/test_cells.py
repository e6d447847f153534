"""One value as a person reads it, and the columns that people need of a table."""

import pytest

from oracle.cells import cell, cell_of, counts, header, shown
from oracle.moments import SIMULATED
from state.inputs import MarketKind


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("price", 3_456_000, "$3.456"),
        ("net", -375_400_000, "-$375.40"),
        ("seen_at", 1_770_996_600_000_000_000, "2026-02-13 10:30:00"),
        ("percent_bp", 4_875, "+48.75 %"),
        ("r_bp", -13_400, "-1.34"),
        ("duration_s", 4_500, "1 h 15 min"),
        ("is_test", 1, "test"),
        ("is_test", 0, ""),
        ("sealed", True, "yes"),
        ("records", 12_345, "12,345"),
        ("reasons", ["stop_loss", "max_hold_time"], "stop_loss, max_hold_time"),
        ("exits", {}, "none"),
        ("exits", {"manual": 2}, "manual 2"),
        ("source", "a\x1b[31m", "a\\x1b[31m"),
        ("code", None, "-"),
        ("now", 1_770_996_600_000_000_000, "2026-02-13 10:30:00"),
        ("clock", "by hand", "by hand"),
        ("port", 8080, "8080"),
        ("tick_age_s", 75, "1 min 15 s"),
        ("on", None, "default"),
        ("on", 1, "on"),
        ("on", False, "off"),
        ("requeueable", False, "no"),
        ("body", "y" * 48, "y" * 48),
        ("body", "y" * 49, f"{'y' * 45}..."),
    ],
)
def test_a_value_is_told_by_what_its_column_counts(column: str, value: object, told: str) -> None:
    """Money in dollars, instants in New York, basis points as percent, text from outside made safe."""
    assert cell(column, value) == told


def test_a_column_may_be_read_off_several() -> None:
    """What is held of how much, and the price paid per share."""
    row = {"quantity": 2, "quantity_open": 1, "cost": 1_110_000_000, "target": 8_325_000}
    assert [cell_of(one, row) for one in ("held", "average", "target")] == ["1 of 2", "$5.55", "$8.325"]
    assert [header(one) for one in ("average", "occ", "position_id", "seen_at")] == [
        "paid",
        "contract",
        "position",
        "seen at",
    ]
    assert [counts(one) for one in ("average", "r_bp", "count", "occ")] == [True, True, True, False]


def test_only_columns_that_are_there_are_shown() -> None:
    """Rows of one table may come from memory or from its history; the mark of tests stands where a test is."""
    assert shown("flags", [{"name": "x", "on": True, "meaning": "y"}]) == ["name", "on", "meaning"]
    rows = [{"id": "sig-000001", "is_test": 0}, {"id": "sig-000002", "is_test": 1}]
    assert shown("signals", rows) == ["id", "is_test"]
    assert shown("signals", rows[:1]) == ["id"]


def test_the_label_is_the_name_of_the_market() -> None:
    """What reading must not load, and what it must call alike."""
    assert MarketKind.SIMULATED == SIMULATED
