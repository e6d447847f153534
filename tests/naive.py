"""An independent, deliberately naive ledger: dollars as Decimal, shares as Fraction, everything from fills and settlements.

It judges the production ledger and therefore shares no arithmetic with it: no rule, no money, ledger or book module is
imported here. Deliberately absent: any knowledge of why something was bought or sold.

The documented rounding, done here in another way than in production: a share of cost or entry commission is rounded to
the micro-dollar with halves to even, and the last contracts take the rest; a stop in percent is rounded down to the
micro-dollar; percent of cost and R are cut, towards zero, to hundredths of a percent and to 0.0001.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = Decimal("0.000001")
SHARES = 100
NOTHING = Decimal(0)


@dataclass(frozen=True)
class Trade:
    """One execution: dollars per share, and the commission in dollars for the whole quantity."""

    at: int
    ledger: str
    position: str
    side: str
    quantity: int
    price: Decimal
    commission: Decimal = NOTHING
    right: str = "C"
    strike: Decimal = NOTHING


@dataclass(frozen=True)
class Settlement:
    """Expiry of a position against the price of its underlying."""

    at: int
    position: str
    price: Decimal


@dataclass(frozen=True)
class Stop:
    """Where a position leaves at a loss: a premium, or a percentage of what its contracts cost."""

    position: str
    price: Decimal | None
    percent: Decimal


@dataclass
class Holding:
    """What the trades of one position come to, in dollars.

    `cost` and `commission_in` count all contracts ever bought. `risk` = (average entry - stop) x quantity x 100, never
    below zero, of what is held at each purchase, beside the risk of what had been sold before it.
    """

    ledger: str
    right: str
    strike: Decimal
    bought: int = 0
    held: int = 0
    cost: Decimal = NOTHING
    cost_held: Decimal = NOTHING
    commission_in: Decimal = NOTHING
    commission_out: Decimal = NOTHING
    commission_held: Decimal = NOTHING
    proceeds: Decimal = NOTHING
    gross: Decimal = NOTHING
    net: Decimal = NOTHING
    stop: Stop | None = None
    level: Decimal = NOTHING
    risk: Decimal = NOTHING

    def buy(self, trade: Trade) -> None:
        """Add contracts; with the first ones the stop is not known yet."""
        self.risk = share(self.risk, self.bought - self.held, self.bought) if self.bought else NOTHING
        paid = trade.price * trade.quantity * SHARES
        self.bought += trade.quantity
        self.held += trade.quantity
        self.cost += paid
        self.cost_held += paid
        self.commission_in += trade.commission
        self.commission_held += trade.commission
        if self.stop is not None:
            self.protect(self.stop)

    def protect(self, stop: Stop) -> None:
        """Place the stop for what is held now, and add its risk to the risk of what was sold before."""
        self.stop = stop
        shares = self.held * SHARES
        kept = 1 - Fraction(stop.percent) / 100
        self.level = floor(Fraction(self.cost_held) / shares * kept) if stop.price is None else stop.price
        self.risk += max(NOTHING, self.cost_held - self.level * shares)

    def sell(self, quantity: int, brought: Decimal, commission: Decimal) -> Decimal:
        """Give contracts away at average cost; returns the net result of these contracts."""
        assert 0 < quantity <= self.held, f"{quantity} contracts leave a position of {self.held}"
        cost, charged = (share(one, quantity, self.held) for one in (self.cost_held, self.commission_held))
        self.held -= quantity
        self.cost_held -= cost
        self.commission_held -= charged
        self.commission_out += commission
        self.proceeds += brought
        self.gross += brought - cost
        net = brought - cost - charged - commission
        self.net += net
        return net

    @property
    def percent(self) -> Decimal:
        """Net result in percent of cost without commission, cut to two decimals."""
        return Decimal(int(Fraction(self.net) / Fraction(self.cost) * 10_000)).scaleb(-2)

    @property
    def r(self) -> Decimal | None:
        """Net result over initial risk, cut to four decimals; None without risk."""
        if self.risk == 0:
            return None
        return Decimal(int(Fraction(self.net) / Fraction(self.risk) * 10_000)).scaleb(-4)


@dataclass
class Account:
    """One ledger: its cash in dollars, and the net result realized on each New York date."""

    cash: Decimal
    commission: Decimal = NOTHING
    gross: Decimal = NOTHING
    net: Decimal = NOTHING
    realized: dict[date, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


class NaiveLedger:
    """Accounts of all ledgers, told trade by trade; `cash_start` funds each of them."""

    def __init__(self, cash_start: Decimal) -> None:
        self.cash_start = cash_start
        self.holdings: dict[str, Holding] = {}
        self.accounts: dict[str, Account] = defaultdict(lambda: Account(cash_start))

    # -- telling ------------------------------------------------------------------------------------------------

    def tell(self, event: Trade | Settlement | Stop) -> None:
        """Book one event."""
        match event:
            case Trade():
                self._trade(event)
            case Settlement():
                self._settle(event)
            case Stop():
                self.holdings[event.position].protect(event)

    def tell_facts(self, facts: Iterable[Any], *, seen_at: int) -> None:
        """Book what the facts of one record say: structs as they are recorded, or mappings as they are exported."""
        for event in events_of(facts, seen_at=seen_at):
            self.tell(event)

    def _trade(self, trade: Trade) -> None:
        account = self.accounts[trade.ledger]
        account.commission += trade.commission
        if trade.side == "buy":
            fresh = Holding(trade.ledger, trade.right, trade.strike)
            self.holdings.setdefault(trade.position, fresh).buy(trade)
            account.cash -= trade.price * trade.quantity * SHARES + trade.commission
            return
        brought = trade.price * trade.quantity * SHARES
        account.cash += brought - trade.commission
        self._leave(trade.position, trade.quantity, (brought, trade.commission), at=trade.at)

    def _settle(self, event: Settlement) -> None:
        holding = self.holdings[event.position]
        worth = event.price - holding.strike if holding.right == "C" else holding.strike - event.price
        brought = max(NOTHING, worth) * holding.held * SHARES
        self.accounts[holding.ledger].cash += brought
        self._leave(event.position, holding.held, (brought, NOTHING), at=event.at)

    def _leave(self, position: str, quantity: int, brought: tuple[Decimal, Decimal], *, at: int) -> None:
        holding = self.holdings[position]
        account, gross = self.accounts[holding.ledger], holding.gross
        net = holding.sell(quantity, *brought)
        account.gross += holding.gross - gross
        account.net += net
        account.realized[new_york_date(at)] += net

    # -- asking -------------------------------------------------------------------------------------------------

    def open_of(self, ledger: str) -> dict[str, Holding]:
        """The positions of a ledger that still hold contracts."""
        return {name: one for name, one in self.holdings.items() if one.ledger == ledger and one.held}

    def value(self, ledger: str, marks: Mapping[str, Decimal]) -> Decimal:
        """What the open positions of a ledger are worth at marks per share."""
        return sum((marks[name] * one.held * SHARES for name, one in self.open_of(ledger).items()), NOTHING)

    def equity(self, ledger: str, marks: Mapping[str, Decimal]) -> Decimal:
        """Cash plus marks."""
        return self.accounts[ledger].cash + self.value(ledger, marks)

    def unrealized(self, ledger: str, marks: Mapping[str, Decimal]) -> Decimal:
        """(mark - entry) x quantity x 100 of the open positions, commissions left aside."""
        return self.value(ledger, marks) - self.cost_open(ledger)

    def cost_open(self, ledger: str) -> Decimal:
        """What the contracts still held cost."""
        return sum((one.cost_held for one in self.open_of(ledger).values()), NOTHING)

    def commission_open(self, ledger: str) -> Decimal:
        """Entry commissions not yet charged to a realized part."""
        return sum((one.commission_held for one in self.open_of(ledger).values()), NOTHING)

    # -- judging ------------------------------------------------------------------------------------------------

    def first_difference(self, portfolio: Any) -> str | None:
        """The first value on which a portfolio disagrees, named with both sides; None when all agree exactly."""
        for name, mine, theirs in self._compared(portfolio):
            if mine != theirs:
                return f"{name}: the naive ledger says {mine}, the portfolio {theirs}"
        return None

    def _compared(self, portfolio: Any) -> Iterator[tuple[str, Any, Any]]:
        live = {one.id for one in portfolio.live_positions()}
        yield "live positions", {name for name, one in self.holdings.items() if one.held}, live
        marks = {one: usd(portfolio.book.mark_of(one)[0]) for one in live}
        for name, position in portfolio.positions.items():
            yield from self._compared_position(name, position)
        for name, ledger in portfolio.ledgers.items():
            yield from self._compared_ledger(name, ledger)
            yield f"{name} equity", self.equity(name, marks), usd(portfolio.equity(name))
            # The identity every reader of a report relies on, from naive figures alone.
            account, carried = self.accounts[name], self.commission_open(name)
            told = self.cash_start + account.net + self.unrealized(name, marks) - carried
            yield f"{name} cash and marks", told, self.equity(name, marks)
        for outcome in portfolio.outcomes:
            yield from self._compared_outcome(outcome)

    def _compared_position(self, name: str, position: Any) -> Iterator[tuple[str, Any, Any]]:
        one = self.holdings[name]
        yield f"{name} ledger", one.ledger, position.book
        yield f"{name} quantity", (one.bought, one.held), (position.quantity, position.quantity_open)
        yield f"{name} closed", one.held == 0, str(position.phase) == "closed"
        yield f"{name} cost", one.cost, usd(position.cost)
        yield f"{name} open cost", one.cost_held, usd(position.cost_open)
        yield f"{name} commission", one.commission_in + one.commission_out, usd(position.commission)
        yield f"{name} open commission", one.commission_held, usd(position.commission_open)
        yield f"{name} proceeds", one.proceeds, usd(position.proceeds)
        yield f"{name} gross", one.gross, usd(position.realized_gross)
        yield f"{name} net", one.net, usd(position.realized_net)
        yield f"{name} stop", one.level, usd(position.stop)
        yield f"{name} initial risk", one.risk, usd(position.initial_risk)

    def _compared_ledger(self, name: str, ledger: Any) -> Iterator[tuple[str, Any, Any]]:
        account = self.accounts[name]
        yield f"{name} cash", account.cash, usd(ledger.cash)
        yield f"{name} commission", account.commission, usd(ledger.commission)
        yield f"{name} gross", account.gross, usd(ledger.realized_gross)
        yield f"{name} net", account.net, usd(ledger.realized_net)
        yield f"{name} open cost", self.cost_open(name), usd(ledger.cost_open)
        yield f"{name} open commission", self.commission_open(name), usd(ledger.commission_open)
        yield f"{name} live positions", len(self.open_of(name)), ledger.live
        for day in sorted({*ledger.days, *account.realized}):
            theirs = ledger.days[day].realized_net if day in ledger.days else 0
            yield f"{name} realized on {day}", account.realized.get(day, NOTHING), usd(theirs)

    def _compared_outcome(self, outcome: Any) -> Iterator[tuple[str, Any, Any]]:
        name, one = outcome.position_id, self.holdings[outcome.position_id]
        yield f"{name} scored when empty", 0, one.held
        yield f"{name} scored quantity", one.bought, outcome.quantity
        yield f"{name} scored cost", one.cost, usd(outcome.cost)
        yield f"{name} scored proceeds", one.proceeds, usd(outcome.proceeds)
        yield f"{name} scored commission", one.commission_in + one.commission_out, usd(outcome.commission)
        yield f"{name} scored gross", one.gross, usd(outcome.gross)
        yield f"{name} scored net", one.net, usd(outcome.net)
        yield f"{name} percent", one.percent, Decimal(outcome.percent_bp).scaleb(-2)
        yield f"{name} R", one.r, None if outcome.r_bp is None else Decimal(outcome.r_bp).scaleb(-4)


# -- reading facts --------------------------------------------------------------------------------------------------


def events_of(facts: Iterable[Any], *, seen_at: int) -> Iterator[Trade | Settlement | Stop]:
    """The trades, settlements and stops among the facts of one record, in their order."""
    for fact in facts:
        match fact["fact"] if isinstance(fact, Mapping) else type(fact).__name__:
            case "OrderFilled":
                yield _trade_of(_of(fact, "fill"))
            case "PositionOpened":
                yield _stop_of(_of(fact, "position"))
            case "PositionSettled":
                yield Settlement(seen_at, _of(fact, "position_id"), usd(_of(fact, "settlement_price")))
            case _:
                pass


def _trade_of(fill: Any) -> Trade:
    contract = _of(fill, "contract")
    return Trade(
        at=_of(fill, "filled_at"),
        ledger=_of(fill, "book"),
        position=_of(fill, "position_id"),
        side=str(_of(fill, "side")),
        quantity=_of(fill, "quantity"),
        price=usd(_of(fill, "price")),
        commission=usd(_of(fill, "commission")),
        right=str(_of(contract, "right")),
        strike=usd(_of(contract, "strike")),
    )


def _stop_of(position: Any) -> Stop:
    terms = _of(position, "terms")
    price = _of(terms, "stop_price")
    percent = Decimal(_of(terms, "stop_bp")).scaleb(-2)
    return Stop(_of(position, "id"), None if price is None else usd(price), percent)


def _of(thing: Any, name: str) -> Any:
    return thing[name] if isinstance(thing, Mapping) else getattr(thing, name)


# -- arithmetic -----------------------------------------------------------------------------------------------------


def usd(micros: int) -> Decimal:
    """Dollars of an integer of micro-dollars."""
    return Decimal(micros) * MICRO


def share(amount: Decimal, part: int, whole: int) -> Decimal:
    """`part/whole` of an amount, to the micro-dollar, halves to even."""
    # Rounding a Fraction to an integer is defined by Python as halves to even.
    return usd(round(Fraction(amount) * 1_000_000 * part / whole))


def floor(amount: Fraction) -> Decimal:
    """The amount rounded down to the micro-dollar."""
    return usd(math.floor(amount * 1_000_000))


def new_york_date(at: int) -> date:
    """The New York date of nanoseconds UTC."""
    return (EPOCH + timedelta(microseconds=at // 1_000)).astimezone(NEW_YORK).date()
