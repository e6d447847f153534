"""Facts survive the journal as what they are, and every one says whom it is about."""

from typing import get_args

import msgspec
import pytest

from state.facts import (
    Alerted,
    AlertLogged,
    AnyFact,
    EntriesHalted,
    EntriesResumed,
    Fact,
    FlagSet,
    MarketRetired,
    OutcomeRecorded,
    PositionReduced,
    SignalCreated,
    UnitFailed,
    subject_of,
)
from tests.stage import usd
from tests.test_applying import busy

STAGE = busy()
SUBJECTS = [
    (AlertLogged("evt-000001", "ignored"), "evt-000001"),
    (UnitFailed("ord-000001", "processing_failed", "KeyError"), "ord-000001"),
    (Alerted("exit_waiting", "ord-000002"), "ord-000002"),
    (MarketRetired(STAGE.portfolio.sessions.first, ()), "memory"),
    (STAGE.of(SignalCreated)[0], "sig-000001"),
    (EntriesHalted("entries_halted"), "entries"),
    (EntriesResumed("clock_jumped", "looked at"), "entries"),
    (FlagSet("snap_unlisted", on=None), "snap_unlisted"),
]


@pytest.mark.parametrize(("fact", "subject"), SUBJECTS)
def test_a_fact_names_its_subject(fact: AnyFact, subject: str) -> None:
    """By id where it has one, by its noun where it brings one, else it is about memory."""
    assert subject_of(fact) == subject


def test_every_fact_of_a_busy_stage_names_a_noun() -> None:
    """Prefix and number, except what is about memory itself, about all entries or a flag."""
    nouns = {subject_of(fact).split("-")[0] for fact in STAGE.facts}
    flags = {"allow_premarket", "add_to_position"}
    assert nouns == {"evt", "sig", "ord", "pos", "out", "memory", "entries", *flags}


def test_an_outcome_is_about_its_own_number() -> None:
    """Not about the position it scores."""
    assert subject_of(STAGE.of(OutcomeRecorded)[0]) == "out-000001"


@pytest.mark.parametrize("kind", get_args(AnyFact))
def test_facts_are_tagged_by_their_own_name(kind: type[Fact]) -> None:
    """Two kinds with the same fields are told apart in the journal."""
    assert kind.__struct_config__.tag == kind.__name__


def test_facts_survive_their_bytes() -> None:
    """Every fact of a busy stage comes back equal, through one union."""
    facts = tuple(STAGE.facts)
    body = msgspec.msgpack.encode(facts)
    assert msgspec.msgpack.decode(body, type=tuple[AnyFact, ...]) == facts


def test_a_reduction_knows_its_result() -> None:
    """Gross before commissions, net after those of both sides."""
    reduced = PositionReduced("pos-000001", 4, usd("1600"), usd("1380"), usd("2.80"), usd("2.80"))
    assert (reduced.gross, reduced.net) == (usd("220"), usd("214.40"))
