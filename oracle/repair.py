"""`oracle journal repair`: says what of a damaged journal is lost and, where that is accepted, goes on without it.

Before anything is changed the whole journal and the database are copied aside, beside what was said of the loss. The
copy is a data directory like any other. Deliberately absent: the cut itself, which is `state.cut`'s, and the query
tables, which the next question or start makes again.
"""

import os
import shlex
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from oracle import narrate
from oracle.directory import DataDirectory
from oracle.ids import run_id
from oracle.version import code_version
from state import cut
from state import facts as f
from state.cut import Damage
from state.disk import Disk
from state.errors import JournalDamaged, LawBroken, OracleFailure
from state.facts import AnyFact
from state.frames import Body, Run
from state.portfolio import Portfolio
from state.record import decode
from state.recovery import fold
from state.segments import LOCK
from state.tables import reading

LOSS = "loss.json"
"""The last file of a copy: one without it is not complete. Its `cut` is `intended`, and `done` once it was."""

_SHOWN_MAX = 20
"""Ids of a kind, and lines of what was decided, that people are shown; JSON holds all."""


def repair(path: Path, *, accept: bool) -> dict[str, Any]:
    """What is damaged in a directory's journal and what is lost by it; cut back to the last sound record if accepted.

    Without damage, and unless accepted, nothing is changed. Raises DirectoryInUse while a process works there,
    DiskFailed when the copy or the cut could not be written: saying it again goes on. Raises LawBroken, and changes
    nothing, where it was accepted and a sound record breaks a law.
    """
    directory, disk = DataDirectory(path), Disk()
    directory.must_exist()
    with cut.on_disk(directory.journal, "locked"):
        lock = disk.lock(directory.journal / LOCK)
    try:
        damage = cut.examine(disk, directory.journal)
        if damage is None:
            return {"damaged": False, "repaired": False}
        told = _told(directory, damage, disk)
        if accept:
            if told["broken"] is not None:
                raise LawBroken(f"{_broken_line(told['broken'])}; nothing was changed: report this")
            with cut.on_disk(path, "written"):
                _accept(directory, damage, told, disk)
        return told
    finally:
        disk.close(lock)


def exit_code(told: dict[str, Any]) -> int:
    """That of a damaged journal, until its loss was accepted."""
    return JournalDamaged.exit_code if told["damaged"] and not told["repaired"] else 0


def lines(told: dict[str, Any]) -> Iterator[str]:
    """What `repair` found and did, for people."""
    if not told["damaged"]:
        yield "nothing to repair: what the journal holds is what was written"
        return
    yield told["why"]
    yield f"sound up to record {told['record']}" + (
        f" of {narrate.clock(told['at'])} New York" if told["record"] and told["broken"] is None else ""
    )
    yield from _lost_lines(told["lost"])
    if told["broken"] is not None:
        yield f"{_broken_line(told['broken'])}: report this"
        yield "nothing was changed; restore the directory from a backup"
        return
    yield from _named("positions held again that the lost records closed or reduced", told["held_again"])
    yield from _named("orders at work again that the lost records filled or ended", told["working_again"])
    yield from _named("from there on held", told["held"])
    yield from _named("from there on at work", told["working"])
    if told["repaired"]:
        yield f"all of it as it was, and what is said here: {told['copy']}"
        yield f"the journal now ends with record {told['record']}; start the process, or look at it with oracle status"
    else:
        yield "nothing was changed; restore the directory from a backup or, to go on without what is lost, say"
        yield f"  oracle journal repair --accept-loss --data {shlex.quote(told['data'])}"


class _Lost(NamedTuple):
    """What readable lost records are about: ids by what became of them."""

    alerts: dict[str, None]
    fills: dict[str, None]
    orders: dict[str, None]
    ended: dict[str, None]
    positions: dict[str, None]
    reduced: dict[str, None]

    def note(self, fact: AnyFact) -> None:
        """Note what a fact is about."""
        match fact:
            case f.AlertLogged():
                self.alerts[fact.event_id] = None
            case f.OrderCreated(order=order):
                self.orders[order.id] = None
            case f.OrderFilled(fill=fill):
                self.fills[fill.id] = None
                self.ended[fact.order_id] = None
            case f.OrderEnded():
                self.ended[fact.order_id] = None
            case f.PositionOpened(position=position):
                self.positions[position.id] = None
            case f.PositionReduced() | f.PositionSettled() | f.PositionClosed():
                self.reduced[fact.position_id] = None
            case _:
                pass


