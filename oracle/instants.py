"""Reads an instant that a person wrote. Deliberately absent: instants in alerts, whose senders write them in many ways."""

from datetime import UTC, datetime, timedelta

from state.errors import BadUsage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> int:
    """An ISO 8601 date and time with its zone, as ns UTC; raises BadUsage for anything else, a missing zone included."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadUsage(f"{text!r} is no instant; write it like 2026-02-13T15:30:00Z") from None
    if moment.tzinfo is None:
        raise BadUsage(f"{text!r} has no time zone; end it with Z, or an offset such as -05:00")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
