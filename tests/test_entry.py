"""One signal judged: what the session allows, which contract, and every way the judgement can end."""

from typing import Any

import pytest
from msgspec.structs import replace

from rules import entry
from rules.entry import Permission
from rules.gates import GateLimits
from rules.orders import OrderSettings
from rules.settings import SessionSettings, Settings
from rules.sizing import SizingLimits, SizingMode
from rules.strikes import StrikeLimits
from state.facts import (
    AnyFact,
    OrderCreated,
    OrderFilled,
    SignalApproved,
    SignalDecided,
    SignalQueued,
    SignalRefused,
    SignalReleased,
    SignalRetryScheduled,
)
from state.inputs import Ask, MarketChosen, MarketKind
from state.signal import SignalPhase
from tests.stage import FREE, SPY_CALL, TRACE, Stage, instant, usd

FRIDAY, TUESDAY = "2026-02-13", "2026-02-17"
"""Around the long weekend of Presidents' Day."""

SPY: dict[str, Any] = {"symbol": "SPY", "direction": "long", "timeframe": "5m", "price": 595.42}
MARKET = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47")
LATER = ("SPY 595.42", "SPY260227C00596000 4.43 4.47")
"""What the profile buys on that Tuesday: at least five days away."""


def staged(mode: str = "decision_only", *, day: str = FRIDAY, **more: Any) -> Stage:
    """A stage under a closed-market mode."""
    return Stage(day, Settings(session=SessionSettings(closed_market_mode=mode, **more), fills=FREE))  # type: ignore[arg-type]


def arrive(stage: Stage, clock: str, *lines: str, **fields: Any) -> tuple[AnyFact, ...]:
    """An alert and the cycle it asks for."""
    stage.alert(clock, **(SPY | fields))
    return stage.tick(clock, *lines)


def kinds(facts: tuple[AnyFact, ...]) -> list[str]:
    """The names of facts about signals and orders."""
    return [type(one).__name__ for one in facts if type(one).__name__.startswith(("Signal", "OrderC"))]


# -- sessions -------------------------------------------------------------------------------------------------------


@pytest.mark.produces("queued_market_closed")
def test_a_queued_signal_is_judged_at_the_next_open() -> None:
    """Friday evening waits over the weekend and the holiday, is released on Tuesday 09:30 and ordered then."""
    stage = staged("queue")
    arrive(stage, "20:00:00")
    queued, opening = stage.last(SignalQueued), instant(TUESDAY, "09:30:00")
    assert (queued.until, queued.reason) == (opening, "queued_market_closed")
    signal = stage.portfolio.signals["sig-000001"]
    assert (signal.phase, signal.next_at, signal.queued_until) == (SignalPhase.QUEUED, opening, opening)
    stage.day = TUESDAY
    assert kinds(stage.tick("09:29:59", *LATER)) == []
    assert kinds(stage.tick("09:30:00", *LATER)) == ["SignalReleased", "SignalApproved", "OrderCreated"]


@pytest.mark.produces("price_drift_exceeded")
@pytest.mark.parametrize(("spot", "refused"), [("607.328", None), ("607.39", "price_drift_exceeded")])
def test_a_queued_signal_is_dropped_when_the_price_left(spot: str, refused: str | None) -> None:
    """Two percent between the price it was sent at and the open is the most."""
    stage = staged("queue")
    arrive(stage, "20:00:00")
    stage.day = TUESDAY
    stage.tick("09:30:00", f"SPY {spot}", "SPY260227C00608000 3.43 3.47")
    assert [one.code for one in stage.of(SignalRefused)] == ([refused] if refused else [])


def test_a_queued_signal_can_wait_too_long() -> None:
    """A day in the queue is too long where one day is the most; it was released first, then refused as stale."""
    stage = Stage(
        FRIDAY, Settings(session=SessionSettings(closed_market_mode="queue"), gates=GateLimits(queued_age_s_max=86_400))
    )
    arrive(stage, "20:00:00")
    stage.day = TUESDAY
    facts = stage.tick("09:30:00", *MARKET)
    assert kinds(facts) == ["SignalReleased", "SignalRefused"]
    assert stage.last(SignalRefused).code == "signal_stale"


@pytest.mark.parametrize("clock", ["10:30:00", "20:00:00"])
@pytest.mark.produces("market_data_unavailable")
def test_without_a_market_a_signal_is_refused_at_once(clock: str) -> None:
    """It waits for no open and is not tried again: nothing will ever be observed."""
    stage = staged("queue")
    stage.take(MarketChosen(MarketKind.NONE), at=instant(FRIDAY, "09:00:00"))
    assert kinds(arrive(stage, clock)) == ["SignalRefused"]
    refused = stage.last(SignalRefused)
    assert (refused.code, [one.note for one in refused.verdicts]) == (
        "market_data_unavailable",
        ["no market was chosen"],
    )


