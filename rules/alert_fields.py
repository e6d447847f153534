"""The plain fields of an alert, each read by itself: timeframe, instant, prices, scores, texts, marks.

A fault that makes the alert unusable becomes a field error, a lesser one a warning. The symbol, the option and the
direction words are read elsewhere.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from rules.alert_text import Tree, Value
from rules.alert_words import present
from state import money
from state.alert import AtSource, FieldError

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
FUTURE_S_MAX = 300
INSTANT_END = 2**63
"""The first instant in nanoseconds that the journal and the query tables cannot hold, in the year 2262."""

EPOCH_MS_MIN = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie in the year 5138."""

TEXT_CHARS_MAX = 128
TIMEFRAME_S_MAX = 366 * 86_400
COUNT_MAX = 1_000_000_000
PRICE_USD_MIN = Decimal("0.000001")
PRICE_USD_MAX = 10_000_000

TIMEFRAME_PATHS = (
    *("timeframe", "tf", "interval", "trigger_timeframe", "triggerTimeframe", "meta.timeframe", "signal.timeframe"),
    "timeframe.chart_tf",
)
SESSION_PATHS = ("session", "meta.session", "market.session")
BAR_PATH = "time"
"""TradingView fills `{{time}}` with the opening of the bar, and `{{timenow}}` with the instant the alert fired."""

TIMESTAMP_PATHS = ("timestamp", "signal.timestamp", "timenow", BAR_PATH, "ts")
_TIMEFRAME = re.compile(r"(\d{1,6})(?:\.0+)?\s*([A-Za-z]{0,7})", re.ASCII)
_UNIT_S = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("", "m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
    **dict.fromkeys(("mo", "month", "months"), 30 * 86_400),
}
_MONTHS_OF_TRADINGVIEW = ("1M", "3M", "6M", "12M")
_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII
)
_MARKS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Notes:
    """Collects what is wrong with one body while its fields are read; it lives only as long as one reading."""

    def __init__(self, warnings: tuple[str, ...] = ()) -> None:
        self.errors: list[FieldError] = []
        self.warnings: list[str] = list(warnings)

    def refuse(self, field: str, code: str, message: str) -> None:
        """Record a fault that makes the alert unusable."""
        self.errors.append(FieldError(field, code, message))

    def refuse_text(self, field: str, code: str, fault: str, *, sent: str) -> None:
        """Record an unusable text; one that is still a template is named as such, for the remedy is another."""
        if "{{" in sent:
            remedy = "was not filled in; let TradingView send the alert, not its template"
            self.refuse(field, "unrendered_placeholder", f"{sent[:24]!r} {remedy}")
        else:
            self.refuse(field, code, f"{sent[:32]!r} {fault}")

    def warn(self, code: str, detail: str = "") -> None:
        """Record what was mended or left out, once."""
        warning = f"{code}:{detail}" if detail else code
        if warning not in self.warnings:
            self.warnings.append(warning)


class Arrival(NamedTuple):
    """When an alert was received, in nanoseconds UTC.

    `by_receipt`: its age counts from there, whatever instant it names, as the market is simulated in our time.
    """

    at: int
    by_receipt: bool = False


class Instant(NamedTuple):
    """The instant an alert names, in nanoseconds UTC, or that of its arrival; `of_bar` when a bar opened then."""

    named: int
    source: AtSource
    of_bar: bool = False

    def judged(self, arrival: Arrival, bar: "Timeframe | None") -> int:
        """The instant its age counts from: a bar speaks at its end, and nothing that was received is yet to come."""
        if arrival.by_receipt:
            return arrival.at
        if self.of_bar and bar is not None:
            return min(self.named + bar.seconds * NS_PER_S, arrival.at)
        return self.named


class Timeframe(NamedTuple):
    """A bar size in its canonical form and in seconds."""

    name: str
    seconds: int


def timeframe(tree: Tree, notes: Notes) -> Timeframe | None:
    """The bar size of the alert; without one, a session of OPEN, PRE or POST means a day."""
    found = [str(value) for _, value in present(tree, TIMEFRAME_PATHS) if isinstance(value, str | Decimal)]
    for sent in found:
        seconds = timeframe_seconds(sent)
        if seconds is not None:
            if sent.endswith("M") and seconds < 86_400:
                notes.warn("timeframe_read_as_minutes", sent)
            return Timeframe(timeframe_name(seconds), seconds)
    for _, value in present(tree, SESSION_PATHS):
        if isinstance(value, str) and value.upper() in ("OPEN", "PRE", "POST"):
            notes.warn("timeframe_from_session")
            return Timeframe("1d", 86_400)
    if not found:
        notes.refuse("timeframe", "missing_timeframe", "no timeframe; add timeframe, for instance 5m, 1h or 1d")
    else:
        fault = "is no timeframe; send minutes, or 5m, 1h, 1d"
        notes.refuse_text("timeframe", "invalid_timeframe", fault, sent=found[0])
    return None


