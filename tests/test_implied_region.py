"""Over the whole region of listed options no volatility is lost, none is wrong, and none depends on its neighbours.

A price holds a volatility when price, spot and strike may each be off by a rounding and the volatility still moves by less
than TOLD of itself. All of those must be found, to a few times what those roundings do to it, and none whose price holds
less than VOL_ERROR_MAX.
"""

from pathlib import Path

import numpy as np
import pytest

from oracle import implied, pricing
from oracle.implied import BLOCK
from oracle.pricing import Floats, Mask, Terms
from tests.quoted_options import EPS, column_of, condition, published, reckoned, rows_of

TOLD = implied.VOL_ERROR_MAX / 5
ROUNDINGS = 5


def black(forward: Floats, strike: Floats, years: Floats, sign: Floats) -> Terms:
    """Terms without rates, so that spot is forward and nothing is discounted."""
    none = np.zeros(len(forward))
    return Terms(forward, strike, years, none, none, sign, np.zeros(len(forward), np.bool_))


def region(count: int, seed: int) -> tuple[Terms, Floats]:
    """Calls and puts over S/K 0.3..3, 0.01 day..2 years, volatility 1 %..500 %, rates of -1 %..10 % and 0, with yields."""
    random = np.random.Generator(np.random.Philox(key=seed))
    near = np.exp(random.normal(0.0, 1.0, count) * 10.0 ** random.uniform(-9.0, -0.5, count))
    wide = np.exp(random.uniform(np.log(0.3), np.log(3.0), count))
    spot = 100.0 * np.clip(np.where(random.random(count) < 0.5, near, wide), 0.3, 3.0)
    years = np.exp(random.uniform(np.log(0.01 / 365), np.log(2.0), count))
    vol = np.exp(random.uniform(np.log(0.01), np.log(5.0), count))
    charged = random.random(count) < 0.75
    rate = np.where(charged, random.uniform(-0.01, 0.1, count), 0.0)
    dividend = np.where(charged, random.uniform(0.0, 0.06, count), 0.0)
    sign = np.where(random.random(count) < 0.5, 1.0, -1.0)
    strike, european = np.full(count, 100.0), np.zeros(count, np.bool_)
    return Terms(spot, strike, years, rate, dividend, sign, european), vol


def found(terms: Terms, price: Floats, vol: Floats) -> tuple[Mask, Mask]:
    """(which prices hold their volatility, which of all are known), having asserted that none is lost or wrong."""
    answer, known = implied.implied_vol(terms, price)
    inherited = EPS * condition(terms, vol, pricing.price_and_greeks(terms, vol))
    told = (inherited < TOLD) & (price > 1e-280)
    assert np.all(known[told])
    assert np.all(answer[~known] == 0.0)
    assert np.all(inherited[known] <= implied.VOL_ERROR_MAX)
    assert np.all(np.abs(answer / vol - 1.0)[known] <= ROUNDINGS * inherited[known])
    return told, known


def test_no_volatility_of_the_region_is_lost_or_wrong() -> None:
    """Zero failures where the price tells, the limit of rounding wherever there is an answer."""
    terms, vol = region(300_000, seed=11)
    told, known = found(terms, pricing.price(terms, vol), vol)
    assert told.sum() > 150_000
    assert 0 < (known & ~told).sum() < 5_000
    assert (~known).sum() > 50_000


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("moneyness", [0.3, 0.7, 1.0, 1.0 + 1e-9, 1.4, 3.0])
@pytest.mark.parametrize("years", [0.01 / 365, 1 / 365, 2.0])
def test_no_corner_of_the_region_is_lost(sign: float, moneyness: float, years: float) -> None:
    """Its edges themselves, at every volatility, with rates of -1 %, 0 and 10 %."""
    vol = np.tile(np.exp(np.linspace(np.log(0.01), np.log(5.0), 120)), 3)
    rate = np.repeat((-0.01, 0.0, 0.1), 120)
    one = np.ones(len(vol))
    terms = Terms(
        moneyness * 100.0 * one, 100.0 * one, years * one, rate, 0.0 * one, sign * one, np.zeros(len(vol), np.bool_)
    )
    found(terms, pricing.price(terms, vol), vol)


def test_prices_of_fifty_digits_give_their_volatilities_back() -> None:
    """Correctly rounded prices, which the product did not compute, are inverted to the limit of rounding as well."""
    rows, terms, vol = reckoned()
    told, _ = found(terms, column_of(rows, "price"), vol)
    assert told.sum() > 80


