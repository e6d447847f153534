"""A stretch of ticks, one after another, that decide nothing: what they observed, as columns over all of them.

Folding a stretch comes to the same as folding its ticks one by one, which `unrolled` gives back.
"""

from collections.abc import Iterator

import msgspec
import numpy as np

from state.errors import LawBroken
from state.market import QUOTE, QUOTE_BYTES, Ints, MarketColumns, Spot, Table

_VALUE, _PLACE = np.dtype("<i8"), np.dtype("<u4")

SPOT = ("tick", "symbol", "price", "at")
"""The values of one spot of a stretch: the tick and the symbol by their places, micro-dollars, ns UTC."""

_SPOT_BYTES = _VALUE.itemsize * len(SPOT)


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """What ticks at `instants` (int64, ns UTC, ascending) observed: only what changed from one to the next.

    `spots` holds rows of `SPOT`, by tick. `listed` are OCC symbols appended to the contract table, `listed_in` (uint32)
    the tick of each. Quote after quote, by tick, `ticks` and `rows` (uint32) tell its tick and its row of the contract
    table, `quotes` its values as in `MarketColumns`.
    """

    source: str
    instants: bytes
    symbols: tuple[str, ...] = ()
    spots: bytes = b""
    listed: tuple[str, ...] = ()
    listed_in: bytes = b""
    ticks: bytes = b""
    rows: bytes = b""
    quotes: bytes = b""

    def check(self, now: int, contracts: int) -> None:
        """Raise LawBroken for columns that contradict one another, or do not follow on what is there; call it before any use.

        It follows on an instant (ns UTC) and a table of so many contracts. Every value was known at its tick, every
        place exists by then, and everything stands in the order of the ticks.
        """
        try:
            fault = self._fault() or self._gap(now, contracts)
        except ValueError as odd:
            fault = str(odd)
        if fault is not None:
            raise LawBroken(f"a stretch of ticks contradicts itself: {fault}")

    def _fault(self) -> str | None:
        """What contradicts what; None for nothing. Raises ValueError for bytes that are no columns."""
        instants, spots, listed = self.at, self._spot_rows(), np.frombuffer(self.listed_in, _PLACE)
        ticks, rows, quotes = self.quoted()
        if not len(instants) or (np.diff(instants) <= 0).any():
            return "its instants do not ascend"
        if not len(ticks) == len(rows) == len(quotes) or len(listed) != len(self.listed):
            return "its columns differ in length"
        for places in (ticks, spots[:, 0], listed.astype(np.int64)):
            if len(places) and (places[0] < 0 or places[-1] >= len(instants) or (np.diff(places) < 0).any()):
                return "its values do not stand in the order of its ticks"
        if len(set(self.symbols)) != len(self.symbols):
            return "a symbol is named twice"
        if len(spots) and not (spots[:, 1].min() >= 0 and spots[:, 1].max() < len(self.symbols)):
            return "a price is nobody's"
        if (quotes[:, QUOTE.index("at")] > instants[ticks]).any() or (spots[:, 3] > instants[spots[:, 0]]).any():
            return "it holds a value from after it was seen"
        return None

    def _gap(self, now: int, contracts: int) -> str | None:
        """What of it does not follow; None for nothing."""
        ticks, rows, _ = self.quoted()
        if self.begin < now:
            return "it begins before what was seen already"
        if (rows >= contracts + np.searchsorted(np.frombuffer(self.listed_in, _PLACE), ticks, "right")).any():
            return "it quotes a contract that no tick has listed"
        return None

    def __len__(self) -> int:
        """How many ticks."""
        return len(self.instants) // _VALUE.itemsize

    @property
    def at(self) -> Ints:
        """The instant of each tick."""
        return np.frombuffer(self.instants, _VALUE)

    @property
    def begin(self) -> int:
        """The instant of the first tick."""
        return int(self.at[0])

    @property
    def last(self) -> int:
        """The instant of the last tick."""
        return int(self.at[-1])

    def quoted(self) -> tuple[Ints, Ints, Table]:
        """(tick, row of the contract table, quote) of each quote, in their order."""
        ticks, rows = np.frombuffer(self.ticks, _PLACE), np.frombuffer(self.rows, _PLACE)
        quotes = MarketColumns(self.source, rows=self.rows, quotes=self.quotes).table()
        return ticks.astype(np.int64), rows.astype(np.int64), quotes

    def together(self) -> MarketColumns:
        """Everything as if one tick had observed it: the newest spots, and of several quotes of a contract the newest last."""
        newest = {symbol: Spot(self.symbols[symbol], price, at) for _, symbol, price, at in self._spot_rows().tolist()}
        return MarketColumns(self.source, tuple(newest.values()), (), self.listed, self.rows, self.quotes)

    def first(self, count: int) -> "Stretch":
        """The first ticks of it, so many."""
        if count >= len(self):
            return self
        quotes = _before(self.ticks, _PLACE, count)
        listed = _before(self.listed_in, _PLACE, count)
        spots = int(np.searchsorted(self._spot_rows()[:, 0], count))
        return Stretch(
            source=self.source,
            instants=self.instants[: count * _VALUE.itemsize],
            symbols=self.symbols,
            spots=self.spots[: spots * _SPOT_BYTES],
            listed=self.listed[:listed],
            listed_in=self.listed_in[: listed * _PLACE.itemsize],
            ticks=self.ticks[: quotes * _PLACE.itemsize],
            rows=self.rows[: quotes * _PLACE.itemsize],
            quotes=self.quotes[: quotes * QUOTE_BYTES],
        )

    def unrolled(self) -> Iterator[tuple[int, MarketColumns | None]]:
        """(instant, what it observed) of each tick, as it would have stood in a record of its own."""
        spots = [
            (tick, Spot(self.symbols[symbol], price, at)) for tick, symbol, price, at in self._spot_rows().tolist()
        ]
        seen = left = said = 0
        for tick, instant in enumerate(self.at.tolist()):
            end, named = _before(self.ticks, _PLACE, tick + 1), _before(self.listed_in, _PLACE, tick + 1)
            told = said
            while told < len(spots) and spots[told][0] == tick:
                told += 1
            observed = None
            if end > seen or told > said:
                observed = MarketColumns(
                    source=self.source,
                    spots=tuple(spot for _, spot in spots[said:told]),
                    listed=self.listed[left:named],
                    rows=self.rows[seen * _PLACE.itemsize : end * _PLACE.itemsize],
                    quotes=self.quotes[seen * QUOTE_BYTES : end * QUOTE_BYTES],
                )
            seen, left, said = end, named, told
            yield instant, observed

    def _spot_rows(self) -> Table:
        return np.frombuffer(self.spots, _VALUE).reshape(-1, len(SPOT))


def _before(places: bytes, kind: np.dtype[np.uint32], tick: int) -> int:
    """How many of these places, which ascend, lie before a tick."""
    return int(np.searchsorted(np.frombuffer(places, kind), tick))
