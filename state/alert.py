"""What one alert body was understood to say: an entry, the wish to close, something else, or its faults.

How a body is read is decided in `rules`; whether an understood alert is traded is decided later still.
"""

from enum import StrEnum

import msgspec

from state.contract import Contract


class Direction(StrEnum):
    """The market view of an alert: a long view buys calls, a short view buys puts."""

    LONG = "long"
    SHORT = "short"


class AtSource(StrEnum):
    """Where the instant of an alert comes from. A received instant makes the signal hash unique per delivery."""

    PAYLOAD = "payload"
    RECEIVED = "received"


class LevelsOn(StrEnum):
    """Whose prices entry, stop and target of an alert are."""

    OPTION = "option"
    UNDERLYING = "underlying"


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="entry"):
    """An alert that asks for a position.

    Prices are micro-dollars per share. `price` is the price of the underlying, or None. `confidence`,
    `pattern_strength` and `mtf_alignment` are basis points of the 0-100 scale (75 is 7,500). `at` is nanoseconds UTC.
    `warnings` are codes, some followed by `:` and a short detail.
    """

    symbol: str
    direction: Direction
    timeframe: str
    timeframe_s: int
    at: int
    at_source: AtSource
    signal_hash: str
    price: int | None = None
    confidence: int | None = None
    pattern_strength: int | None = None
    mtf_alignment: int | None = None
    contract: Contract | None = None
    entry_price: int | None = None
    stop: int | None = None
    target: int | None = None
    levels_on: LevelsOn | None = None
    profile: str | None = None
    is_test: bool = False
    test_session: str | None = None
    test_scenario: str | None = None
    sequence_number: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def own_levels(self) -> bool:
        """Whether it brings a stop or a target in premiums, which win over those of its profile."""
        return self.levels_on is LevelsOn.OPTION and (self.stop is not None or self.target is not None)

    @property
    def instrument(self) -> str:
        """What tells two alerts of one symbol apart: the option they name, or the symbol itself."""
        return self.symbol if self.contract is None else self.contract.occ


class ExitAlert(msgspec.Struct, frozen=True, kw_only=True, tag="exit_alert"):
    """An alert that asks to close what its source holds in the symbol.

    `direction` limits it to long or short views, `contract` to one option; None means any. A test alert never
    concerns positions that are not tests.
    """

    symbol: str
    direction: Direction | None
    source: str
    contract: Contract | None = None
    is_test: bool = False
    code: str = "exit_alert"
    warnings: tuple[str, ...] = ()


class NotEntry(msgspec.Struct, frozen=True, kw_only=True, tag="not_entry"):
    """A readable body that does not ask for a position: market context, a bias event, a connection test."""

    intent: str
    code: str
    message: str


class FieldError(msgspec.Struct, frozen=True):
    """One fault of one field; the message names the remedy. The field `body` stands for the text as a whole."""

    field: str
    code: str
    message: str


class BadAlert(msgspec.Struct, frozen=True, kw_only=True, tag="bad_alert"):
    """A body that cannot be used, with every fault that was found in it at once."""

    errors: tuple[FieldError, ...]


Reading = Entry | ExitAlert | NotEntry | BadAlert
