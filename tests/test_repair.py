"""`oracle journal repair` on real directories: what it says of a loss, and that everything works again afterwards."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO
from pathlib import Path
from typing import Any

import pytest

from oracle import repair as repairing
from oracle.repair import LOSS, lines, repair
from oracle.stored import export_lines
from state import cut
from state.disk import Disk
from state.errors import DirectoryInUse, DiskFailed, JournalDamaged
from state.facts import EntriesResumed
from state.frames import Body
from state.inputs import AlertReceived
from state.record import SCHEMA, Record, encode
from state.segments import LOCK, chain_at, identities, identity_name, read, segments
from tests.daemons import refused, running
from tests.directories import written
from tests.local import bundled
from tests.runs import oracle

START = ("--simulate", "1", "--start", "2026-02-12T15:00:00Z", "--seed", "7")
SOUND = 65
"""The record of the bundled days before the one that is damaged here: two positions are held, one was closed before."""


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    """A copy of the bundled run, to be damaged."""
    return Path(shutil.copytree(bundled(), tmp_path / "run"))


def flip(data: Path, lsn: int) -> None:
    """Flip a bit in the payload of a record."""
    (body,) = [one for one in read(Disk(), data / "journal") if one.lsn == lsn]
    for file in sorted((data / "journal").glob("*.seg")):
        raw = bytearray(file.read_bytes())
        if (place := raw.find(body.payload)) >= 0:
            raw[place + len(body.payload) // 2] ^= 1
            file.write_bytes(raw)
            return
    raise AssertionError(f"record {lsn} is nowhere")


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a directory that holds anything."""
    found = {str(one.relative_to(root)): one.read_bytes() for one in sorted(root.rglob("*")) if one.is_file()}
    return {name: content for name, content in found.items() if Path(name).name not in (LOCK, "spare")}


@contextmanager
def unchanged(root: Path) -> Iterator[None]:
    """Whatever the block does, it changes nothing below a directory."""
    before = contents(root)
    yield
    assert contents(root) == before


def facts_of(data: Path, kind: str, *, after: int) -> list[dict[str, Any]]:
    """All facts of a kind behind a record, as the whole journal exports them."""
    told = map(json.loads, export_lines(data, from_lsn=after + 1, facts_only=True))
    return [fact for one in told for fact in one["facts"] if fact["fact"] == kind]


# -- what it says -----------------------------------------------------------------------------------------------------


def test_nothing_is_repaired_where_nothing_is_damaged(data: Path) -> None:
    """Accepted or not: exit 0, and not a byte is changed."""
    with unchanged(data):
        for words in ([], ["--accept-loss"]):
            done = oracle("journal", "repair", "--data", data, *words)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout == "nothing to repair: what the journal holds is what was written\n"
        assert repair(data, accept=True) == {"damaged": False, "repaired": False}


def test_what_would_be_lost_is_told_and_nothing_changed(data: Path) -> None:
    """The place of the damage, the records behind it, what they were about, and what the cut brings back."""
    lost = {kind: facts_of(data, kind, after=SOUND + 1) for kind in ("AlertLogged", "OrderFilled", "PositionClosed")}
    last = segments(Disk(), data / "journal")[-1].last_lsn
    flip(data, SOUND + 1)
    with unchanged(data):
        told = repair(data, accept=False)
    assert told["why"].startswith("00000000000000000001.seg at byte ")
    assert (told["record"], told["repaired"], told["copy"]) == (SOUND, False, None)
    counted = [told["lost"][one] for one in ("records", "readable", "first", "last")]
    assert counted == [last - SOUND, last - SOUND - 1, SOUND + 1, last]
    assert told["lost"]["alerts"] == [one["event_id"] for one in lost["AlertLogged"]]
    assert told["lost"]["fills"] == [one["fill"]["id"] for one in lost["OrderFilled"]]
    closed = [one["position_id"] for one in lost["PositionClosed"]]
    assert told["held_again"] == told["held"] == closed == ["pos-000002", "pos-000003"]
    assert repairing.exit_code(told) == 3
    shown = "\n".join(lines(told))
    assert f"LOST: {last - SOUND} records, {SOUND + 1} to {last}" in shown
    assert "1 cannot" in shown
    assert "pos-000002 closed: net -$375.40" in shown
    assert "held again that the lost records closed or reduced: 2 (pos-000002 pos-000003)" in shown
    assert f"oracle journal repair --accept-loss --data {data}" in shown


def test_an_order_at_work_again_is_named(data: Path) -> None:
    """An order that was created before the damage and filled behind it."""
    created = next(json.loads(line) for line in export_lines(data) if "OrderCreated" in line)
    order = next(one["order"]["id"] for one in created["facts"] if one["fact"] == "OrderCreated")
    flip(data, created["lsn"] + 1)
    told = repair(data, accept=False)
    assert (told["working"], told["working_again"]) == ([order], [order])
    assert set(told["lost"]["positions"]) >= {"pos-000001", "pos-000002", "pos-000003"}
    assert told["held"] == told["held_again"] == []
    assert order not in told["lost"]["orders"]


