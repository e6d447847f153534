"""The walk along a recorded market: which instants get a cycle, in what order, and that its pieces make the whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import config
from oracle.loop import Loop
from oracle.market.tape import Tape
from oracle.walk import Walk
from rules import fills, reports
from rules.settings import Settings
from state.facts import OrderEnded, OrderFilled, UnitFailed
from state.inputs import AlertReceived, BrokerReported, CalendarAdopted, OperatorAsked, TickReached
from state.portfolio import Portfolio
from state.record import Record
from tests.stage import Kept
from tests.tapes import calendar_of, new_york, tape
from tests.trades import CALL, DAY, MARKET

CALENDAR = CalendarAdopted(calendar_of("2026-02-02", "2026-06-30"))
LONG = AlertReceived('{"symbol": "SPY", "direction": "long", "timeframe": "5m"}', "rule")
SECOND = 1_000_000_000

OVERNIGHT = f"""
    08:00:00 SPY 594.00
    10:29:00 SPY 595.42
    10:29:00 {CALL} 3.43 3.47
    10:29:30 {CALL} 9.00 9.10
    16:10:00 {CALL} 3.43 3.47
    16:20:00 SPY 596.00
    18:00:00 SPY 596.50
    2026-02-14 12:00:00 SPY 597.00
    2026-02-17 08:00:00 SPY 598.00
    2026-02-17 09:31:00 SPY 598.50
"""
"""A Friday with rows before the open, in the late quarter of an hour and after it, a Saturday and the next Tuesday."""


class Journey(Walk):
    """A walk with a loop of its own that notes what it is told."""

    def __init__(self, market: Tape) -> None:
        self.kept = Kept()
        self.told: list[tuple[Record, int]] = []
        loop = Loop(Portfolio(), self.kept, settings_of=config.decode)
        super().__init__(loop, market, lambda record, seen_at: self.told.append((record, seen_at)))
        self.begin((config.adopted(config.load()), CALENDAR), at=new_york(DAY, "07:00:00"))

    def facts(self, kind: type) -> Iterator[object]:
        """The facts of one kind so far."""
        return (fact for record, _ in self.told for fact in record.facts if isinstance(fact, kind))


def at(clock: str, day: str = DAY) -> int:
    """An instant of the day."""
    return new_york(day, clock)


@pytest.fixture
def walk(tmp_path: Path) -> Journey:
    """A walk along the small day of `tests.trades`."""
    return Journey(Tape(tape(tmp_path, DAY, MARKET)))


def test_what_must_be_known_first_is_taken_in_without_a_cycle(walk: Journey) -> None:
    """Configuration and calendar, seen at the given instant."""
    assert [type(record.input).__name__ for record, _ in walk.told] == ["ConfigAdopted", "CalendarAdopted"]
    assert walk.portfolio.now == at("07:00:00")


def test_nothing_is_owed_while_nothing_is_wanted(walk: Journey) -> None:
    """A tape alone makes no cycle."""
    assert list(walk.until(at("23:00:00"))) == []


def test_an_arrival_gets_one_cycle_after_all_that_was_due_before_it(walk: Journey) -> None:
    """What arrives at one instant is taken in by its order, then judged together, once."""
    cycles = list(walk.arrive((LONG, OperatorAsked("all", "now")), at=at("10:30:00")))
    assert cycles == [at("10:30:00")]
    assert [type(record.input).__name__ for record, _ in walk.told[2:]] == [
        "AlertReceived",
        "OperatorAsked",
        "TickReached",
        "BrokerReported",
    ]
    later = list(walk.arrive((LONG,), at=at("10:33:30")))
    assert later == [at("10:30:01"), at("10:31:00"), at("10:32:00"), at("10:33:00"), at("10:33:30")]


def test_cycles_follow_the_tape_inside_sessions_only(tmp_path: Path) -> None:
    """No cycle before the open, after the late close, on a Saturday: the next is at the next session's rows."""
    walk = Journey(Tape(tape(tmp_path, DAY, OVERNIGHT)))
    list(walk.arrive((LONG,), at=at("10:29:00")))
    assert list(walk.until(at("20:00:00", "2026-02-17"))) == [
        at("10:29:01"),  # the first quote that could fill the order
        at("10:29:30"),  # the market left it: cancelled
        at("16:10:00"),
        at("09:31:00", "2026-02-17"),
    ]
    assert [fact.reason for fact in walk.facts(OrderEnded)] == ["price_drift_exceeded"]


