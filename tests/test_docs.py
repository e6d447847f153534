"""The documents against the program: what they show is what it does, and what it can do stands in them."""

import gzip
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner

from cli import main
from oracle.listener import replies
from state import errors
from state.reason import REASONS
from tests.conftest import ROOT
from tests.daemons import running
from tests.runs import shape

README = ROOT / "README.md"
OPERATIONS = ROOT / "docs/operations.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISION_LINES_MAX = 40
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(oracle [a-z][^`]*)`")


@cache
def generator() -> ModuleType:
    """The script that writes the generated documents."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def consoles(page: Path) -> Iterator[str]:
    """The text of every block that shows a terminal."""
    yield from (body for language, body in BLOCK.findall(page.read_text()) if language == "console")


def examples(page: Path) -> Iterator[tuple[list[str], list[str]]]:
    """(the words, the lines shown under it) of every `$ oracle ...` line."""
    for body in consoles(page):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            if command.startswith("oracle "):
                yield shlex.split(command)[1:], shown


def missing(shown: list[str], output: str, *, live: bool) -> list[str]:
    """The lines of an excerpt that do not occur in an output, in their order; `...` stands for any.

    What a process at work shows depends on the instant: there only the words are compared.
    """
    same = shape if live else str
    printed = (same(line) for line in output.splitlines())
    return [line for line in shown if line not in ("...", "") and same(line) not in printed]


def walked(group: click.Group, path: tuple[str, ...] = ("oracle",)) -> Iterator[tuple[str, click.Command]]:
    """Every command with its words."""
    yield " ".join(path), group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from walked(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


# -- what is generated ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "docs/reasons.md", "docs/commands.md"])
def test_generated_documents_are_in_step(page: str) -> None:
    """`make docs` would change nothing."""
    assert (ROOT / page).read_text() == generator().rendered()[ROOT / page]


def test_every_command_and_option_is_described() -> None:
    """Each command has a section that names each of its options and arguments."""
    page = (ROOT / "docs/commands.md").read_text()
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for words, command in walked(main):
        for parameter in command.params:
            names = (
                parameter.opts
                if isinstance(parameter, click.Option)
                else [parameter.make_metavar(click.Context(command))]
            )
            assert all(name in sections[words] for name in (*names, "-h, --help")), (words, names)
    assert set(sections) == {words for words, _ in walked(main)}


def test_every_reason_is_described() -> None:
    """Each code has its row."""
    page = (ROOT / "docs/reasons.md").read_text()
    assert [code for code in REASONS if f"| `{code}` |" not in page] == []


# -- what is shown --------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which the files that examples name are there."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    quote = "2015-12-24,09:30:00,GOOG,2015-12-24,745.0,C,american,,,,3.1,7,,,,3.5,9"
    sides = [f"{side}_{price}" for side in ("bid", "ask") for price in ("open", "high", "low", "close", "size")]
    header = ",".join(["date,time_et,root,expiration,strike,right,style", *sides])
    (tmp_path / "quotes.csv.gz").write_bytes(gzip.compress(f"{header}\n{quote}\n".encode()))
    bar = "2015-12-24 09:30:00,748,749,747,748.5,100"
    (tmp_path / "bars.csv").write_text(f"timestamp_et,open,high,low,close,volume\n{bar}\n")
    monkeypatch.chdir(tmp_path)
    for name in ("ORACLE_DATA", "WEBHOOK_TOKEN", "HMAC_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_every_example_runs(desk: Path) -> None:
    """The commands of README and docs, page after page, end with 0 and print what is shown under them."""
    ran = 0
    with ExitStack() as at_work:
        for words, shown in (example for page in PAGES for example in examples(page)):
            ran += 1
            if words[0] == "run":
                at_work.enter_context(running(desk / "data", *words[1:]))
                continue
            done = CliRunner().invoke(main, words, prog_name="oracle")
            assert (done.exit_code, done.stderr) == (0, ""), (words, done.output)
            live = not {"--data", "--out"} & set(words)
            assert missing(shown, done.stdout, live=live) == [], (words, done.stdout)
    assert ran >= 16
    assert {one.name for one in (desk / "tapes/goog").iterdir()} >= {"tape.toml"}


def test_commands_named_in_sentences_exist() -> None:
    """A command in running text is one that can be asked, with the options it has."""
    named = {text for page in PAGES for text in INLINE.findall(page.read_text())}
    assert len(named) >= 10
    known = dict(walked(main))
    for text in sorted(named):
        words = text.split()
        path = next(path for end in (3, 2, 1) if (path := " ".join(words[:end])) in known)
        assert path != "oracle", text
        options = {name for parameter in known[path].params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options | {"--help"}, text


def test_links_lead_somewhere() -> None:
    """Every relative link of a page names a file that is there, every anchor a heading."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" not in target:
                file = page.parent / target.partition("#")[0]
                assert file.exists(), f"{page.name}: {target}"


# -- what is promised -----------------------------------------------------------------------------------------------


def test_the_exit_codes_of_the_readme_are_those_of_the_program() -> None:
    """The table holds 0 and the code of every failure, in order; the help names the same."""
    table = [int(code) for code in re.findall(r"^\| (\d) \|", README.read_text(), re.MULTILINE)]
    failures = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    assert table == sorted({0, *(one.exit_code for one in failures)})
    shown = CliRunner().invoke(main, ["--help"]).output.split("Exit codes:")[1]
    assert [int(code) for code in re.findall(r"\b(\d)\s+[a-z]", shown.split("Options:")[0])] == table


def test_every_answer_of_the_webhook_stands_in_the_readme() -> None:
    """The table holds each status, by number and name, and says which of them TradingView sends again."""
    rows = re.findall(r"^\| ([\d, ]+) `(\w+)` \| .* \| (yes)? ?\|$", README.read_text(), re.MULTILINE)
    told = {(int(status), name) for numbers, name, _ in rows for status in numbers.split(",")}
    refused = {(status, replies._NAMES.get(status, "ERROR")) for status in (*replies._NAMES, 500, 503)}
    assert told == {(201, "ACCEPTED"), (200, "DUPLICATE"), (200, "IGNORED"), *refused}
    assert [numbers for numbers, _, again in rows if again] == ["500", "503"]


def test_the_unit_of_systemd_starts_what_exists() -> None:
    """Its command is one of the program's, and no exit code that another start may mend keeps it from starting."""
    (text,) = (body for language, body in BLOCK.findall(OPERATIONS.read_text()) if language == "ini")
    unit = ConfigParser(interpolation=None)
    unit.read_string(text)
    program, command, *words = shlex.split(unit["Service"]["ExecStart"])
    assert (program.rpartition("/")[2], command) == ("oracle", "run")
    options = {name for parameter in main.commands["run"].params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options
    kept_down = {int(code) for code in unit["Service"]["RestartPreventExitStatus"].split()}
    lasting = (errors.BadUsage, errors.JournalDamaged, errors.LawBroken)
    assert kept_down == {one.exit_code for one in lasting}


def test_the_code_map_names_every_module() -> None:
    """Whoever looks for a module finds in which company it stands; nothing is named that is none."""
    text = (ROOT / "ARCHITECTURE.md").read_text().split("## Code map")[1].split("The reading order")[0]
    named = set(re.findall(r"`(?:\w+/)?(\w+)`", text)) - {"transitions"}
    files = {file for folder in ("state", "rules", "oracle") for file in (ROOT / folder).rglob("*.py")}
    assert named == {file.stem for file in files} - {"__init__"}


def keys(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """(section, key) of every setting."""
    for name, value in tree.items():
        # A table of a table is a section; one that is empty is a value.
        if isinstance(value, dict) and value:
            yield from keys(value, (*path, name))
        else:
            yield ".".join(path), name


def test_every_key_of_the_configuration_is_described() -> None:
    """Each key of `config.toml` has a row with a meaning, in the section it stands in, and no row is of no key."""
    page = (ROOT / "docs/configuration.md").read_text()
    sections = re.findall(r"^## \[(.+?)\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    rows = [
        (section, key)
        for section, body in sections
        for key, meaning in re.findall(r"^\| `(\w+)` \| .*? \| (.+) \|$", body, re.MULTILINE)
        if meaning.endswith(".")
    ]
    assert rows == list(keys(tomllib.loads((ROOT / "config.toml").read_text())))


@pytest.mark.parametrize("page", sorted((ROOT / "docs/decisions").iterdir()), ids=lambda page: page.name)
def test_a_decision_is_half_a_page(page: Path) -> None:
    """A number and a name, a title that says what was decided, and at most forty lines of why."""
    lines = page.read_text().splitlines()
    assert re.fullmatch(r"\d{3}-[a-z0-9-]+\.md", page.name)
    assert re.fullmatch(r"# .{20,}", lines[0])
    assert 3 < len(lines) <= DECISION_LINES_MAX


def test_decisions_are_numbered_without_gaps() -> None:
    """A decision keeps its number for ever."""
    numbers = sorted(int(one.name[:3]) for one in (ROOT / "docs/decisions").iterdir())
    assert numbers == list(range(1, len(numbers) + 1))
