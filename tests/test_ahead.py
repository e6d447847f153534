"""Quotes priced ahead of time are those priced when they are seen, to the last digit."""

from pathlib import Path

import numpy as np

from oracle.market.ahead import AHEAD
from oracle.market.tape import Tape
from oracle.observe import Observer
from rules.wants import Plan
from state.market import FED, GREEKS_KNOWN, QUOTE
from tests.tapes import calendar_of, new_york, opened, tape

DAY = "2026-02-13"
CALENDAR = calendar_of("2026-02-02", "2026-03-31")
CALL, PUT = "SPY260220C00596000", "SPY260220P00596000"
PLAN = Plan(("SPY",), (), (CALL, PUT), ())


def lines(minutes: int) -> str:
    """A price a minute and two quotes, that of the put half a minute after the price."""
    rows = []
    for minute in range(minutes):
        clock = f"{10 + minute // 60:02d}:{minute % 60:02d}"
        rows.append(f"{clock}:00 SPY {595 + minute % 7 / 10:.2f}")
        rows.append(f"{clock}:00 {CALL} {3 + minute % 5 / 10:.2f} {3.2 + minute % 5 / 10:.2f}")
        rows.append(f"{clock}:30 {PUT} 3.60 3.80")
    return "\n".join(rows)


class Unvalued:
    """A tape that prices nothing ahead."""

    def __init__(self, recorded: Tape) -> None:
        self.recorded, self.carry, self.symbols = recorded, recorded.carry, recorded.symbols

    def next_instant(self, after: int) -> int | None:
        """That of the tape."""
        return self.recorded.next_instant(after)

    def observe(self, plan: Plan, now: int, *, calendar):
        """The tape's answer without its values."""
        raw = self.recorded.observe(plan, now, calendar=calendar)
        quotes = raw.quotes.copy()
        quotes[:, QUOTE.index("flags")] &= ~GREEKS_KNOWN
        quotes[:, FED:] = 0
        return type(raw)(raw.source, raw.spots, raw.settlements, raw.codes, quotes, raw.missed)


def test_ahead_or_not_a_tick_is_the_same(tmp_path: Path) -> None:
    """At the instants of the tape, between them, and over more rows than are priced at a time."""
    recorded = Tape(tape(tmp_path, DAY, lines(2 * AHEAD + 5)))
    portfolios = opened(CALENDAR, new_york(DAY, "09:59:00")), opened(CALENDAR, new_york(DAY, "09:59:00"))
    feeds = Observer(recorded), Observer(Unvalued(recorded))
    now, known = new_york(DAY, "10:00:00"), 0
    # Every 20 s, and once much later: some quotes are first seen late, at another spot than their own.
    for step in [20] * 240 + [1_000] * 3:
        told = [feed.observe(one, PLAN, now) for feed, one in zip(feeds, portfolios, strict=True)]
        assert told[0] == told[1]
        for one, tick in zip(portfolios, told, strict=True):
            one.take_in(tick, lsn=one.lsn + 1, seen_at=now)
        seen = told[0].seen
        known += 0 if seen is None else int(np.count_nonzero(seen.table()[:, QUOTE.index("flags")] & GREEKS_KNOWN))
        now += step * 10**9
    assert known > 2 * AHEAD


def test_a_quote_without_a_price_of_its_underlying_has_no_values(tmp_path: Path) -> None:
    """Whether the tape never names the underlying, or only later."""
    plan = Plan(("SPY", "QQQ"), (), (CALL, "QQQ260220C00500000"), ())
    text = f"10:00:00 {CALL} 3.35 3.55\n10:00:00 QQQ260220C00500000 3.35 3.55\n10:01:00 SPY 595.42"
    recorded = Tape(tape(tmp_path, DAY, text))
    for clock, spots in (("10:00:00", 0), ("10:01:00", 1)):
        raw = recorded.observe(plan, new_york(DAY, clock), calendar=CALENDAR)
        assert len(raw.spots) == spots
        assert raw.spots_valued is not None
        assert not raw.spots_valued.any()
        assert not raw.quotes[:, FED:].any()
