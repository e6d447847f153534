"""Recorded days become a tape: each row is known at the end of its interval, in the zone it was labelled in."""

import gzip
import random
from datetime import date
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from oracle.market import recording
from oracle.market.lean import Imported, ImportOptions, import_lean
from oracle.market.tape import Tape
from rules.wants import ChainSlice, Plan, SettlementWanted
from state import contract as contracts
from state.contract import Right
from state.errors import BadUsage
from state.market import ASK_PRESENT
from tests.answers import Answer, answer
from tests.tapes import calendar_of, new_york

QUOTES = (
    "date,time_et,root,expiration,strike,right,style,bid_open,bid_high,bid_low,bid_close,bid_size,"
    "ask_open,ask_high,ask_low,ask_close,ask_size"
)
BARS = "timestamp_et,open,high,low,close,volume"
CALL = "2015-12-24,09:30:00,GOOG,2015-12-24,745.0,C,american,,,,3.1,7,,,,3.5,9"
BAR = "2015-12-24 09:30:00,748,749,747,748.5,100"


def written(path: Path, header: str, *rows: str) -> Path:
    """A file of rows under their header, compressed when its name says so."""
    text = "".join(f"{row}\n" for row in (header, *rows)).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def imported(tmp_path: Path, quotes: list[str], bars: list[str], **options: object) -> recording.Recording:
    """What is on the tape that these rows become."""
    quote_file = written(tmp_path / "quotes.csv.gz", QUOTES, *quotes)
    bar_file = written(tmp_path / "bars.csv", BARS, *bars)
    chosen = msgspec.convert(options, ImportOptions)
    import_lean([quote_file], {"GOOG": [bar_file]}, tmp_path / "out", options=chosen)
    return recording.read(tmp_path / "out")


# -- rows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "quote_known", "bar_known"),
    [
        ({}, "09:31:00", "09:31:00"),
        ({"interval_s": 3_600}, "10:30:00", "10:30:00"),
        ({"bars_zone": "America/Chicago"}, "09:31:00", "10:31:00"),
        ({"interval_s": 3_600, "bars_interval_s": 60}, "10:30:00", "09:31:00"),
    ],
)
def test_a_row_is_known_at_the_end_of_its_interval(
    tmp_path: Path, options: dict[str, object], quote_known: str, bar_known: str
) -> None:
    """Labels are the start of an interval: quotes in New York time, bars in the zone that is told."""
    read = imported(tmp_path, [CALL], [BAR], **options)
    assert read.quotes.at.tolist() == [new_york("2015-12-24", quote_known)]
    assert read.bars["GOOG"].at.tolist() == [new_york("2015-12-24", bar_known)]


@pytest.mark.parametrize(
    ("root", "day", "quote_known", "bar_known"),
    [
        ("GOOG", "2015-12-23", "16:00:00", "16:00:00"),
        ("GOOG", "2015-12-24", "13:00:00", "13:00:00"),
        ("SPY", "2015-12-23", "16:15:00", "16:00:00"),
        ("SPXW", "2015-12-24", "13:15:00", "13:00:00"),
    ],
)
def test_a_day_is_known_when_its_session_is_over(
    tmp_path: Path, root: str, day: str, quote_known: str, bar_known: str
) -> None:
    """A daily row, labelled midnight, is known from the close of what it is about: early, regular or late."""
    quote = CALL.replace("2015-12-24,09:30:00,GOOG", f"{day},00:00:00,{root}")
    read = imported(tmp_path, [quote], [f"{day} 00:00:00,748,749,747,748.5,100"], interval_s=86_400)
    assert read.quotes.at.tolist() == [new_york(day, quote_known)]
    assert read.bars["GOOG"].at.tolist() == [new_york(day, bar_known)]


