"""Single values of the configuration file: exact in both directions, whatever their spelling."""

import tomllib
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from oracle.config_values import PCT_MAX, USD_MAX, WHOLE_MAX, found, reader, written
from rules.sizing import SizingMode
from state.errors import LawBroken
from state.money import Count, Pct, Usd


class Settings(msgspec.Struct):
    """One key of every kind there is."""

    usd: Usd
    pct: Pct
    count: Count
    flag: bool
    mode: SizingMode
    word: Literal["open", "close"]
    roots: tuple[str, ...]
    windows: dict[str, int]


def kind(name: str) -> inspect.Type:
    """The type of a key as it is described to the reading."""
    described = inspect.type_info(Settings)
    assert isinstance(described, inspect.StructType)
    return next(field.type for field in described.fields if field.name == name)


def toml(text: str) -> Any:
    """A value as TOML reads it, numbers with a point exactly."""
    return tomllib.loads(f"x = {text}", parse_float=Decimal)["x"]


def read(name: str, text: str) -> Any:
    """A value in internal units, or None where it is refused."""
    return reader(kind(name))[1](toml(text))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("usd", "0", 0),
        ("usd", "0.70", 700_000),
        ("usd", "1e3", 1_000_000_000),
        ("usd", "1_000.000001", 1_000_000_001),
        ("usd", "1000000000", 10**15),
        ("usd", "1000000000.000001", None),
        ("usd", "0.0000001", None),
        ("usd", "0.70000000000000000000000000000000001", None),
        ("usd", "1e-999999999", None),
        ("usd", "1e999999999", None),
        ("usd", "-0.01", None),
        ("usd", "nan", None),
        ("usd", "inf", None),
        ("usd", "true", None),
        ("usd", "'5'", None),
        ("pct", "50", 5_000),
        ("pct", "0.01", 1),
        ("pct", "0.005", None),
        ("pct", "100_000", 10_000_000),
        ("pct", "100_001", None),
        ("count", "4294967295", WHOLE_MAX),
        ("count", "4294967296", None),
        ("count", "-1", None),
        ("count", "5.0", None),
        ("count", "true", None),
        ("flag", "false", False),
        ("flag", "0", None),
        ("mode", "'fixed'", SizingMode.FIXED),
        ("mode", "'FIXED'", None),
        ("mode", "['fixed']", None),
        ("word", "'open'", "open"),
        ("word", "'opened'", None),
        ("roots", "[]", ()),
        ("roots", "['SPY', 'F']", ("SPY", "F")),
        ("roots", "['spy']", None),
        ("roots", "['SPY', 5]", None),
        ("roots", "'SPY'", None),
        ("windows", "{}", {}),
        ("windows", "{5m = 3}", {"5m": 3}),
        ("windows", "{5m = -3}", None),
        ("windows", "{5m = 1.5}", None),
        ("windows", "[3]", None),
    ],
)
def test_a_value_is_read_exactly_or_refused(name: str, text: str, value: object) -> None:
    """Nothing is rounded, converted or guessed."""
    assert read(name, text) == value
    assert type(read(name, text)) is type(value)


@given(st.integers(0, USD_MAX * 10**6), st.integers(0, PCT_MAX * 100), st.integers(0, WHOLE_MAX))
def test_what_is_written_is_read_again(usd: int, pct: int, count: int) -> None:
    """Every amount, percentage and number comes back from its text."""
    for name, value in (("usd", usd), ("pct", pct), ("count", count)):
        assert read(name, written(kind(name), value)) == value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("usd", 700_000, "0.70"),
        ("usd", 50_000_000_000, "50_000"),
        ("usd", 1_234_567_890_000, "1_234_567.89"),
        ("pct", 5_000, "50"),
        ("pct", 1_250, "12.5"),
        ("pct", 7, "0.07"),
        ("count", 67_108_864, "67_108_864"),
        ("flag", True, "true"),
        ("mode", SizingMode.FIXED, '"fixed"'),
        ("roots", ("SPY", "F"), '["SPY", "F"]'),
        ("windows", {}, "{}"),
        ("windows", {"5m": 1_200}, '{ "5m" = 1_200 }'),
    ],
)
def test_a_value_is_written_as_a_person_would(name: str, value: object, text: str) -> None:
    """The file shows dollars and percent, grouped digits and TOML's own spelling."""
    assert written(kind(name), value) == text
    assert read(name, text) == value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.decimals() | st.text(), st.lists))
def test_no_value_crashes_a_reading(value: object) -> None:
    """Whatever TOML can hold is read or refused, and can be named in a fault."""
    for name in Settings.__struct_fields__:
        expected, take = reader(kind(name))
        take(value)
        assert expected
    assert len(found(value)) < 400


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (5, "5"),
        (Decimal("0.5"), "0.5"),
        ("five", "the text 'five'"),
        ([], "a list"),
        (["a", 2], "a list that begins with the text 'a'"),
        ({"a": 1}, "a table"),
        (date(2026, 2, 13), "2026-02-13"),
    ],
)
def test_a_fault_shows_what_was_found(value: object, text: str) -> None:
    """A value is shown so that its author recognises it, and no longer than needed."""
    assert found(value) == text
    assert len(found("x" * 10_000)) < 60
    assert found(-(16**5_000)) == "a number of 20_001 bits"


def test_a_kind_that_no_reading_knows_breaks_a_law() -> None:
    """A setting of a new type needs its reading first."""
    with pytest.raises(LawBroken, match="no setting can be read"):
        reader(inspect.FloatType())
