"""An alert goes in through the socket and comes back as an answer, once what was decided of it is on disk."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from oracle.inbox import InboxSettings
from oracle.keys import Keys
from oracle.listener import webhook
from oracle.loop import Loop
from rules import intake
from state.disk import Disk
from state.errors import DiskFailed
from state.facts import AlertLogged
from state.inputs import AlertReceived
from state.journal import read
from state.record import decode
from tests.calling import (
    HALF_PAST_TEN,
    SIGNING_KEY,
    TOKEN,
    DurableDoor,
    InboxDoor,
    StageDoor,
    Told,
    listening,
    request,
    until,
)
from tests.test_acceptance import SPY

FIELDS = {"status", "message", "signal_id", "request_id", "webhook_event_id", "processing_time_ms", "is_test"}


def journaled(directory: Path) -> list[tuple[AlertReceived, AlertLogged]]:
    """Every alert in a journal with what was logged of it."""
    records = (decode(body.payload, body.schema) for body in read(Disk(), directory))
    alerts = [one for one in records if isinstance(one.input, AlertReceived)]
    return [(one.input, next(fact for fact in one.facts if isinstance(fact, AlertLogged))) for one in alerts]


# -- the published scenarios ----------------------------------------------------------------------------------------


@pytest.mark.produces("duplicate_content")
async def test_the_published_alert_is_accepted_once(tmp_path: Path) -> None:
    """Signed, accepted, pending, durable before it is answered; the second delivery is the first signal's duplicate."""
    body = json.dumps(SPY).encode()
    signature = f"sha256={hmac.new(SIGNING_KEY, body, hashlib.sha256).hexdigest()}"
    door = DurableDoor(tmp_path / "journal")
    async with listening(door, Keys(SIGNING_KEY, TOKEN)) as front:
        first = await front.post(body, X_Webhook_Signature=signature)
        durable = door.writer.durable_lsn
        again = await front.post(body, X_Webhook_Signature=signature)
    door.close()
    assert (first.status, first.body["status"], set(first.body)) == (201, "ACCEPTED", FIELDS | {"test_session_id"})
    assert (first.body["is_test"], first.body["processing_time_ms"] < 1_000) == (False, True)
    assert (again.status, again.body["status"], again.body["code"]) == (200, "DUPLICATE", "duplicate_content")
    assert again.body["signal_id"] == first.body["signal_id"]
    assert again.body["request_id"] != first.body["request_id"]
    (signal,) = door.core.portfolio.signals.values()
    assert (signal.id, str(signal.phase)) == (first.body["signal_id"], "pending")
    assert signal.entry.signal_hash.startswith("3783b062")
    assert signal.entry.signal_hash.endswith("edec4decfa")
    (told, logged), (_, other) = journaled(tmp_path / "journal")
    assert (told.source, told.request_id, durable) == ("webhook", first.body["request_id"], 3)
    assert (logged.status, logged.event_id) == ("accepted", first.body["webhook_event_id"])
    assert (other.status, other.signal_id) == ("duplicate", signal.id)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ("{price: 595.42}", {"body": "body_not_json"}),
        (
            '{"price": 595.42}',
            {"symbol": "missing_symbol", "direction": "missing_direction", "timeframe": "missing_timeframe"},
        ),
    ],
)
async def test_an_invalid_alert_leaves_only_its_event(body: str, fields: dict[str, str]) -> None:
    """400 with every fault at once, each with a remedy; no signal, and the event names the answer."""
    door = StageDoor()
    async with listening(door) as front:
        answer = await front.post(body)
    assert (answer.status, answer.body["status"], answer.body["error"]) == (400, "REJECTED", "Invalid payload")
    assert {one["field"]: one["code"] for one in answer.body["details"]} == fields
    assert all(one["message"] for one in answer.body["details"])
    assert door.stage.portfolio.signals == {}
    assert door.stage.last(AlertLogged).event_id == answer.body["webhook_event_id"]
    assert door.stage.last(AlertLogged).status == "invalid_payload"


