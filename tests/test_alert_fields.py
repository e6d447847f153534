"""The plain fields of an alert: timeframes, instants, prices, scores, texts, marks."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alert_fields import (
    NS_PER_S,
    Arrival,
    Instant,
    Notes,
    Timeframe,
    count,
    instant,
    mark,
    percent_bp,
    price,
    text,
    timeframe,
    timeframe_name,
    timeframe_seconds,
)
from rules.alert_text import Tree, Value
from state.alert import AtSource

NOW = 1_770_996_600 * NS_PER_S
HERE = Arrival(NOW)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((value, "5m") for value in (Decimal(5), Decimal("5.0"), "5", "5m", "5M", "5min", " 5 minutes ", "300s")),
        *((value, "1h") for value in (Decimal(60), "60", "60m", "1h", "1H", "H", "1 hour", "hourly")),
        *((value, "1d") for value in ("1440", "D", "1D", "24h", "daily")),
        *((value, "1w") for value in ("W", "1W", "10080", "7d")),
        *((value, "30d") for value in ("1M", "M", "43200")),
        *(("90m", "90m"), ("240", "4h"), ("30S", "30s"), ("3M", "90d")),
    ],
)
def test_timeframes_collapse_to_the_largest_unit(value: Value, name: str) -> None:
    """One bar size has one name, however it is spelled."""
    notes = Notes()
    read = timeframe({"timeframe": value}, notes)
    assert read is not None
    assert (read.name, notes.errors) == (name, [])


@pytest.mark.parametrize("value", ["0", "-5", "5.5", "5x", "m5", "100R", "9999999", "999w", "\u0661", "five"])
def test_what_is_no_timeframe_is_refused(value: str) -> None:
    """Ticks, ranges, fractions and words are no bar size."""
    notes = Notes()
    assert timeframe({"timeframe": value}, notes) is None
    assert [error.code for error in notes.errors] == ["invalid_timeframe"]


@pytest.mark.parametrize(
    "tree",
    [
        *({key: "15"} for key in ("timeframe", "tf", "interval", "trigger_timeframe", "triggerTimeframe")),
        {"meta": {"timeframe": "15"}},
        {"signal": {"timeframe": "15"}},
        {"timeframe": {"chart_tf": "15"}},
        {"payload": {"interval": "15"}},
        {"timeframe": "{{interval}}", "signal": {"timeframe": "15"}},
        {"timeframe": "15", "session": "OPEN"},
    ],
)
def test_every_alias_of_the_timeframe_is_read(tree: Tree) -> None:
    """Each alias names the timeframe; one that cannot be read gives way to the next."""
    assert timeframe(tree, Notes()) == Timeframe("15m", 900)


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({"session": "OPEN"}, None),
        ({"meta": {"session": "pre"}}, None),
        ({"market": {"session": "POST"}}, None),
        ({"session": "RTH"}, "missing_timeframe"),
        ({"marketSession": "OPEN"}, "missing_timeframe"),
        ({"timeframe": "{{interval}}"}, "unrendered_placeholder"),
    ],
)
def test_a_session_stands_for_a_day(tree: Tree, code: str | None) -> None:
    """Without a readable timeframe the sessions OPEN, PRE and POST mean one day, with a warning."""
    notes = Notes()
    read = timeframe(tree, notes)
    assert [error.code for error in notes.errors] == ([code] if code else [])
    assert (read, notes.warnings) == ((None, []) if code else (Timeframe("1d", 86_400), ["timeframe_from_session"]))


@given(st.integers(1, 300 * 86_400))
def test_the_name_of_a_timeframe_reads_back(seconds: int) -> None:
    """The canonical name names the same number of seconds and is canonical itself."""
    name = timeframe_name(seconds)
    if int(name[:-1]) < 1_000_000:
        assert timeframe_seconds(name) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *(Decimal(1770996600), Decimal(1770996600000), "1770996600", "1770996600000", Decimal("1770996600.000")),
        *("2026-02-13T15:30:00Z", "2026-02-13T15:30:00.000Z", "2026-02-13 15:30:00", "2026-02-13T15:30"),
        *("2026-02-13T10:30:00-05:00", "2026-02-13T10:30:00-0500", "2026-02-13T21:00:00+05:30", "2026-02-13 15:30 UTC"),
    ],
)
def test_every_spelling_of_an_instant(value: Value) -> None:
    """Epoch seconds, epoch milliseconds and ISO texts with any zone give the same instant."""
    assert instant({"timestamp": value}, HERE, Notes()) == Instant(NOW, AtSource.PAYLOAD)


def test_a_time_without_zone_is_read_as_utc_with_a_warning() -> None:
    """A naive time is UTC, and says that it was guessed; one with a zone carries no warning."""
    notes = Notes()
    instant({"timestamp": "2026-02-13T15:30:00Z"}, HERE, notes)
    assert notes.warnings == []
    instant({"timestamp": "2026-02-13 15:30:00"}, HERE, notes)
    assert notes.warnings == ["timestamp_read_as_utc"]


def test_fractions_of_a_second_are_exact() -> None:
    """Nanoseconds survive in both spellings."""
    assert instant({"ts": "2026-02-13T15:29:59.123456789Z"}, HERE, Notes()) == Instant(
        NOW - NS_PER_S + 123_456_789, AtSource.PAYLOAD
    )
    assert instant({"ts": Decimal("1770996599.5")}, HERE, Notes()) == Instant(NOW - NS_PER_S // 2, AtSource.PAYLOAD)


def test_the_split_between_seconds_and_milliseconds() -> None:
    """1e11 is milliseconds, one less is seconds: and so lies far ahead."""
    assert instant({"ts": Decimal(10**11)}, HERE, Notes()) == Instant(10**17, AtSource.PAYLOAD)
    notes = Notes()
    assert instant({"ts": Decimal(10**11 - 1)}, HERE, notes) is None
    assert [error.code for error in notes.errors] == ["timestamp_in_future"]


SPOKEN = [
    ("timestamp", -600, -600),
    ("timenow", -600, -600),
    ("ts", -600, -600),
    ("time", -600, -300),
    ("time", -300, 0),
    ("time", -60, 0),
    ("time", 200, 0),
]


@pytest.mark.parametrize(("key", "named_s", "judged_s"), SPOKEN)
def test_the_time_of_a_bar_counts_from_its_end(key: str, named_s: int, judged_s: int) -> None:
    """`time` is the opening of a five-minute bar; one that is still open, or ahead, speaks now. Other keys mean now."""
    found = instant({key: Decimal(1_770_996_600 + named_s)}, HERE, Notes())
    assert found is not None
    assert (found.named, found.source) == (NOW + named_s * NS_PER_S, AtSource.PAYLOAD)
    assert found.judged(HERE, Timeframe("5m", 300)) == NOW + judged_s * NS_PER_S
    assert found.judged(Arrival(NOW, by_receipt=True), Timeframe("5m", 300)) == NOW


def test_a_bar_of_unknown_size_has_no_end() -> None:
    """Its alert is refused for its timeframe; its instant is the one it names."""
    assert Instant(NOW, AtSource.PAYLOAD, of_bar=True).judged(HERE, None) == NOW


@pytest.mark.parametrize(
    ("sent", "warnings", "code"),
    [
        ("2026-02-13T15:30:00Z", [], None),
        ("2026-02-13T15:35:00Z", [], None),
        ("2026-02-13T15:25:00Z", [], None),
        ("2026-02-13T15:35:01Z", ["age_by_receipt"], None),
        ("2026-02-13T15:24:59Z", ["age_by_receipt"], None),
        ("1999-12-31T23:59:59Z", ["age_by_receipt"], None),
        ("2262-04-11T23:47:16Z", ["age_by_receipt"], None),
        ("2262-04-11T23:47:17Z", [], "invalid_timestamp"),
        ("9999-12-31T23:59:59Z", [], "invalid_timestamp"),
    ],
)
def test_by_receipt_any_instant_will_do(sent: str, warnings: list[str], code: str | None) -> None:
    """What is more than five minutes off says that its age counts from its receipt; what cannot be kept is a fault."""
    notes = Notes()
    found = instant({"timestamp": sent}, Arrival(NOW, by_receipt=True), notes)
    assert (notes.warnings, [error.code for error in notes.errors]) == (warnings, [code] if code else [])
    assert (found is None) == (code is not None)


def test_without_a_timestamp_the_arrival_counts() -> None:
    """Absent, null and blank timestamps mean the arrival, and the source says so."""
    trees: list[Tree] = [{}, {"timestamp": None}, {"timestamp": " "}]
    for tree in trees:
        assert instant(tree, HERE, Notes()) == Instant(NOW, AtSource.RECEIVED)


@pytest.mark.parametrize(("ahead_s", "code"), [(300, None), (301, "timestamp_in_future")])
def test_five_minutes_ahead_are_allowed(ahead_s: int, code: str | None) -> None:
    """A clock may run five minutes ahead of ours, not a second more."""
    notes = Notes()
    instant({"timestamp": Decimal(1770996600 + ahead_s)}, HERE, notes)
    assert [error.code for error in notes.errors] == ([code] if code else [])


@pytest.mark.parametrize(
    "value",
    [
        *("yesterday", "2026-02-30T15:30:00Z", "2026-02-13", "2026-02-13T25:00:00Z", Decimal(0), Decimal(-1), True),
        *([], {}, "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_what_is_no_instant_is_refused(value: Value) -> None:
    """A timestamp that cannot be read is an error, never silently the arrival."""
    notes = Notes()
    assert instant({"timestamp": value}, HERE, notes) is None
    assert [error.code for error in notes.errors] == ["invalid_timestamp"]


@pytest.mark.parametrize(
    ("value", "micros", "warnings"),
    [
        (Decimal("595.42"), 595_420_000, []),
        ("595.42", 595_420_000, []),
        (Decimal("0.1234567"), 123_457, []),
        (Decimal("0.0000001"), None, ["unusable_price:p"]),
        (Decimal(-1), None, ["unusable_price:p"]),
        (Decimal("1e30"), None, ["unusable_price:p"]),
        ("<pine var>", None, ["unusable_price:p"]),
        ({"a": "1"}, None, []),
        (None, None, []),
    ],
)
def test_prices_are_micro_dollars(value: Value, micros: int | None, warnings: list[str]) -> None:
    """A usable price is quantised once; an unusable one is absent, with a warning."""
    notes = Notes()
    assert (price({"p": value}, ("p",), notes), notes.warnings) == (micros, warnings)


@pytest.mark.parametrize(
    ("value", "bp"),
    [(Decimal(75), 7_500), ("75.25", 7_525), (Decimal(0), 0), (Decimal(100), 10_000), (Decimal("0.85"), 85)],
)
def test_scores_are_basis_points(value: Value, bp: int) -> None:
    """A score keeps two decimals as an integer."""
    assert percent_bp({"confidence": value}, "confidence", Notes()) == bp


@pytest.mark.parametrize("value", [Decimal("100.01"), Decimal(-1), "high", True, {"confidence_score": "85"}])
def test_scores_out_of_range_are_absent(value: Value) -> None:
    """A score that is none is left out with a warning, never clipped into range."""
    notes = Notes()
    assert percent_bp({"confidence": value}, "confidence", notes) is None
    assert notes.warnings == ["score_out_of_range:confidence"]


@pytest.mark.parametrize(
    ("value", "said"),
    [(True, True), ("true", True), ("1", True), (Decimal(1), True), (False, False), ("no", False), (Decimal(0), False)],
)
def test_marks_are_read_from_anything_sensible(value: Value, said: bool) -> None:
    """Yes and no are understood as booleans, numbers and text, at the top and inside `metadata`."""
    assert mark({"is_test": value}, "is_test", Notes()) is said
    assert mark({"metadata": {"is_test": value}}, "is_test", Notes()) is said


def test_a_mark_that_is_neither_refuses_the_alert() -> None:
    """Whether an alert is a test is never guessed."""
    notes = Notes()
    mark({"is_test": "maybe"}, "is_test", notes)
    assert [error.code for error in notes.errors] == ["invalid_mark"]


def test_texts_and_counts_are_bounded() -> None:
    """A long text is cut, a count is whole and not negative; whatever else is left out with a warning."""
    notes = Notes()
    assert text({"a": "x" * 200}, ("a",), notes) == "x" * 128
    assert text({"b": ["x"]}, ("b",), notes) is None
    assert count({"n": Decimal("7.0")}, "n", notes) == 7
    assert count({"metadata": {"n": "3"}}, "n", notes) == 3
    assert count({"n": Decimal("1.5")}, "n", notes) is None
    assert count({"m": Decimal("1e30")}, "m", notes) is None
    assert notes.warnings == ["text_cut:a", "unusable_text:b", "unusable_number:n", "unusable_number:m"]
