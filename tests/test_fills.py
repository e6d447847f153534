"""How paper orders fill: the price of each model, the observation they may fill on, how much of it, and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oracle.broker.paper import PaperBroker
from rules import fills
from rules.fills import FillModel, FillSettings
from rules.settings import Settings
from rules.sizing import SizingLimits
from rules.ticks import TickRules
from state import contract
from state.facts import OrderCreated, OrderFilled, OrderSubmitted
from state.inputs import ReportKind
from state.market import Quote
from state.order import Order, Side
from tests.stage import FREE, SPY_CALL, TRACE, Stage, later, usd

DAY = "2026-02-13"
SPOT = "SPY 595.42"


def quote(bid: str, ask: str | None, *, sizes: tuple[int, int] | None = None) -> Quote:
    """A quote of the SPY call."""
    bid_size, ask_size = sizes or (None, None)
    return Quote(contract.parse(SPY_CALL), 1, usd(bid), None if ask is None else usd(ask), bid_size, ask_size)


def entry_order() -> Order:
    """A limit order to buy nine contracts at 3.52 at most."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, f"{SPY_CALL} 3.43 3.47")
    return stage.last(OrderCreated).order


ORDER = entry_order()

PRICES = [
    (FillModel.MID, 0, "3.43", "3.47", "3.45", "3.45"),
    (FillModel.MID, 0, "3.43", "3.48", "3.455", "3.455"),
    (FillModel.ADVERSE_PCT, 200, "3.50", "3.54", "3.5904", "3.4496"),
    (FillModel.ADVERSE_PCT, 200, "3.00", "4.00", "4.00", "3.00"),
    (FillModel.ADVERSE_PCT, 200, "5.26", "5.30", "5.3856", "5.1744"),
    (FillModel.SPREAD_FRACTION, 5_000, "3.43", "3.47", "3.47", "3.43"),
    (FillModel.SPREAD_FRACTION, 10_000, "3.43", "3.47", "3.49", "3.41"),
    (FillModel.SPREAD_FRACTION, 2_500, "3.43", "3.47", "3.47", "3.43"),
]


@pytest.mark.parametrize(("model", "parameter", "bid", "ask", "bought", "sold"), PRICES)
def test_each_model_has_its_price(model: FillModel, parameter: int, bid: str, ask: str, bought: str, sold: str) -> None:
    """The mid as it is, the mid moved by a percentage, or by a share of the spread: never kinder than the quoted side."""
    settings = FillSettings(model=model, adverse_pct=parameter, spread_fraction_pct=parameter)
    prices = [fills.model_price(quote(bid, ask), side, settings) for side in (Side.BUY, Side.SELL)]
    assert prices == [usd(bought), usd(sold)]


@given(
    bid=st.integers(1, 10**9),
    spread=st.integers(0, 10**8),
    parameter=st.integers(0, 20_000),
    model=st.sampled_from([FillModel.ADVERSE_PCT, FillModel.SPREAD_FRACTION]),
)
def test_a_fill_is_never_kind(bid: int, spread: int, parameter: int, model: FillModel) -> None:
    """Outside the mid model nobody buys below the ask or sells above the bid, before and after tick rounding."""
    seen = Quote(ORDER.contract, 1, bid, bid + spread, None, None)
    settings = FillSettings(model=model, adverse_pct=parameter, spread_fraction_pct=parameter)
    bought, sold = (fills.model_price(seen, side, settings) for side in (Side.BUY, Side.SELL))
    assert bought is not None
    assert sold is not None
    assert (bought >= bid + spread, sold <= bid) == (True, True)
    ticks = TickRules()
    assert ticks.adverse("SPY", bought, Side.BUY) >= bought
    assert ticks.adverse("SPY", sold, Side.SELL) <= sold


UNUSABLE = [("3.43", None), ("3.48", "3.47"), ("0", "0")]


