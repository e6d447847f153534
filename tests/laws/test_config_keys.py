"""Law: `config.toml` and its page say exactly the defaults, and every key has an effect that a test shows.

`python -m tests.laws.test_config_keys` writes both files again.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from oracle import config, meanings
from tests.laws.tree import ROOT, Plant, Source, called, obeyed, sources

Function = ast.FunctionDef | ast.AsyncFunctionDef

_PAGE = """# Configuration

`config.toml` holds every key with its default; a file of your own needs only the keys it changes. Money is in dollars,
keys with `pct` are in percent, seconds, hours and days are whole numbers. A value that does not fit exactly is refused,
and so are unknown keys and contradictions: all of them at once, with the path of each. Secrets never stand in the file.
"""


def page() -> str:
    """The text of `docs/configuration.md`: one table of keys per table of the file, and what must agree."""
    lines, table = [_PAGE], ""
    for row in config.origins():
        inside, name = row.key.rsplit(".", 1)
        if inside != table:
            lines += [*([""] if table else []), f"## [{inside}]", "", "| key | default | meaning |", "|---|---|---|"]
            table = inside
        lines.append(f"| `{name}` | `{row.default}` | {row.meaning} |")
    lines += ["", "## What must agree", ""]
    lines += [f"- `{about[0]}` {remedy}" for about, _, remedy in config.LAWS]
    return "\n".join(lines) + "\n"


WRITTEN = {"config.toml": config.template, "docs/configuration.md": page}


def outdated(root: Path) -> list[str]:
    """Every file that does not say what the program does."""
    return [
        f"{path} is not what the defaults say: run python -m tests.laws.test_config_keys"
        for path, text in WRITTEN.items()
        if not (root / path).exists() or (root / path).read_text("utf-8") != text()
    ]


def effects(source: Source) -> Iterator[tuple[Function, str]]:
    """Every test function with each key that its `@pytest.mark.config_effect(...)` claims."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, Function)]
    for function, mark in ((one, mark) for one in functions for mark in one.decorator_list):
        if isinstance(mark, ast.Call) and called(mark) == "config_effect":
            yield from ((function, str(ast.literal_eval(key))) for key in mark.args)


def breaches(root: Path, keys: tuple[str, ...]) -> list[str]:
    """Keys whose effect no test shows, and claims of keys that do not exist or of tests that assert nothing."""
    found: list[str] = []
    claimed: set[str] = set()
    for source in sources(root, "tests"):
        for function, key in effects(source):
            claimed.add(key)
            if key not in keys:
                found.append(source.at(function, f"claims an effect of {key}, which is no key"))
            elif not any(isinstance(node, ast.Assert) for node in ast.walk(function)):
                found.append(source.at(function, f"claims an effect of {key} but asserts nothing"))
    return found + [f"no test shows an effect of {key}" for key in keys if key not in claimed]


def test_the_files_say_the_defaults() -> None:
    """What a reader finds in the shipped file and on its page is what the program does without a file."""
    obeyed(outdated(ROOT))


def test_the_shipped_file_changes_nothing() -> None:
    """Loading the shipped file gives the defaults, although it sets every key there is."""
    rows = config.origins(ROOT / "config.toml")
    assert config.load(ROOT / "config.toml") == config.Config()
    assert {row.origin for row in rows} == {"file"}
    assert tuple(row.key for row in rows) == config.paths()


def test_every_key_has_an_effect() -> None:
    """No accepted setting is without effect."""
    obeyed(breaches(ROOT, config.paths()))


def test_every_key_has_one_meaning() -> None:
    """Each key says in one sentence what it does, and no sentence is left over from a key that is gone."""
    used = {f"{key.split('.')[0]}.{key.split('.')[-1]}" for key in config.paths()}
    assert used == set(meanings.MEANINGS)
    assert [text for text in meanings.MEANINGS.values() if not text.endswith(".") or "\n" in text] == []


def test_the_law_of_files_can_fail(plant: Plant) -> None:
    """A file that is missing and one that says another default are seen."""
    other = config.template().replace("open_positions_max = 5", "open_positions_max = 6")
    assert tomllib.loads(other)["gates"]["open_positions_max"] == 6
    root = plant("config.toml", other)
    assert len(outdated(root)) == 2
    plant("docs/configuration.md", page())
    assert [line.split()[0] for line in outdated(root)] == ["config.toml"]


def test_the_law_of_effects_can_fail(plant: Plant) -> None:
    """A key without a test, a key that does not exist and a claim that asserts nothing are seen."""
    root = plant(
        "tests/test_x.py",
        '@pytest.mark.config_effect("gates.slots", "gates.gone")\ndef test_a():\n    assert run()\n'
        '@pytest.mark.config_effect("gates.age")\ndef test_b():\n    run()\n',
    )
    assert breaches(root, ("gates.slots", "gates.age", "gates.loss")) == [
        "tests/test_x.py:2: claims an effect of gates.gone, which is no key",
        "tests/test_x.py:5: claims an effect of gates.age but asserts nothing",
        "no test shows an effect of gates.loss",
    ]


def main(root: Path = ROOT) -> None:
    """Write the files of the tree at `root` again."""
    for path, text in WRITTEN.items():
        (root / path).write_text(text(), "utf-8")


if __name__ == "__main__":
    main()
