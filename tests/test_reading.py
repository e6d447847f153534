"""One alert body is read as an entry, an exit, something else, or all its faults at once."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.reading import CODES, WARNINGS, read, signal_hash
from state.alert import AtSource, BadAlert, Direction, Entry, ExitAlert, LevelsOn, NotEntry, Reading
from state.contract import Contract, Right

LONG, SHORT = Direction.LONG, Direction.SHORT
NOW = 1_770_996_600_000_000_000
PLAIN = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    (
        *("symbol", "ticker", "direction", "side", "action", "type", "signal", "trend", "bias", "timeframe"),
        *("tf", "session", "timestamp", "time", "price", "entry", "stop", "target", "strike", "expiry"),
        *("optionType", "levels", "profile", "confidence", "is_test", "test", "metadata", "sequence_number"),
        *("position", "message", "event", "event_type", "data", "payload", "meta", "secret", "option_symbol"),
        *("market_position"),
    )
)
VALUES = JSON | st.sampled_from(
    (
        *("SPY", "SPY251219C00600000", "BATS:QQQ", "long", "short", "BUY", "SELL", "CALL", "PUT", "close"),
        *("flat", "entry", "5", "5m", "1D", "OPEN", "2026-02-20", "596"),
    )
)


def reading(**fields: Any) -> Reading:
    """Read a body with these fields, received at 2026-02-13 15:30 UTC."""
    return read(json.dumps(fields), source="webhook", received_at=NOW)


def entry(**fields: Any) -> Entry:
    """The entry that a plain SPY alert with these further fields is read as."""
    found = reading(**{**PLAIN, **fields})
    assert isinstance(found, Entry), found
    return found


def codes(found: Reading) -> list[tuple[str, str]]:
    """Field and code of every fault of a bad alert."""
    assert isinstance(found, BadAlert), found
    return [(error.field, error.code) for error in found.errors]


def test_the_alert_of_the_first_acceptance_scenario() -> None:
    """The full trading body gives every field, exactly, and the published hash."""
    found = reading(
        symbol="SPY",
        direction="long",
        timeframe="5m",
        timestamp=1770996600,
        price=595.42,
        indicators={"ema8": 595.10, "ema21": 594.80, "atr": 1.25},
        confidence=75,
        pattern_strength=80,
        mtf_alignment=70,
    )
    assert found == Entry(
        symbol="SPY",
        direction=LONG,
        timeframe="5m",
        timeframe_s=300,
        at=NOW,
        at_source=AtSource.PAYLOAD,
        signal_hash=signal_hash("SPY", LONG, "5m", NOW),
        price=595_420_000,
        confidence=7_500,
        pattern_strength=8_000,
        mtf_alignment=7_000,
    )
    assert found.signal_hash.startswith("3783b062")
    assert found.signal_hash.endswith("edec4decfa")
    assert len(found.signal_hash) == 64


def test_a_body_without_symbol_direction_and_timeframe_names_all_three() -> None:
    """All missing fields are told at once, each with what to add."""
    found = reading(price=595.42)
    assert codes(found) == [
        ("symbol", "missing_symbol"),
        ("timeframe", "missing_timeframe"),
        ("direction", "missing_direction"),
    ]
    assert isinstance(found, BadAlert)
    assert all("add" in error.message for error in found.errors)


def test_the_minimal_alert_of_the_first_source() -> None:
    """Ticker, action, direction and timeframe are enough; the instant is the arrival."""
    found = reading(ticker="SPY", action="BUY", direction="CALL", timeframe="5m")
    assert isinstance(found, Entry)
    assert (found.symbol, found.direction, found.at, found.at_source) == ("SPY", LONG, NOW, AtSource.RECEIVED)
    assert found.warnings == ()


def test_an_alert_that_names_an_option_brings_its_own_levels() -> None:
    """Beside an OCC symbol the levels are premiums, and the price is the premium of the entry."""
    found = entry(symbol="SPY251219C00600000", direction="BUY", price=12.50, stop=6.25, target=25.00)
    assert (found.symbol, found.direction) == ("SPY", LONG)
    assert found.contract == Contract("SPY", date(2025, 12, 19), Right.CALL, 600_000_000)
    assert (found.entry_price, found.stop, found.target) == (12_500_000, 6_250_000, 25_000_000)
    assert (found.price, found.levels_on) == (None, LevelsOn.OPTION)


def test_an_option_symbol_gives_the_direction() -> None:
    """To buy a put is a short view, without a warning; to sell a call opens nothing."""
    bought = entry(symbol="SPY251219P00600000", direction="long")
    assert (bought.direction, bought.warnings) == (SHORT, ())
    for word in ("SELL", "short", "CALL"):
        assert codes(reading(**{**PLAIN, "symbol": "SPY251219P00600000", "direction": word})) == [
            ("direction", "ambiguous_direction")
        ]


@pytest.mark.parametrize(
    ("fields", "levels_on"),
    [
        ({"entry": 690.1, "stop": 689.4}, LevelsOn.UNDERLYING),
        ({"entry": 6.9, "stop": 3.4, "levels": "option"}, LevelsOn.OPTION),
        ({"stop": 689.4, "strike": 690, "expiration": "2026-02-20"}, LevelsOn.UNDERLYING),
        ({"symbol": "SPY251219C00600000", "stop": 689.4, "levels": "underlying"}, LevelsOn.UNDERLYING),
        ({"price": 690.1}, None),
    ],
)
def test_levels_are_of_the_underlying_unless_the_alert_says_otherwise(
    fields: dict[str, Any], levels_on: LevelsOn | None
) -> None:
    """Only an OCC symbol or the word option makes levels premiums; without levels there is nothing to say."""
    assert entry(**fields).levels_on is levels_on


def test_nested_levels_are_found() -> None:
    """Entry, stop and targets inside objects are read like those at the top."""
    found = entry(entry={"entry_price": 450.25, "stop_loss": 448.5}, risk={"target_1": 453.75})
    assert (found.entry_price, found.stop, found.target) == (450_250_000, 448_500_000, 453_750_000)


def test_strike_and_expiration_choose_the_option() -> None:
    """The right follows the direction, whichever words settled it."""
    found = entry(direction="short", strike=596, expiration="2026-02-20")
    assert found.contract == Contract("SPY", date(2026, 2, 20), Right.PUT, 596_000_000)


@pytest.mark.parametrize("nested", [False, True])
def test_test_marks_stand_at_the_top_or_in_metadata(nested: bool) -> None:
    """A test alert carries its session, scenario and number from either place."""
    marks = {"is_test": True, "test_session_id": "s1", "test_scenario": "gap", "sequence_number": 4}
    found = entry(**({"metadata": marks} if nested else marks))
    assert (found.is_test, found.test_session, found.test_scenario, found.sequence_number) == (True, "s1", "gap", 4)


def test_a_body_that_calls_itself_a_test_is_one() -> None:
    """`test: true` keeps an alert out of production; any other use of that key means nothing."""
    assert entry(test=True).is_test is True
    assert entry(test="RSI").is_test is False


@pytest.mark.parametrize(
    ("fields", "direction"),
    [
        ({"direction": "close"}, None),
        ({"action": "close_long"}, LONG),
        ({"action": "close", "side": "short"}, SHORT),
        ({"action": "sell", "market_position": "flat"}, None),
        ({"action": "buy", "position": "FLAT"}, None),
        ({"strategy": {"market_position": "flat"}}, None),
        ({"event": "exit"}, None),
        ({"message": "tp1", "direction": "long"}, LONG),
        ({"event_type": "EXIT", "direction": "SHORT"}, SHORT),
        ({"signal": "sell_to_close"}, None),
    ],
)
def test_an_exit_is_never_an_entry(fields: dict[str, Any], direction: Direction | None) -> None:
    """Whatever else the body says, the wish to leave wins; it needs no timeframe."""
    assert reading(symbol="SPY", **fields) == ExitAlert(symbol="SPY", direction=direction, source="webhook")


def test_an_exit_of_an_option_names_the_contract() -> None:
    """The option, not the word beside it, says what is closed; tests stay tests."""
    found = reading(symbol="SPY251219P00600000", action="close_long", is_test=True)
    assert isinstance(found, ExitAlert)
    assert (found.symbol, found.direction, found.is_test) == ("SPY", None, True)
    assert found.contract == Contract("SPY", date(2025, 12, 19), Right.PUT, 600_000_000)


def test_an_exit_without_symbol_is_refused() -> None:
    """An exit that names nothing closes nothing."""
    assert codes(reading(action="close")) == [("symbol", "missing_symbol")]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"trend": "BEARISH"}, "not_an_entry"),
        ({"bias": "BULLISH"}, "not_an_entry"),
        ({"bias": "BULLISH", "type": "limit"}, "not_an_entry"),
        ({"regime_context": {"local_bias": "BULLISH"}}, "not_an_entry"),
        ({"execution_guidance": {"bias": "LONG"}}, "not_an_entry"),
        ({"market": {"market_bias": "UP"}}, "not_an_entry"),
        ({"event_type": "BIAS_SNAPSHOT", "direction": "long"}, "bias_not_accepted"),
        ({"event_id_raw": "X|SPY|5|1|Y", "direction": "long"}, "bias_not_accepted"),
        ({"net_gex": 1, "gamma_environment": "POSITIVE"}, "gamma_not_accepted"),
        ({"test": True, "type": "PING", "direction": "NEUTRAL"}, "ping"),
    ],
)
def test_context_alone_is_no_entry(fields: dict[str, Any], code: str) -> None:
    """Bodies that only describe the market, bias events and tests of the line ask for nothing."""
    found = reading(symbol="SPY", timeframe="5", **fields)
    assert isinstance(found, NotEntry)
    assert found.code == code


def test_context_beside_an_entry_word_is_only_context() -> None:
    """Gamma and bias fields do not hide an entry; a bias settles the direction of an entry that has none."""
    assert entry(net_gex=1).warnings == ()
    assert entry(direction=None, action="entry", bias="BEARISH").direction is SHORT


@given(st.text(min_size=6, max_size=20, alphabet="QZXJ"))
def test_secrets_are_never_copied(secret: str) -> None:
    """The value of a secret stands nowhere in a reading, neither in an entry nor in a refusal."""
    keys = dict.fromkeys(("secret", "token", "passphrase", "apikey", "key"), secret)
    assert secret not in repr(entry(**keys, metadata={"secret": secret}))
    assert secret not in repr(reading(**keys))
    assert secret not in repr(read(f'{{"secret": {secret}, "a": }}', source="webhook", received_at=NOW))


def body(**fields: Any) -> str:
    """A plain SPY alert with further fields, as text."""
    return json.dumps({**PLAIN, **fields})


def test_a_bar_is_known_by_its_opening_and_judged_at_its_end() -> None:
    """The same `time` gives the same hash as the same `timestamp`; a bar of five minutes is five minutes younger."""
    opened = NOW - 900 * 10**9
    named = entry(timestamp=opened // 10**9)
    bar = entry(time=opened // 10**9)
    assert (named.at, bar.at) == (opened, NOW - 600 * 10**9)
    assert named.signal_hash == bar.signal_hash == signal_hash("SPY", LONG, "5m", opened)
    assert entry(time="2026-02-13T15:29:00Z", timeframe="1d").at == NOW
    assert entry(time=opened // 10**9, timenow=NOW // 10**9).at == NOW


@pytest.mark.parametrize("sent", ["2020-01-02T15:30:00Z", "2031-01-02T15:30:00Z", "2026-02-13T15:29:59Z"])
def test_by_receipt_an_alert_is_judged_by_its_arrival_and_known_by_its_time(sent: str) -> None:
    """Its age counts from now, its hash is that of the instant it names: a repeat is recognised."""
    found = read(body(timestamp=sent), source="webhook", received_at=NOW, by_receipt=True)
    again = read(body(timestamp=sent), source="webhook", received_at=NOW + 10**12, by_receipt=True)
    assert isinstance(found, Entry)
    assert isinstance(again, Entry)
    assert (found.at, found.at_source, again.at) == (NOW, AtSource.PAYLOAD, NOW + 10**12)
    assert found.signal_hash == again.signal_hash
    assert found.signal_hash != signal_hash("SPY", LONG, "5m", NOW)


PRODUCES = {
    "body_empty": "",
    "body_too_large": " " * 140_000,
    "body_not_utf8": "payload=%ff",
    "body_not_json": "BUY SPY",
    "body_not_object": "[]",
    "body_too_deep": "[" * 50,
    "number_out_of_range": '{"a":1e999}',
    "unrendered_placeholder": body(symbol="{{ticker}}"),
    "missing_symbol": body(symbol=None),
    "invalid_symbol": body(symbol="a b"),
    "invalid_option": body(symbol="SPY251332C00600000"),
    "missing_timeframe": body(timeframe=None),
    "invalid_timeframe": body(timeframe="100R"),
    "missing_direction": body(direction=None),
    "unread_direction": body(direction="sideline"),
    "neutral_direction": body(direction="neutral"),
    "ambiguous_direction": body(direction="CALL", action="SELL"),
    "invalid_timestamp": body(timestamp="soon"),
    "timestamp_in_future": body(timestamp=1770996901),
    "invalid_strike": body(strike="x", expiration="2026-02-20"),
    "invalid_expiration": body(strike=1, expiration="x"),
    "invalid_mark": body(is_test="perhaps"),
    "exit_alert": body(action="close"),
    "not_an_entry": body(direction=None, bias="BULLISH"),
    "bias_not_accepted": body(event_type="BIAS_SNAPSHOT"),
    "gamma_not_accepted": body(direction=None, net_gex=1),
    "ping": body(type="PING"),
}
WARNS = {
    "bom": "\ufeff" + body(),
    "form_payload": "payload=" + body(),
    "text_alert": "SPY, 5 - Buy Signal",
    "trailing_comma": body()[:-1] + ",}",
    "smart_quotes": body().replace('"', "“"),
    "chart_ticker": body(symbol='={"symbol":"CME_MINI:NQ1!"}'),
    "not_a_number": body(a=float("nan")),
    "bare_time": body()[:-1] + ',"time":2025-08-29T18:59:00Z}',
    "placeholder": body()[:-1] + ',"volume":{{volume}}}',
    "duplicate_key": body()[:-1] + ',"symbol":"SPY"}',
    "direction_from_context": body(direction=None, action="entry", bias="BULLISH"),
    "direction_disagrees": body(action="PUT", direction="CALL"),
    "unread_word": body(action="hold"),
    "timeframe_read_as_minutes": body(timeframe="15M"),
    "timeframe_from_session": body(timeframe=None, session="OPEN"),
    "timestamp_read_as_utc": body(timestamp="2026-02-13 15:30:00"),
    "age_by_receipt": body(timestamp="2020-01-02T15:30:00Z"),
    "unusable_price": body(stop="<none>"),
    "score_out_of_range": body(confidence=101),
    "half_a_contract": body(strike=600),
    "text_cut": body(profile="x" * 129),
    "unusable_text": body(profile=["x"]),
    "unusable_number": body(sequence_number=-1),
    "unread_levels": body(stop=1, levels="both"),
}


def produced(found: Reading) -> list[str]:
    """The codes a reading carries."""
    match found:
        case BadAlert(errors=errors):
            return [error.code for error in errors]
        case ExitAlert(code=code) | NotEntry(code=code):
            return [code]
        case Entry():
            return []


@pytest.mark.parametrize("code", sorted(PRODUCES))
@pytest.mark.produces(
    "body_empty",
    "body_too_large",
    "body_not_utf8",
    "body_not_json",
    "body_not_object",
    "body_too_deep",
    "number_out_of_range",
    "unrendered_placeholder",
    "missing_symbol",
    "invalid_symbol",
    "invalid_option",
    "missing_timeframe",
    "invalid_timeframe",
    "missing_direction",
    "unread_direction",
    "neutral_direction",
    "ambiguous_direction",
    "invalid_timestamp",
    "timestamp_in_future",
    "invalid_strike",
    "invalid_expiration",
    "invalid_mark",
    "exit_alert",
    "not_an_entry",
    "bias_not_accepted",
    "gamma_not_accepted",
    "ping",
)
def test_every_code_can_be_produced(code: str) -> None:
    """Each code of a reading comes from a body, alone."""
    assert produced(read(PRODUCES[code], source="webhook", received_at=NOW)) == [code]


@pytest.mark.parametrize("code", sorted(WARNS))
def test_every_warning_can_be_produced(code: str) -> None:
    """Each warning comes from a body that is an entry all the same."""
    found = read(WARNS[code], source="webhook", received_at=NOW, by_receipt=code == "age_by_receipt")
    assert isinstance(found, Entry)
    assert code in [warning.partition(":")[0] for warning in found.warnings]


def test_the_tables_of_codes_are_complete() -> None:
    """Every code and warning that a reading declares has its body above."""
    assert (sorted(PRODUCES), sorted(WARNS)) == (
        sorted(code for code, _ in CODES),
        sorted(code for code, _ in WARNINGS),
    )


@given(st.dictionaries(KEYS, VALUES, max_size=10) | JSON)
def test_no_json_makes_the_reading_raise(value: Any) -> None:
    """Any JSON is one of the four readings, the same twice; codes and warnings are registered ones."""
    text = json.dumps(value)
    found = read(text, source="webhook", received_at=NOW)
    assert found == read(text, source="webhook", received_at=NOW)
    assert read(text, source="webhook", received_at=NOW, by_receipt=True) is not None
    assert set(produced(found)) <= {code for code, _ in CODES}
    if isinstance(found, Entry):
        assert {warning.partition(":")[0] for warning in found.warnings} <= {code for code, _ in WARNINGS}
        assert found.at <= NOW + 300_000_000_000
        assert 1 <= len(found.symbol) <= 20


@given(st.text() | st.text(alphabet='{}[]":,=\\“”0123456789eE+-.tTnNaN buySPY'))
def test_no_text_makes_the_reading_raise(text: str) -> None:
    """Any text at all is one of the four readings."""
    assert isinstance(read(text, source="webhook", received_at=NOW), Entry | ExitAlert | NotEntry | BadAlert)