@pytest.mark.parametrize(("bid", "ask"), UNUSABLE)
@pytest.mark.parametrize("model", list(FillModel))
def test_a_quote_without_a_mark_fills_nothing(bid: str, ask: str | None, model: FillModel) -> None:
    """No ask, a crossed market, or nothing at all: no price on either side."""
    for side in Side:
        assert fills.model_price(quote(bid, ask), side, FillSettings(model=model)) is None


LIMITS = [("3.50", "3.54", True), ("3.50", "3.5401", False), ("3.60", "3.64", False)]


@pytest.mark.parametrize(("bid", "ask", "filled"), LIMITS)
def test_a_limit_is_kept(bid: str, ask: str, *, filled: bool) -> None:
    """At 3.52 and below the entry fills, a ten-thousandth above it does not."""
    price = fills.fill_price(ORDER, quote(bid, ask), FREE, TickRules())
    assert (price is not None) == filled


def test_tick_rounding_is_adverse_and_counts_before_the_limit() -> None:
    """A mid of 3.515 becomes 3.52 and fills, one of 3.5204 becomes 3.53 and does not."""
    rounding = replace(FREE, round_to_tick=True)
    assert fills.fill_price(ORDER, quote("3.50", "3.53"), rounding, TickRules()) == usd("3.52")
    assert fills.fill_price(ORDER, quote("3.50", "3.5408"), rounding, TickRules()) is None


def test_a_sale_that_rounds_to_nothing_does_not_fill() -> None:
    """Half a cent rounds down to nothing on a tick of one cent."""
    sale = replace(ORDER, side=Side.SELL, limit_price=None)
    seen = quote("0.005", "0.005")
    assert fills.fill_price(sale, seen, replace(FREE, round_to_tick=True), TickRules()) is None
    assert fills.fill_price(sale, seen, FREE, TickRules()) == usd("0.005")


def test_the_displayed_size_bounds_a_fill() -> None:
    """The ask's size when buying, the bid's when selling; without sizes, or where they are ignored, the whole."""
    sale = replace(ORDER, side=Side.SELL)
    seen = quote("3.43", "3.47", sizes=(3, 5))
    assert [fills.fillable_quantity(one, seen, FREE) for one in (ORDER, sale)] == [5, 3]
    assert fills.fillable_quantity(ORDER, quote("3.43", "3.47"), FREE) == 9
    assert fills.fillable_quantity(ORDER, seen, replace(FREE, respect_size=False)) == 9
    assert fills.fillable_quantity(ORDER, quote("3.43", "3.47", sizes=(99, 99)), FREE) == 9


# -- on stage -------------------------------------------------------------------------------------------------------


