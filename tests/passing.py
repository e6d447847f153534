"""Histories in which quiet cycles travel together, told cycle by cycle; such cycles written as lines; and markets to pass through."""

from collections.abc import Iterable, Iterator
from random import Random

import numpy as np

from state.frames import Body
from state.inputs import TickReached, TicksPassed
from state.portfolio import Portfolio
from state.record import Record, decode
from state.recovery import fold
from state.stretch import Stretch
from tests.stage import Stage, instant

DAYS = ("2026-02-18", "2026-02-19", "2026-02-20")


def unrolled(told: Iterable[tuple[Record, int]]) -> Iterator[tuple[Record, int]]:
    """The same records, each tick that passed with others in one of its own."""
    for record, seen_at in told:
        if isinstance(record.input, TicksPassed):
            for at, seen in record.input.ticks.unrolled():
                yield Record(TickReached(seen), ()), at
        else:
            yield record, seen_at


def lived(portfolio: Portfolio, body: Body) -> Iterator[tuple[Record, int]]:
    """Fold one record tick by tick; yields after each what was folded, and when it was seen."""
    record = decode(body.payload, body.schema)
    if not isinstance(record.input, TicksPassed):
        yield fold(portfolio, body), body.seen_at
        return
    for single, at in unrolled([(record, body.seen_at)]):
        portfolio.take_in(single.input, lsn=portfolio.lsn + 1, seen_at=at)
        portfolio.lsn = body.lsn - 1
        yield single, at
    portfolio.lsn = body.lsn


def stretch(stage: Stage, *ticks: tuple[str, ...]) -> Stretch:
    """Ticks as a stretch, each a time and the lines that `Stage.tick` reads; a contract may be listed by the first only."""
    instants = [instant(stage.day, clock) for clock, *_ in ticks]
    symbols: dict[str, int] = {}
    spots, counts, columns = [], [], []
    for number, (at, (_, *lines)) in enumerate(zip(instants, ticks, strict=True)):
        seen = stage.columns(at, lines)
        columns.append(seen)
        counts.append(len(seen.rows) // 4)
        spots += [(number, symbols.setdefault(one.symbol, len(symbols)), one.price, one.at) for one in seen.spots]
    listed = columns[0].listed
    return Stretch(
        source=stage.source,
        instants=np.array(instants, "<i8").tobytes(),
        symbols=tuple(symbols),
        spots=np.array(spots, "<i8").tobytes(),
        listed=listed,
        listed_in=np.zeros(len(listed), "<u4").tobytes(),
        ticks=np.repeat(np.arange(len(ticks)), counts).astype("<u4").tobytes(),
        rows=b"".join(one.rows for one in columns),
        quotes=b"".join(one.quotes for one in columns),
    )


def market(chance: Random) -> str:
    """Three days of a price that wanders and a few contracts, quoted now and then, some without a side or crossed."""
    lines, spot = [], 596.0
    listed = [f"SPY260220{right}{strike:05d}000" for right in "CP" for strike in range(593, 600)]
    quoted = chance.sample(listed, 9)
    for day in DAYS:
        for minute in range(0, 400, chance.choice((5, 10))):
            spot += chance.choice((-0.3, -0.1, 0.0, 0.1, 0.3))
            clock = f"{9 + (30 + minute) // 60:02d}:{(30 + minute) % 60:02d}"
            lines.append(f"{day} {clock}:00 SPY {spot:.2f}")
            if chance.random() < 0.02:
                quoted = chance.sample(listed, 11)
            lines += [_quote(chance, f"{day} {clock}", occ, spot) for occ in quoted if chance.random() < 0.7]
    return "\n".join(lines)


def _quote(chance: Random, minute: str, occ: str, spot: float) -> str:
    inside = (spot - int(occ[10:15])) * (1 if occ[9] == "C" else -1)
    mid = max(inside, 0.0) + 1.0 + chance.choice((-0.2, 0.0, 0.0, 0.2))
    bid, ask = f"{mid - 0.03:.2f}", f"{mid + 0.03:.2f}"
    sides = chance.choices((f"{bid} {ask} 50 50", f"- {ask}", f"{bid} -", f"{ask} {bid}"), (30, 1, 1, 1))[0]
    return f"{minute}:{chance.choice(('00', '00', '20'))} {occ} {sides}"
