"""Text tables: cells become values, and what cannot be read is named by file and line."""

import gzip
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.market import table
from oracle.market.table import Field
from state.errors import BadUsage

FIELDS = (Field(("price",), table.price), Field(("first", "second"), lambda first, second: f"{second}{first}"))


def written(tmp_path: Path, text: str, name: str = "rows.csv") -> Path:
    """A file with this text, compressed when its name says so."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize(
    "text", ["price,x,second,first\n1.5,?,b,a\n2,,d,c\n", "price,second,first\r\n1.5,b,a\r\n2,d,c"]
)
def test_columns_are_found_by_name(tmp_path: Path, name: str, text: str) -> None:
    """Order, further columns, compression, line ends and a missing last line end change nothing."""
    assert table.read(written(tmp_path, text, name), FIELDS) == ([1_500_000, 2_000_000], ["ba", "dc"])


def test_a_table_without_rows_is_empty(tmp_path: Path) -> None:
    """A header alone is a table."""
    assert table.read(written(tmp_path, "price,first,second\n"), FIELDS) == ([], [])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: no column 'price' in the header, which says nothing"),
        ("cost,first,second\n", "line 1: no column 'price' in the header, which says cost, first, second"),
        ("price,price,first,second\nx,1,a,b\n", "line 1: the header says 'price' more than once"),
        ("price,first,second\n1,a,b\n1,a\n", "line 3: 2 cells under 3 columns"),
        ("price,first,second\n1,a,b\n1,a,b,c\n", "line 3: 4 cells under 3 columns"),
        ("price,first,second\n1,a,b,c\n1,a\n", "line 2: 4 cells under 3 columns"),
        ("price,first,second\n\n1,a,b\n", "line 2: 1 cells under 3 columns"),
        ("price,first,second\n1,a,b\n1,a,b\n-1,a,b\n", "line 4: price: '-1' is no price above zero; mend or drop"),
        ("price,first,second\n1,a,b\nNaN,a,b\n", "line 3: price: 'NaN' is not a usable number"),
        ("price,first,second\n1.0000001,a,b\n", "line 2: price: '1.0000001' has more than six decimals"),
        ('price,first,second\n"1",a,b\n', "line 2: price: '\"1\"' is not a number"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    """The complaint holds the file, the line, what is wrong and what to do."""
    path = written(tmp_path, text)
    with pytest.raises(BadUsage) as raised:
        table.read(path, FIELDS)
    assert str(raised.value).startswith(f"{path}: {complaint}")


def test_a_bad_row_far_down_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are counted across the pieces in which a file is read."""
    monkeypatch.setattr(table, "CHUNK_BYTES", 10)
    lines = ["price,first,second", *(f"{n + 1},a,b" for n in range(100))]
    assert table.read(written(tmp_path, "\n".join(lines)), FIELDS)[0] == [(n + 1) * 10**6 for n in range(100)]
    lines[77] = "x,a,b"
    with pytest.raises(BadUsage, match="line 78: price: 'x'"):
        table.read(written(tmp_path, "\n".join(lines)), FIELDS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv.gz", b"no gzip"),
        ("rows.csv.gz", gzip.compress(b"price,first,second\n" + b"1,a,b\n" * 99, mtime=0)[:-12]),
        ("rows.csv", b"price,first,second\n1,\xff,b\n"),
        ("rows.csv.gz", gzip.compress(b"p" * table.LINE_BYTES_MAX, mtime=0)),
        ("rows.csv.gz", gzip.compress(b"price,first,second\n" + b"1" * 2 * table.CHUNK_BYTES, mtime=0)),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """No file, a broken archive, a line without an end and bytes that are no text are the user's to mend."""
    path = tmp_path / name
    with pytest.raises(BadUsage, match=f"{name}: cannot be read"):
        table.read(path, FIELDS)
    path.write_bytes(content)
    with pytest.raises(BadUsage, match=f"{name}: cannot be read"):
        table.read(path, FIELDS)


@given(text=st.text(alphabet="price,first,second\n\r1.,\"\0'x", max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a file holds, there are equally long columns or a refusal."""
    path = written(tmp_path_factory.mktemp("any"), f"price,first,second\n{text}")
    lengths: set[int] = set()
    with suppress(BadUsage):
        lengths = {len(column) for column in table.read(path, FIELDS)}
    assert len(lengths) <= 1


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (table.price, "0.01", 10_000),
        (table.quoted, "0", 0),
        (table.quoted, "1E-5", 10),
        (table.whole, "999999999999999999", 10**18 - 1),
        (table.size, "2147483647", 2**31 - 1),
    ],
)
def test_a_cell_reads_exactly(parse: Callable[[str], int], text: str, value: int) -> None:
    """Money and counts are read without rounding."""
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (table.price, "0"),
        (table.price, ""),
        (table.quoted, "-0.01"),
        (table.whole, "-1"),
        (table.whole, "1.0"),
        (table.whole, "٣"),
        (table.whole, "1" * 19),
        (table.size, "2147483648"),
    ],
)
def test_a_cell_is_refused(parse: Callable[[str], int], text: str) -> None:
    """What is no such number raises ValueError and nothing else."""
    with pytest.raises(ValueError):
        parse(text)


def test_rows_ascend(tmp_path: Path) -> None:
    """Equal instants may follow each other; the line that goes back is named."""
    table.refuse_disorder(tmp_path, np.array([1, 1, 2]))
    table.refuse_disorder(tmp_path, np.array([], np.int64))
    with pytest.raises(BadUsage, match="line 4: `at` goes back"):
        table.refuse_disorder(tmp_path, np.array([1, 3, 2]))
