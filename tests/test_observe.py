"""Observation: a plan becomes the changes of one tick, priced, and a function of portfolio, plan, instant and tape alone."""

import json
import math
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import pricing
from oracle.market import recording
from oracle.market.lean import ImportOptions, import_lean
from oracle.market.port import Carry, RawQuotes
from oracle.market.tape import Tape
from oracle.observe import Observer
from rules.wants import ChainSlice, Plan, SettlementWanted
from state import keeping
from state.errors import LawBroken
from state.inputs import TickReached
from state.market import ASK_PRESENT, FED, GREEKS_KNOWN, QUOTE, SIZES_KNOWN, MarketColumns, Spot
from state.portfolio import Portfolio
from tests.conftest import ROOT
from tests.tapes import calendar_of, new_york, opened, tape

DAY = "2026-02-13"
CALENDAR = calendar_of("2026-02-02", "2026-03-31")
CALL, PUT, FAR = "SPY260220C00596000", "SPY260220P00596000", "SPY270115C00596000"
LINES = f"""
    10:30:00 SPY 595.42
    10:30:00 {CALL} 3.35 3.55 50 40
    10:30:00 {PUT} 3.60 3.80
    10:31:00 SPY 595.42
    10:31:00 {CALL} 3.35 3.55 50 40
    10:32:00 {PUT} 3.60 3.80
    10:33:00 SPY 596.00
"""
PLAN = Plan(("SPY",), (), (CALL, PUT), ())


def at(clock: str) -> int:
    """An instant of the test day."""
    return new_york(DAY, clock)


def observer(tmp_path: Path, lines: str = LINES, *, rate: str = "0.04") -> Observer:
    """An observer of a tape of these lines."""
    return Observer(Tape(tape(tmp_path, DAY, lines, rate=rate)))


def ticked(watcher: Observer, portfolio: Portfolio, now: int, plan: Plan = PLAN) -> MarketColumns | None:
    """What a tick observes, taken in by the portfolio."""
    told = watcher.observe(portfolio, plan, now)
    portfolio.take_in(told, lsn=portfolio.lsn + 1, seen_at=now)
    return told.seen


def rows_of(seen: MarketColumns | None) -> list[int]:
    """The rows of the contract table that a tick changes."""
    return [] if seen is None else np.frombuffer(seen.rows, "<i4").tolist()


# -- what is told ---------------------------------------------------------------------------------------------------


def test_a_first_tick_lists_and_quotes(tmp_path: Path) -> None:
    """New contracts join the table in the order of the feed, with everything that is known of them."""
    portfolio = opened(CALENDAR, at("10:30:00"))
    seen = ticked(observer(tmp_path), portfolio, at("10:30:00"))
    assert seen is not None
    assert seen.source == portfolio.market.source == "simulated"
    assert seen.spots == (Spot("SPY", 595_420_000, at("10:30:00")),)
    assert seen.listed == (CALL, PUT)
    assert rows_of(seen) == [0, 1]
    call, put = portfolio.market.quote(CALL), portfolio.market.quote(PUT)
    assert call is not None
    assert put is not None
    assert (call.at, call.bid, call.ask, call.bid_size, call.ask_size) == (at("10:30:00"), 3_350_000, 3_550_000, 50, 40)
    assert (put.bid, put.ask, put.bid_size, put.ask_size) == (3_600_000, 3_800_000, None, None)
    assert seen.table().shape == (2, len(QUOTE))


def test_a_tick_tells_only_what_changed(tmp_path: Path) -> None:
    """A quote that came again is news by its instant; nothing new is no observation at all."""
    portfolio, watcher = opened(CALENDAR, at("10:30:00")), observer(tmp_path)
    told = [ticked(watcher, portfolio, at(f"10:3{minute}:00")) for minute in range(5)]
    assert [rows_of(seen) for seen in told] == [[0, 1], [0], [1], [], []]
    assert [len(seen.spots) if seen else None for seen in told] == [1, 1, 0, 1, None]
    assert [seen.listed if seen else None for seen in told] == [(CALL, PUT), (), (), (), None]


