"""A real daemon besieged: whatever strangers do to its socket, alerts are acknowledged, memory stays, no log tells of it."""

import asyncio
import contextlib
import json
import re
from pathlib import Path

from tests.attacks import ATTACKS, PROOF, SECRETS, SILENCE, Attack
from tests.calling import SAFETY_S, answer_in, request
from tests.daemons import SMALL, Daemon, running

ROUNDS = 2
AT_ONCE = 24
QUICK = "[listener]\nread_s_max = 3\nidle_s_max = 3\n[intake]\nduplicate_window_s = 0\n"
MORNING = ("--simulate", "1", "--start", "2026-02-12T15:00:00Z", "--seed", "7")
BEGUN_S = 1_770_908_400
GROWN_KB_MAX = 32 * 1_024
"""What a daemon may gain while it is besieged: its own records, and what Python keeps of the largest bodies."""

_LINE = re.compile(r"(time=\S+ )?level=(info|warning) event=\w+ ")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


async def suffer(port: int, attack: Attack) -> set[int]:
    """The statuses an attack is answered with, SILENCE among them; its connection must end by itself in a few seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = asyncio.create_task(reader.read())
    with contextlib.suppress(ConnectionError):
        writer.write(attack.sent)
        while attack.dripped and not heard.done():
            writer.write(attack.dripped)
            await asyncio.wait([heard], timeout=0.05)
        if attack.hangs_up:
            await writer.drain()
            writer.close()
    try:
        async with asyncio.timeout(SAFETY_S):
            raw = await heard
    except ConnectionError:
        # Bytes that nobody read anymore take an answer with them.
        return set()
    finally:
        writer.close()
    return {int(one) for one in _STATUS.findall(raw)} - {100} or {SILENCE}


async def besiege(port: int) -> dict[str, set[int]]:
    """What every attack is answered with that it may not be; some go on at the same time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, attack: Attack) -> tuple[str, set[int]]:
        async with room:
            return name, await suffer(port, attack) - attack.may_hear

    answers = await asyncio.gather(*[one(name, attack) for name, attack in ATTACKS.items()])
    return {name: odd for name, odd in answers if odd}


async def send_alerts(port: int, first: int, siege: "asyncio.Task[dict[str, set[int]]]") -> list[str]:
    """Post alerts one after another as long as a siege lasts; their signals. Each must be acknowledged at once."""
    signals: list[str] = []
    while not siege.done():
        number = first + len(signals)
        body = {"symbol": ("SPY", "QQQ", "IWM")[number % 3], "direction": "long", "timeframe": "5m"}
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = json.dumps(body | {"timestamp": BEGUN_S + number}).encode()
        writer.write(request("POST", "/webhook", sent, PROOF))
        async with asyncio.timeout(SAFETY_S):
            answer = answer_in(await reader.read())
        writer.close()
        assert (answer.status, answer.body["status"]) == (201, "ACCEPTED")
        signals.append(answer.body["signal_id"])
        await asyncio.sleep(0.02)
    return signals


async def rounds(daemon: Daemon) -> tuple[list[str], list[int]]:
    """The signals of the alerts that passed under siege, and the memory held after each round of it, in kB."""
    signals: list[str] = []
    held_kb = [daemon.rss_kb]
    for _ in range(ROUNDS):
        siege = asyncio.create_task(besiege(daemon.port))
        signals += await send_alerts(daemon.port, len(signals), siege)
        assert await siege == {}
        held_kb.append(daemon.rss_kb)
    return signals, held_kb


def test_a_siege_changes_nothing_for_those_who_send_alerts(tmp_path: Path) -> None:
    """Each attack ends in a refusal or in silence; alerts go on to be signals; no word in the log, no memory kept."""
    desk, settings = tmp_path / "desk", tmp_path / "siege.toml"
    desk.mkdir(mode=0o700)
    (desk / "secrets.env").write_text(SECRETS)
    (desk / "secrets.env").chmod(0o600)
    settings.write_text(SMALL + QUICK)
    with running(desk, *MORNING, "--config", settings) as daemon:
        signals, held_kb = asyncio.run(rounds(daemon))
        print(f"{len(signals)} alerts acknowledged; kB held before and after each round: {held_kb}")
        assert held_kb[-1] - held_kb[1] <= GROWN_KB_MAX, held_kb
        decided = {one["id"] for one in daemon.rows("signals") if one["phase"] != "pending"}
        assert len(set(signals)) == len(signals)
        assert decided >= set(signals)
        assert daemon.get("/health").status == 200
        assert daemon.stop() == 0
        assert [line for line in daemon.log.splitlines() if not _LINE.match(line)] == []
