"""The contracts of a recording by underlying, root and expiry, and which of them are near a price."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from oracle.market.port import Ints
from state.contract import Contract
from state.market import Mask

Grid = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


class Chain:
    """The contracts of one root and expiry, and those of them that are near a price; the last answers are kept."""

    def __init__(self, expiry: date, codes: Ints, strikes: Ints) -> None:
        self.expiry = expiry
        self.codes = codes
        self._strikes = strikes
        self._listed = b""
        self._levels: Ints = np.zeros(0, np.int64)
        self._level: Ints = np.zeros(len(codes), np.int64)
        self._near: dict[tuple[int, int], Ints] = {}

    def near(self, listed: Mask, spot: int, each_side: int) -> Ints:
        """The codes of the nearest listed strikes: so many at or below the spot, and as many above."""
        self._list(listed)
        middle = int(np.searchsorted(self._levels, spot, "right"))
        if (middle, each_side) not in self._near:
            inside = (self._level >= middle - each_side) & (self._level < middle + each_side)
            self._near[middle, each_side] = self.codes[listed & inside]
        return self._near[middle, each_side]

    def near_each(self, listed: Mask, spots: Ints, each_side: int) -> tuple[Ints, Grid]:
        """(codes, grid of shape (spots, codes)): what is near any of several prices, and which of it is near each."""
        self._list(listed)
        middle = np.searchsorted(self._levels, spots, "right")
        inside = (self._level >= middle.min() - each_side) & (self._level < middle.max() + each_side) & listed
        away = self._level[inside] - middle[:, np.newaxis]
        return self.codes[inside], (away >= -each_side) & (away < each_side)

    def _list(self, listed: Mask) -> None:
        """Count the strikes that are listed: `_level` is the place of each contract's strike among them."""
        if (now_listed := listed.tobytes()) != self._listed:
            self._listed, self._near = now_listed, {}
            self._levels = np.unique(self._strikes[listed])
            self._level = np.searchsorted(self._levels, self._strikes)


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything ever listed on one underlying: all codes, and the chains of all its roots."""

    codes: Ints
    chains: tuple[Chain, ...]


def listings(listed: tuple[Contract, ...]) -> dict[str, Listing]:
    """What is listed on each underlying, its chains by root and expiry."""
    codes: dict[str, list[int]] = {}
    members: dict[tuple[str, date], list[int]] = {}
    for code, one in enumerate(listed):
        codes.setdefault(one.underlying, []).append(code)
        members.setdefault((one.root, one.expiry), []).append(code)
    chains: dict[str, list[Chain]] = {underlying: [] for underlying in codes}
    for (_, expiry), chain in sorted(members.items()):
        strikes = np.array([listed[code].strike for code in chain], np.int64)
        chains[listed[chain[0]].underlying].append(Chain(expiry, np.array(chain, np.int64), strikes))
    return {one: Listing(np.array(codes[one], np.int64), tuple(chains[one])) for one in codes}
