"""Real servers for tests of clients: the local API on the socket of a data directory, and a webhook on a port.

The run they answer from is the backtest of the bundled days.
"""

import asyncio
import atexit
import json
import shutil
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple
from urllib.parse import unquote

from aiohttp import web

from oracle import backtest, explain, queries
from oracle.ask import socket_path
from state.errors import OracleFailure
from tests.conftest import ROOT

Answers = dict[str, Callable[[dict[str, Any]], Any]]
"""What is answered to a POST, by its path."""

Started = Callable[[web.AppRunner], Coroutine[Any, Any, None]]


class Heard(NamedTuple):
    """One call of a webhook."""

    path: str
    headers: dict[str, str]
    body: bytes


@cache
def bundled() -> Path:
    """The data directory of the bundled days' backtest; whoever would change it copies it first."""
    kept = mkdtemp(prefix="oracle-bundled-")
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    fixture = ROOT / "fixtures/demo"
    job = backtest.Job(fixture / "tape", fixture / "alerts.jsonl", Path(kept) / "run")
    asyncio.run(backtest.run(job))
    return job.out


@contextmanager
def serving(data: Path, answers: Answers | None = None, **live: Any) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """A process that answers for the run in a directory; gives the POSTs it hears, as they come.

    `live` is what it tells of itself in its status.
    """
    said: list[tuple[str, dict[str, Any]]] = []

    async def get(request: web.Request) -> web.Response:
        return _answered(lambda: _read(data, request, live))

    async def post(request: web.Request) -> web.Response:
        told = await request.json()
        said.append((request.path, told))
        return _answered(lambda: (answers or {})[request.path](told))

    async def start(runner: web.AppRunner) -> None:
        with socket_path(data) as path:
            await web.UnixSite(runner, path).start()

    with _served([web.get("/{path:.*}", get), web.post("/{path:.*}", post)], start):
        yield said


@contextmanager
def stuck(data: Path) -> Iterator[None]:
    """A process that holds the socket of a directory and never answers."""
    with socket.socket(socket.AF_UNIX) as server:
        with socket_path(data) as path:
            server.bind(path)
        server.listen(2)
        yield


@contextmanager
def webhook(*replies: tuple[int, Any]) -> Iterator[tuple[str, list[Heard]]]:
    """A webhook that gives one reply after the other, the last for ever: its address, and the calls it hears."""
    heard: list[Heard] = []
    ports: list[int] = []

    async def post(request: web.Request) -> web.Response:
        heard.append(Heard(request.path_qs, dict(request.headers), await request.read()))
        status, told = replies[min(len(heard), len(replies)) - 1]
        if isinstance(told, bytes):
            return web.Response(status=status, body=told)
        return web.json_response(told, status=status)

    async def start(runner: web.AppRunner) -> None:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])

    with _served([web.post("/{path:.*}", post)], start):
        yield f"http://127.0.0.1:{ports[0]}", heard


@contextmanager
def _served(routes: list[web.RouteDef], start: Started) -> Iterator[None]:
    """Routes served on a thread of its own while the block runs."""
    stop, ready, loop = asyncio.Event(), threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        application = web.Application()
        application.add_routes(routes)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await start(runner)
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _read(data: Path, request: web.Request, live: dict[str, Any]) -> Any:
    # What a name holds comes quoted, so that its slashes are none of the path's.
    match [unquote(one) for one in request.rel_url.raw_path.split("/")[1:]]:
        case ["status"]:
            return {**queries.status(data), **live}
        case ["rows", name]:
            asked = request.query
            return queries.rows(data, name, limit=int(asked["limit"]), where=tuple(asked.getall("where", [])))
        case ["explain", noun_id]:
            return explain.explain(data, noun_id)
        case ["flags"]:
            return [{"name": "snap_unlisted", "on": False, "set_by": "config", "key": "a.b", "meaning": "moves"}]
        case _:
            return [{"path": request.path_qs}]


def _answered(answer: Callable[[], Any]) -> web.Response:
    try:
        return web.json_response(answer())
    except OracleFailure as failure:
        said = {"error": str(failure), "exit_code": failure.exit_code}
        return web.Response(status=400, text=json.dumps(said), content_type="application/json")
