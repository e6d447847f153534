"""What leaves a position leaves its record, its row in the book and its ledger alike."""

import pytest

from state import applying_positions
from state.applying import apply
from state.errors import LawBroken
from state.facts import PositionReopened
from tests.stage import SPY_CALL, TRACE, Stage, usd

DAY = "2026-02-13"


def test_a_partial_close_moves_its_share() -> None:
    """Four of nine sold at 3.62: the ledger realizes their part, the rest stays at its cost."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    stage.ask_close("10:08:00")
    stage.tick("10:08:00", f"{SPY_CALL} 3.60 3.64 4 4")
    stage.tick("10:08:01", f"{SPY_CALL} 3.60 3.64 4 4")
    (held,), ledger = stage.portfolio.live_positions(), stage.portfolio.ledgers["paper"]
    assert (held.quantity_open, held.cost_open, held.realized_net) == (5, usd("1725"), usd("68"))
    assert (ledger.realized_net, ledger.cost_open, ledger.live) == (usd("68"), usd("1725"), 1)


def test_an_unknown_position_breaks_a_law() -> None:
    """A fact about a position that does not exist is refused before anything changes."""
    stage = Stage(DAY, TRACE)
    before = stage.digest()
    with pytest.raises(LawBroken, match="no position pos-000042"):
        apply(stage.portfolio, PositionReopened("pos-000042", "exit_order_ended"))
    assert stage.digest() == before


def test_the_position_of_an_id_is_found_or_breaks_a_law() -> None:
    """What was opened is found by its id; nothing else is."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:00:00")
    assert applying_positions.position_of(stage.portfolio, "pos-000001").id == "pos-000001"
    with pytest.raises(LawBroken, match="no position"):
        applying_positions.position_of(stage.portfolio, "pos-000002")
