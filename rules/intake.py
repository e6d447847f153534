"""Raw alert to normalised signal, or field errors, or duplicate: two layers of identity, by content and by window."""

from rules import reading
from rules.settings import Settings
from state.alert import AtSource, BadAlert, Entry, ExitAlert, FieldError, NotEntry
from state.facts import AlertLogged, AnyFact, CloseAsked, SignalCreated
from state.inputs import AlertReceived
from state.portfolio import Portfolio
from state.signal import Signal

SECOND = 1_000_000_000

ACCEPTED = "accepted"
DUPLICATE = "duplicate"
IGNORED = "ignored"
INVALID_PAYLOAD = "invalid_payload"


def admit(portfolio: Portfolio, told: AlertReceived, settings: Settings) -> tuple[AnyFact, ...]:
    """Everything that follows from one alert: the answer that is logged, and a signal or asked closes."""
    event_id = portfolio.next_id("evt")
    match reading.read(told.body, source=told.source, received_at=portfolio.now):
        case Entry() as entry:
            return _entry(portfolio, told, entry, settings=settings)
        case ExitAlert() as alert:
            return (_logged(event_id, IGNORED, code=alert.code, alert=alert), *_exits(portfolio, alert, settings))
        case NotEntry() as other:
            return (_logged(event_id, IGNORED, code=other.code),)
        case BadAlert() as bad:
            return (_logged(event_id, INVALID_PAYLOAD, code=bad.errors[0].code, errors=bad.errors),)


def _entry(portfolio: Portfolio, told: AlertReceived, entry: Entry, *, settings: Settings) -> tuple[AnyFact, ...]:
    event_id = portfolio.next_id("evt")
    name = entry.profile or settings.intake.profile
    profile = settings.profiles.named(name)
    if profile is None:
        known = ", ".join(settings.profiles.__struct_fields__)
        error = FieldError("profile", "unknown_profile", f"profile {name!r} is not one of: {known}")
        return (_logged(event_id, INVALID_PAYLOAD, code=error.code, errors=(error,)),)
    repeated = _duplicate(portfolio, entry, settings)
    if repeated is not None:
        code, signal_id = repeated
        return (_logged(event_id, DUPLICATE, code=code, alert=entry, signal_id=signal_id),)
    signal = Signal(
        id=portfolio.next_id("sig"),
        event_id=event_id,
        source=told.source,
        entry=entry,
        profile=name,
        received_at=portfolio.now,
        watch_until=portfolio.now + profile.horizon_s() * SECOND,
    )
    logged = _logged(event_id, ACCEPTED, alert=entry, signal_id=signal.id)
    return (logged, SignalCreated(signal))


def _duplicate(portfolio: Portfolio, entry: Entry, settings: Settings) -> tuple[str, str] | None:
    """(code, the first signal's id) for an alert that repeats one: by content, or within the sliding window."""
    # Without a timestamp of its own an alert has no content identity: the hash holds the instant of its receipt.
    if entry.at_source is AtSource.PAYLOAD:
        same = portfolio.hashes.get((entry.signal_hash, entry.is_test))
        if same is not None:
            return "duplicate_content", same[0]
    last = portfolio.accepted.get((entry.symbol, str(entry.direction), entry.timeframe, entry.is_test))
    if last is not None and portfolio.now - last[1] < window_s(entry, settings) * SECOND:
        return "duplicate_window", last[0]
    return None


def window_s(entry: Entry, settings: Settings) -> int:
    """Seconds in which an alert repeats the last accepted one: at most half its timeframe, unless set for it."""
    own = settings.intake.duplicate_windows_s.get(entry.timeframe)
    return own if own is not None else min(settings.intake.duplicate_window_s, entry.timeframe_s // 2)


def _exits(portfolio: Portfolio, alert: ExitAlert, settings: Settings) -> tuple[AnyFact, ...]:
    """Ask to close what the alert's source holds in its symbol, where configuration says so."""
    if settings.intake.exit_alerts == "ignore":
        return ()
    return tuple(
        CloseAsked(one.id, alert.code, "")
        for one in portfolio.live_positions()
        if one.contract.underlying == alert.symbol
        and one.source == alert.source
        and one.is_test == alert.is_test
        and alert.direction in (None, one.direction)
        and alert.contract in (None, one.contract)
        and one.close_asked is None
    )


def _logged(
    event_id: str,
    status: str,
    *,
    code: str | None = None,
    alert: Entry | ExitAlert | None = None,
    signal_id: str | None = None,
    errors: tuple[FieldError, ...] = (),
) -> AlertLogged:
    entry = alert if isinstance(alert, Entry) else None
    return AlertLogged(
        event_id=event_id,
        status=status,
        code=code,
        signal_id=signal_id,
        symbol=None if alert is None else alert.symbol,
        direction=None if alert is None or alert.direction is None else str(alert.direction),
        timeframe=None if entry is None else entry.timeframe,
        is_test=alert is not None and alert.is_test,
        test_session=None if entry is None else entry.test_session,
        test_scenario=None if entry is None else entry.test_scenario,
        errors=errors,
        warnings=() if alert is None else alert.warnings,
    )
