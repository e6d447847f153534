"""Counts the calls that were turned away, so that strangers can fill neither the disk nor the memory.

Of every reason it keeps a number and how the first and the last call began. Deliberately absent: addresses of callers.
"""

from aiohttp import web

from oracle.keys import Keys
from oracle.listener.replies import Refused
from oracle.masking import mask_text
from state.inputs import CallsRefused, RefusedCalls

PREVIEW_CHARS_MAX = 200
_READ_CHARS_MAX = 1_000
# Whatever else stands in the place of a method or a path may be a token that was sent to a wrong address.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_PATHS = frozenset({"/webhook", "/webhook/test", "/health"})


class Refusals:
    """Calls by reason since they were drained; as many entries as there are reasons."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._since: int | None = None
        self._calls: dict[tuple[str, int], tuple[int, str, str]] = {}

    def __len__(self) -> int:
        return sum(count for count, _, _ in self._calls.values())

    def count(self, refused: Refused, call: str) -> None:
        """Note one more call, given by `preview` or in words of ours."""
        about = (refused.code, refused.status)
        count, first, _ = self._calls.get(about, (0, call, call))
        self._calls[about] = (count + 1, first, call)

    def drain(self, now: int) -> CallsRefused | None:
        """What was turned away since the last time, or None; `now` (ns UTC) begins the next stretch.

        Call it once at the start, so that the first stretch has a beginning too.
        """
        since, self._since = self._since, now
        calls, self._calls = self._calls, {}
        if not calls:
            return None
        told = tuple(RefusedCalls(code, status, *calls[code, status]) for code, status in sorted(calls))
        return CallsRefused(now if since is None else since, told)

    def preview(self, request: web.BaseRequest, body: bytes = b"") -> str:
        """The beginning of a call on one line, without secrets: its method, its path where it is one of ours, its body."""
        method = request.method if request.method in _METHODS else "..."
        path = request.path if request.path in _PATHS else f"/{'webhook/' * request.path.startswith('/webhook/')}..."
        shown = f"{method} {path} {mask_text(self._beginning(body))}".encode("utf-8", "replace").decode()
        return "".join(one if one.isprintable() else " " for one in shown[:PREVIEW_CHARS_MAX]).rstrip()

    def _beginning(self, body: bytes) -> str:
        """A bounded part of a body, because a stranger pays nothing for what he sends; where it was cut, none of a secret."""
        span = self._keys.hidden_chars_max
        hidden = self._keys.hide(body[: _READ_CHARS_MAX + span].decode("utf-8", "surrogateescape"))
        return hidden[: max(0, len(hidden) - span)] if len(body) > _READ_CHARS_MAX + span else hidden
