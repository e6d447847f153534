"""A daemon on disks that fill up, fail and dawdle: what it tells, what it takes, and how it ends."""

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from oracle.ask import looks
from state.errors import OracleFailure
from state.facts import AlertLogged
from tests.daemons import Daemon, Reply, records, running
from tests.sick_disks import SEGMENT_BYTES

START = ("--simulate", "4", "--start", "2026-02-12T15:00:00Z", "--seed", "7")
LONG = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
DISK_BYTES = 24 * 2**20
LEFT_BYTES = SEGMENT_BYTES // 2
"""What a filler leaves free: no room for another journal file."""


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def on(kind: str, data: Path) -> AbstractContextManager[Daemon]:
    """A daemon on a disk of a kind, with journal files of a megabyte; it falls ill once `data`.ill exists."""
    config = data.parent / "config.toml"
    if not config.exists():
        config.write_text(f"[journal]\nsegment_bytes = {SEGMENT_BYTES}\nspare_retry_commits = 1\n", "utf-8")
    return running(data, *START, "--config", config, entry=("tests.sick_disks", kind, str(ill(data))))


def ill(data: Path) -> Path:
    """The file that makes the disk of a directory ill."""
    return data.with_suffix(".ill")


def logged(data: Path) -> list[str]:
    """The ids of all alerts in the journal."""
    return [fact.event_id for _, record in records(data) for fact in record.facts if isinstance(fact, AlertLogged)]


def ids(replies: list[Reply]) -> list[str]:
    """The ids of the alerts that were acknowledged."""
    return [one.told["webhook_event_id"] for one in replies if one.status in (200, 201)]


def blockers(run: Daemon) -> set[str]:
    """The names of what is in the way."""
    return {one["name"] for one in run.asker.status()["blockers"]}


def big(number: int) -> dict[str, Any]:
    """A body of eighty kilobytes."""
    return {**LONG, "note": f"n-{number}", "more": ["x" * 8_000] * 10}


def filled(disk: Path) -> Path:
    """A file that leaves no room for another journal file."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
    filler = disk / "filler"
    filler.write_bytes(bytes(free - LEFT_BYTES))
    return filler


def flooded(run: Daemon) -> list[Reply]:
    """The replies to large alerts, the last of which was refused for want of space."""
    replies = []
    for number in range(200):
        replies.append(run.post(big(number)))
        if replies[-1].status == 503:
            return replies
    raise AssertionError("the disk never ran low")


def asked_until_it_ends(run: Daemon) -> int:
    """How many long asks of the operator were heard before one was not."""
    for number in range(200):
        try:
            run.asker.ask("halt", words="x" * 60_000)
        except OracleFailure:
            return number
    raise AssertionError("the reserve was never used up")


# -- full -------------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_alerts_and_recovers(small_disk: Path) -> None:
    """Refused before they are numbered while there is no reserve; exits go on; with room again all goes on."""
    desk = small_disk / "desk"
    with on("sound", desk) as run:
        replies = [run.post(LONG)]
        run.until("positions", "phase=open")
        filler = filled(small_disk)
        replies += flooded(run)
        assert replies[-1].told["code"] == "storage_low"
        assert any(one["code"] == "storage_low" for _ in looks(10) for one in run.asker.status()["halts"])
        told, health = run.asker.status(), run.get("/health")
        assert (told["storage"], health.status, health.told["status"]) == ("low", 503, "unavailable")
        assert run.post(LONG).status == 503
        assert logged(desk) == ids(replies)

        assert run.asker.ask("close", about="all", words="no room")["facts"]
        assert any(run.asker.status()["positions_open"] == 0 for _ in looks(10))

        filler.unlink()
        assert any(run.asker.status()["halts"] == [] for _ in looks(10))
        assert run.get("/health").status == 200
        replies.append(run.post({**LONG, "symbol": "QQQ"}))
        assert replies[-1].status == 201
        assert any("database" not in blockers(run) for _ in looks(10))
        assert [one["id"] for one in run.rows("events")] == ids(replies)
        assert [one["kind"] for one in run.rows("halts")] == ["halted", "resumed"]
        assert run.stop() == 0
    assert logged(desk) == ids(replies)


def test_a_disk_without_any_room_ends_it(small_disk: Path) -> None:
    """When the reserve is used up as well it exits 5, as does a start without room; with room all that was told is there."""
    desk = small_disk / "desk"
    with on("sound", desk) as run:
        filler = filled(small_disk)
        replies, asked = flooded(run), asked_until_it_ends(run)
        assert run.ended() == 5
        assert "No space left on device" in run.log
    assert logged(desk) == ids(replies)

    with pytest.raises(AssertionError, match="it ended with 5"), on("sound", desk):
        pass
    filler.unlink()
    with on("sound", desk) as run:
        assert [one["id"] for one in run.rows("events")] == ids(replies)
        assert len([one for _, one in records(desk) if type(one.input).__name__ == "OperatorAsked"]) >= asked
        assert run.stop() == 0


# -- failing, slow ----------------------------------------------------------------------------------------------------


def test_after_a_failed_sync_nothing_is_acknowledged(tmp_path: Path) -> None:
    """The alert on its way is answered 503 or not at all, the process exits 5, and the next one has what was told."""
    desk = tmp_path / "desk"
    with on("failing", desk) as run:
        told = [run.post({**LONG, "timeframe": one}) for one in ("5m", "15m", "1h")]
        assert [one.status for one in told] == [201, 201, 201]
        ill(desk).touch()
        with ThreadPoolExecutor(4) as threads:
            lost = [threads.submit(run.post, {**LONG, "symbol": one}) for one in ("QQQ", "IWM", "DIA", "XLE")]
        answered = [one.result() for one in lost if one.exception() is None]
        assert [one.status for one in answered] == [503] * len(answered)
        assert run.ended() == 5
        assert "Input/output error" in run.log
    ill(desk).unlink()
    with on("failing", desk) as run:
        assert [one["id"] for one in run.rows("events")][:3] == ids(told)
        assert [run.post({**LONG, "timeframe": one}).told["signal_id"] for one in ("5m", "15m", "1h")] == [
            one.told["signal_id"] for one in told
        ]
        assert run.stop() == 0


def test_a_read_waits_for_what_it_would_show(tmp_path: Path) -> None:
    """While a sync takes its time, neither the sender nor who asks hears of the alert; then both do."""
    desk = tmp_path / "desk"
    with on("slow", desk) as run, ThreadPoolExecutor(4) as threads:
        run.asker.status()
        ill(desk).touch()
        sent = threads.submit(run.post, LONG)
        time.sleep(0.2)
        status = threads.submit(run.asker.status)
        rows = threads.submit(run.rows, "events")
        time.sleep(0.2)
        early = [one.done() for one in (sent, status, rows)]
        ill(desk).unlink()
        reply = sent.result(30)
        assert (early, reply.status) == ([False] * 3, 201)
        (event,) = rows.result(30)
        assert [event["id"]] == ids([reply])
        assert status.result(30)["record"] >= event["lsn"]
        assert run.stop() == 0