@pytest.mark.produces("entries_halted")
def test_a_halt_meets_a_queued_signal_at_the_open() -> None:
    """It waits as always, and is judged by the gates of the open, where the halt is the first."""
    stage = staged("queue")
    arrive(stage, "20:00:00")
    stage.ask("20:01:00", Ask.HALT)
    stage.day = TUESDAY
    assert kinds(stage.tick("09:30:00", *LATER)) == ["SignalReleased", "SignalRefused"]
    assert stage.last(SignalRefused).code == "entries_halted"


@pytest.mark.parametrize(("mode", "kind"), [("decision_only", SignalDecided), ("reject", SignalRefused)])
def test_a_decision_tells_the_flags_it_was_made_on(
    mode: str, kind: type[SignalApproved | SignalDecided | SignalRefused]
) -> None:
    """Those of the configuration and those of the operator alike, in the fact and in the signal."""
    stage = staged(mode)
    stage.ask("09:00:00", Ask.FLAG_ON, "snap_unlisted")
    arrive(stage, "10:30:00", *MARKET)
    assert stage.last(SignalApproved).flags == ("snap_unlisted", "add_to_position")
    stage.ask("16:00:00", Ask.FLAG_OFF, "add_to_position")
    stage.tick("16:14:30", *MARKET)
    arrive(stage, "16:30:00", symbol="SPY", timeframe="1h")
    assert stage.last(kind).flags == ("snap_unlisted",)
    assert [one.flags for one in stage.portfolio.signals.values()] == [
        ("snap_unlisted", "add_to_position"),
        ("snap_unlisted",),
    ]


@pytest.mark.produces("market_closed")
def test_decision_only_judges_and_trades_nothing() -> None:
    """What would have been bought is kept with the verdicts; there is no order, now or at the open."""
    stage = staged()
    stage.tick("16:14:30", *MARKET)
    facts = arrive(stage, "16:30:00")
    decided = stage.last(SignalDecided)
    assert (kinds(facts), decided.code) == (["SignalDecided"], "market_closed")
    assert (decided.recommendation.contract.occ, decided.recommendation.quantity) == (SPY_CALL, 1)
    assert stage.portfolio.signals["sig-000001"].phase is SignalPhase.DECISION_ONLY
    stage.day = TUESDAY
    stage.tick("09:30:00", *MARKET)
    assert stage.of(OrderCreated) == []


def test_decision_only_refuses_what_the_gates_refuse() -> None:
    """The judgement is the same as in session: no quote, no recommendation."""
    stage = staged()
    stage.tick("16:14:30", "SPY 595.42")
    arrive(stage, "16:30:00")
    assert stage.last(SignalRetryScheduled).code == "market_data_unavailable"


def test_a_closed_market_can_refuse_outright() -> None:
    """Mode reject: one verdict, one code, and never the open."""
    stage = staged("reject")
    arrive(stage, "20:00:00", *MARKET)
    refused = stage.last(SignalRefused)
    assert (refused.code, [one.gate for one in refused.verdicts]) == ("market_closed", ["session"])


