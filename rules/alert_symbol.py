"""What an alert is about: the underlying, and the option it names by symbol or by strike and expiration.

Whether such an option is listed is a question to the chain and is not asked here.
"""

import re
from datetime import date
from typing import NamedTuple

from rules import alert_text
from rules.alert_fields import Notes, number_of
from rules.alert_text import Tree, Value
from rules.alert_words import present
from state import contract, money
from state.alert import Direction
from state.contract import Contract, Right

SYMBOL_CHARS_MAX = 20
STRIKE_USD_MAX = 100_000
SYMBOL_PATHS = (
    *("symbol", "ticker", "meta.ticker", "instrument.ticker", "instrument.symbol", "signal.ticker", "signal.symbol"),
)
OPTION_PATHS = ("option_symbol", "optionSymbol")
EXPIRATION_PATHS = ("expiration", "expiry", "expiration_date", "expirationDate")

_EXAMPLE = "send an OCC symbol such as SPY251219C00600000"
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._!/&-]*")
_ROOT = re.compile(r"[A-Z]{1,6}")
_PREFIX = re.compile(r"[A-Z0-9_]{1,20}:(.+)")
_OPTION_SHAPE = re.compile(r"[A-Z0-9]{1,7}\s*\d{6}[CP]\d[\d.]*|[A-Z0-9]{1,7}-\d{8}-(?:C|P|CALL|PUT)-[\d.]+", re.ASCII)
_CHART_OPTION = re.compile(r"([A-Z]{1,6})(\d{6})([CP])(\d{1,5}(?:\.\d{1,3})?)", re.ASCII)
"""An option as TradingView spells it: `SPY251219C600.0`."""

_DATE = re.compile(r"(20\d\d)-?(\d\d)-?(\d\d)(?:T00:00:00(?:\.0+)?Z?)?", re.ASCII)
"""A date of this century, the only one that an OCC symbol can say."""


class Symbol(NamedTuple):
    """The underlying, and the option when the alert names one by its symbol."""

    symbol: str
    option: Contract | None


def symbol(tree: Tree, notes: Notes) -> Symbol | None:
    """The underlying of the alert, upper case and without exchange; None after an error was noted."""
    found = present(tree, SYMBOL_PATHS) or present(tree, OPTION_PATHS)
    texts = [value for _, value in found if isinstance(value, str)]
    if not texts:
        notes.refuse("symbol", "missing_symbol", "no symbol; add symbol (or ticker) as text, for instance SPY")
        return None
    text = next((one for one in texts if "{{" not in one), texts[0])
    named = _named(text, notes)
    beside = [value for _, value in present(tree, OPTION_PATHS) if isinstance(value, str)]
    if named is None or named.option or not beside:
        return named
    option = _named(beside[0], notes)
    if option is None or (option.option and option.symbol == named.symbol):
        return option
    fault = f"is no option on {named.symbol}; {_EXAMPLE}"
    notes.refuse_text("option_symbol", "invalid_option", fault, sent=beside[0])
    return None


def _named(text: str, notes: Notes) -> Symbol | None:
    """Read one symbol; a chart-modified ticker carries the real one inside."""
    name = text.strip()
    if name.startswith("={"):
        inner = alert_text.parse(name[1:])
        value = inner.tree.get("symbol") if isinstance(inner, alert_text.Parsed) else None
        name = value.strip() if isinstance(value, str) else name
        notes.warn("chart_ticker")
    if "{{" in name:
        notes.refuse_text("symbol", "invalid_symbol", "", sent=name)
        return None
    name = name.upper()
    prefixed = _PREFIX.fullmatch(name)
    name = prefixed[1].strip() if prefixed else name
    if _OPTION_SHAPE.fullmatch(name):
        return _option_named(name, notes)
    if len(name) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(name):
        return Symbol(name, None)
    fault = f"is no symbol; send 1 to {SYMBOL_CHARS_MAX} letters, digits or . _ ! / & -, for instance SPY"
    notes.refuse_text("symbol", "invalid_symbol", fault, sent=name)
    return None


def _option_named(name: str, notes: Notes) -> Symbol | None:
    chart = _CHART_OPTION.fullmatch(name)
    try:
        option = contract.parse(f"{chart[1]}-20{chart[2]}-{chart[3]}-{chart[4]}" if chart else name)
    except ValueError as error:
        notes.refuse("symbol", "invalid_option", f"{error}; {_EXAMPLE}")
        return None
    return Symbol(option.underlying, option)


def chosen_option(tree: Tree, underlying: str, right: Right | None, notes: Notes) -> Contract | None:
    """The option of a body with a plain symbol, a strike and an expiration; one of the two alone is left out."""
    strikes, expirations = present(tree, ("strike",)), present(tree, EXPIRATION_PATHS)
    if not strikes or not expirations:
        if strikes or expirations:
            notes.warn("half_a_contract", "strike" if strikes else "expiration")
        return None
    strike, expiry = _strike(strikes[0][1]), _date(expirations[0][1])
    if strike is None:
        notes.refuse("strike", "invalid_strike", "strike is no strike; send dollars with up to 3 decimals, such as 596")
    if expiry is None:
        notes.refuse("expiration", "invalid_expiration", "expiration is no date; send it as 2026-02-20")
    if not _ROOT.fullmatch(underlying):
        fault = "has no listed options here; leave strike and expiration out, or send the root of the option"
        notes.refuse_text("symbol", "invalid_option", fault, sent=underlying)
    elif strike is not None and expiry is not None and right is not None:
        return Contract(underlying, expiry, right, strike)
    return None


def right_of(direction: Direction) -> Right:
    """The option that is bought for a market view."""
    return Right.CALL if direction is Direction.LONG else Right.PUT


def _strike(value: Value) -> int | None:
    """Micro-dollars of a strike that an OCC symbol can hold."""
    number = number_of(value)
    if number is None or not 0 < number < STRIKE_USD_MAX or number * 1_000 != int(number * 1_000):
        return None
    return money.from_decimal(number)


def _date(value: Value) -> date | None:
    found = _DATE.fullmatch(str(value))
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
