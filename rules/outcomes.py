"""A closed trade to its outcome: percent of cost, R of initial risk, duration and reasons."""

from state import money
from state.facts import OutcomeRecorded, PositionReduced
from state.outcome import Outcome, OutcomeSource
from state.portfolio import Portfolio
from state.position import Position


def score(
    portfolio: Portfolio, position: Position, last: PositionReduced, *, reasons: tuple[str, ...]
) -> OutcomeRecorded:
    """The outcome of a position that `last` empties.

    Percent = net P&L / cost basis, R = net P&L / initial risk, both truncated to basis points.
    """
    gross = position.realized_gross + last.gross
    net = position.realized_net + last.net
    return OutcomeRecorded(
        Outcome(
            id=portfolio.next_id("out"),
            position_id=position.id,
            signal_id=position.signal_id,
            book=position.book,
            is_test=position.is_test,
            source=_source(position),
            engine=position.engine,
            profile=position.terms.profile,
            symbol=position.contract.underlying,
            direction=position.direction,
            contract=position.contract,
            quantity=position.quantity,
            cost=position.cost,
            proceeds=position.proceeds + last.proceeds,
            commission=position.commission + last.exit_commission,
            gross=gross,
            net=net,
            percent_bp=money.ratio_bp(net, position.cost),
            r_bp=money.ratio_bp(net, position.initial_risk) if position.initial_risk > 0 else None,
            reasons=reasons,
            opened_at=position.opened_at,
            closed_at=portfolio.now,
            duration_s=(portfolio.now - position.opened_at) // 1_000_000_000,
        )
    )


def _source(position: Position) -> OutcomeSource:
    if position.is_test:
        return OutcomeSource.TEST
    return OutcomeSource.LIVE if position.market_source == "live" else OutcomeSource.SIMULATION
