"""Where a run stands: figures of its money, its market and what is in force, from the first record to the last."""

import json
from datetime import date

from state import standing
from state.inputs import Ask, MarketChosen, MarketKind, OperatorAsked
from state.market import SettlementPrint
from state.portfolio import Portfolio
from tests.stage import CASH, SPY_CALL, Stage, instant

DAY = "2026-02-13"


def test_before_the_first_record_everything_is_empty() -> None:
    """Nothing was adopted, chosen or seen; every figure is there all the same."""
    told = standing.figures(Portfolio())
    assert (told["record"], told["equity"], told["today_pnl"], told["positions"]) == (0, 0, 0, [])
    assert (told["market"], told["market_kind"], told["market_at"], told["simulated"]) == ("none", None, None, False)
    assert (told["halts"], told["flags"]) == ([], {})
    assert set(told) == set(standing.figures(Stage(DAY).portfolio))


def test_money_and_positions_are_told_as_they_are_marked() -> None:
    """Equity is cash and marks; a position never marked has no mark."""
    stage = Stage(DAY)
    assert standing.figures(stage.portfolio)["equity"] == CASH
    stage.buy("10:30:00")
    stage.tick("10:31:00", f"{SPY_CALL} 4.00 4.10")
    told = standing.figures(stage.portfolio)
    (held,) = told["positions"]
    assert (held["occ"], held["mark"], held["mark_at"]) == (SPY_CALL, 4_050_000, instant(DAY, "10:31:00"))
    assert told["equity"] == told["cash"] + told["marks"] == CASH + told["realized_net"] + told["today_pnl"]
    assert (told["positions_open"], told["today_entries"], told["orders_working"]) == (1, 1, 0)
    assert told["last_seen_at"] == instant(DAY, "10:31:00")


def test_the_newest_price_is_dated() -> None:
    """By quotes and spots alike, at the instant at which they were true; a settlement print is no live price."""
    stage = Stage(DAY)
    stage.tick("10:30:00", f"{SPY_CALL} 3.43 3.47")
    stage.tick("10:31:00", "SPY 595.42")
    late = SettlementPrint("SPY", date(2026, 2, 13), True, 595_000_000, instant(DAY, "10:32:00"))
    stage.tick("10:33:00", settlements=(late,))
    assert standing.figures(stage.portfolio)["market_at"] == instant(DAY, "10:31:00")


def test_a_simulated_market_says_so_from_the_moment_it_is_chosen() -> None:
    """Before it gave a price the choice tells it, with the seed it follows from; a tape of such prices tells it too."""
    stage = Stage(DAY)
    stage.take(MarketChosen(MarketKind.SIMULATED, 7, date(2026, 2, 13)), at=instant(DAY, "09:00:00"))
    told = standing.figures(stage.portfolio)
    assert (told["simulated"], told["market_kind"], told["market_seed"], told["market_first"]) == (
        *(True, "simulated", 7, "2026-02-13"),
    )
    tape = Stage(DAY, source="simulated")
    tape.take(MarketChosen(MarketKind.TAPE), at=instant(DAY, "09:00:00"))
    assert not standing.figures(tape.portfolio)["simulated"]
    tape.tick("10:30:00", "SPY 595.42")
    told = standing.figures(tape.portfolio)
    assert (told["simulated"], told["market_kind"], told["market_seed"], told["market"]) == (
        *(True, "tape", None, "simulated"),
    )


def test_what_is_in_force_is_told() -> None:
    """Halts with their words and since when, and the switches the operator set."""
    stage = Stage(DAY)
    stage.take(OperatorAsked("", "lunch", Ask.HALT), at=instant(DAY, "10:30:00"))
    stage.take(OperatorAsked("snap_unlisted", "", Ask.FLAG_ON), at=instant(DAY, "10:30:01"))
    told = standing.figures(stage.portfolio)
    assert told["halts"] == [{"code": "entries_halted", "words": "lunch", "since": instant(DAY, "10:30:00")}]
    assert told["flags"] == {"snap_unlisted": True}


def test_a_standing_holds_the_moment_it_was_taken() -> None:
    """It is bytes already: the portfolio may go on while they are written."""
    stage = Stage(DAY)
    stage.buy("10:30:00")
    expected = standing.figures(stage.portfolio)
    taken = standing.standing_of(stage.portfolio)
    stage.tick("10:31:00", f"{SPY_CALL} 4.00 4.10")
    assert json.loads(taken.figures) == expected
    assert (taken.lsn, taken.seen_at, taken.config) == (expected["record"], expected["last_seen_at"], b"{}")
