"""What strangers' bytes may do to every reader of them: be read, or be refused in the one way that reader promises.

`TARGETS` names each reader with its check, which takes any bytes whatever and raises where a promise is broken. The kept
inputs of `tests/corpus` go through them in `test_corpus.py`, those that a fuzzer thinks of in `fuzz.py`.
"""

import asyncio
import json
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Self, cast
from zlib import crc32

import pytest
from aiohttp import web

from oracle import config
from oracle.inbox import Taken
from oracle.keys import Keys
from oracle.listener import bodies, replies
from oracle.listener.connections import Connection
from oracle.listener.limits import ListenerSettings
from oracle.listener.listening import Listener
from oracle.market import recording
from oracle.market.tape import Tape
from oracle.masking import MASK
from rules import intake
from rules.alert_text import BODY_BYTES_MAX
from rules.reading import read
from rules.settings import Settings
from rules.wants import ChainSlice, Plan, SettlementWanted
from state import contract, frames
from state.alert import BadAlert, Entry
from state.errors import BadUsage, JournalDamaged
from state.facts import AlertLogged
from state.inputs import AlertReceived, OperatorAsked
from state.record import SCHEMA, Record, decode, encode
from tests.answers import answer
from tests.calling import DAY, HALF_PAST_TEN, SIGNING_KEY, TOKEN
from tests.stage import Stage, calendar_around

CORPUS = Path(__file__).parent / "corpus"
KEYS = Keys(SIGNING_KEY, TOKEN)
STATUSES = {100, 200, 201, 400, 401, 404, 405, 413, 417}


# -- a body -----------------------------------------------------------------------------------------------------------


def body(raw: bytes) -> None:
    """Any body becomes a text without our secrets, which reads as the body would and has an answer."""
    if len(raw) > BODY_BYTES_MAX:
        return
    text = bodies.carried(raw, KEYS.hide)
    check_hidden(text)
    told = AlertReceived(text, "webhook", "asked")
    record = Record(told, admitted(told))
    assert decode(encode(record), SCHEMA) == record
    logged = replies.logged_in(record)
    assert replies.answer(logged).status in STATUSES, logged
    for by_receipt in (False, True):
        found, meant = (_read(one, by_receipt=by_receipt) for one in (text, raw))
        if isinstance(found, Entry) and found.contract is not None:
            assert contract.parse(found.contract.occ) == found.contract
        assert MASK in text or len(text.encode()) > BODY_BYTES_MAX or found == meant, (found, meant)


def _read(sent: str | bytes, *, by_receipt: bool) -> Any:
    """What a body says; where a fault stands is told of the text at hand, so only its kind counts."""
    found = read(cast("str", sent), source="webhook", received_at=HALF_PAST_TEN, by_receipt=by_receipt)
    return [one.code for one in found.errors] if isinstance(found, BadAlert) else found


@cache
def _stage() -> Stage:
    return Stage(DAY)


def admitted(told: AlertReceived) -> tuple[Any, ...]:
    """What follows from an alert in an empty portfolio, which stays empty."""
    return intake.admit(_stage().portfolio, told, Settings())


def check_hidden(text: str) -> None:
    """Fail where a text holds a secret of ours, in whatever spelling."""
    assert KEYS.hide(text) == text, text


