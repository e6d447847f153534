"""Contracts held to their end over odd days, by a real daemon: each settles at its own instant, on its own print, once."""

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import NamedTuple

import pytest

from state.facts import OrderCreated, OrderFilled, PositionSettled
from state.frames import Body
from state.order import Intent
from state.record import decode
from tests import bells
from tests.bells import SECOND
from tests.clock_laws import Laws, Wakes
from tests.clocks import INTERVAL_S, Act, Desk, Life, bodies_of, lived
from tests.daemons import SMALL

HOUR_S, DAY_S = 3_600.0, 86_400.0
# What is bought nearer to its expiry than its profile leaves at has no such exit: it is held to the end.
PATIENT = f"""{SMALL}
[pace]
interval_s = {INTERVAL_S}
[orders]
entry_timeout_s = 900
limit_offset_usd = 500
drift_pct_max = 1000
[wants]
strikes_each_side = 1
[gates]
open_positions_max = 30
positions_per_symbol_max = 30
exposure_usd_max = 1000000
exposure_pct_max = 100
daily_loss_usd_max = 1000000
[account]
cash_start_usd = 1000000
[profiles.short_dated]
entry_dte_min = 9
entry_dte_max = 14
exit_dte_min = 8
hold_hours_max = 0
[profiles.swing]
entry_dte_min = 1
entry_dte_max = 8
exit_dte_min = 0
"""


_LOOK = '"direction": "long", "timeframe": "5m", "profile": "swing"'


class Held(NamedTuple):
    """Contracts of some roots bought on one date at ten to three, and when each is settled, as a New Yorker says it."""

    bought: str
    expiry: str
    settles: dict[str, str]


CASES = {
    "over the night on which clocks go forward": Held(
        "2026-03-06", "2026-03-09", {"SPY": "03-09 16:15", "SPXW": "03-09 16:00"}
    ),
    "over the night on which clocks go back": Held(
        "2026-10-30", "2026-11-02", {"SPY": "11-02 16:15", "SPXW": "11-02 16:00"}
    ),
    "on the half day after Thanksgiving": Held(
        "2026-11-25", "2026-11-27", {"SPY": "11-27 13:15", "SPXW": "11-27 13:00", "AAPL": "11-27 13:00"}
    ),
    "on Christmas Eve, a half day and a Friday class": Held(
        "2026-12-22", "2026-12-24", {"SPY": "12-24 13:15", "SPXW": "12-24 13:00", "AAPL": "12-24 13:00"}
    ),
    "on the Thursday before Good Friday": Held(
        "2026-04-01", "2026-04-02", {"SPY": "04-02 16:15", "SPXW": "04-02 16:00", "AAPL": "04-02 16:00"}
    ),
    "in a month whose third Friday is a holiday": Held(
        "2026-06-17", "2026-06-18", {"SPX": "06-18 09:30", "SPXW": "06-18 16:00", "AAPL": "06-18 16:00"}
    ),
    "on a third Friday, in the morning and at the close": Held(
        "2026-03-19", "2026-03-20", {"SPX": "03-20 09:30", "SPXW": "03-20 16:00", "SPY": "03-20 16:15"}
    ),
    "on a leap day": Held("2024-02-28", "2024-02-29", {"SPY": "02-29 16:15", "SPXW": "02-29 16:00"}),
    "on the last day of a year": Held("2026-12-30", "2026-12-31", {"SPY": "12-31 16:15", "AAPL": "12-31 16:00"}),
    "over a long weekend and a change of the year": Held("2025-12-31", "2026-01-02", {"SPY": "01-02 16:15"}),
    "over a holiday Monday": Held("2026-02-13", "2026-02-17", {"SPY": "02-17 16:15", "SPXW": "02-17 16:00"}),
}


def settled(bodies: list[Body]) -> Iterator[tuple[str, int]]:
    """(root, instant) of every settlement."""
    roots = {}
    for body in bodies:
        for fact in decode(body.payload, body.schema).facts:
            if isinstance(fact, OrderFilled) and fact.fill.intent is Intent.OPEN:
                roots[fact.fill.position_id] = fact.fill.contract.root
            if isinstance(fact, PositionSettled):
                yield roots[fact.position_id], body.seen_at


