"""The TCP listener: its routes, its socket, and how it ends without losing an alert that was taken."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web

from oracle.inbox import Door
from oracle.keys import Keys
from oracle.listener import address, replies
from oracle.listener.connections import Connection, Connections, plain
from oracle.listener.limits import ListenerSettings
from oracle.listener.refusals import Refusals
from oracle.listener.webhook import Webhook

_CUT_S = 1.0


class Listener:
    """Listens for alerts and hands them in at a door. `health` says how the program is, with `ready` among it.

    `refusals` counts what was turned away; whoever journals drains it. Further routes are added to `app` before `start`.
    """

    def __init__(
        self, door: Door, keys: Keys, settings: ListenerSettings, *, health: Callable[[], dict[str, Any]]
    ) -> None:
        self.refusals = Refusals(keys)
        self._keys, self._settings, self._health = keys, settings, health
        self._connections = Connections(settings, self.refusals)
        self._sockets: asyncio.Server | None = None
        webhook = Webhook(door, keys, self.refusals)
        self.app = web.Application(middlewares=[webhook.guarded])
        self.app.router.add_get("/webhook/test", self._test)
        for path in ("/webhook", "/webhook/", "/webhook/{token}", "/webhook/{token}/"):
            self.app.router.add_post(path, webhook.post)
        self.app.router.add_get("/health", self._tell_health)
        self._runner = web.AppRunner(self.app, shutdown_timeout=_CUT_S)

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port that was bound; port 0 chooses a free one.

        Raises BadUsage when the address cannot be used, or without a secret is not this machine's own.
        """
        address.check_secret(self._keys, host)
        await self._runner.setup()
        server = cast("web.Server", self._runner.server)
        server.request_factory = plain(server.request_factory)
        loop = asyncio.get_running_loop()
        try:
            self._sockets = await loop.create_server(lambda: Connection(server, self._connections), host, port)
        except (OSError, OverflowError) as refusal:
            await self._runner.cleanup()
            raise address.unusable(host, port, refusal) from refusal
        bound: int = self._sockets.sockets[0].getsockname()[1]
        return bound

    async def stop_accepting(self) -> None:
        """Take no further connection, end idle ones, and let requests under way have their answer."""
        if self._sockets is not None:
            self._sockets.close()
        self._connections.finish()

    async def close(self) -> None:
        """Wait for what is under way as long as a request may take, then end everything."""
        await self.stop_accepting()
        await self._connections.emptied(self._settings.read_s_max)
        await self._runner.cleanup()

    async def _test(self, _request: web.Request) -> web.Response:
        return replies.reply(200, {"status": "OK", "message": "the webhook is reachable; alerts go to POST /webhook"})

    async def _tell_health(self, _request: web.Request) -> web.Response:
        health = self._health()
        return replies.reply(200 if health.get("ready") else 503, health)