# -- a call -----------------------------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """The far end of a connection in memory: what is answered, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40_000)})
        self.answered, self.closed = b"", False
        self.protocol: Connection | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a part of an answer."""
        self.answered += bytes(data)

    def close(self) -> None:
        """End it, once."""
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        """Whether it was ended."""
        return self.closed

    def pause_reading(self) -> None:
        """Whoever sends from memory need not wait."""

    def resume_reading(self) -> None:
        """See above."""


class AdmittingDoor:
    """A door behind which every alert meets the same empty portfolio."""

    async def alert(self, told: AlertReceived) -> Taken:
        """Judge an alert that holds no secret."""
        check_hidden(told.body)
        facts = admitted(told)
        assert any(isinstance(one, AlertLogged) for one in facts)
        return Taken(1, HALF_PAST_TEN, Record(told, facts))

    async def ask(self, told: OperatorAsked) -> Taken:
        """No operator comes this way."""
        raise AssertionError("a stranger's call reached what only the operator may ask")


class Overheard(logging.Handler):
    """What is logged or left to the event loop while the block runs."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._root, self._level = logging.getLogger(), logging.getLogger().level

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line of a log."""
        self.said.append(f"{record.name}: {record.getMessage()} {record.exc_info}")

    def __enter__(self) -> Self:
        self._root.addHandler(self)
        self._root.setLevel(logging.INFO)
        _aio().set_exception_handler(lambda _, about: self.said.append(str(about)))
        return self

    def __exit__(self, *_: object) -> None:
        self._root.removeHandler(self)
        self._root.setLevel(self._level)


def call(raw: bytes) -> None:
    """Any bytes on the wire, whole and in two pieces: an answer of ours or none, no word in a log, no secret anywhere."""
    with Overheard() as heard:
        _listener()
        for cut in (len(raw), len(raw) // 2):
            answered = _aio().run_until_complete(_connected(raw[:cut], raw[cut:]))
            _check_answers(answered)
    drained = _listener().refusals.drain(HALF_PAST_TEN)
    for one in drained.calls if drained else ():
        assert one.status in STATUSES | {408}, one
        check_hidden(one.first + one.last)
    assert not heard.said, heard.said


_aio = cache(asyncio.new_event_loop)


@cache
def _listener() -> Listener:
    """The real one; its limits of time never strike, for no connection lasts."""
    listener = Listener(AdmittingDoor(), KEYS, ListenerSettings(), health=lambda: {"ready": True})
    _aio().run_until_complete(listener.start("127.0.0.1", 0))
    return listener


async def _connected(*parts: bytes) -> bytes:
    listener, wire = _listener(), Wire()
    wire.protocol = Connection(cast("web.Server", listener._runner.server), listener._connections)
    wire.protocol.connection_made(wire)
    for part in parts:
        if part and not wire.closed:
            wire.protocol.data_received(part)
            await _settled()
    wire.close()
    await _settled()
    assert len(listener._connections) == 0
    return wire.answered


async def _settled() -> None:
    """Let the event loop do what can be done without waiting."""
    for _ in range(30):
        await asyncio.sleep(0)


def _check_answers(answered: bytes) -> None:
    while answered:
        head, _, rest = answered.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        assert status in STATUSES, answered
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(lines.get(b"content-length", b"0"))
        answer, answered = rest[:size], rest[size:]
        if answer.startswith(b"{"):
            assert json.loads(answer)["request_id"], answer
            check_hidden(answer.decode())
        else:
            # The answer to HEAD has the length of a body that is not there.
            answered = rest if size else answered


# -- an option symbol -------------------------------------------------------------------------------------------------


def occ(raw: bytes) -> None:
    """A symbol is refused with a ValueError, or is a contract whose own symbol reads back as it."""
    text = raw.decode("utf-8", "replace")
    with suppress(ValueError):
        found = contract.parse(text)
        try:
            again = contract.parse(found.occ)
        except ValueError as fault:
            raise AssertionError(f"{text!r} became {found}, whose symbol cannot be read") from fault
        assert (again, again.occ) == (found, found.occ), text


# -- the journal ------------------------------------------------------------------------------------------------------


def record(raw: bytes) -> None:
    """A payload and a body of the journal are damaged, or read as what they encode to."""
    with suppress(JournalDamaged):
        found = decode(raw, SCHEMA)
        assert decode(encode(found), SCHEMA) == found
    with suppress(ValueError):
        told = frames.decode_body(raw, code_version="v")
        content = frames.encode_content(told.seen_at, told.kind, schema=told.schema, payload=told.payload)
        assert frames.encode_body(told.lsn, content) == raw


_HEADER = frames.Header(frames.Run(bytes(range(16)), "v", "host"), 1, frames.GENESIS, 4_096)
_SEED = frames.seed_of(_HEADER)


def segment(raw: bytes) -> None:
    """A journal file made of right and wrong frames, as these bytes say: damaged, or its records follow each other."""
    flags, rest = raw[:1].hex() or "00", raw[1:]
    last, promised, forged = (int(flags, 16) >> bit & 1 for bit in range(3))
    if forged:
        # A header of any content, under its right checksum.
        content, rest = rest[:508].ljust(508, b"\0"), rest[508:]
        with suppress(ValueError):
            frames.decode_header(content + crc32(content).to_bytes(4, "little"))
    parts, right = _frames(rest)
    laid = frames.encode_header(_HEADER) + b"".join(parts)
    laid = laid.ljust(_HEADER.allocated_bytes, b"\0") if promised else laid
    with suppress(JournalDamaged):
        scan = frames.scan_segment("1.seg", laid, last=bool(last))
        found = list(scan.bodies())
        assert [int.from_bytes(one[:8], "little") for one in found] == list(range(1, scan.last_lsn + 1))
        assert all(one in right for one in found)
        assert scan.end + scan.torn_bytes <= len(laid)


def _frames(rest: bytes) -> tuple[list[bytes], list[bytes]]:
    """Good records, records of any content, marks, torn bytes, zeros, frames of another run; the bodies in right frames."""
    laid, right, lsn = [], [], 1
    while len(rest) > 2:
        kind, size, synced, rest = rest[0] % 6, rest[1], rest[2] % 8, rest[3:]
        part = b"" if kind < 3 else rest[:size]
        rest = rest[len(part) :]
        match kind:
            case 0 | 3:
                content = frames.encode_content(lsn, "k", schema=1, payload=b"p")
                told = part if kind else frames.encode_body(lsn, content)
                lsn += kind == 0
                right.append(told)
                laid.append(frames.encode_frames([told], synced, seed=_SEED))
            case 1:
                laid.append(frames.encode_mark(frames.Mark(1 + size % 3), synced, seed=_SEED))
            case 2:
                laid.append(bytes(size))
            case 4:
                laid.append(frames.encode_frames([part], synced, seed=_SEED ^ 1))
            case _:
                laid.append(part)
    return laid, right


# -- files of the operator --------------------------------------------------------------------------------------------


@cache
def _desk() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def configuration(raw: bytes) -> None:
    """A file has faults, all of them told, or is a configuration that the journal's copy gives back."""
    file = Path(_desk().name) / "config.toml"
    file.write_bytes(raw)
    faults = config.check(file)
    if faults:
        with pytest.raises(BadUsage) as raised:
            config.load(file)
        assert all(one in str(raised.value) for one in faults)
        return
    found = config.load(file)
    assert config.decode(config.canonical(found)) == found
    assert len(config.origins(file)) == len(config.paths())


