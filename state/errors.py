"""The world's failures and broken laws, as one small tree.

    OracleFailure                exit 1   the operation failed
    ├── BadUsage                 exit 2   configuration, arguments or input files the user must mend
    ├── JournalDamaged           exit 3   acknowledged data on disk is not what was written
    ├── Diverged                 exit 4   a recorded decision does not come out again
    ├── DiskFailed               exit 5   a write or sync of a numbered record failed
    ├── LawBroken                exit 6   an invariant of the program does not hold
    └── DirectoryInUse           exit 7   another process owns the data directory

Refusals of signals are not here: they are values with a code from `state.reason`.
"""


class OracleFailure(Exception):
    """An operation failed; the message names the remedy."""

    exit_code = 1


class BadUsage(OracleFailure):
    """What the user handed in cannot be used as it is."""

    exit_code = 2


class JournalDamaged(OracleFailure):
    """Acknowledged data on disk is damaged; nothing was changed."""

    exit_code = 3


class Diverged(OracleFailure):
    """Re-deciding a recorded input gave other facts than the journal holds."""

    exit_code = 4


class DiskFailed(OracleFailure):
    """The disk refused a write or a sync that a numbered record depends on."""

    exit_code = 5


class LawBroken(OracleFailure):
    """An invariant does not hold; the process must end rather than go on from a wrong state."""

    exit_code = 6


class DirectoryInUse(OracleFailure):
    """Another process holds the lock of the data directory."""

    exit_code = 7
