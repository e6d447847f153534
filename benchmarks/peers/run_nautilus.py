"""NautilusTrader at the task, and its greeks one option after another, which is how it computes them."""

from decimal import Decimal

import nautilus_trader
import task
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import MessageBus, TestClock
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model import (
    Bar,
    BarType,
    Money,
    Price,
    Quantity,
    QuoteTick,
    TradeId,
    TraderId,
    TradeTick,
    Venue,
)
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.greeks import GreeksCalculator
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

OPTIONS = 10_000
DAY_NS = 86_400 * 10**9


class Few(Strategy):
    """Buys and sells by the number of the bar."""

    def __init__(self, instrument: object, bar_type: BarType) -> None:
        super().__init__()
        self.instrument, self.bar_type = instrument, bar_type
        self.bar = self.trades = 0

    def on_start(self) -> None:
        """Begin."""
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:  # noqa: ARG002  Its number is enough.
        """One bar."""
        place = self.bar % task.EVERY
        if place in {0, task.HELD}:
            side = OrderSide.BUY if place == 0 else OrderSide.SELL
            quantity = Quantity.from_int(task.SIZE)
            self.submit_order(self.order_factory.market(self.instrument.id, side, quantity))
            self.trades += side == OrderSide.SELL
        self.bar += 1


class Greeks:
    """Its calculator before one option and its underlying, both quoted and traded once."""

    def __init__(self) -> None:
        clock, option = TestClock(), TestInstrumentProvider.aapl_option()
        cache, one = Cache(), Quantity.from_int(1)
        now = option.expiration_ns - 30 * DAY_NS
        clock.set_time(now)
        self.option = option.id
        self.calculator = GreeksCalculator(MessageBus(TraderId("BENCH-001"), clock), cache, clock)
        for instrument, last in (
            (option, 6.05),
            (TestInstrumentProvider.equity("AAPL", option.id.venue.value), 150.05),
        ):
            bid, ask, mid = (Price(last + off, 2) for off in (-0.05, 0.05, 0.0))
            cache.add_instrument(instrument)
            cache.add_quote_tick(QuoteTick(instrument.id, bid, ask, one, one, now, now))
            cache.add_trade_tick(TradeTick(instrument.id, mid, one, AggressorSide.BUYER, TradeId("1"), now, now))
        if self.calculator.instrument_greeks(self.option) is None:
            raise SystemExit("no greeks are told")

    def __call__(self) -> None:
        """The same option many times: each time volatility and greeks are computed from the prices anew."""
        for _ in range(OPTIONS):
            self.calculator.instrument_greeks(self.option)


if __name__ == "__main__":
    given = task.bars()
    instrument = TestInstrumentProvider.equity("SPY", "XNAS")
    kind = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    size, history = Quantity.from_int(1_000), []
    for at, price in given:
        one = Price(price, 2)
        history.append(Bar(kind, one, one, one, one, size, at, at))
    ran = []

    def prepared() -> object:
        """A fresh engine over the same bars."""
        quiet = LoggingConfig(bypass_logging=True)
        engine = BacktestEngine(BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=quiet))
        cash = [Money(task.CASH, USD)]
        engine.add_venue(
            Venue("XNAS"),
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            starting_balances=cash,
            default_leverage=Decimal(1),
        )
        engine.add_instrument(instrument)
        engine.add_data(history)
        strategy = Few(instrument, kind)
        engine.add_strategy(strategy)
        ran.append(strategy)
        return engine.run

    took = task.best_s(prepared)
    greeks = Greeks()
    took_greeks = task.best_s(lambda: greeks)
    task.tell(
        nautilus_trader.__version__,
        ran[-1].trades,
        bars_per_s=len(given) / took,
        greeks_per_s=OPTIONS / took_greeks,
    )
