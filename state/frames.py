"""How records lie in a segment: body, frame and header as bytes, and the scan that tells torn from damaged.

Nothing here touches a file. A body is what was said and is the same on every machine; a frame is how one segment
of one run carries it, so frames differ between machines while the digest chain over the bodies does not.

    segment  = header (512 bytes), frames, zeros up to the size the header promises (none once sealed)
    frame    = length u32, synced_lsn u64, crc u32, body        (a mark has a kind in place of the length, no body)
    body     = lsn u64, seen_at i64, schema u16, size of kind u8, kind, payload
"""

import contextlib
import re
import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from state.errors import BadUsage, JournalDamaged, LawBroken

FORMAT_VERSION: Final = 1
HEADER_BYTES: Final = 512
FRAME_HEAD_BYTES: Final = 16
PAYLOAD_BYTES_MAX: Final = 16 * 2**20
DIGEST_BYTES: Final = 32
GENESIS: Final = bytes(DIGEST_BYTES)
RUN_ID_BYTES: Final = 16
REMEDY: Final = "nothing was changed, restore it from a copy, or see `oracle journal repair`"

_MAGIC: Final = b"oraclejl"
_HEADER = struct.Struct("<8sHBB16sQQ32s")
_FRAME_HEAD = struct.Struct("<IQI")
_RECORD_HEAD = struct.Struct("<IQIQ")
_COVERED = struct.Struct("<IQ")
_CHECK = struct.Struct("<I")
_BODY_HEAD = struct.Struct("<QqHB")
_CONTENT_HEAD = struct.Struct("<qHB")
_NUMBER = struct.Struct("<Q")
_MARK_BIT: Final = 0x8000_0000
_BODY_BYTES_MAX: Final = _BODY_HEAD.size + 255 + PAYLOAD_BYTES_MAX
_ZEROS: Final = bytes(64 * 1024)
_NONZERO = re.compile(rb"[^\0]")


class Mark(IntEnum):
    """A frame without a body: it says only that everything before it is durable."""

    IDLE = 1
    SNAPSHOT = 2
    SEAL = 3


_MARK_LENGTHS: Final = {_MARK_BIT | mark: mark for mark in Mark}
_SEAL_LENGTH: Final = _MARK_BIT | Mark.SEAL


class Run(msgspec.Struct, frozen=True):
    """One life of a process: 16 random bytes chosen by the caller, the version of its code, the host it ran on."""

    run_id: bytes
    code_version: str
    host: str


class Header(msgspec.Struct, frozen=True):
    """What a segment says of itself: its run, its first LSN, the chain before it, the bytes it was given."""

    run: Run
    first_lsn: int
    chain: bytes
    allocated_bytes: int


class Body(msgspec.Struct, frozen=True, gc=False):
    """One record as it was appended, with the version of the code that appended it."""

    lsn: int
    seen_at: int
    kind: str
    schema: int
    payload: bytes
    code_version: str


class Scan(msgspec.Struct, frozen=True):
    """A verified segment: valid frames fill `raw[:end]`, then come `torn_bytes` bytes that are none.

    `digests` are those of the chain, one behind the other: before the first record and after each.
    """

    name: str
    raw: bytes
    header: Header
    end: int
    last_lsn: int
    digests: bytes
    sealed: bool
    torn_bytes: int

    @property
    def chain(self) -> bytes:
        """Digest after the last record."""
        return self.chain_at(self.last_lsn)

    def chain_at(self, lsn: int) -> bytes:
        """Digest after one of its records, or after the one before them."""
        place = (lsn - self.header.first_lsn + 1) * DIGEST_BYTES
        return self.digests[place : place + DIGEST_BYTES]

    def bodies(self) -> Iterator[bytes]:
        """Encoded bodies of the valid frames, in order."""
        offset, end, raw, unpack = HEADER_BYTES, self.end, self.raw, _CHECK.unpack_from
        while offset < end:
            (length,) = unpack(raw, offset)
            offset += FRAME_HEAD_BYTES
            if length < _MARK_BIT:
                yield raw[offset : offset + length]
                offset += length

    @property
    def closed(self) -> bytes:
        """The valid frames and a seal: what takes the place of a segment that was left open, or is good only so far."""
        seal = b"" if self.sealed else encode_mark(Mark.SEAL, self.last_lsn, seed=seed_of(self.header))
        return self.raw[: self.end] + seal

    @property
    def empty(self) -> bool:
        """Whether the segment holds no record."""
        return self.last_lsn < self.header.first_lsn


