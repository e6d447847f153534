"""One record: an input and all its facts, the unit that is journaled whole or not at all."""

import msgspec

from state.errors import JournalDamaged
from state.facts import AnyFact
from state.inputs import AnyInput

SCHEMA = 1
"""Raised with every change of an input's or a fact's fields; a decoder for each earlier number is kept in `_DECODERS`."""


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the world said and what we concluded from it."""

    input: AnyInput
    facts: tuple[AnyFact, ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODERS = {1: msgspec.msgpack.Decoder(Record)}


def encode(record: Record) -> bytes:
    """The payload of a journal body, in the current schema."""
    return _ENCODER.encode(record)


def decode(payload: bytes, schema: int) -> Record:
    """The record of a payload; raises JournalDamaged for a schema or a shape this version cannot read."""
    decoder = _DECODERS.get(schema)
    if decoder is None:
        raise JournalDamaged(
            f"the journal holds schema {schema}; this version reads {sorted(_DECODERS)}: update oracle"
        )
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise JournalDamaged(f"a record of schema {schema} cannot be read: {fault}") from fault
