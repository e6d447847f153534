"""Cycles that decide nothing pass together, and nothing is otherwise than if each had been run by itself."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oracle import config
from oracle.loop import Loop
from oracle.market.tape import Tape
from oracle.verify import Verifier
from oracle.walk import Walk
from rules import quiet
from state import keeping
from state.applying import apply
from state.errors import Diverged
from state.facts import Alerted, ExitChosen, OrderFilled, OutcomeRecorded, PositionOpened, SignalRefused
from state.frames import Body
from state.inputs import (
    AlertReceived,
    AnyInput,
    CalendarAdopted,
    ConfigAdopted,
    MarketChosen,
    MarketKind,
    OperatorAsked,
    TicksPassed,
)
from state.portfolio import Portfolio
from state.record import SCHEMA, Record, decode, encode
from state.recovery import fold
from state.stretch import Stretch
from tests.passing import DAYS, market, stretch, unrolled
from tests.stage import SPY_CALL, TRACE, Kept, Stage
from tests.tapes import calendar_of, new_york, tape

CALENDAR = CalendarAdopted(calendar_of("2026-02-02", "2026-04-30"))
MINUTE = 60 * 10**9
CALL = "SPY260220C00596000"
LONG = AlertReceived('{"symbol": "SPY", "direction": "long", "timeframe": "5m"}', "rule")
SHORT = AlertReceived('{"symbol": "SPY", "direction": "short", "timeframe": "5m"}', "rule")
CLOSE = OperatorAsked("all", "enough")
SETTINGS = """
[profiles.short_dated]
entry_dte_min = 1
entry_dte_max = 5
exit_dte_min = 0
hold_hours_max = {hold}
profit_target_pct = {target}
stop_loss_pct = {stop}
[wants]
chain_interval_s = {interval}
strikes_each_side = {each_side}
[gates]
spot_age_s_max = 1_800
quote_age_s_max = 900
[orders]
entry_timeout_s = 1_800
drift_pct_max = 50
limit_offset_usd = 0.50
"""
"""Sensitive enough that much happens on a small tape, and long enough in memory that it is quoted seldom."""


class Run:
    """A tape walked from end to end with some alerts on the way; so many cycles at most become one record."""

    def __init__(self, recorded: Tape, said: list[tuple[int, AnyInput]], adopted: ConfigAdopted, longest: int) -> None:
        self.told: list[tuple[Record, int]] = []
        self.bodies: list[Body] = []
        loop = Loop(Portfolio(), Kept(), settings_of=config.decode)
        self.walk = Walk(loop, recorded, self._hear, longest=longest)
        self.walk.begin((adopted, CALENDAR, MarketChosen(MarketKind.TAPE)), at=recorded.first - 1)
        for at, one in said:
            list(self.walk.arrive((one,), at=at))
        list(self.walk.until(recorded.last + 60 * MINUTE))

    def _hear(self, record: Record, seen_at: int) -> None:
        self.told.append((record, seen_at))
        kind, payload = type(record.input).__name__, encode(record)
        self.bodies.append(Body(len(self.bodies) + 1, seen_at, kind, SCHEMA, payload, "now"))

    @property
    def portfolio(self) -> Portfolio:
        """What it came to."""
        return self.walk.portfolio

    def passed(self) -> list[Stretch]:
        """The cycles that passed together."""
        return [record.input.ticks for record, _ in self.told if isinstance(record.input, TicksPassed)]


def said(chance: Random) -> list[tuple[int, AnyInput]]:
    """A few alerts and asks over the first two days, in their order."""
    alerts = [
        (new_york(chance.choice(DAYS[:2]), f"{chance.randint(10, 15)}:{chance.randint(0, 59):02d}:07"), one)
        for one in (LONG, SHORT, LONG, chance.choice((LONG, CLOSE)))
    ]
    return sorted(alerts, key=lambda one: one[0])


def adopted(directory: Path, chance: Random) -> ConfigAdopted:
    """A configuration under which positions leave for every reason."""
    written = SETTINGS.format(
        hold=chance.choice((0, 1, 120)),
        target=chance.choice((5, 20, 300)),
        stop=chance.choice((5, 20, 90)),
        interval=chance.choice((0, 60, 900)),
        each_side=chance.choice((1, 2, 5)),
    )
    (directory / "config.toml").write_text(written, "utf-8")
    return config.adopted(config.load(directory / "config.toml"))


def plain(portfolio: Portfolio) -> bytes:
    """All a portfolio holds, but for the number of its last record."""
    portfolio.lsn = 0
    return keeping.encode(portfolio)


def both(seed: int, longest: int) -> tuple[Run, Run]:
    """One market and its alerts, walked cycle by cycle and with so many cycles in one record."""
    chance = Random(seed)
    with TemporaryDirectory() as name:
        directory = Path(name)
        recorded = Tape(tape(directory, DAYS[0], market(chance)))
        configured, alerts = adopted(directory, chance), said(chance)
        alone, together = (Run(recorded, alerts, configured, one) for one in (1, longest))
    return alone, together


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), longest=st.sampled_from((2, 7, 512)))
def test_together_or_one_by_one_the_same_is_seen_and_decided(seed: int, longest: int) -> None:
    """Every tick, fact and instant, what both portfolios hold, and what recovery and `verify` make of the journal."""
    alone, together = both(seed, longest)
    assert list(unrolled(together.told)) == alone.told
    assert together.walk.cycles == alone.walk.cycles
    recovered, verifier = Portfolio(), Verifier(settings_of=config.decode, code_version="now", any_version=False)
    for body in together.bodies:
        fold(recovered, body)
        verifier.take(body)
    assert verifier.verified.judged == len(together.bodies)
    assert plain(recovered) == plain(together.portfolio) == plain(alone.portfolio)


def test_the_markets_of_that_law_are_lively() -> None:
    """Entries that fill and fail, exits, contracts that are listed on the way; and most cycles passed with others."""
    facts, passed, listed, cycles = set(), 0, 0, 0
    for seed in range(6):
        _, together = both(seed, 512)
        facts.update(type(fact) for record, _ in together.told for fact in record.facts)
        passed += sum(len(one) for one in together.passed())
        listed += sum(len(one.listed) for one in together.passed())
        cycles += together.walk.cycles
    assert facts >= {OrderFilled, ExitChosen, OutcomeRecorded, SignalRefused, Alerted}
    assert passed > cycles / 2
    assert listed


# -- one stretch ----------------------------------------------------------------------------------------------------


def holding() -> Stage:
    """A stage on which SPY calls were bought at 3.45: out at 5.175 and at 1.725."""
    stage = Stage("2026-02-13", TRACE)
    stage.buy("10:30:00")
    return stage


def passing(stage: Stage, *ticks: tuple[str, ...]) -> int:
    """How many of some ticks pass."""
    return quiet.passing(stage.portfolio, stretch(stage, *ticks), stage.settings)


REACHED = [
    ("5.17 5.179998", 3),
    ("5.17 5.18", 1),
    ("1.720001 1.730001", 3),
    ("1.72 1.73", 1),
    ("5.30 5.20", 3),
    ("9.00 -", 3),
    ("- 0.01", 1),
]


@pytest.mark.parametrize(("sides", "passed"), REACHED)
def test_what_reaches_a_level_does_not_pass(sides: str, passed: int) -> None:
    """Nor do those after it, nor a lone ask; crossed or without an ask is no mark, and decides nothing."""
    stage = holding()
    calm, moved = f"{SPY_CALL} 3.43 3.47", f"{SPY_CALL} {sides}"
    assert passing(stage, ("10:31:00", calm), ("10:32:00", moved), ("10:33:00", "SPY 596.00")) == passed
    if passed == 3:
        assert stage.tick("10:32:00", moved) == ()


def test_nobody_minds_what_nobody_holds() -> None:
    """A contract that is only watched may go where it wants; so may one that this stretch lists."""
    stage = holding()
    other = "SPY260220C00597000"
    assert passing(stage, ("10:31:00", f"{other} 3.43 3.47"), ("10:32:00", f"{SPY_CALL} 3.43 3.47")) == 2
    stage.tick("10:33:00", f"{other} 3.43 3.47")
    assert passing(stage, ("10:34:00", f"{other} 9.00 9.10"), ("10:35:00", f"{other} - 0.01")) == 2


def test_what_is_held_before_it_is_listed_is_judged_once_it_is() -> None:
    """A fill that came before any quote of its contract: the first quote marks it, as it does in a process begun anew."""
    stage = holding()
    other = replace(stage.portfolio.positions["pos-000001"].contract, strike=597_000_000)
    opened = replace(stage.portfolio.positions["pos-000001"], id="pos-000002", contract=other)
    apply(stage.portfolio, PositionOpened(opened))
    quoted = f"{other.occ} 1.00 1.02"
    assert passing(stage, ("10:31:00", quoted), ("10:32:00", "SPY 595.42")) == 0
    assert passing(stage, ("10:31:00", f"{SPY_CALL} 3.43 3.47"), ("10:32:00", "SPY 595.42")) == 2
    stage.broker = False
    stage.tick("10:31:00", quoted)
    assert stage.portfolio.book.mark_of("pos-000002") == (1_010_000, stage.portfolio.now)
    assert stage.last(ExitChosen).reasons == ("stop_loss",)
    again = keeping.decode(keeping.encode(stage.portfolio))
    assert keeping.encode(again) == keeping.encode(stage.portfolio)


def test_time_ends_a_stretch() -> None:
    """What falls due at an instant is decided in a cycle of its own: here the time held, five days after the fill."""
    stage = holding()
    due = stage.portfolio.positions["pos-000001"].hold_until
    assert due is not None
    assert quiet.until(stage.portfolio, stage.settings) == min(
        stage.portfolio.day_ends, stage.portfolio.sessions.next_open(stage.portfolio.now)
    )
    stage.day = "2026-02-18"
    stage.tick("09:30:00", "SPY 595.42")
    assert quiet.until(stage.portfolio, stage.settings) == due
    assert passing(stage, ("10:30:00", "SPY 595.42"), ("10:30:01", "SPY 595.50"), ("10:31:00", "SPY 595.60")) == 1


def test_nothing_passes_while_something_is_owed() -> None:
    """An undecided signal, a working order, a date whose memory was not put in order, a level that is reached already."""
    stage = Stage("2026-02-13", TRACE)
    calm = ("10:31:00", "SPY 595.42"), ("10:32:00", "SPY 595.42")
    assert passing(stage, *calm) == 0
    stage.tick("10:29:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert passing(stage, *calm) == 2
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    assert passing(stage, *calm) == 0
    stage.tick("10:30:00", f"{SPY_CALL} 3.43 3.47")
    assert stage.portfolio.working
    assert passing(stage, *calm) == 0
    stage.tick("10:30:01", f"{SPY_CALL} 3.43 3.47")
    assert passing(stage, *calm) == 2
    stage.broker = False
    stage.tick("10:30:02", f"{SPY_CALL} 9.00 9.10")
    assert passing(stage, *calm) == 0


def test_verify_finds_a_tick_that_should_not_have_passed() -> None:
    """A journal in which the second of two ticks reached a stop diverges there."""
    stage = holding()
    verifier = Verifier(settings_of=lambda _: stage.settings, code_version="now", any_version=False)
    passed = stretch(stage, ("10:31:00", f"{SPY_CALL} 3.43 3.47"), ("10:32:00", f"{SPY_CALL} 1.00 1.02"))
    stage.take(TicksPassed(passed), at=passed.last)
    bodies = [
        Body(lsn, seen_at, type(decode(payload, schema).input).__name__, schema, payload, "now")
        for lsn, (seen_at, schema, payload) in enumerate(stage.kept.payloads, 1)
    ]
    for body in bodies[:-1]:
        verifier.take(body)
    with pytest.raises(Diverged, match=r"\(TicksPassed\), tick 2 of 2:"):
        verifier.take(bodies[-1])