def adopted(raw: bytes) -> None:
    """What the journal holds as a configuration is damaged, or a configuration."""
    with suppress(JournalDamaged):
        found = config.decode(raw)
        assert config.decode(config.canonical(found)) == found


_DAY = date.fromisoformat(DAY)
_PLAN = Plan(
    ("SPY", "SPX"),
    (ChainSlice("SPY", _DAY, date(2026, 3, 20), 3), ChainSlice("SPX", _DAY, date(2026, 3, 20), 3)),
    ("SPY260220C00596000",),
    (SettlementWanted("SPX", date(2026, 2, 20), opening=True), SettlementWanted("SPY", _DAY, opening=False)),
)
PARTS = b"\n%%\n"
"""Stands between the label of a tape, its underlyings, its quotes and its settlements."""


def tape(raw: bytes) -> None:
    """A tape is refused as one, or answers what is asked of it; its label is written as it was read."""
    desk, calendar = Path(_desk().name) / "tape", calendar_around(_DAY)
    desk.mkdir(exist_ok=True)
    for old in desk.iterdir():
        old.unlink()
    names = (recording.LABEL_FILE, "underlying.csv", "quotes.csv", "settlements.csv")
    for name, content in zip(names, raw.split(PARTS, len(names) - 1), strict=False):
        packed = content.startswith(b"\x1f\x8b") and name in names[1:3]
        (desk / (f"{name}.gz" if packed else name)).write_bytes(content)
    try:
        found = Tape(desk)
    except BadUsage:
        return
    label = recording.read(desk).label
    (desk / recording.LABEL_FILE).write_text(recording.label_text(label), "utf-8")
    assert recording.read(desk).label == label
    for now in (found.first, found.last):
        if calendar.covers(now):
            assert all(at <= now for at in answer(found, _PLAN, now, calendar=calendar).at.tolist())


# -- all of them ------------------------------------------------------------------------------------------------------

TARGETS: dict[str, Callable[[bytes], None]] = {
    "body": body,
    "call": call,
    "occ": occ,
    "record": record,
    "segment": segment,
    "config": configuration,
    "adopted": adopted,
    "tape": tape,
}