def test_the_tables_know_how_much_is_gone_that_nobody_can_read(data: Path) -> None:
    """A journal whose only segment is gone; the identity alone could not tell how long it was."""
    last = segments(Disk(), data / "journal")[-1].last_lsn
    next((data / "journal").glob("*.seg")).unlink()
    told = repair(data, accept=False)
    assert (told["lost"]["records"], told["lost"]["readable"]) == (last, 0)
    assert "  none of them can be read" in list(lines(told))
    (data / "oracle.db").write_bytes(b"no database")
    assert repair(data, accept=False)["lost"]["records"] == 0


def test_long_lists_are_cut_for_people(data: Path) -> None:
    """Twenty of a kind are shown, JSON holds all."""
    flip(data, 2)
    told = repair(data, accept=False)
    shown = list(lines(told))
    assert len(told["lost"]["story"]) > 20
    assert f"  ... and {len(told['lost']['story']) - 20} more, which --json shows" in shown
    told["lost"]["alerts"] = [f"evt-{number:06}" for number in range(1, 31)]
    (alerts,) = [line for line in lines(told) if line.startswith("  alerts: 30")]
    assert alerts.endswith("evt-000020 ...)")


# -- what it does -----------------------------------------------------------------------------------------------------


def test_an_accepted_loss_is_copied_aside_first(data: Path) -> None:
    """The copy is a directory like any other, says what was lost, and nothing in it is missing."""
    flip(data, SOUND + 1)
    before = contents(data)
    done = oracle("journal", "repair", "--accept-loss", "--data", data, "--json")
    told = json.loads(done.stdout)
    copy = data / "journal.damaged-1"
    assert (done.returncode, done.stderr, told["repaired"], told["copy"]) == (0, "", True, str(copy))
    kept = contents(copy)
    assert {**json.loads(kept.pop(LOSS)), "repaired": True} == {**told, "cut": "done"}
    assert kept == before
    assert {oct(one.stat().st_mode)[-2:] for one in (copy, copy / "journal", copy / LOSS)} == {"00"}
    with unchanged(copy):
        assert repair(copy, accept=False)["lost"] == told["lost"]
    assert oracle("journal", "repair", "--data", data).stdout.startswith("nothing to repair")


def test_every_command_works_again(data: Path) -> None:
    """The chain is that of the sound records, the tables are made again, and what was closed is held."""
    chain = chain_at(Disk(), data / "journal", lsn=SOUND).hex()
    flip(data, SOUND + 1)
    assert oracle("verify", "--data", data).returncode == 3
    repair(data, accept=True)
    verified = json.loads(oracle("verify", "--data", data, "--json").stdout)
    assert (verified["judged"], verified["chain"]) == (SOUND, chain)
    asked = oracle("status", "--data", data, "--json")
    status = json.loads(asked.stdout)
    assert (status["record"], status["positions_open"], asked.stderr) == (SOUND, 2, f"caught up {SOUND} records\n")
    rows = json.loads(oracle("positions", "--data", data, "--json").stdout)
    assert [one["phase"] for one in rows] == ["closed", "open", "open"]
    assert oracle("rebuild", "--data", data).returncode == 0


def test_a_damaged_identity_costs_nothing(data: Path) -> None:
    """All records stay, and nobody is told of a loss."""
    (newest,) = identities(Disk(), data / "journal")
    before = list(read(Disk(), data / "journal"))
    (data / "journal" / identity_name(newest)).write_bytes(b"?")
    assert "no record is lost" in list(lines(repair(data, accept=False)))
    repair(data, accept=True)
    assert list(read(Disk(), data / "journal")) == before


def test_nobody_repairs_what_a_process_works_on(data: Path) -> None:
    """Not even to look: it may be writing."""
    flip(data, SOUND + 1)
    lock = Disk().lock(data / "journal" / LOCK)
    try:
        with unchanged(data), pytest.raises(DirectoryInUse):
            repair(data, accept=True)
        assert oracle("journal", "repair", "--data", data).returncode == 7
    finally:
        Disk().close(lock)


def test_a_copy_that_was_not_completed_is_made_anew(data: Path) -> None:
    """A complete one is kept, and the next gets the next number."""
    flip(data, SOUND + 1)
    before = contents(data)
    half = data / "journal.damaged-1" / "journal"
    half.mkdir(parents=True)
    (half / "00000000000000000099.seg").write_bytes(b"half")
    assert repair(data, accept=True)["copy"].endswith("damaged-1")
    assert {name: content for name, content in contents(half.parent).items() if name != LOSS} == before
    flip(data, 40)
    assert repair(data, accept=True)["copy"].endswith("damaged-2")
    assert [one.lsn for one in read(Disk(), data / "journal")][-1] == 39
    assert (half.parent / LOSS).exists()


