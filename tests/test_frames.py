"""Bytes of records: what is encoded comes back, what was changed is noticed, what cannot be encoded is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.errors import BadUsage, JournalDamaged, LawBroken
from state.frames import (
    GENESIS,
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    Body,
    Header,
    Mark,
    Run,
    chained,
    decode_body,
    decode_header,
    encode_body,
    encode_content,
    encode_frames,
    encode_header,
    encode_mark,
    scan_segment,
    seed_of,
)

RUN = Run(bytes(range(16)), "v1", "host")
HEADER = Header(RUN, 1, GENESIS, 4096)
SEED = seed_of(HEADER)


def body_of(lsn: int, payload: bytes = b"payload") -> bytes:
    """A record of these tests."""
    return encode_body(lsn, encode_content(10 * lsn, "tick", schema=1, payload=payload))


def segment_of(*frames: bytes) -> bytes:
    """An open segment holding these frames."""
    return (encode_header(HEADER) + b"".join(frames)).ljust(HEADER.allocated_bytes, b"\0")


def frame_of(lsn: int, synced_lsn: int) -> bytes:
    """A record in its frame."""
    return encode_frames([body_of(lsn)], synced_lsn, seed=SEED)


@given(
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.text(min_size=1, max_size=60),
    st.integers(0, 2**16 - 1),
    st.binary(max_size=300),
)
def test_a_record_comes_back_as_it_was(lsn: int, seen_at: int, kind: str, schema: int, payload: bytes) -> None:
    """decode_body undoes encode_body."""
    body = encode_body(lsn, encode_content(seen_at, kind, schema=schema, payload=payload))
    assert decode_body(body, code_version="v1") == Body(lsn, seen_at, kind, schema, payload, "v1")


@given(st.binary(max_size=40))
def test_foreign_bytes_are_a_value_error_or_a_record(raw: bytes) -> None:
    """Bytes that decode are exactly those that the record encodes to; all others are a ValueError."""
    with contextlib.suppress(ValueError):
        body = decode_body(raw, code_version="v1")
        content = encode_content(body.seen_at, body.kind, schema=body.schema, payload=body.payload)
        assert encode_body(body.lsn, content) == raw


@pytest.mark.parametrize(
    ("seen_at", "kind", "schema", "payload"),
    [
        (0, "", 1, b""),
        (0, "k" * 256, 1, b""),
        (2**63, "k", 1, b""),
        (0, "k", 2**16, b""),
        (0, "k", -1, b""),
        (0, "k", 1, bytes(PAYLOAD_BYTES_MAX + 1)),
    ],
)
def test_a_record_beyond_the_format_breaks_a_law(seen_at: int, kind: str, schema: int, payload: bytes) -> None:
    """Whatever does not fit is refused before it is numbered."""
    with pytest.raises(LawBroken):
        encode_content(seen_at, kind, schema=schema, payload=payload)


@given(st.binary(min_size=16, max_size=16), st.text(max_size=30), st.text(max_size=60), st.integers(0, 2**64 - 1))
def test_a_header_comes_back_as_it_was(run_id: bytes, code: str, host: str, first_lsn: int) -> None:
    """decode_header undoes encode_header."""
    header = Header(Run(run_id, code, host), first_lsn, bytes(range(32)), 4096)
    raw = encode_header(header)
    assert len(raw) == HEADER_BYTES
    assert decode_header(raw + b"rest") == header


@pytest.mark.parametrize(
    "run", [Run(b"short", "v", "h"), Run(bytes(16), "v" * 129, "h"), Run(bytes(16), "v", "h" * 256)]
)
def test_a_run_that_does_not_fit_its_header_is_bad_usage(run: Run) -> None:
    """Run id, code version and host are bounded."""
    with pytest.raises(BadUsage, match="16 bytes"):
        encode_header(Header(run, 1, GENESIS, 4096))


def test_every_flipped_bit_of_a_header_is_noticed() -> None:
    """A header with any one bit changed is refused."""
    raw = encode_header(HEADER)
    for bit in range(8 * HEADER_BYTES):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="header"):
            decode_header(bytes(changed))


def test_a_scan_finds_records_and_chain() -> None:
    """Frames and marks in order give the last LSN, the digest after it and the records."""
    raw = segment_of(frame_of(1, 0), encode_mark(Mark.IDLE, 1, seed=SEED), frame_of(2, 1))
    scan = scan_segment("1.seg", raw, last=True)
    assert list(scan.bodies()) == [body_of(1), body_of(2)]
    assert (scan.last_lsn, scan.sealed, scan.torn_bytes, scan.empty) == (2, False, 0, False)
    assert scan.chain == chained(chained(GENESIS, body_of(1)), body_of(2))


TORN = b"\x30garbage"


@pytest.mark.parametrize(
    ("why", "frames", "lsn", "torn"),
    [
        ("nothing follows", [frame_of(1, 0)], 1, 0),
        ("garbage follows", [frame_of(1, 0), TORN], 1, len(TORN)),
        (
            "a frame of the same unsynced batch follows",
            [frame_of(1, 0), bytes(54), frame_of(3, 1)],
            1,
            54 + len(frame_of(3, 1)),
        ),
        ("the frame of another run follows", [encode_frames([body_of(1)], 0, seed=SEED ^ 1)], 0, len(frame_of(1, 0))),
    ],
)
def test_a_tail_that_nothing_proves_is_torn(why: str, frames: list[bytes], lsn: int, torn: int) -> None:
    """Without proof of durability the valid prefix stands and the rest is counted."""
    scan = scan_segment("1.seg", segment_of(*frames), last=True)
    assert (scan.last_lsn, scan.torn_bytes) == (lsn, torn), why


@pytest.mark.parametrize(
    ("why", "frames"),
    [
        ("a later frame was written after it was synced", [frame_of(1, 0), TORN, frame_of(3, 2)]),
        ("a later mark says so", [frame_of(1, 0), TORN, encode_mark(Mark.IDLE, 2, seed=SEED)]),
        ("a proof stands far behind zeros", [frame_of(1, 0), bytes(2000), frame_of(3, 2)]),
        ("a seal follows", [frame_of(1, 0), TORN, encode_mark(Mark.SEAL, 1, seed=SEED)]),
        ("the first is missing", [frame_of(2, 0)]),
        ("one is missing", [frame_of(1, 0), frame_of(3, 1)]),
        ("one is there twice", [frame_of(1, 0), frame_of(1, 0)]),
        ("two are swapped", [frame_of(2, 0), frame_of(1, 0)]),
        ("a mark claims more than was written", [frame_of(1, 0), encode_mark(Mark.IDLE, 2, seed=SEED)]),
        ("a frame knows less than one before", [frame_of(1, 0), frame_of(2, 1), frame_of(3, 0)]),
        ("a seal does not know the last record", [frame_of(1, 0), encode_mark(Mark.SEAL, 0, seed=SEED)]),
        ("something follows the seal", [frame_of(1, 0), encode_mark(Mark.SEAL, 1, seed=SEED), TORN]),
    ],
)
def test_a_tail_that_was_acknowledged_is_damage(why: str, frames: list[bytes]) -> None:
    """Proof that the bad record was durable, or an order no writer makes, is refused with the file's name."""
    with pytest.raises(JournalDamaged, match=r"1\.seg at byte \d+"):
        print(why, scan_segment("1.seg", segment_of(*frames), last=True))


