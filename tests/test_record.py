"""A record is written and read whole, in a numbered schema, and what cannot be read says so."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.errors import JournalDamaged
from state.inputs import BrokerReported, ReportKind
from state.record import SCHEMA, Record, decode, encode
from tests.test_applying import busy


def test_records_survive_their_bytes() -> None:
    """Inputs of every kind with all their facts, equal after reading and to the byte after writing again."""
    for record in busy().records:
        body = encode(record)
        assert decode(body, SCHEMA) == record
        assert encode(decode(body, SCHEMA)) == body


def test_what_a_record_holds_is_no_matter_for_the_search_for_garbage() -> None:
    """Nouns and facts hold nothing that could hold them, so however many are kept, none of them is walked."""
    for record in busy().records:
        read = decode(encode(record), SCHEMA)
        nouns = [
            getattr(fact, name)
            for fact in read.facts
            for name in ("signal", "order", "fill", "position", "outcome")
            if hasattr(fact, name)
        ]
        assert not any(map(gc.is_tracked, (read, read.input, *read.facts, *nouns)))


def test_an_unknown_schema_names_the_remedy() -> None:
    """A journal of a later version is not guessed at."""
    with pytest.raises(JournalDamaged, match=r"holds schema 99; this version reads .*update oracle"):
        decode(encode(Record(BrokerReported("ord-000001", 1, ReportKind.ACCEPTED), ())), 99)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_record_or_damage(body: bytes) -> None:
    """Hostile bytes raise one kind of error."""
    try:
        record: Record | None = decode(body, SCHEMA)
    except JournalDamaged:
        record = None
    assert record is None or encode(record)
