"""A position counted again from its fills alone: what it held, cost, brought and risked, and where it was to leave."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from state import money
from state.position import ExitTerms

Row = dict[str, Any]


class Count(msgspec.Struct, frozen=True):
    """Where a position stands after a fill. Money in micro-dollars; `average`, `target` and `stop` are per share.

    `cost` and `fees` are of all contracts ever bought and sold, those with `open` of the contracts still held.
    """

    bought: int = 0
    held: int = 0
    cost: int = 0
    proceeds: int = 0
    fees: int = 0
    cost_open: int = 0
    fees_open: int = 0
    realized_net: int = 0
    target: int = 0
    stop: int = 0
    risk: int = 0

    @property
    def average(self) -> int:
        """What a held contract cost per share on average, rounded down to whole micro-dollars; 0 when none is held."""
        return self.cost_open // (self.held * money.MULTIPLIER) if self.held else 0

    @property
    def gross(self) -> int:
        """What came back less what was paid, without fees."""
        return self.proceeds - self.cost

    @property
    def net(self) -> int:
        """What came back less what was paid and all fees: the P&L once nothing is held."""
        return self.gross - self.fees


class Trade(NamedTuple):
    """Contracts that changed hands: price per share, how many, and the fee for all of them."""

    price: int
    quantity: int
    fee: int


def terms_of(position: Row) -> ExitTerms:
    """The exit terms of a position, from its row."""
    return ExitTerms(*(position[name] for name in ExitTerms.__struct_fields__))


def recount(position: Row, fills: Iterable[Row]) -> list[tuple[Row, Count]]:
    """Each fill of a position, in order, with where the position stood after it."""
    terms, count = terms_of(position), Count()
    found = []
    for fill in fills:
        trade = Trade(fill["price"], fill["quantity"], fill["commission"])
        count = bought(count, trade, terms) if fill["intent"] == "open" else sold(count, trade)
        found.append((fill, count))
    return found


def bought(before: Count, trade: Trade, terms: ExitTerms) -> Count:
    """After a buy: levels follow the average price of what is held, risk = held at the stop + what was sold before."""
    amount = money.notional(trade.price, trade.quantity)
    held, cost_open = before.held + trade.quantity, before.cost_open + amount
    target, stop = terms.levels(cost_open, held)
    sold_before = before.bought - before.held
    kept_risk = money.share(before.risk, sold_before, before.bought) if before.bought else 0
    return replace(
        before,
        bought=before.bought + trade.quantity,
        held=held,
        cost=before.cost + amount,
        fees=before.fees + trade.fee,
        cost_open=cost_open,
        fees_open=before.fees_open + trade.fee,
        target=target,
        stop=stop,
        risk=kept_risk + max(0, cost_open - money.notional(stop, held)),
    )


def sold(before: Count, trade: Trade) -> Count:
    """After a sale, or a settlement without a fee: what leaves takes its share of the cost and the entry fees along."""
    cost = money.share(before.cost_open, trade.quantity, before.held)
    entry_fees = money.share(before.fees_open, trade.quantity, before.held)
    proceeds = money.notional(trade.price, trade.quantity)
    return replace(
        before,
        held=before.held - trade.quantity,
        proceeds=before.proceeds + proceeds,
        fees=before.fees + trade.fee,
        cost_open=before.cost_open - cost,
        fees_open=before.fees_open - entry_fees,
        realized_net=before.realized_net + proceeds - cost - entry_fees - trade.fee,
    )
