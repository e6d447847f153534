"""The files of a tape: what they say arrives exactly, and each rule of the format is enforced."""

from datetime import date
from pathlib import Path

import pytest

from oracle.market import recording
from oracle.market.recording import Label, label_text
from state.errors import BadUsage
from state.market import ASK_PRESENT, SIZES_KNOWN, SettlementPrint
from tests.tapes import new_york, tape

DAY = "2026-02-13"
LINES = """
    10:30:00 SPY 595.42
    10:31:00 SPY260220C00596000 3.35 3.55 50 40
    10:31:00 SPY260220P00596000 - 3.6 0 40
    10:32:00 SPY260220C00596000 3.4 -
    10:32:00.5 SPY 595.5
    16:15:00 SPX closing 6001.25
"""
HEADERS = {
    "underlying.csv": "at,symbol,open,high,low,close,volume",
    "quotes.csv": "at,contract,bid,ask,bid_size,ask_size",
    "settlements.csv": "symbol,day,opening,price,at",
}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Prices exactly, instants in UTC, missing sides and sizes flagged, contracts numbered as they appear."""
    read = recording.read(tape(tmp_path, DAY, LINES))
    assert read.label == Label(1, "simulated", 0.04)
    assert read.bars["SPY"].close.tolist() == [595_420_000, 595_500_000]
    assert read.bars["SPY"].at.tolist() == [new_york(DAY, "10:30:00"), new_york(DAY, "10:32:00.5")]
    assert read.quotes.symbols == ("SPY260220C00596000", "SPY260220P00596000")
    assert read.quotes.code.tolist() == [0, 1, 0]
    assert read.quotes.at.tolist() == [new_york(DAY, "10:31:00")] * 2 + [new_york(DAY, "10:32:00")]
    assert read.quotes.column("bid").tolist() == [3_350_000, 0, 3_400_000]
    assert read.quotes.column("ask").tolist() == [3_550_000, 3_600_000, 0]
    assert read.quotes.column("bid_size").tolist() == [50, 0, 0]
    assert read.quotes.column("ask_size").tolist() == [40, 40, 0]
    assert read.quotes.column("flags").tolist() == [ASK_PRESENT | SIZES_KNOWN, ASK_PRESENT | SIZES_KNOWN, 0]
    day = date(2026, 2, 13)
    assert read.settlements == {
        ("SPX", day, False): SettlementPrint("SPX", day, False, 6_001_250_000, new_york(DAY, "16:15:00"))
    }


@pytest.mark.parametrize(
    ("name", "rows", "complaint"),
    [
        ("underlying.csv", "2026-02-13T15:30:00,SPY,,,,1,", "line 2: at: '2026-02-13T15:30:00' is no instant"),
        ("underlying.csv", "2026-02-13T15:30:00+00:00,SPY,,,,1,", "line 2: at: "),
        ("underlying.csv", "2026-02-30T15:30:00Z,SPY,,,,1,", "line 2: at: "),
        ("underlying.csv", "1677-01-01T00:00:00Z,SPY,,,,1,", "line 2: at: '1677-01-01T00:00:00Z' lies outside"),
        (
            "quotes.csv",
            "9999-12-31T23:59:59Z,SPY260220C00596000,1,2,,",
            "line 2: at: '9999-12-31T23:59:59Z' lies outside",
        ),
        ("underlying.csv", "2026-02-13T15:30:00Z,spy,,,,1,", "line 2: symbol: 'spy' is no symbol in capital letters"),
        ("underlying.csv", "2026-02-13T15:30:00Z,SPY,,,,,", "line 2: close: "),
        ("underlying.csv", "2026-02-13T15:30:00Z,SPY,,x,,1,", "line 2: high: 'x' is not a number"),
        ("underlying.csv", "2026-02-13T15:30:00Z,SPY,,,,1,1.5", "line 2: volume: '1.5' is no whole number"),
        (
            "underlying.csv",
            "2026-02-13T15:30:01Z,SPY,,,,1,\n2026-02-13T15:30:00Z,SPX,,,,1,",
            "line 3: `at` goes back; sort the rows",
        ),
        (
            "quotes.csv",
            "2026-02-13T15:30:00Z,SPY1260220C00596000,1,2,,",
            "line 2: contract: 'SPY1260220C00596000' has an",
        ),
        ("quotes.csv", "2026-02-13T15:30:00Z,SPY,1,2,,", "line 2: contract: 'SPY' is not an option symbol"),
        ("quotes.csv", "2026-02-13T15:30:00Z,SPY260220C00596000,-1,2,,", "line 2: bid: '-1' is below zero"),
        (
            "quotes.csv",
            "2026-02-13T15:30:00Z,SPY260220C00596000,1,2,1.5,",
            "line 2: bid_size: '1.5' is no whole number",
        ),
        ("settlements.csv", "SPX,2026-02-13,yes,1,2026-02-13T15:30:00Z", "line 2: opening: 'yes' is neither 1"),
        ("settlements.csv", "SPX,13.2.2026,1,1,2026-02-13T15:30:00Z", "line 2: day: "),
        (
            "settlements.csv",
            "SPX,2026-02-13,1,1,2026-02-13T15:30:00Z\nSPX,2026-02-13,1,2,2026-02-13T15:30:00Z",
            "line 3: SPX has a print for 2026-02-13 already",
        ),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, name: str, rows: str, complaint: str) -> None:
    """Each rule of the format is enforced with file and line."""
    directory = tape(tmp_path, DAY, LINES)
    (directory / name).write_text(f"{HEADERS[name]}\n{rows}\n")
    with pytest.raises(BadUsage) as raised:
        recording.read(directory)
    assert str(raised.value).startswith(f"{directory / name}: {complaint}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('format = 2\nsource = "x"', "its format is not 1"),
        ('source = "x"', "missing required field `format`"),
        ('format = 1\nsource = "x"\nrates = 1', "unknown field `rates`"),
        ('format = 1\nsource = "x"\nrate = "a"', r"\$.rate"),
        ('format = 1\nsource = "x"\nrate = 4', "rate = 4.0 is no yearly yield; write 4 % as 0.04"),
        ('format = 1\nsource = "x"\nrate = nan', "rate = nan is no yearly yield"),
        ('format = 1\nsource = "x"\n[dividend_yields]\nSPY = 1.2', "SPY = 1.2 is no yearly yield"),
        ("format = ", "Invalid value"),
        ("a = " + "[" * 1_000, "recursion"),
        ("format = 0x" + "f" * 4_000 + '\nsource = "x"', "its format is not 1"),
    ],
)
def test_a_bad_label_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """The label names its fault, a percentage written as a number included."""
    directory = tape(tmp_path, DAY, LINES)
    (directory / "tape.toml").write_text(text)
    with pytest.raises(BadUsage, match=complaint):
        recording.read(directory)


def test_a_directory_without_a_tape_is_refused(tmp_path: Path) -> None:
    """The file that is wanted is named."""
    with pytest.raises(BadUsage, match=r"tape\.toml: cannot be read"):
        recording.read(tmp_path)


def test_there_is_one_file_of_quotes(tmp_path: Path) -> None:
    """Neither none nor two: nobody could say which of them counts."""
    directory = tape(tmp_path, DAY, LINES)
    (directory / "quotes.csv.gz").write_bytes(b"")
    with pytest.raises(BadUsage, match=r"2 files quotes.csv or quotes.csv.gz"):
        recording.read(directory)
    (directory / "quotes.csv.gz").unlink()
    (directory / "quotes.csv").unlink()
    with pytest.raises(BadUsage, match=r"0 files quotes.csv or quotes.csv.gz"):
        recording.read(directory)


@pytest.mark.parametrize(
    "label",
    [
        Label(1, "recorded"),
        Label(1, 'with "quotes"\n', -0.0025, {"SPY": 0.012, "BRK.B": 1e-05}, "two days; ä\x7f"),
        Label(1, "recorded", jumps=("GME", "BRK.B")),
        Label(1, "recorded", dividend_yields={"SPY": 0.012}, jumps=("GME",)),
    ],
)
def test_a_label_that_is_written_is_read(tmp_path: Path, label: Label) -> None:
    """Writing and reading a label gives the same label."""
    directory = tape(tmp_path, DAY, LINES)
    (directory / "tape.toml").write_text(label_text(label), "utf-8")
    assert recording.read(directory).label == label


def test_a_percentage_is_not_written_as_a_yield() -> None:
    """The writer refuses what the reader would refuse."""
    with pytest.raises(BadUsage, match=r"rate = 4.0 is no yearly yield"):
        label_text(Label(1, "recorded", 4.0))


# -- splits ---------------------------------------------------------------------------------------------------------

HELD = "10:31:00 SPY260220C00596000 3.35 3.55"


@pytest.mark.parametrize("after", ["357.24", "992.38", "85.06"])
def test_a_tape_across_a_split_is_refused(tmp_path: Path, after: str) -> None:
    """A contract bought before it is one on other shares after it; be it split or put together."""
    directory = tape(tmp_path, DAY, f"10:30:00 SPY 595.42\n{HELD}\n10:32:00 SPY {after}\n10:33:00 SPY 595.42")
    with pytest.raises(BadUsage) as refused:
        recording.read(directory)
    told = str(refused.value)
    assert told.startswith(f"{directory / 'underlying.csv'}: SPY goes from 595.42 to {after} at 2026-02-13T15:32:00Z: ")
    assert told.endswith('where there was none, write `jumps = ["SPY"]` into tape.toml')


@pytest.mark.parametrize(
    "lines",
    [
        f"10:30:00 SPY 595.42\n{HELD}\n10:32:00 SPY 357.26",
        f"10:30:00 SPY 595.42\n{HELD}\n10:32:00 SPY 992.36",
        f"10:30:00 SPY 4167.94\n10:31:00 SPY 595.42\n{HELD}",
        f"10:30:00 SPY 595.42\n10:30:00 AAPL 645.57\n{HELD}\n10:32:00 AAPL 92.31",
        f"10:30:00 SPY 595.42\n10:30:00 AAPL 92.31\n{HELD}",
    ],
)
def test_what_nothing_is_held_over_is_no_split(tmp_path: Path, lines: str) -> None:
    """A crash, a rise, a jump before the first quote, one without options, and the prices of two underlyings."""
    assert "SPY" in recording.read(tape(tmp_path, DAY, lines)).bars


def test_a_jump_without_a_split_can_be_named(tmp_path: Path) -> None:
    """Prices do halve; whoever made the tape says so in its label, for one underlying."""
    directory = tape(tmp_path, DAY, f"10:30:00 SPY 595.42\n{HELD}\n10:32:00 SPY 200")
    label = directory / "tape.toml"
    text = label.read_text()
    label.write_text(f'{text}jumps = ["AAPL"]\n')
    with pytest.raises(BadUsage, match="SPY goes from"):
        recording.read(directory)
    label.write_text(f'{text}jumps = ["AAPL", "SPY"]\n')
    assert recording.read(directory).label.jumps == ("AAPL", "SPY")
