"""What a measurement found: tables and aims, as text for the terminal, Markdown for the page, JSON for another process."""

import sys
import textwrap
from collections.abc import Callable, Iterator

import msgspec

WIDTH = 128

JSON = "--json"
"""The argument on which a measurement tells its figures as JSON."""


class Table(msgspec.Struct, frozen=True):
    """One table. The first column names what was measured, the others hold its figures."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Aim(msgspec.Struct, frozen=True):
    """What the product wants to reach, and what it does here; both with their unit."""

    what: str
    aim: str
    here: str
    met: bool


class Part(msgspec.Struct, frozen=True):
    """Everything that one measurement tells; `words` say what was measured, beside what, and how."""

    title: str
    words: str
    tables: tuple[Table, ...]
    aims: tuple[Aim, ...] = ()


def at_most(what: str, limit: float, here: float, unit: str) -> Aim:
    """An aim that is met from below."""
    return Aim(what, f"≤ {limit:,g}{unit}", f"{here:,.4g}{unit}", met=here <= limit)


def at_least(what: str, limit: float, here: float, unit: str) -> Aim:
    """An aim that is met from above."""
    shown = f"{here:,.0f}" if here >= 10_000 else f"{here:,.4g}"
    return Aim(
        what, f"≥ {limit:,g}{unit}" if limit < 10_000 else f"≥ {limit:,.0f}{unit}", f"{shown}{unit}", met=here >= limit
    )


AIMS_HEAD = ("", "aim", "here", "")


def aimed(aims: tuple[Aim, ...]) -> Table:
    """Aims as a table."""
    return Table(
        "Aims", AIMS_HEAD, tuple((one.what, one.aim, one.here, "met" if one.met else "**not met**") for one in aims)
    )


def tables_of(part: Part) -> tuple[Table, ...]:
    """All tables of a part, its aims last."""
    return (*part.tables, *((aimed(part.aims),) if part.aims else ()))


def tell(measure: Callable[[], Part]) -> None:
    """Measure, and print what was found as this process was asked to."""
    part = measure()
    print(msgspec.json.encode(part).decode() if JSON in sys.argv[1:] else text(part))


def wrapped(words: str) -> str:
    """Paragraphs in lines of one width."""
    return "\n\n".join(textwrap.fill(one, WIDTH, break_on_hyphens=False) for one in words.split("\n\n"))


# -- for the terminal -----------------------------------------------------------------------------------------------


def text(part: Part) -> str:
    """A part as columns of text."""
    lines = [f"== {part.title}", "", wrapped(part.words), ""]
    for table in tables_of(part):
        lines += [table.caption, *_columns((table.head, *table.rows)), ""]
    return "\n".join(lines)


def _columns(rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    plain = [[cell.replace("**", "") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    for first, *rest in plain:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()


# -- for the page ---------------------------------------------------------------------------------------------------


def markdown(part: Part) -> str:
    """A part as a section of a page."""
    return "\n\n".join([f"## {part.title}", wrapped(part.words), *(_markdown_table(one) for one in tables_of(part))])


def _markdown_table(table: Table) -> str:
    rules = [":---", *["---:"] * (len(table.head) - 1)]
    rows = (f"| {' | '.join(cells)} |" for cells in (table.head, rules, *table.rows))
    return f"{table.caption}:\n\n" + "\n".join(rows)
