"""Bid and ask round a theoretical price: the width of the market, rounded outwards to the ticks of the class.

Deliberately absent: the price itself, and chance.
"""

import numpy as np

from oracle.pricing import Floats, Ints
from rules.ticks import TickRules
from state.order import Side

_TICKS = TickRules()
_WIDER_PER_DEVIATION = 0.5
_DEVIATIONS_MAX = 4.0


def sides(price: Ints, width: Floats, *, distance: Floats, roots: list[str]) -> tuple[Ints, Ints]:
    """(bid, ask) in micro-dollars per share: multiples of the tick, the bid below the price and the ask above it.

    `price` is in micro-dollars, `width` the spread at the money as a share of it, which grows with the `distance` of
    the strike in standard deviations, up to a bound. A bid below one tick is 0: there is none.
    """
    wider = 1.0 + _WIDER_PER_DEVIATION * np.minimum(np.abs(distance), _DEVIATIONS_MAX)
    half = np.rint(price * width * wider / 2.0).astype(np.int64) + 1
    low, high = np.maximum(price - half, 0).tolist(), (price + half).tolist()
    bid = [_TICKS.adverse(root, value, Side.SELL) for root, value in zip(roots, low, strict=True)]
    ask = [_TICKS.adverse(root, value, Side.BUY) for root, value in zip(roots, high, strict=True)]
    return np.array(bid, np.int64), np.array(ask, np.int64)
