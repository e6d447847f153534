"""Tells a service supervisor that asks for it (NOTIFY_SOCKET) when the process is ready, alive, or stopping."""

import contextlib
import socket
from collections.abc import Mapping


class Supervisor:
    """The supervisor named in an environment; without one, every message goes nowhere."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")

    def say(self, *lines: str) -> None:
        """Send assignments such as `READY=1`. A supervisor that does not listen is no failure."""
        if not self._address:
            return
        # A leading @ stands for the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto("\n".join(lines).encode(), address)
