"""Every published row, to its printed digits; what QuantLib and 50-digit arithmetic say, to ten digits and the last bits.

Of American values only what a price clamped at intrinsic owes is compared: never above the true value, equal to it where
early exercise is worth nothing. The premium of early exercise, which it lacks, is not.
"""

from pathlib import Path

import numpy as np
import pytest

from oracle import pricing
from oracle.pricing import DAYS_PER_YEAR
from tests.quoted_options import EPS, GREEKS, column_of, columns_of, moved, published, reckoned, rows_of


def test_prices_match_the_printed_figures_of_haug(data_dir: Path) -> None:
    """Four printed decimals, calls and puts, with and without yield."""
    rows = rows_of(data_dir / "pricing" / "haug_european_values.csv")
    terms, vol = published(rows)
    assert np.all(np.abs(pricing.price(terms, vol) - column_of(rows, "price")) <= column_of(rows, "tolerance"))


def test_greeks_match_the_printed_figures_of_haug(data_dir: Path) -> None:
    """Each greek in the unit that its docstring states; of the table only the sensitivity to the yield is not ours."""
    rows = rows_of(data_dir / "pricing" / "haug_european_greeks.csv")
    columns = columns_of(pricing.price_and_greeks(*published(rows)))
    assert {row["greek"] for row in rows} == {*GREEKS, "dividendRho"}
    for index, row in enumerate(rows):
        if row["greek"] != "dividendRho":
            assert columns[row["greek"]][index] == pytest.approx(float(row["value"]), abs=float(row["abs_tolerance"]))


def test_values_match_the_grid_of_quantlib(data_dir: Path) -> None:
    """1e-10 relative where a value is more than a millionth of its scale, 1e-13 of the scale elsewhere."""
    rows = rows_of(data_dir / "pricing" / "quantlib_grid.csv")
    terms, vol = published(rows)
    columns = columns_of(pricing.price_and_greeks(terms, vol))
    one = np.ones(len(rows))
    headers = {
        "price": ("price", terms.spot),
        "delta": ("delta", one),
        "gamma": ("gamma", 1.0 / terms.spot),
        "theta": ("theta_per_year", terms.spot),
        "vega": ("vega_per_1.00", terms.spot),
        "rho": ("rho_per_1.00", terms.spot),
    }
    for name, (header, scale) in headers.items():
        expected = column_of(rows, header)
        allowed = np.where(np.abs(expected) > 1e-6 * scale, 1e-10 * np.abs(expected), 1e-13 * scale)
        assert np.all(np.abs(columns[name] - expected) <= allowed), name
    per_day = column_of(rows, "theta_per_day")
    allowed = np.where(np.abs(per_day) > 1e-6 * terms.spot, 1e-10 * np.abs(per_day), 1e-13 * terms.spot)
    assert np.all(np.abs(columns["theta"] / DAYS_PER_YEAR - per_day) <= allowed)


def test_greeks_match_py_vollib(data_dir: Path) -> None:
    """Deep in and out of the money, from hours to half a year."""
    rows = rows_of(data_dir / "pricing" / "py_vollib_bs_greeks.csv")
    for name, column in columns_of(pricing.price_and_greeks(*published(rows))).items():
        judged = np.array([row[name] != "" for row in rows])
        expected = np.array([float(row[name] or 0.0) for row in rows])
        allowed = column_of(rows, "tolerance") * np.maximum(1.0, np.abs(expected))
        assert np.all(np.abs(column - expected)[judged] <= allowed[judged]), name


def test_undiscounted_prices_match_the_published_round_trips(data_dir: Path) -> None:
    """A thousand options of any moneyness without rates, to what the rounding of spot and strike allows."""
    rows = rows_of(data_dir / "pricing" / "lets_be_rational_1000.csv")
    spot, strike, years, sign, vol, expected = (
        column_of(rows, name) for name in ("F", "K", "T", "theta_sign(+1 call,-1 put)", "sigma", "black_undiscounted")
    )
    none = np.zeros(len(rows))
    terms = pricing.Terms(spot, strike, years, none, none, sign, none.astype(np.bool_))
    allowed = np.where(expected > 1e-6 * spot, 1e-10 * expected, 1e-13 * spot)
    assert np.all(np.abs(pricing.price(terms, vol) - expected) <= allowed)


def test_values_match_fifty_digits() -> None:
    """S/K 0.3 to 3, a minute to two years, 1 % to 500 %, negative rates: ten digits, and 1e-13 of the scale where less is left."""
    rows, terms, vol = reckoned()
    scales = {"gamma": 1.0 / terms.spot, "delta": np.ones(len(rows))}
    for name, column in columns_of(pricing.price_and_greeks(terms, vol)).items():
        expected, scale = column_of(rows, name), scales.get(name, terms.spot)
        allowed = np.where(np.abs(expected) > 1e-6 * scale, 1e-10 * np.abs(expected), 1e-13 * scale)
        assert np.all(np.abs(column - expected) <= allowed), name


def test_a_wing_keeps_its_digits() -> None:
    """Out of the money a price is right to the rounding of spot and strike, down to 1e-280."""
    rows, terms, vol = reckoned()
    values, expected = pricing.price_and_greeks(terms, vol), column_of(rows, "price")
    outside = (expected < 1e-3) & (values.vega > 0.0)
    assert outside.sum() > 10
    assert expected[outside].min() < 1e-50
    assert np.all(np.abs(values.price - expected)[outside] <= 8 * EPS * moved(terms, values)[outside])


@pytest.mark.parametrize(
    "table",
    ["haug_american_baw", "haug_american_bjerksund", "ju1999_american_true_values", "quantlib_american_edge"],
)
def test_an_american_price_is_never_above_the_true_one(data_dir: Path, table: str) -> None:
    """Clamped at intrinsic, it lacks the premium of early exercise. Spots and strikes of 0 and expired rows are no terms."""
    rows = [
        row
        for row in rows_of(data_dir / "pricing" / f"{table}.csv")
        if float(row["S"]) > 0.0 and float(row["K"]) > 0.0 and float(row["T"]) > 0.0
    ]
    over = pricing.price(*published(rows, american=True)) - column_of(rows, "price")
    assert np.all(over <= column_of(rows, "tolerance") * np.maximum(1.0, column_of(rows, "price")))


def test_an_american_price_is_exact_where_exercise_is_worth_nothing(data_dir: Path) -> None:
    """Of the whole grid none is above QuantLib's American value, and calls without a yield are equal to it."""
    rows = rows_of(data_dir / "pricing" / "quantlib_grid.csv")
    terms, vol = published(rows, american=True)
    ours, true = pricing.price(terms, vol), column_of(rows, "american_price")
    scale = np.maximum(terms.spot, terms.strike)
    assert np.all(ours - true <= 1e-13 * scale)
    never_early = (terms.sign > 0.0) & (terms.dividend == 0.0) & (terms.rate >= 0.0)
    assert never_early.sum() > 400
    assert np.all(np.abs(ours - true)[never_early] <= 1e-13 * scale[never_early])
