"""Mills' ratio is right to the last bits from 0 to infinity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.normal import fill_mills

EPS = float(np.finfo(np.float64).eps)

# sqrt(pi / 2) exp(z^2 / 2) erfc(z / sqrt 2) with 70 digits, by mpmath 1.4. Near 1.61 and 4.59 a level of the fraction is 0.
RATIOS = (
    (0.0, 1.2533141373155002512),
    (0.1, 1.1592623996187363238),
    (0.5, 0.87636445645369234673),
    (1.0, 0.65567954241879847154),
    (1.6101, 0.49193141356342668148),
    (1.61019, 0.49191269948897218067),
    (2.0, 0.42136922928805447322),
    (3.0, 0.30459029871010329573),
    (4.5863639602259570, 0.20888241631174426567),
    (4.586363960225958, 0.20888241631174422837),
    (4.58636396022596, 0.20888241631174415378),
    (6.0, 0.16237766089686746182),
    (10.0, 0.099028596471731921395),
    (20.0, 0.049875925981836783658),
    (38.0, 0.026297602974252964378),
    (1e17, 1e-17),
)


def mills(*points: float) -> list[float]:
    """The ratio at each of the points."""
    into = np.empty(len(points))
    fill_mills(np.array(points), into)
    return into.tolist()


@pytest.mark.parametrize(("z", "ratio"), RATIOS)
def test_the_ratio_is_right_to_the_last_bits(z: float, ratio: float) -> None:
    """Within two and a half roundings of 70-digit arithmetic, without a warning where a level is exactly 0."""
    assert mills(z)[0] == pytest.approx(ratio, rel=2.5 * EPS, abs=0.0)


@given(st.floats(1e-3, 1e8))
def test_the_ratio_lies_between_its_bounds(z: float) -> None:
    """For every z > 0, z / (z^2 + 1) < M < (z^2 + 2) / (z^3 + 3 z)."""
    slack = 8 * EPS
    assert z / (z * z + 1) * (1 - slack) <= mills(z)[0] <= (z * z + 2) / (z * (z * z + 3)) * (1 + slack)


@given(st.floats(0.0, 40.0), st.floats(1e-9, 1.0))
def test_the_ratio_falls(z: float, step: float) -> None:
    """Nearer to 0 is more."""
    near, far = mills(z, z + step)
    assert near >= far * (1 - 4 * EPS)


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=40))
def test_a_batch_gives_the_bits_of_its_rows(points: list[float]) -> None:
    """No row feels its neighbours."""
    assert mills(*points) == [mills(one)[0] for one in points]
