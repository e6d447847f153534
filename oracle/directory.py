"""What stands where in a data directory: the journal, which is the truth, and the database, which can be made again."""

from pathlib import Path

import msgspec

from state.errors import BadUsage

_OURS = ("config.toml", "secrets.env", "oracle.", "journal")
"""How the names of everything begin that this program puts into a data directory."""


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

    def make(self) -> None:
        """Create a new data directory, readable by its owner only; raises BadUsage when it holds something already."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            taken = any(self.root.iterdir())
        except OSError as refusal:
            raise BadUsage(f"{self.root} cannot be used as a data directory: {refusal.strerror}") from refusal
        if taken:
            raise BadUsage(f"{self.root} is not empty: name a new directory, or remove the old run first")
        self.root.chmod(0o700)

    def prepare(self) -> None:
        """Make a data directory to begin a journal in, empty but for what `oracle init` puts there.

        Raises BadUsage when it holds anything else.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            strange = sorted(one.name for one in self.root.iterdir() if not one.name.startswith(_OURS))
            self.root.chmod(0o700)
        except OSError as refusal:
            raise BadUsage(f"{self.root} cannot be used as a data directory: {refusal.strerror}") from refusal
        if strange:
            raise BadUsage(f"{self.root} holds {strange[0]}, which is not ours: name a new directory")

    def must_exist(self) -> None:
        """Raise BadUsage unless a journal was started here."""
        if not self.journal.is_dir():
            raise BadUsage(f"{self.root} holds no journal: give --data the directory of a run")

    def must_have_database(self) -> None:
        """Raise BadUsage unless the query tables are there."""
        self.must_exist()
        if not self.database.is_file():
            raise BadUsage(f"{self.database} is missing: `oracle rebuild --data {self.root}` makes it from the journal")
