"""Alerts made of a tape by one written rule, and the configuration that its kind of days is traded under.

The rule knows nothing that a trader would not have known: a close beyond every close of the rows before it, told a second
after it was known; by the day, twenty minutes after the session, to be acted on at the next open.
"""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from oracle import sessions
from oracle.market.recording import Bars, Recording
from state.calendar import SECOND, Calendar, Session
from state.contract import Contract, Right
from tests.days import MODELS
from tests.recorded import Kind, Recorded, calendar_of, stamp

AFTER_SESSION = 1_200 * SECOND
CYCLE = 3


class Rule(NamedTuple):
    """A close beyond those of so many rows before it, at most once in so many seconds."""

    look_back: int
    apart_s: int
    timeframe: str


RULES = {Kind.MINUTE: Rule(15, 720, "1m"), Kind.HOUR: Rule(2, 0, "1h"), Kind.DAY: Rule(2, 0, "1d")}

HELD = {"stop": 0.01, "target": 3_000}
"""Levels that no contract reaches: what is bought on them stays to its expiration."""

ROOM = {
    "sizing": ["base_contracts = 2"],
    "gates": [
        "open_positions_max = 8",
        "positions_per_symbol_max = 8",
        "exposure_usd_max = 30_000",
        "exposure_pct_max = 60",
        "daily_loss_usd_max = 5_000",
    ],
    "orders": ["limit_offset_usd = 0.50"],
}
"""Room for some positions of two contracts each."""

PATIENCE = {
    Kind.MINUTE: {},
    Kind.HOUR: {"orders": ["entry_timeout_s = 3_700", "drift_pct_max = 50"]},
    Kind.DAY: {
        "session": ['closed_market_mode = "queue"'],
        "gates": ["spot_age_s_max = 345_600", "quote_age_s_max = 345_600"],
        "orders": ["entry_timeout_s = 28_800", "drift_pct_max = 50"],
    },
}
"""What rows so far apart ask of one who trades on them: an order waits for the next row, and by the day everything is
judged on the row before, be it four days old."""


def configuration(kind: Kind | None, model: str, profile: str) -> str:
    """A `config.toml` for a kind of days; without a kind, as shipped but for fill model and profile."""
    tables: dict[str, list[str]] = {"intake": [f'profile = "{profile}"'], "fills": [MODELS[model]]}
    for more in () if kind is None else (ROOM, PATIENCE[kind]):
        for name, keys in more.items():
            tables.setdefault(name, []).extend(keys)
    return "".join(f"[{name}]\n" + "\n".join(keys) + "\n" for name, keys in tables.items())


# -- alerts ---------------------------------------------------------------------------------------------------------


def alert_lines(one: Recorded, tape: Recording) -> list[str]:
    """The file of alerts of a set: the breakouts of its underlying, and its own lines."""
    bars = tape.bars.get(one.symbol)
    lines = [] if bars is None else [_line(at, body) for at, body in _alerts(one, tape, bars)]
    return [*lines, *one.lines]


def _line(at: int, body: dict[str, Any]) -> str:
    return json.dumps({"at": stamp(at), "source": "rule", "body": {**body, "timestamp": at // SECOND}})


def _alerts(one: Recorded, tape: Recording, bars: Bars) -> Iterator[tuple[int, dict[str, Any]]]:
    """(received at, body): in turn a view, a contract by its name, and a contract by its name to be held."""
    rule = RULES[one.kind]
    for number, (at, price, up) in enumerate(breakouts(one.kind, bars)):
        told = {"timeframe": rule.timeframe, "price": price / 1e6}
        view = {"symbol": one.symbol, "direction": "long" if up else "short", **told}
        contract = nearest(tape, at, price, Right.CALL if up else Right.PUT) if number % CYCLE else None
        if contract is None:
            yield at, view
            continue
        yield at, {"symbol": contract.occ, "action": "buy", **told, **(HELD if number % CYCLE == CYCLE - 1 else {})}


def breakouts(kind: Kind, bars: Bars) -> Iterator[tuple[int, int, bool]]:
    """(received at, close, whether upwards) of each close beyond the closes before it; within a day, of its session only."""
    rule, free_from = RULES[kind], 0
    rows = list(zip(bars.at.tolist(), bars.close.tolist(), strict=True))
    calendar = calendar_for(bars)
    for session, closes in _series(kind, rows, calendar):
        for number in range(rule.look_back, len(closes)):
            at, close = closes[number]
            before = [price for _, price in closes[number - rule.look_back : number]]
            up, down = close > max(before), close < min(before)
            if not (up or down) or at < free_from:
                continue
            free_from = at + rule.apart_s * SECOND
            told = at + SECOND if session is not None else calendar.session_at_or_before(at).close + AFTER_SESSION
            yield told, close, up


def calendar_for(bars: Bars) -> Calendar:
    """The sessions of all days of some bars, and a fortnight around them."""
    first, last = (date.fromisoformat(stamp(int(bars.at[place]))[:10]) for place in (0, -1))
    return sessions.build(first - timedelta(days=14), last + timedelta(days=14))


def _series(
    kind: Kind, rows: list[tuple[int, int]], calendar: Calendar
) -> Iterator[tuple[Session | None, list[tuple[int, int]]]]:
    """All days as one series, or each session's rows by themselves: no range reaches over a night, or over a split."""
    if kind is Kind.DAY:
        yield None, rows
        return
    every = {Kind.MINUTE: 60, Kind.HOUR: 3_600}[kind] * SECOND
    for session in calendar.sessions:
        inside = [row for row in rows if session.open < row[0] < session.close and row[0] % every == 0]
        if inside:
            yield session, inside


def nearest(tape: Recording, at: int, price: int, right: Right) -> Contract | None:
    """The nearest strike of the nearest expiration, of what was quoted in the twelve hours before an instant.

    What expires on the day itself counts while its session lasts.
    """
    quotes = tape.quotes
    day = date.fromisoformat(stamp(at)[:10])
    known = np.unique(quotes.code[(quotes.at <= at) & (quotes.at > at - 12 * 3_600 * SECOND)])
    listed = [one for one in (quotes.contracts[code] for code in known.tolist()) if one.right is right]
    session = calendar_of(day.year).session_on(day)
    in_session = session is not None and session.open < at < session.close
    alive = [one for one in listed if one.expiry > day or (one.expiry == day and in_session and not one.am_settled)]
    if not alive:
        return None
    first = min(one.expiry for one in alive)
    near = [one for one in alive if one.expiry == first]
    return min(near, key=lambda one: (abs(one.strike - price), one.am_settled, one.root))
