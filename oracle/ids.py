"""Boot ids: the one reader of `os.urandom`. Ids of nouns are counters in the portfolio and never come from here."""

import os


def run_id() -> bytes:
    """Sixteen random bytes that tell one run of the program from every other."""
    return os.urandom(16)
