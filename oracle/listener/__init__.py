"""What the world outside may call: a bounded, guarded aiohttp application in front of the inbox's door."""

from oracle.listener.limits import ListenerSettings
from oracle.listener.listening import Listener

__all__ = ["Listener", "ListenerSettings"]
