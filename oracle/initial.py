"""Makes a data directory ready for its first run: a configuration to edit, a token, and what to paste where alerts are made."""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from oracle import config, ids, keys
from oracle.directory import DataDirectory
from oracle.sending import webhook_of
from state.errors import BadUsage

_INDICATOR = {"symbol": "{{ticker}}", "direction": "long"}
"""What an indicator wishes: there is no placeholder for its direction, so that its owner writes it."""

_STRATEGY = {
    "symbol": "{{ticker}}",
    "direction": "{{strategy.market_position}}",
    "action": "{{strategy.order.action}}",
}
"""What an order of a strategy leads to: long, short, or flat, which is to leave.

The order's own action would not do: the sell that closes a long, or a part of it, reads like a new short.
"""

_BAR = {"timeframe": "{{interval}}", "timestamp": "{{timenow}}", "price": "{{close}}"}
"""When and at what price, in the placeholders of any alert. `timenow`, unlike `time`, is when the alert fired."""

_HERE = "127.0.0.1"
_NEAR = "  (this machine only: it reaches ports 80 and 443 of public addresses; yours is what --url names)"


class Prepared(NamedTuple):
    """What a prepared directory holds, and what its owner pastes elsewhere: the URL of the webhook and alerts' messages.

    `message` is that of an indicator's alert; `made` says whether the directory was prepared just now.
    """

    config: Path
    secrets: Path
    port: int
    url: str
    message: str
    strategy_message: str
    made: bool

    def lines(self) -> list[str]:
        """The same for people."""
        near = urlsplit(self.url).hostname == _HERE
        made = f"made {self.config} (every key with its default) and {self.secrets} (the token; keep it to yourself)"
        return [
            made if self.made else f"{self.config} and {self.secrets} were there already and stay as they are",
            "",
            "In TradingView, as the webhook URL of the alert:",
            f"  {self.url}",
            *([_NEAR] if near else []),
            "and as its message, for an indicator (write short for long where it sells):",
            f"  {self.message}",
            "or for a strategy, whose orders say by themselves where they lead:",
            f"  {self.strategy_message}",
            'One that goes flat is an exit: exits are ignored unless the configuration has intake.exit_alerts = "close".',
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
    webhook = _webhook(port, url)
    DataDirectory(root).make()
    token = ids.token()
    prepared = Prepared(root / "config.toml", root / keys.FILE, port, webhook, *messages(token), made=True)
    _write(prepared.config, config.template().replace(f"\nport = {usual:_}\n", f"\nport = {port}\n"))
    _write(prepared.secrets, f"WEBHOOK_TOKEN={token}\n")
    return prepared


def found(root: Path, port: int | None = None, *, url: str | None = None) -> Prepared | None:
    """What `prepare` made in a directory before, which stays as it is; None where it was not.

    Without a port, it is that of the configuration there. Raises BadUsage when anything strange stands in the
    directory, when its configuration or its secrets cannot be used, or the URL is none.
    """
    if not DataDirectory(root).is_prepared():
        return None
    file, secrets = root / "config.toml", root / keys.FILE
    port = config.load(file).listener.port if port is None else port
    token = keys.load(root, {}).proof(b"").get("X-Webhook-Token")
    if token is None:
        raise BadUsage(f"{secrets} holds no WEBHOOK_TOKEN: write one into it, or name a new directory")
    return Prepared(file, secrets, port, _webhook(port, url), *messages(token), made=False)


def messages(token: str) -> tuple[str, str]:
    """The message of an indicator's alert and that of a strategy's, with their placeholders, proven by a token."""
    return _message({**_INDICATOR, **_BAR, "token": token}), _message({**_STRATEGY, **_BAR, "token": token})


def _message(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": "{value}"' for key, value in fields.items()) + "}"


def _webhook(port: int, url: str | None) -> str:
    return webhook_of(url or f"http://{_HERE}:{port}")


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
