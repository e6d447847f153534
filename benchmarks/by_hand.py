"""The references of price, greeks and implied volatility: numpy and scipy.special by hand, every column made once.

They compute in place, but know neither blocks nor checks, contracts that are clamped nor prices that say nothing.
"""

import math

import numpy as np
from scipy.special import erfcx, ndtr

from oracle.pricing import Floats, Terms


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


class VolReference:
    """Implied volatility by hand: the out-of-the-money value, a guess, one Householder step with erfcx for all rows.

    As accurate as the product where the guess is within 5e-4, which it is wherever a row of the chain holds a volatility.
    """

    def __init__(self, terms: Terms, price: Floats) -> None:
        self.terms, self.price = terms, price
        self.x, self.bound, self.value, self.gap, self.vol = (np.empty(len(price)) for _ in range(5))
        self.spare = [np.empty(len(price)) for _ in range(6)]

    def __call__(self) -> None:
        """One pass over all rows; rows without information come out as anything."""
        with np.errstate(all="ignore"):
            self.normalise()
            self.guess()
            self.step()
            root = self.spare[0]
            np.sqrt(self.terms.years, out=root)
            np.divide(self.vol, root, out=self.vol)

    def normalise(self) -> None:
        """Log-moneyness, bound, time value and |forward - strike| in units of sqrt(forward x strike)."""
        t, (asset, cash, small, big, *_) = self.terms, self.spare
        np.multiply(t.dividend, t.years, out=asset)
        np.negative(asset, out=asset)
        np.exp(asset, out=asset)
        np.multiply(asset, t.spot, out=asset)
        np.multiply(t.rate, t.years, out=cash)
        np.negative(cash, out=cash)
        np.exp(cash, out=cash)
        np.multiply(cash, t.strike, out=cash)
        np.minimum(asset, cash, out=small)
        np.maximum(asset, cash, out=big)
        np.subtract(asset, cash, out=asset)
        np.multiply(asset, t.sign, out=asset)
        np.maximum(asset, 0.0, out=asset)
        np.subtract(self.price, asset, out=self.value)
        np.divide(small, big, out=self.x)
        np.sqrt(self.x, out=self.bound)
        np.log(self.x, out=self.x)
        np.negative(self.x, out=self.x)
        np.subtract(big, small, out=self.gap)
        np.divide(self.bound, small, out=small)
        np.multiply(self.value, small, out=self.value)
        np.multiply(self.gap, small, out=self.gap)

    def guess(self) -> None:
        """The normal model inverted, and carried over to the log-normal one."""
        per_value, v, log, over, under, _ = self.spare
        np.divide(self.gap, self.value, out=per_value)
        np.maximum(per_value, 1e-6, out=per_value)
        np.add(per_value, 1.0, out=log)
        np.log(log, out=log)
        np.sqrt(log, out=v)
        polynomial((0.00854357428, 0.01234062775, 0.04151971619, 0.02999391943, 0.3989607628), v, over)
        polynomial((0.006027400514, 0.009711772928, 0.04847044517, 0.09531841036, 0.07676228225, 1.0), v, under)
        np.multiply(over, log, out=over)
        np.maximum(self.x, 1e-6, out=self.vol)
        np.maximum(self.gap, 1e-6, out=self.gap)
        np.divide(self.vol, self.gap, out=self.vol)
        np.multiply(self.vol, self.value, out=self.vol)
        np.multiply(self.vol, per_value, out=self.vol)
        np.multiply(self.vol, under, out=self.vol)
        np.divide(self.vol, over, out=self.vol)
        np.multiply(self.vol, self.vol, out=v)
        polynomial((0.003923422, -0.160330634, 1.0), v, over)
        polynomial((0.00863906745, -0.201953541, 1.0), v, under)
        np.multiply(self.vol, over, out=self.vol)
        np.divide(self.vol, under, out=self.vol)

    def step(self) -> None:
        """Householder's third, on ln b below the middle and ln(bound - b) above."""
        s, (e, h, near, far, side, log) = self.vol, self.spare
        np.divide(self.x, s, out=e)
        np.multiply(s, 0.5, out=h)
        np.subtract(h, e, out=near)
        np.add(h, e, out=far)
        np.copysign(1.0, near, out=side)
        np.abs(near, out=near)
        for tail in (near, far):
            np.multiply(tail, math.sqrt(0.5), out=tail)
            erfcx(tail, out=tail)
        np.multiply(far, side, out=far)
        np.add(near, far, out=near)
        np.multiply(near, math.sqrt(math.pi / 2), out=near)
        np.multiply(side, self.value, out=far)
        np.copyto(log, self.bound)
        np.multiply(log, side > 0.0, out=log)
        np.subtract(log, far, out=far)
        np.divide(near, far, out=log)
        np.log(log, out=log)
        np.multiply(e, e, out=e)
        np.multiply(h, h, out=h)
        np.add(e, h, out=far)
        np.multiply(far, -0.5, out=self.gap)
        np.add(log, self.gap, out=log)
        np.subtract(log, math.log(2 * math.pi) / 2, out=log)
        np.multiply(log, near, out=near)
        np.multiply(near, side, out=near)
        np.divide(near, s, out=near)
        np.subtract(e, h, out=h)
        np.multiply(h, near, out=h)
        np.add(h, log, out=h)
        np.add(log, h, out=log)
        np.multiply(log, h, out=log)
        np.multiply(e, 2.0, out=e)
        np.add(e, far, out=e)
        np.multiply(e, near, out=e)
        np.multiply(e, near, out=e)
        np.subtract(log, e, out=log)
        np.divide(log, 6.0, out=log)
        np.add(log, h, out=log)
        np.add(log, 1.0, out=log)
        np.multiply(h, 0.5, out=h)
        np.add(h, 1.0, out=h)
        np.multiply(h, near, out=h)
        np.divide(h, log, out=h)
        np.multiply(h, s, out=h)
        np.add(s, h, out=s)


def polynomial(coefficients: tuple[float, ...], at: Floats, into: Floats) -> None:
    """Horner's rule, the highest power first."""
    np.multiply(at, coefficients[0], out=into)
    for coefficient in coefficients[1:-1]:
        np.add(into, coefficient, out=into)
        np.multiply(into, at, out=into)
    np.add(into, coefficients[-1], out=into)
