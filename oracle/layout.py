"""How answers are laid out for people: columns of equal width, instants beside instants, text that no terminal obeys."""

from collections.abc import Collection, Iterable, Sequence

_GAP = "  "
_LINE_MAX = 2_000


def columns(rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell; columns named in `right` end at one edge."""
    kept = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*kept, strict=True)]
    lines = []
    for row in kept:
        cells = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(_GAP.join(cells).rstrip())
    return lines


def printable(text: str) -> str:
    """Text from outside on one line: what a terminal would obey is written out, and what is very long is cut."""
    safe = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return safe if len(safe) <= _LINE_MAX else f"{safe[:_LINE_MAX]}... ({len(safe)} characters)"


def duration(seconds: int) -> str:
    """A span of time in its two largest units, e.g. `1 h 15 min`."""
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    parts = []
    for length, name in units:
        count, seconds = divmod(seconds, length)
        parts.append((count, name))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count) or "0 s"