# -- every other answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "name", "code"),
    [
        ({"ticker": "SPY", "action": "close"}, 200, "IGNORED", "exit_alert"),
        ({"event": "ping"}, 200, "IGNORED", "ping"),
        ({"symbol": "SPY", "trend": "up", "timeframe": "5m"}, 400, "REJECTED", "not_an_entry"),
        ("", 400, "REJECTED", "body_empty"),
        (b"\x00\x01\x02\x1f\x7f", 400, "REJECTED", "body_not_json"),
        ("[]", 400, "REJECTED", "body_not_object"),
        ("{" * 40, 400, "REJECTED", "body_not_json"),
        ('{"a":' * 40 + "1" + "}" * 40, 400, "REJECTED", "body_too_deep"),
        ('{"a": ' + "[" * 50_000, 400, "REJECTED", "body_too_deep"),
        ('{"symbol": "SPY", "price": 1e999}', 400, "REJECTED", "number_out_of_range"),
        ("SPY, 5 - Buy Signal", 201, "ACCEPTED", None),
    ],
)
async def test_every_proven_call_is_an_event(body: Any, status: int, name: str, code: str | None) -> None:
    """Whatever it holds it is journaled, and answered by what was read in it."""
    door = StageDoor()
    async with listening(door, Keys(None, TOKEN)) as front:
        answer = await front.post(body, X_Webhook_Token=TOKEN.decode())
        assert front.refused() == []
    assert (answer.status, answer.body["status"], answer.body.get("code")) == (status, name, code)
    assert door.stage.last(AlertLogged).event_id == answer.body["webhook_event_id"]
    assert answer.body["request_id"] == door.alerts[0].request_id


async def test_a_test_alert_is_told_so() -> None:
    """Its mark and its session come back with the answer."""
    async with listening(StageDoor()) as front:
        answer = await front.post(SPY | {"is_test": True, "test_session_id": "morning"})
    assert (answer.body["is_test"], answer.body["test_session_id"]) == (True, "morning")


@pytest.mark.produces("duplicate_window")
async def test_a_like_alert_is_told_which_signal_it_repeats() -> None:
    """Without a timestamp of its own, within the window."""
    async with listening(StageDoor()) as front:
        said = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
        first, again = await front.post(said), await front.post(said)
    assert (again.status, again.body["code"]) == (200, "duplicate_window")
    assert again.body["signal_id"] == first.body["signal_id"]


@pytest.mark.produces("processing_failed")
async def test_an_alert_that_cannot_be_judged_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that fails is told as 500 with the event's number; the next alert is judged again."""
    async with listening(StageDoor()) as front:
        with monkeypatch.context() as broken:
            broken.setattr(intake.reading, "read", None)
            answer = await front.post(SPY)
        assert (answer.status, answer.body["status"], answer.body["code"]) == (500, "ERROR", "processing_failed")
        assert answer.body["webhook_event_id"]
        assert (await front.post(SPY)).status == 201


# -- no room, no disk, no time --------------------------------------------------------------------------------------


@pytest.mark.produces("inbox_full")
async def test_a_full_inbox_asks_to_come_again() -> None:
    """503 with the code and a time, before anything is numbered; it is counted with the beginning of its body."""
    door = InboxDoor(InboxSettings(alerts_max=1))
    async with listening(door) as front:
        waits = asyncio.create_task(front.post(SPY))
        await until(lambda: len(door.inbox) == 1)
        answer = await front.post(SPY)
        assert (answer.status, answer.body["status"], answer.body["code"]) == (503, "ERROR", "inbox_full")
        assert answer.headers["retry-after"] == "5"
        (kept,) = front.listener.refusals.drain(HALF_PAST_TEN).calls
        assert (kept.reason, kept.status, kept.count, kept.first[:23]) == (
            "inbox_full",
            503,
            1,
            'POST /webhook {"symbol"',
        )
        door.inbox.take().answer.cancel()
        await waits


