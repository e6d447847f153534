"""Which options a simulated underlying has: expiration dates by class, and a strike at every step of a fixed grid.

The list of a date depends on the calendar alone and what was listed stays listed until it expires. Deliberately
absent: prices, and expiration dates beyond the calendar, of which nobody knows whether they are sessions.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from oracle.market.paths import NIGHT_SHARE
from oracle.market.underlyings import Underlying
from state.calendar import Calendar, Session
from state.contract import AM_SETTLED_ROOTS, Contract, Right

DAILY_DAYS_MAX = 14
WEEKLY_DAYS_MAX = 56
MONTHLY_DAYS_MAX = 183
"""How many days ahead daily, weekly and monthly expirations are listed."""

DAILY_ROOTS = ("SPY", "QQQ", "IWM", "XSP", "SPXW", "NDXP", "RUTW")

_FRIDAY = 4


class Series(NamedTuple):
    """All options of one root and expiration date, as they trade in one session.

    `expires_at` is when they settle and `stops_at` when they stop trading in this session (ns UTC); `days` is the
    variance between this session and their settlement, in weekdays.
    """

    root: str
    expiry: date
    european: bool
    expires_at: int
    stops_at: int
    days: float


def listed(underlying: Underlying, session: Session, calendar: Calendar) -> tuple[Series, ...]:
    """Every series that trades in a session, by root and expiration date."""
    return tuple(
        one
        for root in underlying.roots
        for expiry in expirations(root, session.day, calendar)
        if (one := _series(Contract(root, expiry, Right.CALL, underlying.step), session, calendar)) is not None
    )


def expirations(root: str, today: date, calendar: Calendar) -> Iterator[date]:
    """The expiration dates of a root that are listed today, ascending: third Fridays, Fridays, and for some each day.

    Where a Friday is no session it is the Thursday before. AM-settled roots have third Fridays only.
    """
    for ahead in range(MONTHLY_DAYS_MAX + 1):
        day = today + timedelta(days=ahead)
        if calendar.session_on(day) is not None and ahead <= _listed_ahead(root, day, calendar):
            yield day


def _listed_ahead(root: str, day: date, calendar: Calendar) -> int:
    """How many days ahead of a session its expiration is listed; -1 when the root never expires on it."""
    weekly = calendar.is_friday_class(day)
    if weekly and _third(day):
        return MONTHLY_DAYS_MAX
    if root in AM_SETTLED_ROOTS:
        return -1
    if weekly:
        return WEEKLY_DAYS_MAX
    return DAILY_DAYS_MAX if root in DAILY_ROOTS else -1


def _third(day: date) -> bool:
    """Whether a day of Friday class stands for the third Friday of its month."""
    friday = day + timedelta(days=_FRIDAY - day.weekday())
    return 15 <= friday.day <= 21


def _series(any_strike: Contract, session: Session, calendar: Calendar) -> Series | None:
    expires_at = calendar.expiry_instant(any_strike)
    stops_at = calendar.trading_close(any_strike, session.day)
    if expires_at is None or stops_at is None:
        return None
    days = float(np.busday_count(session.day, any_strike.expiry))
    return Series(
        root=any_strike.root,
        expiry=any_strike.expiry,
        european=any_strike.european,
        expires_at=expires_at,
        stops_at=stops_at,
        days=days - (1.0 - NIGHT_SHARE) if any_strike.am_settled else days,
    )
