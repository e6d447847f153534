"""What the companions of the laws share: a small tree in a temporary directory, into which an offence is planted."""

from pathlib import Path

import pytest

from tests.laws.tree import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """A writer of files into an otherwise empty tree; it returns the root of that tree."""

    def write(path: str, text: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return tmp_path

    return write
