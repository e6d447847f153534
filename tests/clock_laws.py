"""What holds in every record whatever clocks did: sessions, settlements, days and halts, reckoned by `tests.bells` alone."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, time, timedelta
from typing import Any

from state import recovery
from state.calendar import Calendar
from state.contract import Contract
from state.facts import (
    ExitChosen,
    NounsRetired,
    OrderCreated,
    OrderFilled,
    PositionReduced,
    PositionSettled,
    SignalApproved,
    SignalQueued,
)
from state.frames import Body
from state.inputs import CalendarAdopted, ClockFellBehind, ClockJumped, TickReached
from state.order import Intent, Order
from state.portfolio import Portfolio
from state.position import Position
from state.record import Record
from tests import bells
from tests.bells import SECOND, date_of

NO_ENTRY_S = 300
CLOCK = ("clock_jumped", "clock_behind")
"""What halts entries and settlements because nobody can tell the time."""


class Laws:
    """Folds records one by one and judges each; `tally` counts what was met, so that a storm can be shown to be one."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self.tally: Counter[str] = Counter()
        self._seen_at = 0
        self._dates: list[date] = []
        self._retired: list[date] = []
        self._ticked: dict[date, None] = {}
        self._realized: dict[tuple[str, date], int] = defaultdict(int)
        self._entered: dict[tuple[str, date], int] = defaultdict(int)

    @property
    def retired(self) -> tuple[date, ...]:
        """The dates on which memory was put in order."""
        return tuple(self._retired)

    @property
    def _in_doubt(self) -> bool:
        return any(one in self.portfolio.halts for one in CLOCK)

    def take(self, body: Body) -> Record:
        """Judge one record."""
        before = {name: self.portfolio.equity(name) for name in self.portfolio.ledgers}
        held = {one.id: one for one in self.portfolio.live_positions()}
        filled = {one.id: one.quantity_filled for one in self.portfolio.working_orders()}
        record = recovery.fold(self.portfolio, body)
        assert body.seen_at >= self._seen_at, "time fell"
        self._seen_at = body.seen_at
        self._rolled(body.seen_at, before)
        if isinstance(record.input, CalendarAdopted):
            self._adopted(record.input.calendar)
        if isinstance(record.input, ClockJumped):
            self.tally["jumps"] += record.input.by != 0
        if isinstance(record.input, ClockFellBehind):
            self.tally["fell behind"] += record.input.by != 0
        for fact in record.facts:
            if isinstance(fact, OrderFilled) and filled.get(fact.order_id) == 0 and fact.fill.intent is Intent.OPEN:
                self._entered[fact.fill.book, date_of(body.seen_at)] += 1
            self._fact(fact, body.seen_at, held)
        if isinstance(record.input, TickReached):
            self._tick(record.facts, body.seen_at)
        return record

    def end(self) -> None:
        """Judge what can be told only at the end: every date lived through counts once, with its own results."""
        assert self._retired == list(self._ticked), "memory is put in order once per date with a cycle"
        for name, ledger in self.portfolio.ledgers.items():
            assert list(ledger.days) == self._dates, "one entry per date, in their order"
            for day, counted in ledger.days.items():
                told = (counted.realized_net, counted.entries_filled)
                assert told == (self._realized[name, day], self._entered[name, day]), (name, day)

    # -- days -----------------------------------------------------------------------------------------------------------

    def _rolled(self, at: int, before: dict[str, int]) -> None:
        """The date is New York's, and begins with the equity that the one before it left."""
        if self.portfolio.calendar is None:
            return
        today = date_of(at)
        assert self.portfolio.day == today
        if not self._dates or today != self._dates[-1]:
            assert not self._dates or today > self._dates[-1]
            self._dates.append(today)
            for name, equity in before.items():
                assert self.portfolio.ledgers[name].days[today].equity_start == equity, (name, today)

    def _tick(self, facts: Iterable[Any], at: int) -> None:
        today = date_of(at)
        retired = [fact.day for fact in facts if isinstance(fact, NounsRetired)]
        assert retired == ([] if today in self._ticked else [today]), "a date is put in order by its first cycle"
        self._ticked[today] = None
        self._retired += retired

    def _adopted(self, calendar: Calendar) -> None:
        """What is adopted says of every date what the exchange says."""
        day = calendar.first
        while day <= calendar.last:
            session, expected = calendar.session_on(day), bells.bells(day)
            assert calendar.midnight_of(day) == bells.instant(day, time(0)), day
            assert (session is None) == (expected is None), day
            if session is not None and expected is not None:
                assert (session.open, session.close, session.early) == (*expected[1:], expected.early), day
            day += timedelta(days=1)

    # -- facts ----------------------------------------------------------------------------------------------------------

    def _fact(self, fact: Any, at: int, held: dict[str, Position]) -> None:
        match fact:
            case SignalApproved():
                assert not self._in_doubt, "approved while the clock is not believed"
            case SignalQueued(next_at=until):
                assert until == bells.next_open(at)
                self.tally["queued"] += 1
            case OrderCreated(order=order):
                self._ordered(order, at)
            case OrderFilled(fill=fill):
                self._filled(fill.contract, at, fill.quote_at)
                self.tally[f"filled to {fill.intent}"] += 1
                self.tally["filled while halted"] += self._in_doubt
            case PositionReduced():
                # What settles is no order, but counts all the same.
                book = held[fact.position_id].book
                self._realized[book, date_of(at)] += fact.net
            case PositionSettled(position_id=name):
                self._settled(fact, held[name].contract, at)
            case ExitChosen(reasons=reasons):
                self.tally[f"left for {reasons[0]}"] += 1
            case _:
                pass

    def _ordered(self, order: Order, at: int) -> None:
        """An order is decided in its contract's session, and ends with it; an entry keeps away from the close."""
        contract, found = order.contract, bells.bells(date_of(at))
        assert bells.trades(contract, at), (order.id, at)
        assert found is not None
        assert order.expires_at == bells.stops_at(contract, found.day)
        if order.intent is Intent.OPEN:
            assert at <= found.close - NO_ENTRY_S * SECOND, order.id
            assert not self._in_doubt, "opened while the clock is not believed"
        self.tally["ordered on a half day"] += found.early

    def _filled(self, contract: Contract, at: int, quote_at: int) -> None:
        assert bells.trades(contract, at), (contract.occ, at)
        assert bells.trades(contract, quote_at), (contract.occ, quote_at)
        assert quote_at <= at

    def _settled(self, fact: PositionSettled, contract: Contract, at: int) -> None:
        """Nothing settles before its expiry and its last trade, nor while nobody can tell whether they are over."""
        expires_at, final = bells.expires_at(contract), bells.final_session(contract)
        assert at >= max(expires_at, bells.last_trade_at(contract)), (contract.occ, at)
        assert fact.settlement_at == expires_at
        assert not self._in_doubt, "settled while the clock is not believed"
        self.tally["settled at the open" if expires_at == final.open else "settled at the close"] += 1
        self.tally["settled on a half day"] += final.early
        self.tally["settled on a Thursday for Friday"] += (
            final.day.weekday() == 3 and bells.bells(final.day + timedelta(days=1)) is None
        )


