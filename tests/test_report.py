"""What people see: dollars, percent and New York times; never micro-dollars, and never what a terminal would obey."""

import re
from typing import Any

import pytest

from oracle import report
from oracle.explain import explain
from oracle.queries import rows, status
from state.reason import words
from tests.runs import demo

NAMES = ("events", "signals", "orders", "trades", "positions", "outcomes")
PRICED = ("orders", "trades", "positions", "outcomes")


def standing() -> dict[str, Any]:
    """Where the demo's run stands, as a process at work would tell it."""
    return {"running": True, **status(demo()[1])}


@pytest.mark.parametrize("name", NAMES)
def test_no_table_shows_micro_dollars(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row is one line; no number has seven digits, but for contracts and ids nothing is left unread."""
    found = rows(demo()[1], name, limit=50)
    report.rows(name, found)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found) + 1 + (name in PRICED)
    plain = re.sub(r"[A-Z]+\d{6}[CP]\d{8}", "", "\n".join(lines))
    assert re.findall(r"\d{7,}", plain) == []
    assert all(line == line.rstrip() and len(line) < 170 for line in lines)


def test_days_to_expiry_are_counted_on_the_date_of_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    """A contract bought eight days before its expiry is sold three days before it."""
    report.rows("trades", rows(demo()[1], "trades", limit=50, where=("position_id=pos-000002",)))
    bought, sold = capsys.readouterr().out.splitlines()[1:3]
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


@pytest.mark.parametrize("name", PRICED)
def test_simulated_prices_are_labelled_wherever_they_stand(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Under every listing that shows them, and nowhere else: other prices are not called anything."""
    found = rows(demo()[1], name, limit=50)
    report.rows(name, found)
    assert capsys.readouterr().out.splitlines()[-1] == "prices: simulated"
    report.rows(name, [{**one, "market_source": "recorded"} for one in found])
    assert "simulated" not in capsys.readouterr().out


@pytest.mark.parametrize("noun_id", ["sig-000001", "ord-000001", "pos-000001", "out-000001", "sig-000008"])
def test_a_story_of_simulated_prices_is_labelled(noun_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also one of a signal that only was to be bought; one without any price is not."""
    report.explanation(explain(demo()[1], noun_id))
    assert capsys.readouterr().out.splitlines()[-1] == "prices: simulated"
    report.explanation(explain(demo()[1], "sig-000007"))
    assert "simulated" not in capsys.readouterr().out


def test_status_says_whose_prices_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line dates the answer and names the kind of market; nothing to look at is said in words."""
    report.status(standing())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2026-02-17 10:30:00 New York, simulated prices"
    assert lines[1] == "  market             tape, simulated prices, newest price 2026-02-17 10:30:00"
    assert "  look at            nothing" in lines
    assert "  flags              none set" in lines


def test_the_files_of_a_run_say_that_nobody_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything else, and told apart: no process at all, and one that is silent."""
    told = "from the files, as of 2026-02-17 10:30:00 New York, simulated prices"
    for silent, first in ((False, "NOT RUNNING"), (True, "NOT ANSWERING")):
        report.status({**standing(), "running": False, "silent": silent})
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{first}: {told}"
        assert not any(line.strip().startswith(("running", "silent")) for line in lines)


LIVE = {
    "mode": "paper",
    "clock": "wall",
    "speed": None,
    "now": 1_771_342_203_000_000_000,
    "tick_age_s": 3,
    "storage": "ok",
    "port": 8080,
    "blockers": [{"name": "entries_halted", "words": "lunch\x1b[2J"}, {"name": "no_secret", "words": "none is set"}],
}


def test_what_keeps_a_run_from_trading_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Blockers and halts stand above everything, each once; what only a process at work knows is shown when it is there."""
    halts = [{"code": code, "words": "", "since": LIVE["now"]} for code in ("entries_halted", "storage_low")]
    flags = {"snap_unlisted": True, "allow_premarket": False}
    report.status({**standing(), **LIVE, "halts": halts, "flags": flags})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [
        "  BLOCKED entries_halted: lunch\\x1b[2J",
        "  BLOCKED no_secret: none is set",
        f"  HALTED storage_low since 2026-02-17 10:30:03: {words('storage_low')}",
    ]
    told = {" ".join(line.split()) for line in lines[4:]}
    assert told >= {"mode paper", "clock wall", "now 2026-02-17 10:30:03", "tick age s 3 s", "storage ok", "port 8080"}
    assert "flags snap_unlisted on, allow_premarket off" in told
    assert not any(line.startswith("speed") for line in told)


def test_a_market_says_where_its_prices_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    """None, a recording, or an invented one with its seed: also before its first price."""
    found = standing()
    cases: list[tuple[dict[str, object], str, str]] = [
        ({"market": "none", "market_kind": "none", "simulated": False}, "no prices", "none, no price yet"),
        ({"market": "none", "market_kind": "tape", "simulated": False}, "no prices", "tape, no price yet"),
        (
            {"market": "cboe", "market_kind": "tape", "simulated": False, "market_at": LIVE["now"]},
            "cboe prices",
            "tape, cboe prices, newest price 2026-02-17 10:30:03",
        ),
        (
            {"market": "simulated", "market_kind": "tape", "simulated": True, "market_at": LIVE["now"]},
            "simulated prices",
            "tape, simulated prices, newest price 2026-02-17 10:30:03",
        ),
        (
            {"market": "none", "market_kind": "simulated", "market_seed": 7, "market_first": "2026-02-13"},
            "simulated prices",
            "simulated, seed 7, from 2026-02-13, no price yet",
        ),
    ]
    for change, title, market in cases:
        report.status({**found, "market_at": None, **change})
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith(f"New York, {title}")
        assert " ".join(lines[1].split()) == f"market {market}"


def test_calls_halts_flags_and_dead_letters_have_their_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, text of strangers cut short; flags in force and flags of the past show what they have."""
    at = 1_770_996_600_000_000_000
    call = {
        "seen_at": at,
        "since": at,
        "count": 1_200,
        "status": 401,
        "reason": "no_secret",
        "first": "x" * 200,
        "last": "",
    }
    halt = {"lsn": 4, "seen_at": at, "kind": "halted", "code": "entries_halted", "words": "lunch"}
    past = {"lsn": 5, "seen_at": at, "name": "snap_unlisted", "on": None, "words": "enough"}
    flag = {
        "name": "snap_unlisted",
        "on": True,
        "set_by": "operator",
        "key": "strikes.snap_unlisted",
        "meaning": "it snaps",
    }
    letter = {
        "id": "sig-000007",
        "seen_at": at,
        "symbol": None,
        "code": "quote_stale",
        "text": "old",
        "requeueable": True,
    }
    told = []
    for name, row in (("calls", call), ("halts", halt), ("flags", past), ("flags", flag)):
        report.rows(name, [row])
        told += [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    report.rows("deadletters", [{**letter, "body": "{}"}])
    told += [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "seen at since count status reason first last",
        f"2026-02-13 10:30:00 2026-02-13 10:30:00 1,200 401 no_secret {'x' * 45}...",
        "seen at kind reason words",
        "2026-02-13 10:30:00 halted entries_halted lunch",
        "seen at name on words",
        "2026-02-13 10:30:00 snap_unlisted default enough",
        "name on set by meaning",
        "snap_unlisted on operator it snaps",
        "id seen at symbol reason in words requeue body",
        "sig-000007 2026-02-13 10:30:00 - quote_stale old yes {}",
    ]


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
    report.status({**standing(), "positions": [held]})
    header, row, label = capsys.readouterr().out.splitlines()[-3:]
    assert label == "prices: simulated"
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
