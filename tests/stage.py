"""A stage for tests of the rules: a real loop over a real portfolio, with quotes put before it by hand.

>>> stage = Stage("2026-02-13")
>>> stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
>>> stage.tick("10:30:00", "SPY 595.42", "SPY260220C00596000 3.43 3.47")
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from oracle import sessions
from oracle.broker.paper import PaperBroker
from oracle.loop import Loop
from rules.fills import FillModel, FillSettings
from rules.settings import Settings
from rules.sizing import SizingLimits
from state import keeping, money
from state.calendar import Calendar
from state.facts import AnyFact, Fact, OrderFilled
from state.inputs import (
    AlertReceived,
    AnyInput,
    Ask,
    BrokerReported,
    CalendarAdopted,
    ConfigAdopted,
    OperatorAsked,
    ReportKind,
    TickReached,
)
from state.market import ASK_PRESENT, QUOTE, SIZES_KNOWN, MarketColumns, SettlementPrint, Spot
from state.portfolio import Portfolio
from state.position import Position
from state.record import Record, decode

NEW_YORK = ZoneInfo("America/New_York")
SECOND = 1_000_000_000
CASH = 50_000 * money.MICROS_PER_USD
SPY_CALL = "SPY260220C00596000"

FREE = FillSettings(model=FillModel.MID, commission_per_contract_usd=0, round_to_tick=False)
"""Fills at the mid without commission or tick rounding: the figures of a test are those of its quotes."""

TRACE = Settings(sizing=SizingLimits(base_contracts=9), fills=FREE)
"""The settings of the published trace, with its quantity."""

Noun = TypeVar("Noun", bound=Fact)


def usd(amount: str) -> int:
    """Micro-dollars of an amount in dollars."""
    return money.parse(amount)


def later(clock: str, seconds: float) -> str:
    """A clock time of the same date, some seconds later."""
    moment = datetime.strptime(clock, "%H:%M:%S") + timedelta(seconds=seconds)
    return moment.strftime("%H:%M:%S.%f")


@cache
def calendar_around(day: date) -> Calendar:
    """The real calendar from ten days before a date to half a year after it."""
    return sessions.build(day - timedelta(days=10), day + timedelta(days=190))


def instant(day: str, clock: str) -> int:
    """Nanoseconds UTC of a New York date and clock time, e.g. ("2026-02-13", "10:30:00.5")."""
    fraction = "%H:%M:%S.%f" if "." in clock else "%H:%M:%S"
    local = datetime.strptime(f"{day} {clock}", f"%Y-%m-%d {fraction}").replace(tzinfo=NEW_YORK)
    return int(local.timestamp()) * SECOND + local.microsecond * 1000


class Kept:
    """A sink that keeps encoded records in memory, so that a test can decode them again."""

    def __init__(self) -> None:
        self.payloads: list[tuple[int, int, bytes]] = []

    def submit(self, seen_at: int, kind: str, *, schema: int, payload: bytes) -> int:
        """Keep a record and number it."""
        self.payloads.append((seen_at, schema, payload))
        return len(self.payloads)


class Stage:
    """A loop on a New York date, with settings given by the test. Set `day` to go on with a later date."""

    def __init__(self, day: str, settings: Settings | None = None, *, source: str = "recorded") -> None:
        self.day, self.source = day, source
        self.settings = settings or Settings()
        self.kept = Kept()
        self.broker = True
        self.loop = Loop(Portfolio(), self.kept, settings_of=lambda _: self.settings)
        start = instant(day, "00:00:01")
        self.records: list[Record] = []
        self.take(ConfigAdopted(b"{}", "test", CASH), at=start)
        self.take(CalendarAdopted(calendar_around(date.fromisoformat(day))), at=start)

    @property
    def portfolio(self) -> Portfolio:
        """The portfolio on stage."""
        return self.loop.portfolio

    @property
    def facts(self) -> list[AnyFact]:
        """All facts so far, in order."""
        return [fact for record in self.records for fact in record.facts]

    def of(self, kind: type[Noun]) -> list[Noun]:
        """All facts of one kind so far, in order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def last(self, kind: type[Noun]) -> Noun:
        """The newest fact of a kind."""
        return self.of(kind)[-1]

    def digest(self) -> str:
        """The digest of the portfolio as it stands."""
        return keeping.digest(self.portfolio)

    def take(self, told: AnyInput, *, at: int) -> tuple[AnyFact, ...]:
        """Hand one input to the loop; what was journaled decodes to what was decided."""
        record = self.loop.take(told, at=at)
        _, schema, payload = self.kept.payloads[-1]
        assert decode(payload, schema) == record
        self.records.append(record)
        return record.facts

    def alert(self, clock: str, body: str | None = None, source: str = "webhook", **fields: Any) -> tuple[AnyFact, ...]:
        """Receive an alert, its body given as text or as fields."""
        text = body if body is not None else msgspec.json.encode(fields).decode()
        return self.take(AlertReceived(text, source), at=instant(self.day, clock))

    def ask_close(self, clock: str, target: str = "all", words: str = "test") -> tuple[AnyFact, ...]:
        """Ask to close, as an operator."""
        return self.take(OperatorAsked(target, words), at=instant(self.day, clock))

    def ask(self, clock: str, ask: Ask, about: str = "", words: str = "test") -> tuple[AnyFact, ...]:
        """Ask for anything else, as an operator."""
        return self.take(OperatorAsked(about, words, ask), at=instant(self.day, clock))

    def report(self, clock: str, order_id: str, kind: ReportKind, **said: Any) -> tuple[AnyFact, ...]:
        """Let a broker report on an order, under the number that is next."""
        number = self.portfolio.order_of(order_id).reports + 1
        return self.take(BrokerReported(order_id, number, kind, **said), at=instant(self.day, clock))

    def buy(
        self, clock: str, spot: str = "SPY 595.42", quote: str = f"{SPY_CALL} 3.43 3.47", **fields: Any
    ) -> Position:
        """Alert, decide and fill a second later, all on one quote; the position the last fill opened or grew."""
        symbol, right = spot.split(maxsplit=1)[0], quote.split(maxsplit=1)[0][-9]
        said = {"symbol": symbol, "direction": "long" if right == "C" else "short", "timeframe": "5m"} | fields
        self.alert(clock, **said)
        self.tick(clock, spot, quote)
        self.tick(later(clock, 1), spot, quote)
        return self.portfolio.positions[self.last(OrderFilled).fill.position_id]

    def tick(self, clock: str, *lines: str, settlements: tuple[SettlementPrint, ...] = ()) -> tuple[AnyFact, ...]:
        """One cycle that observes `SYMBOL price` and `OCC bid ask [bid_size ask_size]` lines; `-` is a missing side.

        The paper broker answers in the same instant, as it does behind a real feed, unless `broker` is switched off.
        Returns all facts of the cycle.
        """
        at = instant(self.day, clock)
        facts = list(self.take(TickReached(self.columns(at, lines, settlements)), at=at))
        while self.broker and (report := PaperBroker(self.loop).next_report()) is not None:
            facts.extend(self.take(report, at=at))
        return tuple(facts)

    def columns(self, at: int, lines: Iterable[str], settlements: tuple[SettlementPrint, ...] = ()) -> MarketColumns:
        """What a tick would carry for some lines, as the observation makes it: new contracts are listed first."""
        spots: list[Spot] = []
        listed: list[str] = []
        rows: list[int] = []
        quotes: list[list[int]] = []
        for line in lines:
            name, *rest = line.split()
            if len(rest) == 1:
                spots.append(Spot(name, money.parse(rest[0]), at))
                continue
            view = self.portfolio.market
            if name not in view.rows and name not in listed:
                listed.append(name)
            rows.append(view.rows[name] if name in view.rows else len(view.contracts) + listed.index(name))
            quotes.append(self._quote(rest, at))
        row_bytes, quote_bytes = np.array(rows, "<i4").tobytes(), np.array(quotes, "<i8").tobytes()
        return MarketColumns(self.source, tuple(spots), settlements, tuple(listed), row_bytes, quote_bytes)

    @staticmethod
    def _quote(sides: list[str], at: int) -> list[int]:
        bid, ask = sides[0], sides[1]
        sized = len(sides) == 4
        one = dict.fromkeys(QUOTE, 0) | {"at": at, "bid": 0 if bid == "-" else money.parse(bid)}
        one["ask"] = 0 if ask == "-" else money.parse(ask)
        one["flags"] = (ASK_PRESENT if ask != "-" else 0) | (SIZES_KNOWN if sized else 0)
        if sized:
            one["bid_size"], one["ask_size"] = int(sides[2]), int(sides[3])
        return list(one.values())
