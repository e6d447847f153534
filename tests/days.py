"""Two recorded days of Google, 2015-12-23 and the half day after it: as a tape, as raw rows, and alerts made of the bars.

The raw rows are read with the csv module and their labels turned into ends by hand: they share nothing with the importer
and the tape that they judge.
"""

import asyncio
import csv
import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from oracle import backtest
from oracle.market.lean import ImportOptions, import_lean
from state.record import Record

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
EASTERN = timezone(timedelta(hours=-5))
"""New York in December."""

DAYS = ("20151223", "20151224")
EXPIRING = date(2015, 12, 24)
"""The half day. On the day before it only this chain was recorded, so that alerts of that day name its contracts."""

LOOK_BACK = 15
ALERTS_A_DAY = 8
APART = 12 * MINUTE
GRID = Decimal("2.5")
CONTRACT = ("root", "expiration", "right", "strike")

# Levels that the contracts do not reach, so that they stay to their end: two of them in the money, one out of it.
_TO_THE_END = {"action": "buy", "timeframe": "5m", "stop": 0.01, "target": 40}
NAMED = (
    ("2015-12-23 15:31:01", {"symbol": "GOOG151224C00755000", **_TO_THE_END}),
    ("2015-12-24 09:45:01", {"symbol": "GOOG151224C00740000", **_TO_THE_END}),
    ("2015-12-24 09:45:02", {"symbol": "GOOG151224P00755000", **_TO_THE_END}),
)
"""Alerts that name a contract of the expiring chain and what it is to leave at."""

OTHERS = (
    ("2015-12-24 10:05:02", {"symbol": "GOOG", "direction": "long", "timeframe": "1h", "profile": "swing"}),
    ("2015-12-24 10:15:01", {"symbol": "GOOG", "direction": "short", "timeframe": "5m", "is_test": True}),
    ("2015-12-24 12:56:02", {"symbol": "GOOG", "direction": "long", "timeframe": "30m"}),
    ("2015-12-25 10:30:00", {"symbol": "GOOG", "direction": "short", "timeframe": "15m"}),
)
"""One of the swing profile, one test signal, one too near the early close, and one on the holiday."""

MODELS = {
    "mid": 'model = "mid"',
    "adverse_pct": 'model = "adverse_pct"',
    "spread_fraction": 'model = "spread_fraction"',
    "harsh": 'model = "adverse_pct"\nadverse_pct = 6',
}
"""The fill models as lines of `[fills]`: as shipped, and one in which the percentage often exceeds half the spread."""

PROFILES = ("short_dated", "swing")


# -- raw rows -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """One recorded minute of the underlying, by its end (ns UTC), in dollars."""

    ended: int
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass
class Raw:
    """The rows as they stand in the files: bars by their end, and (bid, ask, bid size, ask size) by contract and end."""

    bars: dict[int, Bar] = field(default_factory=dict)
    quotes: dict[tuple[str, int], tuple[str, str, str, str]] = field(default_factory=dict)

    def side(self, occ: str, ended: int, *, buying: bool) -> tuple[Decimal, int]:
        """(price, displayed size) that a buyer, or a seller, faced in a row."""
        bid, ask, bid_size, ask_size = self.quotes[occ, ended]
        return (Decimal(ask), int(ask_size)) if buying else (Decimal(bid), int(bid_size))


@cache
def end_of(label: str) -> int:
    """The instant (ns UTC) at which the minute that starts at a New York label has ended."""
    starts = datetime.strptime(label, "%Y-%m-%d %H:%M:%S").replace(tzinfo=EASTERN)
    return int(starts.timestamp()) * SECOND + MINUTE


