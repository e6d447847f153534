"""What a run says to people: one line per fact that means something, with times of New York and exact money."""

import pytest
from msgspec.structs import replace

from oracle import narrate
from state import facts as f
from state.alert import FieldError
from state.signal import Signal
from tests.stage import Stage, instant
from tests.trades import traded

SUMMER = instant("2026-07-01", "10:30:02")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(None, "-"), (0, "$0.00"), (3_470_000, "$3.47"), (-135_400_000, "-$135.40"), (1_425_600_000, "$1,425.60"),
     (5_205_000, "$5.205"), (-1, "-$0.000001")],
)  # fmt: skip
def test_money_shows_every_digit_that_counts(amount: int | None, shown: str) -> None:
    """Two decimals at least, and none that is not zero is hidden."""
    assert narrate.usd(amount) == shown


def test_times_are_those_of_new_york() -> None:
    """In winter and in summer."""
    assert narrate.clock(instant("2026-02-13", "10:30:02")) == "2026-02-13 10:30:02"
    assert narrate.clock(SUMMER) == "2026-07-01 10:30:02"


@pytest.mark.parametrize(("bp", "shown"), [(5_175, "+51.75 %"), (-4_636, "-46.36 %"), (0, "+0.00 %"), (1, "+0.01 %")])
def test_percents_have_a_sign_and_two_decimals(bp: int, shown: str) -> None:
    """Basis points as people write them."""
    assert narrate.percent(bp) == shown


def requeued() -> Signal:
    """A signal that takes up another."""
    stage = Stage("2026-02-13")
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    return replace(stage.portfolio.signals["sig-000001"], id="sig-000002", requeued_from="sig-000001")


@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        (f.SignalQueued("sig-000001", SUMMER, "queued_market_closed"), "sig-000001 waits until 2026-07-01 10:30:02: "),
        (f.SignalRetryScheduled("sig-000001", SUMMER, "quote_stale", ()), "sig-000001 is tried again at 2026-07-01"),
        (f.SignalFailed("sig-000001", "order_timeout"), "sig-000001 failed, order_timeout: the entry order found"),
        (f.OrderEnded("ord-000001", 2, "cancel", "order_timeout"), "ord-000001 ended, order_timeout: "),
        (f.CloseAsked("pos-000001", "manual", "enough"), "pos-000001 is to be closed, manual: enough"),
        (f.CloseAsked("pos-000001", "exit_alert", ""), "pos-000001 is to be closed, exit_alert: "),
        (f.PositionSettled("pos-000001", 748_400_000, 0, 8_400_000),
         "pos-000001 settled at $748.40, worth $8.40 a share"),
        (f.EntriesHalted("entries_halted", "lunch\x1b[2J"),
         "entries are halted, entries_halted: lunch\\x1b[2J"),
        (f.EntriesHalted("entries_halted"), "entries are halted, entries_halted: the operator halted entries"),
        (f.EntriesResumed("clock_jumped", "back"), "entries go on, clock_jumped is over: back"),
        (f.EntriesResumed("entries_halted"), "entries go on, entries_halted is over: nothing was said about it"),
        (f.FlagSet("snap_unlisted", on=True, words="thin chain"), "flag snap_unlisted is on: thin chain"),
        (f.FlagSet("snap_unlisted", on=False), "flag snap_unlisted is off: nothing was said about it"),
        (f.FlagSet("snap_unlisted", on=None), "flag snap_unlisted is as configured: "),
        (f.SignalCreated(requeued()), "sig-000002 takes up sig-000001 once more, as the operator asked: SPY long 5m"),
        (f.Alerted("exit_waiting", "ord-000001"), "LOOK at ord-000001, exit_waiting: an exit order waits"),
        (f.UnitFailed("sig-000001", "processing_failed", "ZeroDivisionError"),
         "LOOK at sig-000001, processing_failed: a rule raised ZeroDivisionError"),
        (f.AlertLogged("evt-000001", "ignored", "exit_alert"), "evt-000001 ignored, exit_alert: "),
        (f.AlertLogged("evt-000001", "invalid_payload", "missing_symbol",
                       errors=(FieldError("symbol", "missing_symbol", "add it"),)),
         "evt-000001 refused, missing_symbol: symbol: add it"),
    ],
)  # fmt: skip
def test_a_fact_is_said_in_words(fact: f.AnyFact, shown: str) -> None:
    """What happened, to what, and why."""
    said = narrate.sentence(fact)
    assert said is not None
    assert said.startswith(shown)


@pytest.mark.parametrize(
    "fact",
    [
        f.OrderSubmitted("ord-000001", 1),
        f.PositionClosed("pos-000001", ("manual",)),
        f.SignalCreated(replace(requeued(), requeued_from=None)),
    ],
)
def test_what_goes_without_saying_is_not_said(fact: f.AnyFact) -> None:
    """An acknowledgement means nothing to people; a close is told with its outcome, a signal with its alert."""
    assert narrate.sentence(fact) is None


def test_a_day_reads_as_a_story(tmp_path) -> None:
    """The lines of a whole run, in their order."""
    told: list[str] = []
    traded(tmp_path, heard=lambda record, _: told.extend(narrate.lines(record.facts)))
    story = "\n".join(told)
    for line in (
        "evt-000001 accepted as sig-000001: SPY long 5m",
        "sig-000001 approved: 1 x SPY260220C00596000 at mid $3.45",
        "evt-000002 duplicate of sig-000001, duplicate_content: ",
        "ord-000001 filled 1 at $3.47, bid $3.43 ask $3.47, fee $0.70",
        "pos-000001 leaves, profit_target: the mark reached the profit target, mark $5.32",
        "ord-000003 sell 1 x SPY260220C00596000 at the market (profit_target)",
        "pos-000001 closed: net $179.60, +51.75 %, +1.04 R",
        "pos-000002 is to be closed, manual: enough",
    ):
        assert line in story
        story = story[story.index(line) :]
