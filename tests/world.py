"""A world for the stateful test: a stage whose clock runs on, with listed contracts, a market, a broker and restarts."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from oracle.broker.paper import PaperBroker
from oracle.loop import Loop
from oracle.verify import Verifier
from rules.fills import FillModel, FillSettings
from rules.gates import GateLimits
from rules.orders import OrderSettings
from rules.settings import IntakeSettings, SessionSettings, Settings
from rules.sizing import SizingLimits, SizingMode
from rules.strikes import StrikeLimits
from state import keeping
from state.applying import apply
from state.calendar import Phase
from state.contract import Contract, Right
from state.facts import AnyFact
from state.frames import Body
from state.inputs import AnyInput, BrokerReported, TickReached
from state.market import ASK_PRESENT, QUOTE, SIZES_KNOWN, MarketColumns, SettlementPrint, Spot
from state.order import Order
from state.portfolio import Portfolio
from state.record import decode
from tests.stage import CASH, SECOND, Kept, Stage, instant
from tests.witness import Witness

USD = 1_000_000
STARTS = ("2026-02-11", "2026-02-13", "2026-11-25")
"""A week before an expiration, the eve of a long weekend, and the eve of a holiday with an early close after it."""

SPOTS = {"SPY": 595_420_000, "AAPL": 150_200_000, "SPX": 6_001_370_000}
STRIKES = {"SPY": (590, 596, 600), "AAPL": (145, 150, 155), "SPX": (5_950, 6_000, 6_050)}
ROOTS = {"SPY": ("SPY",), "AAPL": ("AAPL",), "SPX": ("SPX", "SPXW")}
PREMIUMS = {"SPY": 3_450_000, "AAPL": 2_350_001, "SPX": 6_700_003}
SETTINGS = st.builds(
    Settings,
    intake=st.builds(
        IntakeSettings, exit_alerts=st.sampled_from(["ignore", "close"]), duplicate_window_s=st.sampled_from([60, 0])
    ),
    session=st.builds(
        SessionSettings,
        closed_market_mode=st.sampled_from(["queue", "decision_only", "reject"]),
        allow_premarket=st.booleans(),
    ),
    gates=st.builds(
        GateLimits,
        open_positions_max=st.sampled_from([5, 30, 2]),
        positions_per_symbol_max=st.sampled_from([3, 1, 30]),
        exposure_usd_max=st.sampled_from([10_000 * USD, 10**6 * USD, 3_000 * USD]),
        exposure_pct_max=st.sampled_from([2_000, 20_000, 20_000]),
        daily_loss_usd_max=st.sampled_from([1_000 * USD, 150 * USD, 10**6 * USD]),
        daily_entries_max=st.sampled_from([0, 0, 2]),
    ),
    strikes=st.builds(StrikeLimits, snap_unlisted=st.booleans()),
    sizing=st.builds(
        SizingLimits,
        mode=st.sampled_from(SizingMode),
        base_contracts=st.sampled_from([7, 3, 1]),
        equity_pct=st.sampled_from([1_000, 5_000]),
        contracts_max=st.sampled_from([7, 200]),
    ),
    orders=st.builds(
        OrderSettings, add_to_position=st.booleans(), limit_offset_usd=st.sampled_from([50_000, USD, USD, 0])
    ),
    fills=st.builds(
        FillSettings,
        model=st.sampled_from([FillModel.SPREAD_FRACTION, FillModel.MID, FillModel.ADVERSE_PCT]),
        latency_s=st.sampled_from([1, 0, 5]),
        respect_size=st.sampled_from([True, True, True, False]),
        round_to_tick=st.booleans(),
        commission_per_contract_usd=st.sampled_from([700_000, 0, 333_333]),
    ),
)
"""Settings under which a run may stand: tight and wide limits, every fill model, odd commissions."""

Sizes = tuple[int, int] | None


class Seen(NamedTuple):
    """One observed quote, its age in seconds at the tick that carries it; an absent ask or size is None."""

    occ: str
    bid: int
    ask: int | None
    sizes: Sizes = None
    age_s: int = 0


class World(Stage):
    """A stage with a clock that runs on, a control loop that is never restarted, and a witness of every record."""

    def __init__(self, day: str, settings: Settings, *, paper: bool) -> None:
        self.paper = paper
        self.control = Loop(Portfolio(), Kept(), settings_of=lambda _: settings)
        self.witness = Witness(settings, cash_start=Decimal(CASH) / USD, paper=paper)
        self.now = instant(day, "10:30:00")
        self.spots, self.factors = dict(SPOTS), dict.fromkeys(SPOTS, 100)
        self.reports: list[BrokerReported] = []
        super().__init__(day, settings)

    def chain(self, symbol: str) -> list[Contract]:
        """What is listed today: the contracts of this date, of the coming expiration and of the one a month later."""
        calendar = self.portfolio.sessions
        today = calendar.day_of(self.now)
        fridays = [day for n in range(5, 46) if calendar.is_friday_class(day := today + timedelta(days=n))]
        return [
            Contract(root, expiry, right, strike * USD)
            for root in ROOTS[symbol]
            for expiry in (today, fridays[0], fridays[-1])
            for right in Right
            for strike in STRIKES[symbol]
        ]

    # -- inputs -------------------------------------------------------------------------------------------------

    def take(self, told: AnyInput, *, at: int) -> tuple[AnyFact, ...]:
        """Hand one input to the loop and to its control, which must conclude the same."""
        self.sound = False
        facts = super().take(told, at=at)
        assert self.control.take(told, at=at).facts == facts, "a restarted loop decides otherwise"
        self.witness.saw(self.records[-1], self.portfolio)
        self.sound = True
        return facts

    def tell(self, told: AnyInput) -> tuple[AnyFact, ...]:
        """One input now."""
        return self.take(told, at=self.now)

    def say(self, told: BrokerReported) -> tuple[AnyFact, ...]:
        """A broker's report now, remembered so that it can be repeated."""
        self.reports.append(told)
        return self.tell(told)

    def next_number(self, order: Order) -> int:
        """The number of the next report on an order: a broker counts what it said, not what we made of it."""
        return order.reports + 1 if self.paper else 1 + sum(one.order_id == order.id for one in self.reports)

    def see(self, quotes: list[Seen], prints: tuple[SettlementPrint, ...] = ()) -> None:
        """One cycle that observes all spots and some quotes, and what the paper broker says to it."""
        self.tell(TickReached(self.columns_of(quotes, prints)))
        self.answer()

    def answer(self) -> None:
        """Let the paper broker speak until it has nothing left to say."""
        for _ in range(200 if self.paper else 0):
            report = PaperBroker(self.loop).next_report()
            if report is None:
                return
            self.say(report)
        assert not self.paper, "the paper broker does not come to an end"

    def columns_of(self, quotes: list[Seen], prints: tuple[SettlementPrint, ...]) -> MarketColumns:
        """The columns of a tick; contracts seen for the first time are listed."""
        view = self.portfolio.market
        listed = [one.occ for one in quotes if one.occ not in view.rows]
        row_of = view.rows | {occ: len(view.contracts) + n for n, occ in enumerate(listed)}
        table = np.zeros((len(quotes), len(QUOTE)), "<i8")
        place = {name: number for number, name in enumerate(QUOTE)}
        for n, one in enumerate(quotes):
            table[n, place["at"]], table[n, place["bid"]], table[n, place["ask"]] = (
                self.now - one.age_s * SECOND,
                one.bid,
                one.ask or 0,
            )
            table[n, place["flags"]] = (one.ask is not None) * ASK_PRESENT + (one.sizes is not None) * SIZES_KNOWN
            table[n, place["bid_size"]], table[n, place["ask_size"]] = one.sizes or (0, 0)
        return MarketColumns(
            "recorded",
            tuple(Spot(symbol, price, self.now) for symbol, price in self.spots.items()),
            prints,
            tuple(listed),
            np.array([row_of[one.occ] for one in quotes], "<i4").tobytes(),
            table.tobytes(),
        )

    # -- a market -----------------------------------------------------------------------------------------------

    def premium(self, contract: Contract) -> int:
        """The middle of a contract's market: odd micro-dollars that move with its symbol's factor."""
        symbol = contract.underlying
        step = STRIKES[symbol].index(contract.strike // USD)
        return max(1, PREMIUMS[symbol] * self.factors[symbol] // 100 * (10 + step) // 10)

    def quotes(self, half_spread: int, sizes: Sizes, *, of: list[Contract] | None = None, up: int = 0) -> list[Seen]:
        """A two-sided market in some contracts; by default in everything that is listed today, held or ordered."""
        everything = [*self.mine(), *(one for symbol in SPOTS for one in self.chain(symbol))]
        middles = [(one.occ, self.premium(one) + up) for one in dict.fromkeys(everything if of is None else of)]
        return [Seen(occ, max(0, mid - half_spread), mid + half_spread, sizes) for occ, mid in middles]

    def mine(self) -> list[Contract]:
        """The contracts that are held or ordered."""
        held = [one.contract for one in self.portfolio.live_positions()]
        ordered = [one.contract for one in self.portfolio.working_orders()]
        return list(dict.fromkeys([*held, *ordered]))

    def see_mine(self, half_spread: int, sizes: Sizes, times: int) -> None:
        """Some cycles, six seconds apart, that see what is held or ordered at a price of its own each time."""
        for step in range(times):
            self.now += 6 * SECOND
            self.see(self.quotes(half_spread, sizes, of=self.mine(), up=step * 10_003))

    # -- the clock ----------------------------------------------------------------------------------------------

    @property
    def room(self) -> bool:
        """True while the adopted calendar reaches far enough for another leap."""
        return self.now < instant(self.day, "10:30:00") + 120 * 86_400 * SECOND

    def to_regular_hours(self) -> None:
        """Go on to the next minute in which options trade."""
        if self.room and self.portfolio.sessions.phase(self.now) is not Phase.RTH:
            self.now = self.portfolio.sessions.next_open(self.now) + 61 * SECOND

    # -- restarts -----------------------------------------------------------------------------------------------

    def restart(self, portfolio: Portfolio) -> None:
        """Go on with another portfolio, which must hold exactly what the running one holds."""
        assert keeping.digest(portfolio) == keeping.digest(self.portfolio)
        assert self.witness.ledger.first_difference(portfolio) is None
        self.loop = Loop(portfolio, self.kept, settings_of=lambda _: self.settings)

    def restored(self) -> Portfolio:
        """The portfolio of a snapshot taken now."""
        return keeping.decode(keeping.encode(self.portfolio))

    def folded(self) -> Portfolio:
        """The portfolio folded from all kept records, without any decision."""
        portfolio = Portfolio()
        for lsn, (seen_at, schema, payload) in enumerate(self.kept.payloads, 1):
            record = decode(payload, schema)
            portfolio.take_in(record.input, lsn=lsn, seen_at=seen_at)
            for fact in record.facts:
                apply(portfolio, fact)
            portfolio.check()
        return portfolio

    def judged_again(self) -> Portfolio:
        """The portfolio after every kept record was decided once more; raises Diverged at the first difference."""
        verifier = Verifier(settings_of=lambda _: self.settings, code_version="now", any_version=False)
        for lsn, (seen_at, schema, payload) in enumerate(self.kept.payloads, 1):
            kind = type(decode(payload, schema).input).__name__
            verifier.take(Body(lsn, seen_at, kind, schema, payload, "now"))
        return verifier.portfolio
