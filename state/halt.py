"""A halt: a reason to open nothing, since when, in whose words. Exits are never halted."""

import msgspec


class Halt(msgspec.Struct, frozen=True, array_like=True):
    """One halt that is in force; its code is registered in `state.reason`."""

    code: str
    words: str
    since: int
