"""The option contract: its OCC symbol, the other spellings that are understood, and what makes a root unusable."""

import re
from datetime import date
from enum import StrEnum

import msgspec

from state import money

EUROPEAN_ROOTS = ("MRUT", "NDX", "NDXP", "RUT", "RUTW", "SPX", "SPXW", "VIX", "VIXW", "XSP")
AM_SETTLED_ROOTS = ("NDX", "RUT", "SPX", "VIX", "VIXW")
ROOTS_OF_INDEX = {"SPX": ("SPX", "SPXW"), "NDX": ("NDX", "NDXP"), "RUT": ("RUT", "RUTW"), "VIX": ("VIX", "VIXW")}

_OCC = re.compile(r"(?P<root>[A-Z]{1,6})\s*(?P<ymd>\d{6})(?P<right>[CP])(?P<strike>\d{8})", re.ASCII)
# A century and a strike that an OCC symbol cannot say would come back as another contract.
_DASHED = re.compile(
    r"(?P<root>[A-Z]{1,6})-(?P<ymd>20\d{6})-(?P<right>CALL|PUT|C|P)-(?P<strike>\d{1,5}(?:\.\d{1,3})?)", re.ASCII
)
_ADJUSTED = re.compile(r"[A-Z]{1,5}\d\s*\d{6}[CP]\d{8}", re.ASCII)
_STRIKE_UNIT = 1_000  # micro-dollars in one unit of the OCC strike field


class Right(StrEnum):
    """Call or put, as the letter of the OCC symbol."""

    CALL = "C"
    PUT = "P"


class Contract(msgspec.Struct, frozen=True, gc=False, array_like=True, order=True):
    """One listed option: root, expiration date (New York), right and strike in micro-dollars per share."""

    root: str
    expiry: date
    right: Right
    strike: int

    @property
    def occ(self) -> str:
        """The OCC symbol without padding, e.g. `SPY260220C00596000`: the stored key of a contract."""
        day = self.expiry
        ymd = f"{day.year % 100:02d}{day.month:02d}{day.day:02d}"
        return f"{self.root}{ymd}{self.right.value}{self.strike // _STRIKE_UNIT:08d}"

    @property
    def underlying(self) -> str:
        """The symbol whose price settles the contract; index roots with a suffix share one underlying."""
        for index, roots in ROOTS_OF_INDEX.items():
            if self.root in roots:
                return index
        return self.root

    @property
    def european(self) -> bool:
        """True when the contract can only be exercised at expiration."""
        return self.root in EUROPEAN_ROOTS

    @property
    def am_settled(self) -> bool:
        """True when the contract settles on the opening print of its expiration date."""
        return self.root in AM_SETTLED_ROOTS

    def intrinsic(self, spot: int) -> int:
        """What exercise is worth per share at an underlying price of `spot` micro-dollars, never below zero."""
        return max(0, spot - self.strike if self.right is Right.CALL else self.strike - spot)


def parse(text: str) -> Contract:
    """Read an OCC symbol (padded, or prefixed `O:`), `SPY-20260220-CALL-596.00` or `SPY-20260221-C-600`.

    Raises ValueError naming the fault: an adjusted root (digit suffix), an impossible date, another shape.
    """
    spelling = text.strip().upper().removeprefix("O:")
    if _ADJUSTED.fullmatch(spelling):
        raise ValueError(f"{text!r} has an adjusted root: its deliverable is not 100 shares, so it is not traded")
    if match := _OCC.fullmatch(spelling):
        strike = int(match["strike"]) * _STRIKE_UNIT
        ymd = "20" + match["ymd"]
    elif match := _DASHED.fullmatch(spelling):
        strike = money.parse(match["strike"])
        ymd = match["ymd"]
    else:
        raise ValueError(f"{text!r} is not an option symbol such as SPY260220C00596000")
    if strike <= 0:
        raise ValueError(f"{text!r} has no strike")
    try:
        expiry = date(int(ymd[:4]), int(ymd[4:6]), int(ymd[6:]))
    except ValueError:
        raise ValueError(f"{text!r} has an impossible expiration date") from None
    return Contract(match["root"], expiry, Right(match["right"][0]), strike)
