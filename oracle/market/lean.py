"""Imports recorded days in the layout of LEAN (minute, hourly or daily quotes and bars) into a tape.

Rows there are labelled by the start of their interval; a tape knows a row from the end of it, and that of a whole day from
the close of its session. Deliberately absent: greeks, open interest and settlement prints, which such days do not hold.
"""

import gzip
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from oracle import sessions
from oracle.market import table
from oracle.market.recording import FORMAT, LABEL_FILE, QUOTES, UNDERLYING, Label, label_text, symbol
from oracle.market.table import Field
from state import contract as contracts
from state import money
from state.calendar import SECOND, Calendar
from state.contract import Contract, Right
from state.errors import BadUsage

NEW_YORK = "America/New_York"

_STRIKE_UNIT = 1_000
_DAY_S = 86_400
_COMPRESSION = 6

Row = tuple[str, ...]

KnownAt = Callable[[str, str], str]
"""From a label and the symbol that trades, the instant at which the interval so labelled has ended."""


class ImportOptions(msgspec.Struct, frozen=True):
    """How the files are to be read. `interval_s` is 86,400 for whole days. `rate` and `dividend_yields` (0.04 is 4 %) go into the tape, for pricing.

    `bars_zone` is the zone in which bars are labelled, whatever their header says; quotes are always in New York time.
    `bars_interval_s` is that of the quotes when it is None.
    """

    interval_s: int = 60
    bars_interval_s: int | None = None
    bars_zone: str = NEW_YORK
    rate: float = 0.0
    dividend_yields: dict[str, float] = {}
    source: str = "recorded"
    description: str = ""


class Imported(msgspec.Struct, frozen=True):
    """What an import wrote: rows of quotes and bars."""

    quotes: int
    bars: int


def import_lean(
    quotes: Sequence[Path], bars: Mapping[str, Sequence[Path]], out: Path, *, options: ImportOptions
) -> Imported:
    """Write one tape from files of quotes, and from files of bars by the symbol they belong to.

    The same files and options give the same bytes. The label of the tape is written last, so that what an interrupted
    import leaves is no tape. Raises BadUsage naming the file, the line and the remedy; a tape is never written over.
    """
    if (out / LABEL_FILE).exists():
        raise BadUsage(f"{out} holds a tape already; import into a new directory")
    for name in bars:
        _require_symbol(name)
    label = label_text(Label(FORMAT, options.source, options.rate, options.dividend_yields, options.description))
    known_at = _labels(options.interval_s, NEW_YORK)
    bar_known_at = _labels(options.bars_interval_s or options.interval_s, options.bars_zone)
    quote_rows = [row for path in quotes for row in _quote_rows(path, known_at)]
    bar_rows = [row for name in bars for path in bars[name] for row in _bar_rows(path, name, bar_known_at)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write(out / "underlying.csv.gz", UNDERLYING, bar_rows)
        _write(out / "quotes.csv.gz", QUOTES, quote_rows)
        (out / LABEL_FILE).write_text(label, "utf-8")
    except OSError as fault:
        raise BadUsage(f"{out}: {fault}; give a directory that can be written to") from None
    return Imported(len(quote_rows), len(bar_rows))


# -- rows -----------------------------------------------------------------------------------------------------------


def _quote_rows(path: Path, known_at: KnownAt) -> Iterable[Row]:
    fields = (
        Field(("date", "time_et", "root"), lambda day, time, root: known_at(f"{day} {time}", root)),
        Field(("root", "expiration", "strike", "right"), _occ),
        Field(("bid_close",), _checked(table.quoted)),
        Field(("ask_close",), _checked(table.quoted)),
        Field(("bid_size",), _checked(table.size)),
        Field(("ask_size",), _checked(table.size)),
    )
    return zip(*table.read(path, fields), strict=True)


def _bar_rows(path: Path, name: str, known_at: KnownAt) -> Iterable[Row]:
    prices = (Field((name,), _checked(table.price)) for name in ("open", "high", "low", "close"))
    # The close of an underlying is that of its exchange, also where its options trade on after it.
    fields = (
        Field(("timestamp_et",), lambda label: known_at(label, "")),
        *prices,
        Field(("volume",), _checked(table.whole)),
    )
    at, *values = table.read(path, fields)
    return zip(at, [name] * len(at), *values, strict=True)


def _checked(parse: Callable[[str], int]) -> Callable[[str], str]:
    """The cell as it stands, empty or readable."""

    def check(text: str) -> str:
        if text:
            parse(text)
        return text

    return check


def _require_symbol(name: str) -> None:
    try:
        symbol(name)
    except ValueError as fault:
        raise BadUsage(f"bars: {fault}; give the symbol of their underlying, such as SPX") from None


def _occ(root: str, expiration: str, strike: str, right: str) -> str:
    """The OCC symbol of a contract. Raises ValueError for adjusted roots and strikes no symbol can hold."""
    micros = money.parse(strike)
    if micros % _STRIKE_UNIT:
        raise ValueError(f"strike {strike} has more than three decimals: an adjusted contract is not traded")
    listed = Contract(root, date.fromisoformat(expiration), Right(right), micros)
    if contracts.parse(listed.occ) != listed:
        raise ValueError(f"{listed.occ} does not read back as the same contract")
    return listed.occ


def _labels(interval_s: int, zone: str) -> KnownAt:
    """A reading of labels, wall time in a zone."""
    if not 0 < interval_s <= _DAY_S:
        raise BadUsage(f"an interval of {interval_s} s: give 60 for minutes, 3600 for hours, 86400 for days")
    try:
        wall = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadUsage(f"{zone!r} is no time zone such as America/Chicago") from None

    def known_at(label: str, symbol: str) -> str:
        starts = datetime.fromisoformat(label)
        if starts.tzinfo is not None:
            raise ValueError(f"{label!r} has an offset; labels are wall time")
        if interval_s == _DAY_S:
            return _closed(starts.date(), symbol)
        ends = starts.replace(tzinfo=wall).astimezone(UTC) + timedelta(seconds=interval_s)
        return f"{ends.replace(tzinfo=None).isoformat()}Z"

    return known_at


def _closed(day: date, symbol: str) -> str:
    """When trading in a symbol ended on a date. Raises ValueError for a date without a session."""
    try:
        session = _year(day.year).session_on(day)
    except BadUsage as unknown:
        raise ValueError(str(unknown)) from None
    if session is None:
        raise ValueError(f"{day} is no trading day of {sessions.EXCHANGE}")
    close = session.late_close if symbol in sessions.LATE_ROOTS else session.close
    return f"{datetime.fromtimestamp(close // SECOND, UTC).replace(tzinfo=None).isoformat()}Z"


@cache
def _year(year: int) -> Calendar:
    return sessions.build(date(year, 1, 1), date(year, 12, 31))


# -- writing --------------------------------------------------------------------------------------------------------


def _write(path: Path, header: Sequence[str], rows: list[Row]) -> None:
    """One compressed table, sorted by its first column; rows of one instant keep the order they were read in."""
    lines = (",".join(row) for row in (header, *sorted(rows, key=itemgetter(0))))
    # Neither a file name nor a time in the header: equal tapes are equal files.
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8", newline="\n") as text,
    ):
        text.writelines(f"{line}\n" for line in lines)
