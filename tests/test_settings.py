"""The settings of the rules are one closed tree, and a signal finds the profile it was admitted under."""

import msgspec
import pytest
from msgspec.structs import replace

from rules.profiles import SHORT_DATED
from rules.settings import Settings
from state.errors import LawBroken
from tests.stage import Stage


def test_a_signal_finds_its_profile() -> None:
    """By the name it was admitted under; a name that is gone is a broken law, since positions depend on it."""
    stage = Stage("2026-02-13")
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    signal = stage.portfolio.signals["sig-000001"]
    assert Settings().profile_of(signal) == SHORT_DATED
    with pytest.raises(LawBroken, match="weekly"):
        Settings().profile_of(replace(signal, profile="weekly"))


def test_unknown_keys_and_negative_numbers_are_refused() -> None:
    """A misspelt key is an error with its path, at every level, and so is a number below zero."""
    for body in ('{"gate": {}}', '{"gates": {"open_position_max": 1}}', '{"gates": {"open_positions_max": -1}}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=Settings)


def test_settings_survive_their_bytes() -> None:
    """What is journaled as the configuration in force comes back equal."""
    assert msgspec.json.decode(msgspec.json.encode(Settings()), type=Settings) == Settings()
