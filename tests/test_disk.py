"""Any disk: the real and the simulated one keep the same promises; and what a simulated crash may do."""

import contextlib
import os
import random
import stat
from pathlib import Path

import pytest

from state.disk import FRESH, Disk
from state.errors import DirectoryInUse
from tests.simdisk import PowerLost, SimDisk


@pytest.fixture(params=["real", "simulated"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Disk, Path]:
    """A disk and a fresh directory on it."""
    disk = Disk() if request.param == "real" else SimDisk()
    disk.make_directory(tmp_path / "journal")
    return disk, tmp_path / "journal"


def test_a_written_file_reads_back_under_its_new_name(place: tuple[Disk, Path]) -> None:
    """Creating, writing at an offset, cutting and renaming show in what is read."""
    disk, path = place
    descriptor = disk.create(path / "a")
    disk.allocate(descriptor, 10)
    assert disk.write(descriptor, b"abcdef", offset=2) == 6
    disk.sync(descriptor)
    disk.truncate(descriptor, 5)
    disk.sync_all(descriptor)
    disk.close(descriptor)
    disk.rename(path / "a", path / "b")
    disk.sync_directory(path)
    assert disk.names(path) == ["b"]
    assert disk.read(path / "b") == b"\0\0abc"
    disk.remove(path / "b")
    assert disk.names(path) == []


def test_only_files_have_names(tmp_path: Path) -> None:
    """Directories, pipes and links to nothing are left aside: whoever read them would fail, or wait."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert Disk().names(tmp_path) == ["a"]


def test_a_file_is_replaced_whole(place: tuple[Disk, Path]) -> None:
    """New or old, and over what an interrupted replacement left: no other name stays behind."""
    disk, path = place
    disk.close(disk.create(path / FRESH))
    for content in (b"first", b"", b"second"):
        disk.replace(path / "a", content)
        assert (disk.names(path), disk.read(path / "a")) == (["a"], content)


def test_a_replacement_survives_a_crash_or_leaves_the_old_file() -> None:
    """At every call, in however few bytes a write is taken."""
    for at in range(1, 40):
        disk, path = SimDisk(random.Random(at)), Path("/journal")
        disk.make_directory(path)
        disk.replace(path / "a", b"old")
        disk.short_writes, disk.dark_at = True, disk.calls + at
        done = False
        with contextlib.suppress(PowerLost):
            disk.replace(path / "a", b"new content")
            done = True
        disk.crash()
        assert disk.read(path / "a") in ((b"new content",) if done else (b"old", b"new content"))
    assert done


def test_an_allocated_file_reads_as_zeros(place: tuple[Disk, Path]) -> None:
    """Reserved space has the size asked for and holds nothing."""
    disk, path = place
    disk.allocate(disk.create(path / "a"), 1000)
    assert disk.read(path / "a") == bytes(1000)


def test_creating_a_file_twice_is_refused(place: tuple[Disk, Path]) -> None:
    """Creation is exclusive."""
    disk, path = place
    disk.create(path / "a")
    with pytest.raises(FileExistsError):
        disk.create(path / "a")


def test_what_is_absent_cannot_be_read_removed_or_renamed(place: tuple[Disk, Path]) -> None:
    """Absent names raise FileNotFoundError."""
    disk, path = place
    for attempt in (disk.read, disk.remove, lambda file: disk.rename(file, path / "b")):
        with pytest.raises(FileNotFoundError):
            attempt(path / "a")
    with pytest.raises(FileNotFoundError):
        disk.names(path / "nowhere")


def test_a_lock_has_one_holder_until_it_is_closed(place: tuple[Disk, Path]) -> None:
    """The second opener is refused with DirectoryInUse and may come in after the first has left."""
    disk, path = place
    first = disk.lock(path / "lock")
    with pytest.raises(DirectoryInUse, match="in use"):
        disk.lock(path / "lock")
    disk.close(first)
    disk.close(disk.lock(path / "lock"))


def test_files_and_directories_belong_to_their_owner_alone(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600, even where a wider directory stood before."""
    path = tmp_path / "journal"
    path.mkdir(mode=0o755)
    disk = Disk()
    disk.make_directory(path)
    disk.close(disk.create(path / "a"))
    disk.close(disk.lock(path / "lock"))
    modes = [stat.S_IMODE(file.stat().st_mode) for file in (path, path / "a", path / "lock")]
    assert modes == [0o700, 0o600, 0o600]


def _after_crashes(prepare: object, *, seeds: int = 200) -> list[dict[str, bytes]]:
    found = []
    for seed in range(seeds):
        disk, path = SimDisk(random.Random(seed)), Path("/d")
        disk.make_directory(path)
        prepare(disk, path)  # type: ignore[operator]
        disk.crash()
        found.append(disk.files(path))
    return found


def test_a_crash_keeps_what_was_synced() -> None:
    """Synced content under a synced name survives every crash."""

    def prepare(disk: SimDisk, path: Path) -> None:
        descriptor = disk.create(path / "a")
        disk.write(descriptor, b"kept" * 300, offset=0)
        disk.sync(descriptor)
        disk.sync_directory(path)

    assert all(files == {"a": b"kept" * 300} for files in _after_crashes(prepare))


def test_a_crash_drops_tears_reorders_and_flips_what_was_not_synced() -> None:
    """Unsynced sectors meet every fate: kept, lost, a later one kept without an earlier one, torn, flipped."""

    def prepare(disk: SimDisk, path: Path) -> None:
        descriptor = disk.create(path / "a")
        disk.sync_directory(path)
        disk.write(descriptor, b"x" * 1024, offset=0)

    found = [files["a"] for files in _after_crashes(prepare)]
    assert b"x" * 1024 in found
    assert b"" in found
    assert any(content[:512] == bytes(512) and content[512:] == b"x" * 512 for content in found)
    assert any(0 < content[:512].count(b"x") < 511 for content in found)
    assert any(content[:512].count(b"x") == 511 for content in found)


def test_a_crash_loses_names_whose_directory_was_not_synced() -> None:
    """A renamed file is found under the one name or the other, never under none."""

    def prepare(disk: SimDisk, path: Path) -> None:
        disk.create(path / "a")
        disk.sync_directory(path)
        disk.rename(path / "a", path / "b")

    assert {tuple(files) for files in _after_crashes(prepare)} == {("a",), ("b",)}


def test_a_sync_after_a_failed_one_lies() -> None:
    """After a failed sync the pages count as clean: a second sync succeeds and content may be lost all the same."""

    def prepare(disk: SimDisk, path: Path) -> None:
        descriptor = disk.create(path / "a")
        disk.sync_directory(path)
        disk.write(descriptor, b"x" * 512, offset=0)
        disk.failing_syncs = {1}
        with pytest.raises(OSError, match="sync failed"):
            disk.sync(descriptor)
        disk.sync(descriptor)
        assert disk.read(path / "a") == b"x" * 512

    found = [files["a"] for files in _after_crashes(prepare)]
    assert b"x" * 512 in found
    assert any(content != b"x" * 512 for content in found)


def test_a_full_disk_refuses_and_a_dark_one_stays_dark() -> None:
    """ENOSPC comes when space runs out; after power loss every call raises until the machine is back."""
    disk, path = SimDisk(), Path("/d")
    disk.make_directory(path)
    disk.space_bytes = 100
    descriptor = disk.create(path / "a")
    with pytest.raises(OSError, match="no space"):
        disk.allocate(descriptor, 101)
    disk.dark_at = disk.calls + 1
    for _ in range(2):
        with pytest.raises(PowerLost):
            disk.names(path)
