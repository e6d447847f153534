"""Where a stretch of quiet cycles has to end, and where it must not be taken at all."""

from pathlib import Path

from oracle import config
from oracle.market.coming import CELLS_MAX, RawTicks
from oracle.market.tape import Tape
from rules.wants import Plan
from state.calendar import Calendar
from state.inputs import AlertReceived, AnyInput
from state.market import Ints, Mask
from tests.passing import unrolled
from tests.tapes import new_york, tape
from tests.test_quiet import LONG, Run, plain

SHIPPED = config.adopted(config.load(None))


def told_alike(directory: Path, lines: list[str], said: list[tuple[int, AnyInput]]) -> None:
    """A tape and what arrives on it, under the shipped configuration, come to the same together and one by one."""
    recorded = tape(directory, "2026-02-13", "\n".join(lines))
    alone, together = (Run(Tape(recorded), said, SHIPPED, longest) for longest in (1, 512))
    assert together.passed()
    assert list(unrolled(together.told)) == alone.told
    assert plain(together.portfolio) == plain(alone.portfolio)


def test_a_watch_that_ends_at_an_instant_of_the_tape_ends_the_walk_there(tmp_path: Path) -> None:
    """Five days after an alert of a whole minute; the cycle after that instant sees nothing, and none comes after it."""
    days = ("2026-02-13", "2026-02-18")
    lines = [f"{day} {hour}:{minute}0:00 SPY 600.{minute}0" for day in days for hour in (10, 11) for minute in range(6)]
    told_alike(tmp_path, lines, [(new_york("2026-02-13", "10:30:00"), LONG)])


def test_cycles_pass_when_nothing_is_listed_any_more(tmp_path: Path) -> None:
    """A position came and went, its contract has expired, and the tape goes on with prices alone."""
    days = ("2026-02-13", "2026-02-23")
    lines = [f"{day} 10:{minute:02d}:00 SPY 600.{minute:02d}" for day in days for minute in range(30)]
    for minute in range(30):
        sides = "3.40 3.50" if minute < 10 else "9.00 9.10"
        lines.append(f"2026-02-13 10:{minute:02d}:00 SPY260220C00600000 {sides} 50 50")
    told_alike(tmp_path, lines, [(new_york(day, "10:02:07"), LONG) for day in days])


class Counted(Tape):
    """A tape that counts the instants that are asked for together."""

    asked = 0

    def coming(self, plan: Plan, instants: Ints, looks: Mask, *, calendar: Calendar) -> RawTicks | None:
        """The tape's answer."""
        self.asked += len(instants)
        return super().coming(plan, instants, looks, calendar=calendar)


def test_less_is_tried_where_little_passes(tmp_path: Path) -> None:
    """A held contract without a bid every other minute: nothing can pass, and hardly anything is looked at for it."""
    lines = [f"{10 + minute // 60}:{minute % 60:02d}:00 SPY 600.00" for minute in range(240)]
    sides = ("3.40 3.50", "- 3.50")
    lines += [f"{10 + at // 60}:{at % 60:02d}:00 SPY260220C00600000 {sides[at % 2 * (at > 9)]}" for at in range(240)]
    market = Counted(tape(tmp_path, "2026-02-13", "\n".join(lines)))
    run = Run(market, [(new_york("2026-02-13", "10:02:07"), LONG)], SHIPPED, 512)
    assert run.portfolio.book
    assert run.walk.cycles < market.asked < 40 * run.walk.cycles


def test_a_record_has_a_bound_however_many_prices_are_watched(tmp_path: Path) -> None:
    """Prices count towards it as quotes do."""
    symbols = [f"S{number:04d}" for number in range(64)]
    clocks = [f"{10 + minute // 60}:{minute % 60:02d}:00" for minute in range(340)]
    lines = [f"{clock} {one} 100.{at % 9}0" for at, clock in enumerate(clocks) for one in symbols]
    body = '{"symbol": "%s", "direction": "long", "timeframe": "5m"}'
    said: list[tuple[int, AnyInput]] = [
        (new_york("2026-02-13", "10:00:01"), AlertReceived(body % one, "rule")) for one in symbols
    ]
    run = Run(Tape(tape(tmp_path, "2026-02-13", "\n".join(lines))), said, SHIPPED, 512)
    assert max(len(one) for one in run.passed()) == CELLS_MAX // len(symbols)
