"""The client of a process at work: what it asks, what it makes of the answers, and who is not there."""

import shutil
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from oracle.ask import Asker, Silent, demanded, looks, reached, socket_path
from oracle.clock import monotonic
from oracle.explain import explain
from oracle.queries import rows, status
from state import errors
from state.errors import BadUsage, OracleFailure
from tests.local import bundled, serving, stuck

FAILURES = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, OracleFailure)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A run's directory in which a socket may be made."""
    return Path(shutil.copytree(bundled(), tmp_path / "run"))


def descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def asked(directory: Path) -> Asker:
    """The process of a directory, which must be there."""
    found = reached(directory)
    assert found is not None
    return found


# -- answers --------------------------------------------------------------------------------------------------------


def test_questions_are_answered_as_from_the_files(data: Path) -> None:
    """What comes through the socket is what the query functions give, value for value."""
    with serving(data):
        daemon = asked(data)
        assert daemon.status() == status(data)
        assert daemon.explain("pos-000001") == explain(data, "pos-000001")
        where = ("phase=rejected", "symbol=XLE")
        assert daemon.rows("signals", limit=3, where=where) == rows(data, "signals", limit=3, where=where)
        assert daemon.deadletters(7) == [{"path": "/deadletters?limit=7"}]
        assert [one["name"] for one in daemon.flags()] == ["snap_unlisted"]


def test_a_condition_may_hold_any_character(data: Path) -> None:
    """What a user types reaches the process as it was typed."""
    with serving(data):
        with pytest.raises(BadUsage, match="'a=b&c#d é/ ' is no COLUMN=VALUE"):
            asked(data).rows("signals", limit=1, where=("a=b&c#d é/ ",))
        with pytest.raises(BadUsage, match=r"'a/b.x=y z' is no id"):
            asked(data).explain("a/b?x=y z")


def test_what_is_told_arrives_and_is_answered(data: Path) -> None:
    """Each ask is one POST with its words, and its answer comes back whole."""
    answers = {one: lambda told, one=one: {"at": one, **told} for one in ("/ask", "/requeue", "/clock")}
    with serving(data, answers) as said:
        daemon = asked(data)
        told = daemon.ask("close", about="all", words="going to lunch, é")
        assert told == {"at": "/ask", "ask": "close", "about": "all", "words": "going to lunch, é"}
        assert daemon.requeue("evt-000009") == {"at": "/requeue", "event_id": "evt-000009"}
        assert daemon.move(1_770_907_860_000_000_001) == {"at": "/clock", "to": 1_770_907_860_000_000_001}
    assert [one for one, _ in said] == ["/ask", "/requeue", "/clock"]


@pytest.mark.parametrize("kind", FAILURES, ids=lambda kind: kind.__name__)
def test_a_failure_over_there_is_the_same_failure_here(data: Path, kind: type[OracleFailure]) -> None:
    """Its words and its exit code come through."""

    def fail(told: dict[str, Any]) -> Any:
        raise kind("it said so")

    with serving(data, {"/ask": fail}), pytest.raises(OracleFailure, match="it said so") as raised:
        asked(data).ask("halt")
    assert type(raised.value) is kind


def test_who_waits_looks_at_once_and_once_more_at_the_end() -> None:
    """Without time to wait there is one look; with some, there are several and none long after."""
    assert len(list(looks(0))) == 1
    begun = monotonic()
    assert len(list(looks(0.15))) >= 2
    assert monotonic() - begun >= 150_000_000


# -- nobody, and others ---------------------------------------------------------------------------------------------


def test_without_a_process_nobody_is_reached(tmp_path: Path) -> None:
    """No directory, no socket, a file in the directory's place, and a socket that a killed process left."""
    (tmp_path / "file").write_text("", "utf-8")
    (tmp_path / "left").mkdir()
    with socket.socket(socket.AF_UNIX) as left, socket_path(tmp_path / "left") as path:
        left.bind(path)
    for name in ("absent", "", "file", "left"):
        assert reached(tmp_path / name) is None
    with pytest.raises(OracleFailure, match=r"nothing runs on .*: start it with oracle run --data") as raised:
        demanded(tmp_path)
    assert raised.value.exit_code == 1


def test_a_long_path_is_reached_too(tmp_path: Path) -> None:
    """A data directory may lie deeper than a socket's path may be long."""
    data = Path(shutil.copytree(bundled(), tmp_path / ("a" * 60) / ("b" * 60)))
    before = descriptors()
    with serving(data):
        assert demanded(data).status() == status(data)
    with socket_path(data) as path:
        assert len(path) < 60
    assert descriptors() == before


def test_what_is_no_socket_names_the_remedy(tmp_path: Path) -> None:
    """A file, for instance, in the place of the socket, is no process that went away."""
    (tmp_path / "oracle.sock").symlink_to("oracle.sock")
    with pytest.raises(OracleFailure, match=r"cannot be asked: .*; ask as the user who runs the process"):
        reached(tmp_path)


@pytest.mark.parametrize(
    "answer",
    [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\n{"],
)
def test_an_answer_that_breaks_off_is_a_failure(tmp_path: Path, answer: bytes) -> None:
    """A process that dies while it answers leaves words that say so, and what may have been done."""
    with socket.socket(socket.AF_UNIX) as server:
        with socket_path(tmp_path) as path:
            server.bind(path)
        server.listen()
        thread = threading.Thread(target=_answer_once, args=(server, answer))
        thread.start()
        with pytest.raises(
            OracleFailure, match=r"went away while it was asked .*; what it was asked may have been taken"
        ):
            Asker(tmp_path).ask("halt")
        thread.join()


def test_a_process_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """A stuck process does not take its asker with it; what it was asked to do it may yet do."""
    with stuck(tmp_path):
        daemon = reached(tmp_path, 0.05)
        assert daemon is not None
        with pytest.raises(Silent, match=r"did not answer in 0\.05 s$"):
            daemon.status()
        with pytest.raises(Silent, match=r"did not answer in 0\.05 s; what it was asked may have been taken"):
            daemon.ask("halt")


def test_a_process_that_takes_no_more_questions_is_silent_too(tmp_path: Path) -> None:
    """Those that nobody answered fill its queue, and the next is not even taken."""
    with stuck(tmp_path), ExitStack() as held:
        with suppress(BlockingIOError):
            while True:
                held.enter_context(Asker(tmp_path).connected(0.05))
        with pytest.raises(Silent, match=r"did not answer in 0\.05 s"):
            reached(tmp_path, 0.05)
        with pytest.raises(Silent, match=r"did not answer in 0\.05 s"):
            Asker(tmp_path, 0.05).status()


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(answer)
