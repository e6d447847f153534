"""The outcome: how one closed position went. Simulated and test outcomes are told apart by `source`."""

from enum import StrEnum

import msgspec

from state.contract import Contract


class OutcomeSource(StrEnum):
    """Where an outcome comes from: only `live` ones count in statistics of live trading."""

    LIVE = "live"
    SIMULATION = "simulation"
    TEST = "test"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The score of one closed position. Money in micro-dollars, percent and R in basis points (R 1.00 = 10000).

    `percent_bp` is net P&L over cost basis without commission; `r_bp` is net P&L over initial risk, None without risk.
    """

    id: str
    position_id: str
    signal_id: str | None
    book: str
    is_test: bool
    source: OutcomeSource
    engine: str
    profile: str
    symbol: str
    direction: str
    contract: Contract
    quantity: int
    cost: int
    proceeds: int
    commission: int
    gross: int
    net: int
    percent_bp: int
    r_bp: int | None
    reasons: tuple[str, ...]
    opened_at: int
    closed_at: int
    duration_s: int
