"""Bid and ask: on ticks, round the price, wider where the price or the distance from the money is greater."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.market.spread import sides
from rules.ticks import CENT, TickRules
from state.order import Side

USD = 1_000_000


def quoted(price: int, *, width: float = 0.02, distance: float = 0.0, root: str = "AAPL") -> tuple[int, int]:
    """(bid, ask) of one option."""
    bid, ask = sides(np.array([price]), np.array([width]), distance=np.array([distance]), roots=[root])
    return int(bid[0]), int(ask[0])


@given(
    price=st.integers(0, 500 * USD),
    width=st.floats(0.005, 0.1),
    distance=st.floats(-40.0, 40.0),
    root=st.sampled_from(["SPY", "AAPL", "SPXW", "ZZ"]),
)
def test_a_market_is_never_crossed_and_stands_on_ticks(price: int, width: float, distance: float, root: str) -> None:
    """The bid lies at or below the price, the ask at or above it, each on the increment of its own price."""
    bid, ask = quoted(price, width=width, distance=distance, root=root)
    assert 0 <= bid <= price <= ask
    assert bid < ask
    rules = TickRules()
    assert bid == rules.adverse(root, bid, Side.BUY)
    assert ask == rules.adverse(root, ask, Side.SELL)


@pytest.mark.parametrize(
    ("price", "root", "market"),
    [
        (2_000_000, "SPY", (197, 203)),
        (2_000_000, "AAPL", (197, 203)),
        (2_000_000, "ZZ", (195, 205)),
        (4_000_000, "SPY", (395, 405)),
        (4_020_000, "AAPL", (395, 410)),
        (4_000_000, "SPXW", (390, 410)),
        (2_990_000, "AAPL", (295, 305)),
        (3_000, "SPY", (0, 1)),
        (0, "SPXW", (0, 5)),
    ],
)
def test_a_market_is_rounded_outwards(price: int, root: str, market: tuple[int, int]) -> None:
    """Two percent wide, then to the tick of the class: what is worth less than a tick has no bid."""
    assert quoted(price, width=0.0245, root=root) == tuple(cents * CENT for cents in market)


def test_a_market_widens_with_price_and_distance() -> None:
    """Far strikes are quoted wider for their price, up to a bound."""
    widths = [ask - bid for bid, ask in (quoted(price, root="SPY") for price in (USD, 5 * USD, 20 * USD))]
    assert widths == sorted(set(widths))
    by_distance = [quoted(10 * USD, distance=one, root="SPY") for one in (0.0, 1.0, -3.0, 4.0, 30.0)]
    spans = [ask - bid for bid, ask in by_distance]
    assert spans[0] < spans[1] < spans[2] < spans[3] == spans[4]


def test_of_nothing_there_are_no_quotes() -> None:
    """An empty chain has empty columns."""
    bid, ask = sides(np.zeros(0, np.int64), np.zeros(0), distance=np.zeros(0), roots=[])
    assert (bid.dtype, bid.shape, ask.dtype, ask.shape) == (np.int64, (0,), np.int64, (0,))
