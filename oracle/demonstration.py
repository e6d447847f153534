"""`oracle demo`: the real daemon on a free port, one simulated session, and bundled alerts posted to it over HTTP.

What happens is told as it becomes durable; at the end the daemon is stopped in order, and its journal is verified.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from oracle import daemon, initial, report, scenes
from oracle.ask import Asker
from oracle.beginning import Job
from oracle.clock import SECOND
from oracle.daemon import Outside
from oracle.directory import DataDirectory
from oracle.inbox import Taken
from oracle.layout import printable
from oracle.narrate import clock
from oracle.scenes import Post, Scene
from oracle.stored import verify_directory
from oracle.summary import Summary
from oracle.version import ROOT
from state.disk import Disk
from state.errors import OracleFailure
from state.inputs import Ask
from state.reason import words
from state.recovery import History, recover

BUNDLED = ROOT / "fixtures" / "demo"
SPEED, SEED = 400.0, 7
"""How many times as fast the session is played, and what its prices follow from."""

_START_S = 1.5
"""Seconds until the daemon is up; the session begins so much before its first scene."""

_PORT = 8080
_LOOK_S_MIN, _LOOK_S_MAX = 0.005, 0.5
_ANSWER_S_MAX = 30
_CREATED = 201
_NEWEST = {
    Ask.CLOSE: ("positions", "phase=open", "underlying={}"),
    Ask.REQUEUE: ("signals", "phase=rejected", "symbol={}"),
}
"""What an ask about a symbol means: the newest of these rows."""


def run(out: Path | None, *, speed: float = SPEED, seed: int = SEED) -> None:
    """Play the session, tell the story, the result and the verification. Without `out` the run is thrown away.

    Ctrl-C ends the session early, and in order. Raises OracleFailure without the bundled files, and as the daemon does.
    """
    if not BUNDLED.is_dir():
        raise OracleFailure(f"{BUNDLED} is missing: run the demo from a source checkout")
    found = scenes.read(BUNDLED / "session.jsonl")
    with _kept(out) as data:
        prepared = initial.prepare(data, _PORT)
        prepared.config.write_bytes((BUNDLED / "session.toml").read_bytes())
        # As the daemon does, let a secret of the environment go before that of the directory.
        token = os.environ.get("WEBHOOK_TOKEN") or json.loads(prepared.message)["token"]
        start = found[0].instant - round(_START_S * speed) * SECOND
        session = _Session(Job(data, 0, simulate=speed, start=start, seed=seed), token)
        report.say(f"A simulated session at {speed:g} times its pace, prices of seed {seed}, times of New York.")
        report.say("> is what is done to the daemon; all else it says itself, once it is on disk.\n")
        whole = asyncio.run(session.play(found))
        report.say("" if whole else "\nended early, as you asked\n")
        report.figures(asyncio.run(session.figures()))
        report.say("\nThe same inputs, decided again from the journal:")
        report.verified(verify_directory(data, any_version=False))
        _say_how_to_ask(data, kept=out is not None)


@contextmanager
def _kept(out: Path | None) -> Iterator[Path]:
    """The directory of the run; one that nobody named is removed at the end."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory) / "run"


def _say_how_to_ask(data: Path, *, kept: bool) -> None:
    if not kept:
        report.say("\nThe run is thrown away; oracle demo --out DIR keeps one, for oracle explain to answer for.")
        return
    asks = ("positions", "signals", "calls", "explain sig-000001", "explain pos-000001")
    report.say("\nEvery line and figure can be asked about:")
    for one in asks:
        report.say(f"  oracle {one} --data {data}")


class _Session:
    """One run of the daemon, and what is done to it."""

    def __init__(self, job: Job, token: str) -> None:
        self._job, self._token = job, token
        self._summary = Summary()
        self._stopped = asyncio.Event()
        self._ready = asyncio.Event()
        self._url = ""
        self._now = 0

    async def play(self, found: list[Scene]) -> bool:
        """Run the daemon, play all scenes, and stop it; False when it was stopped before. Raises as the daemon does."""
        outside = Outside(heard=self._hear, ready=self._listens, stopped=self._stopped)
        running = asyncio.create_task(daemon.run(self._job, outside), name="daemon")
        playing = asyncio.create_task(self._scenes(found), name="scenes")
        stopping = asyncio.create_task(self._stopped.wait(), name="stopped")
        await asyncio.wait({running, playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        whole = playing.done()
        self._stopped.set()
        playing.cancel()
        try:
            await running
        finally:
            (failure, _) = await asyncio.gather(playing, stopping, return_exceptions=True)
        if whole and failure is not None:
            raise failure
        return whole

    async def figures(self) -> dict[str, Any]:
        """What the run came to: counted as it was told, and its money folded from the journal."""
        recovered = await recover(History(Disk(), DataDirectory(self._job.data).journal))
        return self._summary.figures(recovered.portfolio, chain=recovered.chain.hex())

    # -- what the daemon says ---------------------------------------------------------------------------------------

    def _hear(self, taken: Taken) -> None:
        self._now = max(self._now, taken.seen_at)
        self._summary.hear(taken.record)
        report.tell(taken.record, taken.seen_at)

    def _listens(self, host: str, port: int) -> None:
        self._url = f"http://{host}:{port}"
        self._ready.set()

    # -- what is done to it -----------------------------------------------------------------------------------------

    async def _scenes(self, found: list[Scene]) -> None:
        await self._ready.wait()
        limit = aiohttp.ClientTimeout(total=_ANSWER_S_MAX)
        async with aiohttp.ClientSession(timeout=limit) as sender:
            last: Post | None = None
            for scene in found:
                await self._reach(scene.instant)
                self._say(f"> {scene.told}")
                post = last if scene.again else scene.post(self._now, self._token)
                if post is not None:
                    await self._post(sender, post)
                    last = post
                if scene.ask is not None:
                    await self._ask(scene.ask, scene)

    async def _reach(self, instant: int) -> None:
        """Wait until the daemon's own clock shows an instant, however busy the machine is."""
        asker = Asker(self._job.data)
        while True:
            now = (await asyncio.to_thread(asker.status))["now"]
            self._now = max(self._now, now)
            if now >= instant:
                return
            seconds = (instant - now) / SECOND / (self._job.simulate or 1.0)
            await asyncio.sleep(min(max(seconds, _LOOK_S_MIN), _LOOK_S_MAX))

    async def _post(self, sender: aiohttp.ClientSession, post: Post) -> None:
        """Post an alert as its sender would; an answer other than that it was accepted is told."""
        headers = {"Content-Type": post.content_type}
        async with sender.post(f"{self._url}{post.path}", data=post.body, headers=headers) as answer:
            told = await answer.json()
        if answer.status != _CREATED:
            # What became an event has told its reason by itself.
            why = "" if "webhook_event_id" in told else f", {told['code']}: {words(told['code'])}"
            self._say(f"HTTP {answer.status} {told['status']}{why}")

    async def _ask(self, wish: Ask, scene: Scene) -> None:
        """Ask as the operator does; a symbol stands for what is newest in it."""
        asker, about = Asker(self._job.data), scene.about
        if wish in _NEWEST:
            name, *where = _NEWEST[wish]
            asked = tuple(one.format(about) for one in where)
            found = await asyncio.to_thread(lambda: asker.rows(name, limit=1, where=asked))
            if not found:
                self._say(f"there is none of {about} any more")
                return
            about = found[0]["id"]
        await asyncio.to_thread(lambda: asker.ask(wish, about=about, words=scene.words))

    def _say(self, line: str) -> None:
        report.say(f"{clock(self._now)}  {printable(line)}")
