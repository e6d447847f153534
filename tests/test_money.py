"""Dollars are integers of a millionth; text is read and printed exactly, and there is one rounding rule."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import money

AMOUNTS = st.integers(-(10**15), 10**15)

READ = [
    ("3.5904", 3_590_400),
    ("0", 0),
    ("-12.60", -12_600_000),
    ("+1", 1_000_000),
    (" 5.5 ", 5_500_000),
    ("1e3", 1_000_000_000),
    ("0.000001", 1),
    ("1.50000000", 1_500_000),
    ("0e99", 0),
    ("999999999999.999999", 10**18 - 1),
]


@pytest.mark.parametrize(("text", "amount"), READ)
def test_text_is_read_exactly(text: str, amount: int) -> None:
    """Every decimal of up to six places becomes its micro-dollars."""
    assert money.parse(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1,000",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1e12",
        "0.0000001",
        "1e-7",
        "1" * 25,
        "1e400000000",
        "1e-400000000",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Words, infinities, more than six decimals, a million millions and endless digits raise with the text."""
    with pytest.raises(ValueError):
        money.parse(text)


@given(AMOUNTS)
def test_printing_hides_nothing(amount: int) -> None:
    """What is printed with its separators reads back as the same amount."""
    assert money.parse(money.text(amount).replace(",", "")) == amount
    assert money.from_decimal(money.to_decimal(amount)) == amount


PRINTED = [
    (0, "0.00"),
    (1_584_000_000, "1,584.00"),
    (-2_568_600_000, "-2,568.60"),
    (3_590_400, "3.5904"),
    (1, "0.000001"),
]


@pytest.mark.parametrize(("amount", "text"), PRINTED)
def test_cents_are_always_shown(amount: int, text: str) -> None:
    """Two places at least, more where they are not zero."""
    assert money.text(amount) == text


def test_places_are_a_minimum() -> None:
    """More places may be asked for, fewer never hide a digit."""
    assert (money.text(1_000_000, 4), money.text(1_500_000, 0)) == ("1.0000", "1.5")


@given(amount=st.decimals(min_value=-(10**6), max_value=10**6, places=9))
def test_decimals_are_rounded_half_to_even(amount: Decimal) -> None:
    """The one rounding rule."""
    assert money.from_decimal(amount) == int((amount * 10**6).to_integral_value(ROUND_HALF_EVEN))


@given(amount=st.integers(0, 10**15), whole=st.integers(1, 500), data=st.data())
def test_shares_sum_to_the_whole(amount: int, whole: int, data: st.DataObject) -> None:
    """However contracts leave, in shares of what is left, nothing is lost and nothing is made."""
    left, given_away, rest = whole, 0, amount
    while left:
        part = data.draw(st.integers(1, left))
        taken = money.share(rest, part, left)
        assert 0 <= taken <= rest
        rest, left, given_away = rest - taken, left - part, given_away + taken
    assert (given_away, rest) == (amount, 0)


SHARES = [
    (10, 1, 3, 3),
    (10, 2, 3, 7),
    (5, 1, 2, 2),
    (7, 1, 2, 4),
    (15, 1, 10, 2),
    (25, 1, 10, 2),
    (0, 1, 2, 0),
    (9, 3, 3, 9),
]


@pytest.mark.parametrize(("amount", "part", "whole", "expected"), SHARES)
def test_a_share_rounds_half_to_even(amount: int, part: int, whole: int, expected: int) -> None:
    """A half goes to the even neighbour: 2.5 to 2, 3.5 to 4."""
    assert money.share(amount, part, whole) == expected


RATIOS = [(1_584, 3_168, 5_000), (-1, 3, -3_333), (1, 3, 3_333), (-1, -3, 3_333), (5, 0, 0), (0, 7, 0), (0, -7, 0)]


@pytest.mark.parametrize(("part", "whole", "expected"), RATIOS)
def test_ratios_are_cut_towards_zero(part: int, whole: int, expected: int) -> None:
    """In basis points, of either sign; nothing of nothing is nothing."""
    assert money.ratio_bp(part, whole) == expected


def test_contracts_hold_a_hundred_shares() -> None:
    """9 x 3.52 is 3,168 dollars."""
    assert money.notional(money.parse("3.52"), 9) == money.parse("3168")
