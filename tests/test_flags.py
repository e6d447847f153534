"""Named switches over the configuration: what each changes, who has the word, and that one record has one snapshot."""

import pytest

from oracle import meanings
from rules import flags
from rules.flags import FLAGS, Standing
from rules.orders import OrderSettings
from rules.settings import IntakeSettings, SessionSettings, Settings
from rules.strikes import StrikeLimits
from state.facts import Alerted, CloseAsked, FlagSet, SignalApproved, SignalQueued, SignalRefused
from state.inputs import Ask
from tests.stage import SPY_CALL, TRACE, Stage

DAY = "2026-02-13"
SPY = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47")
LONG = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
NAMES = [one.name for one in FLAGS]
ALL_ON = Settings(
    intake=IntakeSettings(exit_alerts="close"),
    session=SessionSettings(allow_premarket=True, allow_afterhours=True),
    strikes=StrikeLimits(snap_unlisted=True),
    orders=OrderSettings(add_to_position=True),
)


def test_every_flag_stands_over_a_key_that_exists() -> None:
    """Its key is one of the configuration, its two values are the two that the key can have, its name its own."""
    assert len(set(NAMES)) == len(FLAGS)
    for one in FLAGS:
        assert f"{one.table}.{one.key}" in meanings.MEANINGS
        assert one.is_on(ALL_ON)
        assert not one.is_on(one.set_in(ALL_ON, on=False))
        assert one.set_in(one.set_in(ALL_ON, on=False), on=True) == ALL_ON


def test_settings_that_no_flag_changes_are_the_same_object() -> None:
    """Without flags, with flags that say what the configuration says, and with a name of another version."""
    assert flags.in_force(ALL_ON, {}) is ALL_ON
    assert flags.in_force(ALL_ON, dict.fromkeys([*NAMES, "of_another_version"], True)) is ALL_ON


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_changes_its_key_alone(name: str) -> None:
    """The others stay as configured, and the names of those that are on say so."""
    changed = flags.in_force(ALL_ON, {name: False})
    assert flags.names_on(changed) == tuple(one for one in NAMES if one != name)
    assert flags.in_force(changed, {name: True}) == ALL_ON


def test_the_standing_tells_who_has_the_word() -> None:
    """The configuration until the operator speaks, also where both say the same."""
    rows = flags.standing(Settings(), {"snap_unlisted": True, "add_to_position": True, "allow_premarket": False})
    assert [(one.name, one.on, one.set_by) for one in rows] == [
        ("allow_premarket", False, "operator"),
        ("allow_afterhours", False, "config"),
        ("snap_unlisted", True, "operator"),
        ("add_to_position", True, "operator"),
        ("close_on_exit_alerts", False, "config"),
    ]
    meaning = "an alert to leave closes what its source holds in the symbol"
    assert rows[-1] == Standing("close_on_exit_alerts", False, "config", "intake.exit_alerts", meaning)


@pytest.mark.produces("unknown_flag")
def test_the_operator_sets_and_clears_a_flag() -> None:
    """With the words; a name that no flag has switches nothing and is said back, cut."""
    stage = Stage(DAY)
    assert stage.ask("10:00:00", Ask.FLAG_ON, "snap_unlisted", "thin") == (FlagSet("snap_unlisted", True, "thin"),)
    assert stage.ask("10:00:01", Ask.FLAG_OFF, "snap_unlisted") == (FlagSet("snap_unlisted", False, "test"),)
    assert stage.portfolio.flags == {"snap_unlisted": False}
    assert stage.ask("10:00:02", Ask.FLAG_CLEAR, "snap_unlisted") == (FlagSet("snap_unlisted", None, "test"),)
    assert stage.portfolio.flags == {}
    for about in ("", "snap", "y" * 99):
        assert stage.ask("10:00:03", Ask.FLAG_ON, about) == (Alerted("unknown_flag", about[:40]),)


@pytest.mark.parametrize(
    ("name", "clock", "queued"),
    [
        ("allow_premarket", "08:00:00", True),
        ("allow_afterhours", "17:00:00", True),
        ("snap_unlisted", "08:00:00", False),
    ],
)
def test_extended_hours_are_switched(name: str, clock: str, queued: bool) -> None:
    """A signal outside the session is queued to the open while its flag is on."""
    stage = Stage(DAY, TRACE)
    stage.ask("07:00:00", Ask.FLAG_ON, name)
    stage.alert(clock, **LONG)
    stage.tick(clock)
    assert (len(stage.of(SignalQueued)) == 1) == queued


def test_an_unlisted_contract_is_snapped_while_the_flag_is_on() -> None:
    """The same alert, refused without and approved with it."""
    found = []
    for ask in (Ask.FLAG_OFF, Ask.FLAG_ON):
        stage = Stage(DAY, TRACE)
        stage.ask("10:00:00", ask, "snap_unlisted")
        stage.alert("10:30:00", symbol="SPY260220C00597000", direction="long", timeframe="5m")
        stage.tick("10:30:00", *SPY)
        found.append((len(stage.of(SignalRefused)), len(stage.of(SignalApproved))))
    assert found == [(1, 0), (0, 1)]


def test_adding_to_a_position_is_switched_off() -> None:
    """What configuration allows, the operator may forbid."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.ask("10:01:00", Ask.FLAG_OFF, "add_to_position")
    stage.alert("10:30:00", **LONG)
    stage.tick("10:30:00", *SPY)
    assert stage.last(SignalRefused).code == "duplicate_position"
    assert stage.last(SignalRefused).flags == ()


def test_exit_alerts_close_while_the_flag_is_on() -> None:
    """And are ignored again when the word goes back to the configuration."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.ask("10:01:00", Ask.FLAG_ON, "close_on_exit_alerts")
    stage.ask("10:01:01", Ask.FLAG_CLEAR, "close_on_exit_alerts")
    stage.alert("10:02:00", symbol="SPY", action="close")
    assert stage.of(CloseAsked) == []
    stage.ask("10:03:00", Ask.FLAG_ON, "close_on_exit_alerts")
    stage.alert("10:04:00", symbol="SPY", action="close")
    assert [one.position_id for one in stage.of(CloseAsked)] == ["pos-000001"]
