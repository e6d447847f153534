"""The strikes near a price: so many at or below it and as many above, of those that are listed."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oracle.market.chains import Chain, listings
from state import contract as contracts

STRIKES = np.array([590, 591, 591, 593, 595, 595, 600], np.int64)
CODES = np.arange(10, 17)


def near(strikes: list[int], spot: int, each_side: int) -> set[int]:
    """The same, in words: sorted out by hand."""
    levels = sorted(set(strikes))
    below, above = [one for one in levels if one <= spot], [one for one in levels if one > spot]
    return {*below[max(0, len(below) - each_side) :], *above[:each_side]}


@given(
    listed=st.lists(st.booleans(), min_size=7, max_size=7),
    spots=st.lists(st.integers(585, 605), min_size=1, max_size=5),
    each_side=st.integers(0, 4),
)
def test_near_one_price_or_each_of_many(listed: list[bool], spots: list[int], each_side: int) -> None:
    """Unlisted strikes count for nothing; asked for many prices at once, each has its own answer."""
    chain, mask = Chain(date(2026, 2, 20), CODES, STRIKES), np.array(listed)
    chain.near(~mask, 595, 1)
    codes, grid = chain.near_each(mask, np.array(spots), each_side)
    for spot, mine in zip(spots, grid, strict=True):
        wanted = near(STRIKES[mask].tolist(), spot, each_side)
        expected = [code for code, strike, on in zip(CODES, STRIKES, listed, strict=True) if on and strike in wanted]
        assert chain.near(mask, spot, each_side).tolist() == codes[mine].tolist() == expected


def test_chains_stand_under_their_underlying() -> None:
    """By root and expiry; SPX and SPXW are two chains of one underlying."""
    symbols = ("SPXW260220C06000000", "SPY260220C00596000", "SPX260220P06000000", "SPXW260220P06000000")
    found = listings(tuple(contracts.parse(one) for one in symbols))
    assert {name: one.codes.tolist() for name, one in found.items()} == {"SPX": [0, 2, 3], "SPY": [1]}
    assert [(chain.expiry, chain.codes.tolist()) for chain in found["SPX"].chains] == [
        (date(2026, 2, 20), [2]),
        (date(2026, 2, 20), [0, 3]),
    ]
