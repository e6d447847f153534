"""Values and greeks to 50 digits where published tables have none: far wings, minutes to expiry, tiny and huge volatility.

Made with mpmath 1.4: `pip install mpmath && python tests/exact_prices/make.py > tests/exact_prices/reckoned.csv`. The terms
are the float64 numbers as printed; every value is the exact one, rounded to 17 digits.
"""

import sys
from itertools import product

from mpmath import erfc, exp, log, mp, mpf, pi, sqrt

mp.dps = 50
YEAR_S = 365 * 86_400
NAMES = "spot,strike,years,rate,dividend,sign,vol,price,delta,gamma,theta,vega,rho"


def values(terms):
    """Price, delta, gamma, theta per year, vega and rho per 1.00."""
    s, k, t, r, q, g, v = map(mpf, terms)
    root = sqrt(t)
    d1 = (log(s / k) + (r - q + v * v / 2) * t) / (v * root)
    d2 = d1 - v * root
    asset, cash = s * exp(-q * t), k * exp(-r * t)
    n1, n2 = erfc(-g * d1 / sqrt(2)) / 2, erfc(-g * d2 / sqrt(2)) / 2
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    gamma = asset * density / (s * s * v * root)
    theta = g * (q * asset * n1 - r * cash * n2) - asset * density * v / (2 * root)
    return g * (asset * n1 - cash * n2), g * asset / s * n1, gamma, theta, asset * density * root, g * t * cash * n2


def rows():
    """One for each option worth more than 1e-280, calls and puts."""
    spots = (30.0, 62.5, 90.0, 99.999, 100.0, 100.25, 180.0, 300.0)
    times = (60 / YEAR_S, 864 / YEAR_S, 7 / 365, 2.0)
    carries = ((0.0, 0.0), (-0.0075, 0.0), (0.0525, 0.0175))
    for index, (spot, years, vol) in enumerate(product(spots, times, (0.01, 0.3, 5.0))):
        for sign in (1.0, -1.0):
            terms = (spot, 100.0, years, *carries[index % 3], sign, vol)
            made = values(terms)
            if made[0] > mpf(10) ** -280:
                yield ",".join([*map(repr, terms), *(mp.nstr(one, 17) for one in made)])


if __name__ == "__main__":
    sys.stdout.write("\n".join([NAMES, *rows(), ""]))
