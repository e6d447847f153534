"""Minimum price increments of option classes, and adverse rounding to them."""

import msgspec

from state.order import Side

CENT = 10_000
_NICKEL = 5 * CENT
_DIME = 10 * CENT
_THREE_DOLLARS = 300 * CENT
_CENT_AT_ALL_PRICES = ("SPY", "QQQ", "IWM")


class TickRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`penny_roots` quote in 0.01 below 3.00 and 0.05 above; SPY, QQQ and IWM in 0.01; all others in 0.05 and 0.10."""

    penny_roots: tuple[str, ...] = (
        "AAPL", "AMD", "AMZN", "BAC", "DIA", "GOOG", "GOOGL", "IBM", "META", "MSFT", "NFLX", "NVDA", "TSLA", "XLF", "XLK",
    )  # fmt: skip

    def tick(self, root: str, price: int) -> int:
        """The increment of a class at a price, both in micro-dollars per share."""
        if root in _CENT_AT_ALL_PRICES:
            return CENT
        small, large = (CENT, _NICKEL) if root in self.penny_roots else (_NICKEL, _DIME)
        return small if price < _THREE_DOLLARS else large

    def adverse(self, root: str, price: int, side: Side) -> int:
        """The price rounded to its tick against the trader: up to buy, down to sell."""
        tick = self.tick(root, price)
        return -(-price // tick) * tick if side is Side.BUY else price // tick * tick