def lived_through(tmp_path: Path, case: Held, end: tuple[Act, ...], patch: pytest.MonkeyPatch) -> list[Body]:
    """The records of a daemon that buys what a case names, one each, and then lives through an end."""
    symbols = dict.fromkeys("SPX" if root == "SPXW" else root for root in case.settles)
    script = (
        *(Act(1.0, "alert", (f'{{"symbol": "{one}", {_LOOK}}}',)) for one in symbols),
        Act(1.0, "ask", ("close", "all")),
        *(Act(60.0, "hold", (root, date.fromisoformat(case.expiry))) for root in case.settles),
        *end,
    )
    (tmp_path / "config.toml").write_text(PATIENT, "utf-8")
    begins = bells.instant(date.fromisoformat(case.bought), time(14, 50))
    desk = Desk(tmp_path / "desk", tmp_path / "config.toml", begins, 7)
    lived(desk, (Life(script),), patch)
    return bodies_of(desk.data)


@pytest.mark.parametrize("name", CASES)
def test_what_is_held_to_its_end_settles_at_its_instant(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a second early nor one late, and every law of sessions and days holds on the way."""
    case = CASES[name]
    days = (date.fromisoformat(case.expiry) - date.fromisoformat(case.bought)).days
    bodies = lived_through(tmp_path, case, (Act(days * DAY_S + 12 * HOUR_S, "nothing"),), monkeypatch)
    laws = Laws()
    wakes = Wakes(laws)
    for body in bodies:
        wakes.take(body)
    laws.end()
    assert list(settled(bodies)) == sorted(_instants(case), key=lambda one: one[1])


@pytest.mark.parametrize("by_s", [61.0, -61.0, 3 * DAY_S, -3 * DAY_S])
def test_what_expires_while_the_clock_is_not_believed_waits(
    tmp_path: Path, by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It settles in the second after the clocks agree again, on the print of its own close."""
    case = CASES["on a leap day"]
    # Bought by five to three; set wrong on the next day at noon, and right again at six.
    noon = 21 * HOUR_S
    end = (Act(noon, "jump", (by_s,)), Act(6 * HOUR_S, "jump", (-by_s,)), Act(HOUR_S, "nothing"))
    bodies = lived_through(tmp_path, case, end, monkeypatch)
    laws, halted = Laws(), []
    for body in bodies:
        before = "clock_jumped" in laws.portfolio.halts
        laws.take(body)
        halted += [body.seen_at] if before else []
    assert halted[-1] > max(at for _, at in _instants(case))
    agreed = halted[-1]
    assert {(root, (at - agreed) // SECOND) for root, at in settled(bodies)} == {("SPY", 1), ("SPXW", 1)}


def test_the_bells_of_a_half_day_ring_for_orders_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries end five minutes before one o'clock; at one a late root may still be left, any other at the next open."""
    case = Held("2026-12-23", "2026-12-31", {"SPY": "", "AAPL": ""})
    christmas_eve = date(2026, 12, 24)
    told = bells.instant(date(2026, 12, 23), time(14, 52, 3))
    five_to_one = bells.instant(christmas_eve, time(12, 55)) - told
    end = (
        Act(five_to_one / SECOND, "hold", ("SPY", date(2026, 12, 28))),
        Act(1.0, "hold", ("AAPL", date(2026, 12, 31))),
        Act(299.0, "ask", ("close", "all")),
        Act(5 * DAY_S, "nothing"),
    )
    laws, ordered = Laws(), []
    for body in lived_through(tmp_path, case, end, monkeypatch):
        orders = [one.order for one in laws.take(body).facts if isinstance(one, OrderCreated)]
        ordered += [(one.contract.root, one.intent, body.seen_at) for one in orders]
    assert [one for one in ordered if one[2] > told] == [
        ("SPY", Intent.OPEN, bells.instant(christmas_eve, time(12, 55))),
        ("SPY", Intent.CLOSE, bells.instant(christmas_eve, time(13))),
        ("AAPL", Intent.CLOSE, bells.instant(date(2026, 12, 28), time(9, 30))),
    ]


def _instants(case: Held) -> Iterator[tuple[str, int]]:
    for root, words in case.settles.items():
        at = datetime.strptime(f"{case.expiry[:4]}-{words}", "%Y-%m-%d %H:%M")
        yield root, bells.instant(at.date(), at.time())