def test_an_unfilled_entry_is_owed_the_cycle_that_ends_it(tmp_path: Path) -> None:
    """Its time is over a moment after `valid_until`, whether or not the tape has a row then."""
    rows = f"10:29:00 SPY 595.42\n10:29:00 {CALL} 3.43 3.47\n10:45:00 SPY 595.42\n"
    walk = Journey(Tape(tape(tmp_path, DAY, rows)))
    list(walk.arrive((LONG,), at=at("10:29:00")))
    assert list(walk.until(at("10:40:00"))) == [at("10:29:01"), at("10:30:00") + 1]
    assert [fact.reason for fact in walk.facts(OrderEnded)] == ["order_timeout"]


def test_the_broker_answers_in_the_cycle_that_observed(walk: Journey) -> None:
    """A fill stands at the instant of the row it filled on."""
    list(walk.arrive((LONG,), at=at("10:30:00")))
    list(walk.until(at("10:31:00")))
    assert [fact.fill.filled_at for fact in walk.facts(OrderFilled)] == [at("10:31:00")]


def test_no_tick_sees_a_row_from_later(walk: Journey) -> None:
    """Every value a tick carries was known when the tick was reached."""
    list(walk.arrive((LONG,), at=at("10:30:00")))
    list(walk.until(at("11:00:00")))
    ticks = [(record.input, seen_at) for record, seen_at in walk.told if isinstance(record.input, TickReached)]
    seen = [(spot.at, seen_at) for tick, seen_at in ticks if tick.seen for spot in tick.seen.spots]
    assert len(seen) >= 4
    assert all(known_at <= seen_at for known_at, seen_at in seen)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    """The small day, read once."""
    return Tape(tape(tmp_path_factory.mktemp("tape"), DAY, MARKET))


@settings(max_examples=25)
@given(stops=st.lists(st.integers(0, 1_200), max_size=12))
def test_the_pieces_make_the_whole(market: Tape, stops: list[int]) -> None:
    """Walked in steps, as a daemon waits for its clock, the same records come as in one go."""
    whole, pieces = Journey(market), Journey(market)
    for walk in (whole, pieces):
        list(walk.arrive((LONG,), at=at("10:30:00")))
    list(whole.until(at("10:50:00")))
    for stop in sorted(stops):
        list(pieces.until(at("10:30:00") + stop * SECOND))
    list(pieces.until(at("10:50:00")))
    assert pieces.kept.payloads == whole.kept.payloads


def test_a_report_nobody_understands_is_not_repeated_without_end(
    walk: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails once a cycle, says so, and is understood once the rule is mended."""

    def broken(*_: object) -> tuple[()]:
        raise ZeroDivisionError

    body = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
    with monkeypatch.context() as patch:
        patch.setattr(reports, "understand", broken)
        list(walk.arrive((AlertReceived(body, "test"),), at=at("10:30:00")))
        assert len(list(walk.facts(UnitFailed))) == 1
    list(walk.until(at("10:31:00")))
    assert walk.portfolio.orders["ord-000001"].reports > 0


def test_a_report_nobody_understands_stops_no_other_order(walk: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entries: the one whose report fails waits, the other is acknowledged in the same cycle."""
    understand = reports.understand

    def broken(portfolio: Portfolio, told: BrokerReported, settings: Settings) -> object:
        if told.order_id == "ord-000001":
            raise ZeroDivisionError
        return understand(portfolio, told, settings)

    monkeypatch.setattr(reports, "understand", broken)
    bodies = (f'{{"symbol": "SPY", "direction": "long", "timeframe": "{one}"}}' for one in ("5m", "15m"))
    list(walk.arrive(tuple(AlertReceived(body, "test") for body in bodies), at=at("10:30:00")))
    assert [walk.portfolio.orders[one].reports for one in ("ord-000001", "ord-000002")] == [0, 1]


def test_an_order_the_broker_cannot_judge_fails_alone(walk: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker's own rule raises for it: it ends failed with its signal, and the run goes on."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    body = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
    list(walk.arrive((AlertReceived(body, "test"),), at=at("10:30:00")))
    monkeypatch.setattr(fills, "trade", broken)
    list(walk.until(at("10:31:00")))
    assert [one.reason for one in walk.facts(OrderEnded)] == ["broker_failed"]  # type: ignore[attr-defined]
