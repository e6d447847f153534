"""What halts entries, what a halt gives up, and that exits never wait for it."""

import pytest

from rules import halts
from state import keeping
from state.applying import apply
from state.facts import (
    Alerted,
    EntriesHalted,
    EntriesResumed,
    ExitChosen,
    OrderCancelAsked,
    OrderCreated,
    OutcomeRecorded,
    SignalFailed,
)
from state.inputs import AnyInput, Ask, ClockFellBehind, ClockJumped, OperatorAsked, StorageTurned
from state.order import OrderPhase
from tests.stage import SPY_CALL, TRACE, Stage, instant

DAY = "2026-02-13"
SPY = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47")
HALTS: list[tuple[AnyInput, str]] = [
    (OperatorAsked("", "lunch", Ask.HALT), "entries_halted"),
    (ClockJumped(2_000_000_001), "clock_jumped"),
    (ClockFellBehind(10**10), "clock_behind"),
    (StorageTurned(low=True), "storage_low"),
]


def test_the_operator_halts_and_resumes() -> None:
    """Each once, with the words that were given; a second halt leaves the first as it stands."""
    stage = Stage(DAY)
    assert stage.ask("10:00:00", Ask.HALT, words="lunch") == (EntriesHalted("entries_halted", "lunch"),)
    assert stage.ask("10:01:00", Ask.HALT, words="again") == ()
    assert stage.portfolio.halts["entries_halted"].since == instant(DAY, "10:00:00")
    assert stage.ask("10:02:00", Ask.RESUME, words="back") == (EntriesResumed("entries_halted", "back"),)
    assert stage.portfolio.halts == {}


def test_a_halt_that_is_told_again_keeps_its_beginning() -> None:
    """Clocks that come further apart: new words, and since when is as it was."""
    stage = Stage(DAY)
    for clock, by in (("10:00:00", 10**13), ("10:01:00", 2 * 10**13)):
        stage.take(ClockJumped(by), at=instant(DAY, clock))
    halt = stage.portfolio.halts["clock_jumped"]
    assert (halt.words, halt.since) == ("the clocks came apart by 20000 s", instant(DAY, "10:00:00"))


@pytest.mark.produces("nothing_to_resume")
def test_the_operator_ends_no_halt_of_the_disk() -> None:
    """With nothing halted, or only a disk without room, there is nothing to resume; beside it, the rest is."""
    stage = Stage(DAY)
    assert stage.ask("10:00:00", Ask.RESUME) == (Alerted("nothing_to_resume", "entries"),)
    stage.take(StorageTurned(low=True), at=instant(DAY, "10:00:01"))
    assert stage.ask("10:00:02", Ask.RESUME) == (Alerted("nothing_to_resume", "entries"),)
    stage.take(ClockJumped(-(10**10)), at=instant(DAY, "10:00:03"))
    stage.ask("10:00:04", Ask.HALT)
    resumed = (EntriesResumed("entries_halted", "test"), EntriesResumed("clock_jumped", "test"))
    assert stage.ask("10:00:05", Ask.RESUME) == resumed
    assert list(stage.portfolio.halts) == ["storage_low"]


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (2_000_000_001, "the clocks came apart by 2 s"),
        (-3_900_000_000, "the clocks came apart by -3 s"),
        (86_400 * 10**9, "the clocks came apart by 86400 s"),
    ],
)
def test_clocks_that_came_apart_halt_until_they_agree(by: int, words: str) -> None:
    """In whole seconds; to hear of it twice, or of clocks that agree when they always did, changes nothing.

    A further jump is told as the first was, so that whoever confirms knows what.
    """
    stage = Stage(DAY)
    at = stage.portfolio.now
    assert stage.take(ClockJumped(0), at=at) == ()
    assert stage.take(ClockJumped(by), at=at) == (EntriesHalted("clock_jumped", words),)
    assert stage.take(ClockJumped(by), at=at) == ()
    further = EntriesHalted("clock_jumped", "the clocks came apart by 172800 s")
    assert stage.take(ClockJumped(172_800 * 10**9), at=at) == (further,)
    assert [one.words for one in stage.portfolio.halts.values()] == [further.words]
    assert stage.take(ClockJumped(0), at=at) == (EntriesResumed("clock_jumped", "the clocks agree again"),)


