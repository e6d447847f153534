"""Writes the parts of the documents that follow from the code: run `make docs`; a test holds them in step."""

import re
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cli import main as commands
from state.order import ORDER_LIFE
from state.position import POSITION_LIFE
from state.reason import REASONS
from state.signal import SIGNAL_LIFE

LIVES = (SIGNAL_LIFE, ORDER_LIFE, POSITION_LIFE)


def reasons() -> str:
    """The reference page of every reason code."""
    lines = [
        "# Reason codes",
        "",
        "Every code a refusal, queue, retry, exit, order ending, failure or alert can carry. Generated from",
        "`state/reason.py`; `oracle explain ID` shows the code of one case with its values and thresholds.",
        "",
        "| code | stage | severity | tried again | meaning |",
        "|---|---|---|---|---|",
    ]
    for one in REASONS.values():
        again = "once" if one.retryable else ""
        lines.append(f"| `{one.code}` | {one.stage} | {one.severity} | {again} | {one.text} |")
    return "\n".join(lines) + "\n"


def lives() -> str:
    """The diagrams of all lives, as the state machine library draws them, without its styling."""
    parts = []
    for life in LIVES:
        drawn = life.draw().split("---")[-1]
        kept = [
            line for line in drawn.splitlines() if line.strip() and not re.match(r"\s*(classDef|Class|state) ", line)
        ]
        parts.append(f"### {life.kind.capitalize()}\n\n```mermaid\n" + "\n".join(kept) + "\n```\n")
    return "\n".join(parts)


def command_page() -> str:
    """Every command with its help, as click prints it."""
    lines = ["# Commands", "", "Generated from `oracle --help` and the help of every command.", ""]
    settings = {**commands.context_settings, "max_content_width": 110, "terminal_width": 110}
    for path, command in _walk(commands, ("oracle",)):
        context = click.Context(command, info_name=" ".join(path), **settings)
        lines += [f"## {' '.join(path)}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _walk(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            found += _walk(command.commands[name], (*path, name))
    return found


def rendered() -> dict[Path, str]:
    """Every generated document by its file."""
    architecture = ROOT / "ARCHITECTURE.md"
    begin, end = "<!-- lives: generated -->\n", "<!-- /lives -->"
    text = architecture.read_text()
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    return {
        ROOT / "docs" / "reasons.md": reasons(),
        ROOT / "docs" / "commands.md": command_page(),
        architecture: f"{before}{begin}{lives()}{end}{after}",
    }


if __name__ == "__main__":
    for file, text in rendered().items():
        file.write_text(text)
