"""The measurements themselves, small: their work is real work, and what they find becomes tables, aims and a page."""

import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from benchmarks import bench_memory, bench_year, performance, years
from benchmarks.bench_backtest import OPENING_NS, ROOMY, Run
from benchmarks.desks import Desk, Unkept
from benchmarks.figures import Aim, Part, Table, at_least, at_most, markdown, text
from benchmarks.machine import described
from benchmarks.rounds import ratio, turns
from oracle import backtest
from oracle.market.tape import Tape
from tests.conftest import ROOT

PART = Part(
    "Weights",
    "Apples by the piece.",
    (Table("Two of them", ("apple", "g", "x"), (("red", "1,000", "2.00"), ("green", "500", "1.00"))),),
    (at_most("red", 2, 2.0, " x"), at_most("green", 0.5, 1.0, " x")),
)

# -- what is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "aim",
    [
        (at_most("", 2, 2.0, " x"), Aim("", "≤ 2 x", "2 x", met=True)),
        (at_most("", 2, 2.001, " x"), Aim("", "≤ 2 x", "2.001 x", met=False)),
        (at_least("", 60_000, 60_000.0, "/s"), Aim("", "≥ 60,000/s", "60,000/s", met=True)),
        (at_least("", 60_000, 59_999.0, "/s"), Aim("", "≥ 60,000/s", "59,999/s", met=False)),
    ],
)
def test_an_aim_is_met_at_its_limit_and_not_beyond(aim: tuple[Aim, Aim]) -> None:
    """Both sides of both kinds, with what is printed of them."""
    assert aim[0] == aim[1]


def test_a_terminal_sees_every_figure_in_columns() -> None:
    """Figures end where their head ends, and a miss is said without marks of a page."""
    lines = text(PART).splitlines()
    at = lines.index("Two of them")
    assert lines[at + 1 : at + 4] == ["apple      g     x", "red    1,000  2.00", "green    500  1.00"]
    assert [line.split("x  ")[-1] for line in lines if "≤" in line] == ["    met", "not met"]


def test_a_page_shows_every_figure_in_a_table() -> None:
    """All rows of a table have as many cells as its head."""
    section = markdown(PART)
    assert section.startswith(
        "## Weights\n\nApples by the piece.\n\nTwo of them:\n\n| apple | g | x |\n| :--- | ---: | ---: |\n"
    )
    assert "| green | 500 | 1.00 |" in section
    assert "| green | ≤ 0.5 x | 1 x | **not met** |" in section


def test_what_another_process_told_is_what_it_found() -> None:
    """A part travels as JSON."""
    assert msgspec.json.decode(msgspec.json.encode(PART), type=Part) == PART


def test_a_page_begins_with_what_is_not_met() -> None:
    """The machine and every part follow."""
    page = performance.page(Part("Machine", "", (described(),)), [PART, PART])
    head, machine, *parts = page.split("\n## ")
    assert "2 of 4 aims are met here; not met:\n\n- Weights: green: 1 x, aim ≤ 0.5 x\n- Weights: green" in head
    assert "| cores |" in machine
    assert [part.splitlines()[0] for part in parts] == ["Weights", "Weights"]


def test_a_measurement_that_does_not_run_is_said() -> None:
    """The others go on, and the page tells the last thing it said."""
    assert performance.measured("nothing").words.startswith("Did not run: ")


def test_acts_take_turns_and_are_compared_round_by_round() -> None:
    """Each round calls one act after another; a ratio is that of the middle round."""
    called: list[str] = []
    taken = turns([lambda: called.append("a"), lambda: called.append("b")], rounds=3, round_s=0.0)
    assert "".join(called) == "aabb" + "ab" * 3
    assert [len(mine) for mine in taken] == [3, 3]
    assert ratio([2.0, 9.0, 8.0], [1.0, 1.0, 2.0]) == 4.0


def test_growth_is_the_power_of_the_work() -> None:
    """What doubles with the work grows with power one, what stays with none; nothing is said of what was not there."""
    told = [bench_year.growth(3.0, large, 10.0) for large in (3.0, 30.0, 300.0)]
    assert [*told, bench_year.growth(0.0, 3.0, 10.0)] == ["0.00", "1.00", "2.00", "-"]


# -- the page that is kept ------------------------------------------------------------------------------------------


def benches() -> Iterator[Path]:
    """Every measurement."""
    yield from sorted((ROOT / "benchmarks").glob("bench_*.py"))


def test_the_page_names_its_command_and_holds_every_measurement() -> None:
    """One command writes it, and nothing that is measured is left out."""
    page = performance.PAGE.read_text("utf-8")
    assert "$ make performance" in page
    assert re.search(
        r"^performance: .*\n\t.*benchmarks/performance\.py$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert {f"bench_{name}" for name in performance.LONG} == {file.stem for file in benches()}
    titles = [title for file in benches() for title in re.findall(r'Part\(\s*"(.+?)"', file.read_text())]
    assert len(titles) == len(performance.LONG)
    assert [title for title in titles if f"\n## {title}\n" not in page] == []
    assert "Did not run" not in page


# -- what is measured -----------------------------------------------------------------------------------------------


def test_a_desk_holds_its_positions_through_whole_cycles() -> None:
    """Every quote is seen anew in each cycle and marks its position; nothing leaves."""
    desk = Desk(25, Unkept())
    desk.open()
    before = desk.portfolio.book.column("mark").copy()
    desk.cycle()
    marks = desk.portfolio.book.column("mark")
    assert (abs(marks - before) == 10_000).all()
    assert (desk.portfolio.book.column("mark_at") == desk.at).all()
    assert len(desk.portfolio.book) == len(marks) == 25


def test_positions_are_opened_closed_and_forgotten_where_memory_is_measured() -> None:
    """All of them trade, and three days later nothing of them is left in memory."""
    tracemalloc.start()
    try:
        day = bench_memory.Day(25)
        assert day.opened() > 1_000
        assert len(day.desk.portfolio.positions) == 25
        assert day.closed() > 1_000
        day.left()
        assert (len(day.desk.portfolio.positions), len(day.desk.portfolio.orders)) == (0, 0)
    finally:
        tracemalloc.stop()


def test_the_cycles_of_a_run_are_counted_by_the_minutes_of_its_tape(tmp_path: Path) -> None:
    """From the first alert on, a third into the session, every minute is one; those between minutes are left out."""
    tape, alerts = years.make(tmp_path, days=1, alerts_a_day=2)
    run = Run(backtest.Job(tape, alerts, tmp_path / "run"), Tape(tape).instants)
    assert run.cycles == 390 - 130


def test_everything_is_bought_and_stays_where_many_are_held(tmp_path: Path) -> None:
    """The alerts of the tape of many held contracts all become positions; the first half hour is not counted."""
    tape, alerts = years.make_held(tmp_path, days=1, strikes=range(598, 603))
    (tmp_path / "config.toml").write_text(ROOMY)
    job = backtest.Job(tape, alerts, tmp_path / "run", tmp_path / "config.toml")
    run = Run(job, Tape(tape).instants, skip_ns=OPENING_NS)
    assert (run.figures["positions_open"], run.figures["trades_closed"]) == (20, 0)
    assert 359 <= run.cycles < 390


def test_a_session_is_measured_on_its_way_through_the_journal(tmp_path: Path) -> None:
    """Every figure is there."""
    figures = bench_year.measured(1, tmp_path)
    assert [name for name, value in figures.items() if value <= 0] == []
