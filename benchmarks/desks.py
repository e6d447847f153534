"""A desk for measurements: so many open positions, each of a contract of its own, and a market whose quotes move."""

from datetime import date

import numpy as np

from oracle import pricing, sessions
from oracle.loop import Loop, Sink
from oracle.market.port import Carry, RawQuotes
from oracle.pricing import Terms
from oracle.walk import Steps
from rules.settings import Settings
from rules.wants import Plan
from state.applying import apply
from state.calendar import SECOND, Calendar
from state.contract import Contract, Right
from state.facts import PositionOpened
from state.inputs import CalendarAdopted, ConfigAdopted
from state.market import ASK_PRESENT, QUOTE, SIZES_KNOWN, Spot, rows_of
from state.money import MICROS_PER_USD
from state.portfolio import Portfolio
from state.position import ExitTerms, Position

START = 1_770_994_800_000_000_000  # 2026-02-13 10:00 in New York
EXPIRY = date(2026, 2, 27)
SPOT_USD, VOL, RATE = 596.25, 0.5, 0.04
PER_UNDERLYING = 1_000
CENT = 10_000
TERMS = ExitTerms("short_dated", 5_000, 5_000, None, None, None, None)
SETTINGS = Settings()
_AT, _BID, _ASK = QUOTE.index("at"), QUOTE.index("bid"), QUOTE.index("ask")


def contract(number: int) -> Contract:
    """One of many contracts: calls and puts at five hundred strikes around the price of each of many underlyings."""
    underlying, place = divmod(number, PER_UNDERLYING)
    name = f"X{chr(65 + underlying // 26 % 26)}{chr(65 + underlying % 26)}"
    strike = 471 * MICROS_PER_USD + place // 2 * MICROS_PER_USD // 2
    return Contract(name, EXPIRY, (Right.CALL, Right.PUT)[place % 2], strike)


class Moving:
    """A feed that quotes every contract a cent apart, and in turn a cent higher and lower, the first `moved` of them."""

    source = "bench"
    carry = Carry(RATE)

    def __init__(self, contracts: list[Contract], calendar: Calendar) -> None:
        self.symbols = [one.occ for one in contracts]
        self.moved = len(contracts)
        count = len(contracts)
        self.expiry = np.array([calendar.expiry_instant(one) for one in contracts], np.int64)
        self.terms = Terms(
            spot=np.full(count, SPOT_USD),
            strike=np.array([one.strike / MICROS_PER_USD for one in contracts]),
            years=pricing.time_to_expiry(self.expiry, START),
            rate=np.full(count, RATE),
            dividend=np.zeros(count),
            sign=np.array([1.0 if one.right is Right.CALL else -1.0 for one in contracts]),
            american=np.ones(count, np.bool_),
        )
        mid = np.maximum(
            np.rint(pricing.price(self.terms, np.full(count, VOL)) * 100).astype(np.int64) * CENT, 3 * CENT
        )
        sizes, flags = np.full(count, 50), np.full(count, ASK_PRESENT | SIZES_KNOWN)
        self.quotes = rows_of(np.full(count, START), mid - CENT, mid + CENT, sizes, sizes, flags)
        self._codes = np.arange(count)
        self._names = tuple(dict.fromkeys(one.underlying for one in contracts))
        self._step = CENT

    def next_instant(self, after: int) -> int | None:
        """Asked by nobody here."""
        return after + SECOND

    def observe(self, plan: Plan, now: int, *, calendar: Calendar) -> RawQuotes:  # noqa: ARG002  All of it is planned.
        """All contracts; those that moved at this instant, and the others as they were."""
        moved = self.quotes[: self.moved]
        moved[:, _AT] = now
        moved[:, _BID : _ASK + 1] += self._step
        self._step = -self._step
        spots = tuple(Spot(name, int(SPOT_USD * MICROS_PER_USD), now) for name in self._names)
        return RawQuotes("bench", spots, (), self._codes, self.quotes)


def position(number: int, held: Contract, price: int) -> Position:
    """An open position at levels that are never reached."""
    one, cost = f"{number + 1:06d}", price * 100
    return Position(
        id=f"pos-{one}",
        signal_id=f"sig-{one}",
        order_id=f"ord-{one}",
        book="paper",
        is_test=False,
        source="bench",
        engine="A",
        contract=held,
        direction="long",
        terms=TERMS,
        opened_at=START,
        quantity=1,
        quantity_open=1,
        cost=cost,
        cost_open=cost,
        commission=700_000,
        commission_open=700_000,
        target=10_000 * MICROS_PER_USD,
        stop=1,
        hold_until=None,
        initial_risk=cost // 2,
        market_source="bench",
    )


class Unkept:
    """Numbers records and forgets them."""

    def __init__(self) -> None:
        self.lsn = 0

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:  # noqa: ARG002  Forgotten.
        """Number a record."""
        self.lsn += 1
        return self.lsn


class Desk:
    """A loop that holds so many positions, and a second that goes on with each cycle."""

    def __init__(self, count: int, sink: Sink, *, settings: Settings = SETTINGS) -> None:
        self.calendar = sessions.build(date(2026, 2, 1), date(2026, 4, 1))
        contracts = [contract(one) for one in range(count)]
        self.feed = Moving(contracts, self.calendar)
        self.loop = Loop(Portfolio(), sink, settings_of=lambda _: settings)
        self.portfolio = self.loop.portfolio
        self.steps = Steps(self.loop, self.feed, lambda *_: None)
        self.at = START
        self.loop.take(ConfigAdopted(b"{}", "bench", 100_000_000_000_000), at=START)
        self.loop.take(CalendarAdopted(self.calendar), at=START)

    def open(self) -> None:
        """Hold a position in every contract, once all of them were quoted."""
        self.cycle()
        mids = self.feed.quotes[:, _BID] + CENT
        for number, mid in enumerate(mids.tolist()):
            apply(self.portfolio, PositionOpened(position(number, contract(number), mid)))
        self.portfolio.check()

    def cycle(self) -> None:
        """One whole cycle, a second later."""
        self.at += SECOND
        self.steps.cycle(self.at)
