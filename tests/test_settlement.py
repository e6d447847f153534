"""Expired positions settle on the official print of their underlying, in the money or out of it, in the morning or at the close."""

import pytest
from msgspec.structs import replace

from rules import due, exits
from rules.profiles import SHORT_DATED, Profiles
from rules.settings import Settings
from state.facts import (
    Alerted,
    EntriesResumed,
    ExitChosen,
    MarketRetired,
    OrderEnded,
    OutcomeRecorded,
    PositionClosed,
    PositionReduced,
    PositionReopened,
    PositionSettled,
)
from state.inputs import AnyInput, Ask, ClockFellBehind, ClockJumped, OperatorAsked, StorageTurned
from state.market import SettlementPrint
from state.position import PositionPhase
from tests.stage import FREE, SPY_CALL, TRACE, Stage, instant, usd

FRIDAY = "2026-02-20"
SPXW = "SPXW260220C06000000"
SPX = "SPX260220C06000000"
PATIENT = replace(
    SHORT_DATED, entry_dte_min=1, exit_dte_min=0, hold_hours_max=0, profit_target_pct=10**9, stop_loss_pct=10_000
)
"""A profile that holds to expiration, as far as a profile may."""

HOLD = replace(TRACE, profiles=Profiles(short_dated=PATIENT), fills=replace(FREE, commission_per_contract_usd=700_000))


def printed(stage: Stage, symbol: str, price: str, *, opening: bool = False) -> SettlementPrint:
    """The settlement print of that Friday."""
    at = instant(FRIDAY, "09:30:00" if opening else "16:00:00")
    return SettlementPrint(symbol, stage.portfolio.sessions.day_of(at), opening=opening, price=usd(price), at=at)


def expiring(occ: str = SPY_CALL, spot: str = "SPY 595.42", settings: Settings = HOLD) -> Stage:
    """A stage that bought a contract expiring that Friday on the day itself, or on Thursday where it settles early."""
    stage = Stage(FRIDAY if occ != SPX else "2026-02-19", settings)
    stage.buy("10:00:00", spot, f"{occ} 3.40 3.50", symbol=occ, direction="long")
    stage.day = FRIDAY
    return stage


MONEY = [
    (SPY_CALL, "SPY 595.42", "SPY", "600.00", "4.00"),
    (SPY_CALL, "SPY 595.42", "SPY", "596.01", "0.01"),
    (SPY_CALL, "SPY 595.42", "SPY", "596.00", "0"),
    (SPY_CALL, "SPY 595.42", "SPY", "500.00", "0"),
    ("SPY260220P00595000", "SPY 595.42", "SPY", "590.50", "4.50"),
    ("SPY260220P00595000", "SPY 595.42", "SPY", "600.00", "0"),
    (SPXW, "SPX 6001.37", "SPX", "6003.25", "3.25"),
]


@pytest.mark.produces("expiration")
@pytest.mark.parametrize(("occ", "spot", "symbol", "price", "worth"), MONEY)
def test_a_position_settles_at_its_intrinsic_value(occ: str, spot: str, symbol: str, price: str, worth: str) -> None:
    """Nine contracts bought at 3.45: worth intrinsic value times 900, entry commission charged, none for settling."""
    stage = expiring(occ, spot)
    close = "16:15:00" if occ != SPXW else "16:00:00"
    stage.tick(close, settlements=(printed(stage, symbol, price),))
    outcome, proceeds = stage.last(OutcomeRecorded).outcome, 900 * usd(worth)
    assert stage.last(PositionSettled).intrinsic == usd(worth)
    assert (outcome.proceeds, outcome.gross) == (proceeds, proceeds - usd("3105"))
    assert (outcome.commission, outcome.net) == (usd("6.30"), outcome.gross - usd("6.30"))
    assert (outcome.reasons, stage.last(PositionClosed).reasons) == (("expiration",), ("expiration",))
    assert stage.portfolio.positions["pos-000001"].phase is PositionPhase.CLOSED
    assert (stage.of(ExitChosen), stage.last(PositionReduced).exit_commission) == ([], 0)


def test_a_late_contract_settles_when_it_has_stopped_trading() -> None:
    """SPY expires at 16:00 and trades to 16:15: until then it is held, although its print is known."""
    stage = expiring()
    stage.tick("16:00:00", settlements=(printed(stage, "SPY", "600.00"),))
    stage.tick("16:14:59")
    assert stage.of(PositionSettled) == []
    stage.tick("16:15:00")
    assert len(stage.of(PositionSettled)) == 1


def test_a_morning_contract_settles_on_the_opening_print_only() -> None:
    """SPX stops trading on Thursday and settles on Friday's opening value; a closing print is not its own."""
    stage = expiring(SPX, "SPX 6001.37")
    stage.tick("09:30:00", settlements=(replace(printed(stage, "SPX", "6100.00"), at=stage.portfolio.now),))
    assert (stage.of(PositionSettled), [one.code for one in stage.of(Alerted)]) == ([], ["settlement_print_missing"])
    stage.tick("09:45:00", settlements=(printed(stage, "SPX", "6010.50", opening=True),))
    assert stage.last(PositionSettled).intrinsic == usd("10.50")


