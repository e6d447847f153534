"""Every gate lets through up to its threshold and refuses beyond it, in the ledger of the signal and in its New York day."""

from typing import Any

import pytest
from msgspec.structs import replace

from rules import gates
from rules.gates import GateLimits
from rules.orders import OrderSettings
from rules.settings import Settings
from rules.sizing import SizingLimits
from state.facts import (
    Alerted,
    ExitChosen,
    OrderCreated,
    OrderFilled,
    OutcomeRecorded,
    SignalApproved,
    SignalRefused,
    SignalRetryScheduled,
)
from state.inputs import AnyInput, Ask, ClockFellBehind, ClockJumped, OperatorAsked, StorageTurned
from state.signal import Verdict
from tests.stage import CASH, FREE, SPY_CALL, TRACE, Stage, instant, usd

DAY = "2026-02-13"
SPY = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47")
QQQ = ("QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
IWM = ("IWM 250.50", "IWM260220C00251000 0.99 1.01")
NAMES = [f"{first}{second}" for first in "ABCD" for second in "VWXYZ"]


def limited(*, base: int = 1, orders: OrderSettings | None = None, **limits: int) -> Settings:
    """The settings of the trace with some limits and one contract a trade."""
    return replace(
        TRACE,
        sizing=SizingLimits(base_contracts=base),
        gates=GateLimits(**limits),
        orders=orders or OrderSettings(),
    )


def judged(stage: Stage, clock: str, market: tuple[str, str] = SPY, **fields: Any) -> SignalRefused | SignalApproved:
    """What is decided at once about a long signal on a market."""
    symbol = market[0].split(maxsplit=1)[0]
    stage.alert(clock, **({"symbol": symbol, "direction": "long", "timeframe": "5m"} | fields))
    facts = stage.tick(clock, *market)
    return next(one for one in facts if isinstance(one, SignalRefused | SignalApproved))


def verdict(decided: SignalRefused | SignalApproved, gate: str) -> Verdict:
    """The verdict of one gate."""
    return next(one for one in decided.verdicts if one.gate == gate)


def code(decided: SignalRefused | SignalApproved) -> str | None:
    """The primary code of a decision, None where it is an approval."""
    return decided.code if isinstance(decided, SignalRefused) else None


# -- capacity -------------------------------------------------------------------------------------------------------


@pytest.mark.produces("max_open_positions_exceeded")
@pytest.mark.parametrize(("most", "refused"), [(3, None), (2, "max_open_positions_exceeded")])
def test_open_positions_are_counted(most: int, refused: str | None) -> None:
    """With two positions open a third needs a limit of three; the verdict shows value, threshold and margin."""
    stage = Stage(DAY, limited(open_positions_max=most))
    stage.buy("10:00:00", *QQQ)
    stage.buy("10:05:00", *IWM)
    decided = judged(stage, "10:30:00")
    room = verdict(decided, "open_positions")
    assert (code(decided), room.value, room.threshold, room.margin) == (refused, 2, most, most - 2)


@pytest.mark.produces("max_positions_per_symbol_exceeded")
def test_positions_of_a_symbol_are_counted_by_its_underlying() -> None:
    """A second position in the symbol is refused at one per symbol, another symbol is not."""
    stage = Stage(DAY, limited(positions_per_symbol_max=1))
    stage.buy("10:00:00", *SPY)
    assert code(judged(stage, "10:30:00", timeframe="1h")) == "max_positions_per_symbol_exceeded"
    assert code(judged(stage, "10:31:00", QQQ)) is None


def test_twenty_due_signals_cannot_share_two_free_slots() -> None:
    """Each decision sees the ones before it: two of twenty are ordered, oldest first, though none has filled."""
    stage = Stage(DAY, limited())
    for clock, market in (("10:00:00", SPY), ("10:05:00", QQQ), ("10:10:00", IWM)):
        stage.buy(clock, *market)
    for name in NAMES:
        stage.alert("10:30:00", symbol=name, direction="long", timeframe="5m")
    lines = [line for name in NAMES for line in (f"{name} 100.50", f"{name}260220C00101000 0.99 1.01")]
    stage.tick("10:30:00", *lines)
    ordered = [one.order.contract.root for one in stage.of(OrderCreated)]
    assert ordered == ["SPY", "QQQ", "IWM", "AV", "AW"]
    assert [one.code for one in stage.of(SignalRefused)] == ["max_open_positions_exceeded"] * 18


def test_an_entry_in_flight_holds_its_slot_until_it_ends() -> None:
    """An unfilled entry counts as a position; when it is cancelled the slot is free again."""
    stage = Stage(DAY, limited(open_positions_max=1, positions_per_symbol_max=1))
    assert code(judged(stage, "10:30:00")) is None
    assert code(judged(stage, "10:30:01", QQQ)) == "max_open_positions_exceeded"
    stage.tick("10:31:01", "SPY 595.42", f"{SPY_CALL} 3.50 3.60")
    assert stage.of(OrderFilled) == []
    assert code(judged(stage, "10:31:02", QQQ, timeframe="15m")) is None


def test_an_entry_in_flight_counts_in_its_symbol() -> None:
    """A second signal for the symbol meets the unfilled entry, one for another symbol does not."""
    stage = Stage(DAY, limited(positions_per_symbol_max=1))
    judged(stage, "10:30:00")
    assert verdict(judged(stage, "10:30:00", QQQ), "symbol_positions").value == 0
    assert code(judged(stage, "10:30:00", timeframe="1h")) == "max_positions_per_symbol_exceeded"


# -- the day --------------------------------------------------------------------------------------------------------


LOSSES = [("2.5501", None), ("2.55", "daily_loss_limit_reached")]


@pytest.mark.produces("daily_loss_limit_reached")
@pytest.mark.parametrize(("mark", "refused"), LOSSES)
def test_the_loss_of_the_day_is_realized_plus_unrealized(mark: str, refused: str | None) -> None:
    """A realized loss of 100 and an unrealized one of 899.90 pass; with 900 the limit of 1,000 is reached."""
    stage = Stage(DAY, limited(base=10))
    small = stage.buy("10:00:00", *IWM)
    stage.ask_close("10:01:00", small.id)
    stage.tick("10:01:00", IWM[1])
    stage.tick("10:01:01", "IWM260220C00251000 0.89 0.91")
    assert stage.portfolio.today("paper").realized_net == usd("-100")
    stage.buy("10:05:00", *SPY)
    stage.tick("10:10:00", f"{SPY_CALL} {mark} {mark}")
    assert code(judged(stage, "10:30:00", QQQ)) == refused


def test_a_loss_at_its_limit_blocks_entries_and_never_exits() -> None:
    """At a mark of 1.72 the loss is 1,557: no entry, but the stop leaves."""
    stage = Stage(DAY, limited(base=9))
    stage.buy("10:00:00", *SPY)
    stage.tick("10:30:00", f"{SPY_CALL} 1.71 1.73")
    assert stage.last(ExitChosen).reasons == ("stop_loss",)
    assert code(judged(stage, "10:30:01", QQQ)) == "daily_loss_limit_reached"
    stage.tick("10:30:02", f"{SPY_CALL} 1.71 1.73")
    assert stage.last(OutcomeRecorded).outcome.net == usd("-1557")


def test_a_gap_at_the_open_is_a_loss_of_the_new_day() -> None:
    """The day starts with the equity the day before left, even when its first tick brings the gap."""
    stage = Stage("2026-02-12", limited(base=9))
    stage.buy("15:00:00", *SPY)
    stage.day = DAY
    stage.tick("09:30:00", f"{SPY_CALL} 2.20 2.22")
    assert stage.portfolio.today("paper").equity_start == CASH
    refused = judged(stage, "09:31:00", QQQ)
    assert code(refused) == "daily_loss_limit_reached"
    assert verdict(refused, "daily_loss").value == usd("1116")


def test_the_loss_of_yesterday_is_forgotten() -> None:
    """A new New York date starts from zero, whatever the ticks do."""
    stage = Stage("2026-02-12", limited(base=9))
    stage.buy("10:00:00", *SPY)
    stage.tick("10:30:00", f"{SPY_CALL} 2.20 2.22")
    assert code(judged(stage, "10:31:00", QQQ)) == "daily_loss_limit_reached"
    stage.day = DAY
    assert code(judged(stage, "10:30:00", QQQ)) is None


@pytest.mark.produces("daily_trade_cap_reached")
def test_entries_of_the_day_are_counted_and_exits_are_not() -> None:
    """Two entries and an exit make two; the third entry is refused today and taken tomorrow."""
    stage = Stage("2026-02-12", limited(daily_entries_max=2))
    first = stage.buy("10:00:00", *SPY)
    stage.buy("10:05:00", *QQQ)
    stage.ask_close("10:06:00", first.id)
    stage.tick("10:06:00", SPY[1])
    stage.tick("10:06:01", SPY[1])
    assert stage.portfolio.today("paper").entries_filled == 2
    refused = judged(stage, "10:30:00", IWM)
    assert (code(refused), verdict(refused, "daily_entries").value) == ("daily_trade_cap_reached", 2)
    stage.day = DAY
    assert code(judged(stage, "10:30:00", IWM)) is None


def test_an_entry_in_flight_takes_its_place_in_the_day() -> None:
    """An unfilled entry counts once, and still once when it has filled in part."""
    stage = Stage(DAY, limited(base=9, daily_entries_max=2))
    judged(stage, "10:30:00")
    assert verdict(judged(stage, "10:30:00", QQQ), "daily_entries").value == 1
    stage.tick("10:30:01", f"{SPY_CALL} 3.43 3.47 4 4")
    assert stage.last(OrderFilled).fill.quantity == 4
    refused = judged(stage, "10:30:02", IWM)
    assert (code(refused), verdict(refused, "daily_entries").value) == ("daily_trade_cap_reached", 2)


# -- cost -----------------------------------------------------------------------------------------------------------


@pytest.mark.produces("exposure_exceeded")
@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        ({"exposure_usd_max": 6_273_000_000}, None),
        ({"exposure_usd_max": 6_272_999_999}, "exposure_exceeded"),
        ({"exposure_pct_max": 1_255}, None),
        ({"exposure_pct_max": 1_254}, "exposure_exceeded"),
    ],
)
def test_exposure_is_cost_held_plus_the_worst_of_what_may_come(limits: dict[str, Any], refused: str | None) -> None:
    """3,105 held at cost and 3,168 at the limit price of 3.52 make 6,273, against dollars and a share of equity."""
    stage = Stage(DAY, limited(base=9, **limits))
    stage.buy("10:00:00", *SPY)
    stage.tick("10:29:00", f"{SPY_CALL} 3.50 3.60")
    decided = judged(stage, "10:30:00", ("SPY 595.42", f"{SPY_CALL} 3.43 3.47"), timeframe="1h")
    assert (code(decided), verdict(decided, "exposure").value) == (refused, usd("6273"))


