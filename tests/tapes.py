"""A market written as text: a few lines of quotes become a tape, so that a test reads as the trade it is about."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from oracle import sessions
from state.calendar import Calendar
from state.inputs import CalendarAdopted
from state.portfolio import Portfolio

_NEW_YORK = ZoneInfo("America/New_York")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIDES = 4


def tape(tmp_path: Path, day: str, lines: str, *, rate: str = "0.04") -> Path:
    """The directory of a tape with these lines, in any order; times are New York on `day`, unless a date comes first.

    10:30:00 SPY 595.42                                a price of an underlying, known at 10:30:00
    10:30:00 SPY260220C00596000 3.35 3.55 50 50        a quote: bid, ask and, where known, their sizes
    10:31:00 SPY260220C00596000 - 3.55                 a missing side is a dash
    2026-02-20 16:15:00 SPX closing 6001.25            the settlement print of an expiration date, or `opening`
    """
    tables: dict[str, list[str]] = {"underlying": [], "quotes": [], "settlements": []}
    for line in lines.splitlines():
        words = line.split("#", maxsplit=1)[0].split()
        if words:
            name, row = _row(words if "-" in words[0] else [day, *words])
            tables[name].append(row)
    directory = tmp_path / "tape"
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / "underlying.csv", "at,symbol,open,high,low,close,volume", sorted(tables["underlying"], key=_at))
    _write(directory / "quotes.csv", "at,contract,bid,ask,bid_size,ask_size", sorted(tables["quotes"], key=_at))
    _write(directory / "settlements.csv", "at,symbol,day,opening,price", sorted(tables["settlements"], key=_at))
    (directory / "tape.toml").write_text(f'format = 1\nsource = "simulated"\nrate = {rate}\n', "utf-8")
    return directory


def new_york(day: str, clock: str) -> int:
    """The instant (ns UTC) of a wall time in New York, such as `2026-02-13`, `10:30:00`."""
    moment = datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), _NEW_YORK)
    return round((moment.astimezone(UTC) - _EPOCH).total_seconds() * 1_000_000) * 1_000


def opened(calendar: Calendar, now: int) -> Portfolio:
    """An empty portfolio that has adopted a calendar at `now`."""
    portfolio = Portfolio()
    portfolio.take_in(CalendarAdopted(calendar), lsn=1, seen_at=now)
    return portfolio


def calendar_of(first: str, last: str) -> Calendar:
    """The sessions from one date to another."""
    return sessions.build(date.fromisoformat(first), date.fromisoformat(last))


def _row(words: list[str]) -> tuple[str, str]:
    """(the table a line belongs to, its row)."""
    day, clock, name, *values = words
    at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=_NEW_YORK).astimezone(UTC)
    known_at = f"{at.replace(tzinfo=None).isoformat()}Z"
    if values[0] in {"opening", "closing"}:
        return "settlements", f"{known_at},{name},{day},{int(values[0] == 'opening')},{values[1]}"
    if len(values) == 1:
        return "underlying", f"{known_at},{name},,,,{values[0]},"
    sides = ["" if value == "-" else value for value in values]
    return "quotes", ",".join([known_at, name, *sides, *[""] * (_SIDES - len(sides))])


def _at(row: str) -> str:
    return row.split(",", maxsplit=1)[0]


def _write(path: Path, header: str, rows: list[str]) -> None:
    path.write_text("".join(f"{row}\n" for row in (header, *rows)), "utf-8")