def test_a_cut_that_was_not_done_is_said_to_be_intended(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the copy is true whenever the process ends; the next try copies and cuts again."""

    class Refusing(Disk):
        def replace(self, file: Path, content: bytes) -> None:
            if file.suffix == ".seg" and file.parent == data / "journal":
                raise OSError(EIO, "refused")
            super().replace(file, content)

    flip(data, SOUND + 1)
    monkeypatch.setattr(repairing, "Disk", Refusing)
    with pytest.raises(DiskFailed, match="refused"):
        repair(data, accept=True)
    assert json.loads((data / "journal.damaged-1" / LOSS).read_bytes())["cut"] == "intended"
    monkeypatch.undo()
    assert repair(data, accept=True)["copy"].endswith("damaged-2")
    assert json.loads((data / "journal.damaged-2" / LOSS).read_bytes())["cut"] == "done"


def test_what_is_no_file_is_not_the_journals(data: Path) -> None:
    """A directory or a pipe that somebody left there is not copied, and stands in nobody's way."""
    flip(data, SOUND + 1)
    (data / "journal" / "old").mkdir()
    os.mkfifo(data / "journal" / "pipe")
    assert repair(data, accept=True)["repaired"]
    assert not (data / "journal.damaged-1" / "journal" / "old").exists()
    assert oracle("verify", "--data", data).returncode == 0


def test_nothing_is_cut_that_could_not_be_copied(data: Path) -> None:
    """Where no copy can be made the journal stays as it is, and the next try finds it like that."""
    flip(data, SOUND + 1)
    (data / "journal.damaged-1").write_text("in the way", "utf-8")
    with unchanged(data), pytest.raises(DiskFailed, match="cannot be written"):
        repair(data, accept=True)
    (data / "journal.damaged-1").unlink()
    assert repair(data, accept=True)["repaired"]


def test_records_of_another_version_are_no_damage(tmp_path: Path) -> None:
    """A version that cannot read the sound records cuts nothing: the remedy is another version."""
    told = [Body(lsn, lsn, "TickReached", 99, bytes([lsn]) * 9, "later") for lsn in (1, 2, 3)]
    written(tmp_path / "run", told).close()
    flip(tmp_path / "run", 2)
    with unchanged(tmp_path), pytest.raises(JournalDamaged, match="update oracle"):
        repair(tmp_path / "run", accept=True)


def test_a_sound_record_that_breaks_a_law_is_told_and_nothing_cut(tmp_path: Path) -> None:
    """It is no damage, and no cut behind it would help; what is lost is told all the same."""
    data = tmp_path / "run"
    breaking = encode(Record(AlertReceived("", "webhook"), (EntriesResumed("operator"),)))
    told = [Body(lsn, lsn, "AlertReceived", SCHEMA, breaking, "now") for lsn in (1, 2, 3)]
    written(data, [told[0], Body(2, 2, "AlertReceived", SCHEMA, b"lost" * 20, "now"), told[2]]).close()
    flip(data, 2)
    done = oracle("journal", "repair", "--data", data)
    assert (done.returncode, done.stderr) == (3, "")
    assert "record 1 is as it was written, but breaks a law: nothing is halted for operator: report this" in done.stdout
    assert "LOST: 2 records, 2 to 3" in done.stdout
    assert "--accept-loss" not in done.stdout
    with unchanged(data):
        assert oracle("journal", "repair", "--accept-loss", "--data", data).returncode == 6


# -- a killed process -------------------------------------------------------------------------------------------------


def test_a_process_goes_on_after_a_loss_was_accepted(tmp_path: Path) -> None:
    """Killed, its acknowledged alert damaged: refused with 3, repaired, and the next process takes alerts again."""
    data = tmp_path / "desk"
    with running(data, *START) as daemon:
        for symbol in ("SPY", "QQQ", "IWM"):
            told = daemon.post({"symbol": symbol, "direction": "long", "timeframe": "5m"}).told
        assert oracle("journal", "repair", "--data", data).returncode == 7
        daemon.kill()
    logged = [one for one in map(json.loads, export_lines(data, facts_only=True)) if one["input"] == "AlertReceived"]
    flip(data, logged[1]["lsn"])
    code, said = refused(data, *START)
    assert (code, "oracle journal repair" in said) == (3, True)
    assert oracle("journal", "repair", "--data", data).returncode == 3
    done = oracle("journal", "repair", "--accept-loss", "--data", data)
    assert (done.returncode, told["webhook_event_id"] in done.stdout) == (0, True)
    with running(data, *START) as daemon:
        again = daemon.post({"symbol": "IWM", "direction": "long", "timeframe": "5m"}).told
        assert (again["webhook_event_id"], again["status"]) == ("evt-000002", "ACCEPTED")
        assert [one["id"] for one in daemon.rows("events")] == ["evt-000001", "evt-000002"]
        assert daemon.stop() == 0
    assert oracle("verify", "--data", data).returncode == 0
    assert cut.examine(Disk(), data / "journal") is None
