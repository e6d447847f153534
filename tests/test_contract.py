"""The option contract: every spelling that is read, what is refused, and what a root says about settlement."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import contract
from state.contract import Contract, Right
from tests.stage import usd

SPY_CALL = Contract("SPY", date(2026, 2, 20), Right.CALL, 596_000_000)

SPELLINGS = [
    "SPY260220C00596000",
    "SPY   260220C00596000",
    "O:SPY260220C00596000",
    " spy260220c00596000 ",
    "SPY-20260220-CALL-596.00",
    "SPY-20260220-C-596",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_one_contract(spelling: str) -> None:
    """OCC padded or not, with a provider's prefix, and both dashed forms."""
    assert contract.parse(spelling) == SPY_CALL
    assert contract.parse(spelling).occ == "SPY260220C00596000"


@given(
    root=st.from_regex(r"[A-Z]{1,6}", fullmatch=True),
    expiry=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    right=st.sampled_from(Right),
    strike=st.integers(1, 99_999_999),
)
def test_a_symbol_round_trips(root: str, expiry: date, right: Right, strike: int) -> None:
    """Every contract's symbol reads back as that contract, in both forms."""
    one = Contract(root, expiry, right, strike * 1_000)
    assert contract.parse(one.occ) == one
    assert contract.parse(f"{root}-{expiry:%Y%m%d}-{right}-{strike // 1000}.{strike % 1000:03d}") == one


BAD = [
    ("SPY", "is not an option symbol"),
    ("SPY1260220C00596000", "adjusted root"),
    ("SPY260230C00596000", "impossible expiration date"),
    ("SPY260220C00000000", "no strike"),
    ("SPY-20260220-CALL-0", "no strike"),
    ("SPY260220X00596000", "is not an option symbol"),
    ("SPY260220C0059600", "is not an option symbol"),
    ("TOOLONGS260220C00596000", "is not an option symbol"),
    ("SPY-20260220-CALL-596.1234", "is not an option symbol"),
    ("SPY-19990220-C-596", "is not an option symbol"),
    ("SPY-00260220-C-596", "is not an option symbol"),
    ("SPY-20260220-C-100000", "is not an option symbol"),
    ("SPY26022\u0660C00596000", "is not an option symbol"),
    ("", "is not an option symbol"),
]


@pytest.mark.parametrize(("text", "fault"), BAD)
def test_the_fault_of_a_symbol_is_named(text: str, fault: str) -> None:
    """Another shape, an adjusted deliverable, a date that is none, a strike of nothing."""
    with pytest.raises(ValueError, match=fault):
        contract.parse(text)


ROOTS = [
    ("SPY", "SPY", False, False),
    ("SPX", "SPX", True, True),
    ("SPXW", "SPX", True, False),
    ("NDXP", "NDX", True, False),
    ("RUT", "RUT", True, True),
    ("VIXW", "VIX", True, True),
    ("XSP", "XSP", True, False),
    ("AAPL", "AAPL", False, False),
]


@pytest.mark.parametrize(("root", "underlying", "european", "morning"), ROOTS)
def test_a_root_tells_underlying_exercise_and_settlement(
    root: str, underlying: str, european: bool, morning: bool
) -> None:
    """Weeklies of an index share its price; monthlies of some settle in the morning."""
    one = Contract(root, date(2026, 2, 20), Right.CALL, 1_000_000)
    assert (one.underlying, one.european, one.am_settled) == (underlying, european, morning)


WORTH = [
    ("C", "600", "4"),
    ("C", "596", "0"),
    ("C", "590", "0"),
    ("P", "590.25", "5.75"),
    ("P", "596", "0"),
    ("P", "600", "0"),
]


@pytest.mark.parametrize(("right", "spot", "worth"), WORTH)
def test_intrinsic_value_is_never_negative(right: str, spot: str, worth: str) -> None:
    """A call is worth what the spot exceeds the strike by, a put the other way round."""
    one = Contract("SPY", date(2026, 2, 20), Right(right), usd("596"))
    assert one.intrinsic(usd(spot)) == usd(worth)