def read_raw(data_dir: Path) -> Raw:
    """Both days of both files."""
    raw = Raw()
    for day in DAYS:
        with (data_dir / f"bars/lean/goog_{day}_1min.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                ended = end_of(row["timestamp_et"])
                raw.bars[ended] = Bar(ended, Decimal(row["high"]), Decimal(row["low"]), Decimal(row["close"]))
        with gzip.open(data_dir / f"options/lean/goog_{day}_minute_quotes.csv.gz", "rt", newline="") as file:
            raw.quotes.update(_quotes(csv.reader(file)))
    return raw


def _quotes(rows: Iterator[list[str]]) -> Iterator[tuple[tuple[str, int], tuple[str, str, str, str]]]:
    place = {name: at for at, name in enumerate(next(rows))}
    when, what = itemgetter(place["date"], place["time_et"]), itemgetter(*(place[one] for one in CONTRACT))
    shown = itemgetter(*(place[one] for one in ("bid_close", "ask_close", "bid_size", "ask_size")))
    for row in rows:
        yield (_occ(*what(row)), end_of(" ".join(when(row)))), shown(row)


@cache
def _occ(root: str, expiration: str, right: str, strike: str) -> str:
    return f"{root}{expiration.replace('-', '')[2:]}{right}{int(Decimal(strike) * 1000):08d}"


# -- alerts ---------------------------------------------------------------------------------------------------------


def breakouts(raw: Raw, day: date, *, closes: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(received at, body): a close beyond the range of the bars before it, in regular hours, some time apart.

    Each is received one or two seconds after the end of its bar, and knows nothing later than that bar.
    """
    first, last = end_of(f"{day} 09:30:00"), end_of(f"{day} {closes}")
    bars = [bar for ended, bar in sorted(raw.bars.items()) if first <= ended < last]
    free_from, count = 0, 0
    for number, bar in enumerate(bars[LOOK_BACK:], LOOK_BACK):
        before = bars[number - LOOK_BACK : number]
        up, down = bar.close > max(one.high for one in before), bar.close < min(one.low for one in before)
        if (up or down) and bar.ended >= free_from and count < ALERTS_A_DAY:
            view = {"symbol": "GOOG", "direction": "long" if up else "short"}
            wanted = view if day == EXPIRING else {"symbol": at_the_money(bar.close, up=up), "action": "buy"}
            told = {"timeframe": "1m", "timestamp": bar.ended // SECOND, "price": float(bar.close)}
            yield bar.ended + (1 + count % 2) * SECOND, {**wanted, **told}
            free_from, count = bar.ended + APART, count + 1


def at_the_money(price: Decimal, *, up: bool) -> str:
    """The expiring call at or above a price, or the put at or below it, as an OCC symbol."""
    strike = math.ceil(price / GRID) * GRID if up else math.floor(price / GRID) * GRID
    return f"GOOG{EXPIRING:%y%m%d}{'C' if up else 'P'}{int(strike * 1000):08d}"


def alert_lines(raw: Raw) -> list[str]:
    """The file of alerts: the breakouts of both days, those that name contracts, the others, and an ask to close."""
    told = [*breakouts(raw, date(2015, 12, 23), closes="16:00:00"), *breakouts(raw, EXPIRING, closes="13:00:00")]
    for received, body in (*NAMED, *OTHERS):
        at = end_of(received) - MINUTE
        told.append((at, {**body, "timestamp": at // SECOND}))
    lines = [(at, json.dumps({"at": _stamp(at), "source": "rule", "body": body})) for at, body in told]
    asked = end_of("2015-12-25 11:00:00") - MINUTE
    lines.append((asked, json.dumps({"at": _stamp(asked), "close": "all", "reason": "on the holiday"})))
    return [line for _, line in sorted(lines)]


def _stamp(instant: int) -> str:
    return datetime.fromtimestamp(instant // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- runs -----------------------------------------------------------------------------------------------------------


def build_tape(data_dir: Path, out: Path) -> Path:
    """Import both days into a new directory."""
    quotes = [data_dir / f"options/lean/goog_{day}_minute_quotes.csv.gz" for day in DAYS]
    bars = {"GOOG": [data_dir / f"bars/lean/goog_{day}_1min.csv" for day in DAYS]}
    import_lean(quotes, bars, out, options=ImportOptions(rate=0.003, description="GOOG 2015-12-23 and 24"))
    return out


def configuration(model: str, profile: str) -> str:
    """A `config.toml`: room for some positions of a few contracts each, in a name with wide markets."""
    return (
        f'[intake]\nprofile = "{profile}"\n[fills]\n{MODELS[model]}\n[sizing]\nbase_contracts = 3\n'
        "[orders]\nlimit_offset_usd = 0.50\n[gates]\nopen_positions_max = 8\npositions_per_symbol_max = 8\n"
        "exposure_usd_max = 30000\nexposure_pct_max = 60\ndaily_loss_usd_max = 2500\n"
    )


@dataclass(frozen=True)
class Run:
    """One finished backtest: its data directory, its figures, and the records heard while it ran."""

    model: str
    profile: str
    out: Path
    figures: dict[str, Any]
    heard: tuple[tuple[Record, int], ...]


class Bench:
    """Runs each pair of fill model and profile once, on one tape with one file of alerts."""

    def __init__(self, data_dir: Path, root: Path) -> None:
        self.raw = read_raw(data_dir)
        self.tape = build_tape(data_dir, root / "tape")
        self.alerts = root / "alerts.jsonl"
        self.alerts.write_text("\n".join(alert_lines(self.raw)) + "\n", "utf-8")
        self._root = root
        self._runs: dict[tuple[str, str], Run] = {}

    def run(self, model: str, profile: str) -> Run:
        """The backtest of a fill model and a profile, run once however often it is asked for."""
        key = (model, profile)
        if key not in self._runs:
            self._runs[key] = self.run_into(self._root / f"{model}-{profile}", model, profile)
        return self._runs[key]

    def run_into(self, out: Path, model: str, profile: str) -> Run:
        """The same, run now into a new data directory."""
        config = out.with_suffix(".toml")
        config.write_text(configuration(model, profile), "utf-8")
        heard: list[tuple[Record, int]] = []
        job = backtest.Job(self.tape, self.alerts, out, config)
        figures = asyncio.run(backtest.run(job, heard=lambda record, seen_at: heard.append((record, seen_at))))
        return Run(model, profile, out, figures, tuple(heard))
