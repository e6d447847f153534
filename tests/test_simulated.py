"""The simulated market as a feed: the same answer to the same question, no look ahead, quotes that make sense together."""

import hashlib
import subprocess
import sys
from datetime import date, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import pricing
from oracle.broker.paper import PaperBroker
from oracle.market.paths import GRID_NS, Course
from oracle.market.simulated import SimulatedMarket
from oracle.market.smile import Mood, volatility
from oracle.market.underlyings import underlying
from oracle.observe import Observer
from oracle.pricing import Terms
from rules import wants
from rules.ticks import TickRules
from rules.wants import ChainSlice, Plan, SettlementWanted
from state import contract as contracts
from state.contract import Contract, Right
from state.errors import LawBroken
from state.facts import OrderFilled, SignalApproved
from state.market import ASK_PRESENT, SIZES_KNOWN, UNIT, Spot
from state.order import Side
from tests.answers import Answer, answer
from tests.conftest import ROOT
from tests.stage import Stage
from tests.tapes import calendar_of, new_york, opened

DAY = "2026-02-13"
FIRST = date(2026, 2, 9)
CALENDAR = calendar_of("2026-02-02", "2026-12-31")
NOTHING = Plan((), (), (), ())
MARKET = SimulatedMarket(7, FIRST)
USD = 1_000_000


def at(clock: str, day: str = DAY) -> int:
    """An instant of the test day."""
    return new_york(day, clock)


def chain(symbol: str, first: str, last: str | None = None, *, each_side: int = 10) -> Plan:
    """A plan for one underlying and its chain."""
    bounds = date.fromisoformat(first), date.fromisoformat(last or first)
    return Plan((symbol,), (ChainSlice(symbol, *bounds, each_side),), (), ())


def asked(plan: Plan, now: int, *, of: SimulatedMarket = MARKET) -> Answer:
    """The answer to a plan."""
    return answer(of, plan, now, calendar=CALENDAR)


def plain(raw: Answer) -> list[object]:
    """An answer as values that compare."""
    return raw.plain[1:]


def closing(symbol: str, day: str, *, opening: bool = False) -> Plan:
    """A plan for one settlement print."""
    return Plan((), (), (), (SettlementWanted(symbol, date.fromisoformat(day), opening),))


TWO = Plan(
    ("SPY", "QQQ", "SPX"),
    tuple(
        ChainSlice(symbol, date(2026, 2, 13) + timedelta(days=first), date(2026, 2, 13) + timedelta(days=last), 5)
        for symbol in ("SPY", "QQQ")
        for first, last in ((5, 14), (30, 45))
    ),
    ("SPY260220C00550000", "SPX260220P06000000", "AAPL260220C00230000"),
    (SettlementWanted("SPX", date(2026, 2, 13), True), SettlementWanted("SPX", date(2026, 2, 12), False)),
)

# -- the promises of the port ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", ["00:00:01", "09:30:00", "10:30:03.25", "15:59:59", "16:00:00", "18:00:00"])
def test_a_simulated_market_keeps_the_promises_of_a_feed(clock: str) -> None:
    """Each contract once, columns of one length, nothing from the future, sides and sizes flagged."""
    now = at(clock)
    raw = asked(TWO, now)
    assert raw.source == "simulated"
    assert raw.missed == ()
    assert len(set(raw.contracts)) == len(raw.contracts) > 200
    assert all(contracts.parse(occ).occ == occ for occ in raw.contracts)
    assert set(TWO.contracts) <= set(raw.contracts)
    assert [one.symbol for one in raw.spots] == ["SPY", "QQQ", "SPX"]
    assert all(0 < one.at <= now and one.price > 0 for one in (*raw.spots, *raw.settlements))
    assert 0 < raw.at.min() <= raw.at.max() <= now
    assert set(raw.flags.tolist()) == {ASK_PRESENT | SIZES_KNOWN}


