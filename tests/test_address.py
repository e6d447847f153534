"""An address that cannot be listened on is told before anything begins."""

import socket

import pytest

from oracle.keys import Keys
from oracle.listener import address
from state.errors import BadUsage

TOKEN = Keys(None, b"a-token-of-many-characters")


def test_a_free_address_is_left_free() -> None:
    """Asking does not take it."""
    address.check(TOKEN, "127.0.0.1", 0)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    address.check(TOKEN, "127.0.0.1", port)
    address.check(TOKEN, "127.0.0.1", port)


def test_a_taken_port_is_refused() -> None:
    """With the remedy."""
    with (
        socket.create_server(("127.0.0.1", 0)) as held,
        pytest.raises(BadUsage, match="stop the program that uses it"),
    ):
        address.check(TOKEN, "127.0.0.1", held.getsockname()[1])


@pytest.mark.parametrize("host", ["256.1.1.1", "no.such.host.invalid"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """Names that lead nowhere."""
    with pytest.raises(BadUsage, match="cannot be listened on"):
        address.check(TOKEN, host, 0)


def test_without_a_secret_only_this_machine_is_listened_on() -> None:
    """Whatever the port."""
    with pytest.raises(BadUsage, match="WEBHOOK_TOKEN"):
        address.check(Keys(), "0.0.0.0", 0)  # noqa: S104  It is refused.
