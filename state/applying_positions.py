"""How the facts of a position change the portfolio: its record, its row in the book, and the ledger it belongs to."""

from msgspec.structs import replace

from state import facts as f
from state.errors import LawBroken
from state.ledger import LEDGERS
from state.portfolio import Portfolio
from state.position import POSITION_LIFE, Position, PositionPhase, PositionTrigger


def position_opened(portfolio: Portfolio, fact: f.PositionOpened) -> None:
    """A first fill."""
    position = fact.position
    if position.book not in LEDGERS or position.id in portfolio.positions:
        raise LawBroken(f"position {position.id} cannot be opened in ledger {position.book}")
    instants = portfolio.instants_of(position.contract)
    portfolio.count(position.id)
    portfolio.positions[position.id] = position
    portfolio.book.add(position, instants, portfolio.market)
    portfolio.ledgers[position.book].buy(
        position.contract.underlying, cost=position.cost, commission=position.commission, opens=True
    )
    portfolio.touched.add(position.book)


def position_increased(portfolio: Portfolio, fact: f.PositionIncreased) -> None:
    """A further fill."""
    position = position_of(portfolio, fact.position_id)
    if position.phase is not PositionPhase.OPEN:
        raise LawBroken(f"position {position.id} is {position.phase} and cannot grow")
    _keep(
        portfolio,
        replace(
            position,
            quantity=position.quantity + fact.quantity,
            quantity_open=position.quantity_open + fact.quantity,
            cost=position.cost + fact.cost,
            cost_open=position.cost_open + fact.cost,
            commission=position.commission + fact.commission,
            commission_open=position.commission_open + fact.commission,
            target=fact.target,
            stop=fact.stop,
            initial_risk=fact.initial_risk,
        ),
    )
    portfolio.ledgers[position.book].buy(
        position.contract.underlying, cost=fact.cost, commission=fact.commission, opens=False
    )
    portfolio.touched.add(position.book)


def position_reduced(portfolio: Portfolio, fact: f.PositionReduced) -> None:
    """Contracts leave."""
    position = position_of(portfolio, fact.position_id)
    left = position.quantity_open - fact.quantity
    if fact.quantity <= 0 or left < 0:
        raise LawBroken(f"position {position.id} holds {position.quantity_open} contracts, not {fact.quantity}")
    if left == 0 and (position.cost_open != fact.cost or position.commission_open != fact.entry_commission):
        raise LawBroken(f"position {position.id} would end empty but still carry cost")
    _keep(
        portfolio,
        replace(
            position,
            quantity_open=left,
            cost_open=position.cost_open - fact.cost,
            commission=position.commission + fact.exit_commission,
            commission_open=position.commission_open - fact.entry_commission,
            proceeds=position.proceeds + fact.proceeds,
            realized_gross=position.realized_gross + fact.gross,
            realized_net=position.realized_net + fact.net,
        ),
    )
    portfolio.ledgers[position.book].sell(
        proceeds=fact.proceeds,
        cost=fact.cost,
        entry_commission=fact.entry_commission,
        exit_commission=fact.exit_commission,
    )
    portfolio.today(position.book).realized_net += fact.net
    portfolio.touched.add(position.book)


def close_asked(portfolio: Portfolio, fact: f.CloseAsked) -> None:
    """Somebody wants it closed."""
    position = _live(portfolio, fact.position_id)
    portfolio.asked[position.id] = None
    _keep(portfolio, replace(position, close_asked=fact.reason, close_words=fact.words))


def exit_chosen(portfolio: Portfolio, fact: f.ExitChosen) -> None:
    """It is to leave."""
    position = position_of(portfolio, fact.position_id)
    phase = POSITION_LIFE.advance(position.phase, PositionTrigger.BEGIN_CLOSE)
    _keep(portfolio, replace(position, phase=phase, exit_order_id=fact.order_id, exit_reasons=fact.reasons))


def position_reopened(portfolio: Portfolio, fact: f.PositionReopened) -> None:
    """Its exit ended early."""
    position = position_of(portfolio, fact.position_id)
    phase = POSITION_LIFE.advance(position.phase, PositionTrigger.REOPEN)
    _keep(portfolio, replace(position, phase=phase, exit_order_id=None))


def position_settled(portfolio: Portfolio, fact: f.PositionSettled) -> None:
    """Its expiry was settled."""
    position = _live(portfolio, fact.position_id)
    portfolio.positions[position.id] = replace(
        position, settled_at=fact.settlement_at, settlement_price=fact.settlement_price
    )


def position_closed(portfolio: Portfolio, fact: f.PositionClosed) -> None:
    """Nothing is left of it."""
    position = position_of(portfolio, fact.position_id)
    if position.quantity_open:
        raise LawBroken(f"position {position.id} still holds {position.quantity_open} contracts")
    phase = POSITION_LIFE.advance(position.phase, PositionTrigger.CLOSE)
    _keep(portfolio, replace(position, phase=phase, exit_reasons=fact.reasons, closed_at=portfolio.now))
    portfolio.asked.pop(position.id, None)
    portfolio.ledgers[position.book].close(position.contract.underlying)


def outcome_recorded(portfolio: Portfolio, fact: f.OutcomeRecorded) -> None:
    """It was scored."""
    portfolio.count(fact.outcome.id)
    portfolio.outcomes.append(fact.outcome)


def position_of(portfolio: Portfolio, position_id: str) -> Position:
    """The position of an id; raises LawBroken when there is none."""
    try:
        return portfolio.positions[position_id]
    except KeyError:
        raise LawBroken(f"there is no position {position_id}") from None


def _live(portfolio: Portfolio, position_id: str) -> Position:
    position = position_of(portfolio, position_id)
    if not position.live:
        raise LawBroken(f"position {position.id} is closed")
    return position


def _keep(portfolio: Portfolio, position: Position) -> None:
    portfolio.positions[position.id] = position
    portfolio.book.update(position)
