"""The registry of every code a refusal, queue, retry, exit, order ending, failure or alert can carry.

A code exists here only when the program can produce it; its reference page is generated from this table.
"""

from enum import StrEnum

import msgspec


class Stage(StrEnum):
    """Where in the walk a code arises."""

    DOOR = "door"
    INTAKE = "intake"
    SESSION = "session"
    GATES = "gates"
    CONTRACT = "contract"
    SIZING = "sizing"
    ORDER = "order"
    EXIT = "exit"
    OPERATOR = "operator"
    CORE = "core"


class Severity(StrEnum):
    """How much somebody should care."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Reason(msgspec.Struct, frozen=True):
    """One code: where it arises, how grave it is, whether the same signal is tried once more, and its words."""

    code: str
    stage: Stage
    severity: Severity
    retryable: bool
    text: str


_ROWS: tuple[tuple[str, Stage, Severity, bool, str], ...] = (
    ("not_found", Stage.DOOR, Severity.INFO, False, "nothing answers at this path"),
    ("bad_request", Stage.DOOR, Severity.INFO, False, "the call is not understood, or did not arrive whole"),
    (
        "no_secret",
        Stage.DOOR,
        Severity.WARNING,
        False,
        "no secret is configured: only programs on this machine may call",
    ),
    ("invalid_signature", Stage.DOOR, Severity.WARNING, False, "the call proves no secret that is configured"),
    ("inbox_full", Stage.DOOR, Severity.WARNING, False, "too much is waiting already: to be sent again"),
    ("stopping", Stage.DOOR, Severity.INFO, False, "the program is stopping: to be sent again"),
    ("body_empty", Stage.INTAKE, Severity.INFO, False, "the body holds no text"),
    ("body_too_large", Stage.INTAKE, Severity.INFO, False, "the body is larger than 128 KB"),
    ("body_not_utf8", Stage.INTAKE, Severity.INFO, False, "the body is not UTF-8"),
    ("body_not_json", Stage.INTAKE, Severity.INFO, False, "the body is no JSON and no damage that can be mended"),
    ("body_not_object", Stage.INTAKE, Severity.INFO, False, "the body is JSON but not one object"),
    ("body_too_deep", Stage.INTAKE, Severity.INFO, False, "the body is nested too deeply"),
    (
        "number_out_of_range",
        Stage.INTAKE,
        Severity.INFO,
        False,
        "the body holds a number that is too long or too large",
    ),
    ("unrendered_placeholder", Stage.INTAKE, Severity.INFO, False, "a field still holds the placeholder of a template"),
    ("missing_symbol", Stage.INTAKE, Severity.INFO, False, "the alert names no symbol"),
    ("invalid_symbol", Stage.INTAKE, Severity.INFO, False, "the symbol has an impossible shape"),
    ("invalid_option", Stage.INTAKE, Severity.INFO, False, "the option symbol cannot be used"),
    ("missing_timeframe", Stage.INTAKE, Severity.INFO, False, "the alert names no timeframe"),
    ("invalid_timeframe", Stage.INTAKE, Severity.INFO, False, "the timeframe is not understood"),
    ("missing_direction", Stage.INTAKE, Severity.INFO, False, "the alert names no direction"),
    ("unread_direction", Stage.INTAKE, Severity.INFO, False, "the words of the alert give no direction"),
    ("neutral_direction", Stage.INTAKE, Severity.INFO, False, "the direction is neutral"),
    (
        "ambiguous_direction",
        Stage.INTAKE,
        Severity.INFO,
        False,
        "the words of the alert contradict each other or the option",
    ),
    ("invalid_timestamp", Stage.INTAKE, Severity.INFO, False, "the timestamp is not understood"),
    ("timestamp_in_future", Stage.INTAKE, Severity.INFO, False, "the timestamp lies more than 5 minutes ahead"),
    ("invalid_strike", Stage.INTAKE, Severity.INFO, False, "the strike is not understood"),
    ("invalid_expiration", Stage.INTAKE, Severity.INFO, False, "the expiration is not understood"),
    ("invalid_mark", Stage.INTAKE, Severity.INFO, False, "a mark is neither true nor false"),
    ("exit_alert", Stage.INTAKE, Severity.INFO, False, "the alert asks to leave a position"),
    ("not_an_entry", Stage.INTAKE, Severity.INFO, False, "the alert describes the market and asks for nothing"),
    ("bias_not_accepted", Stage.INTAKE, Severity.INFO, False, "a bias event is not a trading signal"),
    ("gamma_not_accepted", Stage.INTAKE, Severity.INFO, False, "a gamma context is not a trading signal"),
    ("ping", Stage.INTAKE, Severity.INFO, False, "a connection test"),
    (
        "unknown_profile",
        Stage.INTAKE,
        Severity.INFO,
        False,
        "the alert names a profile the configuration does not have",
    ),
    ("duplicate_content", Stage.INTAKE, Severity.INFO, False, "the same alert was received before"),
    ("duplicate_window", Stage.INTAKE, Severity.INFO, False, "a like alert was accepted moments ago"),
    ("entries_halted", Stage.GATES, Severity.WARNING, False, "the operator halted entries: nothing is opened"),
    ("clock_jumped", Stage.GATES, Severity.ERROR, True, "the clocks came apart: nothing is opened or settled"),
    (
        "clock_behind",
        Stage.GATES,
        Severity.ERROR,
        True,
        "the clock is behind the records: nothing is opened or settled",
    ),
    ("storage_low", Stage.GATES, Severity.ERROR, True, "the disk has no room for another segment: nothing is opened"),
    ("signal_stale", Stage.GATES, Severity.INFO, False, "the signal is too old to act on"),
    ("market_closed", Stage.SESSION, Severity.INFO, False, "the market is closed: judged only, or refused"),
    ("queued_market_closed", Stage.SESSION, Severity.INFO, False, "the market is closed: waits for the next open"),
    ("too_close_to_close", Stage.GATES, Severity.INFO, False, "no entry in the last minutes before the close"),
    ("max_open_positions_exceeded", Stage.GATES, Severity.INFO, False, "no room for another position"),
    (
        "max_positions_per_symbol_exceeded",
        Stage.GATES,
        Severity.INFO,
        False,
        "no room for another position in the symbol",
    ),
    ("daily_loss_limit_reached", Stage.GATES, Severity.WARNING, False, "the loss of the day reached its limit"),
    ("daily_trade_cap_reached", Stage.GATES, Severity.INFO, False, "the entries of the day reached their number"),
    (
        "market_data_unavailable",
        Stage.GATES,
        Severity.WARNING,
        True,
        "no fresh price or option chain of the symbol is known",
    ),
    ("price_drift_exceeded", Stage.GATES, Severity.INFO, False, "the price left the one it was decided or sent at"),
    ("contract_not_listed", Stage.CONTRACT, Severity.INFO, False, "no listed contract fits"),
    ("quote_stale", Stage.CONTRACT, Severity.WARNING, True, "the contract has no fresh two-sided quote"),
    (
        "levels_unusable",
        Stage.CONTRACT,
        Severity.INFO,
        False,
        "the alert's stop is not below, or its target not above the mark",
    ),
    ("duplicate_position", Stage.CONTRACT, Severity.INFO, False, "the contract is held already"),
    ("size_zero", Stage.SIZING, Severity.INFO, False, "the size comes out as no contract at all"),
    ("exposure_exceeded", Stage.SIZING, Severity.INFO, False, "the cost would exceed the exposure limit"),
    (
        "insufficient_buying_power",
        Stage.SIZING,
        Severity.WARNING,
        False,
        "the cash does not pay for it at its worst price",
    ),
    ("order_timeout", Stage.ORDER, Severity.INFO, False, "the entry order found no fill in its time"),
    ("end_of_day", Stage.ORDER, Severity.INFO, False, "the order ended with the contract's session"),
    (
        "position_exit",
        Stage.ORDER,
        Severity.INFO,
        False,
        "the position is to be left: the rest of its entry is cancelled",
    ),
    ("close_asked", Stage.ORDER, Severity.INFO, False, "what the entry would open is to be closed: it is given up"),
    ("broker_cancelled", Stage.ORDER, Severity.WARNING, False, "the broker cancelled the order unasked"),
    ("broker_rejected", Stage.ORDER, Severity.ERROR, False, "the broker rejected the order"),
    ("broker_failed", Stage.ORDER, Severity.ERROR, False, "the order failed at the broker"),
    ("exit_order_ended", Stage.EXIT, Severity.WARNING, False, "the exit order ended before the position was empty"),
    ("exit_order_failed", Stage.EXIT, Severity.ERROR, False, "the broker would not close the position"),
    ("exit_waiting", Stage.EXIT, Severity.WARNING, False, "an exit order waits for a quote it can fill on"),
    ("profit_target", Stage.EXIT, Severity.INFO, False, "the mark reached the profit target"),
    ("stop_loss", Stage.EXIT, Severity.INFO, False, "the mark reached the stop"),
    ("min_dte_exit", Stage.EXIT, Severity.INFO, False, "too few days are left to expiration"),
    ("max_hold_time", Stage.EXIT, Severity.INFO, False, "the position was held as long as its profile allows"),
    ("manual", Stage.EXIT, Severity.INFO, False, "the operator asked to close the position"),
    ("nothing_to_close", Stage.EXIT, Severity.WARNING, False, "what the operator asked to close is not open"),
    ("expiration", Stage.EXIT, Severity.INFO, False, "the contract expired and settled"),
    (
        "settlement_print_missing",
        Stage.EXIT,
        Severity.ERROR,
        False,
        "the contract expired but no settlement value is known",
    ),
    ("nothing_to_resume", Stage.OPERATOR, Severity.WARNING, False, "nothing is halted that the operator can resume"),
    ("unknown_flag", Stage.OPERATOR, Severity.WARNING, False, "the operator named a flag that does not exist"),
    (
        "nothing_to_requeue",
        Stage.OPERATOR,
        Severity.WARNING,
        False,
        "what the operator asked to requeue did not end without a trade, or was requeued already",
    ),
    ("processing_failed", Stage.CORE, Severity.ERROR, True, "a rule failed for this one; the others went on"),
)

REASONS: dict[str, Reason] = {row[0]: Reason(*row) for row in _ROWS}
"""Every code, in the order of the walk."""


def words(code: str | None) -> str:
    """A code in words for people; the code itself where no words are registered."""
    reason = REASONS.get(code or "")
    return reason.text if reason is not None else (code or "")
