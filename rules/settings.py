"""All settings the rules read, assembled from the structs that stand beside the rules they limit."""

from typing import Literal

import msgspec

from rules.fills import FillSettings
from rules.gates import GateLimits
from rules.orders import OrderSettings
from rules.profiles import Profile, Profiles
from rules.sizing import SizingLimits
from rules.strikes import StrikeLimits
from rules.ticks import TickRules
from rules.wants import WantSettings
from state.errors import LawBroken
from state.money import Count
from state.signal import Signal


class IntakeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How alerts are admitted.

    Within `duplicate_window_s`, but at most half the timeframe, an alert repeats the last one of its symbol, direction
    and timeframe; `duplicate_windows_s` sets the window per timeframe. `exit_alerts`: ignore them or close on them.
    """

    profile: Literal["short_dated", "swing"] = "short_dated"
    duplicate_window_s: Count = 60
    duplicate_windows_s: dict[str, int] = {}
    exit_alerts: Literal["ignore", "close"] = "ignore"


class SessionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`closed_market_mode`: queue, decision_only or reject what arrives outside regular hours."""

    closed_market_mode: Literal["queue", "decision_only", "reject"] = "decision_only"
    allow_premarket: bool = False
    allow_afterhours: bool = False
    close_grace_s: Count = 600
    retry_delay_s: Count = 60


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a rule may be told by configuration."""

    intake: IntakeSettings = IntakeSettings()
    session: SessionSettings = SessionSettings()
    gates: GateLimits = GateLimits()
    strikes: StrikeLimits = StrikeLimits()
    sizing: SizingLimits = SizingLimits()
    orders: OrderSettings = OrderSettings()
    ticks: TickRules = TickRules()
    fills: FillSettings = FillSettings()
    wants: WantSettings = WantSettings()
    profiles: Profiles = Profiles()

    def profile_of(self, signal: Signal) -> Profile:
        """The profile a signal was admitted under; raises LawBroken when the configuration no longer has it."""
        profile = self.profiles.named(signal.profile)
        if profile is None:
            raise LawBroken(f"{signal.id} was admitted under the unknown profile {signal.profile}")
        return profile
