"""A disk in memory that loses power: the same calls as `state.disk.Disk`, with what is synced kept apart from what is not.

A write reaches sectors of 512 bytes; until it is synced a crash may keep any subset of them, an older version, a torn
one, or one with a flipped bit. Names are lost or kept one change at a time until their directory is synced. The disk
can fill up, refuse any call, take fewer bytes than offered, and fail a sync, after which the next sync lies.
"""

import random
from errno import EEXIST, EIO, ENOENT, ENOSPC
from pathlib import Path

from state.disk import Disk
from state.errors import DirectoryInUse

SECTOR_BYTES = 512


class PowerLost(BaseException):
    """The machine went dark in the middle of a call; only `SimDisk.crash` or `kill` bring it back."""


class Inode:
    """A file's content as programs see it and as the platter holds it."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.kept = bytearray()
        self.writes: list[tuple[int, bytes]] = []
        self.allocated_bytes = 0

    def sync(self, *, shrink: bool) -> None:
        """Everything written reaches the platter; a shortened size only with a full sync."""
        for offset, content in self.writes:
            self._put(offset, content)
        self.writes.clear()
        if len(self.kept) < len(self.seen):
            self.kept.extend(bytes(len(self.seen) - len(self.kept)))
        if shrink:
            del self.kept[len(self.seen) :]

    def lose(self, rng: random.Random) -> None:
        """Any subset of what was not synced reaches the platter."""
        size = rng.choice([len(self.kept), len(self.seen)])
        del self.kept[size:]
        self.kept.extend(bytes(size - len(self.kept)))
        for sector, pieces in self._pieces().items():
            self._lose_sector(sector, pieces, rng)
        del self.kept[size:]
        self.writes.clear()

    def _pieces(self) -> dict[int, list[tuple[int, bytes]]]:
        """Unsynced writes cut at sector bounds, in order, by sector."""
        found: dict[int, list[tuple[int, bytes]]] = {}
        for offset, content in self.writes:
            position = 0
            while position < len(content):
                sector, within = divmod(offset + position, SECTOR_BYTES)
                part = content[position : position + SECTOR_BYTES - within]
                found.setdefault(sector, []).append((offset + position, part))
                position += len(part)
        return found

    def _lose_sector(self, sector: int, pieces: list[tuple[int, bytes]], rng: random.Random) -> None:
        fate = rng.random()
        count = len(pieces) if fate < 0.5 else rng.randrange(len(pieces) + 1)
        for offset, part in pieces[:count]:
            self._put(offset, part)
        offset, part = rng.choice(pieces)
        if 0.6 < fate < 0.8:
            self._put(offset, part[: rng.randrange(len(part) + 1)])
        elif 0.8 < fate < 0.9:
            place = offset + rng.randrange(len(part))
            self._put(place, bytes([(self.kept[place] if place < len(self.kept) else 0) ^ 1 << rng.randrange(8)]))

    def _put(self, offset: int, content: bytes) -> None:
        if len(self.kept) < offset + len(content):
            self.kept.extend(bytes(offset + len(content) - len(self.kept)))
        self.kept[offset : offset + len(content)] = content


class Folder:
    """Names of one directory as programs see them and as the platter holds them."""

    def __init__(self) -> None:
        self.seen: dict[str, Inode] = {}
        self.kept: dict[str, Inode] = {}
        self.changes: list[dict[str, Inode | None]] = []

    def change(self, names: dict[str, Inode | None]) -> None:
        """Apply one change of names, which a crash keeps whole or loses whole."""
        self.changes.append(names)
        _apply(self.seen, names)

    def sync(self) -> None:
        """All names reach the platter."""
        self.kept = dict(self.seen)
        self.changes.clear()

    def lose(self, rng: random.Random) -> None:
        """Any subset of the unsynced changes reaches the platter."""
        share = rng.random()
        for names in self.changes:
            if rng.random() < share:
                _apply(self.kept, names)
        self.changes.clear()


def _apply(folder: dict[str, Inode], names: dict[str, Inode | None]) -> None:
    for name, inode in names.items():
        if inode is None:
            folder.pop(name, None)
        else:
            folder[name] = inode


class SimDisk(Disk):
    """One simulated machine. The knobs are plain fields; every call counts in `calls`."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.rng = rng or random.Random(0)
        self.folders: dict[str, Folder] = {}
        self.kept_folders: set[str] = set()
        self.calls = 0
        self.dark_at: int | None = None  # The call at which power is lost.
        self.failing: dict[int, int] = {}  # errno by call number.
        self.failing_syncs: set[int] = set()  # Numbers of file syncs that fail.
        self.syncs = 0
        self.short_writes = False
        self.space_bytes: int | None = None
        self._dark = False
        self._next = 3
        self._open: dict[int, Inode] = {}
        self._locks: dict[int, str] = {}

    def crash(self, rng: random.Random | None = None) -> None:
        """Lose power and come back: what was not synced is kept by chance, descriptors and locks are gone."""
        chance = rng or self.rng
        for path in [path for path in self.folders if path not in self.kept_folders]:
            if chance.random() < 0.5:
                del self.folders[path]
        inodes: set[int] = set()
        for folder in self.folders.values():
            for inode in [*folder.seen.values(), *folder.kept.values(), *_created(folder)]:
                if id(inode) not in inodes:
                    inodes.add(id(inode))
                    inode.lose(chance)
                    inode.seen = bytearray(inode.kept)
            folder.lose(chance)
            folder.seen = dict(folder.kept)
        self.kill()

    def kill(self) -> None:
        """End the process but keep the machine: unsynced content stays in the page cache."""
        self._dark, self.dark_at = False, None
        self.failing, self.failing_syncs, self.short_writes = {}, set(), False
        self._open.clear()
        self._locks.clear()

    def files(self, path: Path) -> dict[str, bytes]:
        """Content of every file of a directory as programs see it."""
        return {name: bytes(inode.seen) for name, inode in self.folders[str(path)].seen.items()}

    def put_file(self, file: Path, content: bytes | None) -> None:
        """Put a durable file there, or take it away, as an operator or bit rot would."""
        folder = self._folder(file)
        folder.seen.pop(file.name, None)
        if content is not None:
            inode = Inode()
            inode.seen, inode.kept = bytearray(content), bytearray(content)
            folder.seen[file.name] = inode
        folder.sync()

    def make_directory(self, path: Path) -> None:
        """Its name is durable at once."""
        self._call()
        self.folders.setdefault(str(path), Folder())
        self.kept_folders.add(str(path))

    def names(self, path: Path) -> list[str]:
        """Names as programs see them."""
        self._call()
        return sorted(self._folder(path / "any").seen)

    def read(self, path: Path) -> bytes:
        """Content as programs see it."""
        self._call()
        return bytes(self._inode(path).seen)

    def create(self, path: Path) -> int:
        """The new name may vanish until its directory is synced."""
        self._call()
        folder = self._folder(path)
        if path.name in folder.seen:
            raise FileExistsError(EEXIST, "exists", str(path))
        inode = Inode()
        folder.change({path.name: inode})
        return self._descriptor(inode)

    def lock(self, path: Path) -> int:
        """One holder per path."""
        self._call()
        if str(path) in self._locks.values():
            raise DirectoryInUse(f"{path.parent} is in use")
        folder = self._folder(path)
        if path.name not in folder.seen:
            folder.change({path.name: Inode()})
        descriptor = self._descriptor(folder.seen[path.name])
        self._locks[descriptor] = str(path)
        return descriptor

    def allocate(self, descriptor: int, size_bytes: int) -> None:
        """Zeros, with their space taken."""
        self._call()
        inode = self._open[descriptor]
        self._take_space(inode, size_bytes)
        inode.seen.extend(bytes(max(0, size_bytes - len(inode.seen))))

    def write(self, descriptor: int, content: bytes | memoryview, *, offset: int) -> int:
        """Into the cache only; possibly fewer bytes than offered."""
        taken = bytes(content)
        if self.short_writes:
            taken = taken[: self.rng.randint(1, len(taken))]
        inode = self._open[descriptor]
        if self.dark_at == self.calls + 1:
            # Power is lost inside the write: a part of it is in the cache of the disk.
            self._put(inode, taken[: self.rng.randrange(len(taken) + 1)], offset)
        self._call()
        self._take_space(inode, offset + len(taken))
        self._put(inode, taken, offset)
        return len(taken)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Into the cache only."""
        self._call()
        inode = self._open[descriptor]
        del inode.seen[size_bytes:]
        inode.allocated_bytes = min(inode.allocated_bytes, size_bytes)
        inode.writes = [(at, part[: size_bytes - at]) for at, part in inode.writes if at < size_bytes]

    def sync(self, descriptor: int) -> None:
        """Content, and a grown size."""
        self._sync(descriptor, shrink=False)

    def sync_all(self, descriptor: int) -> None:
        """Content and any size."""
        self._sync(descriptor, shrink=True)

    def sync_directory(self, path: Path) -> None:
        """All names of a directory."""
        self._call()
        self._folder(path / "any").sync()

    def rename(self, old: Path, new: Path) -> None:
        """One change of names."""
        self._call()
        self._folder(old).change({old.name: None, new.name: self._inode(old)})

    def remove(self, path: Path) -> None:
        """One change of names."""
        self._call()
        self._inode(path)
        self._folder(path).change({path.name: None})

    def close(self, descriptor: int) -> None:
        """Also gives up a lock."""
        if not self._dark:
            del self._open[descriptor]
            self._locks.pop(descriptor, None)

    def _sync(self, descriptor: int, *, shrink: bool) -> None:
        inode = self._open[descriptor]
        self.syncs += 1
        if self.syncs in self.failing_syncs:
            self.calls += 1
            seen = bytearray(inode.seen)
            inode.lose(self.rng)
            inode.seen = seen
            raise OSError(EIO, "sync failed")
        self._call()
        inode.sync(shrink=shrink)

    def _call(self) -> None:
        self.calls += 1
        if self._dark or self.calls == self.dark_at:
            self._dark = True
            raise PowerLost
        if self.calls in self.failing:
            raise OSError(self.failing[self.calls], "simulated failure")

    def _take_space(self, inode: Inode, size_bytes: int) -> None:
        more = max(0, size_bytes - inode.allocated_bytes)
        if self.space_bytes is not None and more:
            used = sum(inode.allocated_bytes for folder in self.folders.values() for inode in folder.seen.values())
            if used + more > self.space_bytes:
                raise OSError(ENOSPC, "no space left")
        inode.allocated_bytes += more

    def _put(self, inode: Inode, content: bytes, offset: int) -> None:
        inode.seen.extend(bytes(max(0, offset + len(content) - len(inode.seen))))
        inode.seen[offset : offset + len(content)] = content
        if content:
            inode.writes.append((offset, content))

    def _descriptor(self, inode: Inode) -> int:
        self._next += 1
        self._open[self._next] = inode
        return self._next

    def _folder(self, path: Path) -> Folder:
        folder = self.folders.get(str(path.parent))
        if folder is None:
            raise FileNotFoundError(ENOENT, "no such directory", str(path.parent))
        return folder

    def _inode(self, path: Path) -> Inode:
        inode = self._folder(path).seen.get(path.name)
        if inode is None:
            raise FileNotFoundError(ENOENT, "no such file", str(path))
        return inode


def _created(folder: Folder) -> list[Inode]:
    return [inode for names in folder.changes for inode in names.values() if inode is not None]
