"""What storms came to: crashes, where they hit, and what was left."""

import traceback
from collections import Counter
from collections.abc import Iterable

import msgspec

ACTS = frozenset(
    {"_initialise", "_recover", "_keep_torn", "_mend", "_rotate", "_start_segment", "_seal", "_make_spare", "mark"}
)


def acts_of(failure: BaseException) -> Iterable[str]:
    """The acts of the journal that a failure interrupted."""
    told = traceback.extract_tb((failure.__cause__ or failure).__traceback__)
    return sorted({frame.name for frame in told} & ACTS)


class Tally(msgspec.Struct):
    """What storms came to."""

    crashes: int = 0
    in_recovery: int = 0
    in_second_recovery: int = 0
    """Of those, in the recovery after one that crashed."""
    recoveries: int = 0
    records: int = 0
    ahead: int = 0
    """Records that memory had and that nobody was told of when a process ended."""
    inside: Counter[str] = msgspec.field(default_factory=Counter)
    """How many crashes happened inside which act of the journal; one may count in several."""

    def crashed(self, failure: BaseException, *, in_recovery: bool, again: bool) -> None:
        """Count a crash; `again` says that the life before it had not recovered either."""
        self.crashes += 1
        self.in_recovery += in_recovery
        self.in_second_recovery += in_recovery and again
        self.inside.update(acts_of(failure))

    def add(self, other: "Tally") -> None:
        """Count another storm."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