def test_an_unknown_want_is_absent(tmp_path: Path) -> None:
    """A symbol and a contract the tape never names are not told, and are nobody's omission."""
    portfolio = opened(CALENDAR, at("10:30:00"))
    plan = Plan(("QQQ",), (), (FAR,), ())
    assert observer(tmp_path).observe(portfolio, plan, at("09:00:00")) == TickReached(MarketColumns("simulated"))
    ticked(observer(tmp_path), portfolio, at("10:30:00"), plan)
    assert observer(tmp_path).observe(portfolio, plan, at("10:31:00")) == TickReached(None)


def test_a_print_is_told_once(tmp_path: Path) -> None:
    """A settlement print that the portfolio holds is no news."""
    portfolio, watcher = opened(CALENDAR, at("10:30:00")), observer(tmp_path, "16:00:00 SPY 595.42")
    plan = Plan(("SPY",), (), (), (SettlementWanted("SPY", date(2026, 2, 13), False),))
    seen = ticked(watcher, portfolio, at("16:00:01"), plan)
    assert seen is not None
    assert [one.price for one in seen.settlements] == [595_420_000]
    assert ticked(watcher, portfolio, at("16:00:02"), plan) is None


def test_observing_wants_a_calendar(tmp_path: Path) -> None:
    """Without one nobody knows the time to expiry."""
    with pytest.raises(LawBroken, match="no calendar was adopted"):
        observer(tmp_path).observe(Portfolio(), PLAN, at("10:30:00"))


class Late:
    """A feed that had no time for everything."""

    carry = Carry()
    symbols = ()

    def observe(self, plan: Plan, now: int, *, calendar: object) -> RawQuotes:
        """Nothing but the names of what is missing."""
        none = np.zeros(0, np.int64)
        return RawQuotes("late", (), (), none, none.reshape(0, len(QUOTE)), missed=plan.contracts)

    def next_instant(self, after: int) -> None:
        """Never."""


def test_what_a_feed_missed_is_passed_on() -> None:
    """The tick names what could not be observed in time, with or without other news."""
    portfolio, watcher = opened(CALENDAR, at("10:30:00")), Observer(Late())
    assert watcher.observe(portfolio, PLAN, at("10:30:00")).missed == (CALL, PUT)
    assert ticked(watcher, portfolio, at("10:30:00")) == MarketColumns("late")
    assert watcher.observe(portfolio, PLAN, at("10:30:01")) == TickReached(None, (CALL, PUT))


# -- what is priced -------------------------------------------------------------------------------------------------


