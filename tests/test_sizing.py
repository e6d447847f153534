"""How many contracts: every factor, one rounding, one cap, judged at the worst price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.sizing import SizingLimits, SizingMode, contracts, scaled
from tests.stage import CASH, usd

FACTORS = [
    (10, (), 10, 10),
    (10, (12_500, 8_000), 10, 10),
    (10, (12_500, 8_000), 20, 10),
    (10, (12_500,), 20, 12),
    (10, (12_500,), 10, 10),
    (9, (12_500, 8_000), 10, 9),
    (10, (8_000,), 10, 8),
    (10, (12_500, 8_000, 8_670), 10, 8),
    (1, (9_999,), 10, 0),
    (10, (0,), 10, 0),
]


@pytest.mark.parametrize(("base", "factors", "cap", "quantity"), FACTORS)
def test_factors_multiply_and_are_floored_once(base: int, factors: tuple[int, ...], cap: int, quantity: int) -> None:
    """10 x 1.25 x 0.8 is 10, not 9 by rounding twice, nor 8 by capping first; nothing forces one contract."""
    assert scaled(base, factors, cap) == quantity


@given(base=st.integers(0, 100), factors=st.lists(st.integers(0, 10_000), max_size=4), cap=st.integers(0, 20))
def test_factors_below_one_never_raise_a_size(base: int, factors: list[int], cap: int) -> None:
    """The order of the factors is immaterial and the cap is never exceeded."""
    quantity = scaled(base, tuple(factors), cap)
    assert quantity == scaled(base, tuple(reversed(factors)), cap)
    assert quantity <= min(base, cap)


EQUITY = [
    (1_000, "5.50", 0, 9),
    (1_000, "5.60", 0, 8),
    (1_000, "5.60", 700_000, 8),
    (1_000, "4.999", 700_000, 9),
    (1_000, "50.00", 0, 1),
    (1_000, "50.00", 700_000, 0),
    (0, "1.00", 0, 0),
]


@pytest.mark.parametrize(("equity_pct", "limit", "commission", "quantity"), EQUITY)
def test_percent_of_equity_pays_the_limit_and_its_commission(
    equity_pct: int, limit: str, commission: int, quantity: int
) -> None:
    """5,000 of 50,000 buy nine at 5.50 but eight at the limit of 5.60; at 50.00 the commission leaves none."""
    limits = SizingLimits(mode=SizingMode.PERCENT_EQUITY, equity_pct=equity_pct)
    assert contracts(limits, equity=CASH, limit_price=usd(limit), commission=commission) == quantity


def test_fixed_sizes_are_capped_and_equity_may_be_gone() -> None:
    """Base and cap are two settings; a ledger under water buys nothing by percent."""
    assert contracts(SizingLimits(base_contracts=20), equity=CASH, limit_price=1, commission=0) == 10
    assert contracts(SizingLimits(base_contracts=20, contracts_max=25), equity=0, limit_price=1, commission=0) == 20
    drowned = SizingLimits(mode=SizingMode.PERCENT_EQUITY)
    assert contracts(drowned, equity=-CASH, limit_price=usd("1"), commission=0) == 0
