"""The local API: the questions and asks of the command line, over a Unix socket only the owner of the directory can reach.

Reading waits until what it would show is durable. Deliberately absent: anything reachable from a network.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web

from oracle import explain, queries
from oracle.ask import SOCKET, socket_path
from oracle.heart import Heart
from oracle.inbox import Busy, Taken
from oracle.status import Status
from oracle.stored import named
from rules import flags
from state.errors import BadUsage, OracleFailure
from state.inputs import AlertReceived, Ask, OperatorAsked

_BODY_BYTES_MAX = 64 * 1024
_ROWS_MAX = 100_000
_END_S = 2.0
"""For so long the end of the process waits for questions under way."""


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    ask: Ask
    about: str = ""
    words: str = ""


class _Moved(msgspec.Struct, forbid_unknown_fields=True):
    to: int


class _Requeued(msgspec.Struct, forbid_unknown_fields=True):
    event_id: str


Answer = Callable[[web.Request], Awaitable[Any]]


class Local:
    """Serves the socket of a data directory while it is entered."""

    def __init__(self, directory: Path, heart: Heart, status: Status) -> None:
        self._directory, self._heart, self._status = directory, heart, status
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=_BODY_BYTES_MAX, middlewares=[_in_json])
        application.add_routes(
            [
                web.get("/status", _answering(self._tell_status)),
                web.get("/rows/{name}", _answering(self._rows)),
                web.get("/explain/{id}", _answering(self._explain)),
                web.get("/deadletters", _answering(self._deadletters)),
                web.get("/flags", _answering(self._flags)),
                web.post("/ask", _answering(self._ask)),
                web.post("/clock", _answering(self._clock)),
                web.post("/requeue", _answering(self._requeue)),
            ]
        )
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_END_S)
        await runner.setup()
        self._held.push_async_callback(runner.cleanup)
        # Whoever held the directory before is gone: the lock of the journal is ours.
        (self._directory / SOCKET).unlink(missing_ok=True)
        path = self._held.enter_context(socket_path(self._directory))
        await web.UnixSite(runner, path).start()
        (self._directory / SOCKET).chmod(0o600)
        self._held.callback((self._directory / SOCKET).unlink, missing_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()

    # -- questions ----------------------------------------------------------------------------------------------

    async def _tell_status(self, _: web.Request) -> Any:
        return await self._status.told()

    async def _rows(self, request: web.Request) -> Any:
        where = tuple(request.query.getall("where", []))
        limit = _limit(request)
        await self._heart.settled()
        return await asyncio.to_thread(
            queries.rows, self._directory, request.match_info["name"], limit=limit, where=where
        )

    async def _explain(self, request: web.Request) -> Any:
        await self._heart.settled()
        return await asyncio.to_thread(explain.explain, self._directory, request.match_info["id"])

    async def _deadletters(self, request: web.Request) -> Any:
        limit = _limit(request)
        await self._heart.settled()
        return await asyncio.to_thread(queries.deadletters, self._directory, limit)

    async def _flags(self, _: web.Request) -> Any:
        await self._heart.settled()
        rows = flags.standing(self._heart.settings, self._heart.portfolio.flags)
        return [msgspec.to_builtins(one) for one in rows]

    # -- asks ---------------------------------------------------------------------------------------------------

    async def _ask(self, request: web.Request) -> Any:
        asked = await _body(request, _Asked)
        return _taken(await self._heart.ask(OperatorAsked(asked.about, asked.words, asked.ask)))

    async def _clock(self, request: web.Request) -> Any:
        moved = await _body(request, _Moved)
        lsn = await self._heart.move(moved.to)
        return {"now": self._heart.now, "lsn": lsn}

    async def _requeue(self, request: web.Request) -> Any:
        asked = await _body(request, _Requeued)
        await self._heart.settled()
        body, source = await asyncio.to_thread(_failed, self._directory, asked.event_id)
        return _taken(await self._heart.alert(AlertReceived(body, source)))


def _failed(directory: Path, event_id: str) -> tuple[str, str]:
    """(body, source) of an event that failed. Raises BadUsage for any other: its signal is what can be requeued."""
    found = queries.alert_of(directory, event_id)
    if not queries.rows(directory, "events", limit=1, where=(f"id={event_id}", "status=error")):
        raise BadUsage(f"{event_id} was answered; only what ended in an error is received again: requeue its signal")
    return found


def _taken(taken: Taken) -> dict[str, Any]:
    facts = [{"fact": type(one).__name__, **named(one)} for one in taken.record.facts]
    return {"lsn": taken.lsn, "seen_at": taken.seen_at, "facts": facts}


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", "50")
    if not (text.isdecimal() and 1 <= int(text) <= _ROWS_MAX):
        raise BadUsage(f"a limit of {text[:20]!r} cannot be shown: give 1 to {_ROWS_MAX}")
    return int(text)


async def _body(request: web.Request, shape: Any) -> Any:
    try:
        return msgspec.json.decode(await request.read(), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadUsage(f"the request cannot be read: {fault}") from fault


def _answering(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An answer as JSON; a failure as its words and exit code."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return _json(await answer(request))
        except Busy as busy:
            return _json({"error": str(busy), "exit_code": busy.exit_code}, 503)
        except BadUsage as fault:
            return _json({"error": str(fault), "exit_code": fault.exit_code}, 400)
        except OracleFailure as failure:
            return _json({"error": str(failure), "exit_code": failure.exit_code}, 500)

    return handle


@web.middleware
async def _in_json(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    """What the library refuses by itself, such as an unknown path, as JSON like everything else."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return _json({"error": f"{refusal.status} {refusal.reason}: {request.path}", "exit_code": 1}, refusal.status)


def _json(value: Any, status: int = 200) -> web.Response:
    body = msgspec.json.encode(value, enc_hook=str)
    return web.Response(body=body, status=status, content_type="application/json")
