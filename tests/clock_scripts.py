"""What happens in a storm of clocks, drawn from a seed: alerts round the bells of odd days, and what clocks can do to them."""

import random
from collections.abc import Iterator
from datetime import date, time
from typing import NamedTuple

from tests import bells
from tests.bells import SECOND
from tests.clocks import INTERVAL_S, Act, Life
from tests.daemons import SMALL

HOUR_S, DAY_S = 3_600, 86_400
WINDOWS = {
    "spring forward": date(2026, 3, 5),
    "fall back": date(2026, 10, 29),
    "fall back, three days before an election": date(2028, 11, 2),
    "Good Friday": date(2026, 3, 31),
    "a monthly expiration on a holiday": date(2026, 6, 16),
    "Independence Day's eve": date(2025, 7, 1),
    "the day after Thanksgiving": date(2026, 11, 24),
    "Christmas Eve": date(2026, 12, 21),
    "the change of the year": date(2026, 12, 29),
    "a new year on a Saturday": date(2027, 12, 29),
    "a leap day with a session": date(2024, 2, 27),
    "a leap day on a Saturday": date(2020, 2, 26),
    "a day of mourning": date(2025, 1, 7),
    "a monthly expiration": date(2026, 3, 17),
    "a holiday Monday": date(2026, 2, 12),
}
"""The days on which each kind of storm begins."""

_DAYS = 9
_JUMPS_S = (3, 10, 61, 600, HOUR_S, 2 * HOUR_S, 9 * HOUR_S, DAY_S, 3 * DAY_S)
_DOWN_S = (1, 60, HOUR_S, 20 * HOUR_S)
_BEHIND_S = (0, 0, 1, 60, HOUR_S, 3 * DAY_S, 100 * DAY_S, 20_000 * DAY_S)
_SYMBOLS = ("SPY", "SPX", "SPX", "AAPL")
_PROFILES = ("short_dated", "short_dated", "swing")


class Weather(NamedTuple):
    """A drawn storm: when it begins, its configuration, and the lives of the process in it."""

    name: str
    begins: int
    config: str
    lives: tuple[Life, ...]


def weather(seed: int, *, crooked: bool) -> Weather:
    """The storm of a seed, in which clocks go wrong or go right."""
    rng = random.Random(f"{seed} {crooked}")
    name, first = list(WINDOWS.items())[seed % len(WINDOWS)]
    begins = bells.instant(first, time(9, rng.choice((0, 31, 45))))
    return Weather(name, begins, _config(rng), tuple(_lives(rng, begins, crooked=crooked)))


def _config(rng: random.Random) -> str:
    mode = rng.choice(("queue", "queue", "decision_only"))
    return f"""{SMALL}
[pace]
interval_s = {INTERVAL_S}
[session]
closed_market_mode = "{mode}"
allow_premarket = {rng.choice(("true", "false"))}
[orders]
entry_timeout_s = {rng.choice((60, 900, 900))}
limit_offset_usd = 5
drift_pct_max = 100
[gates]
open_positions_max = 30
positions_per_symbol_max = 30
exposure_usd_max = 1000000
exposure_pct_max = 100
daily_loss_usd_max = 1000000
[account]
cash_start_usd = 1000000
[wants]
strikes_each_side = 1
chain_interval_s = 1800
[profiles.short_dated]
entry_dte_min = 1
entry_dte_max = 5
exit_dte_min = 0
hold_hours_max = {rng.choice((0, 3, 26, 72))}
[profiles.swing]
entry_dte_min = 3
entry_dte_max = 10
exit_dte_min = {rng.choice((1, 2))}
hold_hours_max = 0
"""


# -- lives --------------------------------------------------------------------------------------------------------------