def test_nothing_asked_is_nothing_answered() -> None:
    """And what nobody lists is absent, without complaint."""
    assert plain(asked(NOTHING, at("10:30:00"))) == [(), (), (), (), [], [], [], [], [], []]
    odd = Plan(
        ("SPXW", "ES1!", "BRK.B"),
        (ChainSlice("ES1!", date(2026, 2, 13), date(2026, 3, 20), 5), *chain("VIX", DAY, "2026-06-30").slices),
        ("SPY260221C00600000", "SPY270115C00600000", "SPY260220C00600500", "VIX260218C00020000"),
        (SettlementWanted("ES1!", date(2026, 2, 12), False), SettlementWanted("SPX", date(2026, 2, 7), False)),
    )
    assert plain(asked(odd, at("10:30:00"))) == [(), (), (), (), [], [], [], [], [], []]


def test_an_instant_outside_the_calendar_breaks_a_law() -> None:
    """Which session it belongs to must be known."""
    with pytest.raises(LawBroken, match="adopt a longer one"):
        asked(NOTHING, at("10:00:00", "2027-05-03"))


# -- the same answer ------------------------------------------------------------------------------------------------


INSTANTS = st.integers(at("09:00:00", "2026-02-11"), at("18:00:00", "2026-02-18"))


@given(instants=st.lists(INSTANTS, min_size=2, max_size=6))
def test_the_order_of_questions_does_not_matter(instants: list[int]) -> None:
    """One market asked back and forth answers like one asked for the first time, and like itself later on."""
    plan = Plan(("SPY", "ZZTOP"), chain("SPY", "2026-02-20", each_side=3).slices, ("AAPL260220C00230000",), ())
    fresh = SimulatedMarket(7, FIRST)
    there = [plain(asked(plan, one, of=fresh)) for one in sorted(instants)]
    back = [plain(asked(plan, one)) for one in sorted(instants, reverse=True)]
    assert there == back[::-1]
    assert there == [plain(asked(plan, one, of=fresh)) for one in sorted(instants)]


def test_a_quote_does_not_depend_on_what_else_is_asked() -> None:
    """A contract by itself, within a slice and beside others is the same row."""
    now = at("11:11:11")
    whole = asked(TWO, now)
    for occ in (whole.contracts[3], whole.contracts[-40], *TWO.contracts):
        alone, row = asked(Plan((), (), (occ,), ()), now), whole.contracts.index(occ)
        assert alone.contracts == (occ,)
        for name in ("at", "bid", "ask", "bid_size", "ask_size"):
            assert getattr(alone, name)[0] == getattr(whole, name)[row]


def test_another_seed_is_another_market() -> None:
    """Another first date too: that is where prices start."""
    now = at("11:00:00")
    prices = {asked(TWO, now, of=one).spots[0].price for one in (MARKET, SimulatedMarket(8, FIRST))}
    prices.add(asked(TWO, now, of=SimulatedMarket(7, date(2026, 2, 12))).spots[0].price)
    assert len(prices) == 3


def test_a_longer_calendar_changes_no_price() -> None:
    """One that begins later or ends earlier only lists what it knows to be a session."""
    now, other = at("11:00:00"), calendar_of("2026-02-13", "2026-03-31")
    plan = msgspec.structs.replace(TWO, settlements=())
    market = SimulatedMarket(7, FIRST)
    answers = [answer(market, plan, now, calendar=calendar) for calendar in (CALENDAR, other, CALENDAR)]
    assert plain(answers[0]) == plain(answers[1]) == plain(answers[2])


PROBE = """
import hashlib, sys
from tests.test_simulated import TWO, asked, at, plain
answers = [plain(asked(TWO, at(clock))) for clock in ("16:05:00", "10:30:00", "09:30:00")]
sys.stdout.write(hashlib.sha256(repr(answers).encode()).hexdigest())
"""


def test_another_process_answers_alike() -> None:
    """Whatever the hash seed and the time zone: nothing but the question counts."""
    ran = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    answers = [plain(asked(TWO, at(clock))) for clock in ("16:05:00", "10:30:00", "09:30:00")]
    assert ran.stdout.decode() == hashlib.sha256(repr(answers).encode()).hexdigest()


# -- sessions -------------------------------------------------------------------------------------------------------


def test_before_its_first_session_the_market_knows_nothing() -> None:
    """A market that begins on a weekend or a holiday begins with the next session."""
    market = SimulatedMarket(7, date(2026, 2, 14))
    for clock, day in (("10:30:00", DAY), ("12:00:00", "2026-02-16"), ("09:29:59", "2026-02-17")):
        assert plain(asked(TWO, at(clock, day), of=market)) == [(), (), (), (), [], [], [], [], [], []]
    assert asked(TWO, at("09:30:00", "2026-02-17"), of=market).spots[0].at == at("09:30:00", "2026-02-17")
    assert asked(closing("SPX", DAY), at("10:00:00", "2026-02-17"), of=market).settlements == ()
    early = calendar_of(DAY, "2026-03-31")
    assert answer(MARKET, TWO, at("09:29:59"), calendar=early).spots == ()