@pytest.mark.produces("settlement_print_missing")
def test_a_missing_print_settles_nothing_and_alerts_once_a_day() -> None:
    """The position stays over the weekend, alerts on each date with a cycle, and settles when the print comes."""
    stage = expiring()
    for clock in ("16:15:00", "16:15:01", "18:00:00"):
        stage.tick(clock)
    assert [one.code for one in stage.of(Alerted)] == ["settlement_print_missing"]
    stage.day = "2026-02-23"
    stage.tick("09:30:00", "SPY 590.00")
    stage.tick("09:31:00")
    assert len(stage.of(Alerted)) == 2
    assert stage.portfolio.positions["pos-000001"].phase == "open"
    stage.tick("10:00:00", settlements=(printed(stage, "SPY", "600.00"),))
    assert (stage.last(PositionSettled).settlement_price, len(stage.portfolio.book)) == (usd("600"), 0)


def test_an_exit_order_still_working_ends_before_the_settlement() -> None:
    """Nobody bids until the end: the order expires with its session, the position opens again and settles next."""
    stage = expiring()
    stage.ask_close("15:00:00")
    stage.tick("15:00:00", f"{SPY_CALL} - 0.01")
    stage.tick("16:15:00", settlements=(printed(stage, "SPY", "500.00"),))
    assert (stage.last(OrderEnded).reason, stage.last(PositionReopened).code) == ("end_of_day", "exit_order_ended")
    assert stage.of(PositionSettled) == []
    assert due.next_at(stage.portfolio, stage.settings) == instant(FRIDAY, "16:15:01")
    stage.tick("16:15:01")
    assert (stage.last(OutcomeRecorded).outcome.reasons, stage.portfolio.asked) == (("expiration", "manual"), {})


def test_a_print_seen_once_is_kept_until_it_settled() -> None:
    """The first cycle after the weekend brings the print while an order still has to expire: nothing is lost."""
    stage = expiring()
    stage.tick("10:00:02", "SPY260213C00596000 1.00 1.02", "SPY260219C00596000 1.00 1.02")
    stage.ask_close("15:00:00")
    stage.tick("15:00:00", f"{SPY_CALL} - 0.01")
    stage.day = "2026-02-23"
    stage.tick("09:30:00", "SPY 590.00", settlements=(printed(stage, "SPY", "600.00"),))
    assert stage.last(MarketRetired).keep == (SPY_CALL,)
    assert stage.of(PositionSettled) == []
    stage.tick("09:30:01")
    assert stage.last(PositionSettled).intrinsic == usd("4.00")


def test_what_expired_is_known_by_its_print() -> None:
    """Before expiry nothing is expired; after it the print of the position is found under its date and kind."""
    stage = expiring()
    stage.tick("16:14:59")
    assert exits.expired(stage.portfolio) == ()
    stage.tick("16:15:00")
    (held,) = stage.portfolio.live_positions()
    assert (exits.expired(stage.portfolio), exits.print_of(stage.portfolio, held)) == ((held.id,), None)
    seen = printed(stage, "SPY", "600.00")
    stage.portfolio.market.take_in(stage.columns(seen.at, (), (seen,)))
    assert exits.print_of(stage.portfolio, held) == seen


@pytest.mark.produces("clock_jumped")
@pytest.mark.parametrize(
    ("apart", "agrees"),
    [
        (ClockJumped(7_200_000_000_000), ClockJumped(0)),
        (ClockJumped(7_200_000_000_000), OperatorAsked("", "looked at it", Ask.RESUME)),
        (ClockFellBehind(7_200_000_000_000), ClockFellBehind(0)),
    ],
)
def test_settlements_wait_while_the_clocks_are_apart(apart: AnyInput, agrees: AnyInput) -> None:
    """Whether it has expired cannot be told; once they agree, or the operator says so, it settles in the next cycle."""
    stage = expiring()
    stage.take(apart, at=instant(FRIDAY, "15:00:00"))
    observed = printed(stage, "SPY", "600.00")
    stage.tick("16:15:00", settlements=(observed,))
    assert (stage.of(PositionSettled), len(stage.portfolio.book)) == ([], 1)
    assert due.next_at(stage.portfolio, HOLD) == instant("2026-02-23", "09:30:00")
    stage.take(agrees, at=instant(FRIDAY, "16:20:00"))
    assert stage.last(EntriesResumed).code == ("clock_behind" if isinstance(apart, ClockFellBehind) else "clock_jumped")
    assert due.next_at(stage.portfolio, HOLD) == instant(FRIDAY, "16:20:01")
    stage.tick("16:20:01")
    assert stage.last(PositionSettled).settlement_price == usd("600.00")


def test_other_halts_settle_as_ever() -> None:
    """The operator's halt and a low disk open nothing; what has expired is no entry."""
    stage = expiring()
    stage.ask("15:00:00", Ask.HALT)
    stage.take(StorageTurned(low=True), at=instant(FRIDAY, "15:00:00"))
    stage.tick("16:15:00", settlements=(printed(stage, "SPY", "600.00"),))
    assert len(stage.of(PositionSettled)) == 1
