"""Ticks that decide nothing: how many of a stretch may pass at once, as if each had been judged by itself."""

from typing import Final

import numpy as np

from rules import due
from rules.settings import Settings
from state.book import NEVER
from state.market import Ints, Sides
from state.portfolio import Portfolio
from state.stretch import Stretch

_LOWEST: Final = -1
"""Below every stop: nobody holds the contract."""


def until(portfolio: Portfolio, settings: Settings) -> int | None:
    """The instant up to which, not at which, a tick decides nothing as long as no position reaches a level of its own.

    None when the very next tick may decide: something is undecided, worked for, asked or over, a level is reached
    already, or the memory of this date was not put in order yet.
    """
    now, book = portfolio.now, portfolio.book
    busy = portfolio.undecided or portfolio.working or portfolio.asked
    if busy or portfolio.day is None or portfolio.retired_on != portfolio.day:
        return None
    if len(book):
        mark, dated = book.column("mark"), book.dated()
        reached = book.alive & ((mark <= book.column("stop")) | (mark >= book.column("target")))
        if (dated and dated[0] <= now) or reached.any():
            return None
    owed = due.next_at(portfolio, settings)
    return portfolio.day_ends if owed is None else min(owed, portfolio.day_ends)


def passing(portfolio: Portfolio, ticks: Stretch, settings: Settings) -> int:
    """How many ticks, from the first on, decide nothing on the portfolio as it stands before them; values may be missing.

    The ticks follow on the portfolio: see `Stretch.check`.
    """
    quiet_until = until(portfolio, settings)
    quiet = 0 if quiet_until is None else int(np.searchsorted(ticks.at, quiet_until))
    book = portfolio.book
    if not (quiet and len(book)):
        return quiet
    if ticks.listed and (book.alive & (book.column("market_row") < 0)).any():
        # What is listed may be held already, and is judged tick by tick until that is known.
        return 0
    tick, rows, quotes = ticks.quoted()
    stop, target = _levels(portfolio, len(portfolio.market.contracts) + len(ticks.listed))
    held, sides = stop[rows] > _LOWEST, Sides.of(quotes)
    reached = sides.marked & ((sides.mark <= stop[rows]) | (sides.mark >= target[rows]))
    # A lone ask caps what a position is worth: that is judged tick by tick.
    judged = tick[held & (reached | sides.offered)]
    return min(quiet, int(judged[0])) if len(judged) else quiet


def _levels(portfolio: Portfolio, contracts: int) -> tuple[Ints, Ints]:
    """(highest stop, lowest target) among the live positions of each contract, by its row."""
    book = portfolio.book
    held = (book.alive & (book.column("market_row") >= 0)).nonzero()[0]
    rows = book.column("market_row")[held]
    stop, target = np.full(contracts, _LOWEST, np.int64), np.full(contracts, NEVER, np.int64)
    np.maximum.at(stop, rows, book.column("stop")[held])
    np.minimum.at(target, rows, book.column("target")[held])
    return stop, target