def test_outside_a_session_the_last_quotes_stand() -> None:
    """Over the night, the weekend and a holiday they keep their instants, and nothing moves."""
    plan = Plan(("SPY", "AAPL"), chain("SPY", "2026-02-20").slices, ("AAPL260220C00230000",), ())
    last = plain(asked(plan, at("16:15:00")))
    assert asked(plan, at("16:15:00")).spots[0].at == at("16:15:00")
    assert asked(plan, at("16:15:00")).spots[1].at == at("16:00:00")
    for clock, day in (("23:00:00", DAY), ("12:00:00", "2026-02-15"), ("12:00:00", "2026-02-16")):
        assert plain(asked(plan, at(clock, day))) == last
    moved = asked(plan, at("09:30:00", "2026-02-17"))
    assert {*moved.at.tolist(), *(one.at for one in moved.spots)} == {at("09:30:00", "2026-02-17")}


def test_a_half_day_ends_early() -> None:
    """Options on shares stop at 13:00, those that trade late at 13:15, and the close settles."""
    day = "2026-11-27"
    plan = Plan(("SPY", "AAPL"), (), ("SPY261204C00600000", "AAPL261204C00230000"), closing("SPY", day).settlements)
    raw = asked(plan, at("20:00:00", day))
    assert [one.at for one in raw.spots] == [at("13:15:00", day), at("13:00:00", day)]
    assert sorted(raw.at.tolist()) == [at("12:59:55", day), at("13:14:55", day)]
    assert [one.at for one in raw.settlements] == [at("13:00:00", day)]
    assert asked(plan, at("12:59:59", day)).settlements == ()


def test_a_contract_is_quoted_until_it_settles() -> None:
    """SPXW and SPY to the close of their date, SPX to the open of its own, with the quote of the evening before."""
    plan = Plan((), (), ("SPXW260220C06000000", "SPX260220C06000000", "SPY260220C00600000"), ())

    def quoted(clock: str, day: str) -> dict[str, int]:
        raw = asked(plan, at(clock, day))
        return dict(zip((occ[:-15] for occ in raw.contracts), raw.at.tolist(), strict=True))

    evening = at("16:14:55", "2026-02-19")
    assert quoted("20:00:00", "2026-02-19") == dict.fromkeys(("SPXW", "SPX", "SPY"), evening)
    assert quoted("09:29:59", "2026-02-20") == dict.fromkeys(("SPXW", "SPX", "SPY"), evening)
    assert set(quoted("09:30:00", "2026-02-20")) == {"SPXW", "SPY"}
    assert set(quoted("15:59:59", "2026-02-20")) == {"SPXW", "SPY"}
    assert quoted("16:00:00", "2026-02-20") == {}


@pytest.mark.parametrize(("opening", "clock"), [(True, "09:30:00"), (False, "16:00:00")])
def test_a_print_settles_at_the_price_of_its_instant(clock: str, *, opening: bool) -> None:
    """Known from then on, for ever the same, and the same that the underlying showed."""
    plan = closing("SPX", "2026-02-12", opening=opening)
    struck = at(clock, "2026-02-12")
    assert asked(plan, struck - 1).settlements == ()
    (known,) = asked(plan, struck).settlements
    assert (known.symbol, known.day, known.opening, known.at) == ("SPX", date(2026, 2, 12), opening, struck)
    assert asked(Plan(("SPX",), (), (), ()), struck).spots == (Spot("SPX", known.price, struck),)
    assert asked(plan, at("12:00:00", "2026-06-01")).settlements == (known,)


