"""Recorded alert bodies of many senders, posted as they were: read as without the wire, and nothing else becomes a signal."""

import asyncio
from pathlib import Path
from typing import Any

from oracle.keys import Keys
from state.alert import BadAlert, Entry, ExitAlert, NotEntry, Reading
from state.facts import AlertLogged
from tests.calling import TOKEN, Front, StageDoor, Told, listening
from tests.stage import Stage
from tests.test_reading_recorded import LATE, payloads

AT_ONCE = 16
LATE_DAY = "2027-01-15"
"""The New York date of LATE."""

DAMAGED_SECRETS = {"mu039"}
"""Bodies whose first damage stands in a secret: the mask takes it out with the secret, and the rest is read."""


async def answers(front: Front, rows: list[dict[str, Any]]) -> list[Told]:
    """What each recorded body is answered, some of them posted at the same time."""
    told: list[Told] = []
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        posted = [
            front.post(
                row["body"], X_Webhook_Token=TOKEN.decode(), Content_Type=row["content_type_hint"] or "text/plain"
            )
            for row in some
        ]
        told += await asyncio.gather(*posted)
    return told


def said(found: Reading) -> tuple[str, str | None, list[tuple[str, str]]]:
    """The answer a reading asks for: its status, its code, and the faults by field and code."""
    match found:
        case Entry():
            return "ACCEPTED", None, []
        case ExitAlert():
            return "IGNORED", found.code, []
        case NotEntry():
            refused = found.code == "not_an_entry"
            return "REJECTED" if refused else "IGNORED", found.code, [("body", found.code)] if refused else []
        case BadAlert():
            return "REJECTED", found.errors[0].code, [(one.field, one.code) for one in found.errors]


async def test_recorded_bodies_are_answered_as_they_are_read(data_dir: Path) -> None:
    """Masking and the wire change no reading; no answer is a failure of ours, and a signal is always an entry."""
    rows = list(payloads(data_dir))
    door = StageDoor(Stage(LATE_DAY), now=LATE)
    async with listening(door, Keys(None, TOKEN)) as front:
        told = await answers(front, [row for row, _ in rows])
        assert front.refused() == []
    logged = {one.event_id: one for one in door.stage.of(AlertLogged)}
    accepted = 0
    for (row, found), answer in zip(rows, told, strict=True):
        status, code, faults = said(found)
        assert answer.status < 500, row["id"]
        if row["id"] in DAMAGED_SECRETS:
            assert (answer.status, status) == (400, "REJECTED")
            continue
        got = (answer.body["status"], answer.body.get("code"))
        assert got == (status, code) or (got[0], status) == ("DUPLICATE", "ACCEPTED"), row["id"]
        assert [(one["field"], one["code"]) for one in answer.body.get("details", [])] == faults, row["id"]
        event = logged[answer.body["webhook_event_id"]]
        if isinstance(found, Entry):
            assert row["expected"].get("intent") == "entry", row["id"]
            assert (event.symbol, event.direction, event.timeframe) == (found.symbol, found.direction, found.timeframe)
            accepted += got[0] == "ACCEPTED"
    assert accepted == len(door.stage.portfolio.signals)
    assert accepted >= 10