class _Place(NamedTuple):
    """So far the frames are those written: up to `offset`, with record `lsn` before it."""

    offset: int
    lsn: int
    synced_lsn: int


class _Frame(NamedTuple):
    end: int
    synced_lsn: int
    mark: Mark | None
    body: bytes


def encode_content(seen_at: int, kind: str, *, schema: int, payload: bytes) -> bytes:
    """Bytes of a record but its number. Raises LawBroken when a part is larger than the format allows."""
    name = kind.encode()
    size = len(name)
    if not 0 < size <= 255 or len(payload) > PAYLOAD_BYTES_MAX:
        message = f"a record has a kind of {size} bytes (1 to 255) and a payload of {len(payload)} bytes"
        raise LawBroken(f"{message} (at most {PAYLOAD_BYTES_MAX}); bound the input before it is numbered")
    try:
        return _CONTENT_HEAD.pack(seen_at, schema, size) + name + payload
    except struct.error as refusal:
        raise LawBroken(f"seen_at {seen_at} or schema {schema} of a record is outside its range") from refusal


def encode_body(lsn: int, content: bytes) -> bytes:
    """Bytes of a numbered record."""
    return _NUMBER.pack(lsn) + content


def decode_body(body: bytes, *, code_version: str) -> Body:
    """The record in its bytes. Raises ValueError on bytes that `encode_body` did not make."""
    try:
        lsn, seen_at, schema, size = _BODY_HEAD.unpack_from(body)
    except struct.error as refusal:
        raise ValueError(f"a body of {len(body)} bytes is too short") from refusal
    split = _BODY_HEAD.size + size
    if not size or split > len(body):
        raise ValueError(f"a body of {len(body)} bytes cannot have a kind of {size} bytes")
    return Body(lsn, seen_at, body[_BODY_HEAD.size : split].decode(), schema, body[split:], code_version)


def chained(chain: bytes, body: bytes) -> bytes:
    """Digest after a body: sha256(previous digest || body)."""
    digest = sha256(chain)
    digest.update(body)
    return digest.digest()


def seed_of(header: Header) -> int:
    """Start value of every checksum in a segment, so that a frame of another run or segment is never valid here."""
    return crc32(header.run.run_id + _NUMBER.pack(header.first_lsn))


def encode_frames(bodies: Sequence[bytes], synced_lsn: int, *, seed: int) -> bytes:
    """Frames of some bodies, one behind the other."""
    parts: list[bytes] = []
    # Once per record of a live journal: names in reach, and no call that a batch can do without.
    add, head, covered = parts.append, _FRAME_HEAD.pack, _COVERED.pack
    for body in bodies:
        size = len(body)
        add(head(size, synced_lsn, crc32(body, crc32(covered(size, synced_lsn), seed))))
        add(body)
    return b"".join(parts)


def encode_mark(mark: Mark, synced_lsn: int, *, seed: int) -> bytes:
    """Frame of a mark."""
    covered = _COVERED.pack(_MARK_BIT | mark, synced_lsn)
    return covered + _CHECK.pack(crc32(covered, seed))


def encode_header(header: Header) -> bytes:
    """First 512 bytes of a segment. Raises BadUsage when run id, code version or host do not fit."""
    run, code, host = header.run, header.run.code_version.encode(), header.run.host.encode()
    if len(run.run_id) != RUN_ID_BYTES or len(code) > 128 or len(host) > 255:
        message = f"a run needs an id of {RUN_ID_BYTES} bytes, a code version of at most 128, a host of at most 255"
        raise BadUsage(f"{message}; got {len(run.run_id)}, {len(code)}, {len(host)}")
    fixed = _HEADER.pack(
        _MAGIC,
        FORMAT_VERSION,
        len(code),
        len(host),
        run.run_id,
        header.first_lsn,
        header.allocated_bytes,
        header.chain,
    )
    content = (fixed + code + host).ljust(HEADER_BYTES - _CHECK.size, b"\0")
    return content + _CHECK.pack(crc32(content))