def test_exposure_counts_entries_in_flight_at_their_limit() -> None:
    """Two orders decided in one cycle: the second sees the worst cost of the first, 9 x 3.52 x 100."""
    stage = Stage(DAY, limited(base=9))
    judged(stage, "10:30:00")
    assert verdict(judged(stage, "10:30:00", IWM), "exposure").value == usd("3168") + 9 * 100 * usd("1.06")


@pytest.mark.produces("insufficient_buying_power")
def test_cash_must_pay_for_the_worst_price_and_its_commission() -> None:
    """Nine contracts at 55.55 with 0.70 each fit into 50,000, at 55.56 they do not; entries in flight are set aside."""
    settings = limited(base=9, exposure_usd_max=10**12, exposure_pct_max=10**6)
    settings = replace(settings, fills=replace(FREE, commission_per_contract_usd=700_000))
    bought = judged(Stage(DAY, settings), "10:30:00", ("SPY 595.42", f"{SPY_CALL} 55.40 55.49"))
    assert verdict(bought, "buying_power").margin == CASH - 9 * (100 * usd("55.54") + usd("0.70"))
    refused = judged(Stage(DAY, settings), "10:30:00", ("SPY 595.42", f"{SPY_CALL} 55.40 55.50"))
    assert (code(refused), verdict(refused, "buying_power").margin) == ("insufficient_buying_power", usd("-1.30"))
    stage = Stage(DAY, settings)
    judged(stage, "10:30:00", SPY)
    free = verdict(judged(stage, "10:30:00", QQQ), "buying_power").threshold
    assert free == CASH - 9 * (100 * usd("3.52") + usd("0.70"))


