"""The newest row of each contract at a moving clock, and what that makes listed."""

from pathlib import Path

from oracle.market import recording
from oracle.market.chains import listings
from oracle.market.latest import Latest
from tests.tapes import calendar_of, new_york, tape

DAY, NEXT = "2026-02-18", "2026-02-19"
CALENDAR = calendar_of("2026-02-02", "2026-03-31")
CALL, PUT = "SPY260220C00596000", "SPY260220P00596000"
LINES = f"""
    10:30:00 {CALL} 3.43 3.47
    10:31:00 {PUT} 2.98 3.02
    10:31:00 {CALL} 3.44 3.48
    {NEXT} 10:30:00 {CALL} 3.50 3.54
"""


def latest(tmp_path: Path) -> tuple[Latest, recording.Recording]:
    """A recording of two days, nothing let in yet."""
    recorded = recording.read(tape(tmp_path, DAY, LINES))
    return Latest(recorded.quotes), recorded


def test_it_holds_what_was_known(tmp_path: Path) -> None:
    """Row after row as time goes on; asked to go back, what came later is unknown again."""
    newest, _ = latest(tmp_path)
    newest.move(new_york(DAY, "10:29:59"))
    assert (newest.row.tolist(), newest.at.tolist(), newest.read) == ([-1, -1], [0, 0], 0)
    newest.move(new_york(DAY, "10:31:00"))
    assert (newest.row.tolist(), newest.read) == ([2, 1], 3)
    newest.move(new_york(DAY, "10:30:00"))
    assert (newest.row.tolist(), newest.at.tolist()) == ([0, -1], [new_york(DAY, "10:30:00"), 0])


def test_listed_is_what_was_quoted_today_or_last(tmp_path: Path) -> None:
    """Before the first quote of a day all of the day before is listed; after it, what was quoted on it."""
    newest, recorded = latest(tmp_path)
    listing = listings(recorded.quotes.contracts)["SPY"]
    (chain,) = listing.chains
    today = CALENDAR.midnight_of(CALENDAR.day_of(new_york(NEXT, "12:00:00")))
    newest.move(new_york(DAY, "10:30:00"))
    assert newest.listed(chain, listing, today - 10**9).tolist() == [True, False]
    newest.move(new_york(NEXT, "10:29:00"))
    assert newest.listed(chain, listing, today).tolist() == [True, True]
    newest.move(new_york(NEXT, "10:30:00"))
    assert newest.listed(chain, listing, today).tolist() == [True, False]