def test_far_strikes_and_wild_volatilities_converge_too() -> None:
    """Forwards up to e**20 times off the strike, volatility up to 1000 %."""
    random = np.random.Generator(np.random.Philox(key=13))
    count = 50_000
    forward = 100.0 * np.exp(random.uniform(-19.9, 19.9, count))
    strike, sign = np.full(count, 100.0), np.where(forward < 100.0, 1.0, -1.0)
    years = np.exp(random.uniform(np.log(2e-6), np.log(5.0), count))
    vol = np.exp(random.uniform(np.log(1e-4), np.log(10.0), count))
    terms = black(forward, strike, years, sign)
    prices = pricing.price(terms, vol)
    answer, known = implied.implied_vol(terms, prices)
    informative = (prices > 1e-280) & (prices < np.minimum(forward, strike) * (1.0 - 1e-9))
    assert informative.sum() > 4_000
    assert np.all(known[informative])
    assert np.max(np.abs(answer / vol - 1.0)[informative]) < 1e-4


def test_the_published_round_trips_come_back(data_dir: Path) -> None:
    """As near to the true volatility as the published solver comes; unknown only where it is off as well."""
    rows = rows_of(data_dir / "pricing" / "lets_be_rational_1000.csv")
    forward, strike, years, sign, vol, theirs, prices = (
        column_of(rows, name)
        for name in (
            "F",
            "K",
            "T",
            "theta_sign(+1 call,-1 put)",
            "sigma",
            "implied_vol_from_price",
            "black_undiscounted",
        )
    )
    answer, known = implied.implied_vol(black(forward, strike, years, sign), prices)
    error, their_error = np.abs(answer / vol - 1.0), np.abs(theirs / vol - 1.0)
    assert known.sum() > 600
    assert np.all(error[known] <= 2.0 * their_error[known] + 1e-12)
    assert not np.any(~known & (their_error < 1e-7))


def test_the_grid_of_quantlib_gives_its_volatilities_back(data_dir: Path) -> None:
    """Prices of another library, which are right to roundings of spot and strike and not of themselves."""
    rows = rows_of(data_dir / "pricing" / "quantlib_grid.csv")
    terms, vol = published(rows)
    values, price = pricing.price_and_greeks(terms, vol), column_of(rows, "price")
    answer, known = implied.implied_vol(terms, price)
    by_vol = np.maximum(values.vega * vol, 1e-300)
    inherited = EPS * (condition(terms, vol, values) + 2.0 * np.maximum(terms.spot, terms.strike) / by_vol)
    told = inherited < TOLD
    assert told.sum() > 1_000
    assert np.all(known[told])
    assert np.all(np.abs(answer / vol - 1.0)[told] <= ROUNDINGS * inherited[told])


# -- bits -----------------------------------------------------------------------------------------------------------


def displaced(column: Floats, by: int) -> Floats:
    """The same numbers, `by` bytes off the alignment of float64."""
    memory = bytearray(column.nbytes + by)
    moved = np.frombuffer(memory, column.dtype, len(column), by)
    moved[:] = column
    return moved


def test_a_batch_gives_the_bits_of_its_rows() -> None:
    """No row feels its neighbours nor its place in a block."""
    terms, vol = region(2 * BLOCK + 9, seed=14)
    prices = pricing.price(terms, vol)
    prices[::7] = np.nan
    answer, known = implied.implied_vol(terms, prices)
    assert 0 < known.sum() < len(terms)
    cut = BLOCK - 3
    parts = [implied.implied_vol(terms.rows(part), prices[part]) for part in (slice(0, cut), slice(cut, None))]
    assert answer.tobytes() == b"".join(part.tobytes() for part, _ in parts)
    assert known.tobytes() == b"".join(mask.tobytes() for _, mask in parts)
    for index in range(0, len(terms), 41):
        row = slice(index, index + 1)
        one, its_known = implied.implied_vol(terms.rows(row), prices[row])
        assert (one[0], its_known[0]) == (answer[index], known[index])


def test_any_length_and_any_place_in_memory_gives_the_same_bits() -> None:
    """Whatever a processor does with the rows that fill none of its registers, and with columns off its boundaries."""
    terms, vol = region(96, seed=15)
    prices = pricing.price(terms, vol)
    answer, known = implied.implied_vol(terms, prices)
    for start in range(9):
        for stop in range(start + 1, 97, 3):
            part = slice(start, stop)
            some, its_known = implied.implied_vol(terms.rows(part), prices[part])
            assert some.tobytes() == answer[part].tobytes()
            assert its_known.tobytes() == known[part].tobytes()
            assert pricing.price(terms.rows(part), vol[part]).tobytes() == prices[part].tobytes()
    for by in (1, 4, 9):
        names = ("spot", "strike", "years", "rate", "dividend", "sign")
        away = Terms(*(displaced(getattr(terms, name), by) for name in names), terms.american)
        assert implied.implied_vol(away, displaced(prices, by))[0].tobytes() == answer.tobytes()
        assert pricing.price(away, displaced(vol, by)).tobytes() == prices.tobytes()