@pytest.mark.produces("storage_low", "stopping")
@pytest.mark.parametrize("code", ["storage_low", "stopping"])
async def test_a_closed_inbox_asks_to_come_again(code: str) -> None:
    """503 with the code and the words it was closed with."""
    door = InboxDoor()
    door.inbox.close(code, "come back later")
    async with listening(door) as front:
        answer = await front.post(SPY)
        assert (answer.status, answer.body["code"], answer.body["error"]) == (503, code, "come back later")
        assert front.refused() == [(code, 503, 1)]


@pytest.mark.parametrize("lost", [DiskFailed("the disk is gone"), None])
async def test_an_answer_that_never_comes_is_no_silence(lost: DiskFailed | None) -> None:
    """A disk that failed under a waiting alert, and an answer that was given up: 503, so that it is sent again."""
    door = InboxDoor()
    async with listening(door) as front:
        waits = asyncio.create_task(front.post(SPY))
        await until(lambda: len(door.inbox) == 1)
        answer = door.inbox.take().answer
        if lost is None:
            answer.cancel()
        else:
            answer.set_exception(lost)
        told = await waits
    assert (told.status, told.body["code"], told.headers["retry-after"]) == (503, "stopping", "5")


# -- secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(SPY | {"token": TOKEN.decode()}),
        json.dumps(SPY | {"token": TOKEN.decode(), "tok": f"again {TOKEN.decode()}"}),
        json.dumps(SPY | {"token": TOKEN.decode()})[:-1] + ",}",
        f"SPY, 5 - Buy with {TOKEN.decode()}",
        b'{"token": "' + TOKEN + b'", "x": "\xff"}',
    ],
)
async def test_secrets_never_reach_the_journal(body: str | bytes) -> None:
    """Neither under a name that tells, nor under another, nor in a body that cannot be read."""
    door = StageDoor()
    async with listening(door, Keys(None, TOKEN)) as front:
        await front.post(body, path=f"/webhook/{TOKEN.decode()}")
    kept = b"".join(payload for _, _, payload in door.stage.kept.payloads)
    assert TOKEN not in kept
    assert len(door.alerts) == 1


# -- many at once ---------------------------------------------------------------------------------------------------


async def test_alerts_that_arrive_together_make_one_signal(tmp_path: Path) -> None:
    """Sixteen deliveries of one alert: one is accepted, fifteen repeat it, and all are durable."""
    door = DurableDoor(tmp_path / "journal")
    async with listening(door) as front:
        answers: list[Told] = await asyncio.gather(*[front.post(SPY) for _ in range(16)])
    door.close()
    assert sorted(one.status for one in answers) == [200] * 15 + [201]
    assert len({one.body["signal_id"] for one in answers}) == 1
    assert len({one.body["webhook_event_id"] for one in answers}) == 16
    assert len(journaled(tmp_path / "journal")) == 16


async def test_one_connection_serves_many_alerts() -> None:
    """Kept alive, each with its own answer."""
    async with listening(StageDoor()) as front:
        alerts = [json.dumps(SPY | {"symbol": f"A{letter}"}).encode() for letter in "BCDEFG"]
        raw = await front.raw(
            b"".join(request("POST", "/webhook", one, {"Connection": "keep-alive"}) for one in alerts)
            + request("GET", "/webhook/test")
        )
    assert (raw.count(b" 201 "), raw.count(b'"ACCEPTED"'), raw.count(b'"OK"')) == (6, 6, 1)


def test_the_door_of_these_tests_is_the_real_loop(tmp_path: Path) -> None:
    """What answers here decides as the program does, and the source is the listener's."""
    assert webhook.SOURCE == "webhook"
    assert isinstance(StageDoor().stage.loop, Loop)