def test_an_order_never_fills_on_the_quote_that_decided_it() -> None:
    """The decision's own quote acknowledges only; the first quote a second younger fills."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, f"{SPY_CALL} 3.43 3.47")
    stage.tick("10:30:00.999", f"{SPY_CALL} 3.43 3.47")
    assert (len(stage.of(OrderSubmitted)), stage.of(OrderFilled)) == (1, [])
    stage.tick("10:30:05")
    assert stage.of(OrderFilled) == []
    stage.tick("10:30:06", f"{SPY_CALL} 3.43 3.47")
    fill = stage.last(OrderFilled).fill
    assert (fill.bid, fill.ask, fill.market_source) == (usd("3.43"), usd("3.47"), "recorded")
    assert fill.quote_at == fill.filled_at == stage.portfolio.now


def test_one_quote_fills_an_order_once() -> None:
    """Four displayed contracts are four contracts, however many cycles pass until the next quote."""
    stage = Stage(DAY, TRACE)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", SPOT, f"{SPY_CALL} 3.43 3.47 4 4")
    stage.tick("10:30:01", f"{SPY_CALL} 3.43 3.47 4 4")
    stage.tick("10:30:02")
    stage.tick("10:30:03")
    assert [one.fill.quantity for one in stage.of(OrderFilled)] == [4]
    stage.tick("10:30:04", f"{SPY_CALL} 3.43 3.47 4 9")
    assert [one.fill.quantity for one in stage.of(OrderFilled)] == [4, 5]


def test_an_exit_does_not_fill_on_an_old_quote() -> None:
    """A quote may be two minutes old when it is filled on, not a second more."""
    for seconds, filled in ((120, 1), (121, 0)):
        stage = Stage(DAY, TRACE)
        stage.buy("10:30:00")
        stage.ask_close("11:00:00")
        stage.broker = False
        stage.tick("11:00:00")
        stage.tick("11:00:01", f"{SPY_CALL} 3.43 3.47")
        stage.broker = True
        stage.tick(later("11:00:01", seconds))
        assert len(stage.of(OrderFilled)) - 1 == filled


def test_working_orders_are_answered_in_the_order_they_were_made() -> None:
    """Two entries of one cycle: each is acknowledged, then each fills, oldest first."""
    stage = Stage(DAY, replace(TRACE, sizing=SizingLimits(base_contracts=1)))
    for symbol in ("SPY", "QQQ"):
        stage.alert("10:30:00", symbol=symbol, direction="long", timeframe="5m")
    market = (SPOT, f"{SPY_CALL} 3.43 3.47", "QQQ 600.50", "QQQ260220C00601000 1.99 2.01")
    stage.tick("10:30:00", *market)
    assert [one.order_id for one in stage.of(OrderSubmitted)] == ["ord-000001", "ord-000002"]
    stage.tick("10:30:01", *market)
    assert [one.order_id for one in stage.of(OrderFilled)] == ["ord-000001", "ord-000002"]


def test_the_broker_has_nothing_to_say_without_news() -> None:
    """An acknowledged order without a new quote, and a stage without orders, give no report."""
    stage = Stage(DAY, TRACE)
    assert PaperBroker(stage.loop).next_report() is None
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.broker = False
    stage.tick("10:30:00", SPOT, f"{SPY_CALL} 3.43 3.47")
    said = PaperBroker(stage.loop).next_report()
    assert said is not None
    assert (said.kind, said.number) == (ReportKind.ACCEPTED, 1)
    stage.take(said, at=stage.portfolio.now)
    assert PaperBroker(stage.loop).next_report() is None


def test_commission_is_charged_per_contract_and_side() -> None:
    """Nine contracts at 0.70 cost 6.30 each way, and every fill carries its own."""
    settings = Settings(sizing=SizingLimits(base_contracts=9), fills=replace(FREE, commission_per_contract_usd=700_000))
    stage = Stage(DAY, settings)
    stage.buy("10:30:00")
    stage.ask_close("11:00:00")
    for seconds in range(3):
        stage.tick(later("11:00:00", seconds), f"{SPY_CALL} 3.43 3.47 5 5")
    assert [one.fill.commission for one in stage.of(OrderFilled)] == [usd("6.30"), usd("3.50"), usd("2.80")]
    assert stage.portfolio.ledgers["paper"].commission == usd("12.60")


def test_a_test_order_takes_nothing_from_a_paper_order() -> None:
    """Two contracts are offered; a test order fills first, and the paper order finds both still there."""
    stage = Stage("2026-02-13", replace(TRACE, sizing=replace(TRACE.sizing, base_contracts=2)))
    market = ("SPY 595.42", f"{SPY_CALL} 3.43 3.47 2 2")
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m", is_test=True)
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", *market)
    stage.tick("10:30:01", *market)
    assert [(one.fill.book, one.fill.quantity) for one in stage.of(OrderFilled)] == [("test", 2), ("paper", 2)]


def test_without_latency_the_quote_that_decided_still_fills_nothing() -> None:
    """It takes a younger one."""
    stage = Stage("2026-02-13", replace(TRACE, fills=replace(FREE, latency_s=0)))
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", f"{SPY_CALL} 3.43 3.47")
    assert stage.of(OrderFilled) == []