# -- test signals ---------------------------------------------------------------------------------------------------


def test_a_test_signal_takes_the_same_path_in_a_ledger_of_its_own() -> None:
    """It fills and closes, and moves no cash, limit, count or duplicate of the paper ledger."""
    stage = Stage(DAY, limited(open_positions_max=1, daily_entries_max=1, daily_loss_usd_max=1_000_000))
    trial = stage.buy("10:00:00", *SPY, is_test=True, test_session_id="s", test_scenario="x")
    assert (trial.book, trial.is_test) == ("test", True)
    stage.tick("10:01:00", f"{SPY_CALL} 2.43 2.47")
    paper = stage.portfolio.ledgers["paper"]
    assert (paper.cash, paper.live, paper.live_by_symbol, stage.portfolio.equity("paper")) == (CASH, 0, {}, CASH)
    assert stage.portfolio.today("paper").entries_filled == 0
    real = stage.buy("10:01:30", *SPY)
    assert (real.book, real.is_test, stage.portfolio.ledgers["paper"].live) == ("paper", False, 1)
    stage.ask_close("10:02:00")
    stage.tick("10:02:00", SPY[1])
    stage.tick("10:02:01", SPY[1])
    sources = [one.outcome.source for one in stage.of(OutcomeRecorded)]
    assert (sources, stage.portfolio.ledgers["test"].live) == (["test", "simulation"], 0)


