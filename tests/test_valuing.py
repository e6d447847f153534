"""Values of quotes: integers for each mid that says something, and the same whatever stands beside it."""

import numpy as np

from oracle.market.port import Carry, Ints
from oracle.market.valuing import Catalogue
from state.market import ASK_PRESENT, FED, GREEKS_KNOWN, QUOTE, Table
from tests.tapes import calendar_of, new_york

CALENDAR = calendar_of("2026-02-02", "2026-03-31")
NOW = new_york("2026-02-13", "10:30:00")
SYMBOLS = ("SPY260220C00596000", "SPXW260220P06000000", "SPY260220P00596000", "SPY270115C00596000")
SPOT = {"SPY": 595_420_000, "SPX": 5_990_000_000}


def quoted(bid: int, ask: int | None) -> list[int]:
    """What a feed tells of a quote without sizes."""
    return [NOW, bid, ask or 0, 0, 0, 0 if ask is None else ASK_PRESENT]


def catalogue() -> Catalogue:
    """A catalogue that has read no symbol."""
    return Catalogue(CALENDAR, Carry(0.04, {"SPY": 0.012}))


def valued(read: Catalogue, codes: Ints, fed: Table, spots: Ints, at: Ints | int) -> Table:
    """(flag, IV, greeks) of each quote; what the rows held before stands there no more, and what was fed stays."""
    quotes = np.full((len(fed), len(QUOTE)), 7, np.int64)
    quotes[:, :FED] = fed
    quotes[:, QUOTE.index("flags")] |= GREEKS_KNOWN * (codes % 2)
    read.complete(quotes, codes, spots, at)
    known = quotes[:, QUOTE.index("flags")] & GREEKS_KNOWN
    quotes[:, QUOTE.index("flags")] ^= known
    assert (quotes[:, :FED] == fed).all()
    return np.column_stack([known, quotes[:, FED:]])


def test_only_what_has_a_mid_an_expiry_and_a_spot_is_valued() -> None:
    """A value that is not known is zero, beside others that are."""
    read = catalogue()
    read.read(SYMBOLS)
    quotes = np.array([quoted(3_350_000, 3_550_000), quoted(60_000_000, None), quoted(3_600_000, 3_800_000)] * 2)
    codes = np.array([0, 1, 2, 3, 0, 2])
    spots = np.array([SPOT["SPY"], SPOT["SPX"], SPOT["SPY"], SPOT["SPY"], 0, SPOT["SPY"]])
    values = valued(read, codes, quotes, spots, NOW)
    assert values[:, 0].tolist() == [GREEKS_KNOWN, 0, GREEKS_KNOWN, 0, 0, GREEKS_KNOWN]
    assert not values[values[:, 0] == 0].any()
    assert (values[0, 1] > 0, values[0, 2] > 0, values[2, 2] < 0) == (True, True, True)
    assert values[:, 1:].shape == (6, len(QUOTE) - FED)


def test_a_quote_has_the_values_it_has_alone() -> None:
    """In a long batch, at any place, at its own instant: the same integers as by itself."""
    read = catalogue()
    read.read(SYMBOLS)
    draw = np.random.default_rng(20260213)
    count = 5_000
    codes = draw.integers(0, len(SYMBOLS), count)
    bid = draw.integers(1, 900, count) * 10_000
    quotes = np.zeros((count, FED), np.int64)
    quotes[:, 1], quotes[:, 2], quotes[:, 5] = bid, bid + draw.integers(0, 50, count) * 10_000, ASK_PRESENT
    spots = draw.integers(580_000, 610_000, count) * 1_000
    at = NOW + draw.integers(0, 10**6, count) * 10**9
    together = valued(read, codes, quotes, spots, at)
    assert 500 < np.count_nonzero(together[:, 0]) < count
    for place in draw.integers(0, count, 60).tolist():
        one = slice(place, place + 1)
        assert valued(read, codes[one], quotes[one], spots[one], int(at[place])).tolist() == together[one].tolist()


def test_symbols_are_read_as_they_come() -> None:
    """A list that grew is read from where it ended."""
    grown, whole = catalogue(), catalogue()
    for end in range(len(SYMBOLS) + 1):
        grown.read(SYMBOLS[:end])
    whole.read(SYMBOLS)
    assert grown.underlyings == whole.underlyings == {"SPY": 0, "SPX": 1}
    assert grown.underlying.tolist() == whole.underlying.tolist() == [0, 1, 0, 0]
    assert grown.expiry.tolist() == whole.expiry.tolist()
    assert whole.expiry[3] == 0