def test_only_the_last_segment_may_be_open() -> None:
    """A segment without a seal is damage once a later one exists."""
    with pytest.raises(JournalDamaged, match="later segment"):
        scan_segment("1.seg", segment_of(frame_of(1, 0)), last=False)


@given(st.lists(st.binary(max_size=60), max_size=8), st.data())
def test_any_changed_byte_gives_a_prefix_or_damage(payloads: list[bytes], draw: st.DataObject) -> None:
    """One changed byte never yields a record that was not written nor one out of its place."""
    bodies = [body_of(lsn, payload) for lsn, payload in enumerate(payloads, 1)]
    raw = bytearray(segment_of(*(encode_frames([body], lsn, seed=SEED) for lsn, body in enumerate(bodies))))
    place = draw.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= draw.draw(st.integers(1, 255))
    try:
        found = list(scan_segment("1.seg", bytes(raw), last=True).bodies())
    except JournalDamaged:
        return
    assert found == bodies[: len(found)]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.data())
def test_any_frame_lost_doubled_or_moved_gives_a_prefix_or_damage(
    batches: list[int], marked: bool, draw: st.DataObject
) -> None:
    """Records written in batches know of each other only their numbers: no gap and no repeat is ever read over."""
    bodies, frames = [body_of(lsn) for lsn in range(1, sum(batches) + 1)], []
    for size in batches:
        synced = len(frames)
        frames += [encode_frames([body], synced, seed=SEED) for body in bodies[synced : synced + size]]
    frames += [encode_mark(Mark.IDLE, len(bodies), seed=SEED)] * marked
    frame = frames.pop(draw.draw(st.integers(0, len(frames) - 1), "taken"))
    for place in sorted(draw.draw(st.lists(st.integers(0, len(frames)), max_size=2), "put back"), reverse=True):
        frames.insert(place, frame)
    try:
        found = list(scan_segment("1.seg", segment_of(*frames), last=True).bodies())
    except JournalDamaged:
        return
    numbers = [decode_body(body, code_version="v1").lsn for body in found]
    assert numbers == list(range(1, len(found) + 1)), f"records {numbers} were read as if none were missing"
    assert found == bodies[: len(found)]
