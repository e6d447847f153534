"""Everything at once, in any order: alerts, quotes, fills, cancels, closes, expiries, restarts, on a real loop.

`STATEFUL_EXAMPLES` sets how many runs are tried and `STATEFUL_STEPS` how long each may be; the profile `storm` tries
thousands.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from rules import entry, exits
from rules.flags import FLAGS
from rules.settings import Settings
from state import keeping
from state.contract import Contract
from state.facts import AnyFact, UnitFailed
from state.inputs import (
    AlertReceived,
    AnyInput,
    Ask,
    BrokerReported,
    ClockFellBehind,
    ClockJumped,
    MarketChosen,
    MarketKind,
    OperatorAsked,
    ReportKind,
    StorageTurned,
    TickReached,
)
from state.market import SettlementPrint
from state.order import ORDER_LIFE, Order, OrderTrigger
from state.portfolio import Portfolio
from tests.stage import SECOND
from tests.world import SETTINGS, SPOTS, STARTS, USD, Seen, Sizes, World

JUNK = ("", "{", "[]", '{"symbol": "SPY"}', '{"ping": 1, "event": "ping"}', '{"symbol": "SPY", "direction": "up?"}')
TRIGGERS = {
    ReportKind.FILLED: OrderTrigger.FILL,
    ReportKind.CANCELLED: OrderTrigger.CANCEL,
    ReportKind.REJECTED: OrderTrigger.REJECT,
    ReportKind.EXPIRED: OrderTrigger.EXPIRE,
    ReportKind.FAILED: OrderTrigger.FAIL,
}

FLAG_NAMES = [one.name for one in FLAGS]
TURNS: dict[str, tuple[AnyInput, AnyInput]] = {
    "operator": (OperatorAsked("", "lunch", Ask.HALT), OperatorAsked("", "back", Ask.RESUME)),
    "clocks": (ClockJumped(-5 * SECOND), ClockJumped(0)),
    "lag": (ClockFellBehind(5 * SECOND), ClockFellBehind(0)),
    "disk": (StorageTurned(low=True), StorageTurned(low=False)),
}
"""What halts entries, and what lets them go on."""

SIZES = st.sampled_from([None, (1, 2), (2, 2), (2, 3), (3, 3), (1, 3), (0, 2), (2, 0), (20, 20)])
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
        market=st.sampled_from([None, MarketKind.TAPE, MarketKind.SIMULATED]),
        paper=st.sampled_from([True, True, True, False]),
        fault=st.sampled_from([False, False, True]),
    )
    def begin(self, day: str, settings: Settings, market: MarketKind | None, paper: bool, fault: bool) -> None:
        """A funded portfolio in the middle of a morning, under some settings, with a market in every contract."""
        if fault:
            self._break(entry, "decide", 7)
            self._break(exits, "leave", 5)
        self.world = World(day, settings, paper=paper)
        if market is not None:
            self.stage.tell(MarketChosen(market, seed=7))
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
        ways=st.lists(WAYS, min_size=1, max_size=3, unique=True),
        test=st.sampled_from([None, None, None, True]),
        sizes=SIZES,
        half_spread=st.sampled_from([20_000, 0, 3_333]),
    )
    def alerts_are_traded(self, wait: int, ways: list[tuple[str, str]], sizes: Sizes, **how: Any) -> None:
        """The straight way in: alerts in regular hours, a cycle that decides, and some that may fill."""
        stage = self.stage
        stage.now += wait * SECOND
        stage.to_regular_hours()
        for symbol, direction in ways:
            self._alert(symbol=symbol, direction=direction, timeframe=f"{wait + 1}m", is_test=how["test"])
        stage.see(stage.quotes(how["half_spread"], None))
        stage.see_mine(how["half_spread"], sizes, 3)

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
        self.stage.to_regular_hours()
        chain = self.stage.chain(symbol)
        one = chain[pick % len(chain)]
        wanted = Contract(one.root, one.expiry, one.right, one.strike + strike_off * USD)
        self._alert(symbol=wanted.occ, direction="buy", timeframe="15m", **levels)
        self.stage.see(self.stage.quotes(10_000, None))

    @rule(pick=PICK, body=st.sampled_from(JUNK) | st.text(max_size=12), again=st.booleans())
    def words_arrive(self, pick: int, body: str, again: bool) -> None:
        """The same bytes once more, or a body that makes no signal because it asks for nothing or cannot be read."""
        if again and self.bodies:
            self.stage.tell(AlertReceived(self.bodies[pick % len(self.bodies)], "webhook"))
            return
        facts = self.stage.tell(AlertReceived(body, "webhook"))
        assert [type(one).__name__ for one in facts] == ["AlertLogged"]

    @rule(
        pick=PICK,
        asked=st.sampled_from(["all", "one", "none", *SPOTS]),
        direction=st.sampled_from([None, "long"]),
        sizes=SIZES,
    )
    def a_close_is_asked(self, pick: int, asked: str, direction: str | None, sizes: Sizes) -> None:
        """By the operator for all positions, one, or one that does not exist; by an exit alert for a symbol."""
        stage = self.stage
        live = [one.id for one in stage.portfolio.live_positions()]
        if asked in SPOTS:
            self._alert(symbol=asked, action="close", direction=direction, is_test=True if pick % 4 == 0 else None)
        elif asked == "one" and live:
            stage.tell(OperatorAsked(live[pick % len(live)], "enough"))
        else:
            stage.tell(OperatorAsked("all" if asked == "all" else "pos-999999", "enough"))
        stage.see_mine(20_000, sizes, pick % 4)

    # -- the operator, the clocks and the disk ------------------------------------------------------------------

    @rule(turn=st.sampled_from(sorted(TURNS)), stays=st.sampled_from([False, False, True]), sizes=SIZES, pick=PICK)
    def entries_are_halted(self, turn: str, stays: bool, sizes: Sizes, pick: int) -> None:
        """For some cycles, and mostly no longer; twice is as once."""
        on, off = TURNS[turn]
        for _ in range(1 + pick % 2):
            self.stage.tell(on)
        self.stage.see_mine(20_000, sizes, pick % 3)
        if not stays:
            self.stage.tell(off)

    @precondition(lambda self: self.stage.portfolio.halts)
    @rule(turn=st.sampled_from(sorted(TURNS)))
    def entries_go_on(self, turn: str) -> None:
        """One of the three is over, be it the one that halts or another."""
        self.stage.tell(TURNS[turn][1])

    @rule(ask=st.sampled_from([Ask.FLAG_ON, Ask.FLAG_OFF, Ask.FLAG_CLEAR]), name=st.sampled_from([*FLAG_NAMES, "no"]))
    def a_flag_is_set(self, ask: Ask, name: str) -> None:
        """Any flag any way, or one that does not exist."""
        self.stage.tell(OperatorAsked(name, "a trial", ask))

    @rule(pick=PICK, sizes=SIZES)
    def a_signal_is_requeued(self, pick: int, sizes: Sizes) -> None:
        """Whatever became of it, and the cycle that judges it once more if it may have another try."""
        stage, known = self.stage, [*self.stage.portfolio.signals, "sig-999999"]
        stage.tell(OperatorAsked(known[-1 - pick % len(known)], "once more", Ask.REQUEUE))
        stage.see(stage.quotes(20_000, None))
        stage.see_mine(20_000, sizes, 1)

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

    @precondition(lambda self: len(self.stage.portfolio.book) > 0)
    @rule(pick=PICK, level=st.sampled_from(["target", "stop"]), off=st.sampled_from([0, 1, 0, -1, 50_000]), sizes=SIZES)
    def a_level_is_reached(self, pick: int, level: str, off: int, sizes: Sizes) -> None:
        """The straight way out: the mark of something held stands at, or just beside, one of its levels."""
        stage = self.stage
        stage.to_regular_hours()
        live = stage.portfolio.live_positions()
        position = live[pick % len(live)]
        mark = max(1, position.target + off if level == "target" else position.stop - off)
        for bid_off in (0, 10_000, 3_001):
            stage.now += 6 * SECOND
            bid = max(0, mark - bid_off)
            stage.see([Seen(position.contract.occ, bid, 2 * mark - bid, sizes)])

    # -- the clock ----------------------------------------------------------------------------------------------

    @rule(
        until=st.sampled_from(["later", "open", "close"]),
        off_s=st.sampled_from([1, 30, 0, -1, -299, -301, -3_600, 899, 900, 901, 20_000]),
        seen=st.sampled_from(["everything", "spots", "nothing"]),
    )
    def time_passes(self, until: str, off_s: int, seen: str) -> None:
        """A while, or to about an opening bell (after a night, a weekend, a holiday) or a closing one."""
        stage, sessions = self.stage, self.stage.portfolio.sessions
        session, instant = sessions.session_on(sessions.day_of(stage.now)), stage.now
        if until == "open" and stage.room:
            instant = sessions.next_open(stage.now)
        elif until == "close" and session is not None:
            instant = session.close
        stage.now = max(stage.now, instant + off_s * SECOND)
        if seen == "nothing":
            stage.tell(TickReached(None, ("SPY",)))
            stage.answer()
        else:
            stage.see(stage.quotes(20_000, None) if seen == "everything" else [])

    @precondition(lambda self: len(self.stage.portfolio.book) > 0 and self.stage.room)
    @rule(pick=PICK, off_s=st.sampled_from([-60, 0, 1, 960, 90_000]), printed=st.booleans(), move=st.integers(-30, 30))
    def an_expiration_comes(self, pick: int, off_s: int, printed: bool, move: int) -> None:
        """Round the expiration of something that is held, with its settlement print or without."""
        stage, calendar = self.stage, self.stage.portfolio.sessions
        live = stage.portfolio.live_positions()
        contract = live[pick % len(live)].contract
        expires_at = calendar.expiry_instant(contract)
        assert expires_at is not None
        stage.now = max(stage.now, expires_at + off_s * SECOND)
        price, at = contract.strike + move * 137_001, min(expires_at, stage.now)
        observed = SettlementPrint(
            contract.underlying, calendar.day_of(expires_at), contract.am_settled, price=price, at=at
        )
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
        elif kind is ReportKind.ACCEPTED or (order.phase, TRIGGERS[kind]) in ORDER_LIFE.steps:
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
        """A report that was applied already changes nothing, be its order still in memory or not."""
        reports = self.stage.reports
        assert self.stage.tell(reports[-1 - pick % len(reports)]) == ()

    # -- restarts -----------------------------------------------------------------------------------------------

    @rule(snapshot=st.booleans())
    def it_is_restarted(self, snapshot: bool) -> None:
        """From a snapshot taken now, or folded from the records alone: it goes on as if nothing had happened."""
        self.stage.restart(self.stage.restored() if snapshot else self.stage.folded())

    # -- the end ------------------------------------------------------------------------------------------------

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
    return hypothesis.settings(
        hypothesis.settings.default,
        max_examples=int(os.environ.get("STATEFUL_EXAMPLES", str(examples))),
        stateful_step_count=int(os.environ.get("STATEFUL_STEPS", str(steps))),
        suppress_health_check=list(HealthCheck),
    )


def test_nothing_the_world_does_breaks_a_law() -> None:
    """After any steps in any order all invariants hold, and the run comes out again from its records."""
    profile = hypothesis.settings.default
    storm = profile is not None and profile.max_examples > 1_000
    run_state_machine_as_test(Run, settings=limits(3_000 if storm else 200, 60 if storm else 50))
