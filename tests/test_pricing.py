"""Values and greeks obey the laws of option prices, are never NaN, and are the same bits in any batch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import pricing
from oracle.pricing import BLOCK, Terms, Values
from tests.quoted_options import GREEKS, columns_of, terms_of

ANY_ROW = st.tuples(
    st.floats(1e-100, 1e100),
    st.floats(1e-100, 1e100),
    st.floats(0.0, 5.0),
    st.floats(-10.0, 10.0),
    st.floats(-10.0, 10.0),
    st.sampled_from([1.0, -1.0]),
)
ANY_VOL = st.floats(0.0, pricing.VOL_MAX)
SANE_ROW = st.tuples(
    st.floats(30.0, 300.0),
    st.just(100.0),
    st.floats(1e-5, 2.0),
    st.floats(-0.01, 0.1),
    st.floats(0.0, 0.08),
    st.sampled_from([1.0, -1.0]),
)
SANE_VOL = st.floats(0.01, 5.0)


def flipped(row: tuple[float, ...]) -> tuple[float, ...]:
    """The put of a call and the call of a put."""
    return (*row[:5], -row[5])


@given(ANY_ROW, ANY_VOL, st.booleans())
def test_no_value_is_ever_nan(row: tuple[float, ...], vol: float, american: bool) -> None:
    """Every finite input in the stated ranges gives finite numbers, zero time and zero volatility included."""
    terms = terms_of([row], american)
    for column in columns_of(pricing.price_and_greeks(terms, np.array([vol]))).values():
        assert np.all(np.isfinite(column))


@given(SANE_ROW, SANE_VOL)
def test_put_and_call_differ_by_the_forward(row: tuple[float, ...], vol: float) -> None:
    """Put-call parity, for prices and for their delta, gamma, vega and rho."""
    spot, strike, years, rate, dividend, sign = row
    ours, other = (columns_of(pricing.price_and_greeks(terms_of([r]), np.array([vol]))) for r in (row, flipped(row)))
    asset, cash = spot * np.exp(-dividend * years), strike * np.exp(-rate * years)
    difference = {name: sign * float(ours[name][0] - other[name][0]) for name in ours}
    assert difference["price"] == pytest.approx(asset - cash, abs=1e-11)
    assert difference["delta"] == pytest.approx(asset / spot, abs=1e-12)
    assert difference["rho"] == pytest.approx(years * cash, abs=1e-10)
    assert difference["theta"] == pytest.approx(dividend * asset - rate * cash, rel=1e-9, abs=1e-8)
    assert ours["gamma"][0] == other["gamma"][0]
    assert ours["vega"][0] == other["vega"][0]


@given(SANE_ROW, SANE_VOL, st.floats(1.0, 2.0))
def test_prices_move_the_right_way(row: tuple[float, ...], vol: float, factor: float) -> None:
    """More volatility never costs; a higher spot never hurts a call nor helps a put; bounds hold."""
    spot, strike, years, rate, dividend, sign = row
    higher_spot = (spot * factor, *row[1:])
    terms = terms_of([row, row, higher_spot])
    base, more_vol, moved = pricing.price(terms, np.array([vol, vol * factor, vol]))
    slack = 1e-12 * max(spot, strike)
    assert more_vol >= base - slack
    assert sign * (moved - base) >= -slack * factor
    asset, cash = spot * np.exp(-dividend * years), strike * np.exp(-rate * years)
    assert max(sign * (asset - cash), 0.0) - slack <= base <= (asset if sign > 0 else cash) + slack


@given(st.lists(st.tuples(ANY_ROW, ANY_VOL), min_size=1, max_size=40), st.booleans())
def test_a_batch_gives_the_bits_of_its_rows(cases: list[tuple[tuple[float, ...], float]], american: bool) -> None:
    """No row feels its neighbours."""
    rows, vols = [row for row, _ in cases], np.array([vol for _, vol in cases])
    batch = columns_of(pricing.price_and_greeks(terms_of(rows, american), vols))
    alone = pricing.price(terms_of(rows, american), vols)
    assert alone.tobytes() == batch["price"].tobytes()
    for index, row in enumerate(rows):
        single = columns_of(pricing.price_and_greeks(terms_of([row], american), vols[index : index + 1]))
        assert [column[0] for column in single.values()] == [column[index] for column in batch.values()]


def test_blocks_leave_no_seam() -> None:
    """A batch over several blocks gives the bits of its halves, into columns that were used before."""
    count = 2 * BLOCK + 17
    steps = np.linspace(0.0, 1.0, count)
    terms = Terms(
        80.0 + 40.0 * steps,
        np.full(count, 100.0),
        0.01 + steps,
        np.full(count, 0.04),
        np.full(count, 0.01),
        np.where(np.arange(count) % 2, 1.0, -1.0),
        np.arange(count) % 3 == 0,
    )
    vol = 0.1 + steps
    used = pricing.price_and_greeks(terms, vol[::-1].copy())
    whole = columns_of(pricing.price_and_greeks(terms, vol, used))
    cut = BLOCK + 5
    parts = [pricing.price_and_greeks(terms.rows(part), vol[part]) for part in (slice(0, cut), slice(cut, count))]
    for name, column in whole.items():
        assert column.tobytes() == b"".join(getattr(part, name).tobytes() for part in parts)


def test_an_empty_chain_has_no_values() -> None:
    """Nothing in, nothing out."""
    none = np.empty(0)
    terms = Terms(none, none, none, none, none, none, np.empty(0, np.bool_))
    assert len(pricing.price(terms, none)) == 0


@pytest.mark.parametrize(("sign", "spot"), [(1.0, 120.0), (1.0, 80.0), (-1.0, 80.0), (-1.0, 120.0), (1.0, 100.0)])
@pytest.mark.parametrize(("years", "vol"), [(0.0, 0.3), (0.0, 0.0)])
def test_without_time_a_price_is_intrinsic(sign: float, spot: float, years: float, vol: float) -> None:
    """No distribution is left: gamma and vega are 0, delta is all or nothing off the strike."""
    values = pricing.price_and_greeks(terms_of([(spot, 100.0, years, 0.05, 0.01, sign)]), np.array([vol]))
    assert values.price[0] == pytest.approx(max(0.0, sign * (spot - 100.0)), abs=1e-12)
    assert values.gamma[0] == values.vega[0] == values.rho[0] == 0.0
    if spot != 100.0:
        assert values.delta[0] == (sign if sign * (spot - 100.0) > 0 else 0.0)


def test_american_contracts_are_clamped_at_intrinsic() -> None:
    """A deep put is worth its exercise and moves like it; one above intrinsic keeps its European values."""
    rows = [(60.0, 100.0, 1.0, 0.08, 0.0, -1.0), (99.0, 100.0, 1.0, 0.08, 0.0, -1.0)]
    vol = np.array([0.1, 0.3])
    european, american = (pricing.price_and_greeks(terms_of(rows, flag), vol) for flag in (False, True))
    assert european.price[0] < 40.0 == american.price[0]
    assert [getattr(american, name)[0] for name in GREEKS] == [-1.0, 0.0, 0.0, 0.0, 0.0]
    assert [c[1] for c in columns_of(american).values()] == [c[1] for c in columns_of(european).values()]


GOOD_ROW = (100.0, 100.0, 0.5, 0.05, 0.01, 1.0)


@pytest.mark.parametrize(
    ("place", "value", "name"),
    [
        (0, 0.0, "spot"),
        (0, float("nan"), "spot"),
        (1, -1.0, "strike"),
        (1, float("inf"), "strike"),
        (2, -0.1, "years"),
        (2, float("nan"), "years"),
        (3, float("nan"), "rate"),
        (3, 200.0, "rate"),
        (4, float("-inf"), "dividend"),
        (5, 0.0, "sign"),
    ],
)
def test_terms_outside_their_range_are_refused(place: int, value: float, name: str) -> None:
    """The message names the column, so that no NaN is ever computed."""
    row = (*GOOD_ROW[:place], value, *GOOD_ROW[place + 1 :])
    with pytest.raises(ValueError, match=name):
        terms_of([GOOD_ROW, row])


def test_columns_of_another_shape_or_type_are_refused() -> None:
    """Lengths, types and strides are checked once, where terms are made."""
    one, two = np.ones(1), np.ones(2)
    yes = np.ones(2, np.bool_)
    for columns in (
        (two, one, two, two, two, two, yes),
        (two, two, two, two, two, two.astype(np.float32), yes),
        (two, two, two, two, two, two, two),
        (two, np.ones(4)[::2], two, two, two, two, yes),
    ):
        with pytest.raises(ValueError, match="contiguous column of 2"):
            Terms(*columns)
    terms = Terms(two, two, two, two, two, two, yes)
    for vol in (one, np.array([0.1, float("nan")]), np.array([0.1, -0.1]), np.array([0.1, 1e4])):
        with pytest.raises(ValueError, match="vol"):
            pricing.price(terms, vol)


def test_time_to_expiry_counts_seconds_down_to_one_minute() -> None:
    """Seconds over a year of 365 days, floored at 60 s, past expiry too."""
    now = 1_771_000_000 * 10**9
    ends = np.array([now + s * 10**9 for s in (365 * 86_400, 3_601, 60, 59, 0, -5)], np.int64)
    minute = 60 / (365 * 86_400)
    assert pricing.time_to_expiry(ends, now).tolist() == [1.0, 3_601 / (365 * 86_400), *[minute] * 4]


def test_quantised_values_are_in_their_units() -> None:
    """1e-9 for IV, delta and gamma, micro-dollars for the rest, theta per day."""
    count = 5_000
    values = Values(*(np.full(count, x) for x in (12.5, 0.5, 0.015625, -36.5, 0.25, -0.125)))
    made = pricing.quantise_greeks(values, np.full(count, 0.375))
    assert (made.dtype, made.shape) == (np.int64, (6, count))
    assert set(map(tuple, made.T.tolist())) == {(375_000_000, 500_000_000, 15_625_000, -100_000, 250_000, -125_000)}
    assert pricing.quantise(values.price[:1], pricing.MICROS).tolist() == [12_500_000]


@given(st.floats(-1e6, 1e6))
def test_quantising_keeps_eight_digits(value: float) -> None:
    """The result is within 27 bits and half a unit of the value."""
    whole = int(pricing.quantise(np.array([value]), 1e6)[0])
    assert abs(whole - value * 1e6) <= abs(value * 1e6) * 2.0**-27 + 0.5 + 1e-6


def test_neighbouring_floats_quantise_alike() -> None:
    """What two processors may disagree about, the last bits, does not reach the integers."""
    values = np.exp(np.linspace(-12.0, 12.0, 5_000)) * 1.000000123
    down, up = values * (1 - 4e-16), values * (1 + 4e-16)
    assert np.any(down != up)
    for unit in (pricing.UNIT, pricing.MICROS):
        assert np.array_equal(pricing.quantise(down, unit), pricing.quantise(up, unit))


@given(st.floats(-1e12, 1e12))
def test_the_first_rounding_is_to_27_bits(value: float) -> None:
    """It leaves numbers of 27 bits as they are, and moves any other by half of its 27th bit at most."""
    fraction, exponent = math.frexp(value)
    kept = math.ldexp(math.floor(math.ldexp(fraction, 27)), exponent - 27)
    assert pricing.quantise(np.array([kept]), 1.0)[0] == round(kept)
    step = math.ldexp(1.0, exponent - 27)
    assert abs(int(pricing.quantise(np.array([value]), 2.0**20)[0]) - value * 2**20) <= step * 2**19 + 0.5


def test_quantising_saturates_rather_than_wraps() -> None:
    """Absurd magnitudes keep their sign."""
    assert pricing.quantise(np.array([1e300, -1e300, 0.0]), 1e9).tolist() == [2**62, -(2**62), 0]
