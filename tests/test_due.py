"""The next instant a cycle is owed: retries, opens, order times, time exits, expiry; and which signals are due now."""

import pytest
from msgspec.structs import replace

from rules import due
from rules.profiles import SHORT_DATED, Profiles
from rules.settings import SessionSettings, Settings
from state.facts import OrderCancelAsked
from tests.stage import FREE, SPY_CALL, TRACE, Stage, instant

DAY = "2026-02-13"
SPOT, QUIET = "SPY 595.42", f"{SPY_CALL} 3.43 3.47"


def owed(stage: Stage) -> int | None:
    """The next instant owed."""
    return due.next_at(stage.portfolio, stage.settings)


def test_nothing_is_owed_to_an_empty_stage() -> None:
    """Without signals, orders and positions no cycle is owed at all."""
    stage = Stage(DAY)
    stage.tick("10:00:00", SPOT)
    assert owed(stage) is None


def test_an_undecided_signal_is_owed_a_cycle_at_once() -> None:
    """Also after a restart, when nobody sends the alert again."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    assert (due.signals(stage.portfolio), owed(stage)) == (("sig-000001",), instant(DAY, "10:30:00") + 1)


def test_a_retry_is_owed_at_its_time() -> None:
    """A minute after the first try, and due then, not before."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT)
    assert (due.signals(stage.portfolio), owed(stage)) == ((), instant(DAY, "10:31:00"))


def test_a_queued_signal_is_owed_the_open() -> None:
    """Over a long weekend the next cycle is Tuesday's bell."""
    stage = Stage(DAY, Settings(session=SessionSettings(closed_market_mode="queue"), fills=FREE))
    stage.alert("20:00:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("20:00:00")
    assert (due.signals(stage.portfolio), owed(stage)) == ((), instant("2026-02-17", "09:30:00"))


def test_due_signals_are_asked_oldest_first() -> None:
    """The order of arrival is the order of judgement, a retry included once its time has come."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00")
    stage.alert("10:30:30", symbol="QQQ", direction="long", timeframe="5m")
    assert due.signals(stage.portfolio) == ("sig-000002",)
    stage.portfolio.now = instant(DAY, "10:31:00")
    assert due.signals(stage.portfolio) == ("sig-000001", "sig-000002")


def test_an_entry_is_owed_its_first_quote_and_its_end() -> None:
    """A second after the decision, then just after its sixty seconds."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, QUIET)
    assert owed(stage) == instant(DAY, "10:30:01")
    stage.tick("10:30:01", f"{SPY_CALL} 3.50 3.60")
    assert owed(stage) == instant(DAY, "10:31:00") + 1


def test_an_unconfirmed_cancel_is_asked_about_every_second() -> None:
    """The broker's word is waited for in short steps."""
    stage = Stage(DAY, TRACE)
    stage.broker = False
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, QUIET)
    stage.tick("10:31:01")
    assert len(stage.of(OrderCancelAsked)) == 1
    assert owed(stage) == instant(DAY, "10:31:02")


INSTANTS = [
    ({}, "10:31:00", DAY, ("2026-02-17", "09:30:00")),
    ({}, "10:00:00", "2026-02-18", ("2026-02-18", "10:30:01")),
    ({"hold_hours_max": 0}, "17:00:00", "2026-02-18", ("2026-02-19", "00:00:00")),
    ({"hold_hours_max": 0, "exit_dte_min": 0}, "10:00:00", "2026-02-20", ("2026-02-20", "16:00:00")),
    ({"hold_hours_max": 0, "exit_dte_min": 0}, "16:00:00", "2026-02-20", ("2026-02-20", "16:15:00")),
]


@pytest.mark.parametrize(("profile", "clock", "day", "expected"), INSTANTS)
def test_a_position_is_owed_its_times(profile: dict[str, int], clock: str, day: str, expected: tuple[str, str]) -> None:
    """The next open, the end of its hold, the date of its days to expiry, its expiry and its last trade."""
    settings = replace(TRACE, profiles=Profiles(short_dated=replace(SHORT_DATED, **profile)))
    stage = Stage(DAY, settings)
    stage.buy("10:30:00")
    stage.broker = False
    stage.portfolio.now = instant(day, clock)
    assert owed(stage) == instant(*expected)


def test_an_unsettled_position_is_tried_again_until_it_alerted() -> None:
    """A second later at first; after the alert of the day the next session will do."""
    settings = replace(TRACE, profiles=Profiles(short_dated=replace(SHORT_DATED, hold_hours_max=0, exit_dte_min=0)))
    stage = Stage(DAY, settings)
    stage.buy("10:30:00")
    stage.day = "2026-02-20"
    stage.portfolio.now = instant("2026-02-20", "16:15:00")
    assert owed(stage) == instant("2026-02-20", "16:15:01")
    stage.tick("16:15:01")
    assert owed(stage) == instant("2026-02-23", "09:30:00")


def test_a_working_exit_is_owed_its_end() -> None:
    """An exit without a fill ends with the contract's session."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.ask_close("11:00:00")
    stage.tick("11:00:00", f"{SPY_CALL} - 0.01")
    stage.tick("11:00:01", f"{SPY_CALL} - 0.01")
    assert owed(stage) == instant(DAY, "16:15:00")
