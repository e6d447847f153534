"""The paper broker: it answers for working orders from the market alone, and remembers nothing itself."""

from msgspec.structs import replace

from oracle.broker.paper import PaperBroker
from rules.fills import FillSettings
from rules.settings import Settings
from state.inputs import BrokerReported, OperatorAsked, ReportKind, TickReached
from tests.stage import Stage, instant

DAY = "2026-02-13"
CALL = "SPY260220C00596000"


def ordered(settings: Settings | None = None) -> tuple[Stage, PaperBroker]:
    """A stage on which one entry was decided at 10:30:00, and nobody has answered for it."""
    stage = Stage(DAY, settings)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    observed(stage, "10:30:00", "SPY 595.42", f"{CALL} 3.43 3.47 9 9")
    assert len(stage.portfolio.working) == 1
    return stage, PaperBroker(stage.loop)


def observed(stage: Stage, clock: str, *lines: str) -> None:
    """A tick without any answer from a broker."""
    at = instant(DAY, clock)
    stage.take(TickReached(stage.columns(at, lines)), at=at)


def answered(stage: Stage, broker: PaperBroker, clock: str) -> list[BrokerReported]:
    """Everything the broker has to say at an instant, each report taken in before the next is asked for."""
    told = []
    while (report := broker.next_report()) is not None:
        told.append(report)
        stage.take(report, at=instant(DAY, clock))
    return told


def test_it_acknowledges_first_and_says_nothing_twice() -> None:
    """The quote that decided the order does not fill it."""
    stage, broker = ordered()
    assert [one.kind for one in answered(stage, broker, "10:30:00")] == [ReportKind.ACCEPTED]
    assert broker.next_report() is None


def test_it_fills_on_a_younger_quote_at_its_side() -> None:
    """With price, quantity, commission and the quote it saw."""
    stage, broker = ordered()
    answered(stage, broker, "10:30:00")
    observed(stage, "10:30:01", f"{CALL} 3.40 3.45 9 9")
    (report,) = answered(stage, broker, "10:30:01")
    assert (report.kind, report.number, report.quantity) == (ReportKind.FILLED, 2, 1)
    assert (report.price, report.commission) == (3_450_000, 700_000)
    assert (report.bid, report.ask, report.quote_at) == (3_400_000, 3_450_000, instant(DAY, "10:30:01"))
    assert stage.portfolio.working == {}


def test_another_broker_says_the_same() -> None:
    """It owns no memory: a second one, made after a restart, goes on where the first stopped."""
    stage, broker = ordered()
    answered(stage, broker, "10:30:00")
    observed(stage, "10:30:01", f"{CALL} 3.40 3.45 9 9")
    assert PaperBroker(stage.loop).next_report() == broker.next_report() is not None


def test_it_confirms_a_cancel_and_expires_with_the_session() -> None:
    """An entry is cancelled after its time; an exit that found no fill ends with the close."""
    stage, broker = ordered()
    answered(stage, broker, "10:30:00")
    observed(stage, "10:31:01", "SPY 595.50")
    assert [(one.kind, one.reason) for one in answered(stage, broker, "10:31:01")] == [
        (ReportKind.CANCELLED, "order_timeout")
    ]

    stage, broker = ordered()
    observed(stage, "10:30:01", f"{CALL} 3.40 3.45 9 9")
    answered(stage, broker, "10:30:01")
    stage.take(OperatorAsked("all", "now"), at=instant(DAY, "15:00:00"))
    observed(stage, "15:00:00", f"{CALL} - 0.05")
    assert [one.kind for one in answered(stage, broker, "15:00:00")] == [ReportKind.ACCEPTED]
    observed(stage, "16:15:00", "SPY 595.50")
    assert [one.kind for one in answered(stage, broker, "16:15:00")] == [ReportKind.EXPIRED]


def test_it_fills_by_the_settings_in_force() -> None:
    """The model and its latency are read at every answer."""
    slow = replace(Settings(), fills=FillSettings(latency_s=5))
    stage, broker = ordered(slow)
    answered(stage, broker, "10:30:00")
    observed(stage, "10:30:04", f"{CALL} 3.40 3.45 9 9")
    assert broker.next_report() is None
    observed(stage, "10:30:05", f"{CALL} 3.40 3.46 9 9")
    assert [one.price for one in answered(stage, broker, "10:30:05")] == [3_460_000]
