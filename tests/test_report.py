"""What people see: dollars, percent and New York times; never micro-dollars, and never what a terminal would obey."""

import re

import pytest

from oracle import report
from oracle.queries import rows, status
from tests.runs import demo

NAMES = ("events", "signals", "orders", "trades", "positions", "outcomes")


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
    ],
)
def test_a_value_is_told_by_what_its_column_counts(column: str, value: object, told: str) -> None:
    """Money in dollars, instants in New York, basis points as percent, text from outside made safe."""
    assert report.cell(column, value) == told


@pytest.mark.parametrize("name", NAMES)
def test_no_table_shows_micro_dollars(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row is one line; no number has seven digits, but for contracts and ids nothing is left unread."""
    found = rows(demo()[1], name, limit=50)
    report.rows(name, found)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found) + 1
    plain = re.sub(r"[A-Z]+\d{6}[CP]\d{8}", "", "\n".join(lines))
    assert re.findall(r"\d{7,}", plain) == []
    assert all(line == line.rstrip() and len(line) < 170 for line in lines)


def test_days_to_expiry_are_counted_on_the_date_of_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    """A contract bought eight days before its expiry is sold three days before it."""
    report.rows("trades", rows(demo()[1], "trades", limit=50, where=("position_id=pos-000002",)))
    bought, sold = capsys.readouterr().out.splitlines()[1:]
    assert re.search(r"buy +1 +QQQ260220P00520000 +8 ", bought)
    assert re.search(r"sell +1 +QQQ260220P00520000 +3 ", sold)


def test_test_trades_are_marked_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    """The column of marks stands only where a mark stands in it."""
    report.rows("signals", rows(demo()[1], "signals", limit=50))
    marked = capsys.readouterr().out.splitlines()
    assert marked[0].endswith("test")
    assert [line.split()[0] for line in marked[1:] if line.endswith("  test")] == ["sig-000008"]
    report.rows("trades", rows(demo()[1], "trades", limit=50))
    assert "test" not in capsys.readouterr().out


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """No rows are told in words."""
    report.rows("orders", [])
    assert capsys.readouterr().out == "no orders\n"


def test_status_says_whose_prices_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line dates the answer and names the kind of market; nothing to look at is said in words."""
    report.status(status(demo()[1]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2026-02-17 10:30:00 New York, simulated prices"
    assert "  look at            nothing" in lines


def test_what_is_held_is_shown_with_its_mark(capsys: pytest.CaptureFixture[str]) -> None:
    """A live position stands under the status with mark, value and levels; one never marked has none."""
    held = {
        "id": "pos-000001",
        "seen_at": 1_770_996_600_000_000_000,
        "occ": "SPY260220C00596000",
        "expiry": "2026-02-20",
        "quantity": 2,
        "cost_open": 696_000_000,
        "mark": None,
        "mark_at": None,
        "value": 0,
        "unrealized": -696_000_000,
        "target": 5_220_000,
        "stop": 1_740_000,
        "phase": "open",
    }
    report.status({**status(demo()[1]), "positions": [held]})
    header, row = capsys.readouterr().out.splitlines()[-2:]
    assert " ".join(header.split()) == "id quantity contract DTE paid mark value unrealized target stop phase"
    assert " ".join(row.split()) == ("pos-000001 2 SPY260220C00596000 7 $696.00 - $0.00 -$696.00 $5.22 $1.74 open")


def test_a_verification_of_another_version_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Records of other code are not judged, and the remedy is named."""
    report.verified({"judged": 1, "records": 3, "facts": 2, "other_version": 2, "chain": "ab"})
    assert "--any-version judges them" in capsys.readouterr().out


def test_progress_is_shown_only_to_somebody_who_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """Errors that go to a file or a pipe hold no bar."""
    with report.progress("verify", shown=True) as told:
        assert told is None
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal long work is told how far it is."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with report.progress("verify", shown=True) as told:
        assert told is not None
        told(1, 2)
    with report.progress("verify", shown=False) as told:
        assert told is None


def test_a_tape_may_be_called_anything(capsys: pytest.CaptureFixture[str]) -> None:
    """The name of a market is text, also with brackets and escapes in it."""
    report.figures({"market": "[/bold]\x1b[2J", "records": 1})
    assert capsys.readouterr().out.splitlines()[0] == "Result on [/bold]\\x1b[2J prices"
