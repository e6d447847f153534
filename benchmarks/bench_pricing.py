"""Nanoseconds per option of price with five greeks, and of implied volatility, beside a hand-written numpy reference.

Run `python benchmarks/bench_pricing.py` from the root of the repository. The reference reuses its columns and computes
each of them in place, but knows neither blocks nor checks nor contracts that are clamped.
"""

import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from scipy.special import ndtr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle import implied, pricing
from oracle.pricing import Floats, Terms, Values

SIZES = (1, 100, 10_000, 1_000_000)
ROUNDS = 7
ROUND_S_MIN = 0.05


def chain(count: int) -> tuple[Terms, Floats]:
    """Options of one underlying as a listed chain has them: 0.6-1.6 moneyness, days to two years, volatility 8-90 %."""
    random = np.random.default_rng(7)
    spot = np.full(count, 596.25)
    strike = np.round(spot * np.exp(random.uniform(-0.5, 0.5, count)))
    years = np.exp(random.uniform(math.log(1 / 365), math.log(2.0), count))
    sign = np.where(random.random(count) < 0.5, 1.0, -1.0)
    terms = Terms(spot, strike, years, np.full(count, 0.043), np.full(count, 0.012), sign, np.zeros(count, np.bool_))
    return terms, random.uniform(0.08, 0.9, count)


class Reference:
    """Price and greeks written out by hand over columns that are made once."""

    def __init__(self, terms: Terms, vol: Floats) -> None:
        self.terms, self.vol = terms, vol
        self.columns = [np.empty(len(vol)) for _ in range(13)]

    def __call__(self) -> None:
        """One pass over all rows."""
        t, vol = self.terms, self.vol
        root, sd, d1, d2, asset, cash, density, price, delta, gamma, theta, vega, rho = self.columns
        np.sqrt(t.years, out=root)
        np.multiply(vol, root, out=sd)
        np.divide(t.spot, t.strike, out=d1)
        np.log(d1, out=d1)
        np.subtract(t.rate, t.dividend, out=d2)
        np.multiply(d2, t.years, out=d2)
        np.add(d1, d2, out=d1)
        np.divide(d1, sd, out=d1)
        np.multiply(sd, 0.5, out=d2)
        np.add(d1, d2, out=d1)
        np.subtract(d1, sd, out=d2)
        np.multiply(t.dividend, t.years, out=asset)
        np.negative(asset, out=asset)
        np.exp(asset, out=asset)
        np.multiply(asset, t.spot, out=asset)
        np.multiply(t.rate, t.years, out=cash)
        np.negative(cash, out=cash)
        np.exp(cash, out=cash)
        np.multiply(cash, t.strike, out=cash)
        np.multiply(d1, d1, out=density)
        np.multiply(density, -0.5, out=density)
        np.exp(density, out=density)
        np.multiply(density, 1 / math.sqrt(2 * math.pi), out=density)
        np.multiply(density, asset, out=density)
        np.multiply(d1, t.sign, out=d1)
        np.multiply(d2, t.sign, out=d2)
        ndtr(d1, out=d1)
        ndtr(d2, out=d2)
        np.multiply(asset, d1, out=asset)
        np.multiply(asset, t.sign, out=asset)
        np.multiply(cash, d2, out=cash)
        np.multiply(cash, t.sign, out=cash)
        np.subtract(asset, cash, out=price)
        np.divide(asset, t.spot, out=delta)
        np.multiply(density, root, out=vega)
        np.multiply(cash, t.years, out=rho)
        np.divide(density, sd, out=density)
        np.divide(density, t.spot, out=gamma)
        np.divide(gamma, t.spot, out=gamma)
        np.multiply(density, vol, out=density)
        np.multiply(density, vol, out=density)
        np.multiply(density, -0.5, out=theta)
        np.multiply(asset, t.dividend, out=asset)
        np.multiply(cash, t.rate, out=cash)
        np.add(theta, asset, out=theta)
        np.subtract(theta, cash, out=theta)


def ns_per_option(acts: list[Callable[[], object]], count: int) -> list[float]:
    """The best of several rounds for each act, the acts taking turns so that a busy machine is unfair to none."""
    best = [math.inf] * len(acts)
    repeats = []
    for act in acts:
        start = time.perf_counter()
        act()
        repeats.append(max(1, int(ROUND_S_MIN / (time.perf_counter() - start))))
    for _ in range(ROUNDS):
        for index, act in enumerate(acts):
            start = time.perf_counter()
            for _ in range(repeats[index]):
                act()
            best[index] = min(best[index], (time.perf_counter() - start) / repeats[index])
    return [seconds / count * 1e9 for seconds in best]


def main() -> None:
    """Print one line per size."""
    print(
        f"{'options':>9} {'reference':>11} {'price+greeks':>13} {'ratio':>6} {'implied vol':>12} {'ratio':>6}  ns/option"
    )
    for count in SIZES:
        terms, vol = chain(count)
        reference = Reference(terms, vol)
        into = Values.empty(count)
        prices = pricing.price(terms, vol)
        reference()
        if not np.allclose(reference.columns[7], prices, atol=1e-9):
            raise SystemExit("the reference prices something else")
        acts: list[Callable[[], object]] = [
            reference,
            partial(pricing.price_and_greeks, terms, vol, into),
            partial(implied.implied_vol, terms, prices),
        ]
        by_hand, ours, inverse = ns_per_option(acts, count)
        print(
            f"{count:>9,} {by_hand:>11,.1f} {ours:>13,.1f} {ours / by_hand:>6.2f} {inverse:>12,.1f} {inverse / by_hand:>6.2f}"
        )


if __name__ == "__main__":
    main()
