"""Makes a data directory ready for its first run: a configuration to edit, a token, and what to paste where alerts are made."""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from oracle import config, ids, keys
from oracle.directory import DataDirectory
from oracle.sending import webhook_of

_FIELDS = (
    ("symbol", "{{ticker}}"),
    ("action", "{{strategy.order.action}}"),
    ("timeframe", "{{interval}}"),
    ("timestamp", "{{timenow}}"),
    ("price", "{{close}}"),
)
"""What an alert says, in the placeholders that TradingView fills in. `timenow`, unlike `time`, is when the alert fired."""

_HERE = "127.0.0.1"
_NEAR = "  (this machine only: it reaches ports 80 and 443 of public addresses; yours is what --url names)"


class Prepared(NamedTuple):
    """What a prepared directory holds, and what its owner pastes elsewhere: the URL of the webhook and an alert's message."""

    config: Path
    secrets: Path
    port: int
    url: str
    message: str

    def lines(self) -> list[str]:
        """The same for people."""
        near = urlsplit(self.url).hostname == _HERE
        return [
            f"made {self.config} (every key with its default) and {self.secrets} (the token; keep it to yourself)",
            "",
            "In TradingView, as the webhook URL of the alert:",
            f"  {self.url}",
            *([_NEAR] if near else []),
            "and as its message:",
            f"  {self.message}",
            "",
            f"start it: oracle run --data {self.config.parent} --port {self.port} --simulate 1",
        ]


def prepare(root: Path, port: int | None = None, *, url: str | None = None) -> Prepared:
    """Make a new data directory, for its owner only, for a process on a port that is reached under `url` from outside.

    A port is written into its configuration; without one, the default stands there.

    Raises BadUsage when the directory holds something already, or the URL is none.
    """
    usual = config.Config().listener.port
    port = usual if port is None else port
    webhook = webhook_of(url or f"http://{_HERE}:{port}")
    DataDirectory(root).make()
    token = ids.token()
    prepared = Prepared(root / "config.toml", root / keys.FILE, port, webhook, message(token))
    _write(prepared.config, config.template().replace(f"\nport = {usual:_}\n", f"\nport = {port}\n"))
    _write(prepared.secrets, f"WEBHOOK_TOKEN={token}\n")
    return prepared


def message(token: str) -> str:
    """An alert's message with its placeholders, proven by a token."""
    return "{" + ", ".join(f'"{key}": "{value}"' for key, value in (*_FIELDS, ("token", token))) + "}"


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