def decode_header(raw: bytes) -> Header:
    """Header of a segment. Raises ValueError when it is damaged or of another format."""
    if len(raw) < HEADER_BYTES:
        raise ValueError(f"the file has {len(raw)} bytes, fewer than a header")
    content = raw[: HEADER_BYTES - _CHECK.size]
    if _CHECK.unpack_from(raw, len(content)) != (crc32(content),):
        raise ValueError("the header does not match its checksum")
    magic, version, code_size, host_size, run_id, first_lsn, allocated, chain = _HEADER.unpack_from(content)
    if (magic, version) != (_MAGIC, FORMAT_VERSION):
        raise ValueError(f"the header is of format {version}, this program reads format {FORMAT_VERSION}")
    split = _HEADER.size + code_size
    code, host = content[_HEADER.size : split].decode(), content[split : split + host_size].decode()
    return Header(Run(run_id, code, host), first_lsn, chain, allocated)


def damaged(name: str, offset: int, *, why: str) -> JournalDamaged:
    """The refusal to go on over damaged acknowledged data, naming the place and the remedy."""
    return JournalDamaged(f"{name} at byte {offset}: {why}; {REMEDY}")


def scan_segment(name: str, raw: bytes, *, last: bool) -> Scan:
    """Verify one segment; `last` says that no later segment exists, so that its tail may be torn.

    A tail is torn, and reported as `torn_bytes`, only when nothing shows that it had been acknowledged. Raises
    JournalDamaged when something does: the segment is sealed, is shorter than its header promises (it is cut only
    once sealed), is not the last, or a later valid frame says that the record at the bad place was durable.
    """
    scan = sound_frames(name, raw)
    _judge(scan, last=last)
    return scan


def sound_frames(name: str, raw: bytes) -> Scan:
    """The frames at the beginning of a segment that are those written there, without a word on what follows them.

    Raises JournalDamaged when the header is not the one written.
    """
    try:
        header = decode_header(raw)
    except ValueError as refusal:
        raise damaged(name, 0, why=str(refusal)) from refusal
    seed, first, sealed = seed_of(header), header.first_lsn - 1, False
    place, digests = _Place(HEADER_BYTES, first, first), bytearray(header.chain)
    while not sealed:
        place = _after_records(raw, place, seed, digests)
        frame = _frame_at(raw, place.offset, seed)
        if frame is None or not _follows(frame, place):
            break
        place, sealed = place._replace(offset=frame.end, synced_lsn=frame.synced_lsn), frame.mark is Mark.SEAL
    offset = place.offset
    return Scan(name, raw, header, offset, place.lsn, bytes(digests), sealed, _used(raw, offset) - offset)


def salvaged(raw: bytes, first_lsn: int) -> Iterator[bytes]:
    """Encoded bodies of all valid frames of a damaged segment, in the order they lie in: for telling what is given up.

    What is between them is passed over. Where the header is damaged too, its run and the LSN of the name are tried.
    """
    if len(raw) < HEADER_BYTES:
        return
    with contextlib.suppress(ValueError):
        first_lsn = decode_header(raw).first_lsn
    seed = crc32(_HEADER.unpack_from(raw)[4] + _NUMBER.pack(first_lsn))
    offset, lsn_end = HEADER_BYTES, first_lsn + len(raw)
    while offset + FRAME_HEAD_BYTES + _BODY_HEAD.size <= len(raw):
        length, _, _, lsn = _FRAME_HEAD.unpack_from(raw, offset) + _NUMBER.unpack_from(raw, offset + FRAME_HEAD_BYTES)
        telling = length in _MARK_LENGTHS or first_lsn <= lsn < lsn_end
        frame = _frame_at(raw, offset, seed) if telling else None
        if frame is not None and frame.mark is None:
            yield frame.body
        offset = frame.end if frame is not None else _next_start(raw, offset)


def _used(raw: bytes, offset: int) -> int:
    """Where the zeros begin that fill a segment to its end; not before `offset`."""
    end = len(raw)
    # An open segment is mostly zeros: they are compared a block at a time.
    while end - offset >= len(_ZEROS) and raw[end - len(_ZEROS) : end] == _ZEROS:
        end -= len(_ZEROS)
    return offset + len(raw[offset:end].rstrip(b"\0"))