@pytest.mark.parametrize("mode", ["queue", "decision_only", "reject"])
def test_an_old_alert_is_stale_in_every_mode(mode: str) -> None:
    """Half an hour is the most a closed market waits for an alert, before any mode is asked."""
    stage = staged(mode)
    arrive(stage, "20:00:00", timestamp=instant(FRIDAY, "19:29:59") // 10**9)
    assert stage.last(SignalRefused).code == "signal_stale"


GRACE = [
    ("15:59:00", "16:00:00", Permission.DECIDE_ONLY),
    ("16:00:00", "16:00:01", Permission.DECIDE_ONLY),
    ("15:59:00", "16:10:00", Permission.DECIDE_ONLY),
    ("15:59:00", "16:10:01", Permission.REFUSE),
    ("16:00:01", "16:00:02", Permission.REFUSE),
]


@pytest.mark.parametrize(("stamped", "clock", "permission"), GRACE)
def test_a_bar_of_the_session_has_ten_minutes_of_grace(stamped: str, clock: str, permission: Permission) -> None:
    """Stamped by the bell and received within ten minutes after it, an alert is judged but never traded."""
    stage = staged("reject")
    stage.tick("15:59:30", *MARKET)
    arrive(stage, clock, *MARKET, timestamp=instant(FRIDAY, stamped) // 10**9)
    signal = stage.portfolio.signals["sig-000001"]
    assert entry.permission_of(stage.portfolio, signal, stage.settings) is permission
    assert len(stage.of(SignalDecided)) == (permission is Permission.DECIDE_ONLY)
    assert stage.of(OrderCreated) == []


EXTENDED = [
    ("08:00:00", {"allow_premarket": True}, Permission.QUEUE),
    ("08:00:00", {"allow_afterhours": True}, Permission.REFUSE),
    ("03:59:59", {"allow_premarket": True}, Permission.REFUSE),
    ("17:00:00", {"allow_afterhours": True}, Permission.QUEUE),
    ("17:00:00", {"allow_premarket": True}, Permission.REFUSE),
    ("20:00:00", {"allow_afterhours": True}, Permission.REFUSE),
    ("09:30:00", {}, Permission.TRADE),
    ("15:59:59", {}, Permission.TRADE),
]


@pytest.mark.parametrize(("clock", "allowed", "permission"), EXTENDED)
def test_extended_hours_wait_for_the_open_where_they_are_allowed(
    clock: str, allowed: dict[str, Any], permission: Permission
) -> None:
    """Before the open and after the close are told apart; listed options trade in neither."""
    stage = staged("reject", **allowed)
    stage.alert(clock, **SPY)
    signal = stage.portfolio.signals["sig-000001"]
    assert entry.permission_of(stage.portfolio, signal, stage.settings) is permission


def test_a_premarket_signal_trades_at_the_open_of_its_day() -> None:
    """08:00 waits until 09:30 of the same date and is ordered there."""
    stage = staged("reject", allow_premarket=True)
    arrive(stage, "08:00:00", "SPY 595.42")
    assert stage.last(SignalQueued).until == instant(FRIDAY, "09:30:00")
    assert kinds(stage.tick("09:30:00", *MARKET))[0] == "SignalReleased"
    assert len(stage.of(OrderCreated)) == 1


def test_nothing_is_decided_on_a_holiday() -> None:
    """Presidents' Day has no extended hours either: the mode decides."""
    stage = staged("reject", day="2026-02-16", allow_premarket=True, allow_afterhours=True)
    arrive(stage, "12:00:00", *MARKET)
    assert stage.last(SignalRefused).code == "market_closed"


# -- the contract ---------------------------------------------------------------------------------------------------


CHAIN = tuple(f"SPY260220{right}{strike}" for right in "CP" for strike in ("00595000", "00596000"))


def contracts_chosen(market: tuple[str, ...], settings: Settings = TRACE, day: str = FRIDAY, **fields: Any) -> str:
    """The contract a signal would buy on a market, or the code it is refused with."""
    stage = Stage(day, settings)
    arrive(stage, "10:30:00", *market, **fields)
    if approved := stage.of(SignalApproved):
        return approved[0].recommendation.contract.occ
    if retried := stage.of(SignalRetryScheduled):
        return retried[0].code
    return stage.last(SignalRefused).code


@pytest.mark.parametrize(("direction", "occ"), [("long", SPY_CALL), ("short", "SPY260220P00595000")])
def test_the_simple_strike_is_the_next_one_out_of_the_money(direction: str, occ: str) -> None:
    """595.42 rounds up to the 596 call and down to the 595 put."""
    market = ("SPY 595.42", *(f"{one} 3.43 3.47" for one in CHAIN))
    assert contracts_chosen(market, direction=direction) == occ


OTHERS = [
    ("no chain", ("SPY 595.42",), {}, "market_data_unavailable"),
    ("only this week", ("SPY 595.42", "SPY260213C00596000 3.43 3.47"), {}, "contract_not_listed"),
    ("far away", ("SPY 595.42", "SPY260220C00626000 3.43 3.47"), {}, "contract_not_listed"),
    ("just near enough", ("SPY 595.42", "SPY260220C00625000 3.43 3.47"), {}, "SPY260220C00625000"),
    ("another named", MARKET, {"strike": 597, "expiration": "2026-02-20"}, "contract_not_listed"),
    ("named itself", MARKET, {"strike": 596, "expiration": "2026-02-20"}, SPY_CALL),
    (
        "beyond the calendar",
        ("SPY 595.42", "SPY271217C00596000 3.43 3.47"),
        {"symbol": "SPY271217C00596000"},
        "contract_not_listed",
    ),
]


@pytest.mark.produces("contract_not_listed")
@pytest.mark.parametrize(("_name", "market", "fields", "chosen"), OTHERS)
def test_a_contract_must_be_listed_and_near(
    _name: str, market: tuple[str, ...], fields: dict[str, Any], chosen: str
) -> None:
    """What is not observed, expires too soon, lies too far or beyond the calendar is not bought."""
    assert contracts_chosen(market, **fields) == chosen


def test_a_named_contract_snaps_only_where_configured() -> None:
    """The unlisted 597 becomes the listed 596 of the same expiry when `snap_unlisted` is on."""
    settings = replace(TRACE, strikes=StrikeLimits(snap_unlisted=True))
    assert contracts_chosen(MARKET, settings, strike=597, expiration="2026-02-20") == SPY_CALL


def test_a_contract_that_stopped_trading_is_refused() -> None:
    """SPX settles on the morning of 2026-02-20: on that day nothing of it can be bought, however fresh its quote."""
    named: dict[str, Any] = {"symbol": "SPX", "strike": 6000, "expiration": "2026-02-20"}
    market = ("SPX 6001.37", "SPX260220C06000000 21.00 21.40")
    assert contracts_chosen(market, day="2026-02-20", **named) == "contract_not_listed"
    assert (
        contracts_chosen(market, replace(TRACE, sizing=SizingLimits()), day="2026-02-19", **named)
        == market[1].split()[0]
    )


# -- quote, size, duplicates ----------------------------------------------------------------------------------------


QUOTES = [
    (f"{SPY_CALL} 3.43 -", "quote_stale"),
    (f"{SPY_CALL} 3.50 3.47", "quote_stale"),
    (f"{SPY_CALL} - 0.05", "quote_stale"),
]


@pytest.mark.produces("quote_stale")
@pytest.mark.parametrize(("quote", "refused"), QUOTES)
def test_a_contract_needs_a_quote_with_a_mark(quote: str, refused: str) -> None:
    """No ask, no bid or a crossed market is tried once more and refused."""
    stage = Stage(FRIDAY, TRACE)
    arrive(stage, "10:30:00", "SPY 595.42", quote)
    stage.tick("10:31:00", "SPY 595.42", quote)
    assert [one.code for one in stage.of(SignalRefused)] == [refused]


@pytest.mark.parametrize(("clock", "late"), [("10:32:00", False), ("10:32:01", True)])
def test_a_contract_needs_a_fresh_quote(clock: str, late: bool) -> None:
    """Two minutes are the most a quote may be old."""
    stage = Stage(FRIDAY, TRACE)
    stage.tick("10:30:00", *MARKET)
    arrive(stage, clock, "SPY 595.42")
    assert len(stage.of(SignalRetryScheduled)) == late


def test_a_retried_signal_can_still_trade() -> None:
    """One retry after a minute, judged afresh; the code it was retried for is kept."""
    stage = Stage(FRIDAY, TRACE)
    arrive(stage, "10:30:00", "SPY 595.42")
    signal = stage.portfolio.signals["sig-000001"]
    assert (signal.phase, signal.attempts, signal.next_at) == ("pending", 1, instant(FRIDAY, "10:31:00"))
    stage.tick("10:31:00", *MARKET)
    assert stage.portfolio.signals["sig-000001"].retry_code == "market_data_unavailable"
    assert len(stage.of(OrderCreated)) == 1


@pytest.mark.produces("size_zero")
def test_a_size_of_nothing_is_a_refusal() -> None:
    """Ten percent of 50,000 does not pay one contract at 50.05, and nobody forces one."""
    sizing = SizingLimits(mode=SizingMode.PERCENT_EQUITY, equity_pct=1_000)
    assert contracts_chosen(("SPY 595.42", f"{SPY_CALL} 49.98 50.00"), replace(TRACE, sizing=sizing)) == "size_zero"


@pytest.mark.produces("duplicate_position")
@pytest.mark.parametrize("filled", [True, False])
def test_a_contract_already_held_is_refused_where_adding_is_off(filled: bool) -> None:
    """An open position and an entry in flight for the same contract both refuse a second one."""
    stage = Stage(FRIDAY, replace(TRACE, orders=OrderSettings(add_to_position=False)))
    arrive(stage, "10:30:00", *MARKET)
    if filled:
        stage.tick("10:30:01", *MARKET)
    assert len(stage.of(OrderFilled)) == filled
    arrive(stage, "10:30:01", timeframe="1h")
    assert stage.last(SignalRefused).code == "duplicate_position"


def test_an_approval_holds_everything_it_was_decided_on() -> None:
    """Prices, quote and its instant, spot, the limit five cents above the ask, and the worst cost."""
    stage = Stage(FRIDAY, replace(TRACE, fills=replace(FREE, commission_per_contract_usd=700_000)))
    arrive(stage, "10:30:00", *MARKET)
    found, at = stage.last(SignalApproved).recommendation, instant(FRIDAY, "10:30:00")
    assert (found.bid, found.ask, found.entry_price, found.limit_price) == (
        usd("3.43"),
        usd("3.47"),
        usd("3.45"),
        usd("3.52"),
    )
    assert (found.quote_at, found.spot, found.spot_at, found.market_source) == (at, usd("595.42"), at, "recorded")
    assert (found.quantity, found.worst_cost, found.engine) == (9, 9 * (usd("352") + usd("0.70")), "A")
    assert stage.of(SignalReleased) == []
