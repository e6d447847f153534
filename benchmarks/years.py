"""A made tape of minutes for measurements, as long as wanted: one underlying in waves, calls and puts, alerts now and then."""

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path

from oracle import sessions
from state.calendar import Session
from state.contract import Contract, Right

FIRST = date(2026, 1, 2)
MINUTE = 60 * 10**9
_WAVE, _DRIFT = 97.0, 2_011.0


def make(directory: Path, *, days: int, alerts_a_day: int) -> tuple[Path, Path]:
    """(tape, file of alerts) of so many sessions.

    All strikes within 20 $ are quoted in the first minute of a session, the six contracts nearest to the money each
    minute, and every five minutes whatever was near the money before, until it expires.
    """
    calendar = sessions.build(FIRST, date(2027, 3, 31))
    tape, alerts = directory / "tape", directory / "alerts.jsonl"
    tape.mkdir(parents=True)
    (tape / "tape.toml").write_text('format = 1\nsource = "simulated"\nrate = 0.04\n')
    fridays = sorted({one.day for one in calendar.sessions if one.day.weekday() == 4})
    minutes, quoted = 0, dict[Contract, None]()
    with (
        (tape / "underlying.csv").open("w") as prices,
        (tape / "quotes.csv").open("w") as quotes,
        alerts.open("w") as said,
    ):
        prices.write("at,symbol,open,high,low,close,volume\n")
        quotes.write("at,contract,bid,ask,bid_size,ask_size\n")
        for session in calendar.sessions[:days]:
            expiry = next(one for one in fridays if (one - session.day).days >= 7)
            quoted = {one: None for one in quoted if one.expiry >= session.day}
            for at in range(session.open + MINUTE, session.close + 1, MINUTE):
                minutes += 1
                spot = 600 + 6 * math.sin(minutes / _WAVE) + 12 * math.sin(minutes / _DRIFT)
                prices.write(f"{_text(at)},SPY,,,,{spot:.2f},\n")
                near = _around(spot, 1, expiry)
                quoted.update(dict.fromkeys(near))
                listed = _around(spot, 20, expiry) if at == session.open + MINUTE else near
                quotes.writelines(
                    _quote(at, spot, one, session)
                    for one in (listed if minutes % 5 else {**dict.fromkeys(listed), **quoted})
                )
            said.writelines(_alerts(session, alerts_a_day))
    return tape, alerts


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