# -- time and market ------------------------------------------------------------------------------------------------


CLOSES = [
    (DAY, "15:55:00", None),
    (DAY, "15:55:01", "too_close_to_close"),
    (DAY, "15:59:59", "too_close_to_close"),
    ("2026-11-27", "12:55:00", None),
    ("2026-11-27", "12:55:01", "too_close_to_close"),
]


@pytest.mark.produces("too_close_to_close")
@pytest.mark.parametrize(("day", "clock", "refused"), CLOSES)
def test_no_entry_in_the_last_five_minutes(day: str, clock: str, refused: str | None) -> None:
    """Five minutes before the bell is the last chance, at 13:00 on early closes; late roots make no difference."""
    expiry = "260220" if day == DAY else "261204"
    market = ("SPY 595.42", f"SPY{expiry}C00596000 3.43 3.47")
    assert code(judged(Stage(day, limited()), clock, market)) == refused


AGES = [(1_800, None), (1_801, "signal_stale"), (7_200, "signal_stale")]


@pytest.mark.produces("signal_stale")
@pytest.mark.parametrize(("seconds", "refused"), AGES)
def test_a_signal_may_be_half_an_hour_old(seconds: int, refused: str | None) -> None:
    """Age counts from the alert's own instant, in an open market too."""
    decided = judged(Stage(DAY, limited()), "12:00:00", timestamp=1_771_002_000 - seconds)
    assert (code(decided), verdict(decided, "age").value) == (refused, seconds)


@pytest.mark.produces("market_data_unavailable")
def test_an_old_or_unknown_price_is_tried_once_more_and_refused() -> None:
    """Without a price, and with one of 181 seconds ago, the signal waits a minute and then ends."""
    stage = Stage(DAY, limited())
    stage.tick("10:00:00", *SPY)
    for symbol in ("QQQ", "SPY"):
        stage.alert("10:03:01", symbol=symbol, direction="long", timeframe="5m")
    stage.tick("10:03:01")
    assert [one.code for one in stage.of(SignalRetryScheduled)] == ["market_data_unavailable"] * 2
    stage.tick("10:04:00")
    assert stage.of(SignalRefused) == []
    stage.tick("10:04:01")
    assert [one.code for one in stage.of(SignalRefused)] == ["market_data_unavailable"] * 2
    assert stage.of(Alerted) == []


