"""Everything at once, in any order: alerts, quotes, fills, cancels, closes, expiries, restarts, on a real loop.

`STATEFUL_EXAMPLES` sets how many runs are tried and `STATEFUL_STEPS` how long each may be; the profile `storm` tries
thousands.
"""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import hypothesis
import numpy as np
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oracle.loop import Loop
from oracle.verify import Verifier
from rules import entry, exits, fills
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
from state.facts import AnyFact, UnitFailed
from state.frames import Body
from state.inputs import AlertReceived, AnyInput, BrokerReported, OperatorAsked, ReportKind, TickReached
from state.market import ASK_PRESENT, COLUMNS, SIZES_KNOWN, MarketColumns, SettlementPrint, Spot
from state.order import ORDER_LIFE, Order, OrderTrigger
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
JUNK = ("", "{", "[]", '{"symbol": "SPY"}', '{"ping": 1, "event": "ping"}', '{"symbol": "SPY", "direction": "up?"}')
TRIGGERS = {
    ReportKind.FILLED: OrderTrigger.FILL,
    ReportKind.CANCELLED: OrderTrigger.CANCEL,
    ReportKind.REJECTED: OrderTrigger.REJECT,
    ReportKind.EXPIRED: OrderTrigger.EXPIRE,
    ReportKind.FAILED: OrderTrigger.FAIL,
}


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
            report = fills.next_report(self.portfolio, self.settings.fills, self.settings.ticks)
            if report is None:
                return
            self.say(report)
        assert not self.paper, "the paper broker does not come to an end"

    def columns_of(self, quotes: list[Seen], prints: tuple[SettlementPrint, ...]) -> MarketColumns:
        """The columns of a tick; contracts seen for the first time are listed."""
        view = self.portfolio.market
        listed = [one.occ for one in quotes if one.occ not in view.rows]
        row_of = view.rows | {occ: len(view.contracts) + n for n, occ in enumerate(listed)}
        values: dict[str, list[int]] = {name: [0] * len(quotes) for name, _ in COLUMNS}
        for n, one in enumerate(quotes):
            values["at"][n], values["bid"][n], values["ask"][n] = self.now - one.age_s * SECOND, one.bid, one.ask or 0
            values["flags"][n] = (one.ask is not None) * ASK_PRESENT + (one.sizes is not None) * SIZES_KNOWN
            values["bid_size"][n], values["ask_size"][n] = one.sizes or (0, 0)
        return MarketColumns(
            "recorded",
            tuple(Spot(symbol, price, self.now) for symbol, price in self.spots.items()),
            prints,
            tuple(listed),
            np.array([row_of[one.occ] for one in quotes], "<i4").tobytes(),
            **{name: np.array(values[name], kind).tobytes() for name, kind in COLUMNS},
        )

    # -- a market -----------------------------------------------------------------------------------------------

    def premium(self, contract: Contract) -> int:
        """The middle of a contract's market: odd micro-dollars that move with its symbol's factor."""
        symbol = contract.underlying
        step = STRIKES[symbol].index(contract.strike // USD)
        return max(1, PREMIUMS[symbol] * self.factors[symbol] // 100 * (10 + step) // 10)

    def quotes(self, half_spread: int, sizes: Sizes, *, of: list[Contract] | None = None) -> list[Seen]:
        """A two-sided market in some contracts; by default in everything that is listed today, held or ordered."""
        everything = [*self.mine(), *(one for symbol in SPOTS for one in self.chain(symbol))]
        middles = [(one.occ, self.premium(one)) for one in dict.fromkeys(everything if of is None else of)]
        return [Seen(occ, max(0, mid - half_spread), mid + half_spread, sizes) for occ, mid in middles]

    def mine(self) -> list[Contract]:
        """The contracts that are held or ordered."""
        held = [one.contract for one in self.portfolio.live_positions()]
        ordered = [one.contract for one in self.portfolio.working_orders()]
        return list(dict.fromkeys([*held, *ordered]))

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


# -- chance ---------------------------------------------------------------------------------------------------------

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
        base_contracts=st.sampled_from([3, 1, 7]),
        equity_pct=st.sampled_from([1_000, 5_000]),
        contracts_max=st.sampled_from([10, 200]),
    ),
    orders=st.builds(
        OrderSettings, add_to_position=st.booleans(), limit_offset_usd=st.sampled_from([50_000, USD, USD, 0])
    ),
    fills=st.builds(
        FillSettings,
        model=st.sampled_from([FillModel.SPREAD_FRACTION, FillModel.MID, FillModel.ADVERSE_PCT]),
        latency_s=st.sampled_from([1, 0, 5]),
        respect_size=st.sampled_from([True, True, False]),
        round_to_tick=st.booleans(),
        commission_per_contract_usd=st.sampled_from([700_000, 0, 333_333]),
    ),
)
SIZES = st.none() | st.tuples(st.integers(0, 4), st.integers(0, 4))
WAITS = st.sampled_from([2, 0, 1, 5, 30, 61, 301, 3_600])
PICK = st.integers(0, 40)
WAYS = st.sampled_from([(symbol, direction) for symbol in SPOTS for direction in ("long", "short")])


