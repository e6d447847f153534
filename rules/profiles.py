"""Named pairs of entry and exit terms: what a signal of a profile buys, and how the position leaves."""

import msgspec

from state.calendar import Calendar
from state.money import Count, Pct
from state.position import ExitTerms
from state.signal import Signal

DAY_S = 86_400


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entry: the nearest listed expiry of Friday class with `entry_dte_min` to `entry_dte_max` calendar days.

    Exit: percentages of the fill price, a minimum of calendar days to expiry, and hours held (0: no limit).
    """

    entry_dte_min: Count
    entry_dte_max: Count
    profit_target_pct: Pct
    stop_loss_pct: Pct
    exit_dte_min: Count
    hold_hours_max: Count

    def horizon_s(self) -> int:
        """How long after a signal its contracts may still matter, in seconds."""
        if self.hold_hours_max:
            return self.hold_hours_max * 3600
        return (self.entry_dte_max - self.exit_dte_min) * DAY_S

    def terms(self, name: str, signal: Signal, calendar: Calendar) -> ExitTerms:
        """The exit terms of a position bought for a signal; absolute option levels in the alert win.

        A contract bought at or under the minimum of days to expiry has no such exit: it would leave at once. It
        stays until another rule or its expiration takes it.
        """
        entry, recommendation = signal.entry, signal.recommendation
        if recommendation is None:
            raise ValueError(f"{signal.id} was not approved")
        on_option = entry.levels_on == "option"
        expiry = recommendation.contract.expiry
        bought = calendar.day_of(recommendation.quote_at)
        reachable = (expiry - bought).days > self.exit_dte_min
        return ExitTerms(
            profile=name,
            target_bp=self.profit_target_pct,
            stop_bp=self.stop_loss_pct,
            target_price=entry.target if on_option else None,
            stop_price=entry.stop if on_option else None,
            dte_exit_at=calendar.dte_reached_at(expiry, self.exit_dte_min) if reachable else None,
            hold_s=self.hold_hours_max * 3600 or None,
        )


SHORT_DATED = Profile(
    entry_dte_min=5,
    entry_dte_max=14,
    profit_target_pct=5_000,
    stop_loss_pct=5_000,
    exit_dte_min=1,
    hold_hours_max=120,
)
SWING = Profile(
    entry_dte_min=30,
    entry_dte_max=45,
    profit_target_pct=5_000,
    stop_loss_pct=7_500,
    exit_dte_min=21,
    hold_hours_max=0,
)


class Profiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The profiles a signal may name."""

    short_dated: Profile = SHORT_DATED
    swing: Profile = SWING

    def named(self, name: str) -> Profile | None:
        """The profile of a name, or None."""
        return getattr(self, name, None) if name in self.__struct_fields__ else None

    def entry_dte(self) -> dict[str, tuple[int, int]]:
        """(least, most) calendar days to expiry that each profile may buy."""
        profiles = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: (one.entry_dte_min, one.entry_dte_max) for name, one in profiles}