def _told(directory: DataDirectory, damage: Damage, disk: Disk) -> dict[str, Any]:
    """All there is to say of a damage, as JSON holds it."""
    portfolio, broken = _folded(cut.kept_bodies(disk, directory.journal, damage))
    bodies = cut.lost_bodies(disk, directory.journal, damage)
    lost, story = _Lost({}, {}, {}, {}, {}, {}), []
    for body in bodies:
        for fact in _facts(body):
            lost.note(fact)
            if (line := narrate.sentence(fact)) is not None:
                story.append({"record": body.lsn, "at": body.seen_at, "told": line})
    reached = max([damage.last_lsn, damage.newest - 1, tabled(directory), *(body.lsn for body in bodies[-1:])])
    # What is held where a record could not be folded nobody can say.
    whole = portfolio if broken is None else Portfolio()
    held, working = [one.id for one in whole.live_positions()], [one.id for one in whole.working_orders()]
    return {
        "damaged": True,
        "repaired": False,
        "data": str(directory.root),
        "why": damage.why,
        "record": damage.last_lsn,
        "at": portfolio.now,
        "broken": broken,
        "lost": {
            "records": reached - damage.last_lsn,
            "first": damage.last_lsn + 1 if reached > damage.last_lsn else None,
            "last": reached if reached > damage.last_lsn else None,
            "readable": len(bodies),
            "from": bodies[0].seen_at if bodies else None,
            "to": bodies[-1].seen_at if bodies else None,
            **{name: list(ids) for name, ids in lost._asdict().items() if name not in ("ended", "reduced")},
            "story": story,
        },
        "held_again": [one for one in held if one in lost.reduced],
        "working_again": [one for one in working if one in lost.ended],
        "held": held,
        "working": working,
        "copy": None,
    }


def _folded(bodies: Iterable[Body]) -> tuple[Portfolio, dict[str, Any] | None]:
    """The portfolio after some records, or as far as they keep the laws, with the number and the words of one that does not."""
    portfolio = Portfolio()
    for body in bodies:
        try:
            fold(portfolio, body)
        except LawBroken as broken:
            return portfolio, {"record": body.lsn, "why": str(broken)}
    return portfolio, None


def _facts(body: Body) -> tuple[AnyFact, ...]:
    """What was concluded in a record, as far as this version can read it."""
    try:
        return decode(body.payload, body.schema).facts
    except JournalDamaged:
        return ()


def tabled(directory: DataDirectory) -> int:
    """How far the journal certainly was once, because the query tables hold so many records; 0 where they do not say."""
    # The journal itself may be gone, so that this is no run to be asked as others are.
    with suppress(OracleFailure, sqlite3.Error), closing(reading(directory.database)) as connection:
        found = connection.execute("SELECT applied_lsn FROM meta").fetchone()
        return int(found[0]) if found else 0
    return 0


def _accept(directory: DataDirectory, damage: Damage, told: dict[str, Any], disk: Disk) -> None:
    """Copy everything aside, then cut."""
    aside = _aside(directory.root)
    disk.make_directory(aside)
    cut.copy(disk, cut.files_of(disk, directory.journal), DataDirectory(aside).journal)
    database = directory.database
    for file in (database, *(database.with_name(f"{database.name}-{tail}") for tail in ("wal", "shm"))):
        if file.exists():
            disk.replace(aside / file.name, disk.read(file))
    told["copy"] = str(aside)
    said = {name: one for name, one in told.items() if name != "repaired"}
    disk.replace(aside / LOSS, msgspec.json.encode({**said, "cut": "intended"}))
    cut.cut(disk, directory.journal, damage, run=Run(run_id(), code_version(), os.uname().nodename))
    if cut.examine(disk, directory.journal) is not None:
        raise LawBroken(f"the journal is damaged after its repair; all of it as it was is in {aside}")
    told["repaired"] = True
    disk.replace(aside / LOSS, msgspec.json.encode({**said, "cut": "done"}))


def _aside(root: Path) -> Path:
    """Where the next copy goes; what is left there of one that was never completed is removed."""
    number = 1
    while (root / f"journal.damaged-{number}" / LOSS).exists():
        number += 1
    place = root / f"journal.damaged-{number}"
    if place.exists():
        shutil.rmtree(place)
    return place


def _broken_line(broken: dict[str, Any]) -> str:
    return f"record {broken['record']} is as it was written, but breaks a law: {broken['why']}"


def _lost_lines(lost: dict[str, Any]) -> Iterator[str]:
    if not lost["records"]:
        yield "no record is lost"
        return
    yield f"LOST: {lost['records']} records, {lost['first']} to {lost['last']}"
    unread = lost["records"] - lost["readable"]
    if lost["readable"]:
        when = f"{narrate.clock(lost['from'])} to {narrate.clock(lost['to'])} New York"
        yield f"  {lost['readable']} of them can still be read, of {when}; {unread} cannot"
    else:
        yield "  none of them can be read"
    for name in ("alerts", "fills", "orders", "positions"):
        yield from _named(f"  {name}", lost[name])
    story = lost["story"]
    yield from (f"  {one['record']:>8}  {narrate.clock(one['at'])}  {one['told']}" for one in story[:_SHOWN_MAX])
    if len(story) > _SHOWN_MAX:
        yield f"  ... and {len(story) - _SHOWN_MAX} more, which --json shows"


def _named(what: str, ids: Iterable[str]) -> Iterator[str]:
    told = list(ids)
    if told:
        more = ["..."] if len(told) > _SHOWN_MAX else []
        yield f"{what}: {len(told)} ({' '.join(told[:_SHOWN_MAX] + more)})"
