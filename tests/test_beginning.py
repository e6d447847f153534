"""What a run begins with: contradicting options are refused, a directory keeps its market, and time goes on."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from oracle import beginning, config
from oracle.beginning import Job
from oracle.clock import SECOND, FasterClock, StepClock, WallClock
from oracle.market.absent import NoMarket
from oracle.market.simulated import SimulatedMarket
from oracle.market.tape import Tape
from state.calendar import Phase
from state.errors import BadUsage
from state.inputs import CalendarAdopted, ConfigAdopted, MarketChosen, MarketKind
from state.portfolio import Portfolio
from tests.stage import Stage
from tests.tapes import calendar_of, new_york, tape
from tests.trades import DAY, MARKET

AT = new_york(DAY, "10:30:00")


def job(**options: Any) -> Job:
    """A job in some directory."""
    return Job(Path("somewhere"), 0, **options)


def after(market: MarketChosen, now: int = AT) -> Portfolio:
    """A portfolio that went through a run on a market."""
    portfolio = Portfolio()
    portfolio.take_in(CalendarAdopted(calendar_of("2026-02-02", "2026-12-31")), lsn=1, seen_at=now - 1)
    portfolio.take_in(market, lsn=2, seen_at=now)
    return portfolio


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tape": Path("t"), "step": True, "simulate": 2.0}, "two markets"),
        ({"tape": Path("t")}, "belong together"),
        ({"step": True}, "belong together"),
        ({"start": AT}, "belong to --simulate"),
        ({"seed": 3}, "belong to --simulate"),
        ({"simulate": 0.0}, "cannot be run"),
        ({"simulate": -1.0}, "cannot be run"),
        ({"simulate": 100_001.0}, "cannot be run"),
        ({"simulate": float("nan")}, "cannot be run"),
    ],
)
def test_contradicting_options_are_refused(options: dict[str, Any], words: str) -> None:
    """Each with what to do about it."""
    with pytest.raises(BadUsage, match=words):
        beginning.recorded(job(**options))


def test_a_tape_that_cannot_be_read_is_told_before_anything_begins(tmp_path: Path) -> None:
    """The tape is read before a directory is touched."""
    with pytest.raises(BadUsage, match="tape"):
        beginning.recorded(job(tape=tmp_path / "tape", step=True))


def test_each_kind_of_market_brings_its_clock(tmp_path: Path) -> None:
    """None runs on the wall clock, a simulation faster, a tape by hand from just before its first row."""
    none = beginning.setting(job(), Portfolio(), None)
    assert (type(none.clock), type(none.feed), none.market) == (WallClock, NoMarket, MarketChosen(MarketKind.NONE))
    faster = beginning.setting(job(simulate=60.0, start=AT, seed=7), Portfolio(), None)
    assert (type(faster.clock), type(faster.feed)) == (FasterClock, SimulatedMarket)
    assert faster.market == MarketChosen(MarketKind.SIMULATED, 7, date(2026, 2, 13))
    assert faster.clock.now() >= AT
    recorded = Tape(tape(tmp_path, DAY, MARKET))
    step = beginning.setting(job(tape=tmp_path / "tape", step=True), Portfolio(), recorded)
    assert (type(step.clock), step.clock.now()) == (StepClock, recorded.first - 1)


def test_a_simulation_begins_at_the_next_open() -> None:
    """Unless told otherwise; its seed is drawn and kept."""
    found = beginning.setting(job(simulate=1.0), Portfolio(), None)
    now = found.clock.now()
    today = beginning.day_of(now)
    sessions = calendar_of(str(today - timedelta(days=10)), str(today + timedelta(days=10)))
    assert now - sessions.session_at_or_before(now).open < 60 * SECOND
    assert now > WallClock().now()
    other = beginning.setting(job(simulate=1.0), Portfolio(), None)
    assert found.market.seed != other.market.seed


def test_a_simulation_goes_on_where_its_journal_ends() -> None:
    """Time and seed are those of the journal, whatever --start says."""
    kept = MarketChosen(MarketKind.SIMULATED, 7, date(2026, 2, 13))
    found = beginning.setting(job(simulate=60.0, start=AT - 10**15), after(kept), None)
    assert found.market == kept
    assert 0 <= found.clock.now() - AT < 3_600 * SECOND
    with pytest.raises(BadUsage, match="begun with seed 7"):
        beginning.setting(job(simulate=60.0, seed=8), after(kept), None)


@pytest.mark.parametrize("kind", list(MarketKind))
def test_a_directory_keeps_its_kind_of_market(kind: MarketKind, tmp_path: Path) -> None:
    """Invented, recorded and real prices never meet in one book."""
    recorded = Tape(tape(tmp_path, DAY, MARKET))
    jobs = {
        MarketKind.NONE: job(),
        MarketKind.SIMULATED: job(simulate=1.0),
        MarketKind.TAPE: job(tape=tmp_path / "tape", step=True),
    }
    for other, one in jobs.items():
        if other is kind:
            assert beginning.setting(one, after(MarketChosen(kind)), recorded).market.kind is kind
        else:
            with pytest.raises(BadUsage, match="go on like that"):
                beginning.setting(one, after(MarketChosen(kind)), recorded)


def test_only_what_is_not_in_force_is_adopted() -> None:
    """A new directory adopts configuration, calendar and market; an unchanged restart adopts nothing."""
    configured, market = config.Config(), MarketChosen(MarketKind.NONE)
    portfolio, sessions = Portfolio(), calendar_of("2026-02-02", "2026-12-31")
    first = beginning.inputs(portfolio, configured, market, calendar=sessions)
    assert [type(one) for one in first] == [ConfigAdopted, CalendarAdopted, MarketChosen]
    for lsn, one in enumerate(first, 1):
        portfolio.take_in(one, lsn=lsn, seen_at=AT)
    assert beginning.inputs(portfolio, configured, market, calendar=None) == []
    changed = config.Config(account=config.AccountSettings(cash_start_usd=1_000_000))
    assert [type(one) for one in beginning.inputs(portfolio, changed, market, calendar=None)] == [ConfigAdopted]


def test_a_calendar_is_made_anew_before_the_adopted_one_ends() -> None:
    """One that reaches half a year ahead is kept; a shorter one is replaced, and what it knew of the past stays."""
    portfolio, feed = after(MarketChosen(MarketKind.NONE)), NoMarket()
    assert beginning.calendar_wanted(portfolio, feed, AT) is None
    later = new_york("2026-09-01", "10:30:00")
    longer = beginning.calendar_wanted(portfolio, feed, later)
    assert longer is not None
    assert (longer.first, longer.last) == (date(2026, 2, 2), date(2026, 9, 1) + timedelta(days=400))
    assert longer.phase(later) is Phase.RTH


def test_a_longer_calendar_still_knows_what_is_held() -> None:
    """A position whose print never came is held for years; each new calendar reaches back to its last session."""
    stage = Stage(DAY)
    stage.buy("10:30:00")
    portfolio = stage.portfolio
    for day in ("2027-01-04", "2028-01-03"):
        longer = beginning.calendar_wanted(portfolio, NoMarket(), new_york(day, "10:30:00"))
        assert longer is not None
        stage.take(CalendarAdopted(longer), at=new_york(day, "10:30:00"))
    (held,) = portfolio.live_positions()
    assert portfolio.instants_of(held.contract)[0] == new_york("2026-02-20", "16:00:00")


def test_a_tape_brings_its_calendar_once(tmp_path: Path) -> None:
    """It reaches beyond the last expiration on the tape and is not asked for again."""
    recorded = Tape(tape(tmp_path, DAY, MARKET))
    first = beginning.calendar_wanted(Portfolio(), recorded, recorded.first - 1)
    assert first is not None
    assert first.last == date(2026, 2, 20) + timedelta(days=120)
    assert beginning.calendar_wanted(after(MarketChosen(MarketKind.TAPE)), recorded, recorded.first) is None
