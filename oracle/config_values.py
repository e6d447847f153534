"""One value of the configuration file: read into internal units by the type of its key, and written back.

Deliberately absent: tables, paths and contradictions between keys, which belong to `oracle.config`.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec import inspect

from state import money
from state.errors import LawBroken

WHOLE_MAX = 2**32 - 1
USD_MAX = 10**9
PCT_MAX = 10**5

_DIGITS_MAX = 24
_SHOWN_MAX = 40
_ROOT = re.compile(r"[A-Z]{1,6}")
_NAME = re.compile(r"[!-~]{1,255}")


def reader(kind: inspect.Type) -> tuple[str, Callable[[object], object]]:
    """What a key expects, in words, and the reading of its value into internal units; that gives None for a fault."""
    match kind:
        case inspect.Metadata(extra={"unit": "usd"}):
            words = f"dollars from 0 to {USD_MAX:_} with at most 6 decimals"
            return words, partial(_scaled, scale=money.MICROS_PER_USD, most=USD_MAX)
        case inspect.Metadata(extra={"unit": "pct"}):
            words = f"percent from 0 to {PCT_MAX:_} with at most 2 decimals"
            return words, partial(_scaled, scale=money.BASIS_POINTS // 100, most=PCT_MAX)
        case inspect.IntType():
            return f"a whole number from 0 to {WHOLE_MAX:_}", _whole
        case inspect.BoolType():
            return "true or false", lambda given: given if isinstance(given, bool) else None
        case inspect.StrType():
            return "a name or an address without spaces", _name
        case inspect.EnumType(cls=members):
            return _choice({str(one.value): one for one in members})
        case inspect.LiteralType(values=values):
            return _choice({str(one): one for one in values})
        case inspect.VarTupleType():
            return "a list of option roots in capital letters", _roots
        case inspect.DictType():
            return "a table of whole numbers", _wholes
    raise LawBroken(f"no setting can be read as {kind}")


def _choice(words: dict[str, Any]) -> tuple[str, Callable[[object], object]]:
    return f"one of {', '.join(words)}", lambda given: words.get(given) if isinstance(given, str) else None


def _name(given: object) -> str | None:
    return given if isinstance(given, str) and _NAME.fullmatch(given) else None


def _scaled(given: object, *, scale: int, most: int) -> int | None:
    """A number of the file times its unit, exactly: neither rounded, nor computed at all when it is absurdly long."""
    if isinstance(given, bool) or not isinstance(given, int | Decimal):
        return None
    number = Decimal(given)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or len(digits) > _DIGITS_MAX or abs(exponent) > _DIGITS_MAX:
        return None
    scaled = number * scale
    return int(scaled) if 0 <= number <= most and scaled == int(scaled) else None


def _whole(given: object) -> int | None:
    right = isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= WHOLE_MAX
    return given if isinstance(given, int) and right else None


def _wholes(given: object) -> dict[str, int] | None:
    if not isinstance(given, dict):
        return None
    read = {str(name): whole for name, one in given.items() if (whole := _whole(one)) is not None}
    return read if len(read) == len(given) else None


def _roots(given: object) -> tuple[str, ...] | None:
    if not isinstance(given, list):
        return None
    read = tuple(one for one in given if isinstance(one, str) and _ROOT.fullmatch(one))
    return read if len(read) == len(given) else None


def found(given: object) -> str:
    """A value of the file as its author wrote it, near enough to be recognised."""
    match given:
        case bool():
            return str(given).lower()
        case str():
            return f"the text {given[:_SHOWN_MAX]!r}"
        case list():
            return "a list" if not given else f"a list that begins with {found(given[0])}"
        case dict():
            return "a table"
        case int() if abs(given) >= 10**_SHOWN_MAX:
            # Python writes no number of many thousand digits, which one in hexadecimal may have.
            return f"a number of {given.bit_length():_} bits"
        case _:
            return str(given)[:_SHOWN_MAX]


def written(kind: inspect.Type, value: Any) -> str:
    """A value in internal units as the file would say it."""
    match kind:
        case inspect.Metadata(extra={"unit": "usd"}):
            whole, rest = divmod(value, money.MICROS_PER_USD)
            return money.text(value).replace(",", "_") if rest else f"{whole:_}"
        case inspect.Metadata(extra={"unit": "pct"}):
            return f"{Decimal(value) / 100:f}" if value % 100 else f"{value // 100:_}"
        case inspect.IntType():
            return f"{value:_}"
        case inspect.DictType():
            pairs = ", ".join(f"{json.dumps(name)} = {one:_}" for name, one in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case _:
            return json.dumps(value)
