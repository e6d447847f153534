"""Milliseconds of one cycle over many open positions: take in, mark and screen; with the decisions; with the plan.

Run `python benchmarks/bench_tick.py [profile]` from the root of the repository; `profile` adds where 10,000 go.
"""

import cProfile
import pstats
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from msgspec.structs import replace

from oracle import sessions
from oracle.loop import Loop
from rules import due, exits, wants
from rules.settings import Settings
from state.applying import apply
from state.contract import Contract, Right
from state.facts import NounsRetired, PositionOpened
from state.frames import encode_content
from state.inputs import CalendarAdopted, ConfigAdopted, TickReached
from state.market import ASK_PRESENT, FED, QUOTE, MarketColumns
from state.portfolio import Portfolio
from state.position import ExitTerms, Position

SIZES = (10, 1_000, 10_000)
START = 1_770_994_800_000_000_000  # 2026-02-13 10:00 in New York
SECOND = 1_000_000_000
PRICE = 3_000_000
MOVED = 100
ROUNDS = 5
ROUND_S_MIN = 0.1
TERMS = ExitTerms("short_dated", 5_000, 5_000, None, None, None, None)
SETTINGS = Settings()


class Sink:
    """Counts records and their bytes, and keeps none."""

    def __init__(self) -> None:
        self.lsn = self.bytes = 0

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Number a record, and encode its body as a journal would."""
        self.lsn, self.bytes = self.lsn + 1, len(encode_content(seen_at, kind, schema=schema, payload=payload))
        return self.lsn


def contract(number: int) -> Contract:
    """One of many contracts: a hundred strikes each of a hundred underlyings."""
    letters = chr(65 + number // 100 % 26) + chr(65 + number // 2_600)
    return Contract(f"X{letters}", date(2026, 2, 27), Right.CALL, (100 + number % 100) * 1_000_000)


def observed(at: int, rows: np.ndarray, listed: tuple[str, ...] = ()) -> MarketColumns:
    """Quotes of these rows, all of them one cent around one price."""
    quotes = np.zeros((len(rows), len(QUOTE)), "<i8")
    quotes[:, :FED] = at, PRICE - 10_000, PRICE + 10_000, 0, 0, ASK_PRESENT
    return MarketColumns("bench", listed=listed, rows=rows.astype("<i4").tobytes(), quotes=quotes.tobytes())


def position(number: int) -> Position:
    """An open position that leaves at half or one and a half of what it cost, and so never here."""
    one = f"{number + 1:06d}"
    cost = PRICE * 100
    target, stop = TERMS.levels(cost, 1)
    return Position(
        id=f"pos-{one}",
        signal_id=f"sig-{one}",
        order_id=f"ord-{one}",
        book="paper",
        is_test=False,
        source="bench",
        engine="A",
        contract=contract(number),
        direction="long",
        terms=TERMS,
        opened_at=START,
        quantity=1,
        quantity_open=1,
        cost=cost,
        cost_open=cost,
        commission=700_000,
        commission_open=700_000,
        target=target,
        stop=stop,
        hold_until=None,
        initial_risk=cost // 2,
        market_source="bench",
    )


class Desk:
    """A loop that holds so many positions, each of a contract of its own, and a second that goes on."""

    def __init__(self, count: int) -> None:
        self.sink = Sink()
        self.loop = Loop(Portfolio(), self.sink, settings_of=lambda _: SETTINGS)
        self.portfolio = self.loop.portfolio
        self.loop.take(ConfigAdopted(b"{}", "bench", 100_000_000_000_000), at=START)
        self.loop.take(CalendarAdopted(sessions.build(date(2026, 2, 1), date(2026, 4, 1))), at=START)
        every = np.arange(count)
        listed = tuple(contract(one).occ for one in range(count))
        self.loop.take(TickReached(observed(START, every, listed)), at=START)
        for number in range(count):
            apply(self.portfolio, PositionOpened(position(number)))
        self.portfolio.check()
        apply(self.portfolio, NounsRetired(date(2026, 2, 13), (), (), (), START))
        self.every, self.some = observed(START, every), observed(START, every[:MOVED])
        self.at = START

    def _next(self, seen: MarketColumns) -> TickReached:
        """The same quotes a second later; only their instants are written anew."""
        self.at += SECOND
        quotes = seen.table().copy()
        quotes[:, 0] = self.at
        return TickReached(replace(seen, quotes=quotes.tobytes()))

    def screened(self, seen: MarketColumns) -> None:
        """Take in what a tick saw, mark, and ask which positions are due to leave."""
        told = self._next(seen)
        self.sink.lsn += 1
        self.portfolio.take_in(told, lsn=self.sink.lsn, seen_at=self.at)
        if exits.due(self.portfolio, SETTINGS):
            raise SystemExit("a position is due that should stay")

    def cycled(self, seen: MarketColumns) -> None:
        """The same with every stage of the decision, the laws, and the record encoded."""
        self.loop.take(self._next(seen), at=self.at)

    def planned(self) -> None:
        """What a cycle asks besides: what to observe, and when the next one is due."""
        wants.plan(self.portfolio, SETTINGS.wants, SETTINGS.profiles.entry_dte(), now=self.at)
        due.next_at(self.portfolio, SETTINGS)


def best_ms(act: Callable[[], object]) -> float:
    """Milliseconds of one call: best of several rounds."""
    start = time.perf_counter()
    act()
    repeats = max(1, int(ROUND_S_MIN / (time.perf_counter() - start)))
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(repeats):
            act()
        best = min(best, (time.perf_counter() - start) / repeats)
    return best * 1e3


def measured(desk: Desk) -> dict[str, tuple[float, int]]:
    """Milliseconds and record bytes of every act."""
    acts: dict[str, Callable[[], None]] = {
        "take in, mark, screen": lambda: desk.screened(desk.every),
        "  with decide, check, encode": lambda: desk.cycled(desk.every),
        f"take in, mark, screen; {MOVED} moved": lambda: desk.screened(desk.some),
        "  with decide, check, encode; same": lambda: desk.cycled(desk.some),
        "plan and next due instant": desk.planned,
    }
    found = {}
    for name, act in acts.items():
        desk.sink.bytes = 0
        found[name] = (best_ms(act), desk.sink.bytes)
    return found


def profiled(count: int) -> None:
    """Print where the whole cycle spends its time."""
    desk = Desk(count)
    for title, act in (("cycle", lambda: desk.cycled(desk.every)), ("plan", desk.planned)):
        profile = cProfile.Profile()
        for _ in range(30):
            profile.runcall(act)
        print(f"\n{title} of {count:,} positions, 30 times")
        pstats.Stats(profile).sort_stats("tottime").print_stats(12)


def main() -> None:
    """Print one table."""
    print(f"{'positions':>10}  {'act':<38} {'ms':>9} {'ns/position':>12} {'record bytes':>13}")
    for count in SIZES:
        for name, (milliseconds, size) in measured(Desk(count)).items():
            print(
                f"{count:>10,}  {name:<38} {milliseconds:>9.3f} {milliseconds * 1e6 / count:>12,.0f} {size or '':>13}"
            )
    if "profile" in sys.argv[1:]:
        profiled(SIZES[-1])


if __name__ == "__main__":
    main()
