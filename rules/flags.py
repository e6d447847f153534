"""Named switches that an operator sets over the configuration, and which of them are on. A table, and look-ups in it."""

import msgspec
from msgspec.structs import replace

from rules.settings import Settings
from state.facts import Alerted, AnyFact, FlagSet
from state.inputs import Ask, OperatorAsked


class Flag(msgspec.Struct, frozen=True):
    """One switch: its name, the configuration key it stands over with its values, and what it allows when on."""

    name: str
    table: str
    key: str
    meaning: str
    on: bool | str = True
    off: bool | str = False

    def is_on(self, settings: Settings) -> bool:
        """Whether these settings have it on."""
        return bool(getattr(getattr(settings, self.table), self.key) == self.on)

    def set_in(self, settings: Settings, *, on: bool) -> Settings:
        """The settings with it on or off; the same object when they have it so."""
        if self.is_on(settings) == on:
            return settings
        table = replace(getattr(settings, self.table), **{self.key: self.on if on else self.off})
        return replace(settings, **{self.table: table})


FLAGS = (
    Flag("allow_premarket", "session", "allow_premarket", "signals of the premarket are queued to the open"),
    Flag("allow_afterhours", "session", "allow_afterhours", "signals after the close are queued to the next open"),
    Flag(
        "snap_unlisted", "strikes", "snap_unlisted", "a named contract that is not listed moves to the nearest strike"
    ),
    Flag("add_to_position", "orders", "add_to_position", "a signal for a contract already held adds to its position"),
    Flag(
        "close_on_exit_alerts",
        "intake",
        "exit_alerts",
        "an alert to leave closes what its source holds in the symbol",
        on="close",
        off="ignore",
    ),
)
"""Every flag there is. What is not in this table cannot be switched."""

_WISH = {Ask.FLAG_ON: True, Ask.FLAG_OFF: False, Ask.FLAG_CLEAR: None}
_NAME_CHARS_MAX = 40
_BY_NAME = {one.name: one for one in FLAGS}


class Standing(msgspec.Struct, frozen=True):
    """How one flag stands: whether it is on, who says so (`operator` or `config`), and the key it stands over."""

    name: str
    on: bool
    set_by: str
    key: str
    meaning: str


def switch(told: OperatorAsked) -> tuple[AnyFact, ...]:
    """The operator sets a flag, or gives the word back to the configuration; an unknown name switches nothing."""
    if told.about not in _BY_NAME:
        return (Alerted("unknown_flag", told.about[:_NAME_CHARS_MAX]),)
    return (FlagSet(told.about, _WISH[told.ask], told.words),)


def in_force(settings: Settings, flags: dict[str, bool]) -> Settings:
    """The settings with the flags over them; the same object when no flag changes anything.

    A name that this version does not know, out of an older journal, changes nothing.
    """
    for name, on in flags.items():
        if name in _BY_NAME:
            settings = _BY_NAME[name].set_in(settings, on=on)
    return settings


def names_on(settings: Settings) -> tuple[str, ...]:
    """The names of all flags that are on under the settings in force, in the order of the table."""
    return tuple(one.name for one in FLAGS if one.is_on(settings))


def standing(settings: Settings, flags: dict[str, bool]) -> tuple[Standing, ...]:
    """How every flag stands: `settings` are those of the configuration, `flags` what the operator set over them."""
    return tuple(
        Standing(
            one.name,
            flags.get(one.name, one.is_on(settings)),
            "operator" if one.name in flags else "config",
            f"{one.table}.{one.key}",
            one.meaning,
        )
        for one in FLAGS
    )
