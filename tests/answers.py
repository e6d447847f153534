"""What a feed answers, by its names: the columns of an answer taken apart for tests to look at."""

from typing import NamedTuple

from oracle.market.port import Feed, Ints
from rules.wants import Plan
from state.calendar import Calendar
from state.market import FED, QUOTE, SettlementPrint, Spot


class Answer(NamedTuple):
    """An answer of a feed; the columns stand in the order of `contracts`."""

    source: str
    spots: tuple[Spot, ...]
    settlements: tuple[SettlementPrint, ...]
    missed: tuple[str, ...]
    contracts: tuple[str, ...]
    at: Ints
    bid: Ints
    ask: Ints
    bid_size: Ints
    ask_size: Ints
    flags: Ints

    @property
    def plain(self) -> list[object]:
        """The answer as values that compare."""
        return [part.tolist() if hasattr(part, "tolist") else part for part in self]


def answer(feed: Feed, plan: Plan, now: int, *, calendar: Calendar) -> Answer:
    """What a feed answers to a plan. Quotes are whole rows of integers, one for each contract."""
    raw = feed.observe(plan, now, calendar=calendar)
    assert (raw.quotes.dtype.name, raw.quotes.shape) == ("int64", (len(raw.codes), len(QUOTE)))
    contracts = tuple(feed.symbols[code] for code in raw.codes.tolist())
    return Answer(raw.source, raw.spots, raw.settlements, raw.missed, contracts, *raw.quotes[:, :FED].T)