class Wakes:
    """What a sound clock owes besides: everything known beforehand is done at its instant, neither before nor after."""

    def __init__(self, laws: Laws) -> None:
        self._laws = laws
        self._expired: dict[str, int] = {}
        self._timed: dict[str, int] = {}

    def take(self, body: Body) -> None:
        """Judge one record, before the laws take it."""
        portfolio, at = self._laws.portfolio, body.seen_at
        for one in portfolio.live_positions():
            self._expired[one.id] = max(bells.expires_at(one.contract), bells.last_trade_at(one.contract))
            self._timed[one.id] = _leaves_at(one)
            open_between = bells.next_open(portfolio.now)
            assert at <= open_between, f"{one.id} was held, and nobody looked at the open"
        for fact in self._laws.take(body).facts:
            if isinstance(fact, PositionSettled):
                late = at - self._expired[fact.position_id]
                # An exit order that was still working ends with the session first.
                assert late in (0, SECOND), (fact.position_id, late)
            if isinstance(fact, ExitChosen) and fact.reasons[0] in ("max_hold_time", "min_dte_exit"):
                due = self._timed.pop(fact.position_id, None)
                assert due is None or at == due, (fact, at - (due or 0))


def _leaves_at(position: Position) -> int:
    """The first instant at which a position may leave for its time: at once in its session, else at the next open."""
    instants = [one for one in (position.terms.dte_exit_at, position.hold_until) if one is not None]
    due = min(instants, default=1 << 62)
    if due == 1 << 62 or bells.trades(position.contract, due):
        return due
    return bells.next_open(due)
