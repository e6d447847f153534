"""Every fact about an alert has one answer, and every answer looks alike from outside."""

import json
import re

import pytest

from oracle.listener import replies
from oracle.listener.replies import Refused
from state.alert import FieldError
from state.errors import LawBroken
from state.facts import Alerted, AlertLogged
from state.inputs import AlertReceived
from state.record import Record

FAULTS = (FieldError("symbol", "missing_symbol", "add symbol"), FieldError("body", "x", "mend it"))


@pytest.mark.parametrize(
    ("logged", "status", "fields"),
    [
        (
            AlertLogged("evt-1", "accepted", signal_id="sig-1", is_test=True, test_session="s"),
            201,
            {"status": "ACCEPTED", "signal_id": "sig-1", "is_test": True, "test_session_id": "s"},
        ),
        (
            AlertLogged("evt-1", "duplicate", code="duplicate_window", signal_id="sig-1"),
            200,
            {"status": "DUPLICATE", "code": "duplicate_window", "signal_id": "sig-1", "is_test": False},
        ),
        (
            AlertLogged("evt-1", "ignored", code="exit_alert"),
            200,
            {"status": "IGNORED", "code": "exit_alert", "message": "the alert asks to leave a position"},
        ),
        (
            AlertLogged("evt-1", "ignored", code="ping", errors=(FieldError("body", "ping", "heard"),)),
            200,
            {"status": "IGNORED", "code": "ping", "message": "heard"},
        ),
        (
            AlertLogged("evt-1", "invalid_payload", code="missing_symbol", errors=FAULTS),
            400,
            {
                "status": "REJECTED",
                "error": "Invalid payload",
                "details": [
                    {"field": "symbol", "message": "add symbol", "code": "missing_symbol"},
                    {"field": "body", "message": "mend it", "code": "x"},
                ],
            },
        ),
        (
            AlertLogged("evt-1", "error", code="processing_failed"),
            500,
            {"status": "ERROR", "code": "processing_failed"},
        ),
    ],
)
def test_every_status_of_an_alert_has_its_answer(logged: AlertLogged, status: int, fields: dict[str, object]) -> None:
    """The HTTP status tells a new signal from a repeated one, and the event is always named."""
    told = replies.answer(logged)
    assert told.status == status
    assert told.fields.items() >= (fields | {"webhook_event_id": "evt-1"}).items()


def test_the_fact_about_an_alert_is_found_in_its_record() -> None:
    """Wherever it stands; a record without one breaks a law."""
    told, logged = AlertReceived("{}", "webhook"), AlertLogged("evt-1", "accepted")
    assert replies.logged_in(Record(told, (Alerted("ping", "x"), logged))) is logged
    with pytest.raises(LawBroken, match="says nothing"):
        replies.logged_in(Record(told, ()))


def test_every_answer_is_json_with_an_id_and_the_same_headers() -> None:
    """Nothing is cached, sniffed, framed, or says which software answers."""
    one, other = replies.reply(200, {"status": "OK"}), replies.refusal(Refused(503, "inbox_full", "wait"))
    for answer in (one, other):
        body = json.loads(answer.body)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["request_id"])
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "aiohttp" not in answer.headers["Server"]
    assert other.headers["Retry-After"] == "5"
    assert json.loads(replies.reply(200, {}, request_id="mine").body) == {"request_id": "mine"}


@pytest.mark.parametrize(("status", "name"), [(401, "REJECTED"), (413, "REJECTED"), (404, "REJECTED"), (503, "ERROR")])
def test_a_refusal_names_whose_fault_it_is(status: int, name: str) -> None:
    """The caller's is rejected, ours is an error; code and remedy stand beside it."""
    body = json.loads(replies.refusal(Refused(status, "a_code", "do this")).body)
    assert (body["status"], body["code"], body["error"]) == (name, "a_code", "do this")
