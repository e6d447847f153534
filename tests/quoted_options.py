"""Options for the tests of pricing: from rows, from published tables, and the reckoned ones of `tests/exact_prices`."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oracle.pricing import Floats, Terms, Values
from tests.laws.tree import ROOT

EPS = float(np.finfo(np.float64).eps)
GREEKS = ("delta", "gamma", "theta", "vega", "rho")
RECKONED = ROOT / "tests" / "exact_prices" / "reckoned.csv"


def terms_of(rows: Sequence[tuple[float, ...]], american: bool = False) -> Terms:
    """Terms from rows of (spot, strike, years, rate, dividend, sign)."""
    spot, strike, years, rate, dividend, sign = (np.array(column, float) for column in zip(*rows, strict=True))
    return Terms(spot, strike, years, rate, dividend, sign, np.full(len(rows), american))


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of one table."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    return rows


def published(rows: list[dict[str, str]], american: bool = False) -> tuple[Terms, Floats]:
    """Terms and volatilities of rows with the headings S, K, T, r, q, sigma and type."""
    names = ("S", "K", "T", "r", "q")
    signs = [1.0 if row["type"] == "call" else -1.0 for row in rows]
    terms = terms_of(
        [(*(float(row[name]) for name in names), sign) for row, sign in zip(rows, signs, strict=True)], american
    )
    return terms, column_of(rows, "sigma")


def reckoned() -> tuple[list[dict[str, str]], Terms, Floats]:
    """The options whose values were worked out to 50 digits."""
    rows = rows_of(RECKONED)
    names = ("spot", "strike", "years", "rate", "dividend", "sign")
    return rows, terms_of([tuple(float(row[name]) for name in names) for row in rows]), column_of(rows, "vol")


def column_of(rows: list[dict[str, str]], name: str) -> Floats:
    """One column as numbers."""
    return np.array([float(row[name]) for row in rows])


def columns_of(values: Values) -> dict[str, Floats]:
    """The six columns by name."""
    return {name: getattr(values, name) for name in ("price", *GREEKS)}


def moved(terms: Terms, values: Values) -> Floats:
    """By how much a price moves, at most, for one part of itself, of the spot and of the strike."""
    return values.price + np.abs(values.delta) * terms.spot + np.abs(values.rho) / terms.years


def condition(terms: Terms, vol: Floats, values: Values) -> Floats:
    """How many roundings a volatility inherits from price, spot and strike; infinite where the price holds none of it."""
    by_vol = values.vega * vol
    with np.errstate(over="ignore"):
        return np.divide(moved(terms, values), by_vol, out=np.full(len(vol), np.inf), where=by_vol > 0.0)
