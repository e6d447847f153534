"""Calls that were turned away are counted in bounded memory, and what is kept of them holds no secret."""

from aiohttp.test_utils import make_mocked_request

from oracle.keys import Keys
from oracle.listener.refusals import PREVIEW_CHARS_MAX, Refusals
from oracle.listener.replies import Refused
from state.inputs import CallsRefused, RefusedCalls

WRONG, LARGE = Refused(401, "invalid_signature", "prove it"), Refused(413, "body_too_large", "send less")


def test_calls_are_counted_by_reason_with_their_first_and_last() -> None:
    """However many there are, one entry per reason and status; drained, the count begins anew."""
    refusals = Refusals(Keys())
    assert refusals.drain(5) is None
    for number in range(1_000):
        refusals.count(WRONG, f"POST /webhook {number}")
    refusals.count(LARGE, "POST /webhook")
    assert len(refusals) == 1_001
    assert refusals.drain(9) == CallsRefused(
        5,
        (
            RefusedCalls("body_too_large", 413, 1, "POST /webhook", "POST /webhook"),
            RefusedCalls("invalid_signature", 401, 1_000, "POST /webhook 0", "POST /webhook 999"),
        ),
    )
    assert refusals.drain(11) is None
    refusals.count(WRONG, "again")
    drained = refusals.drain(12)
    assert drained is not None
    assert drained.since == 11


def test_a_preview_is_short_printable_and_without_secrets() -> None:
    """Values of secret-like keys, our own secrets wherever they stand, and whatever follows the first part of a path."""
    refusals = Refusals(Keys(None, b"the-token-0123456789"))
    request = make_mocked_request("POST", "/webhook/the-token-0123456789/x?token=1")
    shown = refusals.preview(request, b'{"token": "guess", "note": "the-token-0123456789", "a": "\x00\xff\n"}')
    assert shown.startswith('POST /webhook/... {"token": "***", "note": "***", "a": "')
    assert shown.isprintable()
    assert "guess" not in shown
    assert len(refusals.preview(request, b"x" * 100_000)) == PREVIEW_CHARS_MAX
    assert refusals.preview(make_mocked_request("GET", "/the-token-0123456789")) == "GET /***"


def test_a_preview_can_always_be_journaled() -> None:
    """Bytes of a path that are no text come as half a pair of surrogates, which no journal can hold."""
    shown = Refusals(Keys()).preview(make_mocked_request("POST", "/\udcff\udcfe"))
    assert shown.encode()