@pytest.mark.parametrize(
    ("day", "fault"),
    [
        ("2015-12-25", "2015-12-25 is no trading day of XNYS"),
        ("2015-12-26", "2015-12-26 is no trading day of XNYS"),
        ("1929-10-29", r"no calendar for 1929-01-01\.\.1929-12-31: .* between 1990 and 2100, in order"),
    ],
)
def test_a_daily_row_without_a_session_is_refused(tmp_path: Path, day: str, fault: str) -> None:
    """On a holiday or a weekend nothing was traded: what claims otherwise is stale or misdated."""
    with pytest.raises(BadUsage, match=f"bars.csv: line 2: timestamp_et: {fault}; mend or drop"):
        imported(tmp_path, [], [f"{day} 00:00:00,748,749,747,748.5,100"], interval_s=86_400)


def test_closes_are_taken_as_they_stand(tmp_path: Path) -> None:
    """The close of a side is its price; an empty one is a missing side, whatever the side was before."""
    one_sided = "2015-12-24,09:30:00,GOOG,2015-12-24,745.0,P,american,1,1,1,,0,2,2,2,0.05,9"
    read = imported(tmp_path, [CALL, one_sided], [BAR])
    assert read.quotes.symbols == ("GOOG151224C00745000", "GOOG151224P00745000")
    assert read.quotes.column("bid").tolist() == [3_100_000, 0]
    assert read.quotes.column("ask").tolist() == [3_500_000, 50_000]
    assert read.quotes.column("bid_size").tolist() == [7, 0]
    assert read.quotes.column("ask_size").tolist() == [9, 9]
    assert read.bars["GOOG"].close.tolist() == [748_500_000]


def test_options_go_into_the_label(tmp_path: Path) -> None:
    """What quotes are priced with is said when they are imported, and kept with them."""
    read = imported(tmp_path, [CALL], [BAR], rate=0.0025, dividend_yields={"GOOG": 0.01}, description="one")
    assert read.label == recording.Label(1, "recorded", 0.0025, {"GOOG": 0.01}, "one")


def test_days_are_merged_in_order_of_time(tmp_path: Path) -> None:
    """Files are grouped by contract and given in any order; the tape ascends, and equal imports are equal files."""
    later = CALL.replace("09:30", "09:32")
    other = CALL.replace(",745.0,", ",750.0,")
    next_day = CALL.replace("2015-12-24,09", "2015-12-28,09").replace("2015-12-24,745", "2015-12-31,745")
    first = written(tmp_path / "a.csv", QUOTES, next_day)
    second = written(tmp_path / "b.csv", QUOTES, CALL, later, other)
    bars = {"GOOG": [written(tmp_path / "c.csv", BARS, BAR)], "SPY": [written(tmp_path / "d.csv", BARS, BAR)]}
    for name in ("one", "two"):
        assert import_lean([first, second], bars, tmp_path / name, options=ImportOptions()) == Imported(4, 2)
    read = recording.read(tmp_path / "one")
    assert [one[4:] for one in read.quotes.symbols] == ["151224C00745000", "151224C00750000", "151231C00745000"]
    assert read.quotes.code.tolist() == [0, 1, 0, 2]
    assert list(read.bars) == ["GOOG", "SPY"]
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("quote", "complaint"),
    [
        (CALL.replace("745.0", "745.7142"), "strike 745.7142 has more than three decimals"),
        (CALL.replace("745.0", "0"), "GOOG151224C00000000' has no strike"),
        (CALL.replace("745.0", "123456"), "is not an option symbol"),
        (CALL.replace("GOOG", "GOOG1"), "has an adjusted root"),
        (CALL.replace(",C,", ",X,"), "'X' is not a valid Right"),
        (CALL.replace("2015-12-24,745", "2015-12-32,745"), "root, expiration, strike, right: "),
        (CALL.replace("09:30:00", "25:30:00"), "date, time_et, root: "),
        (CALL.replace("09:30:00", "09:30:00Z"), "has an offset; labels are wall time"),
        (CALL.replace("3.1", "x"), "bid_close: 'x' is not a number"),
        (CALL.replace("3.5", "-3.5"), "ask_close: '-3.5' is below zero"),
        (CALL.replace(",7,", ",7.5,"), "bid_size: '7.5' is no whole number"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, quote: str, complaint: str) -> None:
    """File and line of the recorded day are named, and no tape is left behind."""
    with pytest.raises(BadUsage, match=r"quotes.csv.gz: line 3: .*mend or drop the row") as raised:
        imported(tmp_path, [CALL, quote], [BAR])
    assert complaint in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"interval_s": 0}, "an interval of 0 s: give 60 for minutes"),
        ({"interval_s": 86_401}, "an interval of 86401 s"),
        ({"bars_zone": "US/Nowhere"}, "'US/Nowhere' is no time zone such as America/Chicago"),
        ({"bars_zone": "../etc"}, "is no time zone"),
        ({"rate": 4.0}, "write 4 % as 0.04"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, object], complaint: str) -> None:
    """An option that cannot be meant is named before anything is written."""
    with pytest.raises(BadUsage, match=complaint):
        imported(tmp_path, [CALL], [BAR], **options)
    assert not (tmp_path / "out").exists()


