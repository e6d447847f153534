"""The plan of a cycle follows from alerts, the market and what is held."""

from datetime import date

import pytest
from msgspec.structs import replace

from rules import wants
from rules.profiles import SHORT_DATED, Profiles
from rules.wants import ChainSlice, Plan, SettlementWanted, WantSettings
from tests.stage import SPY_CALL, TRACE, Stage, instant

DAY = "2026-02-13"

NOTHING = wants.Plan((), (), (), ())


def planned(stage: Stage, clock: str) -> Plan:
    """The plan for a cycle at a clock time of the stage's day."""
    settings = stage.settings
    return wants.plan(stage.portfolio, settings.wants, settings.profiles.entry_dte(), now=instant(stage.day, clock))


def test_an_empty_stage_wants_nothing() -> None:
    """No alert, no position, no order: nothing has to be observed."""
    assert planned(Stage(DAY), "10:30:00") == NOTHING


def test_an_alert_wants_its_symbol_and_a_slice_of_its_chain() -> None:
    """The profile's days to expiry from today, so many strikes on each side, whatever is decided about it."""
    stage = Stage(DAY, replace(TRACE, wants=WantSettings(strikes_each_side=3)))
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    plan = planned(stage, "10:30:00")
    assert plan.symbols == ("SPY",)
    assert plan.slices == (ChainSlice("SPY", date(2026, 2, 18), date(2026, 2, 27), 3),)
    assert (plan.contracts, plan.settlements) == ((), ())


def test_a_refused_signal_is_watched_like_a_traded_one() -> None:
    """What is observed is a function of inputs: a decision changes nothing but what is held besides."""
    refused, traded = Stage(DAY, replace(TRACE, sizing=replace(TRACE.sizing, base_contracts=0))), Stage(DAY, TRACE)
    for stage in (refused, traded):
        stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
        stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    plans = [planned(stage, "10:31:00") for stage in (refused, traded)]
    assert (plans[0].symbols, plans[0].slices) == (plans[1].symbols, plans[1].slices)
    assert [one.contracts for one in plans] == [(), (SPY_CALL,)]


def test_watching_ends_with_the_horizon() -> None:
    """120 hours after the alert the symbol is no longer wanted; what is held still is."""
    stage = Stage(DAY)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.alert("10:30:01", symbol="QQQ260220C00601000", direction="long", timeframe="5m")
    stage.day = "2026-02-18"
    assert planned(stage, "10:30:00").symbols == ("SPY", "QQQ")
    assert (planned(stage, "10:30:01").symbols, planned(stage, "10:30:01").contracts) == (
        ("QQQ",),
        ("QQQ260220C00601000",),
    )
    assert planned(stage, "10:30:02") == NOTHING


def test_what_is_held_or_ordered_is_wanted() -> None:
    """Its contract and its underlying, beyond the horizon of any alert."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00", "SPX 6001.37", "SPXW260220C06000000 2.10 2.14", symbol="SPXW260220C06000000")
    stage.alert("10:31:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:31:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    stage.portfolio.watches.clear()
    stage.portfolio.watched_contracts.clear()
    plan = planned(stage, "10:31:01")
    assert (plan.symbols, plan.contracts) == (("SPX", "SPY"), ("SPXW260220C06000000", SPY_CALL))


def test_an_expired_position_wants_its_print() -> None:
    """From its expiry on: the closing value of its own day, or the opening one for contracts settled in the morning."""
    profile = replace(SHORT_DATED, hold_hours_max=0, exit_dte_min=0)
    stage = Stage(DAY, replace(TRACE, profiles=Profiles(short_dated=profile)))
    stage.buy("10:30:00")
    occ = "SPX260220C06000000"
    stage.buy("10:31:00", "SPX 6001.37", f"{occ} 2.10 2.14", symbol=occ)
    stage.day, friday = "2026-02-20", date(2026, 2, 20)
    assert planned(stage, "09:29:59").settlements == ()
    assert planned(stage, "09:30:00").settlements == (SettlementWanted("SPX", friday, opening=True),)
    both = (SettlementWanted("SPY", friday, opening=False), SettlementWanted("SPX", friday, opening=True))
    assert planned(stage, "16:00:00").settlements == both
    stage.day = "2026-02-23"
    assert planned(stage, "10:00:00").settlements == both


def test_something_is_wanted_exactly_while_a_plan_holds_something() -> None:
    """Nothing at first, then for the alert's sake, then for what is held, and nothing once all of that is over."""
    stage = Stage(DAY, TRACE)
    assert not wants.anything(stage.portfolio)
    stage.buy("10:30:00")
    assert wants.anything(stage.portfolio)
    held = planned(stage, "10:31:00")
    assert (held == NOTHING) is not wants.anything(stage.portfolio)
    stage.ask_close("11:00:00")
    for clock in ("11:00:00", "11:00:01"):
        stage.tick(clock, f"{SPY_CALL} 3.43 3.47")
    stage.day = "2026-02-19"
    stage.tick("10:31:00")
    assert not wants.anything(stage.portfolio)
    assert planned(stage, "10:31:00") == NOTHING


@pytest.mark.config_effect("wants.chain_interval_s")
def test_a_chain_is_looked_at_once_in_an_interval_and_for_each_signal() -> None:
    """The underlying at every look, its chain at the first look of a minute, and at once for a signal that is due."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    assert planned(stage, "10:30:00").slices
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    later = planned(stage, "10:30:05")
    assert (later.symbols, later.slices, later.contracts) == (("SPY",), (), (SPY_CALL,))
    assert planned(stage, "10:31:00").slices
    stage.alert("10:30:10", symbol="SPY", direction="short", timeframe="5m")
    assert planned(stage, "10:30:10").slices


def test_without_an_interval_the_chain_is_looked_at_in_every_cycle() -> None:
    """Zero asks for everything always."""
    stage = Stage(DAY, replace(TRACE, wants=WantSettings(chain_interval_s=0)))
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42")
    assert planned(stage, "10:30:01").slices
