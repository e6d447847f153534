"""Price increments of option classes, and rounding against the trader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.ticks import TickRules
from state.order import Side
from tests.stage import usd

TICKS = [
    ("SPY", "0.50", "0.01"),
    ("SPY", "12.00", "0.01"),
    ("QQQ", "3.00", "0.01"),
    ("IWM", "3.00", "0.01"),
    ("AAPL", "2.99", "0.01"),
    ("AAPL", "3.00", "0.05"),
    ("SPX", "2.95", "0.05"),
    ("SPX", "3.00", "0.10"),
    ("SPXW", "21.00", "0.10"),
    ("MSTR", "2.95", "0.05"),
    ("MSTR", "3.00", "0.10"),
]


@pytest.mark.parametrize(("root", "price", "tick"), TICKS)
def test_the_tick_depends_on_class_and_price(root: str, price: str, tick: str) -> None:
    """Cents for three funds at all prices; penny classes and others change at three dollars."""
    assert TickRules().tick(root, usd(price)) == usd(tick)


def test_a_class_is_a_penny_class_where_configured() -> None:
    """The list of penny roots is a setting."""
    assert TickRules(penny_roots=("MSTR",)).tick("MSTR", usd("1")) == usd("0.01")
    assert TickRules(penny_roots=()).tick("AAPL", usd("1")) == usd("0.05")


@given(price=st.integers(0, 10**9), root=st.sampled_from(["SPY", "AAPL", "MSTR"]))
def test_rounding_is_adverse_by_less_than_a_tick(price: int, root: str) -> None:
    """A buyer pays at least the price, a seller gets at most it, and a price on its tick stays."""
    rules = TickRules()
    tick = rules.tick(root, price)
    up, down = rules.adverse(root, price, Side.BUY), rules.adverse(root, price, Side.SELL)
    assert (price <= up < price + tick, price - tick < down <= price) == (True, True)
    assert up % tick == down % tick == 0
    assert (up == down) == (price % tick == 0)
