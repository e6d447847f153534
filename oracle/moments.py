"""What a story is made of: the rows it is told from, its moments, and the phrases that all its parts use."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from oracle.narrate import clock
from state.reason import words

Row = dict[str, Any]

SIMULATED = "simulated"
"""The source of prices that nobody ever paid; whatever shows them says so."""

SIMULATED_PRICES = f"prices: {SIMULATED}"
"""The last line of whatever shows such prices."""


class Rank(IntEnum):
    """What follows from what at one instant."""

    RECEIVED = 0
    JUDGED = 1
    ORDERED = 2
    FILLED = 3
    HELD = 4
    ENDED = 5
    SCORED = 6
    LATER = 7


class Case(msgspec.Struct):
    """All rows that belong to one id's story."""

    events: list[Row] = []
    signals: list[Row] = []
    verdicts: list[Row] = []
    orders: list[Row] = []
    fills: list[Row] = []
    positions: list[Row] = []
    outcomes: list[Row] = []
    alerts: list[Row] = []
    failures: list[Row] = []


class Moment(NamedTuple):
    """What happened at one instant; `rank` orders those of the same instant."""

    at: int
    rank: Rank
    line: str
    details: Sequence[str] = ()


def simulated(row: Row) -> bool:
    """Whether a row holds prices of a simulated market, its own or those it was recommended on."""
    recommended = row.get("recommendation") or {}
    return SIMULATED in (row.get("market_source"), recommended.get("market_source"))


def because(code: str | None) -> str:
    """A code with its words, to be put behind what it explains; nothing without a code."""
    return f", {code}: {words(code)}" if code else ""


def of_signal(event: Row) -> str:
    """The signal an answered alert is about, if there is one."""
    return f" of {event['signal_id']}" if event["signal_id"] else ""


def ledger(row: Row) -> str:
    """The mark of what trades in the ledger of tests."""
    return " (test ledger, never counted)" if row["is_test"] else ""


def when(instant: int, beside: int) -> str:
    """An instant, without its date where that is the date of the moment it is told beside."""
    told = clock(instant)
    return told[11:] if told[:10] == clock(beside)[:10] else told
