"""The durable file I/O of the journal, as one small class over the operating system.

Every byte the journal keeps passes through here, so that a test can put a simulated disk in its place.
There is deliberately no way to open an existing file for writing: what is on disk is replaced, never edited.
"""

import contextlib
import fcntl
import os
from errno import EIO
from pathlib import Path

from state.errors import DirectoryInUse

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
FRESH = "fresh"
"""A file being written whole before it takes its name; a leftover means nothing."""


class Disk:
    """Files of one machine. Files are named by path, open files by an integer descriptor.

    Every method raises OSError when the operating system refuses; nothing is retried here.
    """

    def make_directory(self, path: Path) -> None:
        """Make sure the directory exists and only its owner may enter it; its name is durable on return."""
        path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        path.chmod(DIRECTORY_MODE)
        self.sync_directory(path.parent)

    def names(self, path: Path) -> list[str]:
        """Names of the files of a directory, sorted; what else is there is nobody's who reads files."""
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_file())

    def read(self, path: Path) -> bytes:
        """Whole content of a file."""
        return path.read_bytes()

    def create(self, path: Path) -> int:
        """Create a file that must not exist yet and return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)

    def lock(self, path: Path) -> int:
        """Take the exclusive lock of a lock file until its descriptor is closed.

        Raises DirectoryInUse when somebody else holds it.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as refusal:
            os.close(descriptor)
            if isinstance(refusal, BlockingIOError):
                message = f"{path.parent} is in use by another process; stop it or choose another directory"
                raise DirectoryInUse(message) from refusal
            raise
        return descriptor

    def allocate(self, descriptor: int, size_bytes: int) -> None:
        """Reserve space so that the file reads as zeros up to `size_bytes` and writing there needs no more space."""
        os.posix_fallocate(descriptor, 0, size_bytes)

    def write(self, descriptor: int, content: bytes | memoryview, *, offset: int) -> int:
        """Write at an offset and return how many bytes were taken, which may be fewer than offered."""
        return os.pwrite(descriptor, content, offset)

    def write_whole(self, descriptor: int, content: bytes, *, offset: int) -> None:
        """Write all of it at an offset, in however many pieces it is taken."""
        rest = memoryview(content)
        while rest:
            taken = self.write(descriptor, rest, offset=offset)
            if taken <= 0:
                raise OSError(EIO, "the disk takes no bytes")
            rest, offset = rest[taken:], offset + taken

    def replace(self, file: Path, content: bytes) -> None:
        """Durably put a new file in the place of a name in one step."""
        fresh = file.parent / FRESH
        with contextlib.suppress(FileNotFoundError):
            self.remove(fresh)
        descriptor = self.create(fresh)
        try:
            self.write_whole(descriptor, content, offset=0)
            self.sync_all(descriptor)
        finally:
            self.close(descriptor)
        self.rename(fresh, file)
        self.sync_directory(file.parent)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut the file to `size_bytes`."""
        os.ftruncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        """Make the written content durable."""
        os.fdatasync(descriptor)

    def sync_all(self, descriptor: int) -> None:
        """Make content, reserved space and a shortened size durable."""
        os.fsync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Make created, renamed and removed names of a directory durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in one step, replacing whatever had that name."""
        os.rename(old, new)

    def remove(self, path: Path) -> None:
        """Remove a name."""
        os.unlink(path)

    def close(self, descriptor: int) -> None:
        """Close a descriptor, giving up its lock if it holds one."""
        os.close(descriptor)
