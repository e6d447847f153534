"""Nanoseconds per option of price with five greeks, and of implied volatility, beside references in the same run.

Run `python benchmarks/bench_pricing.py` from the root of the repository. The references are numpy and scipy.special by
hand; py_vollib_vectorized and fast-vollib take part where they are installed.
"""

import importlib
import math
import statistics
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.by_hand import Reference, VolReference
from benchmarks.figures import Aim, Part, Table, at_least, at_most, tell
from benchmarks.rounds import Act, ratio, turns
from oracle import implied, pricing
from oracle.pricing import Floats, Mask, Terms, Values

SIZES = (1, 100, 10_000, 1_000_000)
ROUNDS = 7
ROUNDS_OF_LARGEST = 3
ROUND_S = 0.05
PRICE_MIN = 1e-280
OURS, BY_HAND, VECTORIZED = "oracle", "by hand", "py_vollib_vectorized"
PEERS = {
    VECTORIZED: ("vectorized_black_scholes_merton", "vectorized_implied_volatility"),
    "fast_vollib": ("fast_black_scholes_merton", "fast_implied_volatility"),
}
WORDS = """\
Price with five greeks, and implied volatility, of options of one underlying as a listed chain has them: days to two years,
volatility 8-90 %. By hand: numpy and scipy.special, every column made once and written in place, without blocks, checks, the
clamp of American contracts or a word on prices that tell nothing."""


def chain(count: int) -> tuple[Terms, Floats]:
    """Options of one underlying as a listed chain has them: 0.6-1.6 moneyness, days to two years, volatility 8-90 %."""
    random = np.random.default_rng(7)
    spot = np.full(count, 596.25)
    strike = np.round(spot * np.exp(random.uniform(-0.5, 0.5, count)))
    years = np.exp(random.uniform(math.log(1 / 365), math.log(2.0), count))
    sign = np.where(random.random(count) < 0.5, 1.0, -1.0)
    terms = Terms(spot, strike, years, np.full(count, 0.043), np.full(count, 0.012), sign, np.zeros(count, np.bool_))
    return terms, random.uniform(0.08, 0.9, count)


def peer_acts(name: str, terms: Terms, vol: Floats, price: Floats) -> list[Act] | None:
    """Price with five greeks, and implied volatility, by another library; None where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = importlib.import_module(name)
    except ImportError:
        return None
    by_price, by_vol = (getattr(library, one) for one in PEERS[name])
    flag = np.where(terms.sign > 0.0, "c", "p")
    market = (terms.spot, terms.strike, terms.years, terms.rate)

    def values() -> None:
        by_price(flag, *market, vol, terms.dividend, return_as="numpy")
        library.get_all_greeks(flag, *market, vol, terms.dividend, model="black_scholes_merton", return_as="dict")

    def vols() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = {"model": "black_scholes_merton", "return_as": "numpy", "on_error": "ignore"}
            return by_vol(price, *market, flag, terms.dividend, **options)

    return [values, vols]


def informed(terms: Terms, vol: Floats) -> Mask:
    """Rows whose volatility stays within 1/50,000 of itself when price, spot and strike are each off by a rounding.

    Prices under PRICE_MIN do not count: there float64 runs out of exponents, and the product answers "unknown" by design.
    """
    values = pricing.price_and_greeks(terms, vol)
    moved = np.abs(values.delta) * terms.spot + np.abs(values.rho) / terms.years + values.price
    clear: Mask = values.vega * vol > 5e4 * np.finfo(np.float64).eps * moved
    clear &= values.price >= PRICE_MIN
    return clear


class Found:
    """What everyone took for one size: seconds of a call in each round, by name: (values, volatilities)."""

    def __init__(self, count: int) -> None:
        self.count = count
        terms, vol = chain(count)
        prices, into = pricing.price(terms, vol), Values.empty(count)
        by_hand, vol_by_hand = Reference(terms, vol), VolReference(terms, prices)
        known = agreeing(by_hand, vol_by_hand, prices)
        acts: dict[str, list[Act] | None] = {
            BY_HAND: [by_hand, vol_by_hand],
            OURS: [partial(pricing.price_and_greeks, terms, vol, into), partial(implied.implied_vol, terms, prices)],
            **{name: peer_acts(name, terms, vol, prices) for name in PEERS},
        }
        present = {name: pair for name, pair in acts.items() if pair}
        rounds = ROUNDS if count < SIZES[-1] else ROUNDS_OF_LARGEST
        taken = turns([act for pair in present.values() for act in pair], rounds=rounds, round_s=ROUND_S)
        self.taken = {name: (taken[2 * n], taken[2 * n + 1]) for n, name in enumerate(present)}
        clear = informed(terms, vol)
        self.informed, self.missed = int(clear.sum()), int((clear & ~known).sum())

    def cells(self, name: str) -> tuple[str, ...]:
        """Nanoseconds per option, and times the reference, of both acts."""
        if name not in self.taken:
            return ("not installed", *[""] * 3)
        pairs = zip(self.taken[name], self.taken[BY_HAND], strict=True)
        per_option = 1e9 / self.count
        both = ((f"{statistics.median(mine) * per_option:,.1f}", f"{ratio(mine, base):.2f}") for mine, base in pairs)
        return tuple(cell for pair in both for cell in pair)

    def times(self, name: str, act: int, other: str) -> float:
        """How many times as long one takes for an act (0 values, 1 volatilities) as another."""
        return ratio(self.taken[name][act], self.taken[other][act])


def agreeing(by_hand: Reference, vol_by_hand: VolReference, prices: Floats) -> Mask:
    """Which volatilities the product finds; ends the run where a reference computes something else."""
    by_hand()
    vol_by_hand()
    found, known = implied.implied_vol(by_hand.terms, prices)
    if not np.allclose(by_hand.columns[7], prices, atol=1e-9):
        raise SystemExit("the reference prices something else")
    if not np.allclose(vol_by_hand.vol[known], found[known], rtol=1e-9):
        raise SystemExit("the reference finds other volatilities")
    return known


def aims(found: Found, missed: int) -> tuple[Aim, ...]:
    """What pricing wants to reach, at ten thousand options."""
    acts = ("price + 5 greeks, 10,000 options", "implied volatility, 10,000 options")
    reached = [
        at_most(f"{what}, times by hand", 1.2, found.times(OURS, n, BY_HAND), " x") for n, what in enumerate(acts)
    ]
    if VECTORIZED in found.taken:
        reached += [
            at_least(f"{what}, {VECTORIZED} takes", limit, found.times(VECTORIZED, n, OURS), " x")
            for n, (what, limit) in enumerate(zip(acts, (20, 4), strict=True))
        ]
    return (*reached, at_most("volatilities not found that a price tells", 0, missed, ""))


def measure() -> Part:
    """All sizes."""
    every = {count: Found(count) for count in SIZES}
    head = ("options", "price + 5 greeks, ns each", "x by hand", "implied volatility, ns each", "x by hand")
    rows = tuple(
        (f"{name}, {n:,}", *found.cells(name)) for n, found in every.items() for name in (OURS, BY_HAND, *PEERS)
    )
    asked = tuple((f"{n:,}", f"{found.informed:,}", str(found.missed)) for n, found in every.items())
    return Part(
        "Pricing",
        WORDS,
        (
            Table("Per option: median of the rounds, and times the reference of the same rounds", head, rows),
            Table("Volatilities asked for", ("options", "that a price tells", "of them not found"), asked),
        ),
        aims(every[10_000], sum(found.missed for found in every.values())),
    )


if __name__ == "__main__":
    tell(measure)
