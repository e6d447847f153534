"""Mills' ratio of the normal distribution: what is left of it beyond z, over its density at z.

Deliberately absent: the distribution itself, N(-z) = density(z) x ratio(z), because whoever needs it at two points that
are `vol sqrt(T)` apart needs one exponential for both. Only additions and divisions are used, which every processor and
library rounds alike.
"""

import numpy as np

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Constant = np.ndarray[tuple[()], np.dtype[np.float64]]

DENSITY_AT_ZERO = 0.3989422804014327
"""1 / sqrt(2 pi)."""


def constant(value: float) -> Constant:
    """A number as numpy takes it without conversion, which would cost as much as the arithmetic of a thousand rows."""
    return np.array(value)


_TOP, _INNERMOST = constant(1.0), constant(-4.5863639602259578)
_LEVELS = tuple(
    (constant(above), constant(shift))
    for above, shift in (
        (75.37201126273891, 8.197505071189708),
        (1.8249899019435045, 9.795330200991529),
        (95.84872660508267, -3.6287820561356208),
        (-13.334957600519617, 0.44998574717371626),
        (104.48398436597805, 17.386543565212882),
        (-25.83824735569794, 1.7250628091981042),
        (4.31411806435546, -0.01064158011324703),
        (2.9991623077773277, 1.6236431341036706e-05),
        (2.000000435817181, -3.6846754660372544e-09),
        (0.9999999999831582, 3.096386495192982e-14),
    )
)


def fill_mills(z: Floats, into: Floats) -> None:
    """The ratio at each z >= 0 with a relative error of less than 2.5 roundings, into a column of its own.

    The rational function of degrees 10 and 11 that is nearest to the ratio over z >= 0, found by Remez' exchange
    (relative distance 1e-17), as the continued fraction 1 / (z + b1 + a1 / (z + b2 + a2 / ...)). Levels of Laplace's
    fraction, 1 / (z + 1 / (z + 2 / ...)), can be seen in its last rows.
    """
    np.add(z, _INNERMOST, out=into)
    with np.errstate(divide="ignore"):  # a level that is exactly 0 makes the one above infinite and the next one right
        for above, shift in _LEVELS:
            np.divide(above, into, out=into)
            np.add(into, z, out=into)
            np.add(into, shift, out=into)
    np.divide(_TOP, into, out=into)