def timeframe_seconds(text: str) -> int | None:
    """Seconds of a bar size: numbers are minutes, `1M`, `3M`, `6M`, `12M` are TradingView's months of 30 days."""
    spelled = text.strip()
    if spelled in ("D", "W", "M", "H", "S", "daily", "weekly", "hourly"):
        spelled = f"1{spelled[0]}"
    found = _TIMEFRAME.fullmatch(spelled)
    if found is None:
        return None
    unit = "mo" if spelled in _MONTHS_OF_TRADINGVIEW else found[2].lower()
    seconds = int(found[1]) * _UNIT_S.get(unit, 0)
    return seconds if 0 < seconds <= TIMEFRAME_S_MAX else None


def timeframe_name(seconds: int) -> str:
    """The canonical form: the largest whole unit of w, d, h, m, s, so that 60 and `1h` are one timeframe."""
    for unit in ("w", "d", "h", "m"):
        if seconds % _UNIT_S[unit] == 0:
            return f"{seconds // _UNIT_S[unit]}{unit}"
    return f"{seconds}s"


def instant(tree: Tree, arrival: Arrival, notes: Notes) -> Instant | None:
    """When the alert happened by its own word, else when it was received. None after an error was noted."""
    found = present(tree, TIMESTAMP_PATHS)
    if not found:
        return Instant(arrival.at, AtSource.RECEIVED)
    path, sent = found[0]
    number = number_of(sent)
    at = _epoch(number) if number is not None else _iso(str(sent), notes)
    if at is None or at <= 0 or (arrival.by_receipt and at >= INSTANT_END):
        fault = "is no instant; send epoch seconds, epoch milliseconds or 2026-02-13T15:30:00Z"
        notes.refuse_text("timestamp", "invalid_timestamp", fault, sent=sent if isinstance(sent, str) else "the value")
        return None
    if arrival.by_receipt and abs(at - arrival.at) > FUTURE_S_MAX * NS_PER_S:
        notes.warn("age_by_receipt")
    elif at > arrival.at + FUTURE_S_MAX * NS_PER_S:
        fault = f"lies more than {FUTURE_S_MAX} s ahead of our clock; compare the clocks and the time zone"
        notes.refuse("timestamp", "timestamp_in_future", f"{str(sent)[:32]!r} {fault}")
        return None
    return Instant(at, AtSource.PAYLOAD, of_bar=path == BAR_PATH)


def _epoch(number: Decimal) -> int | None:
    unit = NS_PER_MS if number >= EPOCH_MS_MIN else NS_PER_S
    return int(number * unit) if number > 0 else None


def _iso(text: str, notes: Notes) -> int | None:
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    zone = found[8]
    offset_s = 0
    if zone is None:
        notes.warn("timestamp_read_as_utc")
    elif zone[0] in "+-":
        offset_s = (int(zone[1:3]) * 60 + int(zone[-2:])) * (60 if zone[0] == "+" else -60)
    whole_s = (moment - _EPOCH) // timedelta(seconds=1) - offset_s
    return whole_s * NS_PER_S + int((found[7] or "").ljust(9, "0"))


def number_of(value: Value) -> Decimal | None:
    """A number, also when it was sent as text; None for anything else."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None


def price(tree: Tree, paths: tuple[str, ...], notes: Notes) -> int | None:
    """The first positive price at one of the paths, in micro-dollars; unusable ones are left out with a warning."""
    for path, value in present(tree, paths):
        if isinstance(value, dict | list):
            continue
        number = number_of(value)
        if number is not None and PRICE_USD_MIN <= number < PRICE_USD_MAX:
            return money.from_decimal(number)
        notes.warn("unusable_price", path)
    return None


def percent_bp(tree: Tree, path: str, notes: Notes) -> int | None:
    """A score of 0 to 100 in basis points; outside that range it counts as absent, with a warning."""
    for _, value in present(tree, (path,)):
        number = number_of(value)
        if number is not None and 0 <= number <= 100:
            return int((number * 100).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
        notes.warn("score_out_of_range", path)
        return None
    return None


def text(tree: Tree, paths: tuple[str, ...], notes: Notes) -> str | None:
    """The first text at one of the paths, cut at 128 characters with a warning."""
    for path, value in present(tree, paths):
        if isinstance(value, str | Decimal):
            if len(str(value)) > TEXT_CHARS_MAX:
                notes.warn("text_cut", path)
            return str(value)[:TEXT_CHARS_MAX]
        notes.warn("unusable_text", path)
    return None


def mark(tree: Tree, path: str, notes: Notes) -> bool:
    """A yes or no at a path, also when it was sent as text or number; anything else is an error."""
    for _, value in present(tree, (path, f"metadata.{path}")):
        said = _MARKS.get(str(value).lower()) if isinstance(value, str | bool | Decimal) else None
        if said is None:
            notes.refuse(path, "invalid_mark", f"{path} is neither true nor false; send one of the two or leave it out")
        return bool(said)
    return False


def count(tree: Tree, path: str, notes: Notes) -> int | None:
    """A whole number from 0 on; anything else counts as absent, with a warning."""
    for _, value in present(tree, (path, f"metadata.{path}")):
        number = number_of(value)
        if number is not None and 0 <= number <= COUNT_MAX and number == int(number):
            return int(number)
        notes.warn("unusable_number", path)
        return None
    return None
