"""Questions to a run that is down: whatever it was cut short in, the answer is that of its whole journal."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle import queries, reading
from state.disk import Disk
from state.errors import BadUsage, DirectoryInUse, JournalDamaged, OracleFailure
from state.frames import HEADER_BYTES, Mark, decode_header, encode_mark, seed_of
from state.segments import segments
from tests.conftest import ROOT
from tests.directories import ended, killed, tabled, written
from tests.test_tables import story


def orders(path: Path) -> list[dict[str, Any]]:
    """The question that most of these tests ask."""
    return queries.rows(path, "orders", limit=50)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(orders, status) of the story in a directory whose run ended well."""
    path = ended(tmp_path_factory.mktemp("full") / "run", story())
    return orders(path), queries.status(path)


def journal_files(path: Path) -> dict[str, bytes]:
    """Every file of a journal, with its bytes."""
    return {one.name: one.read_bytes() for one in (path / "journal").iterdir() if one.name != "lock"}


@pytest.mark.parametrize("tables", [0, 1, 9, 21])
def test_tables_behind_their_journal_catch_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], full: tuple[Any, Any], tables: int
) -> None:
    """A killed run answers with all its records, says once how many its tables lacked, and its journal stays as it is."""
    path = killed(tmp_path / "run", story(), tables=tables)
    before = journal_files(path)
    assert reading.answer(path, orders) == full[0]
    assert capsys.readouterr().err == f"caught up {len(story()) - tables} records\n"
    assert reading.answer(path, queries.status) == full[1]
    assert capsys.readouterr() == ("", "")
    assert journal_files(path) == before


def test_a_sealed_journal_that_is_ahead_is_caught_up_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], full: tuple[Any, Any]
) -> None:
    """A seal says how far the journal is, not that the tables are: a run may end without having written them."""
    path = tmp_path / "run"
    written(path, story()).close()
    tabled(path, story()[:5])
    assert reading.answer(path, queries.status) == full[1]
    assert capsys.readouterr().err == f"caught up {len(story()) - 5} records\n"


def test_a_sealed_journal_is_not_read_again(tmp_path: Path) -> None:
    """Where a run ended well, a question costs one look at the seal: damage in the middle is for `verify` to find."""
    path = ended(tmp_path / "run", story())
    (segment,) = (path / "journal").glob("*.seg")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert reading.answer(path, orders) == orders(path)


def test_a_torn_tail_is_read_up_to_its_last_whole_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], full: tuple[Any, Any]
) -> None:
    """What a crash left half written counts as not written, and is left for the next start to move aside."""
    path = killed(tmp_path / "run", story(), tables=3)
    (told,) = segments(Disk(), path / "journal")
    with (path / "journal" / told.name).open("r+b") as file:
        file.seek(told.used_bytes)
        file.write(b"\x40\x00\x00\x00half a frame")
    before = journal_files(path)
    assert reading.answer(path, orders) == full[0]
    assert "caught up" in capsys.readouterr().err
    assert journal_files(path) == before
    assert segments(Disk(), path / "journal")[0].torn_bytes > 0


def test_tables_without_where_the_run_stands_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], full: tuple[Any, Any]
) -> None:
    """Rows of a busy moment are written without the figures; a run killed then is asked all the same."""
    path = ended(tmp_path / "run", story())
    subprocess.run([sys.executable, "-c", _FORGET, path / "oracle.db"], check=True)
    assert reading.answer(path, queries.status) == full[1]
    assert capsys.readouterr().err == ""


_FORGET = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DELETE FROM standing'); c.commit()"


def test_tables_of_another_history_are_made_again(tmp_path: Path, full: tuple[Any, Any]) -> None:
    """A database that knows records which the journal does not is no answer."""
    path = tmp_path / "run"
    written(path, story()[:12])._release()
    tabled(path, story())
    assert len(reading.answer(path, orders)) < len(full[0])


def test_a_process_at_work_is_to_be_asked_itself(tmp_path: Path) -> None:
    """While the lock is held nothing is caught up with; tables that are in step answer all the same."""
    path = tmp_path / "run"
    journal = written(path, story())
    tabled(path, story()[:9])
    before = (path / "oracle.db").read_bytes()
    with pytest.raises(DirectoryInUse, match=r"a process is at work in .*: ask it"):
        reading.answer(path, orders)
    assert (path / "oracle.db").read_bytes() == before
    tabled(path, story())
    assert reading.answer(path, orders) == orders(path)
    journal.close()


def test_what_cannot_be_locked_says_so(tmp_path: Path) -> None:
    """Who may read a directory but not write in it is told whom to ask."""
    path = killed(tmp_path / "run", story(), tables=3)
    (path / "journal" / "lock").unlink()
    (path / "journal" / "lock").mkdir()
    with pytest.raises(OracleFailure, match="is behind its journal and cannot catch up"):
        reading.answer(path, orders)


def test_a_damaged_record_is_never_caught_up_with(tmp_path: Path) -> None:
    """Damage to what was acknowledged ends the question with its own failure."""
    path = killed(tmp_path / "run", story(), tables=3)
    (told,) = segments(Disk(), path / "journal")
    with (path / "journal" / told.name).open("r+b") as file:
        file.seek(told.used_bytes // 2)
        flipped = file.read(1)[0] ^ 1
        file.seek(told.used_bytes // 2)
        file.write(bytes([flipped]))
        file.seek(told.used_bytes)
        # A mark behind it shows that the record was durable.
        file.write(_mark(path, told.name))
    with pytest.raises(JournalDamaged):
        reading.answer(path, orders)


def _mark(path: Path, name: str) -> bytes:
    """The mark of an idle moment after the whole story."""
    header = decode_header((path / "journal" / name).read_bytes()[:HEADER_BYTES])
    return encode_mark(Mark.IDLE, len(story()), seed=seed_of(header))


def test_what_is_missing_names_the_remedy(tmp_path: Path) -> None:
    """No journal asks for another directory, no database for a rebuild, an empty one for nothing else."""
    with pytest.raises(BadUsage, match="holds no journal"):
        reading.answer(tmp_path / "elsewhere", orders)
    written(tmp_path / "run", ()).close()
    with pytest.raises(BadUsage, match="`oracle rebuild --data"):
        reading.answer(tmp_path / "run", orders)
    tabled(tmp_path / "run", ())
    assert reading.answer(tmp_path / "run", orders) == []
    assert reading.answer(tmp_path / "run", queries.status)["record"] == 0


_ASK = """
import sys
from pathlib import Path
from oracle import explain, queries, reading, report
path = Path(sys.argv[1])
report.status({"running": False, "silent": False, **reading.answer(path, queries.status)})
report.rows("trades", reading.answer(path, lambda one: queries.rows(one, "trades", limit=9)))
report.rows("deadletters", reading.answer(path, queries.deadletters))
report.explanation(reading.answer(path, lambda one: explain.explain(one, "pos-000001")))
heavy = {"numpy", "scipy", "pandas", "aiohttp", "asyncio", "aiosqlite", "transitions", "rich"}
print("loaded", sorted(heavy & set(sys.modules)))
"""


def test_a_question_loads_nothing_heavy(tmp_path: Path) -> None:
    """What a person waits for begins in a moment: no numbers, no market, no event loop is loaded to read some rows."""
    path = ended(tmp_path / "run", story())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", _ASK, path], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "loaded []"
