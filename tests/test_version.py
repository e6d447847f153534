"""The code version: equal exactly when the rules and the nouns are the same text."""

from collections.abc import Callable
from pathlib import Path

import pytest

from oracle import version

FILES = {
    "rules/gates.py": "one\n",
    "rules/engines/a.py": "two\n",
    "state/money.py": "three\n",
    "oracle/loop.py": "four\n",
}


@pytest.fixture
def version_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], str]:
    """The code version of a tree of files, each time a fresh one."""
    trees = iter(range(1_000))

    def made(files: dict[str, str]) -> str:
        root = tmp_path / str(next(trees))
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, "utf-8")
        monkeypatch.setattr(version, "ROOT", root)
        return version.code_version.__wrapped__()

    return made


def test_it_names_the_package_and_a_digest() -> None:
    """E.g. `0.1.0+3f9c2a77b01d`."""
    package, _, digest = version.code_version().partition("+")
    assert package == version.package_version().partition("+")[0]
    assert len(digest.removeprefix("source+")) == 12


def test_the_same_text_is_the_same_version(version_of: Callable[[dict[str, str]], str]) -> None:
    """Wherever it stands, and in whatever order its files were written."""
    assert version_of(FILES) == version_of(dict(reversed(FILES.items())))


@pytest.mark.parametrize(
    "change",
    [
        {"rules/gates.py": "one!\n"},
        {"state/money.py": ""},
        {"rules/engines/a.py": "two \n"},
        {"state/bias.py": ""},
    ],
)
def test_another_text_is_another_version(version_of: Callable[[dict[str, str]], str], change: dict[str, str]) -> None:
    """A letter more, a letter less, a new file, at any depth."""
    assert version_of({**FILES, **change}) != version_of(FILES)


def test_a_renamed_file_is_another_version(version_of: Callable[[dict[str, str]], str]) -> None:
    """Names count, not only what stands in the files."""
    renamed = {**FILES, "rules/gate.py": FILES["rules/gates.py"]}
    del renamed["rules/gates.py"]
    assert version_of(renamed) != version_of(FILES)


@pytest.mark.parametrize(
    "change", [{"oracle/loop.py": "other\n"}, {"docs/x.md": "x"}, {"rules/__pycache__/a.pyc": "x"}]
)
def test_what_decides_nothing_is_no_part_of_it(
    version_of: Callable[[dict[str, str]], str], change: dict[str, str]
) -> None:
    """The shell around the core may change, and so may what an interpreter leaves behind."""
    assert version_of({**FILES, **change}) == version_of(FILES)
