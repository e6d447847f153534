"""The one place that changes: everything the rules may still ask for, folded from inputs and facts. No rule lives here.

How each fact changes it stands in `state.applying`; how it is kept in a snapshot, in `state.keeping`.
"""

from collections import deque
from datetime import date, timedelta

from state.book import Book
from state.calendar import Calendar
from state.contract import Contract
from state.errors import LawBroken
from state.halt import Halt
from state.inputs import (
    AlertReceived,
    AnyInput,
    CalendarAdopted,
    ConfigAdopted,
    MarketChosen,
    OperatorAsked,
    TickReached,
    TicksPassed,
)
from state.ledger import LEDGERS, Day, Ledger
from state.market import MarketView
from state.order import Order
from state.outcome import Outcome
from state.position import Position
from state.signal import Signal

OUTCOMES_KEPT = 500


class Portfolio:
    """Live nouns, counters, ledgers and the market view, as the fold of the journal.

    `undecided`, `working` and `asked` are indexes (insertion ordered) over the nouns that still owe something.
    `hashes` and `accepted` are the two layers of deduplication, `watches` what is observed and until when. `halts` are the
    reasons to open nothing by their codes, `flags` the switches that were set over the configuration. `ticked_at` is the
    last cycle, `owed` whether an alert or an ask has come since.
    """

    def __init__(self) -> None:
        self.lsn = 0
        self.now = 0
        self.config = ConfigAdopted(b"", "", 0)
        self.calendar: Calendar | None = None
        self.market = MarketView()
        self.book = Book()
        self.counters: dict[str, int] = {}
        self.signals: dict[str, Signal] = {}
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Position] = {}
        self.outcomes: deque[Outcome] = deque(maxlen=OUTCOMES_KEPT)
        self.undecided: dict[str, None] = {}
        self.working: dict[str, None] = {}
        self.asked: dict[str, None] = {}
        self.hashes: dict[tuple[str, bool], tuple[str, int]] = {}
        self.accepted: dict[tuple[str, str, str, bool], tuple[str, int]] = {}
        self.watches: dict[tuple[str, str], int] = {}
        self.watched_contracts: dict[str, int] = {}
        self.alerts: dict[tuple[str, str], int] = {}
        self.ticked_at = 0
        self.owed = False
        self.chosen: MarketChosen | None = None
        self.halts: dict[str, Halt] = {}
        self.flags: dict[str, bool] = {}
        self.ledgers: dict[str, Ledger] = {name: Ledger(0, 0) for name in LEDGERS}
        self.day: date | None = None
        self._day_ends = 0
        self.retired_on: date | None = None
        self.touched: set[str] = set()

    # -- folding ------------------------------------------------------------------------------------------------

    def take_in(self, told: AnyInput, *, lsn: int, seen_at: int) -> None:
        """Let the world view take in one input, before any rule is asked. Raises LawBroken when time or LSN go back."""
        if lsn != self.lsn + 1:
            raise LawBroken(f"record {lsn} follows record {self.lsn}")
        if seen_at < self.now:
            raise LawBroken(f"record {lsn} was seen before record {self.lsn}")
        before, self.lsn, self.now = self.now, lsn, seen_at
        if isinstance(told, CalendarAdopted):
            self._adopt(told.calendar)
        # Before the market is taken in: a date starts with the equity the one before it left, so that what opens
        # lower counts as a loss of the new date.
        self._roll_day()
        match told:
            case ConfigAdopted():
                self.config = told
                self._fund(told.cash_start)
            case MarketChosen():
                self.chosen = told
            case AlertReceived() | OperatorAsked():
                self.owed = True
            case TickReached(seen=seen):
                self.ticked_at, self.owed = seen_at, False
                if seen is None:
                    return
                if self.market.take_in(seen) > seen_at:
                    raise LawBroken(f"record {lsn} carries a market value from after it was seen")
                if seen.listed:
                    self.book.find(self.market)
                self.book.mark_all(self.market)
            case TicksPassed(ticks=ticks):
                self.ticked_at, self.owed = seen_at, False
                ticks.check(before, len(self.market.contracts))
                if ticks.last != seen_at or ticks.source != self.market.source:
                    raise LawBroken(f"record {lsn} was seen at another instant, or elsewhere, than its last tick")
                if self.sessions.day_of(ticks.begin) != self.day:
                    raise LawBroken(f"record {lsn} holds ticks of two dates")
                self.market.take_in(ticks.together())
                if ticks.listed:
                    self.book.find(self.market)
                _, rows, quotes = ticks.quoted()
                self.book.mark_through(rows, quotes, self.market)
            case _:
                pass

    def _adopt(self, calendar: Calendar) -> None:
        self.calendar, self._day_ends = calendar, 0
        for position in self.live_positions():
            self.book.set_instants(position.id, self.instants_of(position.contract))

    def _fund(self, cash_start: int) -> None:
        for ledger in self.ledgers.values():
            if ledger.cash_start == 0:
                ledger.cash_start = ledger.cash = cash_start
                for day in ledger.days.values():
                    day.equity_start = cash_start

    def _roll_day(self) -> None:
        if self.calendar is None or self.now < self._day_ends:
            return
        today = self.calendar.day_of(self.now)
        self._day_ends = self.calendar.midnight_of(today + timedelta(days=1))
        if today == self.day:
            return
        self.day = today
        for name, ledger in self.ledgers.items():
            ledger.days[today] = Day(equity_start=self.equity(name))

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> Calendar:
        """The adopted calendar; raises LawBroken before one was adopted."""
        if self.calendar is None:
            raise LawBroken("no calendar was adopted before the first decision")
        return self.calendar

    def instants_of(self, contract: Contract) -> tuple[int, int, bool]:
        """(expiry, last trade, trades late) of a contract; raises LawBroken when the calendar does not reach them."""
        expires_at, last_trade_at = self.sessions.expiry_instant(contract), self.sessions.last_trade_at(contract)
        if expires_at is None or last_trade_at is None:
            raise LawBroken(f"the adopted calendar does not reach the expiration of {contract.occ}: adopt a longer one")
        return expires_at, last_trade_at, contract.root in self.sessions.late_roots

    @property
    def day_ends(self) -> int:
        """The instant (ns UTC) at which the next New York date begins; 0 before a calendar was adopted."""
        return self._day_ends

    def equity(self, ledger: str) -> int:
        """Cash plus marks of a ledger, in micro-dollars."""
        return self.ledgers[ledger].cash + self.book.value(ledger)

    def today(self, ledger: str) -> Day:
        """The counters of the current New York date."""
        if self.day is None:
            raise LawBroken("no calendar was adopted before the first decision")
        return self.ledgers[ledger].days[self.day]

    def next_id(self, noun: str, ahead: int = 0) -> str:
        """The id the next noun of a kind gets, e.g. `sig-000017`; `ahead` skips ids given out in the same decision."""
        return f"{noun}-{self.counters.get(noun, 0) + 1 + ahead:06d}"

    def gave_out(self, noun_id: str) -> bool:
        """True when an id was given to a noun, be it still in memory or retired."""
        noun, _, number = noun_id.rpartition("-")
        return number.isdecimal() and 0 < int(number) <= self.counters.get(noun, 0)

    def working_orders(self) -> tuple[Order, ...]:
        """Orders that may still fill, in the order they were created."""
        return tuple(self.orders[one] for one in self.working)

    def order_of(self, order_id: str) -> Order:
        """The order of an id; raises LawBroken when there is none."""
        try:
            return self.orders[order_id]
        except KeyError:
            raise LawBroken(f"there is no order {order_id}") from None

    def live_positions(self) -> tuple[Position, ...]:
        """Positions that hold contracts, in the order they were opened."""
        return tuple(self.positions[one] for one in self.book.ids if one is not None)

    # -- laws ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise LawBroken unless the invariants hold; called after every record, here as in production.

        Only ledgers that the record touched are summed again.
        """
        if self.touched:
            for name in sorted(self.touched):
                cost, commission = self.book.carried(name)
                self.ledgers[name].check(name, cost_open=cost, commission_open=commission)
            self.touched.clear()
        live = 0
        for ledger in self.ledgers.values():
            live += ledger.live
        if len(self.book) != live:
            raise LawBroken("the ledgers count other live positions than the book holds")

    def count(self, noun_id: str) -> None:
        """Note that an id was given out."""
        noun, number = noun_id.rsplit("-", 1)
        self.counters[noun] = max(self.counters.get(noun, 0), int(number))