# -- quotes that make sense together --------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["SPY", "SPX", "TSLA", "ZZTOP"])
@pytest.mark.parametrize("clock", ["09:30:00", "12:34:56", "15:59:59"])
def test_no_quote_is_crossed_and_all_stand_on_their_ticks(symbol: str, clock: str) -> None:
    """A bid below the ask, on the increments of the class; a side that is quoted has a size, a missing bid none."""
    raw = asked(chain(symbol, DAY, "2026-06-30", each_side=40), at(clock))
    assert np.all(raw.bid < raw.ask)
    assert np.all(raw.bid >= 0)
    assert np.all((raw.bid_size > 0) == (raw.bid > 0))
    assert np.all(raw.ask_size > 0)
    rules = TickRules()
    for occ, bid, ask in zip(raw.contracts, raw.bid.tolist(), raw.ask.tolist(), strict=True):
        root = contracts.parse(occ).root
        assert bid == rules.adverse(root, bid, Side.BUY)
        assert ask == rules.adverse(root, ask, Side.BUY)


def test_a_far_contract_has_no_bid() -> None:
    """On its last day a strike far out of the money is offered at a tick and wanted by nobody."""
    raw = asked(Plan((), (), ("SPY260213C00900000", "SPY260213P00300000"), ()), at("15:30:00"))
    assert (raw.bid.tolist(), raw.ask.tolist()) == ([0, 0], [10_000, 10_000])
    assert raw.bid_size.tolist() == [0, 0]


def by_terms(raw: Answer) -> dict[Contract, tuple[int, int]]:
    """(bid, ask) of each contract."""
    sides = zip(raw.bid.tolist(), raw.ask.tolist(), strict=True)
    return {contracts.parse(occ): side for occ, side in zip(raw.contracts, sides, strict=True)}


@pytest.mark.parametrize(("day", "expirations"), [(DAY, 1), ("2026-02-20", 2), ("2026-05-15", 2), ("2026-06-30", 0)])
def test_puts_and_calls_agree_within_the_spread(day: str, expirations: int) -> None:
    """Call less put is the discounted forward less the discounted strike: no side of it can be traded for gain."""
    now = at("11:22:33")
    raw = asked(chain("SPX", day, each_side=30), now)
    spot, quotes = raw.spots[0].price, by_terms(raw)
    calls = [one for one in quotes if one.right is Right.CALL]
    assert len(calls) == expirations * 60
    for call in calls:
        put = msgspec.structs.replace(call, right=Right.PUT)
        settles = CALENDAR.expiry_instant(call)
        assert settles is not None
        years = pricing.time_to_expiry(np.array([settles]), int(raw.at[0]))[0]
        parity = spot * np.exp(-0.013 * years) - call.strike * np.exp(-0.04 * years)
        (call_bid, call_ask), (put_bid, put_ask) = quotes[call], quotes[put]
        assert call_bid - put_ask <= parity <= call_ask - put_bid


def chains(symbol: str, clock: str) -> list[tuple[tuple[int, int], ...]]:
    """Rows of (bid, ask), each from the contract that is worth least to the one that is worth most.

    Strikes of one date, and dates of one strike; the latter of contracts that may be exercised early, as a European
    put loses by waiting.
    """
    rows: dict[tuple[object, ...], list[tuple[int, int, int]]] = {}
    for one, (bid, ask) in by_terms(asked(chain(symbol, DAY, "2026-06-30", each_side=25), at(clock))).items():
        worse = -one.strike if one.right is Right.CALL else one.strike
        rows.setdefault((one.root, one.right, one.expiry), []).append((worse, bid, ask))
        if not one.european:
            rows.setdefault((one.root, one.right, one.strike), []).append((one.expiry.toordinal(), bid, ask))
    return [tuple((bid, ask) for _, bid, ask in sorted(row)) for row in rows.values()]


@pytest.mark.parametrize("clock", ["09:30:00", "14:00:00"])
@pytest.mark.parametrize("symbol", ["SPX", "SPY", "NVDA"])
def test_no_strike_and_no_date_can_be_traded_against_another(symbol: str, clock: str) -> None:
    """Buying a contract at the ask and selling one that is worth less at the bid never pays."""
    rows = chains(symbol, clock)
    assert len(rows) > 30
    for row in rows:
        best_bid = 0
        for bid, ask in row:
            assert ask > best_bid
            best_bid = max(best_bid, bid)


