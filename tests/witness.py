"""What must hold after every record, whatever happened: judged from facts, portfolio and settings by other arithmetic.

The money is judged by the naive ledger. Deliberately absent: anything that makes something happen.
"""

from collections import Counter
from decimal import Decimal
from typing import Any

from rules import exits
from rules.fills import FillModel
from rules.settings import Settings
from state import facts as f
from state.fill import Fill
from state.inputs import TickReached
from state.order import Intent, Order, OrderPhase, Side
from state.portfolio import Portfolio
from state.position import Position, PositionPhase
from state.reason import REASONS
from state.record import Record
from state.signal import SignalPhase
from tests.naive import NaiveLedger, usd

SECOND = 1_000_000_000
CLOCKS = ("clock_jumped", "clock_behind")


class Witness:
    """Watches one run. With `paper`, fills come from the paper broker and are judged by its promises as well."""

    def __init__(self, settings: Settings, *, cash_start: Decimal, paper: bool) -> None:
        self.settings = settings
        self.paper = paper
        self.ledger = NaiveLedger(cash_start)
        self.seen: Counter[str] = Counter()
        self._ids: set[str] = set()
        self._refused: set[str] = set()
        self._halts: list[str] = []
        self._flags: dict[str, bool] = {}
        self._wishes: dict[str, str] = {}
        self._traded: set[str] = set()

    def saw(self, record: Record, portfolio: Portfolio) -> None:
        """Judge one record and the portfolio after it."""
        for fact in record.facts:
            self.seen[type(fact).__name__] += 1
            self._fact(fact, portfolio)
        self.ledger.tell_facts(record.facts, seen_at=portfolio.now)
        difference = self.ledger.first_difference(portfolio)
        assert difference is None, difference
        self._halted(record, portfolio)
        self._orders(portfolio)
        self._positions(portfolio)
        self._signals(portfolio)
        for fact in record.facts:
            if isinstance(fact, f.OrderCreated) and fact.order.intent is Intent.OPEN:
                self._limits(portfolio, fact.order)

    # -- facts --------------------------------------------------------------------------------------------------

    def _fact(self, fact: f.AnyFact, portfolio: Portfolio) -> None:
        now = portfolio.now
        for noun_id in _given_ids(fact):
            assert noun_id not in self._ids, f"{noun_id} was given out twice"
            self._ids.add(noun_id)
        for code in _codes(fact):
            assert code in REASONS, f"{code} is not registered"
            self.seen[code] += 1
        self._switches(fact)
        match fact:
            case f.SignalCreated(signal=signal):
                # Signals that take up one another are one wish.
                self._wishes[signal.id] = self._wishes.get(signal.requeued_from or "", signal.id)
            case f.SignalExecuted():
                assert self._wishes[fact.signal_id] not in self._traded, "one wish was traded twice"
                self._traded.add(self._wishes[fact.signal_id])
            case f.SignalRefused():
                assert fact.signal_id not in self._refused
                self._refused.add(fact.signal_id)
                refusing = [one.code for one in fact.verdicts if one.code is not None]
                assert refusing == [fact.code, *fact.contributing]
            case f.SignalApproved(recommendation=chosen) | f.SignalDecided(recommendation=chosen):
                assert max(chosen.quote_at, chosen.spot_at) <= now, "decided on a value from later"
                assert all(one.passed for one in fact.verdicts)
            case f.ExitChosen():
                assert (fact.mark_at or 0) <= now, "left on a mark from later"
                assert fact.reasons
            case f.PositionSettled():
                assert fact.settlement_at <= now, "settled on a print from later"
                assert not any(one in CLOCKS for one in self._halts), "settled by a clock in doubt"
            case f.OrderCreated(order=order):
                assert order.intent is Intent.CLOSE or not self._halts, "opened while halted"
                assert order.decision_quote_at <= order.created_at == now
                assert order.quantity > 0
                assert order.is_test == (order.book == "test")
            case f.OrderFilled(fill=fill):
                self._fill(fill, portfolio)
            case _:
                pass

    def _fill(self, fill: Fill, portfolio: Portfolio) -> None:
        order = portfolio.orders[fill.order_id]
        assert fill.is_test == (fill.book == "test") == order.is_test
        assert fill.filled_at == portfolio.now >= fill.quote_at
        if not self.paper:
            return
        settings, quote = self.settings.fills, portfolio.market.quote(fill.contract.occ)
        assert quote is not None
        assert quote.ask is not None
        assert (fill.bid, fill.ask, fill.quote_at) == (quote.bid, quote.ask, quote.at)
        assert fill.quote_at >= order.created_at + settings.latency_s * SECOND, "filled before its latency"
        assert fill.commission == fill.quantity * settings.commission_per_contract_usd
        buying = fill.side is Side.BUY
        if settings.model is FillModel.MID:
            middle = Decimal(quote.bid + quote.ask) / 2
            assert fill.price >= int(middle) if buying else fill.price <= middle
        else:
            assert fill.price >= quote.ask if buying else fill.price <= quote.bid, "better than the quoted side"
        if order.limit_price is not None:
            assert fill.price <= order.limit_price
        displayed = quote.ask_size if buying else quote.bid_size
        if settings.respect_size and displayed is not None:
            assert fill.quantity <= displayed

    # -- halts and flags ----------------------------------------------------------------------------------------

    def _switches(self, fact: f.AnyFact) -> None:
        """What is halted and switched by the facts alone, and that every decision tells the flags it was made on."""
        match fact:
            case f.EntriesHalted(code=code):
                assert code not in self._halts or code in CLOCKS, "halted twice"
                # A further jump is told anew.
                self._halts += [] if code in self._halts else [code]
            case f.EntriesResumed(code=code):
                self._halts.remove(code)
            case f.FlagSet(name=name, on=on):
                self._flags.pop(name, None)
                if on is not None:
                    self._flags[name] = on
            case f.SignalApproved() | f.SignalDecided() | f.SignalRefused():
                assert fact.flags == self._on(), "decided on other flags than those that stand"
            case _:
                pass

    def _on(self) -> tuple[str, ...]:
        told = self.settings
        configured = {
            "allow_premarket": told.session.allow_premarket,
            "allow_afterhours": told.session.allow_afterhours,
            "snap_unlisted": told.strikes.snap_unlisted,
            "add_to_position": told.orders.add_to_position,
            "close_on_exit_alerts": told.intake.exit_alerts == "close",
        }
        return tuple(name for name, on in (configured | self._flags).items() if on)

    def _halted(self, record: Record, portfolio: Portfolio) -> None:
        """Under a halt every entry in flight is given up; whatever is due to leave has left in its cycle all the same."""
        assert list(portfolio.halts) == self._halts
        entries = [one for one in portfolio.working_orders() if one.intent is Intent.OPEN]
        if self._halts:
            assert all(one.phase is OrderPhase.CANCEL_REQUESTED for one in entries), "an entry works while halted"
        if isinstance(record.input, TickReached) and not any(isinstance(one, f.UnitFailed) for one in record.facts):
            waiting = {one.position_id for one in entries}
            assert set(exits.due(portfolio, self.settings)) <= waiting, "what is due to leave was kept"

    # -- what stands --------------------------------------------------------------------------------------------

    def _orders(self, portfolio: Portfolio) -> None:
        assert list(portfolio.working) == [one.id for one in portfolio.orders.values() if one.working]
        closing: Counter[str] = Counter()
        for order in portfolio.working_orders():
            assert 0 <= order.quantity_filled < order.quantity
            position = portfolio.positions.get(order.position_id)
            if order.intent is Intent.CLOSE:
                closing[order.position_id] += 1
                assert position is not None
                assert position.exit_order_id == order.id
                assert position.quantity_open == order.quantity_left
            else:
                assert position is None or position.live, f"{order.id} would add to a closed position"
                assert position is not None or order.quantity_filled == 0
        assert all(count == 1 for count in closing.values()), f"two working exits: {closing}"
        on_their_way = {one.id for one in portfolio.live_positions() if one.phase is PositionPhase.CLOSING}
        assert set(closing) == on_their_way, "closing without a working exit, or the other way round"

    def _positions(self, portfolio: Portfolio) -> None:
        for position in portfolio.positions.values():
            assert 0 <= position.quantity_open <= position.quantity
            assert position.live == (position.quantity_open > 0)
            assert position.is_test == (position.book == "test")
        self._levels(portfolio.live_positions())

    @staticmethod
    def _levels(live: tuple[Position, ...]) -> None:
        for one in live:
            assert one.target > 0
            assert one.stop >= 0

    def _signals(self, portfolio: Portfolio) -> None:
        assert set(portfolio.undecided) == {one.id for one in portfolio.signals.values() if one.undecided}
        for signal in portfolio.signals.values():
            if signal.phase in (SignalPhase.REJECTED, SignalPhase.FAILED, SignalPhase.DECISION_ONLY):
                assert signal.reason in REASONS, f"{signal.id} ended for {signal.reason}"
            if signal.phase is SignalPhase.APPROVED:
                order = portfolio.orders[signal.order_id or ""]
                assert order.working, f"{signal.id} waits for an order that ended"
                assert order.quantity_filled == 0

    # -- limits -------------------------------------------------------------------------------------------------

    def _limits(self, portfolio: Portfolio, entry: Order) -> None:
        """No entry exceeds a limit, everything that is in flight counted at its worst."""
        gates, name = self.settings.gates, entry.book
        pending = [one for one in portfolio.working_orders() if one.intent is Intent.OPEN and one.book == name]
        held = self.ledger.open_of(name)
        marks = {one: usd(portfolio.book.mark_of(one)[0]) for one in held}
        equity, account = self.ledger.equity(name, marks), self.ledger.accounts[name]
        worst = sum((usd(one.limit_price or 0) * one.quantity_left * 100 for one in pending), Decimal(0))
        exposure = self.ledger.cost_open(name) + worst
        assert exposure <= usd(gates.exposure_usd_max)
        assert exposure <= equity * gates.exposure_pct_max / 10_000
        charged = usd(self.settings.fills.commission_per_contract_usd) * sum(one.quantity_left for one in pending)
        assert account.cash >= worst + charged, "cash does not pay for all entries in flight"
        places = {one: portfolio.positions[one].contract.underlying for one in held}
        places |= {one.position_id: one.contract.underlying for one in pending}
        assert len(places) <= gates.open_positions_max
        of_symbol = [one for one in places.values() if one == entry.contract.underlying]
        assert len(of_symbol) <= gates.positions_per_symbol_max
        day = portfolio.today(name)
        assert usd(day.equity_start) - equity < usd(gates.daily_loss_usd_max)
        if gates.daily_entries_max:
            unfilled = sum(one.quantity_filled == 0 for one in pending)
            assert day.entries_filled + unfilled <= gates.daily_entries_max


def _given_ids(fact: f.AnyFact) -> tuple[str, ...]:
    """The ids that a fact gives to new nouns."""
    match fact:
        case f.AlertLogged():
            return (fact.event_id,)
        case f.SignalCreated(signal=noun):
            return (noun.id,)
        case f.OrderCreated(order=noun):
            return (noun.id, noun.client_order_id)
        case f.OrderFilled(fill=noun):
            return (noun.id,)
        case f.PositionOpened(position=noun):
            return (noun.id,)
        case f.OutcomeRecorded(outcome=noun):
            return (noun.id,)
        case _:
            return ()


def _codes(fact: Any) -> tuple[str, ...]:
    """Every code a fact carries."""
    codes: list[str] = [*getattr(fact, "reasons", ()), *getattr(fact, "contributing", ())]
    if not isinstance(fact, f.OrderFilled):
        codes += [code for name in ("code", "reason") if isinstance(code := getattr(fact, name, None), str)]
    return tuple(codes)
