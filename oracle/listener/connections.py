"""Connections and their ends: the library has no deadline for reading, so each connection carries its own timers.

A request must arrive whole within a time of its first byte, an idle connection ends, and so does one that does not take
its answers. Whatever cannot be understood is answered in JSON, counted, and not logged.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from multidict import CIMultiDictProxy

from oracle.clock import monotonic
from oracle.listener.limits import ListenerSettings
from oracle.listener.refusals import Refusals
from oracle.listener.replies import Refused, refusal
from state.calendar import SECOND

# No line per call, because a path may hold a token; a body is never unpacked; what is left of a body after its answer is
# read for so many seconds, so that the answer is not lost.
_OPTIONS: dict[str, Any] = {"access_log": None, "auto_decompress": False, "lingering_time": 1.0}
_MALFORMED = Refused(400, "bad_request", "the call is not understood as HTTP/1.1; send a plain POST with a JSON body")
_FAILED = Refused(500, "processing_failed", "the call could not be answered; look into the log of the program")
_FULL = Refused(503, "inbox_full", "too many connections are open")
_NEVER_WHOLE = Refused(408, "bad_request", "a call did not arrive whole in its time")
_UNKNOWN = "unknown"
_LOG_PAUSE_NS = 60 * SECOND
_ODD = {
    404: Refused(404, "not_found", "nothing answers at this path; alerts go to POST /webhook"),
    405: Refused(405, "not_found", "this path does not take this method; alerts go to POST /webhook"),
    417: Refused(417, "bad_request", "this Expect header is not understood; leave it out"),
}


def plain(make: Callable[..., web.BaseRequest]) -> Callable[..., web.BaseRequest]:
    """A maker of requests without what the library stumbles over.

    That is the host of an address written as for a proxy, and an Expect header in odd letters, which it would repeat.
    """

    def made(message: Any, *others: Any) -> web.BaseRequest:
        if not isinstance(message.headers, CIMultiDictProxy):
            # What stands in for a message that could not be read.
            return make(message, *others)
        if message.url.absolute:
            message = message._replace(url=message.url.relative())
        expected = [one.lower() for one in message.headers.getall("Expect", [])]
        if expected not in ([], ["100-continue"]):
            headers = message.headers.copy()
            headers["Expect"] = _UNKNOWN
            message = message._replace(headers=CIMultiDictProxy(headers))
        return make(message, *others)

    return made


class Connections:
    """All that are open; bounded in number, and closed as they fall idle once `finish` was called."""

    def __init__(self, settings: ListenerSettings, refusals: Refusals) -> None:
        self.settings, self.refusals = settings, refusals
        self.finishing = False
        # In the order in which they came.
        self._open: dict[Connection, None] = {}
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._logged_at: int | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: "Connection") -> bool:
        """Whether there is room for one more, if need be by ending the oldest that gave us nothing to answer.

        One that never sent a whole request goes before one that did. Whoever has to go is counted among the refused.
        """
        if len(self._open) >= self.settings.connections_max:
            self.refusals.count(_FULL, _FULL.error)
            waiting = [one for one in self._open if not one.is_answering]
            if not waiting:
                return False
            oldest = next((one for one in waiting if not one.has_called), waiting[0])
            self.leave(oldest)
            oldest.give_way()
        self._open[connection] = None
        self._emptied.clear()
        return True

    def may_log(self) -> bool:
        """Whether a failure may be logged: one a minute, because a stranger may know how to bring it about."""
        now = monotonic()
        if self._logged_at is not None and now - self._logged_at < _LOG_PAUSE_NS:
            return False
        self._logged_at = now
        return True

    def leave(self, connection: "Connection") -> None:
        """Forget one that ended."""
        self._open.pop(connection, None)
        if not self._open:
            self._emptied.set()

    def finish(self) -> None:
        """Close what is idle now, and the others after the answer they wait for."""
        self.finishing = True
        for one in tuple(self._open):
            one.close_if_idle()

    async def emptied(self, seconds: float) -> None:
        """Wait until none is open; those that are open after so many seconds are cut."""
        try:
            async with asyncio.timeout(seconds):
                await self._emptied.wait()
        except TimeoutError:
            for one in tuple(self._open):
                one.cut()


class Connection(web.RequestHandler):
    """One connection: the library's protocol with deadlines, and with answers in our words."""

    __slots__ = ("_among", "_answering", "_called", "_deadline", "_early", "_heard", "_reading", "_stalled")

    def __init__(self, server: web.Server, among: Connections) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **_OPTIONS)
        self._among = among
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        # A request is arriving; any of its bytes did; one is being answered; bytes of the next came meanwhile.
        self._reading, self._heard, self._answering, self._early = True, False, False, False
        # One did arrive.
        self._called = False

    # -- what the event loop says ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a request that must arrive in its time, or end at once when there is no room."""
        if not self._among.admit(self):
            self._reading = False
            cast("asyncio.Transport", transport).abort()
            return
        super().connection_made(transport)
        self._expect(self._among.settings.read_s_max)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the timers; a request that was cut is counted."""
        self._among.leave(self)
        self._rest()
        if self._stalled is not None:
            self._stalled.cancel()
        if self._reading and self._heard:
            self._among.refusals.count(_NEVER_WHOLE, _NEVER_WHOLE.error)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The first byte after a pause begins a request and its time; further bytes never prolong it."""
        if data:
            self._heard = True
            self._early = self._answering
            if not self._reading and not self._answering:
                self._begin()
        super().data_received(data)

    def pause_writing(self) -> None:
        """The other side does not take its answers: it has some time to go on."""
        super().pause_writing()
        loop = asyncio.get_running_loop()
        self._stalled = loop.call_later(self._among.settings.idle_s_max, self.cut)

    def resume_writing(self) -> None:
        """It went on."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    # -- what a request says ----------------------------------------------------------------------------------------

    def arrived(self) -> None:
        """The request is here whole: from now on its time is ours."""
        self._reading, self._answering, self._early, self._called = False, True, False, True
        self._rest()

    @property
    def is_answering(self) -> bool:
        """Whether a request of it is being answered."""
        return self._answering

    @property
    def has_called(self) -> bool:
        """Whether a whole request ever came."""
        return self._called

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, the library's own in our words, and wait for the next request or end."""
        if isinstance(resp, web.HTTPException):
            resp = self._in_our_words(request, resp)
        whole = request.content.is_eof()
        # Behind an upgrade that is not taken up the library loses its place, so nothing may follow one.
        if not whole or self._among.finishing or "Upgrade" in request.headers:
            resp.force_close()
        if whole and not self._answering:
            self.arrived()
        # What is left of a body after its answer is thrown away, under the deadline that runs already.
        self._reading, self._answering = False, True
        sent = await super().finish_response(request, resp, start_time)
        if whole:
            self._go_on()
        return sent

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it quotes the call, and is not repeated
    ) -> web.StreamResponse:
        """Answer what was no HTTP, without a word in the log; a failure of ours is logged, and is always a 500.

        Who left in the middle of his call is no failure of ours; the end of his connection counts him.
        """
        if isinstance(exc, ConnectionError):
            raise exc
        refused = _MALFORMED if status < 500 else _FAILED
        if refused is _FAILED:
            self.log_exception("A call could not be answered", exc_info=exc or True)
        if request.writer.output_size:
            raise ConnectionError("an answer was begun already")
        self._among.refusals.count(refused, self._among.refusals.preview(request))
        answer = refusal(refused)
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a failure, unless another one was logged a short time ago; each is counted all the same."""
        if self._among.may_log():
            super().log_exception(*args, **kw)

    # -- its end ----------------------------------------------------------------------------------------------------

    def close_if_idle(self) -> None:
        """End unless a request is arriving or being answered."""
        if not self._answering and not (self._reading and self._heard) and self.transport is not None:
            self.transport.close()

    def give_way(self) -> None:
        """End for the sake of another, already counted."""
        self._reading = False
        self.cut()

    def cut(self) -> None:
        """End now, whatever is under way."""
        if self.transport is not None:
            self.transport.abort()

    def _go_on(self) -> None:
        """Wait for the next request, which may have begun to arrive."""
        self._answering = False
        if self._early:
            self._begin()
        else:
            self._heard = False
            self._expect(self._among.settings.idle_s_max)

    def _begin(self) -> None:
        self._reading, self._early = True, False
        self._expect(self._among.settings.read_s_max)

    def _expect(self, seconds: float) -> None:
        """End unless something happens in so many seconds."""
        self._rest()
        if self.transport is not None:
            self._deadline = asyncio.get_running_loop().call_later(seconds, self.cut)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _in_our_words(self, request: web.BaseRequest, said: web.HTTPException) -> web.Response:
        refused = _ODD.get(said.status, Refused(said.status, "bad_request", said.reason))
        self._among.refusals.count(refused, self._among.refusals.preview(request))
        allowed = said.headers.get("Allow")
        return refusal(refused, headers=None if allowed is None else {"Allow": allowed})