def test_the_last_half_hour_of_an_option_is_no_gift() -> None:
    """What options at the money cost then is what they pay in the mean, and a little more."""
    cost = paid = 0.0
    day = chain("SPY", DAY, each_side=1)
    for seed in range(120):
        market = SimulatedMarket(seed, date.fromisoformat(DAY))
        quotes = by_terms(asked(day, at("15:30:00"), of=market))
        (settled,) = asked(closing("SPY", DAY), at("16:00:00"), of=market).settlements
        cost += sum((bid + ask) / 2 for bid, ask in quotes.values())
        paid += sum(one.intrinsic(settled.price) for one in quotes)
    assert 0.8 < paid / cost < 1.02


def test_the_market_moves_on_its_grid() -> None:
    """Between two steps an answer stands; at the next step it is another."""
    plan, now = chain("SPY", "2026-02-20"), at("10:30:00")
    assert plain(asked(plan, now)) == plain(asked(plan, now + GRID_NS - 1))
    after = asked(plan, now + GRID_NS)
    assert set(after.at.tolist()) == {now + GRID_NS}
    assert after.bid.tolist() != asked(plan, now).bid.tolist()


# -- through the observer and the loop ------------------------------------------------------------------------------


def test_the_observer_finds_the_smile_again() -> None:
    """IV inverted from the mids lies near what the index is quoted at, falls with the strike, and bends up below."""
    portfolio, now = opened(CALENDAR, at("11:00:00")), at("11:00:00")
    told = Observer(MARKET).observe(portfolio, chain("SPX", "2026-03-20", each_side=100), now)
    portfolio.take_in(told, lsn=2, seen_at=now)
    spot = portfolio.market.spots["SPX"].price

    def iv(part: float, right: str) -> float:
        occ = Contract("SPXW", date(2026, 3, 20), Right(right), round(spot * part / USD / 5) * 5 * USD).occ
        known = portfolio.market.greeks(occ)
        assert known is not None
        return known["iv"] / UNIT

    low, near, money, high = iv(0.94, "P"), iv(0.97, "P"), iv(1.0, "C"), iv(1.03, "C")
    assert low > near > money > high
    assert low - near > near - money - 0.001
    assert iv(1.0, "P") == pytest.approx(money, abs=0.002)
    assert money == pytest.approx(quoted_at_the_money(now), rel=0.01)


def quoted_at_the_money(now: int) -> float:
    """The volatility that the model gives an SPX option at the money that settles on the close of 20 March."""
    one, session = underlying("SPX"), CALENDAR.session_at_or_before(now)
    assert one is not None
    path = Course(7, FIRST, one).path(session)
    step = path.step(now)
    years = pricing.time_to_expiry(np.array([at("16:00:00", "2026-03-20")]), now)
    spot, single = np.array([path.prices[step] / USD]), np.ones(1)
    terms = Terms(spot, spot, years, 0.04 * single, 0.013 * single, single, single < 0)
    days = path.left[step] + np.busday_count(session.day, date(2026, 3, 20))
    mood = Mood(one.volatility * single, path.unrest[step] * single, one.skew * single, days * single)
    return float(volatility(terms, mood)[0][0])


def test_the_source_reaches_the_recommendation_and_the_fill() -> None:
    """An alert decided and filled on simulated quotes says so in every record it touches."""
    stage = Stage(DAY)
    observer, settings = Observer(SimulatedMarket(7, FIRST)), stage.settings
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m", confidence=80)
    for second in range(0, 30, 5):
        now = at(f"10:30:{second:02d}")
        plan = wants.plan(stage.portfolio, settings.wants, settings.profiles.entry_dte(), now=now)
        stage.take(observer.observe(stage.portfolio, plan, now), at=now)
        while (report := PaperBroker(stage.loop).next_report()) is not None:
            stage.take(report, at=now)
    recommendation = stage.last(SignalApproved).recommendation
    assert recommendation.market_source == "simulated"
    assert recommendation.contract.underlying == "SPY"
    assert stage.last(OrderFilled).fill.market_source == "simulated"
    (position,) = stage.portfolio.live_positions()
    assert position.market_source == "simulated"


def test_prices_move_on_a_grid_that_is_known_ahead() -> None:
    """Whoever looks between two instants of the grid would see nothing new."""
    market = SimulatedMarket(7, date(2026, 2, 13))
    opened_at = new_york("2026-02-13", "09:30:00")
    assert market.next_instant(opened_at - 1) == opened_at
    assert market.next_instant(opened_at) == opened_at + 5 * 10**9
