"""The portfolio as plain data and back, for snapshots. What comes back continues exactly as if it had never stopped."""

import hashlib
from datetime import date

import msgspec

from state.calendar import Calendar
from state.errors import LawBroken
from state.halt import Halt
from state.inputs import ConfigAdopted, MarketChosen
from state.ledger import Ledger
from state.market import MarketState, MarketView
from state.order import Order
from state.outcome import Outcome
from state.portfolio import Portfolio
from state.position import Position
from state.signal import Signal

STATE_SCHEMA = 1
"""Raised with every change of what a snapshot holds; a snapshot of another number is ignored and made again."""


class PortfolioState(msgspec.Struct, frozen=True, array_like=True):
    """Everything a portfolio holds, mappings as pairs in insertion order."""

    lsn: int
    now: int
    day: date | None
    retired_on: date | None
    config: ConfigAdopted
    calendar: Calendar | None
    market: MarketState
    counters: tuple[tuple[str, int], ...]
    signals: tuple[Signal, ...]
    orders: tuple[Order, ...]
    positions: tuple[Position, ...]
    outcomes: tuple[Outcome, ...]
    undecided: tuple[str, ...]
    working: tuple[str, ...]
    asked: tuple[str, ...]
    hashes: tuple[tuple[tuple[str, bool], tuple[str, int]], ...]
    accepted: tuple[tuple[tuple[str, str, str, bool], tuple[str, int]], ...]
    watches: tuple[tuple[tuple[str, str], int], ...]
    watched_contracts: tuple[tuple[str, int], ...]
    alerts: tuple[tuple[tuple[str, str], int], ...]
    ticked_at: int
    owed: bool
    chosen: MarketChosen | None
    halts: tuple[Halt, ...]
    flags: tuple[tuple[str, bool], ...]
    ledgers: tuple[tuple[str, Ledger], ...]
    marks: tuple[tuple[str, int, int], ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(PortfolioState)


def encode(portfolio: Portfolio) -> bytes:
    """The bytes of a snapshot."""
    p = portfolio
    return _ENCODER.encode(
        PortfolioState(
            lsn=p.lsn,
            now=p.now,
            day=p.day,
            retired_on=p.retired_on,
            config=p.config,
            calendar=p.calendar,
            market=p.market.to_state(),
            counters=tuple(p.counters.items()),
            signals=tuple(p.signals.values()),
            orders=tuple(p.orders.values()),
            positions=tuple(p.positions.values()),
            outcomes=tuple(p.outcomes),
            undecided=tuple(p.undecided),
            working=tuple(p.working),
            asked=tuple(p.asked),
            hashes=tuple(p.hashes.items()),
            accepted=tuple(p.accepted.items()),
            watches=tuple(p.watches.items()),
            watched_contracts=tuple(p.watched_contracts.items()),
            alerts=tuple(p.alerts.items()),
            ticked_at=p.ticked_at,
            owed=p.owed,
            chosen=p.chosen,
            halts=tuple(p.halts.values()),
            flags=tuple(p.flags.items()),
            ledgers=tuple(p.ledgers.items()),
            marks=tuple((one.id, *p.book.mark_of(one.id)) for one in p.live_positions()),
        )
    )


def decode(body: bytes) -> Portfolio:
    """The portfolio of a snapshot; raises msgspec.MsgspecError when the bytes are none."""
    state = _DECODER.decode(body)
    portfolio = Portfolio()
    portfolio.lsn, portfolio.now = state.lsn, state.now
    portfolio.day, portfolio.retired_on = state.day, state.retired_on
    portfolio.config, portfolio.calendar = state.config, state.calendar
    portfolio.market = MarketView.from_state(state.market)
    portfolio.counters = dict(state.counters)
    portfolio.signals = {one.id: one for one in state.signals}
    portfolio.orders = {one.id: one for one in state.orders}
    portfolio.positions = {one.id: one for one in state.positions}
    portfolio.outcomes.extend(state.outcomes)
    portfolio.undecided = dict.fromkeys(state.undecided)
    portfolio.working = dict.fromkeys(state.working)
    portfolio.asked = dict.fromkeys(state.asked)
    portfolio.hashes = dict(state.hashes)
    portfolio.accepted = dict(state.accepted)
    portfolio.watches = dict(state.watches)
    portfolio.watched_contracts = dict(state.watched_contracts)
    portfolio.alerts = dict(state.alerts)
    portfolio.ticked_at, portfolio.owed, portfolio.chosen = state.ticked_at, state.owed, state.chosen
    portfolio.halts = {one.code: one for one in state.halts}
    portfolio.flags = dict(state.flags)
    portfolio.ledgers = dict(state.ledgers)
    for position_id, mark, mark_at in state.marks:
        _restore_row(portfolio, position_id, (mark, mark_at))
    return portfolio


def _restore_row(portfolio: Portfolio, position_id: str, marked: tuple[int, int]) -> None:
    position = portfolio.positions[position_id]
    try:
        instants = portfolio.instants_of(position.contract)
    except LawBroken as fault:
        raise msgspec.ValidationError(str(fault)) from fault
    portfolio.book.add(position, instants, portfolio.market)
    portfolio.book.set_mark(position_id, marked)


def digest(portfolio: Portfolio) -> str:
    """SHA-256 of the snapshot bytes: equal for two portfolios exactly when they continue alike."""
    return hashlib.sha256(encode(portfolio)).hexdigest()