def test_an_import_wants_a_new_directory_and_symbols(tmp_path: Path) -> None:
    """A second import wants its own directory, one that can be made, and bars want the symbol they belong to."""
    imported(tmp_path, [CALL], [BAR])
    with pytest.raises(BadUsage, match="holds a tape already; import into a new directory"):
        imported(tmp_path, [CALL], [BAR])
    with pytest.raises(BadUsage, match="'spx' is no symbol in capital letters; give the symbol of their underlying"):
        import_lean([], {"spx": []}, tmp_path / "new", options=ImportOptions())
    with pytest.raises(BadUsage, match="give a directory that can be written to"):
        import_lean([], {}, tmp_path / "bars.csv" / "out", options=ImportOptions())


# -- recorded days --------------------------------------------------------------------------------------------------

DECEMBER = calendar_of("2015-12-01", "2018-02-28")
EXPIRING = date(2015, 12, 24)


@pytest.fixture(scope="module")
def goog(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tape of two days of GOOG, the second a half day with an expiration."""
    days, out = ("20151223", "20151224"), tmp_path_factory.mktemp("goog") / "tape"
    quotes = [data_dir / "options" / "lean" / f"goog_{day}_minute_quotes.csv.gz" for day in days]
    bars = {"GOOG": [data_dir / "bars" / "lean" / f"goog_{day}_1min.csv" for day in days]}
    assert import_lean(quotes, bars, out, options=ImportOptions(rate=0.0025)) == Imported(28_932 + 275_552, 432 + 227)
    return out


def test_two_recorded_days_arrive_whole(data_dir: Path, goog: Path) -> None:
    """All rows, from the end of the first minute of the first day to the last quotes of the half day."""
    read = recording.read(goog)
    assert len(read.quotes.at) == 304_484
    assert len(read.bars["GOOG"].at) == 659
    assert int(read.quotes.at[0]) == new_york("2015-12-23", "09:31:00")
    # A few quotes changed in the minute after the bell, at which nothing trades any more.
    assert int(read.quotes.at[-1]) == new_york("2015-12-24", "13:01:00")
    assert int((read.quotes.at > new_york("2015-12-24", "13:00:00")).sum()) == 165
    first = read.quotes.symbols.index("GOOG151224C00600000")
    row = int((read.quotes.code == first).argmax())
    assert (int(read.quotes.column("bid")[row]), int(read.quotes.column("ask")[row])) == (150_600_000, 155_200_000)


def test_no_recorded_quote_is_seen_before_its_end(data_dir: Path, goog: Path) -> None:
    """At any instant everything that is answered was known, and is the newest that was."""
    recorded, read = Tape(goog), recording.read(goog)
    sliced = ChainSlice("GOOG", date(2015, 12, 23), date(2016, 2, 1), 5)
    draw = random.Random(20151224)
    for _ in range(60):
        now = draw.randrange(new_york("2015-12-23", "09:00:00"), new_york("2015-12-24", "14:00:00"))
        raw = answer(recorded, Plan(("GOOG",), (sliced,), (), ()), now, calendar=DECEMBER)
        assert all(at <= now for at in (*raw.at.tolist(), *(spot.at for spot in raw.spots)))
        for occ, at in list(zip(raw.contracts, raw.at.tolist(), strict=True))[:3]:
            mine = read.quotes.at[read.quotes.code == read.quotes.symbols.index(occ)]
            assert at == mine[mine <= now].max()


def test_an_expiring_chain_is_there_to_its_close(data_dir: Path, goog: Path) -> None:
    """On its half day the chain is quoted around the price to 13:00, and its close settles it."""
    recorded = Tape(goog)
    session = DECEMBER.session_on(EXPIRING)
    assert session is not None
    assert session.close == new_york("2015-12-24", "13:00:00")
    plan = Plan(
        ("GOOG",), (ChainSlice("GOOG", EXPIRING, EXPIRING, 5),), (), (SettlementWanted("GOOG", EXPIRING, False),)
    )
    for now in (session.open + 60 * 10**9, session.close - 1, session.close):
        raw = answer(recorded, plan, now, calendar=DECEMBER)
        assert len(raw.contracts) == 20
        strikes = sorted({contracts.parse(occ).strike for occ in raw.contracts})
        assert strikes[4] <= raw.spots[0].price < strikes[5]
        assert all(b - a == 2_500_000 for a, b in pairwise(strikes))
        assert [one.price for one in raw.settlements] == ([748_400_000] if now == session.close else [])


def parity_gap(raw: Answer) -> float:
    """The largest |call - put + strike - spot| in dollars over the pairs of an answer, at mid prices."""
    mids = {
        contracts.parse(occ): (bid + ask) / 2e6
        for occ, bid, ask, flags in zip(raw.contracts, raw.bid, raw.ask, raw.flags, strict=True)
        if flags & ASK_PRESENT and bid > 0
    }
    spot = raw.spots[0].price / 1e6
    gaps = [
        abs(mid - mids[put] + one.strike / 1e6 - spot)
        for one, mid in mids.items()
        if one.right is Right.CALL and (put := contracts.Contract(one.root, one.expiry, Right.PUT, one.strike)) in mids
    ]
    assert gaps
    return max(gaps)


@pytest.mark.parametrize(("zone", "holds"), [("America/Chicago", True), ("America/New_York", False)])
def test_put_call_parity_tells_the_zone_of_the_bars(data_dir: Path, tmp_path: Path, zone: str, holds: bool) -> None:
    """Options within a few days of expiry agree with the index to 2 dollars at any time only in the right zone."""
    quotes = [data_dir / "options" / "lean" / "spxw_20210104_minute_quotes.csv.gz"]
    bars = {"SPX": [data_dir / "bars" / "lean" / "spx_20210104_1min.csv"]}
    import_lean(quotes, bars, tmp_path / "tape", options=ImportOptions(bars_zone=zone))
    recorded, calendar = Tape(tmp_path / "tape"), calendar_of("2020-12-01", "2021-02-28")
    plan = Plan(("SPX",), (ChainSlice("SPX", date(2021, 1, 4), date(2021, 1, 8), 50),), (), ())
    gaps = [
        parity_gap(answer(recorded, plan, new_york("2021-01-04", clock), calendar=calendar))
        for clock in ("09:31:00", "09:45:00", "10:30:00", "11:45:00", "13:00:00", "14:30:00", "15:30:00", "15:59:00")
    ]
    assert (max(gaps) <= 2.0) == holds
    assert (sum(gap > 5.0 for gap in gaps) == 0) == holds


@pytest.mark.parametrize(
    ("name", "rows", "interval_s", "first"),
    [
        ("aapl_2014_quote_american_hour", 31_407, 3_600, None),
        ("aapl_2014_quote_american_daily", 4_532, 86_400, new_york("2014-06-06", "16:00:00")),
        ("spx_2021_quote_european_hour", 79, 3_600, new_york("2021-01-04", "10:00:00")),
    ],
)
def test_hours_and_days_are_imported_too(
    data_dir: Path, tmp_path: Path, name: str, rows: int, interval_s: int, first: int | None
) -> None:
    """Coarser files differ in the length of their interval alone."""
    path = data_dir / "options" / "lean" / f"{name}.csv.gz"
    done = import_lean([path], {}, tmp_path / "tape", options=ImportOptions(interval_s=interval_s))
    read = recording.read(tmp_path / "tape")
    assert done.quotes == len(read.quotes.at) == rows
    assert first in {None, int(read.quotes.at[0])}
