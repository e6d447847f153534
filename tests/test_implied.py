"""Implied volatility is unknown where a price holds none, prices back where it is known, and is never NaN."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import implied, pricing
from oracle.pricing import Terms
from tests.quoted_options import EPS


def option(price_terms: tuple[float, ...], american: bool = False) -> Terms:
    """Terms of one option from (spot, strike, years, rate, dividend, sign)."""
    spot, strike, years, rate, dividend, sign = (np.array([value]) for value in price_terms)
    return Terms(spot, strike, years, rate, dividend, sign, np.array([american]))


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


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("price", "is_known"), [(1e-9, False), (1e-7, True)])
def test_a_price_at_the_money_made_of_rounding_is_unknown(sign: float, price: float, is_known: bool) -> None:
    """A hundred-billionth of the spot moves with the last bits of the spot; a billionth does not."""
    _, known = implied.implied_vol(option((100.0, 100.0, 1.0, 0.0, 0.0, sign)), np.array([price]))
    assert bool(known[0]) is is_known


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


def test_an_empty_chain_has_no_volatilities() -> None:
    """Nothing in, nothing out."""
    none = np.empty(0)
    found, known = implied.implied_vol(Terms(none, none, none, none, none, none, np.empty(0, np.bool_)), none)
    assert len(found) == len(known) == 0
