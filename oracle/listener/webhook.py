"""The webhook: a call is bounded, proven, masked and handed in at the door, and answered once its record is durable."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from oracle import ids
from oracle.clock import monotonic
from oracle.inbox import Busy, Door
from oracle.keys import Keys
from oracle.listener import bodies, guard, replies
from oracle.listener.connections import Connection
from oracle.listener.refusals import Refusals
from oracle.listener.replies import Refused
from state.errors import OracleFailure
from state.inputs import AlertReceived

SOURCE = "webhook"
_NS_PER_MS = 1_000_000
_ENDING = Refused(503, "stopping", "the program is being stopped; send this alert again in a few seconds")

_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Webhook:
    """Answers `POST /webhook`. Alerts that are understood or not are journaled; other calls are counted."""

    def __init__(self, door: Door, keys: Keys, refusals: Refusals) -> None:
        self._door, self._keys, self._refusals = door, keys, refusals

    @web.middleware
    async def guarded(self, request: web.Request, handler: _Next) -> web.StreamResponse:
        """Let nobody but programs on this machine call anything while no secret is configured, nor oddly coded calls."""
        if bodies.is_oddly_coded(request):
            answer = self._refuse(request, bodies.CODED)
            answer.force_close()
            return answer
        if not self._keys and not guard.is_local(request):
            return self._refuse(request, guard.STRANGE)
        return await handler(request)

    async def post(self, request: web.Request) -> web.Response:
        """Take one alert."""
        started = monotonic()
        refused = bodies.refused_unread(request)
        if refused is None and guard.is_hopeless(request, self._keys):
            refused = guard.UNPROVEN
        if refused is not None:
            return self._refuse(request, refused)
        body = await bodies.read(request)
        if isinstance(body, Refused):
            return self._refuse(request, body)
        if isinstance(request.protocol, Connection):
            request.protocol.arrived()
        if self._keys and not guard.is_proven(request, body, self._keys):
            return self._refuse(request, guard.UNPROVEN, body)
        return await self._hand_in(request, body, started)

    async def _hand_in(self, request: web.Request, body: bytes, started: int) -> web.Response:
        request_id = ids.request_id()
        text = bodies.carried(body, self._keys.hide)
        try:
            taken = await self._door.alert(AlertReceived(text, SOURCE, request_id))
        except Busy as busy:
            return self._refuse(request, Refused(503, busy.code, str(busy)), body)
        except OracleFailure:
            return self._refuse(request, _ENDING, body)
        except asyncio.CancelledError:
            # Either this call is being ended, or only the answer it waited for was given up.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return self._refuse(request, _ENDING, body)
        answer = replies.answer(replies.logged_in(taken.record))
        spent_ms = (monotonic() - started) // _NS_PER_MS
        return replies.reply(answer.status, {**answer.fields, "processing_time_ms": spent_ms}, request_id=request_id)

    def _refuse(self, request: web.Request, refused: Refused, body: bytes = b"") -> web.Response:
        # Of a call whose connection ended on the way nobody hears, and the connection has counted it.
        if request.transport is not None:
            self._refusals.count(refused, self._refusals.preview(request, body))
        return replies.refusal(refused)
