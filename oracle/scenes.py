"""What is posted and asked in the demo, and when: the scenes of a file, and how an alert of them looks on the wire.

Deliberately absent: doing any of it.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from oracle.instants import parse
from state.errors import BadUsage
from state.inputs import Ask

_TIME = "{{timenow}}"
"""The placeholder for the instant an alert fires, as TradingView writes it."""


class Post(NamedTuple):
    """One call of a webhook: its path, its body and how the body is labelled."""

    path: str
    body: bytes
    content_type: str


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file. `at` is when, `told` what a watcher is told; then an alert, an ask, or neither.

    An alert proves itself with the token in its `body`, in its `path`, or with nothing of ours; `again` posts the last one
    once more, and one that is to be large gets so many `bytes` more. Asks about a position or signal name a symbol.
    """

    at: str
    told: str
    body: dict[str, Any] | str | None = None
    proof: Literal["body", "path", "none"] = "body"
    again: bool = False
    bytes: int = 0
    ask: Ask | None = None
    about: str = ""
    words: str = ""

    @property
    def instant(self) -> int:
        """When, in ns UTC."""
        return parse(self.at)

    def post(self, now: int, token: str) -> Post | None:
        """The call that is made at an instant (ns UTC), labelled as TradingView would; None for a scene without one."""
        if self.body is None:
            return None
        path = f"/webhook/{token}" if self.proof == "path" else "/webhook"
        if isinstance(self.body, str):
            return Post(path, self.body.encode(), "text/plain; charset=utf-8")
        body = {**self.body, "token": token} if self.proof == "body" else dict(self.body)
        text = json.dumps(body).replace(_TIME, _iso(now))
        if self.bytes:
            text = text[:-1] + f', "comment": "{"." * self.bytes}"}}'
        return Post(path, text.encode(), "application/json; charset=utf-8")


def read(path: Path) -> list[Scene]:
    """The scenes of a file, one JSON object a line, in their order; raises BadUsage naming the line that is at fault."""
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            scene = msgspec.json.decode(line, type=Scene)
            found.append((scene.instant, scene))
        except (msgspec.MsgspecError, BadUsage) as fault:
            raise BadUsage(f"{path}, line {number}: {fault}") from fault
    if found != sorted(found, key=lambda one: one[0]):
        raise BadUsage(f"{path}: the scenes are not in the order of their times; sort its lines")
    return [scene for _, scene in found]


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
