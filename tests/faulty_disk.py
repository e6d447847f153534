"""A simulated disk on which one durable operation of a session fails, once or from then on, and that says which it was."""

import random
from collections.abc import Callable
from errno import EIO, ENOSPC
from typing import Any, NamedTuple

from tests.simdisk import SimDisk

OPERATIONS = (
    "make_directory", "names", "read", "create", "lock", "allocate", "write", "truncate", "sync", "sync_all",
    "sync_directory", "rename", "remove", "close",
)  # fmt: skip
NEEDS_SPACE = {"make_directory", "create", "lock", "allocate", "write", "sync", "sync_all", "sync_directory", "rename"}
SYNCS = {"sync", "sync_all"}


class Fault(NamedTuple):
    """What fails: the operation with a number, or every one from it on that can fail so."""

    number: int
    kind: str
    """`EIO`, `ENOSPC`, `short` (a write takes a part), `none` (a write takes nothing), `half` (a part, then no space)."""
    forever: bool


def kinds_of(operation: str) -> list[str]:
    """The ways in which an operation can fail."""
    spaceless = ["ENOSPC"] if operation in NEEDS_SPACE else []
    return ["EIO", *spaceless, *(["short", "none", "half"] if operation == "write" else [])]


class FaultyDisk(SimDisk):
    """Every durable operation is named in `done`, as `operation kind-of-file`; `met` names those that failed."""

    def __init__(self, rng: random.Random | None = None, fault: Fault | None = None) -> None:
        super().__init__(rng)
        self.fault = fault
        self.done: list[str] = []
        self.met: list[str] = []
        self._names: dict[int, str] = {}

    def reach(self, operation: str, arguments: tuple[Any, ...]) -> Any:
        """Note an operation and let it be, or fail it."""
        first = arguments[0]
        told = f"{operation} {_kind(self._names[first] if isinstance(first, int) else first.name)}"
        self.done.append(told)
        fault = self.fault
        due = fault is not None and (
            len(self.done) == fault.number or (fault.forever and len(self.done) > fault.number)
        )
        if fault is None or not due or fault.kind not in kinds_of(operation):
            return None
        self.met.append(told)
        return self._fail(operation, fault.kind, arguments)

    def _fail(self, operation: str, kind: str, arguments: tuple[Any, ...]) -> Any:
        """What the faulty operation comes to: a refusal, or fewer bytes taken than offered."""
        if operation in SYNCS:
            self.failing_syncs.add(self.syncs + 1)
            return None
        if operation == "close":
            # A failed close has closed.
            self.close_quietly(arguments[0])
        if kind in {"EIO", "ENOSPC"}:
            raise OSError(EIO if kind == "EIO" else ENOSPC, "simulated failure")
        if kind == "half":
            self.fault = Fault(len(self.done), "ENOSPC", forever=True)
        return memoryview(arguments[1])[: 0 if kind == "none" else (len(arguments[1]) + 1) // 2]

    def close_quietly(self, descriptor: int) -> None:
        """Close without counting it as an operation."""
        super().close(descriptor)


def _kind(name: str) -> str:
    return name if name in {"spare", "fresh", "lock", "journal"} else name.rpartition(".")[2]


def _reaching(operation: str) -> Callable[..., Any]:
    plain = getattr(SimDisk, operation)

    def call(self: FaultyDisk, *arguments: Any, **named: Any) -> Any:
        part = self.reach(operation, arguments)
        result = plain(self, arguments[0], *([part] if part is not None else arguments[1:]), **named)
        if operation in {"create", "lock"}:
            self._names[result] = arguments[0].name
        elif operation == "rename":
            self._names = {
                at: arguments[1].name if name == arguments[0].name else name for at, name in self._names.items()
            }
        return result

    return call


for _operation in OPERATIONS:
    setattr(FaultyDisk, _operation, _reaching(_operation))