def test_greeks_follow_from_the_mid(tmp_path: Path) -> None:
    """The Black-Scholes price at the IV that is told is the mid, and delta is that of the closed formula."""
    portfolio = opened(CALENDAR, at("10:30:00"))
    ticked(observer(tmp_path), portfolio, at("10:30:00"))
    greeks = portfolio.market.greeks(CALL)
    assert greeks is not None
    years = (new_york("2026-02-20", "16:00:00") - at("10:30:00")) / pricing.YEAR_NS
    vol = greeks["iv"] / 1e9
    d1 = (math.log(595.42 / 596) + (0.04 + vol * vol / 2) * years) / (vol * math.sqrt(years))
    d2 = d1 - vol * math.sqrt(years)

    def normal(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    assert 595.42 * normal(d1) - 596 * math.exp(-0.04 * years) * normal(d2) == pytest.approx(3.45, abs=1e-4)
    assert greeks["delta"] / 1e9 == pytest.approx(normal(d1), abs=1e-7)
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    assert greeks["vega"] / 1e6 == pytest.approx(595.42 * density * math.sqrt(years), abs=1e-5)
    assert greeks["iv"] % 1_000 == 0


@pytest.mark.parametrize(
    "line",
    [
        f"10:30:00 {CALL} 3.35 -",
        f"10:30:00 {CALL} 3.60 3.55",
        f"10:30:00 {CALL} 0 0",
        f"10:30:00 {CALL} 0 1200",
        "10:30:00 SPY260220C00500000 95.00 95.50",
        f"10:30:00 {FAR} 3.35 3.55",
        "10:30:00 QQQ260220C00596000 3.35 3.55",
    ],
)
def test_a_price_that_says_nothing_has_no_greeks(tmp_path: Path, line: str) -> None:
    """No mid, a mid outside its bounds, an expiry beyond the calendar, no spot: a quote without greeks, and zeros."""
    portfolio, name = opened(CALENDAR, at("10:30:00")), line.split()[1]
    seen = ticked(
        observer(tmp_path, f"10:30:00 SPY 595.42\n{line}"), portfolio, at("10:30:00"), Plan(("SPY",), (), (name,), ())
    )
    assert seen is not None
    assert rows_of(seen) == [0]
    assert portfolio.market.greeks(name) is None
    quote = seen.table()[0].tolist()
    assert quote[QUOTE.index("flags")] & GREEKS_KNOWN == 0
    assert quote[FED:] == [0] * 6


def test_flags_tell_what_is_there(tmp_path: Path) -> None:
    """An ask, sizes and greeks are each flagged by themselves."""
    lines = f"10:30:00 SPY 595.42\n10:30:00 {CALL} 3.35 3.55 50 40\n10:30:00 {PUT} 3.60 3.80\n10:30:00 {FAR} - - 0 0"
    portfolio = opened(CALENDAR, at("10:30:00"))
    seen = ticked(observer(tmp_path, lines), portfolio, at("10:30:00"), Plan(("SPY",), (), (CALL, PUT, FAR), ()))
    assert seen is not None
    assert seen.table()[:, QUOTE.index("flags")].tolist() == [
        ASK_PRESENT | SIZES_KNOWN | GREEKS_KNOWN,
        ASK_PRESENT | GREEKS_KNOWN,
        SIZES_KNOWN,
    ]


def test_a_quote_is_priced_at_the_spot_of_its_tick(tmp_path: Path) -> None:
    """A spot that did not change since an earlier tick still prices, and the yields of the tape count."""
    portfolio, watcher = opened(CALENDAR, at("10:30:00")), observer(tmp_path)
    ticked(watcher, portfolio, at("10:30:00"), Plan(("SPY",), (), (), ()))
    ticked(watcher, portfolio, at("10:30:01"), Plan((), (), (CALL,), ()))
    cheap = opened(CALENDAR, at("10:30:00"))
    ticked(observer(tmp_path / "cheap", rate="0.0"), cheap, at("10:30:01"))
    dear, free = portfolio.market.greeks(CALL), cheap.market.greeks(CALL)
    assert dear is not None
    assert free is not None
    assert dear["iv"] < free["iv"]


def test_a_contract_in_its_last_seconds_is_priced(tmp_path: Path) -> None:
    """Within the last minute, at the bell and after it, greeks stay finite and the quote is told."""
    lines = "15:59:30 SPY 595.42\n15:59:30 SPY260213C00595000 0.50 0.60\n16:10:00 SPY260213C00595000 0.50 0.70"
    portfolio, watcher = opened(CALENDAR, at("15:59:30")), observer(tmp_path, lines)
    for clock in ("15:59:30", "16:10:00"):
        assert ticked(watcher, portfolio, at(clock), Plan(("SPY",), (), ("SPY260213C00595000",), ())) is not None
        assert portfolio.market.greeks("SPY260213C00595000") is not None


def test_a_new_calendar_moves_expirations(tmp_path: Path) -> None:
    """What an observer remembers of contracts follows from the calendar in force."""
    portfolio, watcher = opened(CALENDAR, at("10:30:00")), observer(tmp_path)
    ticked(watcher, portfolio, at("10:30:00"))
    short = opened(calendar_of("2026-02-02", "2026-02-18"), at("10:30:00"))
    ticked(watcher, short, at("10:30:00"))
    assert portfolio.market.greeks(CALL) is not None
    assert short.market.greeks(CALL) is None


# -- nothing is remembered ------------------------------------------------------------------------------------------

QUOTED = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from((CALL, PUT, "SPY")), st.integers(300, 320)), min_size=1, max_size=20
)


