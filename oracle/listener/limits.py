"""Where the listener stands and how much it lets wait. Alone, so that reading a configuration loads no HTTP library."""

import msgspec

from state.money import Count


class ListenerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where alerts are listened for, and how long (in seconds) and how many connections may wait."""

    host: str = "127.0.0.1"
    port: Count = 8080
    read_s_max: Count = 10
    idle_s_max: Count = 15
    connections_max: Count = 512
