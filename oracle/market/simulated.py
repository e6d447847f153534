"""A market made of arithmetic, served as a feed: every price follows from seed, first date, symbol, instant and calendar.

It keeps only what it would compute again, so that neither the order of questions nor a restart matters. Deliberately
absent: waiting, and pretending: every tick it reaches says `simulated`.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from itertools import chain

import numpy as np

from oracle import pricing
from oracle.market import smile, spread
from oracle.market.paths import GRID_NS, RATE, Course
from oracle.market.port import Carry, Ints, RawQuotes
from oracle.market.smile import Mood
from oracle.market.trading import Moment, Option, Trading
from oracle.market.underlyings import DIVIDENDS, underlying
from oracle.pricing import MICROS, Floats, Terms
from rules.wants import Plan, SettlementWanted
from state import contract as contracts
from state.calendar import Calendar, Session
from state.market import ASK_PRESENT, SIZES_KNOWN, SettlementPrint, Table, rows_of
from state.money import MICROS_PER_USD

_COURSES_MAX = 512
_SESSIONS_MAX = 256
_CONTRACTS_MAX = 8_192

Traded = Callable[[str, Session], Trading | None]
"""What trades under a symbol in a session, if anything does."""

_parsed = lru_cache(maxsize=_CONTRACTS_MAX)(contracts.parse)


class SimulatedMarket:
    """A market that begins with the first session on or after `first`; before its open nothing is known.

    Every symbol of one to six letters has a price, and all but a few have options. Prices and quotes move on the grid
    of `oracle.market.paths`; outside a session the last of them stand, with their old instants.
    """

    source = "simulated"
    carry = Carry(RATE, DIVIDENDS)
    symbols: list[str]
    """The contracts that were asked for, in the order in which they were first."""

    def __init__(self, seed: int, first: date) -> None:
        self._seed = seed
        self._first = first
        self._course = lru_cache(maxsize=_COURSES_MAX)(self._begin)
        self._kept: tuple[Calendar, Traded] | None = None
        self.symbols = []
        self._codes: dict[str, int] = {}

    def next_instant(self, after: int) -> int:
        """The next instant of the grid on which prices move."""
        return (after // GRID_NS + 1) * GRID_NS

    def observe(self, plan: Plan, now: int, *, calendar: Calendar) -> RawQuotes:
        """What is true at `now` (ns UTC) of everything planned: nothing in it depends on what comes later.

        Raises LawBroken when `now` lies outside the calendar.
        """
        traded, session = self._traded(calendar), self._newest(now, calendar)
        spots, groups = [], []
        if session is not None:
            found = (traded(symbol, session) for symbol in plan.symbols)
            spots = [one.spot(now) for one in found if one is not None]
            groups = _wanted(plan, now, session=session, traded=traded)
        prints = (self._settlement(wanted, now, calendar) for wanted in plan.settlements)
        occs = list(chain.from_iterable(options for _, options in groups))
        return RawQuotes(
            source=self.source,
            spots=tuple(spots),
            settlements=tuple(one for one in prints if one is not None),
            codes=self._coded(occs),
            quotes=_quotes(groups, now),
        )

    # -- private ------------------------------------------------------------------------------------------------

    def _coded(self, occs: list[str]) -> Ints:
        """The code of each contract; those that never had one get the next."""
        codes = np.fromiter((self._codes.get(occ, -1) for occ in occs), np.int64, len(occs))
        for place in np.flatnonzero(codes < 0).tolist():
            codes[place] = self._codes[occs[place]] = len(self.symbols)
            self.symbols.append(occs[place])
        return codes

    def _begin(self, symbol: str) -> Course | None:
        one = underlying(symbol)
        return None if one is None else Course(self._seed, self._first, one)

    def _traded(self, calendar: Calendar) -> Traded:
        """What trades by a calendar. A calendar hashes slowly, so that what follows from it is kept for one at a time."""
        if self._kept is None or self._kept[0] is not calendar:

            @lru_cache(maxsize=_SESSIONS_MAX)
            def traded(symbol: str, session: Session) -> Trading | None:
                course = self._course(symbol)
                return None if course is None else Trading(course, session, calendar)

            self._kept = calendar, traded
        return self._kept[1]

    def _newest(self, now: int, calendar: Calendar) -> Session | None:
        """The newest session that has opened; None while the market has not begun, or before the calendar's first."""
        if calendar.day_of(now) < self._first or not calendar.sessions or now < calendar.sessions[0].open:
            return None
        session = calendar.session_at_or_before(now)
        return session if session.day >= self._first else None

    def _settlement(self, wanted: SettlementWanted, now: int, calendar: Calendar) -> SettlementPrint | None:
        """The price at the open or the close of a session, once it is known."""
        session = calendar.session_on(wanted.day)
        if session is None or session.day < self._first:
            return None
        at = session.open if wanted.opening else session.close
        trading = self._traded(calendar)(wanted.symbol, session) if at <= now else None
        if trading is None:
            return None
        return SettlementPrint(wanted.symbol, wanted.day, wanted.opening, trading.spot(at).price, at)


