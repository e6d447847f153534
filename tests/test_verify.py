"""Verify: a run decides alike again, and a rule that was changed under it is found, with the unit and both sides named."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from cli import main
from oracle import config, stored
from oracle.verify import Verified, Verifier, compare, verify
from oracle.version import code_version
from rules import exits, sizing
from state.disk import Disk
from state.errors import Diverged
from state.facts import Alerted, AnyFact, CloseAsked
from state.frames import Body
from state.inputs import OperatorAsked
from state.journal import read
from state.record import decode, encode
from tests.trades import traded


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a finished day."""
    root = tmp_path_factory.mktemp("verify")
    traded(root)
    return root / "run"


@pytest.fixture(scope="module")
def bodies(data: Path) -> tuple[Body, ...]:
    """Every record of the day as it was appended."""
    return tuple(read(Disk(), data / "journal"))


def judged(bodies: tuple[Body, ...], *, version: str, any_version: bool = False) -> Verified:
    """What a verification by some version of the code says."""
    return verify(bodies, settings_of=config.decode, code_version=version, any_version=any_version)


def test_a_run_verifies_to_the_last_fact(data: Path, bodies: tuple[Body, ...]) -> None:
    """Every record is judged by the code that decided it, and nothing differs."""
    found = stored.verify_directory(data, any_version=False)
    assert (found["records"], found["judged"], found["other_version"]) == (len(bodies), len(bodies), 0)
    assert found["facts"] > 30
    assert found["code_version"] == code_version() == bodies[0].code_version


def test_the_command_says_so_and_ends_well(data: Path) -> None:
    """`oracle verify` prints the counts and exits 0."""
    ran = CliRunner().invoke(main, ["verify", "--data", str(data)])
    assert ran.exit_code == 0, ran.output
    assert "decided again" in ran.output


# -- rules changed under it -----------------------------------------------------------------------------------------