def _after_records(raw: bytes, place: _Place, seed: int, digests: bytearray) -> _Place:
    """Where the records end that are valid and follow one another: no gap, nothing twice, no claim beyond what came before.

    The digest after each is added to those before.
    """
    offset, lsn, synced_lsn = place
    chain = bytes(digests[-DIGEST_BYTES:])
    unpack, last_start = _RECORD_HEAD.unpack_from, len(raw) - _RECORD_HEAD.size
    # Every start walks every record here: one look at its head, and no call that can be done without.
    while offset <= last_start:
        length, claimed_lsn, check, number = unpack(raw, offset)
        start = offset + FRAME_HEAD_BYTES
        body = raw[start : start + length] if _BODY_HEAD.size < length <= _BODY_BYTES_MAX else b""
        if not body or number != lsn + 1 or not synced_lsn <= claimed_lsn <= lsn or len(body) != length:
            break
        if crc32(body, crc32(raw[offset : offset + _COVERED.size], seed)) != check:
            break
        offset, lsn, synced_lsn, chain = start + length, number, claimed_lsn, sha256(chain + body).digest()
        digests += chain
    return _Place(offset, lsn, synced_lsn)


def _follows(frame: _Frame, place: _Place) -> bool:
    """Whether a valid frame may stand behind the records: a mark that claims no more than what came before, a seal no less."""
    if frame.mark is None or not place.synced_lsn <= frame.synced_lsn <= place.lsn:
        return False
    return frame.mark is not Mark.SEAL or frame.synced_lsn == place.lsn


def _judge(scan: Scan, *, last: bool) -> None:
    """Raise JournalDamaged unless what follows the valid frames can only be the work of a crash."""
    size, allocated, lsn, seed = len(scan.raw), scan.header.allocated_bytes, scan.last_lsn + 1, seed_of(scan.header)
    if not scan.sealed and _frame_at(scan.raw, scan.end, seed) is not None:
        raise damaged(scan.name, scan.end, why=f"a frame is out of order where record {lsn} belongs")
    if scan.sealed:
        if scan.torn_bytes or size not in (scan.end, allocated):
            raise damaged(scan.name, scan.end, why=f"bytes follow the seal after record {scan.last_lsn}")
        return
    if not last:
        raise damaged(scan.name, scan.end, why=f"record {lsn} or the seal is missing, yet a later segment exists")
    if size != allocated:
        why = f"the file has {size} bytes, not the {allocated} of an open segment, and record {lsn} or the seal is bad"
        raise damaged(scan.name, scan.end, why=why)
    proof = _proof_after(scan, lsn, seed) if scan.torn_bytes else None
    if proof is not None:
        why = f"record {lsn} is bad, yet the frame at byte {proof[0]} shows records up to {proof[1]} were durable"
        raise damaged(scan.name, scan.end, why=why)


def _proof_after(scan: Scan, lsn: int, seed: int) -> tuple[int, int] | None:
    """Offset and `synced_lsn` of a valid frame showing that record `lsn` was durable, or None.

    Frames of the same unsynced batch may survive a lost one, so a valid frame alone proves nothing: its
    `synced_lsn` must reach the bad record, or it must be a seal.
    """
    raw, offset, lsn_max = scan.raw, scan.end + 1, lsn + len(scan.raw)
    while offset + FRAME_HEAD_BYTES <= len(raw):
        length, synced_lsn, _ = _FRAME_HEAD.unpack_from(raw, offset)
        telling = length == _SEAL_LENGTH or lsn <= synced_lsn <= lsn_max
        if telling and _frame_at(raw, offset, seed) is not None:
            return offset, synced_lsn
        offset = _next_start(raw, offset)
    return None


def _next_start(raw: bytes, offset: int) -> int:
    """Where the next frame could begin after an offset at which none does."""
    if raw[offset : offset + 4] != bytes(4):
        return offset + 1
    # Preallocated zeros are long: go on where the lowest byte of a length could next stand.
    found = _NONZERO.search(raw, offset + 4)
    return len(raw) if found is None else found.start() - 3


def _frame_at(raw: bytes, offset: int, seed: int) -> _Frame | None:
    """The frame at an offset, or None when the bytes there are not a valid one."""
    start = offset + FRAME_HEAD_BYTES
    if start > len(raw):
        return None
    length, synced_lsn, check = _FRAME_HEAD.unpack_from(raw, offset)
    mark = _MARK_LENGTHS.get(length)
    end = start if mark else start + length
    if end > len(raw) or not (mark or _BODY_HEAD.size < length <= _BODY_BYTES_MAX):
        return None
    body = raw[start:end]
    if crc32(body, crc32(raw[offset : offset + _COVERED.size], seed)) != check:
        return None
    return _Frame(end, synced_lsn, mark, body)
