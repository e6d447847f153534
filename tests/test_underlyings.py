"""What the simulated market is made of: known levels, and figures for every other symbol."""

import pytest

from oracle.market.underlyings import underlying

USD = 1_000_000


@pytest.mark.parametrize(
    ("symbol", "start", "step", "roots"),
    [
        ("SPY", 600, 1.0, ("SPY",)),
        ("QQQ", 520, 1.0, ("QQQ",)),
        ("IWM", 220, 1.0, ("IWM",)),
        ("SPX", 6_000, 5.0, ("SPX", "SPXW")),
        ("AAPL", 230, 2.5, ("AAPL",)),
        ("TSLA", 330, 5.0, ("TSLA",)),
        ("VIX", 18, 0.5, ()),
    ],
)
def test_known_symbols_begin_at_round_levels(symbol: str, start: int, step: float, roots: tuple[str, ...]) -> None:
    """Levels and strikes are those people expect."""
    one = underlying(symbol)
    assert one is not None
    assert (one.start, one.step, one.roots) == (start * USD, round(step * USD), roots)


@pytest.mark.parametrize("symbol", ["SPXW", "NDXP", "BRK.B", "ES1!", "1INCH", "spy", "", "SEVENAB", "SPY "])
def test_what_has_no_options_of_its_own_is_no_underlying(symbol: str) -> None:
    """A root of an index, a class of shares, a future and a long name have no market here."""
    assert underlying(symbol) is None


def test_every_other_symbol_has_figures_of_its_own() -> None:
    """They follow from the letters, and lie in sensible bounds."""
    names = [a + b for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    found = [one for name in names if (one := underlying(name)) is not None]
    assert len(found) == len(names)
    assert len({one.start for one in found}) > 150
    for one in found:
        assert 20 * USD <= one.start <= 400 * USD
        assert 0.25 <= one.volatility <= 0.55
        assert 0.3 <= one.together <= 0.7
        assert 0.005 <= one.step / one.start <= 0.026
        assert one.roots == (one.symbol,)
    assert underlying("ZZ") == underlying("ZZ")
