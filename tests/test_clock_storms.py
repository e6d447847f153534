"""Clocks that jump, stand, drift and start wrong, over the odd days of many years: time never falls and no session is missed.

A failure names its seed; `CLOCK_SEED=<seed> .venv/bin/pytest tests/test_clock_storms.py -k 0-crooked` runs that storm again,
and CLOCK_SEEDS raises the number of storms of each kind.
"""

import csv
import os
from collections import Counter
from datetime import date, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from oracle import sessions
from oracle.pricing import EXPIRY_FLOOR_NS, YEAR_NS
from oracle.stored import verify_directory
from state.contract import Contract, Right
from state.facts import OrderCreated
from state.order import Intent
from tests import bells
from tests.bells import SECOND
from tests.clock_laws import Laws, Wakes
from tests.clock_scripts import WINDOWS, Weather, weather
from tests.clocks import INTERVAL_S, Act, Desk, Life, bodies_of, lived
from tests.daemons import SMALL

SEEDS = int(os.environ.get("CLOCK_SEEDS", "6"))
SHARDS = 2
CHOSEN = os.environ.get("CLOCK_SEED")
HOUR_S = 3_600.0
MET = {
    False: ("filled to open", "filled to close", "settled at the close"),
    True: ("filled to open", "filled to close", "jumps", "fell behind"),
}
"""What the storms of each kind must meet, or they prove little."""


def blown(tmp_path: Path, seed: int, drawn: Weather, patch: pytest.MonkeyPatch) -> Path:
    """The data directory of a storm, newly lived through; nothing in it was priced beyond its expiry."""
    tmp_path.mkdir(parents=True)
    (tmp_path / "config.toml").write_text(drawn.config, "utf-8")
    desk = Desk(tmp_path / "desk", tmp_path / "config.toml", drawn.begins, seed)
    assert lived(desk, drawn.lives, patch) >= EXPIRY_FLOOR_NS / YEAR_NS
    return desk.data


def judged(tmp_path: Path, seed: int, *, crooked: bool, patch: pytest.MonkeyPatch) -> Counter[str]:
    """What a storm met. Its records obey, are decided alike by `verify`, and come again byte for byte."""
    drawn = weather(seed, crooked=crooked)
    data = blown(tmp_path / f"{seed}", seed, drawn, patch)
    records, laws = bodies_of(data), Laws()
    take = laws.take if crooked else Wakes(laws).take
    for body in records:
        take(body)
    laws.end()
    assert verify_directory(data, any_version=True)["judged"] == len(records)
    again = bodies_of(blown(tmp_path / f"{seed}-again", seed, drawn, patch))
    assert again == records, "the same storm led to other records"
    return laws.tally + Counter(records=len(records), lives=len(drawn.lives))


