"""A tape as a feed: it answers a plan with what was known, and with nothing that became known later."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.market.tape import Tape
from rules.wants import ChainSlice, Plan, SettlementWanted
from state import contract as contracts
from state.errors import BadUsage, LawBroken
from state.market import SettlementPrint, Spot
from tests.answers import Answer, answer
from tests.tapes import calendar_of, new_york, tape

DAY = "2026-02-13"
CALENDAR = calendar_of("2026-02-02", "2026-03-31")
SPX_DAY = date(2026, 2, 20)
NOTHING = Plan((), (), (), ())


def at(clock: str, day: str = DAY) -> int:
    """An instant of the test day."""
    return new_york(day, clock)


def sliced(first: str = "2026-02-13", last: str = "2026-03-20", symbol: str = "SPY", *, each_side: int = 2) -> Plan:
    """A plan for the chain of one underlying."""
    return Plan(
        (symbol,), (ChainSlice(symbol, date.fromisoformat(first), date.fromisoformat(last), each_side),), (), ()
    )


def chain(root: str, expiry: str, strikes: range, clock: str = "10:30:00") -> str:
    """Lines that quote calls and puts at these strikes."""
    return "".join(f"{clock} {root}{expiry}{right}{strike:05d}000 1.00 1.10\n" for strike in strikes for right in "CP")


def strikes_of(raw: Answer) -> list[int]:
    """The distinct strikes of an answer in dollars."""
    return sorted({contracts.parse(occ).strike // 10**6 for occ in raw.contracts})


def plain(raw: Answer) -> tuple[object, ...]:
    """An answer as values that compare."""
    return raw.plain


# -- what is answered -----------------------------------------------------------------------------------------------


def test_the_newest_known_row_is_answered(tmp_path: Path) -> None:
    """A row counts from its own instant on, until the next one of its contract or symbol."""
    recorded = Tape(
        tape(
            tmp_path,
            DAY,
            """
            10:30:00 SPY 595.42
            10:31:00 SPY260220C00596000 3.35 3.55 50 40
            10:32:00 SPY 595.50
            10:32:00 SPY260220C00596000 3.40 3.60
            """,
        )
    )
    plan = Plan(("SPY", "QQQ"), (), ("SPY260220C00596000", "SPY260220C00600000"), ())

    def answered(clock: str) -> tuple[list[int], list[int]]:
        raw = answer(recorded, plan, at(clock), calendar=CALENDAR)
        return [spot.price for spot in raw.spots], raw.bid.tolist()

    assert answered("10:29:59") == ([], [])
    assert answered("10:30:00") == ([595_420_000], [])
    assert answered("10:31:59") == ([595_420_000], [3_350_000])
    assert answered("10:32:00") == ([595_500_000], [3_400_000])
    assert answer(recorded, plan, at("16:00:00"), calendar=CALENDAR).spots == (
        Spot("SPY", 595_500_000, at("10:32:00")),
    )
    assert answer(recorded, NOTHING, at("16:00:00"), calendar=CALENDAR).contracts == ()
    assert answer(recorded, plan, at("16:00:00"), calendar=CALENDAR).source == "simulated"
    assert recorded.carry.rate == 0.04


def test_instants_are_distinct_and_ascend(tmp_path: Path) -> None:
    """Everything that happens on a tape has its instant, once; after the last there is none."""
    lines = """
        10:31:00 SPY 595.42
        10:30:00 SPY260220C00596000 3.35 3.55
        10:31:00 SPY260220P00596000 3.35 3.55
        16:15:00 SPX closing 6001.25
    """
    recorded = Tape(tape(tmp_path, DAY, lines))
    known = [at("10:30:00"), at("10:31:00"), at("16:15:00")]
    assert recorded.instants.tolist() == known
    assert (recorded.first, recorded.last) == (known[0], known[-1])
    assert [recorded.next_instant(one) for one in (0, *known)] == [*known, None]
    assert recorded.next_instant(known[0] - 1) == known[0]


def test_the_last_expiration_is_known(tmp_path: Path) -> None:
    """A calendar must reach it; a tape without options has none."""
    lines = "10:30:00 SPY260320C00596000 1 2\n10:31:00 SPY260220C00596000 1 2"
    assert Tape(tape(tmp_path, DAY, lines)).last_expiry == date(2026, 3, 20)
    assert Tape(tape(tmp_path, DAY, "10:30:00 SPY 595")).last_expiry is None


def test_a_tape_without_rows_is_refused(tmp_path: Path) -> None:
    """There is nothing to run against."""
    with pytest.raises(BadUsage, match="the tape holds no row"):
        Tape(tape(tmp_path, DAY, ""))


def test_an_instant_outside_the_calendar_breaks_a_law(tmp_path: Path) -> None:
    """Which New York date it is must be known."""
    with pytest.raises(LawBroken, match="adopt a longer one"):
        answer(Tape(tape(tmp_path, DAY, "10:30:00 SPY 1")), NOTHING, at("10:00:00", "2026-05-01"), calendar=CALENDAR)


# -- slices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spot", "each_side", "strikes"),
    [
        ("595.42", 2, [594, 595, 596, 597]),
        ("595.00", 2, [594, 595, 596, 597]),
        ("594.99", 1, [594, 595]),
        ("595.42", 0, []),
        ("700.00", 2, [598, 599]),
        ("100.00", 2, [590, 591]),
        ("595.42", 50, list(range(590, 600))),
    ],
)
def test_a_slice_takes_the_nearest_strikes(tmp_path: Path, spot: str, each_side: int, strikes: list[int]) -> None:
    """So many at or below the spot and as many above, calls and puts, as far as there are any."""
    lines = f"10:30:00 SPY {spot}\n" + chain("SPY", "260220", range(590, 600))
    raw = answer(Tape(tape(tmp_path, DAY, lines)), sliced(each_side=each_side), at("10:30:00"), calendar=CALENDAR)
    assert strikes_of(raw) == strikes
    assert len(raw.contracts) == 2 * len(strikes)


def test_each_expiry_has_its_own_strikes(tmp_path: Path) -> None:
    """Expiries within the bounds are taken, both included, each with the strikes that are listed for it."""
    lines = "10:30:00 SPY 595\n" + "".join(
        chain("SPY", expiry, range(585, 606, step))
        for expiry, step in (("260219", 1), ("260220", 5), ("260227", 10), ("260306", 1))
    )
    raw = answer(
        Tape(tape(tmp_path, DAY, lines)),
        sliced("2026-02-20", "2026-02-27", each_side=1),
        at("10:30:00"),
        calendar=CALENDAR,
    )
    listed = {(contracts.parse(occ).expiry.day, contracts.parse(occ).strike // 10**6) for occ in raw.contracts}
    assert listed == {(20, 595), (20, 600), (27, 595), (27, 605)}


def test_a_slice_takes_all_roots_of_an_index(tmp_path: Path) -> None:
    """SPX and SPXW of one date are two chains of one underlying; another underlying is not touched."""
    lines = "10:30:00 SPX 6000\n10:30:00 SPY 600\n" + "".join(
        chain(root, "260220", strikes)
        for root, strikes in (("SPX", range(5900, 6101, 50)), ("SPXW", range(5900, 6101, 5)), ("SPY", range(590, 610)))
    )
    raw = answer(Tape(tape(tmp_path, DAY, lines)), sliced(symbol="SPX", each_side=1), at("10:30:00"), calendar=CALENDAR)
    assert sorted({occ[:-15] + occ[-8:-3] for occ in raw.contracts}) == [
        "SPX06000",
        "SPX06050",
        "SPXW06000",
        "SPXW06005",
    ]


def test_contracts_are_answered_once(tmp_path: Path) -> None:
    """A contract that two slices and the plan want is one row."""
    lines = "10:30:00 SPY 595\n" + chain("SPY", "260220", range(590, 600))
    twice = sliced().slices * 2
    plan = Plan(("SPY",), twice, ("SPY260220C00595000", "SPY260220C00590000"), ())
    raw = answer(Tape(tape(tmp_path, DAY, lines)), plan, at("10:30:00"), calendar=CALENDAR)
    assert len(raw.contracts) == len(set(raw.contracts)) == 9


def test_without_a_spot_there_is_no_slice(tmp_path: Path) -> None:
    """Nothing is near an unknown price; a contract asked for by name is answered all the same."""
    recorded = Tape(tape(tmp_path, DAY, "10:31:00 SPY 595\n" + chain("SPY", "260220", range(590, 600))))
    plan = Plan(("SPY",), sliced().slices, ("SPY260220C00590000",), ())
    assert answer(recorded, plan, at("10:30:59"), calendar=CALENDAR).contracts == ("SPY260220C00590000",)
    assert len(answer(recorded, plan, at("10:31:00"), calendar=CALENDAR).contracts) == 9


def test_a_contract_is_listed_from_its_first_quote_on(tmp_path: Path) -> None:
    """A strike that is first quoted later is not near the spot before."""
    late = chain("SPY", "260220", range(595, 597), "11:00:00")
    recorded = Tape(tape(tmp_path, DAY, "10:30:00 SPY 595\n" + chain("SPY", "260220", range(590, 601, 5)) + late))
    assert strikes_of(answer(recorded, sliced(each_side=1), at("10:59:59"), calendar=CALENDAR)) == [595, 600]
    assert strikes_of(answer(recorded, sliced(each_side=1), at("11:00:00"), calendar=CALENDAR)) == [595, 596]


def test_a_contract_of_another_day_leaves_the_slice(tmp_path: Path) -> None:
    """Once a day has a quote of its own, only what was quoted that day is listed; until then the last quotes are."""
    recorded = Tape(
        tape(
            tmp_path,
            DAY,
            "2026-02-12 15:00:00 SPY 595\n"
            + "".join(
                f"2026-02-12 {line}\n" for line in chain("SPY", "260220", range(594, 596), "15:00:00").splitlines()
            )
            + "".join(
                f"2026-02-12 {line}\n" for line in chain("SPY", "260220", range(596, 598), "16:00:00").splitlines()
            )
            + chain("SPY", "260220", range(597, 599), "09:31:00"),
        )
    )
    plan = sliced(each_side=9)

    def listed(clock: str, day: str) -> list[int]:
        return strikes_of(answer(recorded, plan, at(clock, day), calendar=CALENDAR))

    assert listed("16:00:00", "2026-02-12") == [594, 595, 596, 597]
    assert listed("09:30:59", DAY) == [596, 597]
    assert listed("09:31:00", DAY) == [597, 598]


# -- settlements ----------------------------------------------------------------------------------------------------


def settled(recorded: Tape, clock: str, *, opening: bool = False) -> SettlementPrint | None:
    """The print of the expiration at an instant of its date."""
    plan = Plan(("SPX",), (), (), (SettlementWanted("SPX", SPX_DAY, opening),))
    prints = answer(recorded, plan, new_york("2026-02-20", clock), calendar=CALENDAR).settlements
    return prints[0] if prints else None


def test_an_official_print_settles_and_is_waited_for(tmp_path: Path) -> None:
    """It counts from its own instant on, and no close takes its place before."""
    lines = "16:00:00 SPX 6000.5\n11:00:00 SPX opening 5990.25\n16:15:00 SPX closing 6001.25"
    recorded = Tape(tape(tmp_path, "2026-02-20", lines))
    assert settled(recorded, "16:14:59") is None
    assert settled(recorded, "16:15:00") == SettlementPrint(
        "SPX", SPX_DAY, False, 6_001_250_000, new_york("2026-02-20", "16:15:00")
    )
    assert settled(recorded, "10:59:59", opening=True) is None
    assert settled(recorded, "11:00:00", opening=True) == SettlementPrint(
        "SPX", SPX_DAY, True, 5_990_250_000, new_york("2026-02-20", "11:00:00")
    )


@pytest.mark.parametrize(
    ("lines", "clock", "price"),
    [
        ("16:00:00 SPX 6000.5\n16:01:00 SPX 6002", "16:00:00", 6_000_500_000),
        ("15:55:01 SPX 5999\n16:00:01 SPX 6002", "16:05:00", 5_999_000_000),
        ("15:55:00 SPX 5999\n16:00:01 SPX 6002", "16:05:00", None),
        ("15:59:00 SPX 5999\n16:00:00 SPX 6000.5", "15:59:59", None),
        ("16:00:00 SPY 600", "16:05:00", None),
    ],
)
def test_the_close_settles_pm_contracts(tmp_path: Path, lines: str, clock: str, price: int | None) -> None:
    """From the close on, the last price of the last five minutes of the session, and of nothing after it."""
    found = settled(Tape(tape(tmp_path, "2026-02-20", lines)), clock)
    assert (found and found.price) == price


def test_a_close_never_settles_am_contracts(tmp_path: Path) -> None:
    """An opening print is official or missing."""
    recorded = Tape(tape(tmp_path, "2026-02-20", "09:30:00 SPX 5990\n16:00:00 SPX 6000.5"))
    assert settled(recorded, "17:00:00", opening=True) is None


def test_a_date_without_a_session_has_no_close(tmp_path: Path) -> None:
    """A holiday settles nothing by itself."""
    recorded = Tape(tape(tmp_path, "2026-02-16", "16:00:00 SPX 6000.5"))
    plan = Plan(("SPX",), (), (), (SettlementWanted("SPX", date(2026, 2, 16), False),))
    assert answer(recorded, plan, new_york("2026-02-17", "10:00:00"), calendar=CALENDAR).settlements == ()


# -- no look-ahead --------------------------------------------------------------------------------------------------

ROWS = st.lists(
    st.tuples(
        st.integers(0, 120),
        st.sampled_from(
            ("SPY", "SPY260213C00594000", "SPY260213C00595000", "SPY260220P00595000", "SPY260220P00600000")
        ),
        st.integers(59_300, 59_700),
    ),
    max_size=25,
).map(lambda rows: [(0, "SPY", 59_500), *sorted(rows, key=lambda row: row[0])])
PLAN = Plan(
    ("SPY",), sliced(each_side=1).slices, ("SPY260213C00594000",), (SettlementWanted("SPY", date(2026, 2, 13), False),)
)


def lines_of(rows: list[tuple[int, str, int]]) -> str:
    """Rows (minutes from 15:00, symbol, cents) as lines of a tape, two hours across the close."""
    stamped = ((f"{15 + minute // 60}:{minute % 60:02d}:00", name, cents / 100) for minute, name, cents in rows)
    return "".join(
        f"{clock} {name} {dollars:.2f}\n" if name == "SPY" else f"{clock} {name} 1 {dollars:.2f}\n"
        for clock, name, dollars in stamped
    )


@given(rows=ROWS, minute=st.integers(0, 120))
def test_what_comes_later_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, int]], minute: int
) -> None:
    """An observation is the same on the whole tape and on the tape that ends with it."""
    now = at(f"{15 + minute // 60}:{minute % 60:02d}:00")
    known = [row for row in rows if row[0] <= minute]
    whole, ended = (
        answer(Tape(tape(tmp_path_factory.mktemp("tape"), DAY, lines_of(some))), PLAN, now, calendar=CALENDAR)
        for some in (rows, known)
    )
    assert plain(whole) == plain(ended)
    assert all(one <= now for one in whole.at.tolist())
    assert all(spot.at <= now for spot in whole.spots)


@given(rows=ROWS, minutes=st.lists(st.integers(0, 120), max_size=12))
def test_the_order_of_asking_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, int]], minutes: list[int]
) -> None:
    """Asked in any order, forward and back, a tape answers as if it were asked for the first time."""
    directory = tape(tmp_path_factory.mktemp("tape"), DAY, lines_of(rows))
    recorded = Tape(directory)
    for minute in minutes:
        now = at("15:00:00") + minute * 60 * 10**9
        fresh = answer(Tape(directory), PLAN, now, calendar=CALENDAR)
        assert plain(answer(recorded, PLAN, now, calendar=CALENDAR)) == plain(fresh)
