"""A recording: the text files of a tape, read into columns. The format is told in `docs/tape-format.md`.

Deliberately absent: any question asked of a recording (`oracle.market.tape`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from oracle.market import table
from oracle.market.port import Ints
from oracle.market.table import Field
from state import contract as contracts
from state import money
from state.calendar import SECOND
from state.contract import Contract
from state.errors import BadUsage
from state.market import ASK_PRESENT, QUOTE, SIZES_KNOWN, SettlementPrint, Table, rows_of

FORMAT = 1
LABEL_FILE = "tape.toml"
UNDERLYING = ("at", "symbol", "open", "high", "low", "close", "volume")
QUOTES = ("at", "contract", "bid", "ask", "bid_size", "ask_size")
SETTLEMENTS = ("symbol", "day", "opening", "price", "at")

YIELD_MAX = 0.5
"""A yearly yield beyond 50 % is taken for a percentage written as a number."""

_JUMP = 5 / 3
"""A price that is divided or multiplied by more than this from one row to the next was split."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT_MAX = 2**63 - 1
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_SYMBOL = re.compile(r"[A-Z0-9.^_-]{1,20}")

PrintKey = tuple[str, date, bool]
"""Symbol, expiration date and whether the print is that of the opening."""


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tape.toml`: what kind of tape this is, and the yields its quotes are priced with.

    `jumps` names underlyings whose price did jump like a split, without one.
    """

    format: int
    source: str
    rate: float = 0.0
    dividend_yields: dict[str, float] = {}
    description: str = ""
    jumps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """The closes of one underlying, ascending by the instant they were known."""

    at: Ints
    close: Ints


@dataclass(frozen=True, slots=True)
class Quotes:
    """All quote rows in the order of the file; `code` numbers the contracts in the order they first appear.

    `table` holds the rows as they travel, nothing priced yet; its first column is `at` once more, values side by side.
    """

    contracts: tuple[Contract, ...]
    symbols: tuple[str, ...]
    code: Ints
    at: Ints
    table: Table

    def column(self, name: str) -> Ints:
        """One value of all rows, by its name in `state.market.QUOTE`."""
        return self.table[:, QUOTE.index(name)]


class Recording(msgspec.Struct, frozen=True):
    """Everything a tape holds."""

    label: Label
    bars: dict[str, Bars]
    quotes: Quotes
    settlements: dict[PrintKey, SettlementPrint]


def read(directory: Path) -> Recording:
    """Read the files of a tape. Raises BadUsage naming the file, the line and the remedy."""
    label, prices = _read_label(directory / LABEL_FILE), _file(directory, "underlying.csv")
    bars, quotes = _read_bars(prices), _read_quotes(_file(directory, "quotes.csv"))
    _refuse_splits(prices, bars, quotes, jumps=label.jumps)
    return Recording(label, bars, quotes, _read_settlements(directory / "settlements.csv"))


def label_text(label: Label) -> str:
    """What `tape.toml` says for a label. Raises BadUsage when a yield is beyond YIELD_MAX."""
    _require_yields(label)
    text = "".join(
        f"{name} = {_spelled(getattr(label, name))}\n" for name in ("format", "source", "description", "rate")
    )
    if label.jumps:
        text += f"jumps = {_spelled(label.jumps)}\n"
    yields = "".join(f"{_spelled(symbol)} = {_spelled(one)}\n" for symbol, one in label.dividend_yields.items())
    return f"{text}\n[dividend_yields]\n{yields}" if yields else text


def _spelled(value: str | float | tuple[str, ...]) -> str:
    """JSON spells strings as TOML does but for one character, and floats by their shortest exact text."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


# -- private --------------------------------------------------------------------------------------------------------


def instant(text: str) -> int:
    """Nanoseconds UTC of an instant written as `2026-02-13T15:30:00Z`, with up to six decimals of a second."""
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"{text!r} is no instant such as 2026-02-13T15:30:00Z")
    at = (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1) * 1_000
    if abs(at) > _INSTANT_MAX:
        raise ValueError(f"{text!r} lies outside of the years 1678 to 2261")
    return at


def symbol(text: str) -> str:
    """The name of an underlying, as it stands. Raises ValueError when it is none."""
    if not _SYMBOL.fullmatch(text):
        raise ValueError(f"{text!r} is no symbol in capital letters")
    return text


def _opening(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError(f"{text!r} is neither 1 (opening print) nor 0 (closing print)")
    return text == "1"


def _optional(parse: Callable[[str], int], absent: int) -> Callable[[str], int]:
    """A reading that gives `absent` for an empty cell."""
    return lambda text: parse(text) if text else absent


def _file(directory: Path, name: str) -> Path:
    """The plain or the compressed file of a name; there must be exactly one of them."""
    found = [path for path in (directory / name, directory / f"{name}.gz") if path.exists()]
    if len(found) != 1:
        raise BadUsage(f"{directory}: {len(found)} files {name} or {name}.gz; a tape has exactly one of them")
    return found[0]


def _read_label(path: Path) -> Label:
    try:
        label = msgspec.toml.decode(path.read_bytes(), type=Label)
    except OSError as fault:
        raise BadUsage(f"{path}: cannot be read: {fault}; give a directory that holds a tape") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadUsage(f"{path}: {fault}; see docs/tape-format.md") from None
    if label.format != FORMAT:
        raise BadUsage(f"{path}: its format is not {FORMAT}; import the tape again with this version")
    _require_yields(label)
    return label


def _require_yields(label: Label) -> None:
    for name, given in (("rate", label.rate), *label.dividend_yields.items()):
        if not abs(given) <= YIELD_MAX:
            raise BadUsage(f"{LABEL_FILE}: {name} = {given} is no yearly yield; write 4 % as 0.04")


def _read_bars(path: Path) -> dict[str, Bars]:
    parsers = (instant, symbol, *(_optional(table.price, 0),) * 3, table.price, _optional(table.whole, 0))
    fields = [Field((name,), parse) for name, parse in zip(UNDERLYING, parsers, strict=True)]
    at, names, *_, close, _ = table.read(path, fields)
    instants = np.array(at, np.int64)
    table.refuse_disorder(path, instants)
    owners, closes = np.array(names, object), np.array(close, np.int64)
    return {name: Bars(instants[owners == name], closes[owners == name]) for name in dict.fromkeys(names)}


def _refuse_splits(path: Path, bars: dict[str, Bars], quotes: Quotes, *, jumps: tuple[str, ...]) -> None:
    """Raise BadUsage where an underlying jumps like a split after its options were first quoted.

    What is held over a split are contracts on other shares: settled on the new price they would come to a fortune.
    """
    underlyings = np.array([one.underlying for one in quotes.contracts], object)
    for name, one in bars.items():
        quoted = quotes.at[np.isin(quotes.code, np.flatnonzero(underlyings == name))]
        if name in jumps or not len(quoted):
            continue
        before, after = one.close[:-1], one.close[1:]
        ratio = after / before
        jumped = (ratio < 1 / _JUMP) | (ratio > _JUMP)
        for row in np.flatnonzero(jumped & (one.at[1:] > quoted[0]))[:1].tolist():
            at = datetime.fromtimestamp(int(one.at[row + 1]) // SECOND, UTC)
            raise BadUsage(
                f"{path}: {name} goes from {money.text(int(before[row]))} to {money.text(int(after[row]))} at "
                f"{at:%Y-%m-%dT%H:%M:%SZ}: make one tape of each side of a split; where there was none, write "
                f'`jumps = ["{name}"]` into {LABEL_FILE}'
            )


def _read_quotes(path: Path) -> Quotes:
    listed: dict[Contract, int] = {}

    def code(text: str) -> int:
        return listed.setdefault(contracts.parse(text), len(listed))

    sizes = (_optional(table.size, -1),) * 2
    parsers = (instant, code, _optional(table.quoted, 0), _optional(table.quoted, -1), *sizes)
    fields = [Field((name,), parse) for name, parse in zip(QUOTES, parsers, strict=True)]
    at, codes, bid, ask, bid_size, ask_size = (np.array(column, np.int64) for column in table.read(path, fields))
    table.refuse_disorder(path, at)
    asked, sized = ask >= 0, (bid_size >= 0) & (ask_size >= 0)
    return Quotes(
        contracts=tuple(listed),
        symbols=tuple(one.occ for one in listed),
        code=codes,
        at=at,
        table=rows_of(
            at,
            bid,
            np.where(asked, ask, 0),
            np.where(sized, bid_size, 0),
            np.where(sized, ask_size, 0),
            asked.astype(np.int64) * ASK_PRESENT + sized.astype(np.int64) * SIZES_KNOWN,
        ),
    )


def _read_settlements(path: Path) -> dict[PrintKey, SettlementPrint]:
    if not path.exists():
        return {}
    parsers = (symbol, date.fromisoformat, _opening, table.price, instant)
    fields = [Field((name,), parse) for name, parse in zip(SETTLEMENTS, parsers, strict=True)]
    columns = table.read(path, fields)
    table.refuse_disorder(path, np.array(columns[-1], np.int64))
    prints: dict[PrintKey, SettlementPrint] = {}
    for line, row in enumerate(zip(*columns, strict=True), 2):
        one = SettlementPrint(*row)
        if (one.symbol, one.day, one.opening) in prints:
            raise BadUsage(f"{path}: line {line}: {one.symbol} has a print for {one.day} already; keep one of them")
        prints[one.symbol, one.day, one.opening] = one
    return prints