def test_a_price_ages_until_the_close_of_what_it_prices() -> None:
    """On a Saturday the price of the bell is fresh, be it of the underlying, of a late contract or of another."""
    stage = Stage(DAY)
    lines = ("AAPL 150.10", "AAPL260220C00150000 2.00 2.02", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    stage.tick("15:59:59", *lines)
    stage.day = "2026-02-14"
    stage.tick("12:00:00")
    calendar, now = stage.portfolio.sessions, stage.portfolio.now
    ages = {}
    for name in ("AAPL260220C00150000", SPY_CALL):
        quote = stage.portfolio.market.quote(name)
        assert quote is not None
        ages[name] = gates.traded_age(calendar, quote.at, now, quote.contract) // 10**9
    spot = gates.traded_age(calendar, stage.portfolio.market.spots["SPY"].at, now) // 10**9
    assert (ages, spot) == ({"AAPL260220C00150000": 1, SPY_CALL: 901}, 1)


@pytest.mark.produces("entries_halted", "clock_jumped", "clock_behind", "storage_low")
@pytest.mark.parametrize(
    ("turn", "halt", "words"),
    [
        (OperatorAsked("", "lunch", Ask.HALT), "entries_halted", "lunch"),
        (ClockJumped(-3_500_000_000), "clock_jumped", "the clocks came apart by -3 s"),
        (
            ClockFellBehind(3_500_000_000),
            "clock_behind",
            "the clock is 3 s behind what was recorded, and time goes slower until it has caught up",
        ),
        (StorageTurned(low=True), "storage_low", "no spare segment could be made"),
    ],
)
def test_nothing_is_opened_while_entries_are_halted(turn: AnyInput, halt: str, words: str) -> None:
    """The first gate refuses with the code of the halt and its words, for good or to be tried again in a minute."""
    stage = Stage(DAY, limited())
    stage.take(turn, at=instant(DAY, "10:00:00"))
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    (decided,) = (one for one in stage.tick("10:30:00", *SPY) if isinstance(one, SignalRefused | SignalRetryScheduled))
    first = decided.verdicts[0]
    assert (decided.code, first.gate, first.code, first.note) == (halt, "halted", halt, words)
    assert isinstance(decided, SignalRefused) == (halt == "entries_halted")
    stage.tick("10:31:00", *SPY)
    assert [one.code for one in stage.of(SignalRefused)] == [halt]
    assert stage.of(OrderCreated) == []


def test_the_first_of_several_halts_is_the_reason() -> None:
    """The one that has stood longest; when it ends, the next."""
    stage = Stage(DAY, limited())
    stage.take(StorageTurned(low=True), at=instant(DAY, "10:00:00"))
    stage.ask("10:00:01", Ask.HALT)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", *SPY)
    assert stage.last(SignalRetryScheduled).code == "storage_low"
    stage.take(StorageTurned(low=False), at=instant(DAY, "10:30:30"))
    assert code(judged(stage, "10:32:00", QQQ)) == "entries_halted"


def test_all_gates_are_asked_and_the_first_refusal_is_the_code() -> None:
    """Every verdict is kept in the order of the gates; the other refusals contribute."""
    stage = Stage(DAY, limited(open_positions_max=0, positions_per_symbol_max=0, daily_loss_usd_max=0))
    refused = judged(stage, "15:58:00")
    assert isinstance(refused, SignalRefused)
    assert [one.gate for one in refused.verdicts] == [gate.__name__ for gate in gates.GATES]
    codes = (refused.code, *refused.contributing)
    assert codes == (
        "too_close_to_close",
        "max_open_positions_exceeded",
        "max_positions_per_symbol_exceeded",
        "daily_loss_limit_reached",
    )


UNUSABLE = [({"stop": 3.45}, "stop"), ({"stop": 4.0, "target": 10.0}, "stop"), ({"target": 3.45}, "target")]


@pytest.mark.produces("levels_unusable")
@pytest.mark.parametrize(("fields", "named"), UNUSABLE)
def test_levels_on_the_wrong_side_of_the_mark_are_refused(fields: dict[str, float], named: str) -> None:
    """At a mark of 3.45 a stop must lie below and a target above, or the position would leave at once."""
    stage = Stage("2026-02-13", TRACE)
    stage.alert("10:30:00", symbol=SPY_CALL, action="buy", timeframe="5m", **fields)
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    refused = stage.last(SignalRefused)
    seen = verdict(refused, "own_levels")
    assert (refused.code, seen.value, seen.note) == ("levels_unusable", usd("3.45"), named)
