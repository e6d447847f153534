"""The supervisor hears what it asked for, and its absence disturbs nothing."""

import socket
from pathlib import Path

from oracle.systemd import Supervisor


def test_the_supervisor_hears_each_message(tmp_path: Path) -> None:
    """One datagram with all assignments."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        Supervisor({"NOTIFY_SOCKET": str(path)}).say("READY=1", "STATUS=listening")
        assert heard.recv(100) == b"READY=1\nSTATUS=listening"


def test_an_abstract_address_is_understood() -> None:
    """The supervisor writes a leading @ for a zero byte."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0oracle-notify-test")
        Supervisor({"NOTIFY_SOCKET": "@oracle-notify-test"}).say("STOPPING=1")
        assert heard.recv(100) == b"STOPPING=1"


def test_nobody_has_to_listen(tmp_path: Path) -> None:
    """Neither without an address nor with one that nobody serves."""
    Supervisor({}).say("READY=1")
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).say("READY=1")
