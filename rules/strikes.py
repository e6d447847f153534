"""Which contract: the simple strike snapped to the listed chain, and the profile's expiry among those listed."""

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from rules.profiles import Profile
from state.alert import Direction
from state.calendar import Calendar
from state.contract import Contract, Right
from state.money import BASIS_POINTS, MICROS_PER_USD, Pct

_SATURDAY = 5


class StrikeLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`snap_pct_max`: how far, in percent of the underlying, the nearest listed strike may lie from the wanted one.

    `snap_unlisted`: an alert's own contract that is not listed moves to the nearest listed strike of its expiry
    instead of being refused.
    """

    snap_pct_max: Pct = 500
    snap_unlisted: bool = False


def right_of(direction: Direction) -> Right:
    """A long view buys calls, a short view buys puts."""
    return Right.CALL if direction is Direction.LONG else Right.PUT


def wanted_strike(spot: int, right: Right) -> int:
    """The nearest whole-dollar strike at or out of the money: ceil for calls, floor for puts (micro-dollars)."""
    if right is Right.CALL:
        return -(-spot // MICROS_PER_USD) * MICROS_PER_USD
    return spot // MICROS_PER_USD * MICROS_PER_USD


def expiry_of(chain: Iterable[Contract], profile: Profile, *, today: date, calendar: Calendar) -> date | None:
    """The nearest listed expiry of Friday class inside the profile's days to expiry, or None."""
    earliest = today + timedelta(days=profile.entry_dte_min)
    latest = today + timedelta(days=profile.entry_dte_max)
    listed = sorted({one.expiry for one in chain if earliest <= one.expiry <= latest})
    return next((day for day in listed if _friday_class(day, calendar)), None)


def _friday_class(day: date, calendar: Calendar) -> bool:
    """The calendar's Friday class, and the Saturday after it: monthly contracts expired on it until February 2015."""
    eve = (day - timedelta(days=1), day - timedelta(days=2))
    return calendar.is_friday_class(day) or (
        day.weekday() == _SATURDAY and any(calendar.is_friday_class(one) for one in eve)
    )


def snap(chain: Iterable[Contract], wanted: int, right: Right) -> Contract | None:
    """The listed contract of a right nearest to a wanted strike on its out-of-the-money side, else nearest at all.

    Of two roots with the same strike the one that settles at the close wins: it can be traded on its last day.
    """
    listed = [one for one in chain if one.right is right]
    beyond = [one for one in listed if (one.strike >= wanted if right is Right.CALL else one.strike <= wanted)]
    return min(beyond or listed, key=lambda one: (abs(one.strike - wanted), one.am_settled, one.root), default=None)


def near_enough(contract: Contract, wanted: int, *, spot: int, limits: StrikeLimits) -> bool:
    """True when the snapped strike lies within the allowed distance of the wanted one."""
    return abs(contract.strike - wanted) * BASIS_POINTS <= spot * limits.snap_pct_max


def named(chain: tuple[Contract, ...], wanted: Contract, limits: StrikeLimits, *, spot: int) -> Contract | None:
    """The contract an alert names, if it is listed; else its nearest listed neighbour where configuration allows."""
    if wanted in chain:
        return wanted
    if not limits.snap_unlisted:
        return None
    same_expiry = (one for one in chain if one.expiry == wanted.expiry)
    found = snap(same_expiry, wanted.strike, wanted.right)
    return found if found is not None and near_enough(found, wanted.strike, spot=spot, limits=limits) else None
