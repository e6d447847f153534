"""The data directory: made once, for its owner only, and asked for by name when it is missing."""

import stat
from pathlib import Path

import pytest

from oracle.directory import DataDirectory
from state.errors import BadUsage


def test_it_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """With its parents, and also where an empty directory was left open to everybody."""
    for root in (tmp_path / "a" / "b", tmp_path / "open"):
        if root.name == "open":
            root.mkdir(mode=0o755)
        DataDirectory(root).make()
        assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    """A run never mixes with another."""
    (tmp_path / "note").write_text("mine", "utf-8")
    with pytest.raises(BadUsage, match="is not empty: name a new directory"):
        DataDirectory(tmp_path).make()
    assert [one.name for one in tmp_path.iterdir()] == ["note"]


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """The message says what the system said."""
    (tmp_path / "file").write_text("", "utf-8")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadUsage, match="cannot be used as a data directory"):
            DataDirectory(root).make()


@pytest.mark.parametrize("place", ["file", "file/below", "run/journal"])
def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path, place: str) -> None:
    """Where the data directory, its journal or what they lie in should be; what is not there yet may be made."""
    (tmp_path / "file").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/journal").touch()
    root = tmp_path / place.removesuffix("/journal")
    lowest = tmp_path / place.removesuffix("/below")
    with pytest.raises(BadUsage, match=f"{lowest} is no directory: name another data directory"):
        DataDirectory(root).must_be_usable()
    (tmp_path / "run/journal").unlink()
    DataDirectory(tmp_path / "run").must_be_usable()
    DataDirectory(tmp_path / "not/yet/there").must_be_usable()
    DataDirectory(Path("data")).must_be_usable()


def test_what_the_system_refuses_names_the_directory(tmp_path: Path) -> None:
    """A link that leads to itself is neither there nor absent."""
    (tmp_path / "round").symlink_to("round")
    directory = DataDirectory(tmp_path / "round")
    for ask in (directory.is_prepared, directory.make, directory.prepare):
        with pytest.raises(BadUsage, match=f"{tmp_path}/round cannot be used as a data directory: "):
            ask()


def test_a_prepared_directory_is_known(tmp_path: Path) -> None:
    """By its two files, with or without a run beside them; anything strange beside them is refused."""
    directory = DataDirectory(tmp_path / "desk")
    assert not directory.is_prepared()
    directory.make()
    (tmp_path / "desk/config.toml").touch()
    assert not directory.is_prepared()
    (tmp_path / "desk/secrets.env").touch()
    assert directory.is_prepared()
    directory.journal.mkdir()
    assert directory.is_prepared()
    directory.prepare()
    (tmp_path / "desk/letters.txt").touch()
    for ask in (directory.is_prepared, directory.prepare):
        with pytest.raises(BadUsage, match=r"holds letters\.txt, which is not ours"):
            ask()


def test_what_is_asked_must_be_there(tmp_path: Path) -> None:
    """First the journal, then the tables that are made from it, each with its remedy."""
    directory = DataDirectory(tmp_path)
    with pytest.raises(BadUsage, match="holds no journal: give --data"):
        directory.must_have_database()
    directory.journal.mkdir()
    directory.must_exist()
    with pytest.raises(BadUsage, match="`oracle rebuild --data"):
        directory.must_have_database()
    directory.database.write_bytes(b"")
    directory.must_have_database()
