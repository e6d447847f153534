"""A portfolio taken out of a snapshot at any moment goes on exactly as the one that never stopped."""

import msgspec
import pytest

from state import keeping
from state.inputs import AnyInput
from state.market import SettlementPrint
from state.portfolio import Portfolio
from state.record import Record
from tests.stage import SPY_CALL, TRACE, Stage, instant, later, usd

DAY = "2026-02-13"


class Restarted(Stage):
    """A stage whose portfolio is put into bytes and taken out again after every record."""

    def take(self, told: AnyInput, *, at: int) -> tuple[object, ...]:  # type: ignore[override]
        """Take in an input, then restart."""
        facts = super().take(told, at=at)
        self.loop.portfolio = keeping.decode(keeping.encode(self.portfolio))
        return facts


def lived(stage: Stage) -> tuple[list[Record], str]:
    """Alerts, partial fills, an addition, a restart at a bad moment, exits, a weekend, an expiry, and their digest."""
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47 4 4")
    for seconds in (1, 2, 3):
        stage.tick(later("10:30:00", seconds), f"{SPY_CALL} 3.43 3.47 4 4")
    stage.buy("10:40:00", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01", is_test=True)
    stage.alert("10:41:00", symbol="IWM", direction="long", timeframe="5m")
    stage.tick("10:41:00")
    stage.alert("10:41:30", symbol="SPY", direction="long", timeframe="1h")
    stage.tick("10:41:30", "SPY 595.50", f"{SPY_CALL} 3.53 3.57 4 4")
    stage.tick("10:41:31", f"{SPY_CALL} 3.53 3.57 4 4")
    stage.ask_close("10:41:32", "pos-000001", "enough")
    for seconds in range(33, 40):
        stage.tick(f"10:41:{seconds}", f"{SPY_CALL} 3.53 3.57 4 4")
    stage.buy("15:00:00", "AAPL 150.10", "AAPL260220P00150000 2.00 2.02")
    stage.tick("15:59:59", "AAPL260220P00150000 - 0.05")
    stage.day = "2026-02-17"
    stage.tick("09:30:00", "AAPL260220P00150000 3.10 3.12")
    stage.tick("09:30:01", "AAPL260220P00150000 3.10 3.12")
    stage.buy("10:00:00", "SPY 595.42", "SPY260227C00596000 4.43 4.47")
    stage.day = "2026-02-27"
    at = instant(stage.day, "16:00:00")
    stage.tick("16:15:00")
    seen = SettlementPrint("SPY", stage.portfolio.sessions.day_of(at), opening=False, price=usd("600"), at=at)
    stage.tick("16:15:01", settlements=(seen,))
    stage.day = "2026-03-02"
    stage.tick("09:30:00", "SPY 590.00")
    return stage.records, stage.digest()


def test_a_restart_after_every_record_changes_nothing() -> None:
    """The same facts, and the same digest at the end, whether it stopped a hundred times or never."""
    straight, restarted = lived(Stage(DAY, TRACE)), lived(Restarted(DAY, TRACE))
    assert straight[0] == restarted[0]
    assert straight[1] == restarted[1]
    assert {type(fact).__name__ for record in straight[0] for fact in record.facts} >= {
        "OrderFilled",
        "OrderEnded",
        "PositionIncreased",
        "PositionReduced",
        "CloseAsked",
        "SignalRetryScheduled",
        "Alerted",
        "NounsRetired",
        "MarketRetired",
        "PositionSettled",
    }


def test_a_snapshot_comes_back_to_the_byte() -> None:
    """Encoding what was decoded gives the same bytes, also of a portfolio that has seen nothing."""
    stage = Stage(DAY, TRACE)
    lived(stage)
    for portfolio in (Portfolio(), stage.portfolio):
        body = keeping.encode(portfolio)
        assert keeping.encode(keeping.decode(body)) == body


def test_a_position_never_marked_comes_back_unmarked() -> None:
    """A mark that is only the entry price stays that, although the market view has a quote by now."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    stage.portfolio.book.set_mark("pos-000001", (usd("9"), 0))
    twin = keeping.decode(keeping.encode(stage.portfolio))
    assert twin.book.mark_of("pos-000001") == (usd("9"), 0)


def test_the_digest_tells_two_portfolios_apart() -> None:
    """One more record, one other cent."""
    stage = Stage(DAY, TRACE)
    digests = [stage.digest()]
    for clock, price in (("10:30:00", "595.42"), ("10:30:01", "595.42"), ("10:30:02", "595.43")):
        stage.tick(clock, f"SPY {price}")
        digests.append(stage.digest())
    assert len(set(digests)) == 4


@pytest.mark.parametrize("body", [b"", b"\x90", b"nonsense", b"\xc1" * 40])
def test_what_is_no_snapshot_is_said_so(body: bytes) -> None:
    """Bytes of another shape raise one kind of error, so that the snapshot is made again."""
    with pytest.raises(msgspec.MsgspecError):
        keeping.decode(body)


def test_a_snapshot_whose_calendar_is_too_short_is_none() -> None:
    """A held contract must expire within the calendar of the same snapshot."""
    stage = Stage(DAY, TRACE)
    stage.buy("10:30:00")
    held = stage.portfolio.positions["pos-000001"]
    far = msgspec.structs.replace(held.contract, expiry=held.contract.expiry.replace(year=2031))
    stage.portfolio.positions[held.id] = msgspec.structs.replace(held, contract=far)
    with pytest.raises(msgspec.ValidationError, match="adopt a longer one"):
        keeping.decode(keeping.encode(stage.portfolio))