@pytest.mark.parametrize("crooked", [False, True], ids=["calm", "crooked"])
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_storm_of_clocks_breaks_no_law(
    tmp_path: Path, shard: int, crooked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the clock does, no order outside its session, no settlement before its time, each date once."""
    seeds = range(shard, SEEDS, SHARDS) if CHOSEN is None else [int(CHOSEN)]
    met: Counter[str] = Counter()
    for seed in seeds:
        try:
            met += judged(tmp_path, seed, crooked=crooked, patch=monkeypatch)
        except BaseException as failure:
            kind = "crooked" if crooked else "calm"
            command = f"CLOCK_SEED={seed} .venv/bin/pytest tests/test_clock_storms.py -k '0-{kind}'"
            name = list(WINDOWS)[seed % len(WINDOWS)]
            raise AssertionError(f"storm {seed}, {name}: {failure!r}; again: {command}") from failure
    print(f"{len(seeds)} storms: {dict(met)}")
    assert CHOSEN is not None or all(met[one] for one in MET[crooked]), met


# -- single winds -------------------------------------------------------------------------------------------------------


AN_HOUR = f"""{SMALL}
[pace]
interval_s = {INTERVAL_S}
[orders]
entry_timeout_s = 900
limit_offset_usd = 50
drift_pct_max = 1000
[profiles.short_dated]
profit_target_pct = 10000
stop_loss_pct = 99
hold_hours_max = 1
"""
"""Entries that fill, and exits an hour later."""


@pytest.mark.parametrize("by_s", [3.0, -3.0, 86_400.0, -86_400.0])
def test_exits_go_on_while_the_clock_is_not_believed(
    tmp_path: Path, by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held leaves at its time and is sold by its broker; nothing is opened until the clock agrees again."""
    look = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
    script = (
        Act(60.0, "alert", (look,)),
        Act(900.0, "jump", (by_s,)),
        Act(1.0, "alert", (look.replace("5m", "1h"),)),
        Act(2 * HOUR_S, "jump", (-by_s,)),
        Act(1.0, "alert", (look.replace("5m", "15m"),)),
        Act(900.0, "nothing"),
    )
    drawn = Weather("", bells.instant(date(2026, 3, 9), time(10)), AN_HOUR, (Life(script),))
    laws, orders = Laws(), []
    for body in bodies_of(blown(tmp_path / "x", 7, drawn, monkeypatch)):
        facts = laws.take(body).facts
        halted = "clock_jumped" in laws.portfolio.halts
        orders += [(one.order.intent, halted) for one in facts if isinstance(one, OrderCreated)]
    assert orders[:3] == [(Intent.OPEN, False), (Intent.CLOSE, True), (Intent.OPEN, False)]
    assert laws.tally["filled while halted"] == 1


@pytest.mark.parametrize("by_s", [-1_800.0, -3 * HOUR_S, -86_400.0])
@pytest.mark.parametrize("restarted", [False, True], ids=["confirmed", "at the start"])
def test_a_clock_set_back_keeps_no_exit_waiting(
    tmp_path: Path, by_s: float, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says that it is right, or starts with it, can leave at once all the same; the heart is watched for that."""
    look = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
    bought = (Act(60.0, "alert", (look,)), Act(900.0, "nothing"))
    leaves = (Act(1.0, "ask", ("close", "all")), Act(30.0, "alert", (look.replace("5m", "1h"),)), Act(900.0, "nothing"))
    lives = (
        (Life(bought), Life(leaves, set_s=by_s))
        if restarted
        else (Life((*bought, Act(1.0, "jump", (by_s,)), Act(10.0, "ask", ("resume",)), *leaves)),)
    )
    drawn = Weather("", bells.instant(date(2026, 3, 9), time(10)), AN_HOUR, lives)
    laws = Laws()
    for body in bodies_of(blown(tmp_path / "x", 7, drawn, monkeypatch)):
        laws.take(body)
    told = (laws.tally["fell behind"], laws.tally["filled to close"], "clock_behind" in laws.portfolio.halts)
    assert told == (1, 1, True)


# -- the exchange's own days --------------------------------------------------------------------------------------------


def published(data_dir: Path) -> list[dict[str, str]]:
    """Every session that is published, with its hours in New York."""
    path = data_dir / "calendars" / "xnys_sessions_2015_2027_exchange_calendars.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_every_published_session_begins_and_ends_to_the_nanosecond(data_dir: Path) -> None:
    """Phases, dates, opens and last trades round the bells of each, as clocks in New York show them."""
    rows = published(data_dir)
    calendar = sessions.build(date(2014, 12, 1), date(2028, 1, 31))
    following = [bells.instant(date.fromisoformat(row["date"]), time(9, 30)) for row in rows[1:]]
    assert len(rows) > 2_000
    for row, after in zip(rows, [*following, 0], strict=True):
        day = date.fromisoformat(row["date"])
        opens, closes = (bells.instant(day, time.fromisoformat(row[f"{one}_et"])) for one in ("open", "close"))
        assert bells.bells(day) == (day, opens, closes)
        four, eight = bells.instant(day, time(4)), bells.instant(day, time(20))
        bounds = (four, opens, closes, eight)
        told = [(calendar.phase(one - 1).value, calendar.phase(one).value) for one in bounds]
        assert told == [("closed", "eth"), ("eth", "rth"), ("rth", "eth"), ("eth", "closed")], day
        midnight = bells.instant(day, time(0))
        assert (calendar.day_of(midnight - 1), calendar.day_of(midnight)) == (day - bells.DAY, day)
        assert calendar.next_open(opens - 1) == opens
        if after and date.fromisoformat(row["date"]).year == bells.date_of(after).year:
            assert calendar.next_open(opens) == after


def test_every_expiry_of_many_years_is_the_one_of_the_rules() -> None:
    """Every date, weekends and holidays included, for roots that settle in the morning, at the close, early and late."""
    calendar = sessions.build(date(2014, 12, 1), date(2028, 1, 31))
    day = date(2015, 1, 1)
    while day < date(2028, 1, 1):
        for root in ("SPX", "SPXW", "SPY", "AAPL"):
            one = Contract(root, day, Right.CALL, 100_000_000)
            assert calendar.expiry_instant(one) == bells.expires_at(one), one
            assert calendar.last_trade_at(one) == bells.last_trade_at(one), one
            assert calendar.trading_close(one, day) == bells.stops_at(one, day), one
        day += bells.DAY


@pytest.mark.parametrize("year", range(2015, 2028))
def test_clocks_change_twice_a_year(year: int) -> None:
    """The opening bell is an hour earlier or later in UTC after each change, and no date is longer or shorter but two."""
    calendar = sessions.build(date(year, 1, 1), date(year, 12, 31))
    lengths = [(after - before) // (3_600 * SECOND) for before, after in pairwise(calendar.midnights)]
    odd = {calendar.first + timedelta(days=at): hours for at, hours in enumerate(lengths) if hours != 24}
    assert sorted(odd.values()) == [23, 25]
    for sunday, hours in odd.items():
        friday, monday = calendar.session_on(sunday - 2 * bells.DAY), calendar.session_on(sunday + bells.DAY)
        assert friday is not None
        assert monday is not None
        assert monday.open - friday.open == (72 + hours - 24) * 3_600 * SECOND
