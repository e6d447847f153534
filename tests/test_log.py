"""The operator's log says each decision once, with its id and code, and never stops the process."""

import io
import json
import os
from datetime import date

import pytest

from oracle.inbox import Taken
from oracle.log import Log, LogSettings
from state.facts import Alerted, NounsRetired, SignalRefused
from state.inputs import TickReached
from state.record import Record

REFUSED = SignalRefused("sig-000001", "signal_stale", (), ())
TAKEN = Taken(7, 1_770_996_600_123_000_000, Record(TickReached(None), (REFUSED,)))


def lines(settings: LogSettings, *taken: Taken) -> list[str]:
    """What a log writes of some records."""
    stream = io.StringIO()
    log = Log(settings, stream)
    for one in taken:
        log.decided(one)
    log.close()
    return stream.getvalue().splitlines()


@pytest.mark.config_effect("log.format")
def test_a_decision_is_one_line() -> None:
    """As JSON for machines and as key=value for people: instant, record, id, code and words."""
    (line,) = lines(LogSettings(format="json"), TAKEN)
    told = json.loads(line)
    assert told.pop("words").startswith("sig-000001 refused, signal_stale")
    assert told == {
        "event": "SignalRefused",
        "level": "info",
        "time": "2026-02-13T15:30:00.123Z",
        "lsn": 7,
        "id": "sig-000001",
        "code": "signal_stale",
    }
    (text,) = lines(LogSettings(), TAKEN)
    assert text.startswith(
        "time=2026-02-13T15:30:00.123Z level=info event=SignalRefused id=sig-000001 code=signal_stale"
    )


@pytest.mark.config_effect("log.level")
def test_lines_below_the_level_are_left_out() -> None:
    """A refusal is information; what somebody should look at is a warning or an error."""
    look = Taken(8, TAKEN.seen_at, Record(TickReached(None), (Alerted("settlement_print_missing", "pos-000001"),)))
    assert len(lines(LogSettings(), TAKEN, look)) == 2
    (kept,) = lines(LogSettings(level="warning"), TAKEN, look)
    assert "level=error" in kept


def test_what_means_nothing_to_a_person_is_not_said() -> None:
    """Housekeeping is silent."""
    facts = (NounsRetired(date(2026, 2, 13), (), (), (), 0),)
    assert lines(LogSettings(), Taken(9, 0, Record(TickReached(None), facts))) == []


def test_invented_prices_are_named_in_every_decision() -> None:
    """A line about a decision says whose prices it was made on, where they are nobody's."""
    stream = io.StringIO()
    log = Log(LogSettings(format="json"), stream)
    log.market = "simulated"
    log.decided(TAKEN)
    log.close()
    assert json.loads(stream.getvalue())["market"] == "simulated"


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """A closed stream swallows its lines."""
    stream = io.StringIO()
    stream.close()
    log = Log(LogSettings(), stream)
    log.event("started", port=8080)
    log.close()


def test_a_log_that_nobody_reads_is_never_waited_for() -> None:
    """A full pipe holds up nobody; when it is read again, the next line says how many were lost."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as stream, os.fdopen(read_end) as reader:
        log = Log(LogSettings(), stream)
        for number in range(30_000):
            log.event("one of many", number=number)
        lines = iter(reader)
        while "number=9999" not in next(lines):
            pass
        log.event("the next")
        assert "lines_lost=" in next(line for line in lines if "the next" in line)
        log.close()
