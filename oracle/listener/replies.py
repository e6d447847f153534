"""What callers are answered: every answer is JSON with a request id, and every fact about an alert has its answer.

Deliberately absent: the decision itself, which is a fact, and the counting of what is refused.
"""

from collections.abc import Mapping

import msgspec
from aiohttp import web

from oracle.ids import request_id as new_request_id
from rules import intake
from state.errors import LawBroken
from state.facts import AlertLogged
from state.reason import words
from state.record import Record

RETRY_AFTER_S = 5
HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Said here so that the library does not add its name and version.
    "Server": "oracle",
}

_NAMES = {400: "REJECTED", 401: "REJECTED", 404: "REJECTED", 405: "REJECTED", 413: "REJECTED", 417: "REJECTED"}
_ACCEPTED = "the alert was received and its signal is queued for a decision"
_FAILED = "the alert could not be judged; look into the log of the program before it is sent again"


class Refused(msgspec.Struct, frozen=True):
    """A call that is answered without being an alert: HTTP status, code of the reason, and words with the remedy."""

    status: int
    code: str
    error: str


class Answer(msgspec.Struct, frozen=True):
    """What an alert is answered: HTTP status and the fields of the body."""

    status: int
    fields: dict[str, object]


def reply(
    status: int,
    fields: Mapping[str, object],
    *,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An answer of these fields as JSON, with the headers that all answers have and the id of its call."""
    body = msgspec.json.encode({**fields, "request_id": request_id or new_request_id()})
    return web.Response(body=body, status=status, headers={**HEADERS, **(headers or {})})


def refusal(
    refused: Refused, *, request_id: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The answer to a call that was refused; where trying again helps, it says when."""
    fields = {"status": _NAMES.get(refused.status, "ERROR"), "error": refused.error, "code": refused.code}
    more = dict(headers or {})
    if refused.status == 503:
        more["Retry-After"] = str(RETRY_AFTER_S)
    if refused.status == 401:
        more["WWW-Authenticate"] = "Bearer"
    return reply(refused.status, fields, request_id=request_id, headers=more)


def logged_in(record: Record) -> AlertLogged:
    """What the record of an alert says of it. Raises LawBroken when it says nothing."""
    for fact in record.facts:
        if isinstance(fact, AlertLogged):
            return fact
    raise LawBroken("the record of an alert says nothing about it")


def answer(logged: AlertLogged) -> Answer:
    """What the sender of an alert is told: the status tells accepted (201), repeated or ignored (200) and refused apart."""
    about: dict[str, object] = {"webhook_event_id": logged.event_id}
    tested: dict[str, object] = {"is_test": logged.is_test, "test_session_id": logged.test_session}
    code, faults = logged.code, logged.errors
    match logged.status:
        case intake.ACCEPTED:
            told = {"status": "ACCEPTED", "message": _ACCEPTED, "signal_id": logged.signal_id}
            return Answer(201, {**told, **about, **tested})
        case intake.DUPLICATE:
            told = {"status": "DUPLICATE", "message": words(code), "signal_id": logged.signal_id}
            return Answer(200, {**told, "code": code, **about, **tested})
        case intake.IGNORED:
            told = {"status": "IGNORED", "message": faults[0].message if faults else words(code)}
            return Answer(200, {**told, "code": code, **about})
        case intake.INVALID_PAYLOAD:
            details = [{"field": one.field, "message": one.message, "code": one.code} for one in faults]
            told = {"status": "REJECTED", "error": "Invalid payload"}
            return Answer(400, {**told, "code": code, "details": details, **about})
        case _:
            return Answer(500, {"status": "ERROR", "error": _FAILED, "code": code, **about})
