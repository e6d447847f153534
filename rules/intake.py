"""Raw alert to normalised signal, or field errors, or duplicate: two layers of identity, by content and by window."""

from msgspec.structs import replace

from rules import operator, reading
from rules.settings import Settings
from state.alert import AtSource, BadAlert, Entry, ExitAlert, FieldError, NotEntry
from state.calendar import SECOND
from state.facts import AlertLogged, AnyFact, CloseAsked, OrderCancelAsked, SignalCreated
from state.inputs import AlertReceived, MarketKind
from state.portfolio import Portfolio
from state.signal import Signal

ACCEPTED = "accepted"
DUPLICATE = "duplicate"
IGNORED = "ignored"
INVALID_PAYLOAD = "invalid_payload"
ERROR = "error"


def admit(portfolio: Portfolio, told: AlertReceived, settings: Settings) -> tuple[AnyFact, ...]:
    """Everything that follows from one alert: the answer that is logged, and a signal or asked closes."""
    event_id = portfolio.next_id("evt")
    # Alerts may name any instant while prices are simulated; those of a recorded or real market must fit theirs.
    simulated = portfolio.chosen is not None and portfolio.chosen.kind is MarketKind.SIMULATED
    match reading.read(told.body, source=told.source, received_at=portfolio.now, by_receipt=simulated):
        case Entry() as entry:
            return _entry(portfolio, told, entry, settings=settings)
        case ExitAlert() as alert:
            return (replace(_about(event_id, IGNORED, alert), code=alert.code), *_exits(portfolio, alert, settings))
        case NotEntry() as other:
            # A body that only describes the market is the sender's mistake; what other doors take is not.
            status = INVALID_PAYLOAD if other.code == "not_an_entry" else IGNORED
            errors = (FieldError("body", other.code, other.message),)
            return (replace(_about(event_id, status), code=other.code, errors=errors),)
        case BadAlert() as bad:
            return (replace(_about(event_id, INVALID_PAYLOAD), code=bad.errors[0].code, errors=bad.errors),)


def unanswerable(event_id: str) -> tuple[AlertLogged]:
    """The answer to an alert whose admission failed, so that its sender is told and its number is not given twice."""
    return (replace(_about(event_id, ERROR), code="processing_failed"),)


def _entry(portfolio: Portfolio, told: AlertReceived, entry: Entry, *, settings: Settings) -> tuple[AnyFact, ...]:
    event_id = portfolio.next_id("evt")
    name = entry.profile or settings.intake.profile
    profile = settings.profiles.named(name)
    if profile is None:
        known = ", ".join(settings.profiles.__struct_fields__)
        error = FieldError("profile", "unknown_profile", f"profile {name!r} is not one of: {known}")
        return (replace(_about(event_id, INVALID_PAYLOAD, entry), code=error.code, errors=(error,)),)
    repeated = _duplicate(portfolio, entry, settings)
    if repeated is not None:
        code, signal_id = repeated
        return (replace(_about(event_id, DUPLICATE, entry), code=code, signal_id=signal_id),)
    signal = Signal(
        id=portfolio.next_id("sig"),
        event_id=event_id,
        source=told.source,
        entry=entry,
        profile=name,
        received_at=portfolio.now,
        watch_until=portfolio.now + profile.horizon_s() * SECOND,
    )
    logged = replace(_about(event_id, ACCEPTED, entry), signal_id=signal.id)
    return (logged, SignalCreated(signal))


def _duplicate(portfolio: Portfolio, entry: Entry, settings: Settings) -> tuple[str, str] | None:
    """(code, the first signal's id) for an alert that repeats one: by content, or within the sliding window."""
    # Without a timestamp of its own an alert has no content identity: the hash holds the instant of its receipt.
    if entry.at_source is AtSource.PAYLOAD:
        same = portfolio.hashes.get((entry.signal_hash, entry.is_test))
        if same is not None:
            return "duplicate_content", same[0]
    last = portfolio.accepted.get((entry.instrument, str(entry.direction), entry.timeframe, entry.is_test))
    if last is not None and portfolio.now - last[1] < window_s(entry, settings) * SECOND:
        return "duplicate_window", last[0]
    return None


def window_s(entry: Entry, settings: Settings) -> int:
    """Seconds in which an alert repeats the last accepted one: at most half its timeframe, unless set for it."""
    own = settings.intake.duplicate_windows_s.get(entry.timeframe)
    return own if own is not None else min(settings.intake.duplicate_window_s, entry.timeframe_s // 2)


def _exits(portfolio: Portfolio, alert: ExitAlert, settings: Settings) -> tuple[AnyFact, ...]:
    """Ask to close what the alert's source holds in its symbol or is about to, where configuration says so."""
    if settings.intake.exit_alerts == "ignore":
        return ()
    given_up = tuple(
        OrderCancelAsked(one.id, "close_asked")
        for one in operator.entries(portfolio)
        if (signal := portfolio.signals.get(one.signal_id or "")) is not None
        and signal.entry.symbol == alert.symbol
        and signal.source == alert.source
        and signal.is_test == alert.is_test
        and alert.direction in (None, signal.entry.direction)
        and alert.contract in (None, one.contract)
    )
    return given_up + tuple(
        CloseAsked(one.id, alert.code, "")
        for one in portfolio.live_positions()
        if one.contract.underlying == alert.symbol
        and one.source == alert.source
        and one.is_test == alert.is_test
        and alert.direction in (None, one.direction)
        and alert.contract in (None, one.contract)
        and one.close_asked is None
    )


def _about(event_id: str, status: str, alert: Entry | ExitAlert | None = None) -> AlertLogged:
    """The answer to an alert, as far as it can be told from how the alert was read."""
    if alert is None:
        return AlertLogged(event_id, status)
    entry = alert if isinstance(alert, Entry) else None
    return AlertLogged(
        event_id,
        status,
        symbol=alert.symbol,
        direction=None if alert.direction is None else str(alert.direction),
        timeframe=None if entry is None else entry.timeframe,
        is_test=alert.is_test,
        test_session=None if entry is None else entry.test_session,
        test_scenario=None if entry is None else entry.test_scenario,
        warnings=alert.warnings,
    )
