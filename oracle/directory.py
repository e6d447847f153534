"""What stands where in a data directory: the journal, which is the truth, and the database, which can be made again."""

from pathlib import Path

import msgspec

from state.errors import BadUsage

_PREPARED = ("config.toml", "secrets.env")
"""What `oracle init` puts into a data directory."""

_OURS = (*_PREPARED, "oracle.", "journal")
"""How the names of everything begin that this program puts there."""


class DataDirectory(msgspec.Struct, frozen=True):
    """Paths inside one data directory."""

    root: Path

    @property
    def journal(self) -> Path:
        """Segments, lock and identity of the journal."""
        return self.root / "journal"

    @property
    def database(self) -> Path:
        """Snapshots and query tables."""
        return self.root / "oracle.db"

    def is_prepared(self) -> bool:
        """Whether it holds what `oracle init` puts there. Raises BadUsage when anything strange stands beside that."""
        try:
            names = self._names()
        except FileNotFoundError:
            return False
        except OSError as refusal:
            raise self._unusable(refusal) from refusal
        if not set(_PREPARED) <= set(names):
            return False
        self._must_be_ours(names)
        return True

    def make(self) -> None:
        """Create a new data directory, readable by its owner only; raises BadUsage when it holds something already."""
        if self._made():
            raise BadUsage(f"{self.root} is not empty: name a new directory, or remove the old run first")
        self._close_to_others()

    def prepare(self) -> None:
        """Make a data directory to begin a journal in, empty but for what `oracle init` puts there.

        Raises BadUsage when it holds anything else.
        """
        self._must_be_ours(self._made())
        self._close_to_others()

    def must_be_usable(self) -> None:
        """Raise BadUsage where a file stands in the place of the directory, of its journal, or of what they lie in."""
        try:
            lowest = next(one for one in (self.journal, *self.journal.parents) if one.exists())
        except OSError as refusal:
            raise self._unusable(refusal) from refusal
        if not lowest.is_dir():
            raise BadUsage(f"{lowest} is no directory: name another data directory, or move that file away")

    def must_exist(self) -> None:
        """Raise BadUsage unless a journal was started here."""
        if not self.journal.is_dir():
            raise BadUsage(f"{self.root} holds no journal: give --data the directory of a run")

    def must_have_database(self) -> None:
        """Raise BadUsage unless the query tables are there."""
        self.must_exist()
        if not self.database.is_file():
            raise BadUsage(f"{self.database} is missing: `oracle rebuild --data {self.root}` makes it from the journal")

    def _made(self) -> list[str]:
        """The names of what it holds, once it is there."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._names()
        except OSError as refusal:
            raise self._unusable(refusal) from refusal

    def _names(self) -> list[str]:
        return sorted(one.name for one in self.root.iterdir())

    def _close_to_others(self) -> None:
        try:
            self.root.chmod(0o700)
        except OSError as refusal:
            raise self._unusable(refusal) from refusal

    def _must_be_ours(self, names: list[str]) -> None:
        strange = next((one for one in names if not one.startswith(_OURS)), None)
        if strange is not None:
            raise BadUsage(f"{self.root} holds {strange}, which is not ours: name a new directory")

    def _unusable(self, refusal: OSError) -> BadUsage:
        return BadUsage(f"{self.root} cannot be used as a data directory: {refusal.strerror}")
