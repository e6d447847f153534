"""Where a run stands after a record, in plain figures: what `oracle status` shows, without the portfolio it is read off.

Deliberately absent: what only the process at work knows (its clock, its socket), and what somebody should look at, which
are rows of the query tables.
"""

from datetime import date
from typing import Any

import msgspec

from state import money
from state.inputs import MarketKind
from state.ledger import PAPER
from state.portfolio import Portfolio
from state.position import Position, PositionPhase


class Standing(msgspec.Struct, frozen=True):
    """The figures of a portfolio as it was after record `lsn`, as JSON, and the configuration in force there."""

    lsn: int
    seen_at: int
    figures: bytes
    config: bytes


def standing_of(portfolio: Portfolio) -> Standing:
    """Where a portfolio stands now, encoded at once: it may go on while the figures are written."""
    told = msgspec.json.encode(figures(portfolio))
    return Standing(portfolio.lsn, portfolio.now, told, portfolio.config.body)


def figures(portfolio: Portfolio) -> dict[str, Any]:
    """Money, what is open, what is owed, what is halted: amounts in micro-dollars, instants in ns UTC.

    `market_at` is the newest instant at which a price was true, null before the first.
    """
    ledger, value = portfolio.ledgers[PAPER], portfolio.book.value(PAPER)
    live = [one for one in portfolio.live_positions() if one.book == PAPER]
    today = ledger.days.get(portfolio.day) if portfolio.day is not None else None
    equity = ledger.cash + value
    return {
        **_market(portfolio),
        "last_seen_at": portfolio.now,
        "record": portfolio.lsn,
        "config": portfolio.config.digest[:12],
        "equity": equity,
        "cash": ledger.cash,
        "marks": value,
        "today_pnl": equity - today.equity_start if today is not None else 0,
        "today_entries": today.entries_filled if today is not None else 0,
        "realized_net": ledger.realized_net,
        "unrealized": value - ledger.cost_open,
        "commission": ledger.commission,
        "positions_open": len(live),
        "positions_closing": sum(one.phase is PositionPhase.CLOSING for one in live),
        "orders_working": sum(one.book == PAPER for one in portfolio.working_orders()),
        "signals_undecided": sum(portfolio.signals[one].book == PAPER for one in portfolio.undecided),
        "closes_waiting": sum(one.close_asked is not None for one in live),
        "halts": [{"code": one.code, "words": one.words, "since": one.since} for one in portfolio.halts.values()],
        "flags": dict(portfolio.flags),
        "positions": [_held(portfolio, one) for one in live],
    }


def _market(portfolio: Portfolio) -> dict[str, Any]:
    """Whose prices it trades on, which market was chosen, and how new the newest price is."""
    view, chosen = portfolio.market, portfolio.chosen
    first: date | None = None if chosen is None else chosen.first
    quoted = view.column("at")
    newest = max((int(quoted.max()) if quoted.size else 0, *(one.at for one in view.spots.values())))
    simulated = MarketKind.SIMULATED
    return {
        "market": view.source,
        "market_kind": None if chosen is None else str(chosen.kind),
        "market_seed": chosen.seed if chosen is not None and chosen.kind is simulated else None,
        "market_first": None if first is None else first.isoformat(),
        "market_at": newest or None,
        "simulated": view.source == simulated or (chosen is not None and chosen.kind is simulated),
    }


def _held(portfolio: Portfolio, position: Position) -> dict[str, Any]:
    """One position as it is marked; `mark` is null until a quote was seen."""
    mark, mark_at = portfolio.book.mark_of(position.id)
    value = money.notional(mark, position.quantity_open)
    return {
        "id": position.id,
        "seen_at": portfolio.now,
        "occ": position.contract.occ,
        "expiry": position.contract.expiry.isoformat(),
        "quantity": position.quantity_open,
        "cost_open": position.cost_open,
        "mark": mark if mark_at else None,
        "mark_at": mark_at or None,
        "value": value,
        "unrealized": value - position.cost_open,
        "target": position.target,
        "stop": position.stop,
        "phase": str(position.phase),
    }