def brittle(asked: Callable[..., tuple[AnyFact, ...]], every: int) -> Callable[..., tuple[AnyFact, ...]]:
    """A rule that fails for every second unit in some records: a fault that comes and goes, but always the same way."""

    def failing(portfolio: Portfolio, unit: str, settings: Settings) -> tuple[AnyFact, ...]:
        if portfolio.lsn % every == 0 and int(unit[-6:]) % 2:
            raise ArithmeticError("a text that must not enter a fact")
        return asked(portfolio, unit, settings)

    return failing


class Run(RuleBasedStateMachine):
    """Everything the world can do to a loop, one step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.bodies: list[str] = []
        self.undo: list[Callable[[], None]] = []

    @property
    def stage(self) -> World:
        """The world of this run."""
        assert self.world is not None
        return self.world

    @initialize(
        day=st.sampled_from(STARTS),
        settings=SETTINGS,
        paper=st.sampled_from([True, True, True, False]),
        fault=st.booleans(),
    )
    def begin(self, day: str, settings: Settings, paper: bool, fault: bool) -> None:
        """A funded portfolio in the middle of a morning, under some settings, with a market in every contract."""
        if fault:
            self._break(entry, "decide", 7)
            self._break(exits, "leave", 5)
        self.world = World(day, settings, paper=paper)
        self.stage.see(self.stage.quotes(20_000, None))

    def _break(self, module: Any, name: str, every: int) -> None:
        sound = getattr(module, name)
        setattr(module, name, brittle(sound, every))
        self.undo.append(lambda: setattr(module, name, sound))

    # -- alerts -------------------------------------------------------------------------------------------------

    def _alert(self, **fields: Any) -> None:
        self.bodies.append(json.dumps({name: value for name, value in fields.items() if value is not None}))
        self.stage.tell(AlertReceived(self.bodies[-1], "webhook"))

    @rule(
        symbol=st.sampled_from([*SPOTS, "TSLA"]),
        direction=st.sampled_from(["long", "short"]),
        timeframe=st.sampled_from(["5m", "1h", "1m"]),
        age_s=st.sampled_from([0, None, 60, 1_900, 90_000, -200]),
        profile=st.sampled_from([None, None, "swing", "swing", "none of these"]),
        test=st.sampled_from([None, None, True]),
    )
    def an_alert_arrives(self, age_s: int | None, profile: str | None, test: bool | None, **fields: Any) -> None:
        """Fresh, stale, from the near future or without a time; a test or not; the cycle follows at once or later."""
        stamp = None if age_s is None else self.stage.now // 10**6 - age_s * 1000
        self._alert(**fields, timestamp=stamp, profile=profile, is_test=test)

    @rule(
        wait=WAITS,
        way=WAYS,
        test=st.sampled_from([None, None, None, True]),
        sizes=SIZES,
        half_spread=st.sampled_from([20_000, 0, 3_333]),
    )
    def an_alert_is_traded(
        self, wait: int, way: tuple[str, str], test: bool | None, sizes: Sizes, half_spread: int
    ) -> None:
        """The straight way in: an alert in regular hours, a cycle that decides, and one that may fill."""
        stage = self.stage
        stage.now += wait * SECOND
        self._to_regular_hours()
        self._alert(symbol=way[0], direction=way[1], timeframe=f"{wait + 1}m", is_test=test)
        stage.see(stage.quotes(half_spread, None))
        for wider in (0, 1_234):
            stage.now += 6 * SECOND
            stage.see(stage.quotes(half_spread + wider, sizes, of=stage.mine()))

    def _to_regular_hours(self) -> None:
        calendar, now = self.stage.portfolio.sessions, self.stage.now
        if calendar.phase(now) is not Phase.RTH and self._room():
            self.stage.now = calendar.next_open(now) + 61 * SECOND

    @precondition(lambda self: self.stage.portfolio.working)
    @rule(
        pick=PICK,
        off=st.sampled_from([0, 1, -7, 9_999, -20_003]),
        sizes=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    )
    def an_order_fills_in_parts(self, pick: int, off: int, sizes: Sizes) -> None:
        """Two observations of small size, each at a price of its own, for something that was ordered."""
        stage = self.stage
        working = stage.portfolio.working_orders()
        order = working[pick % len(working)]
        for step in (0, 3_001):
            stage.now += 6 * SECOND
            middle = max(2, order.decision_price + off + step)
            stage.see([Seen(order.contract.occ, middle - 1, middle + 1, sizes)])

    @precondition(lambda self: len(self.stage.portfolio.book) > 0)
    @rule(pick=PICK, level=st.sampled_from(["target", "stop"]), off=st.sampled_from([0, 1, 0, -1, 50_000]), sizes=SIZES)
    def a_level_is_reached(self, pick: int, level: str, off: int, sizes: Sizes) -> None:
        """The straight way out: the mark of something held stands at, or just beside, one of its levels."""
        stage = self.stage
        self._to_regular_hours()
        live = stage.portfolio.live_positions()
        position = live[pick % len(live)]
        mark = max(1, position.target + off if level == "target" else position.stop - off)
        for bid_off in (0, 10_000, 3_001):
            stage.now += 6 * SECOND
            bid = max(0, mark - bid_off)
            stage.see([Seen(position.contract.occ, bid, 2 * mark - bid, sizes)])

    @rule(
        pick=PICK,
        symbol=st.sampled_from(["SPX", "SPY", "AAPL"]),
        levels=st.fixed_dictionaries(
            {
                "stop": st.sampled_from([None, 1.25, 90.0]),
                "target": st.sampled_from([None, 25.0]),
                "price": st.sampled_from([None, 600.5]),
            }
        ),
        strike_off=st.sampled_from([0, 0, 1]),
    )
    def an_alert_names_its_contract(
        self, pick: int, symbol: str, levels: dict[str, float | None], strike_off: int
    ) -> None:
        """A listed contract (perhaps on its last day) or a neighbour of one, with absolute levels."""
        chain = self.stage.chain(symbol)
        one = chain[pick % len(chain)]
        wanted = Contract(one.root, one.expiry, one.right, one.strike + strike_off * USD)
        self._to_regular_hours()
        self._alert(symbol=wanted.occ, direction="buy", timeframe="15m", **levels)
        self.stage.see(self.stage.quotes(10_000, None))

    @precondition(lambda self: self.bodies)
    @rule(pick=PICK)
    def an_alert_is_repeated(self, pick: int) -> None:
        """The same bytes once more."""
        self.stage.tell(AlertReceived(self.bodies[pick % len(self.bodies)], "webhook"))

    @rule(body=st.sampled_from(JUNK) | st.text(max_size=12))
    def junk_arrives(self, body: str) -> None:
        """A body that asks for nothing or cannot be read makes no signal."""
        facts = self.stage.tell(AlertReceived(body, "webhook"))
        assert [type(one).__name__ for one in facts] == ["AlertLogged"]

    @rule(
        symbol=st.sampled_from(list(SPOTS)),
        direction=st.sampled_from([None, "long"]),
        test=st.sampled_from([None, True]),
    )
    def an_exit_alert_arrives(self, symbol: str, direction: str | None, test: bool | None) -> None:
        """The source wants to leave a symbol."""
        self._alert(symbol=symbol, action="close", direction=direction, is_test=test)

    @rule(pick=PICK, everything=st.booleans())
    def the_operator_closes(self, pick: int, everything: bool) -> None:
        """All positions, one, or one that does not exist."""
        live = [one.id for one in self.stage.portfolio.live_positions()]
        named = live[pick % len(live)] if live and not everything else f"pos-{pick:06d}"
        self.stage.tell(OperatorAsked("all" if everything else named, "enough"))

    # -- the market ---------------------------------------------------------------------------------------------

    @rule(
        wait=WAITS,
        symbol=st.sampled_from(list(SPOTS)),
        factor=st.sampled_from([100, 98, 103, 70, 45, 140, 180]),
        move=st.sampled_from([0, 40, -40, 90, -90]),
        half_spread=st.sampled_from([20_000, 0, 3_333, 400_000]),
        sizes=SIZES,
    )
    def the_market_moves(self, wait: int, symbol: str, factor: int, move: int, **market: Any) -> None:
        """A step of the walk of one symbol, and a cycle that sees it."""
        stage = self.stage
        stage.now += wait * SECOND
        stage.factors[symbol] = min(2_000, max(1, stage.factors[symbol] * factor // 100))
        stage.spots[symbol] = SPOTS[symbol] * (10_000 + move) // 10_000
        stage.see(stage.quotes(market["half_spread"], market["sizes"]))

    @rule(
        wait=WAITS,
        pick=PICK,
        bid=st.sampled_from([0, 1, 9_999, 1_000_000, 3_450_001, 5_200_000, 30_000_000]),
        width=st.sampled_from([None, 0, 1, 40_001, -50_000, 5_000_000]),
        sizes=SIZES,
        age_s=st.sampled_from([0, 0, 1, 119, 125, 5_000]),
    )
    def one_contract_is_quoted(self, wait: int, pick: int, bid: int, width: int | None, **quote: Any) -> None:
        """One-sided, crossed, locked, empty, stale or wide: a quote of a contract that matters."""
        stage = self.stage
        stage.now += wait * SECOND
        wanted = stage.mine() or stage.chain("SPY")
        ask = None if width is None else max(0, bid + width)
        stage.see([Seen(wanted[pick % len(wanted)].occ, bid, ask, **quote)])

    @rule(wait=WAITS, blind=st.booleans())
    def nothing_is_observed(self, wait: int, blind: bool) -> None:
        """Time passes; the cycle sees nothing at all, or only the prices of the underlyings."""
        self.stage.now += wait * SECOND
        if blind:
            self.stage.tell(TickReached(None, ("SPY",)))
            self.stage.answer()
        else:
            self.stage.see([])

    # -- the calendar -------------------------------------------------------------------------------------------

    def _room(self) -> bool:
        return self.stage.now < instant(self.stage.day, "10:30:00") + 120 * 86_400 * SECOND

    @rule(after_s=st.sampled_from([0, 1, 60, -1, -3_600]), seen=st.booleans())
    def the_next_open_comes(self, after_s: int, seen: bool) -> None:
        """Round the next opening bell, after a night, a weekend or a holiday."""
        stage = self.stage
        if self._room():
            stage.now = max(stage.now, stage.portfolio.sessions.next_open(stage.now) + after_s * SECOND)
        stage.see(stage.quotes(20_000, None) if seen else [])

    @rule(off_s=st.sampled_from([-301, -299, -1, 0, 30, 899, 900, 901, 20_000]), seen=st.booleans())
    def the_close_comes(self, off_s: int, seen: bool) -> None:
        """Round the closing bell and the late close of this date."""
        stage = self.stage
        session = stage.portfolio.sessions.session_on(stage.portfolio.sessions.day_of(stage.now))
        if session is not None:
            stage.now = max(stage.now, session.close + off_s * SECOND)
        stage.see(stage.quotes(20_000, None) if seen else [])

    @precondition(lambda self: len(self.stage.portfolio.book) > 0 and self._room())
    @rule(pick=PICK, off_s=st.sampled_from([-60, 0, 1, 960, 90_000]), printed=st.booleans(), move=st.integers(-30, 30))
    def an_expiration_comes(self, pick: int, off_s: int, printed: bool, move: int) -> None:
        """Round the expiration of something that is held, with its settlement print or without."""
        stage, calendar = self.stage, self.stage.portfolio.sessions
        live = stage.portfolio.live_positions()
        contract = live[pick % len(live)].contract
        expires_at = calendar.expiry_instant(contract)
        assert expires_at is not None
        stage.now = max(stage.now, expires_at + off_s * SECOND)
        symbol, at = contract.underlying, min(expires_at, stage.now)
        price = contract.strike + move * 137_001
        observed = SettlementPrint(symbol, calendar.day_of(expires_at), contract.am_settled, price, at)
        stage.see([], (observed,) if printed else ())

    # -- the broker ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.stage.portfolio.working)
    @rule(
        pick=PICK,
        kind=st.sampled_from([*ReportKind, *[ReportKind.FILLED] * 4]),
        part=st.integers(1, 10),
        price=st.integers(1, 9_000_000),
    )
    def the_broker_speaks(self, pick: int, kind: ReportKind, part: int, price: int) -> None:
        """Anything that is legal for a working order; fills only where the paper broker is not the one that fills."""
        stage = self.stage
        working = stage.portfolio.working_orders()
        order = working[pick % len(working)]
        if kind is ReportKind.FILLED:
            if not stage.paper:
                self._fill(order, min(part, order.quantity_left), price)
            return
        if kind is ReportKind.ACCEPTED or (order.phase, TRIGGERS[kind]) in ORDER_LIFE.steps:
            stage.say(BrokerReported(order.id, stage.next_number(order), kind))

    def _fill(self, order: Order, quantity: int, price: int) -> None:
        limit = order.limit_price
        self.stage.say(
            BrokerReported(
                order.id,
                self.stage.next_number(order),
                ReportKind.FILLED,
                quantity=quantity,
                price=price if limit is None else min(limit, price),
                commission=quantity * self.stage.settings.fills.commission_per_contract_usd,
                quote_at=self.stage.now,
            )
        )

    @precondition(lambda self: self.stage.reports)
    @rule(pick=PICK)
    def a_report_is_repeated(self, pick: int) -> None:
        """A report that was applied already changes nothing."""
        stage = self.stage
        told = stage.reports[-1 - pick % len(stage.reports)]
        if told.order_id in stage.portfolio.orders:
            assert stage.tell(told) == ()

    # -- restarts -----------------------------------------------------------------------------------------------

    @rule()
    def it_is_restored_from_a_snapshot(self) -> None:
        """A snapshot taken now goes on as if nothing had happened."""
        self.stage.restart(self.stage.restored())

    @rule()
    def it_is_folded_from_its_records(self) -> None:
        """The records alone give the same portfolio."""
        self.stage.restart(self.stage.folded())

    def teardown(self) -> None:
        """A run that came to its end is judged as a whole; one that broke has said already where."""
        try:
            if self.world is not None and self.world.sound:
                self.judge()
        finally:
            for undo in self.undo:
                undo()

    def judge(self) -> None:
        """Equal to its control, and every decision comes out again; no rule failed but those that were broken."""
        stage = self.stage
        digest = keeping.digest(stage.portfolio)
        assert keeping.digest(stage.control.portfolio) == digest
        assert keeping.digest(stage.folded()) == digest
        assert keeping.digest(stage.judged_again()) == digest
        failures = {one.exception for one in stage.facts if isinstance(one, UnitFailed)}
        assert failures <= ({"ArithmeticError"} if self.undo else set())


def limits(examples: int, steps: int) -> hypothesis.settings:
    """How many runs are tried, and of how many steps; the profile in force decides whether chance is repeated."""
    profile = hypothesis.settings.default
    return hypothesis.settings(
        profile,
        max_examples=int(os.environ.get("STATEFUL_EXAMPLES", str(examples))),
        stateful_step_count=int(os.environ.get("STATEFUL_STEPS", str(steps))),
        suppress_health_check=list(HealthCheck),
    )


def test_nothing_the_world_does_breaks_a_law() -> None:
    """After any steps in any order all invariants hold, and the run comes out again from its records."""
    profile = hypothesis.settings.default
    storm = profile is not None and profile.max_examples > 1_000
    run_state_machine_as_test(Run, settings=limits(3_000 if storm else 60, 60 if storm else 35))
