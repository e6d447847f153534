"""How many contracts: one place, one rounding, one cap, judged at the worst price that may be paid."""

from enum import StrEnum

import msgspec

from state.money import BASIS_POINTS, MULTIPLIER, Count, Pct


class SizingMode(StrEnum):
    """Where the base quantity comes from."""

    FIXED = "fixed"
    PERCENT_EQUITY = "percent_equity"


class SizingLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`base_contracts` in mode fixed, `equity_pct` in mode percent_equity; `contracts_max` caps both."""

    mode: SizingMode = SizingMode.FIXED
    base_contracts: Count = 1
    equity_pct: Pct = 1_000
    contracts_max: Count = 10


def scaled(base: int, factors_bp: tuple[int, ...], cap: int) -> int:
    """`base` times every factor (basis points), floored once, capped at `cap`; 0 means no trade.

    10 x 1.25 x 0.8 is 10: one rounding, after all factors.
    """
    product, unit = base, 1
    for factor in factors_bp:
        product *= factor
        unit *= BASIS_POINTS
    return min(cap, product // unit)


def contracts(limits: SizingLimits, *, equity: int, limit_price: int, commission: int) -> int:
    """Contracts to buy at most at `limit_price` per share plus `commission` per contract (micro-dollars); 0: none."""
    match limits.mode:
        case SizingMode.FIXED:
            base = limits.base_contracts
        case SizingMode.PERCENT_EQUITY:
            budget = max(0, equity) * limits.equity_pct // BASIS_POINTS
            base = budget // (limit_price * MULTIPLIER + commission)
    return scaled(base, (), limits.contracts_max)
