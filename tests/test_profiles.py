"""Profiles: what they buy, how positions leave under them, and how long their contracts matter."""

from datetime import date

import pytest
from msgspec.structs import replace

from rules.profiles import SHORT_DATED, SWING, Profiles
from tests.stage import SPY_CALL, TRACE, Stage, instant, usd

DAY = "2026-02-13"


def test_a_profile_is_known_by_its_name() -> None:
    """Two names, and nothing else that happens to be an attribute."""
    profiles = Profiles()
    assert (profiles.named("short_dated"), profiles.named("swing")) == (SHORT_DATED, SWING)
    assert [profiles.named(one) for one in ("named", "entry_dte", "", "Swing")] == [None] * 4
    assert profiles.entry_dte() == {"short_dated": (5, 14), "swing": (30, 45)}


def test_a_horizon_is_the_hold_or_the_days_that_may_pass() -> None:
    """120 hours; without a hold, from the farthest entry to the exit by days."""
    assert (SHORT_DATED.horizon_s(), SWING.horizon_s()) == (120 * 3_600, 24 * 86_400)


def test_terms_are_percentages_of_the_fill_unless_the_alert_says_premiums() -> None:
    """Levels beside an option are honoured as given; levels of the underlying are not levels of the option."""
    stage = Stage(DAY, TRACE)
    plain = stage.buy("10:30:00", stop=590, target=600)
    assert (plain.terms.target_price, plain.terms.stop_price) == (None, None)
    assert (plain.target, plain.stop) == (usd("5.175"), usd("1.725"))
    stage = Stage(DAY, TRACE)
    said = stage.buy("10:30:00", stop=3, target=4, levels="option")
    assert (said.target, said.stop, said.initial_risk) == (usd("4"), usd("3"), 900 * usd("0.45"))
    stage = Stage(DAY, TRACE)
    half = stage.buy("10:30:00", symbol=SPY_CALL, stop=3)
    assert (half.target, half.stop) == (usd("5.175"), usd("3"))


def test_a_stop_above_the_fill_leaves_no_risk() -> None:
    """An absolute stop that the fill undercuts is honoured, and the position has no R."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol=SPY_CALL, action="buy", timeframe="5m", stop=3.6)
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.68 3.72")
    stage.tick("10:30:01", f"{SPY_CALL} 3.43 3.47")
    position = stage.portfolio.positions["pos-000001"]
    assert (position.stop, position.initial_risk) == (usd("3.60"), 0)


REACH = [(1, instant("2026-02-19", "00:00:00")), (6, instant("2026-02-14", "00:00:00")), (7, None), (21, None)]


@pytest.mark.parametrize(("exit_dte_min", "leaves_at"), REACH)
def test_a_contract_bought_under_its_minimum_has_no_such_exit(exit_dte_min: int, leaves_at: int | None) -> None:
    """Seven days away at the entry: a minimum of six is reached on Saturday, one of seven never."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    signal = stage.portfolio.signals["sig-000001"]
    profile = replace(SHORT_DATED, exit_dte_min=exit_dte_min)
    assert profile.terms("x", signal, stage.portfolio.sessions).dte_exit_at == leaves_at


def test_terms_need_an_approval() -> None:
    """A signal nobody approved has no contract to leave."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    with pytest.raises(ValueError):
        SHORT_DATED.terms("x", stage.portfolio.signals["sig-000001"], stage.portfolio.sessions)


def test_a_position_keeps_its_terms_when_the_configuration_changes() -> None:
    """A new configuration changes new positions only."""
    stage = Stage(DAY, TRACE)
    before = stage.buy("10:30:00")
    wider = Profiles(short_dated=replace(SHORT_DATED, profit_target_pct=10_000))
    stage.loop.settings = stage.settings = replace(TRACE, profiles=wider)
    after = stage.buy("11:00:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    assert (stage.portfolio.positions[before.id].target, after.target) == (usd("5.175"), usd("4"))
    assert after.contract.expiry == date(2026, 2, 20)
