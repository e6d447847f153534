"""Text tables (CSV, plain or gzip) read strictly into columns: a bad cell names file, line and remedy.

Deliberately absent: any format. Which columns there are and how a cell reads is told by the caller.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oracle.market.port import Ints
from state import money
from state.errors import BadUsage, LawBroken

CHUNK_BYTES = 4_194_304
"""What is held as text at a time, or one line more."""

LINE_BYTES_MAX = 1_048_576
"""No row of any market is as long, but a small file may unpack into such a line."""

SIZE_MAX = 2**31 - 1
_DIGITS_MAX = 18


class Field(NamedTuple):
    """One value of a row: the columns it is read from, and how; `parse` raises ValueError saying what is wrong."""

    columns: tuple[str, ...]
    parse: Callable[..., Any]


class _Memo(dict[str | tuple[str, ...], Any]):
    """Cells repeat: each distinct text is parsed once."""

    def __init__(self, parse: Callable[..., Any]) -> None:
        self._parse = parse

    def __missing__(self, cells: str | tuple[str, ...]) -> Any:
        value = self[cells] = self._parse(cells) if isinstance(cells, str) else self._parse(*cells)
        return value


class _Chunk(NamedTuple):
    """Some whole lines of a file, the number of the first, and the header they stand under."""

    path: Path
    header: list[str]
    line: int
    text: str

    @property
    def columns(self) -> list[list[str]] | None:
        """The cells by column; None when a line has another number of cells than the header."""
        width = len(self.header)
        letters = np.frombuffer(self.text.encode(), np.uint8)
        commas, ends = np.flatnonzero(letters == ord(",")), np.flatnonzero(letters == ord("\n"))
        if np.any(np.diff(np.searchsorted(commas, ends), prepend=0) != width - 1):
            return None
        cells = self.text.replace("\n", ",").split(",")[:-1]
        return [cells[place::width] for place in range(width)]


def read(path: Path, fields: Sequence[Field]) -> tuple[list[Any], ...]:
    """One list per field, over all rows below the header. Columns are found by name; those nobody asks for are ignored.

    Nothing is quoted: a comma always ends a cell. Raises BadUsage naming the file, the line and the remedy.
    """
    found: tuple[list[Any], ...] = tuple([] for _ in fields)
    memos = [_Memo(field.parse) for field in fields]
    for chunk in _chunks(path):
        places = [[_place(chunk, name) for name in field.columns] for field in fields]
        columns = chunk.columns
        if columns is None:
            raise _blame(chunk, fields)
        try:
            for values, memo, wanted in zip(found, memos, places, strict=True):
                cells = [columns[place] for place in wanted]
                values.extend(map(memo.__getitem__, cells[0] if len(cells) == 1 else zip(*cells, strict=True)))
        except ValueError:
            raise _blame(chunk, fields) from None
    return found


def refuse_disorder(path: Path, at: Ints) -> None:
    """Raise BadUsage at the first row that happened before the row above it."""
    back = np.flatnonzero(np.diff(at) < 0)
    if len(back):
        raise BadUsage(f"{path}: line {int(back[0]) + 3}: `at` goes back; sort the rows by `at`")


# -- cells ----------------------------------------------------------------------------------------------------------


def price(text: str) -> int:
    """A price above zero, in micro-dollars."""
    amount = money.parse(text)
    if amount <= 0:
        raise ValueError(f"{text!r} is no price above zero")
    return amount


def quoted(text: str) -> int:
    """One side of a quote in micro-dollars, zero included."""
    amount = money.parse(text)
    if amount < 0:
        raise ValueError(f"{text!r} is below zero")
    return amount


def whole(text: str) -> int:
    """A whole number."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_MAX:
        raise ValueError(f"{text!r} is no whole number of at most {_DIGITS_MAX} digits")
    return int(text)


def size(text: str) -> int:
    """A number of contracts."""
    count = whole(text)
    if count > SIZE_MAX:
        raise ValueError(f"{text!r} is beyond {SIZE_MAX} contracts")
    return count


# -- private --------------------------------------------------------------------------------------------------------


def _chunks(path: Path) -> Iterator[_Chunk]:
    """The file in pieces of whole lines, the first of them even when it is empty."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header, line = _text(_line(file)).rstrip("\n").split(","), 2
            yield (chunk := _Chunk(path, header, line, _text(file.read(CHUNK_BYTES) + _line(file))))
            while chunk.text:
                line += chunk.text.count("\n")
                chunk = _Chunk(path, header, line, _text(file.read(CHUNK_BYTES) + _line(file)))
                yield chunk
    except (OSError, EOFError, zlib.error, ValueError) as fault:
        raise BadUsage(f"{path}: cannot be read: {fault}; give a readable CSV file in UTF-8, plain or .gz") from None


def _line(file: gzip.GzipFile | BufferedReader) -> bytes:
    """What is left of a line, unless it has no end."""
    line = file.readline(LINE_BYTES_MAX)
    if len(line) == LINE_BYTES_MAX:
        raise ValueError(f"a line has more than {LINE_BYTES_MAX:_} bytes")
    return line


def _text(lines: bytes) -> str:
    """Lines as text, each ended by one line feed, the last one of a file included."""
    text = lines.decode().replace("\r\n", "\n")
    return text if text.endswith("\n") or not text else f"{text}\n"


def _place(chunk: _Chunk, name: str) -> int:
    if name not in chunk.header:
        found = ", ".join(chunk.header) or "nothing"
        raise BadUsage(f"{chunk.path}: line 1: no column {name!r} in the header, which says {found}; add it")
    if chunk.header.count(name) > 1:
        raise BadUsage(f"{chunk.path}: line 1: the header says {name!r} more than once; keep one of these columns")
    return chunk.header.index(name)


def _blame(chunk: _Chunk, fields: Sequence[Field]) -> BadUsage:
    """Read the rows again one by one, to name the first one that cannot be read."""
    for number, text in enumerate(chunk.text.split("\n"), chunk.line):
        row = text.split(",")
        where = f"{chunk.path}: line {number}"
        if len(row) != len(chunk.header):
            return BadUsage(f"{where}: {len(row)} cells under {len(chunk.header)} columns; mend or drop the row")
        fault = _fault(dict(zip(chunk.header, row, strict=True)), fields)
        if fault is not None:
            return BadUsage(f"{where}: {fault}; mend or drop the row")
    raise LawBroken(f"{chunk.path}: a cell that could not be read reads the second time")


def _fault(cells: dict[str, str], fields: Sequence[Field]) -> str | None:
    for field in fields:
        try:
            field.parse(*(cells[name] for name in field.columns))
        except ValueError as fault:
            return f"{', '.join(field.columns)}: {fault}"
    return None