def _lives(rng: random.Random, begins: int, *, crooked: bool) -> Iterator[Life]:
    """Some lives, the last of which ends after the days of the storm."""
    at, end = begins, begins + _DAYS * DAY_S * SECOND
    down, behind = 0.0, 0.0
    while at < end:
        # A clock that was wrong at the start is set right within the hour, most of the time.
        acts = [Act(float(rng.choice((1, 600, HOUR_S))), "set_right")] if behind and rng.random() < 0.8 else []
        ends = min(end, at + rng.choice((1, 2, 4, 20)) * DAY_S * SECOND if crooked else end)
        while at < ends:
            following = _moment(rng, at)
            acts += _acts(rng, (following - at) / SECOND, crooked=crooked)
            at = following
        acts.append(Act(float(INTERVAL_S), "nothing"))
        yield Life(tuple(acts), down, -behind)
        down, behind = float(rng.choice(_DOWN_S)), float(rng.choice(_BEHIND_S))
        at += round((down + INTERVAL_S) * SECOND)


def _moment(rng: random.Random, at: int) -> int:
    """Some later instant: soon, round a bell, within a session, or at any hour."""
    kind = rng.random()
    if kind < 0.35:
        return at + rng.choice((0, 1, 5, 59, 61, 119)) * SECOND
    found = next(one for one in _from(at) if one.close > at)
    # Few sessions end early: what happens round their bells is looked for.
    if kind < (0.8 if found.early else 0.6):
        bell = rng.choice((found.open, found.close, found.close + 900 * SECOND, bells.instant(found.day, time(0))))
        moment = bell + rng.choice((-301, -300, -60, -1, 0, 1, 60, 600)) * SECOND
    elif kind < 0.9:
        moment = found.open + rng.randrange((found.close - found.open) // SECOND) * SECOND
    else:
        moment = at + rng.randrange(1, 20 * HOUR_S) * SECOND
    return moment if moment > at else at + 7 * SECOND


def _from(at: int) -> Iterator[bells.Bells]:
    day = bells.date_of(at)
    while True:
        if (found := bells.bells(day)) is not None:
            yield found
        day += bells.DAY


# -- acts ---------------------------------------------------------------------------------------------------------------


def _acts(rng: random.Random, after_s: float, *, crooked: bool) -> Iterator[Act]:
    """What happens at an instant; a wrong clock is often set right, or taken for right, some time later."""
    if not crooked or rng.random() < 0.7:
        yield _said(rng, after_s)
        return
    match rng.choice(("jump", "jump", "jump", "jump_amid", "sleep", "freeze", "drift", "set_right", "resume")):
        case "drift":
            yield Act(after_s, "drift", (rng.choice((0.95, 0.999, 1.0001, 1.05)),))
            yield Act(float(rng.choice((30, 300))), "drift", (1.0,))
        case "set_right":
            yield Act(after_s, "set_right")
        case "resume":
            yield Act(after_s, "ask", ("resume",))
        case "sleep" | "freeze" as name:
            yield Act(after_s, name, (float(rng.choice(_JUMPS_S)),))
        case name:
            yield Act(after_s, name, (float(rng.choice((-1, 1)) * rng.choice(_JUMPS_S)),))
            if rng.random() < 0.85:
                yield _settled(rng)


def _settled(rng: random.Random) -> Act:
    after_s = float(rng.choice((0, 1, 300, HOUR_S)))
    return Act(after_s, "ask", ("resume",)) if rng.random() < 0.5 else Act(after_s, "set_right")


def _said(rng: random.Random, after_s: float) -> Act:
    """An alert, most of the time; else the operator."""
    kind = rng.random()
    if kind < 0.4:
        symbol, profile = rng.choice(_SYMBOLS), rng.choice(_PROFILES)
        way, frame = rng.choice(("long", "short")), rng.choice(("5m", "15m", "1h"))
        fields = f'"direction": "{way}", "timeframe": "{frame}", "profile": "{profile}"'
        return Act(after_s, "alert", (f'{{"symbol": "{symbol}", {fields}}}',))
    if kind < 0.8:
        return Act(after_s, "named", (rng.randrange(10_000), rng.choice((0.01, 0.01, 0.5))))
    ask, about = rng.choice((("close", "all"), ("resume", ""), ("resume", "")))
    return Act(after_s, "ask", (ask, about))
