"""The money of one book: cash, realized results and the New York days it lived through. Positions are not kept here."""

from datetime import date

import msgspec

from state.errors import LawBroken

PAPER = "paper"
SHADOW = "shadow"
TEST = "test"
LEDGERS = (PAPER, SHADOW, TEST)
"""Test signals trade in a ledger of their own, so that they can never count in limits, P&L or statistics."""


class Day(msgspec.Struct):
    """Counters of one New York date; they begin with the date and are never reset by a tick."""

    equity_start: int
    entries_filled: int = 0
    realized_net: int = 0


class Ledger(msgspec.Struct):
    """Amounts in micro-dollars. `cost_open` and `commission_open` belong to live positions."""

    cash_start: int
    cash: int
    realized_gross: int = 0
    realized_net: int = 0
    commission: int = 0
    cost_open: int = 0
    commission_open: int = 0
    live: int = 0
    live_by_symbol: dict[str, int] = {}
    days: dict[date, Day] = {}

    def buy(self, symbol: str, *, cost: int, commission: int, opens: bool) -> None:
        """Pay for contracts bought."""
        self.cash -= cost + commission
        self.commission += commission
        self.cost_open += cost
        self.commission_open += commission
        if opens:
            self.live += 1
            self.live_by_symbol[symbol] = self.live_by_symbol.get(symbol, 0) + 1

    def sell(self, *, proceeds: int, cost: int, entry_commission: int, exit_commission: int) -> None:
        """Receive what contracts brought and move their share of cost and commission to the realized result."""
        self.cash += proceeds - exit_commission
        self.commission += exit_commission
        self.cost_open -= cost
        self.commission_open -= entry_commission
        self.realized_gross += proceeds - cost
        self.realized_net += proceeds - cost - entry_commission - exit_commission

    def close(self, symbol: str) -> None:
        """One position less."""
        self.live -= 1
        left = self.live_by_symbol[symbol] - 1
        if left:
            self.live_by_symbol[symbol] = left
        else:
            del self.live_by_symbol[symbol]

    def check(self, name: str, *, cost_open: int, commission_open: int) -> None:
        """Raise LawBroken unless cash, realized results and the columns of open positions tell one story.

        With marks M of the open positions: cash + M = start + realized net + (M - cost open) - commission open.
        """
        if (cost_open, commission_open) != (self.cost_open, self.commission_open):
            raise LawBroken(
                f"ledger {name} carries {self.cost_open} cost and {self.commission_open} commission for its open "
                f"positions, the positions carry {cost_open} and {commission_open}"
            )
        if self.cash != self.cash_start + self.realized_net - self.cost_open - self.commission_open:
            raise LawBroken(f"the cash of ledger {name} does not follow from its fills")
