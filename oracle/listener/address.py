"""Whether an address can be listened on, found out before anything else is begun. Deliberately absent: listening."""

import socket

from oracle.keys import Keys
from oracle.listener import guard
from state.errors import BadUsage


def check(keys: Keys, host: str, port: int) -> None:
    """Raise BadUsage when an address cannot be bound now, or without a secret is not this machine's own."""
    check_secret(keys, host)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family):
            pass
    except (OSError, OverflowError) as refusal:
        raise unusable(host, port, refusal) from refusal


def check_secret(keys: Keys, host: str) -> None:
    """Raise BadUsage for an address that others can reach, when nothing proves who calls."""
    if not keys and host not in guard.LOCAL_NAMES:
        remedy = "set WEBHOOK_TOKEN in the environment or in secrets.env, or listen on 127.0.0.1"
        raise BadUsage(f"without a secret nobody outside may call, so {host} is not listened on: {remedy}")


def unusable(host: str, port: int, refusal: Exception) -> BadUsage:
    """What is said of an address that the system refuses."""
    remedy = "stop the program that uses it, or choose another host and port"
    return BadUsage(f"{host} port {port} cannot be listened on ({refusal}): {remedy}")