def test_a_changed_size_is_found_at_the_signal_it_sized(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One contract more than was recorded: exit 4, the signal, and what either side would have bought."""
    sized = sizing.contracts
    monkeypatch.setattr(sizing, "contracts", lambda *given, **named: sized(*given, **named) + 1)
    with pytest.raises(Diverged) as found:
        stored.verify_directory(data, any_version=True)
    assert found.value.exit_code == 4
    message = str(found.value)
    assert "(TickReached), unit sig-000001, fact 1:" in message
    recorded, decided = (line for line in message.splitlines() if line.startswith("  "))
    assert recorded.startswith("  recorded: ")
    assert decided.startswith("  decided:  ")
    assert recorded != decided.replace("decided: ", "recorded:")


def test_the_command_ends_with_the_code_of_a_divergence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`oracle verify` exits 4 and tells people where to look."""
    monkeypatch.setattr(sizing, "contracts", lambda *given, **named: 7)
    ran = CliRunner().invoke(main, ["verify", "--data", str(data), "--any-version"])
    assert ran.exit_code == 4
    assert "unit sig-000001" in ran.output
    assert "compare the code versions" in ran.output


def test_a_changed_exit_is_found_at_the_position_it_left(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A position that another rule would have kept: the exit is recorded, and the next unit is decided in its place."""
    monkeypatch.setattr(exits, "reasons_of", lambda *given: ())
    with pytest.raises(Diverged, match="unit pos-000001, fact 1:") as found:
        stored.verify_directory(data, any_version=True)
    recorded, decided = (line for line in str(found.value).splitlines() if line.startswith("  "))
    assert '"profit_target"' in recorded
    assert '"sig-000003"' in decided


def test_a_changed_record_is_found(bodies: tuple[Body, ...]) -> None:
    """A word altered in one recorded fact differs from the decision, and the record is named."""
    place = next(place for place, body in enumerate(bodies) if b"PositionOpened" in body.payload)
    altered = bodies[place].payload.replace(b"rule", b"ruse")
    assert altered != bodies[place].payload
    changed = (*bodies[:place], replace(bodies[place], payload=altered), *bodies[place + 1 :])
    with pytest.raises(Diverged, match=f"record {bodies[place].lsn} .BrokerReported."):
        judged(changed, version=code_version())


# -- versions -------------------------------------------------------------------------------------------------------


def test_what_another_version_decided_is_folded_and_not_judged(bodies: tuple[Body, ...]) -> None:
    """Its records count as another version's, whatever the rules of today would say."""
    found = judged(bodies, version="another")
    assert (found.records, found.judged, found.other_version, found.facts) == (len(bodies), 0, len(bodies), 0)


def test_a_stretch_of_another_version_is_reported_beside_what_was_judged(bodies: tuple[Body, ...]) -> None:
    """Half the day by an older version: the other half is judged on the state the first half left."""
    half = len(bodies) // 2
    mixed = (*(replace(body, code_version="older") for body in bodies[:half]), *bodies[half:])
    found = judged(mixed, version=code_version())
    assert (found.judged, found.other_version) == (len(bodies) - half, half)
    assert 0 < found.facts < judged(bodies, version=code_version()).facts


def test_every_version_is_judged_when_that_is_asked(bodies: tuple[Body, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule changed since an older version is silent until its stretch is asked for, and then found."""
    older = tuple(replace(body, code_version="older") for body in bodies)
    assert judged(older, version=code_version(), any_version=True).judged == len(bodies)
    monkeypatch.setattr(sizing, "contracts", lambda *given, **named: 7)
    assert judged(older, version=code_version()).judged == 0
    with pytest.raises(Diverged):
        judged(older, version=code_version(), any_version=True)


# -- the comparison -------------------------------------------------------------------------------------------------

ONE, OTHER = CloseAsked("pos-000001", "manual", "now"), Alerted("exit_waiting", "ord-000002")


@pytest.mark.parametrize(
    ("recorded", "decided", "said"),
    [
        ((ONE,), (OTHER,), "unit pos-000001, fact 1:"),
        ((OTHER, ONE), (OTHER,), "unit pos-000001, fact 2:"),
        ((ONE,), (ONE, OTHER), "unit ord-000002, fact 2:"),
        ((), (OTHER,), "unit ord-000002, fact 1:"),
        ((ONE, OTHER), (OTHER, ONE), "unit pos-000001, fact 1:"),
    ],
)
def test_the_first_difference_is_named(
    bodies: tuple[Body, ...], recorded: tuple[AnyFact, ...], decided: tuple[AnyFact, ...], said: str
) -> None:
    """Another fact, one too few, one too many, none at all, another order: the unit of the first difference."""
    with pytest.raises(Diverged, match=said):
        compare(bodies[0], OperatorAsked("all", "now"), recorded=recorded, decided=decided)


def test_equal_facts_are_no_difference(bodies: tuple[Body, ...]) -> None:
    """The same facts in the same order pass."""
    compare(bodies[0], OperatorAsked("all", "now"), recorded=(ONE, OTHER), decided=(ONE, OTHER))


def test_a_fill_the_market_did_not_give_is_found(bodies: tuple[Body, ...]) -> None:
    """A price a dollar better than the paper broker gives is named with both sides, though every rule agrees."""
    place, record = next(
        (place, decode(body.payload, body.schema))
        for place, body in enumerate(bodies)
        if body.kind == "BrokerReported" and decode(body.payload, body.schema).input.quantity  # type: ignore[union-attr]
    )
    kinder = replace(record.input, price=record.input.price - 1_000_000)  # type: ignore[union-attr]
    forged = replace(bodies[place], payload=encode(replace(record, input=kinder)))
    verifier = Verifier(settings_of=config.decode, code_version=code_version(), any_version=False)
    verifier.paper = True
    for body in bodies[:place]:
        verifier.take(body)
    with pytest.raises(Diverged, match=rf"unit {record.input.order_id}:(.|\n)*recorded(.|\n)*decided"):  # type: ignore[union-attr]
        verifier.take(forged)


def test_what_is_not_judged_is_no_success(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other code under a journal the command says how to judge it, and exits 1."""
    monkeypatch.setattr(stored, "code_version", lambda: "another")
    ran = CliRunner().invoke(main, ["verify", "--data", str(data)])
    assert (ran.exit_code, "--any-version judges them" in ran.output) == (1, True)