# -- quotes ---------------------------------------------------------------------------------------------------------

Groups = list[tuple[Trading, dict[str, Option]]]


def _wanted(plan: Plan, now: int, *, session: Session, traded: Traded) -> Groups:
    """The options of a plan that have not settled, each once, beside what they are options on."""
    found: dict[str, tuple[Trading, dict[str, Option]]] = {}
    for wanted in plan.slices:
        trading = traded(wanted.symbol, session)
        if trading is not None:
            found.setdefault(wanted.symbol, (trading, {}))[1].update(trading.near(wanted, now))
    for occ in plan.contracts:
        contract = _parsed(occ)
        trading = traded(contract.underlying, session)
        option = None if trading is None else trading.named(contract)
        if trading is not None and option is not None:
            found.setdefault(contract.underlying, (trading, {}))[1][occ] = option
    live = (
        (trading, {occ: one for occ, one in options.items() if now < one.series.expires_at})
        for trading, options in found.values()
    )
    return [(trading, options) for trading, options in live if options]


def _quotes(groups: Groups, now: int) -> Table:
    """What is told of all options, those of all underlyings priced as one chain."""
    options = [one for _, of in groups for one in of.values()]
    seen = Moment.joined([trading.moment(list(of.values()), now) for trading, of in groups])
    terms, mood, width = _chain(groups, options, seen)
    vol, distance = smile.volatility(terms, mood)
    price = pricing.quantise(pricing.price_and_greeks(terms, vol).price, MICROS)
    roots = [one.series.root for one in options]
    bid, ask = spread.sides(price, width, distance=distance, roots=roots)
    flags = np.full(len(options), ASK_PRESENT | SIZES_KNOWN, np.int64)
    return rows_of(seen.at, bid, ask, np.where(bid > 0, seen.bid_size, 0), seen.ask_size, flags)


def _chain(groups: Groups, options: list[Option], seen: Moment) -> tuple[Terms, Mood, Floats]:
    """(terms, mood, spread at the money) of all options, underlying after underlying."""
    counts = [len(of) for _, of in groups]
    of = [trading.underlying for trading, _ in groups]

    def each(values: list[float]) -> Floats:
        return np.repeat(np.array(values, np.float64), counts)

    expires_at = np.array([one.series.expires_at for one in options], np.int64)
    terms = Terms(
        spot=seen.spot / MICROS_PER_USD,
        strike=np.array([one.strike for one in options], np.float64) / MICROS_PER_USD,
        years=pricing.time_to_expiry(expires_at - seen.at, 0),
        rate=np.full(len(options), RATE),
        dividend=each([one.dividend for one in of]),
        sign=np.array([one.sign for one in options], np.float64),
        american=np.array([not one.series.european for one in options], np.bool_),
    )
    mood = Mood(each([one.volatility for one in of]), seen.unrest, each([one.skew for one in of]), seen.days)
    return terms, mood, each([one.width for one in of])
