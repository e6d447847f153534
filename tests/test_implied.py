"""Implied volatility comes back wherever a price holds one, is unknown elsewhere, and never NaN."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import implied, pricing
from oracle.implied import BLOCK
from oracle.pricing import Floats, Terms

EPS = float(np.finfo(np.float64).eps)


def option(price_terms: tuple[float, ...], american: bool = False) -> Terms:
    """Terms of one option from (spot, strike, years, rate, dividend, sign)."""
    spot, strike, years, rate, dividend, sign = (np.array([value]) for value in price_terms)
    return Terms(spot, strike, years, rate, dividend, sign, np.array([american]))


def black(forward: Floats, strike: Floats, years: Floats, sign: Floats) -> Terms:
    """Terms without rates, so that spot is forward and nothing is discounted."""
    none = np.zeros(len(forward))
    return Terms(forward, strike, years, none, none, sign, np.zeros(len(forward), np.bool_))


def spread_out(count: int, seed: int) -> tuple[Terms, Floats]:
    """Calls and puts over S/K 0.3..3, 0.01 day..2 years, volatility 1 %..500 %, with rates and yields."""
    random = np.random.Generator(np.random.Philox(key=seed))
    near = np.exp(random.normal(0.0, 1.0, count) * 10.0 ** random.uniform(-9.0, -0.5, count))
    wide = np.exp(random.uniform(np.log(0.3), np.log(3.0), count))
    spot = 100.0 * np.clip(np.where(random.random(count) < 0.5, near, wide), 0.3, 3.0)
    years = np.exp(random.uniform(np.log(0.01 / 365), np.log(2.0), count))
    vol = np.exp(random.uniform(np.log(0.01), np.log(5.0), count))
    rate, dividend = random.uniform(-0.01, 0.1, count), random.uniform(0.0, 0.06, count)
    sign = np.where(random.random(count) < 0.5, 1.0, -1.0)
    strike, european = np.full(count, 100.0), np.zeros(count, np.bool_)
    return Terms(spot, strike, years, rate, dividend, sign, european), vol


def legs_of(terms: Terms) -> tuple[Floats, Floats]:
    """The discounted spot and the discounted strike."""
    return terms.spot * np.exp(-terms.dividend * terms.years), terms.strike * np.exp(-terms.rate * terms.years)


def test_every_informative_price_gives_its_volatility_back() -> None:
    """No failure where the time value stands clear of rounding, and the price comes back to the last bits."""
    terms, vol = spread_out(200_000, seed=11)
    prices = pricing.price(terms, vol)
    found, known = implied.implied_vol(terms, prices)
    asset, cash = legs_of(terms)
    inner = (asset - cash) * terms.sign
    value, scale = prices - np.maximum(inner, 0.0), np.maximum(asset, cash)
    clear = (value > 1e-11 * scale) | ((inner <= 0.0) & (prices > 1e-280))
    informative = clear & (value < np.minimum(asset, cash) * (1.0 - 1e-9))
    assert informative.sum() > 100_000
    assert np.all(known[informative])
    again = pricing.price(terms, np.where(known, found, 0.0))
    assert np.all(np.abs(again - prices)[known] <= 8 * EPS * scale[known])
    assert np.all(np.abs(found / vol - 1.0)[known] <= implied.VOL_ERROR_MAX)


def test_volatility_comes_back_to_full_precision_out_of_the_money() -> None:
    """Where no digits cancel, nine digits of the volatility are right, in the far tail too."""
    terms, vol = spread_out(100_000, seed=12)
    asset, cash = legs_of(terms)
    prices = pricing.price(terms, vol)
    found, known = implied.implied_vol(terms, prices)
    judged = known & ((asset - cash) * terms.sign <= 0.0) & (vol * np.sqrt(terms.years) < 3.0)
    assert judged.sum() > 30_000
    assert np.max(np.abs(found / vol - 1.0)[judged]) < 1e-9
    assert np.any(prices[judged] < 1e-200)


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
    found, known = implied.implied_vol(terms, prices)
    informative = (prices > 1e-280) & (prices < np.minimum(forward, strike) * (1.0 - 1e-9))
    assert informative.sum() > 4_000
    assert np.all(known[informative])
    assert np.max(np.abs(found / vol - 1.0)[informative]) < 1e-4


def test_the_published_round_trips_come_back(data_dir: Path) -> None:
    """As near to the true volatility as the published solver comes; unknown only where it is off as well."""
    with (data_dir / "pricing" / "lets_be_rational_1000.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    def column(name: str) -> Floats:
        return np.array([float(row[name]) for row in rows])

    terms = black(column("F"), column("K"), column("T"), column("theta_sign(+1 call,-1 put)"))
    vol, published = column("sigma"), column("implied_vol_from_price")
    found, known = implied.implied_vol(terms, column("black_undiscounted"))
    error, published_error = np.abs(found / vol - 1.0), np.abs(published / vol - 1.0)
    assert known.sum() > 600
    assert np.all(error[known] <= 2.0 * published_error[known] + 1e-12)
    assert not np.any(~known & (published_error < 1e-7))


def test_the_grid_of_quantlib_gives_its_volatilities_back(data_dir: Path) -> None:
    """With rates and yields: known where the time value is a billionth of the strike, and then right."""
    with (data_dir / "pricing" / "quantlib_grid.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    spot, strike, years, rate, dividend, vol, price = (
        np.array([float(row[name]) for row in rows]) for name in ("S", "K", "T", "r", "q", "sigma", "price")
    )
    sign = np.array([1.0 if row["type"] == "call" else -1.0 for row in rows])
    terms = Terms(spot, strike, years, rate, dividend, sign, np.zeros(len(rows), np.bool_))
    found, known = implied.implied_vol(terms, price)
    asset, cash = legs_of(terms)
    value = price - np.maximum((asset - cash) * sign, 0.0)
    informative = (value > 1e-9 * np.maximum(asset, cash)) & (value < np.minimum(asset, cash) * (1 - 1e-9))
    assert informative.sum() > 1_000
    assert np.all(known[informative])
    assert np.max(np.abs(found / vol - 1.0)[informative]) < 1e-6


@pytest.mark.parametrize(
    ("price", "american", "is_known"),
    [
        (float("nan"), False, False),
        (float("inf"), False, False),
        (-1.0, False, False),
        (0.0, False, False),
        (21.9, False, False),
        (22.5, False, True),
        (22.5, True, True),
        (121.0, False, False),
        (119.0, False, True),
    ],
)
def test_prices_outside_their_bounds_are_unknown(price: float, american: bool, is_known: bool) -> None:
    """A call of 120 against 100: its discounted intrinsic is 21.98, its bound 120."""
    found, known = implied.implied_vol(option((120.0, 100.0, 0.5, 0.04, 0.0, 1.0), american), np.array([price]))
    assert bool(known[0]) is is_known
    assert (found[0] > 0.0) == is_known


@pytest.mark.parametrize(("price", "is_known"), [(39.5, False), (40.0, False), (40.01, True)])
def test_an_american_price_at_intrinsic_is_unknown(price: float, is_known: bool) -> None:
    """A deep put at 40.00 is worth its exercise: no volatility is read from it, though a European one would hold one."""
    row = (60.0, 100.0, 1.0, 0.08, 0.0, -1.0)
    _, american = implied.implied_vol(option(row, american=True), np.array([price]))
    _, european = implied.implied_vol(option(row), np.array([price]))
    assert (bool(american[0]), bool(european[0])) == (is_known, True)


def test_no_time_left_means_unknown() -> None:
    """Zero years hold no volatility, whatever the price."""
    _, known = implied.implied_vol(option((100.0, 100.0, 0.0, 0.04, 0.0, 1.0)), np.array([1.0]))
    assert not known[0]


def test_a_price_column_of_another_shape_is_refused() -> None:
    """One price per row, as float64."""
    terms = option((100.0, 100.0, 1.0, 0.0, 0.0, 1.0))
    for length, kind in ((2, np.float64), (0, np.float64), (1, np.float32)):
        with pytest.raises(ValueError, match="price must be a column of 1"):
            implied.implied_vol(terms, np.ones(length, kind))


ANY_ROW = st.tuples(
    st.floats(1e-100, 1e100),
    st.floats(1e-100, 1e100),
    st.floats(0.0, 5.0),
    st.floats(-10.0, 10.0),
    st.floats(-10.0, 10.0),
    st.sampled_from([1.0, -1.0]),
)
SANE_ROW = st.tuples(
    st.floats(30.0, 300.0),
    st.just(100.0),
    st.floats(0.01 / 365, 2.0),
    st.floats(-0.01, 0.1),
    st.floats(0.0, 0.08),
    st.sampled_from([1.0, -1.0]),
)


@given(ANY_ROW, st.floats(), st.booleans())
def test_no_volatility_is_ever_nan(row: tuple[float, ...], price: float, american: bool) -> None:
    """Any price at all: known means positive and finite, unknown means 0.0."""
    found, known = implied.implied_vol(option(row, american), np.array([price]))
    assert np.isfinite(found[0])
    assert (found[0] > 0.0) == bool(known[0])


@given(SANE_ROW, st.floats(0.01, 5.0))
def test_a_known_volatility_prices_back(row: tuple[float, ...], vol: float) -> None:
    """Price, invert, price again: the same price to the last bits."""
    terms = option(row)
    price = pricing.price(terms, np.array([vol]))
    found, known = implied.implied_vol(terms, price)
    if known[0]:
        assert pricing.price(terms, found)[0] == pytest.approx(price[0], abs=8 * EPS * max(row[0], row[1]))


@given(SANE_ROW, st.floats(0.05, 3.0), st.floats(1.001, 1.5))
def test_a_dearer_price_is_a_higher_volatility(row: tuple[float, ...], vol: float, factor: float) -> None:
    """The inverse rises with the price."""
    terms = option(row)
    pair = [implied.implied_vol(terms, pricing.price(terms, np.array([v]))) for v in (vol, vol * factor)]
    if all(known[0] for _, known in pair):
        assert pair[1][0][0] > pair[0][0][0]


def test_a_batch_gives_the_bits_of_its_rows() -> None:
    """No row feels its neighbours nor its place in a block."""
    terms, vol = spread_out(2 * BLOCK + 9, seed=14)
    prices = pricing.price(terms, vol)
    prices[::7] = np.nan
    found, known = implied.implied_vol(terms, prices)
    assert 0 < known.sum() < len(terms)
    cut = BLOCK - 3
    parts = [implied.implied_vol(terms.rows(part), prices[part]) for part in (slice(0, cut), slice(cut, None))]
    assert found.tobytes() == b"".join(part.tobytes() for part, _ in parts)
    assert known.tobytes() == b"".join(mask.tobytes() for _, mask in parts)
    for index in range(0, len(terms), 41):
        row = slice(index, index + 1)
        one, its_known = implied.implied_vol(terms.rows(row), prices[row])
        assert (one[0], its_known[0]) == (found[index], known[index])


def test_an_empty_chain_has_no_volatilities() -> None:
    """Nothing in, nothing out."""
    none = np.empty(0)
    found, known = implied.implied_vol(Terms(none, none, none, none, none, none, np.empty(0, np.bool_)), none)
    assert len(found) == len(known) == 0