def test_a_clock_that_is_behind_halts_until_it_has_caught_up() -> None:
    """The operator's word does not make it right; told anew, it says how far it is behind now."""
    stage = Stage(DAY)
    at, words = (
        stage.portfolio.now,
        "the clock is {} s behind what was recorded, and time goes slower until it has caught up",
    )
    assert stage.take(ClockFellBehind(0), at=at) == ()
    first = EntriesHalted("clock_behind", words.format(10_800))
    assert stage.take(ClockFellBehind(10_800 * 10**9), at=at) == (first,)
    assert stage.ask("10:00:00", Ask.RESUME) == (Alerted("nothing_to_resume", "entries"),)
    again = EntriesHalted("clock_behind", words.format(600))
    assert stage.take(ClockFellBehind(600 * 10**9), at=at) == (again,)
    assert stage.take(ClockFellBehind(0), at=at) == (EntriesResumed("clock_behind", "the clock has caught up"),)


def test_a_disk_without_room_halts_until_it_has_some() -> None:
    """Once each way."""
    stage = Stage(DAY)
    turns = [stage.take(StorageTurned(low=low), at=stage.portfolio.now) for low in (False, True, True, False, False)]
    assert turns == [
        (),
        (EntriesHalted("storage_low", "no spare segment could be made"),),
        (),
        (EntriesResumed("storage_low", "there is a spare segment again"),),
        (),
    ]


@pytest.mark.parametrize(("turn", "code"), HALTS)
def test_a_halt_gives_up_the_entries_in_flight(turn: AnyInput, code: str) -> None:
    """The one that would open and the one that would add are cancelled under its code; the signals fail by it."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.alert("10:30:00", symbol="QQQ", direction="long", timeframe="5m")
    stage.tick("10:30:00", *SPY, "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    assert [one.order.position_id for one in stage.of(OrderCreated)] == ["pos-000001", "pos-000001", "pos-000002"]
    facts = stage.take(turn, at=instant(DAY, "10:30:01"))
    assert [type(one) for one in facts] == [EntriesHalted, OrderCancelAsked, OrderCancelAsked]
    assert [(one.order_id, one.reason) for one in stage.of(OrderCancelAsked)] == [
        ("ord-000002", code),
        ("ord-000003", code),
    ]
    assert halts.in_flight(stage.portfolio) == ()
    stage.broker = True
    stage.tick("10:30:02", *SPY)
    assert [one.code for one in stage.of(SignalFailed)] == [code, code]
    assert [one.quantity_open for one in stage.portfolio.live_positions()] == [9]


def test_without_a_halt_nothing_is_given_up() -> None:
    """An ask that halts nothing leaves the entries in flight alone."""
    stage = Stage(DAY, TRACE)
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", *SPY)
    stage.ask("10:30:01", Ask.RESUME)
    assert stage.of(OrderCancelAsked) == []
    assert [one.phase for one in stage.portfolio.working_orders()] == [OrderPhase.PENDING_EXECUTION]


@pytest.mark.parametrize(("turn", "code"), HALTS)
def test_exits_go_on_under_every_halt(turn: AnyInput, code: str) -> None:
    """The target is reached and sold, and what the operator asks to close is closed."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.buy("10:05:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    stage.take(turn, at=instant(DAY, "10:30:00"))
    stage.ask_close("10:31:00", "pos-000002")
    for clock in ("10:31:00", "10:31:01"):
        stage.tick(clock, f"{SPY_CALL} 5.30 5.34", "QQQ260220C00601000 1.99 2.01")
    assert [one.reasons for one in stage.of(ExitChosen)] == [("profit_target",), ("manual",)]
    assert len(stage.of(OutcomeRecorded)) == 2
    assert list(stage.portfolio.halts) == [code]


@pytest.mark.parametrize(("turn", "code"), HALTS)
def test_a_halt_survives_a_restart(turn: AnyInput, code: str) -> None:
    """It is in the snapshot, and in the fold of the facts."""
    stage = Stage(DAY)
    stage.take(turn, at=instant(DAY, "10:30:00"))
    restored = keeping.decode(keeping.encode(stage.portfolio))
    assert restored.halts == stage.portfolio.halts
    assert halts.settling(restored) == (code not in ("clock_jumped", "clock_behind"))
    apply(restored, EntriesResumed(code))
    assert restored.halts == {}