@given(rows=QUOTED, minutes=st.lists(st.integers(0, 45), max_size=10).map(sorted))
def test_a_restarted_observer_observes_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, int]], minutes: list[int]
) -> None:
    """Tick by tick, an observer of long standing and a fresh one beside a restored portfolio tell the same bytes."""
    lines = "".join(
        f"10:{minute:02d}:00 {name} {59_000 + cents}e-2\n"
        if name == "SPY"
        else f"10:{minute:02d}:00 {name} 3.00 {cents}e-2\n"
        for minute, name, cents in sorted(rows)
    )
    directory = tape(tmp_path_factory.mktemp("tape"), DAY, lines)
    portfolio, standing = opened(CALENDAR, at("09:30:00")), Observer(Tape(directory))
    plan = Plan(("SPY",), (ChainSlice("SPY", date(2026, 2, 13), date(2026, 3, 1), 5),), (PUT,), ())
    for minute in minutes:
        now = at(f"10:{minute:02d}:00")
        restored = keeping.decode(keeping.encode(portfolio))
        fresh = Observer(Tape(directory)).observe(restored, plan, now)
        told = standing.observe(portfolio, plan, now)
        assert msgspec.msgpack.encode(told) == msgspec.msgpack.encode(fresh)
        portfolio.take_in(told, lsn=portfolio.lsn + 1, seen_at=now)
        assert all(one <= now for one in portfolio.market.column("at").tolist())


DIGESTS = """
import hashlib, json, sys
from pathlib import Path
import msgspec
from oracle.market.tape import Tape
from oracle.observe import Observer
from rules.wants import Plan
from state.calendar import Calendar
from state.inputs import CalendarAdopted
from state.portfolio import Portfolio

directory, plan, calendar, instants = sys.argv[1:]
portfolio, watcher, digests = Portfolio(), Observer(Tape(Path(directory))), []
told = CalendarAdopted(msgspec.json.decode(calendar, type=Calendar))
for now in json.loads(instants):
    portfolio.take_in(told, lsn=portfolio.lsn + 1, seen_at=now)
    told = watcher.observe(portfolio, msgspec.json.decode(plan, type=Plan), now)
    digests.append(hashlib.sha256(msgspec.msgpack.encode(told)).hexdigest())
print(json.dumps(digests))
"""


def test_ticks_are_the_same_on_another_machine(tmp_path: Path) -> None:
    """Hash seed, time zone, locale and the processor's extensions do not reach a byte of a tick."""
    directory, instants = tape(tmp_path, DAY, LINES), [at(f"10:3{minute}:00") for minute in range(5)]
    told = [str(directory), *(msgspec.json.encode(one).decode() for one in (PLAN, CALENDAR, instants))]
    environments = (
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
        {"PYTHONHASHSEED": "2", "TZ": "America/Chicago", "LC_ALL": "de_DE.UTF-8"},
    )
    one, other = (
        json.loads(
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", DIGESTS, *told],
                cwd=ROOT,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for environment in environments
    )
    assert len(set(one)) == len(instants)
    assert one == other


# -- a recorded day -------------------------------------------------------------------------------------------------


def test_a_recorded_chain_is_observed(data_dir: Path, tmp_path: Path) -> None:
    """Minute by minute a slice of SPXW follows its day: greeks are unknown only where a mid is no more than intrinsic."""
    quotes = [data_dir / "options" / "lean" / "spxw_20210104_minute_quotes.csv.gz"]
    bars = {"SPX": [data_dir / "bars" / "lean" / "spx_20210104_1min.csv"]}
    import_lean(quotes, bars, tmp_path / "tape", options=ImportOptions(bars_zone="America/Chicago"))
    recorded = Tape(tmp_path / "tape")
    plan = Plan(("SPX",), (ChainSlice("SPX", date(2021, 1, 4), date(2021, 1, 10), 5),), (), ())
    portfolio = opened(calendar_of("2021-01-04", "2021-02-26"), new_york("2021-01-04", "09:30:00"))
    watcher, market, told = Observer(recorded), portfolio.market, 0
    for now in recorded.instants[recorded.instants <= new_york("2021-01-04", "15:59:00")].tolist():
        rows = rows_of(ticked(watcher, portfolio, now, plan))
        told += len(rows)
        for quote in filter(None, map(market.quote_at_row, rows)):
            greeks, spot = market.greeks(quote.contract.occ), market.spots["SPX"].price
            if greeks is None:
                assert quote.mark is None or quote.mark <= quote.contract.intrinsic(spot)
            else:
                assert 0 < greeks["delta"] * (1 if quote.contract.right == "C" else -1) <= 10**9
                assert greeks["gamma"] >= 0
    assert told == int((recording.read(tmp_path / "tape").quotes.at <= portfolio.now).sum())
