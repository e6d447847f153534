"""Calls that were turned away are counted in bounded memory, and what is kept of them holds no secret."""

from collections.abc import Callable

import pytest
from aiohttp.test_utils import make_mocked_request

from oracle.keys import Keys
from oracle.listener.limits import ListenerSettings
from oracle.listener.listening import Listener
from oracle.listener.refusals import PREVIEW_CHARS_MAX, Refusals
from oracle.listener.replies import Refused
from state.inputs import CallsRefused, RefusedCalls
from tests.calling import StageDoor
from tests.test_spelling import escaped, percented

TOKEN, LONG = "the-token-0123456789", "Zk3v9Qw7Lx2Rt8Yb5Nc1Mf6Hd4Gs0JpAaUuEeIiOoKk"
TOKENED = Keys(None, TOKEN.encode())

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
    refusals = Refusals(TOKENED)
    request = make_mocked_request("POST", f"/webhook/{TOKEN}/x?token=1")
    shown = refusals.preview(request, b'{"token": "guess", "note": "the-token-0123456789", "a": "\x00\xff\n"}')
    assert shown.startswith('POST /webhook/... {"token": "***", "note": "***", "a": "')
    assert shown.isprintable()
    assert "guess" not in shown
    assert len(refusals.preview(request, b"x" * 100_000)) == PREVIEW_CHARS_MAX


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    "path", [f"/{TOKEN}", f"/{LONG}", f"/webhook{LONG}", f"/api/{LONG}", f"//{LONG}", f"/x?{LONG}"]
)
def test_a_path_that_is_not_ours_is_not_shown(method: str, path: str) -> None:
    """A sender who mistook the address has his token there, and a piece of it is too much."""
    for keys in (TOKENED, Keys(None, LONG.encode())):
        assert Refusals(keys).preview(make_mocked_request(method, path)) == f"{method} /..."


def test_a_method_that_is_none_is_not_shown() -> None:
    """Something else may stand in its place."""
    assert Refusals(TOKENED).preview(make_mocked_request(TOKEN, "/health")) == "... /health"


@pytest.mark.parametrize("keys", [Keys(None, LONG.encode()), Keys(LONG.encode(), None)])
@pytest.mark.parametrize("spell", [str, escaped, percented, lambda text: percented(escaped(text))])
def test_where_a_body_is_cut_no_beginning_of_a_secret_stays(keys: Keys, spell: Callable[[str], str]) -> None:
    """Wherever the secret stands, however it is spelled, and however much the masks before it shorten the text."""
    refusals, request = Refusals(keys), make_mocked_request("POST", "/webhook")
    for before in (0, 3, *range(900, 1_900, 7)):
        for filler in ("x" * before, "x" * (before % 50) + LONG * (before // 20)):
            shown = refusals.preview(request, (filler + spell(LONG) + "y" * 2_000).encode())
            assert not any(piece in shown for piece in (LONG[:4], spell(LONG)[:24], LONG[20:24])), (before, filler[:2])


def test_a_guess_in_utf_16_is_not_shown() -> None:
    """The letters of the value under a secret key, with the zero bytes between them."""
    shown = Refusals(Keys()).preview(make_mocked_request("POST", "/webhook"), '{"token": "guess"}'.encode("utf-16-le"))
    assert shown == 'POST /webhook {"token": "***"}'


def test_every_path_of_the_listener_is_shown() -> None:
    """What is asked for in vain where something answers says what went wrong."""
    listener = Listener(StageDoor(), Keys(), ListenerSettings(), health=dict)
    paths = {one.canonical for one in listener.app.router.resources()}
    shown = {one: Refusals(Keys()).preview(make_mocked_request("GET", one)) for one in paths}
    assert shown == {one: f"GET {one if '{' not in one and one[-1] != '/' else '/webhook/...'}" for one in paths}


def test_a_preview_can_always_be_journaled() -> None:
    """Bytes of a path that are no text come as half a pair of surrogates, which no journal can hold."""
    shown = Refusals(Keys()).preview(make_mocked_request("POST", "/\udcff\udcfe"))
    assert shown.encode()
