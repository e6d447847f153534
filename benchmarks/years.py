"""Made tapes of minutes for measurements: one underlying in waves, and few alerts, or many contracts that are all held."""

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from oracle import pricing, sessions
from oracle.pricing import Terms
from state.calendar import Session
from state.contract import Contract, Right

FIRST = date(2026, 1, 2)
MINUTE = 60 * 10**9
_WAVE, _DRIFT = 97.0, 2_011.0
_LABEL = 'format = 1\nsource = "simulated"\nrate = 0.04\n'
_HEADS = ("at,symbol,open,high,low,close,volume\n", "at,contract,bid,ask,bid_size,ask_size\n")
HELD_STRIKES = range(476, 726)
HELD_EXPIRIES = (date(2026, 1, 9), date(2026, 1, 16))


def make(directory: Path, *, days: int, sessions_apart: int = 1, alerts_a_day: int = 1) -> tuple[Path, Path]:
    """(tape, file of alerts) of so many sessions, some of them so far apart with alerts.

    All strikes within 20 $ are quoted in the first minute of a session, the six contracts nearest to the money each
    minute, and every quarter of an hour whatever was near the money before, until it expires.
    """
    calendar = sessions.build(FIRST, date(2027, 3, 31))
    tape, alerts = directory / "tape", directory / "alerts.jsonl"
    tape.mkdir(parents=True)
    (tape / "tape.toml").write_text(_LABEL)
    fridays = sorted({one.day for one in calendar.sessions if one.day.weekday() == 4})
    minutes, quoted = 0, dict[Contract, None]()
    with (
        (tape / "underlying.csv").open("w") as prices,
        (tape / "quotes.csv").open("w") as quotes,
        alerts.open("w") as said,
    ):
        prices.write(_HEADS[0])
        quotes.write(_HEADS[1])
        for number, session in enumerate(calendar.sessions[:days]):
            expiry = next(one for one in fridays if (one - session.day).days >= 7)
            quoted = {one: None for one in quoted if one.expiry >= session.day}
            for at in range(session.open + MINUTE, session.close + 1, MINUTE):
                minutes += 1
                spot = _spot(minutes)
                prices.write(f"{_text(at)},SPY,,,,{spot:.2f},\n")
                near = dict.fromkeys(_around(spot, 20 if at == session.open + MINUTE else 1, expiry))
                quoted.update(dict.fromkeys(_around(spot, 1, expiry)))
                told = near if minutes % 15 else near | quoted
                quotes.writelines(_quote(at, spot, one, session) for one in told)
            if number % sessions_apart == 0:
                said.writelines(_alerts(session, alerts_a_day))
    return tape, alerts


def make_held(directory: Path, *, days: int, strikes: range = HELD_STRIKES) -> tuple[Path, Path]:
    """(tape, file of alerts) of so many sessions, at most three. Every contract is bought in the first minutes and stays.

    All of them are quoted every minute, at a volatility of 50 %, and so nearly all change.
    """
    calendar = sessions.build(FIRST, date(2027, 3, 31))
    tape, alerts = directory / "tape", directory / "alerts.jsonl"
    tape.mkdir(parents=True)
    (tape / "tape.toml").write_text(_LABEL)
    held = [
        Contract("SPY", day, right, strike * 1_000_000)
        for day in HELD_EXPIRIES
        for strike in strikes
        for right in Right
    ]
    count = len(held)
    terms = Terms(
        spot=np.full(count, 600.0),
        strike=np.array([one.strike / 1e6 for one in held]),
        years=np.ones(count),
        rate=np.full(count, 0.04),
        dividend=np.zeros(count),
        sign=np.array([1.0 if one.right is Right.CALL else -1.0 for one in held]),
        american=np.ones(count, np.bool_),
    )
    expiry = np.array([calendar.expiry_instant(one) for one in held])
    first = calendar.sessions[0].open + 2 * MINUTE
    with (tape / "underlying.csv").open("w") as prices, (tape / "quotes.csv").open("w") as quotes:
        prices.write(_HEADS[0])
        quotes.write(_HEADS[1])
        minutes = [at for one in calendar.sessions[:days] for at in range(one.open + MINUTE, one.close + 1, MINUTE)]
        for number, at in enumerate(minutes):
            terms.spot[:], terms.years[:] = _spot(number), pricing.time_to_expiry(expiry, at)
            prices.write(f"{_text(at)},SPY,,,,{_spot(number):.2f},\n")
            mids, when = np.maximum(pricing.price(terms, np.full(count, 0.5)), 0.03).tolist(), _text(at)
            quotes.writelines(
                f"{when},{one.occ},{mid - 0.02:.2f},{mid + 0.02:.2f},50,50\n"
                for one, mid in zip(held, mids, strict=True)
            )
    levels = {"action": "buy", "timeframe": "5m", "timestamp": first // 10**9, "stop": 0.01, "target": 9_999}
    lines = ({"at": _text(first), "source": "bench", "body": {"symbol": one.occ, **levels}} for one in held)
    alerts.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    return tape, alerts


def _spot(minutes: int) -> float:
    return 600 + 6 * math.sin(minutes / _WAVE) + 12 * math.sin(minutes / _DRIFT)


def _around(spot: float, reach: int, expiry: date) -> list[Contract]:
    """Calls and puts at the strike nearest to a price, and so many strikes to each side."""
    middle = round(spot)
    strikes = range(middle - reach, middle + reach + 1)
    return [Contract("SPY", expiry, right, strike * 1_000_000) for strike in strikes for right in Right]


def _quote(at: int, spot: float, contract: Contract, session: Session) -> str:
    """A contract worth what is inside it and a little for time."""
    days = (contract.expiry - session.day).days + (session.close - at) / (session.close - session.open)
    inside = (spot - contract.strike / 1e6) * (1 if contract.right is Right.CALL else -1)
    mid = max(inside, 0.0) + 0.5 * math.sqrt(days) * math.exp(-abs(inside) / 8)
    return f"{_text(at)},{contract.occ},{max(mid - 0.02, 0.01):.2f},{mid + 0.02:.2f},50,50\n"


def _alerts(session: Session, count: int) -> list[str]:
    """So many alerts over a session, long and short by turns."""
    span = (session.close - session.open) // (count + 1) if count else 0
    lines = []
    for number in range(count):
        at = session.open + span * (number + 1) + 7 * 10**9
        body = {
            "symbol": "SPY",
            "direction": ("long", "short")[number % 2],
            "timeframe": "5m",
            "timestamp": at // 10**9,
        }
        lines.append(json.dumps({"at": _text(at), "source": "bench", "body": body}) + "\n")
    return lines


def _text(at: int) -> str:
    return datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
