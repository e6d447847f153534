"""The adopted table of exchange sessions: phase, New York date, next open, last trade and expiry are looked up in it.

The table is data inside an input, so a replay needs neither a calendar library nor time zone rules. Deliberately absent:
the clock, and the making of the table, which belongs to `oracle.sessions`.
"""

from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter

import msgspec

from state.contract import Contract
from state.errors import LawBroken

SECOND = 1_000_000_000
"""Nanoseconds in a second: instants are nanoseconds, settings speak of seconds."""

_HOUR_NS = 3_600 * SECOND
_ETH_START_NS = 4 * _HOUR_NS
_ETH_END_NS = 20 * _HOUR_NS
_THURSDAY = 3
_FRIDAY = 4

_open_of = attrgetter("open")


class Phase(StrEnum):
    """What the exchange is doing at an instant: regular hours, extended hours of a session day, or nothing."""

    RTH = "rth"
    ETH = "eth"
    CLOSED = "closed"


class Session(msgspec.Struct, frozen=True, array_like=True):
    """One session: its New York date, and open, close and close of the late option roots in nanoseconds UTC."""

    day: date
    open: int
    close: int
    late_close: int
    early: bool


class Calendar(msgspec.Struct, frozen=True, array_like=True):
    """Sessions of one exchange over consecutive New York dates.

    `midnights[i]` is the nanosecond UTC at which date `first + i` begins in New York; the last entry ends the last date.
    `sessions` ascend. `late_roots` are the option roots that trade to `late_close`. Raises LawBroken when it is built
    from columns that contradict each other.

    Questions about an *instant* (or for an instant) outside the table raise LawBroken: now must always be known.
    Questions about a *date* outside it answer as if no session were there, since contracts may expire beyond it.
    """

    exchange: str
    source: str
    first: date
    midnights: tuple[int, ...]
    sessions: tuple[Session, ...]
    late_roots: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a table on which bisection would give wrong answers."""
        if len(self.midnights) < 2 or any(a >= b for a, b in pairwise(self.midnights)):
            raise LawBroken("calendar: the midnights do not ascend; build the calendar again")
        if any(a.late_close >= b.open for a, b in pairwise(self.sessions)):
            raise LawBroken("calendar: sessions overlap or do not ascend; build the calendar again")
        for session in self.sessions:
            if not session.open < session.close <= session.late_close or self.day_of(session.open) != session.day:
                raise LawBroken(f"calendar: the session of {session.day} contradicts its date; build it again")

    # -- dates and instants -------------------------------------------------------------------------------------

    @property
    def last(self) -> date:
        """The last New York date of the table."""
        return self.first + timedelta(days=len(self.midnights) - 2)

    def covers(self, instant: int) -> bool:
        """True when the instant (ns UTC) lies on one of the table's dates."""
        return self.midnights[0] <= instant < self.midnights[-1]

    def day_of(self, instant: int) -> date:
        """The New York date of an instant (ns UTC). Raises LawBroken outside the table."""
        if not self.covers(instant):
            raise self._outside(f"instant {instant}")
        return self.first + timedelta(days=bisect_right(self.midnights, instant) - 1)

    def midnight_of(self, day: date) -> int:
        """The instant (ns UTC) at which a New York date begins; the day after `last` is known too.

        Raises LawBroken outside the table.
        """
        index = (day - self.first).days
        if not 0 <= index < len(self.midnights):
            raise self._outside(day.isoformat())
        return self.midnights[index]

    # -- sessions -----------------------------------------------------------------------------------------------

    def session_on(self, day: date) -> Session | None:
        """The session of a New York date; None on weekends, holidays and outside the table."""
        index = (day - self.first).days
        if not 0 <= index < len(self.midnights) - 1:
            return None
        found = bisect_left(self.sessions, self.midnights[index], key=_open_of)
        if found < len(self.sessions) and self.sessions[found].open < self.midnights[index + 1]:
            return self.sessions[found]
        return None

    def session_at_or_before(self, instant: int) -> Session:
        """The newest session that has opened by the instant, be it over or not. Raises LawBroken when none has."""
        found = bisect_right(self.sessions, instant, key=_open_of)
        if found == 0 or not self.covers(instant):
            raise self._outside(f"the session before instant {instant}")
        return self.sessions[found - 1]

    def next_session(self, instant: int) -> Session:
        """The first session that opens after the instant, never the running one. Raises LawBroken past the last."""
        found = bisect_right(self.sessions, instant, key=_open_of)
        if found == len(self.sessions) or not self.covers(instant):
            raise self._outside(f"the session after instant {instant}")
        return self.sessions[found]

    def next_open(self, instant: int) -> int:
        """The first opening bell (ns UTC) strictly after the instant. Raises LawBroken past the last."""
        return self.next_session(instant).open

    def phase(self, instant: int) -> Phase:
        """RTH from the bell up to the close; ETH 04:00-09:30 and close-20:00 New York on session days; else CLOSED.

        Bounds belong to what begins at them. Raises LawBroken outside the table.
        """
        session = self.session_on(self.day_of(instant))
        if session is None:
            return Phase.CLOSED
        if session.open <= instant < session.close:
            return Phase.RTH
        # Clocks change on Sundays only, so that hours count from midnight on every session day.
        since_midnight = instant - self.midnight_of(session.day)
        return Phase.ETH if _ETH_START_NS <= since_midnight < _ETH_END_NS else Phase.CLOSED

    def is_friday_class(self, day: date) -> bool:
        """True for a Friday session, and for a Thursday session whose Friday is known to be no session."""
        if self.session_on(day) is None:
            return False
        if day.weekday() == _FRIDAY:
            return True
        friday = day + timedelta(days=1)
        return day.weekday() == _THURSDAY and friday <= self.last and self.session_on(friday) is None

    # -- contracts ----------------------------------------------------------------------------------------------

    def trading_close(self, contract: Contract, day: date) -> int | None:
        """When the contract stops trading (ns UTC) on a New York date; None where it does not trade at all.

        Late roots trade to the late close, except SPXW on its expiration session; everything else stops at the session
        close. AM-settled contracts do not trade on their expiration session, nor any contract after it. A contract
        that expires beyond the table counts as not yet expiring.
        """
        session = self.session_on(day)
        if session is None or day > contract.expiry:
            return None
        expiring = session == self._expiration_session(contract.expiry)
        if expiring and contract.am_settled:
            return None
        stops_early = expiring and contract.root == "SPXW"
        return session.late_close if contract.root in self.late_roots and not stops_early else session.close

    def tradable(self, contract: Contract, instant: int) -> bool:
        """True from the opening bell up to, not at, the contract's close. Raises LawBroken outside the table."""
        session = self.session_on(self.day_of(instant))
        if session is None or instant < session.open:
            return False
        close = self.trading_close(contract, session.day)
        return close is not None and instant < close

    def last_trade_at(self, contract: Contract) -> int | None:
        """When the contract stops trading for good (ns UTC); None when that lies outside the table."""
        final = self._expiration_session(contract.expiry)
        if final is None:
            return None
        if not contract.am_settled:
            return self.trading_close(contract, final.day)
        found = bisect_left(self.sessions, final.open, key=_open_of)
        return self.trading_close(contract, self.sessions[found - 1].day) if found else None

    def expiry_instant(self, contract: Contract) -> int | None:
        """When the contract settles (ns UTC): AM roots at the open, others at the close of the expiration session.

        A date without a session (an old Saturday expiration, a holiday) means the session before it. None when the
        expiration date lies outside the table.
        """
        final = self._expiration_session(contract.expiry)
        if final is None:
            return None
        return final.open if contract.am_settled else final.close

    # -- days to expiry -----------------------------------------------------------------------------------------

    def dte(self, expiry: date, instant: int) -> int:
        """Calendar days from the instant's New York date to the expiration date, negative after it.

        Raises LawBroken when the instant lies outside the table; the expiration date may.
        """
        return (expiry - self.day_of(instant)).days

    def dte_reached_at(self, expiry: date, dte_min: int) -> int | None:
        """The first instant (ns UTC) of the table with `dte(expiry, instant) <= dte_min`: a New York midnight.

        None when the whole table lies before it.
        """
        day = expiry - timedelta(days=dte_min)
        if day > self.last:
            return None
        return self.midnight_of(max(day, self.first))

    # -- private ------------------------------------------------------------------------------------------------

    def _expiration_session(self, expiry: date) -> Session | None:
        """The last session on or before an expiration date inside the table."""
        index = (expiry - self.first).days
        if not 0 <= index < len(self.midnights) - 1:
            return None
        found = bisect_left(self.sessions, self.midnights[index + 1], key=_open_of)
        return self.sessions[found - 1] if found else None

    def _outside(self, what: str) -> LawBroken:
        return LawBroken(
            f"{what} is not covered by the {self.exchange} calendar {self.first}..{self.last}: adopt a longer one"
        )
