"""One alert body read whole: a wish to enter, a wish to leave, neither, or every fault that was found at once.

The reading knows no portfolio, no settings and no clock: what it says depends on the body and its arrival alone.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from rules import alert_fields as fields
from rules import alert_symbol, alert_text, alert_words
from rules.alert_fields import NS_PER_MS, Arrival, Notes
from rules.alert_symbol import Symbol
from rules.alert_text import Tree
from rules.alert_words import Settled, Word, present
from state.alert import BadAlert, Direction, Entry, ExitAlert, FieldError, LevelsOn, NotEntry, Reading
from state.contract import Contract

CODES = (
    ("body_empty", "the body holds no text"),
    ("body_too_large", "the body is larger than 128 KB"),
    ("body_not_utf8", "the body is not UTF-8"),
    ("body_not_json", "the body is no JSON and no damage that can be mended"),
    ("body_not_object", "the body is JSON but not one object"),
    ("body_too_deep", "the body is nested too deeply"),
    ("number_out_of_range", "the body holds a number that is too long or too large"),
    ("unrendered_placeholder", "a field still holds the placeholder of a template"),
    ("missing_symbol", "the alert names no symbol"),
    ("invalid_symbol", "the symbol has an impossible shape"),
    ("invalid_option", "the option symbol cannot be used"),
    ("missing_timeframe", "the alert names no timeframe"),
    ("invalid_timeframe", "the timeframe is not understood"),
    ("missing_direction", "the alert names no direction"),
    ("unread_direction", "the words of the alert give no direction"),
    ("neutral_direction", "the direction is neutral"),
    ("ambiguous_direction", "the words of the alert contradict each other or the option"),
    ("invalid_timestamp", "the timestamp is not understood"),
    ("timestamp_in_future", "the timestamp lies more than 5 minutes ahead"),
    ("invalid_strike", "the strike is not understood"),
    ("invalid_expiration", "the expiration is not understood"),
    ("invalid_mark", "a mark is neither true nor false"),
    ("exit_alert", "the alert asks to leave a position"),
    ("not_an_entry", "the alert describes the market and asks for nothing"),
    ("bias_not_accepted", "a bias event is not a trading signal"),
    ("gamma_not_accepted", "a gamma context is not a trading signal"),
    ("ping", "a connection test"),
)
"""Every code that a reading can carry, with its meaning."""

WARNINGS = (
    ("bom", "a byte order mark was dropped"),
    ("form_payload", "the body came as a form field"),
    ("text_alert", "the body was plain text"),
    ("trailing_comma", "a comma before a closing bracket was dropped"),
    ("smart_quotes", "typographic quotes were read as quotes"),
    ("chart_ticker", "the symbol was taken out of a modified chart ticker"),
    ("not_a_number", "NaN or Infinity was read as absent"),
    ("bare_time", "a time without quotes was read as text"),
    ("placeholder", "a placeholder without quotes was read as text"),
    ("duplicate_key", "of two equal keys the last one counts"),
    ("direction_from_context", "the direction comes from the context of an entry"),
    ("direction_disagrees", "a word of lower rank says otherwise"),
    ("unread_word", "a word was not understood"),
    ("timeframe_read_as_minutes", "a capital M was read as minutes"),
    ("timeframe_from_session", "the session stands for a day"),
    ("timestamp_read_as_utc", "a time without zone was read as UTC"),
    ("age_by_receipt", "its time is not that of the simulated market: its age counts from its receipt"),
    ("unusable_price", "a price was left out"),
    ("score_out_of_range", "a score outside 0 to 100 was left out"),
    ("half_a_contract", "a strike or an expiration alone was left out"),
    ("text_cut", "a text was cut at 128 characters"),
    ("unusable_text", "a value that is no text was left out"),
    ("unusable_number", "a value that is no whole number was left out"),
    ("unread_levels", "the value of levels is neither option nor underlying"),
)
"""Every warning that an entry can carry, with its meaning; some are followed by `:` and a detail."""

PRICE_PATHS = ("price", "current_price", "instrument.current_price", "close")
ENTRY_PRICE_PATHS = ("entry_price", "entryPrice", "entry", "entry.entry_price", "entry.price")
STOP_PATHS = ("stop", "stop_loss", "stopLoss", "sl", "entry.stop_loss", "risk.stop_loss")
TARGET_PATHS = (
    *("target", "target_1", "target1", "take_profit", "takeProfit", "tp", "tp1", "t1", "entry.target_1"),
    "risk.target_1",
)

_BIAS_EVENT = "bias_snapshot"
_GAMMA_KEYS = ("gamma_environment", "net_gex", "gamma_flip_level")
_CONTEXT_KEYS = (*alert_words.CONTEXT_PATHS, "regime_context", "execution_guidance", "oscillator_state")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(body: str, *, source: str, received_at: int, by_receipt: bool = False) -> Reading:
    """Understand one alert body of a source, received at nanoseconds UTC. Never raises, whatever the text.

    `by_receipt` counts its age from there, so that no instant it names is too early or too late. What it is known again
    by always holds the instant it names.
    A body that asks to leave is an exit alert even where it names a side. Context without an entry word is no entry.
    Whatever else lacks or garbles a needed field is a bad alert that lists all its faults. Fields that are not known
    are ignored; secrets are never copied.
    """
    parsed = alert_text.parse(body)
    if isinstance(parsed, alert_text.Unreadable):
        return BadAlert(errors=(FieldError("body", parsed.code, parsed.message),))
    tree, notes = parsed.tree, Notes(parsed.warnings)
    words = alert_words.entry_words(tree)
    if kind := _other_kind(tree, words):
        return kind
    if leaving := alert_words.exit_words(tree):
        return _exit_alert(tree, leaving, source, notes)
    return _entry(tree, words, Arrival(received_at, by_receipt=by_receipt), notes)


def signal_hash(instrument: str, direction: Direction, timeframe: str, at: int) -> str:
    """SHA-256 in hex of `{symbol}:{direction}:{timeframe}:{timestamp}`, the timestamp as ISO UTC with milliseconds.

    Where an alert names an option, its OCC symbol takes the symbol's place: two options are two alerts.
    """
    moment = _EPOCH + timedelta(milliseconds=at // NS_PER_MS)
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return hashlib.sha256(f"{instrument}:{direction}:{timeframe}:{stamp}".encode()).hexdigest()


def _other_kind(tree: Tree, words: list[Word]) -> NotEntry | None:
    """Recognise bodies that are no trading alert at all; a bias event never becomes one, whatever its words."""
    named = [value.lower() for _, value in present(tree, ("event_type", "type", "event")) if isinstance(value, str)]
    if _BIAS_EVENT in named or present(tree, ("event_id_raw",)):
        message = "this is a bias event; send it to the bias webhook with all the fields of its schema"
        return NotEntry(intent="bias", code="bias_not_accepted", message=message)
    if "ping" in named:
        return NotEntry(intent="info", code="ping", message="connection test received; send an alert with a direction")
    if any(word.sense is not alert_words.Sense.UNREAD for word in words):
        return None
    if any(key in tree for key in _GAMMA_KEYS):
        message = "this is a gamma context; it asks for nothing and is not read as an alert"
        return NotEntry(intent="gamma", code="gamma_not_accepted", message=message)
    if not alert_words.exit_words(tree) and present(tree, _CONTEXT_KEYS):
        message = "trend, bias and regime only describe the market; add direction long or short to ask for an entry"
        return NotEntry(intent="info", code="not_an_entry", message=message)
    return None


def _exit_alert(tree: Tree, leaving: list[Word], source: str, notes: Notes) -> ExitAlert | BadAlert:
    """Say what is to be closed; a direction may stand in the exit word or beside it."""
    symbol = alert_symbol.symbol(tree, notes)
    is_test = _is_test(tree, notes)
    if symbol is None or notes.errors:
        return BadAlert(errors=tuple(notes.errors))
    beside = [word for word in alert_words.entry_words(tree) if word.kind is alert_words.Kind.POSITION]
    direction = next((word.direction for word in [*leaving, *beside] if word.direction), None)
    return ExitAlert(
        symbol=symbol.symbol,
        # The symbol of an option already says which view it serves; `long` beside it speaks of the contract.
        direction=None if symbol.option else direction,
        source=source,
        contract=symbol.option,
        is_test=is_test,
        warnings=tuple(notes.warnings),
    )


def _entry(tree: Tree, words: list[Word], arrival: Arrival, notes: Notes) -> Entry | BadAlert:
    """Read every field before judging any, so that all faults are told at once."""
    symbol = alert_symbol.symbol(tree, notes)
    timeframe = fields.timeframe(tree, notes)
    settled = _direction(tree, words, symbol, notes)
    instant = fields.instant(tree, arrival, notes)
    contract = _contract(tree, symbol, settled, notes)
    is_test = _is_test(tree, notes)
    if symbol is None or timeframe is None or settled is None or instant is None or notes.errors:
        return BadAlert(errors=tuple(notes.errors))
    on_option = symbol.option is not None
    entry_price, stop, target = (fields.price(tree, p, notes) for p in (ENTRY_PRICE_PATHS, STOP_PATHS, TARGET_PATHS))
    price = fields.price(tree, PRICE_PATHS, notes)
    if on_option and entry_price is None:
        # The price of an alert is the price of its symbol, and the symbol is an option.
        entry_price = price
    levels = any(level is not None for level in (entry_price, stop, target))
    instrument = symbol.symbol if contract is None else contract.occ
    return Entry(
        symbol=symbol.symbol,
        direction=settled.direction,
        timeframe=timeframe.name,
        timeframe_s=timeframe.seconds,
        at=instant.judged(arrival, timeframe),
        at_source=instant.source,
        signal_hash=signal_hash(instrument, settled.direction, timeframe.name, instant.named),
        price=None if on_option else price,
        confidence=fields.percent_bp(tree, "confidence", notes),
        pattern_strength=fields.percent_bp(tree, "pattern_strength", notes),
        mtf_alignment=fields.percent_bp(tree, "mtf_alignment", notes),
        contract=contract,
        entry_price=entry_price,
        stop=stop,
        target=target,
        levels_on=_levels_on(tree, notes, on_option=on_option) if levels else None,
        profile=fields.text(tree, ("profile",), notes),
        is_test=is_test,
        test_session=fields.text(tree, _nested("test_session_id", "test_session"), notes),
        test_scenario=fields.text(tree, _nested("test_scenario"), notes),
        sequence_number=fields.count(tree, "sequence_number", notes),
        warnings=tuple(dict.fromkeys([*settled.warnings, *notes.warnings])),
    )


def _direction(tree: Tree, words: list[Word], symbol: Symbol | None, notes: Notes) -> Settled | None:
    option = symbol.option if symbol else None
    right = option.right if option else alert_words.option_right(tree)
    context = alert_words.context_words(tree)
    settled = alert_words.settle(words, context, right, names_contract=option is not None)
    if isinstance(settled, FieldError):
        notes.errors.append(settled)
        return None
    return settled


def _contract(tree: Tree, symbol: Symbol | None, settled: Settled | None, notes: Notes) -> Contract | None:
    if symbol is None or symbol.option is not None:
        return symbol.option if symbol else None
    right = alert_symbol.right_of(settled.direction) if settled else None
    return alert_symbol.chosen_option(tree, symbol.symbol, right, notes)


def _levels_on(tree: Tree, notes: Notes, *, on_option: bool) -> LevelsOn:
    """Levels are premiums only where the alert names an OCC contract or says so."""
    for _, value in present(tree, ("levels",)):
        if value in ("option", "underlying"):
            return LevelsOn(str(value))
        notes.warn("unread_levels")
    return LevelsOn.OPTION if on_option else LevelsOn.UNDERLYING


def _is_test(tree: Tree, notes: Notes) -> bool:
    """A body that calls itself a test in either way is one: a test must never count as production."""
    marked = fields.mark(tree, "is_test", notes)
    return marked or any(value is True for _, value in present(tree, ("test",)))


def _nested(*paths: str) -> tuple[str, ...]:
    return (*paths, *(f"metadata.{path}" for path in paths))
