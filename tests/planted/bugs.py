"""The bugs: what each is called, where it is planted, and who must find it.

Each is a slip of a plausible kind at the place where the code could have it. The old texts are short, so that they move
with the code.
"""

from typing import NamedTuple

STORM = "tests/test_storm.py -k any_crash"
JOURNAL_STORM = "tests/test_journal_storm.py -k a_storm"
SNAPSHOT_STORM = "tests/test_storm_snapshots.py"
STATEFUL = "tests/test_stateful.py"
STRUCK = r"storm \d+ after \d+ crashes"
"""A storm that was lost, with its seed."""


class Bug(NamedTuple):
    """One planted bug: each old text occurs once in its file, and is replaced by the new one."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    finder: str
    """The words of pytest."""
    shows: str
    """A pattern in what the finder prints when it fails for the right reason."""


_COMMIT = "                    self._disk.sync(self._current)\n                    self._offset += len(frames)\n"

BUGS = (
    Bug(
        "acknowledge before fsync",
        "state/journal.py",
        # All batches of a commit are synced together, which is faster, and after they count as durable.
        (
            (_COMMIT, "                    self._offset += len(frames)\n"),
            (
                "            self._retry_spare()\n        return",
                "            self._disk.sync(self._current)\n        return",
            ),
        ),
        STORM,
        STRUCK,
    ),
    Bug(
        "CRC skipped",
        "state/frames.py",
        # Only marks are checked, since the chain covers the bodies: but nothing compares the chain at the end.
        (
            (
                "_COVERED.size], seed)) != check:\n            break\n",
                "_COVERED.size], seed)) == -1:\n            break\n",
            ),
        ),
        JOURNAL_STORM,
        STRUCK,
    ),
    Bug(
        "fsync retried",
        "state/journal.py",
        (
            (
                _COMMIT,
                (
                    "                    try:\n                        self._disk.sync(self._current)\n"
                    "                    except OSError:\n                        self._disk.sync(self._current)\n"
                    "                    self._offset += len(frames)\n"
                ),
            ),
        ),
        JOURNAL_STORM,
        STRUCK,
    ),
    Bug(
        "short write ignored",
        "state/disk.py",
        (("            rest, offset = rest[taken:], offset + taken\n", "            return\n"),),
        STORM,
        STRUCK,
    ),
    Bug(
        "no directory fsync",
        "state/journal.py",
        (
            (
                "segment_name(first_lsn))\n        self._disk.sync_directory(self._path)\n",
                "segment_name(first_lsn))\n",
            ),
        ),
        STORM,
        STRUCK,
    ),
    Bug(
        "effect before durability",
        "oracle/untold.py",
        (
            (
                "self._answers.append((self._taken[-1], answer))",
                "answer.set_result(self._taken[-1])",
            ),
        ),
        "tests/test_leaving.py",
        "left before record .*'answers'",
    ),
    Bug(
        "wall clock in the core",
        "rules/gates.py",
        (
            ("import msgspec\n", "from datetime import UTC, datetime\n\nimport msgspec\n"),
            (
                "    seconds = (portfolio.now - min(signal.entry.at, portfolio.now)) // SECOND\n",
                (
                    "    now = int(datetime.now(UTC).timestamp()) * SECOND\n"
                    "    seconds = (now - min(signal.entry.at, now)) // SECOND\n"
                ),
            ),
        ),
        "tests/laws/test_bans.py",
        r"rules/gates.py:\d+: TID251 `datetime.datetime.now` is banned",
    ),
    Bug(
        "iteration over a set",
        "rules/exits.py",
        (
            (
                "tuple(dict.fromkeys(reason for reason, holds in held if holds and reason is not None))",
                "tuple({reason for reason, holds in held if holds and reason is not None})",
            ),
        ),
        "tests/laws/test_sets.py",
        r"rules/exits.py:\d+: walks over a set",
    ),
    Bug(
        "float cash",
        "state/ledger.py",
        (
            (
                "self.cash += proceeds - exit_commission",
                "self.cash += round((proceeds - exit_commission) / 1_000_000, 2) * 1_000_000",
            ),
        ),
        STORM,
        "got `float`",
    ),
    Bug(
        "one unit not seeing the decision before it",
        "rules/decide.py",
        (
            (
                (
                    "        for unit in _listed(stage):\n            for fact in _ask(portfolio, unit, settings):\n"
                    "                apply(portfolio, fact)\n                facts.append(fact)\n"
                ),
                (
                    "        found = [fact for unit in _listed(stage) for fact in _ask(portfolio, unit, settings)]\n"
                    "        for fact in found:\n            apply(portfolio, fact)\n        facts += found\n"
                ),
            ),
        ),
        STATEFUL,
        r"LawBroken: \S+ \S+ exists already",
    ),
    Bug(
        "dedup forgotten on restart",
        "state/keeping.py",
        # The digest of a state is that of its snapshot, which is as forgetful: it says nothing.
        (("hashes=tuple(p.hashes.items())", "hashes=()"),),
        STATEFUL,
        "a restarted loop decides otherwise",
    ),
    Bug(
        "snapshot LSN off by one",
        "state/recovery.py",
        (("history.chained(begun + 1)", "history.chained(begun)"),),
        SNAPSHOT_STORM,
        r"LawBroken: record \d+ follows record \d+",
    ),
    Bug(
        "a gap accepted in mid-log",
        "state/frames.py",
        (("number != lsn + 1", "number <= lsn"),),
        "tests/test_frames.py -k moved",
        "were read as if none were missing",
    ),
    Bug(
        "order re-sent under a new id",
        "state/effects.py",
        (
            ("import msgspec\n", "import msgspec\nfrom msgspec.structs import replace\n"),
            (
                "effects.append(PlaceOrder(order))\n        elif",
                (
                    'again = replace(order, client_order_id=f"{order.client_order_id}-{order.reports}")\n'
                    "            effects.append(PlaceOrder(again))\n        elif"
                ),
            ),
        ),
        "tests/test_effects.py -k under_one_id",
        r"sent anew after record \d+",
    ),
    Bug(
        "a fill on the quote that decided",
        "rules/fills.py",
        (
            ("quote.at >= order.created_at + settings", "now >= order.created_at + settings"),
            ("quote.at > max(order.created_at, order.last_fill_quote_at)", "quote.at > order.last_fill_quote_at"),
        ),
        STATEFUL,
        "filled before its latency",
    ),
    # -- of our own -----------------------------------------------------------------------------------------------------
    Bug(
        "tables ahead of the disk",
        "oracle/books.py",
        (("if one.lsn <= lsn]", "if lsn]"),),
        "tests/test_leaving.py",
        "left before record .*'meta'",
    ),
    Bug(
        "a snapshot of what is not durable",
        "oracle/books.py",
        (("self._portfolio.lsn == self._store.applied_lsn == lsn", "self._store.applied_lsn == lsn"),),
        "tests/test_books.py -k busy",
        "is ahead of the tables at",
    ),
    Bug(
        "a share of cost through a float",
        "state/money.py",
        (
            ("    quotient, remainder = divmod(amount * part, whole)\n", ""),
            ("    if remainder * 2 > whole or (remainder * 2 == whole and quotient % 2):\n        quotient += 1\n", ""),
            ("    return Micros(quotient)", "    return Micros(round(amount * (part / whole)))"),
        ),
        "tests/laws/test_integers.py",
        r"state/money.py:\d+: true division",
    ),
    Bug(
        "the loop asks the clock by itself",
        "oracle/loop.py",
        (
            ("from rules.decide", "from oracle.clock import WallClock\nfrom rules.decide"),
            ("max(at, portfolio.now)", "max(at, portfolio.now, WallClock().now())"),
        ),
        "tests/laws/test_purity.py",
        r"oracle/loop.py:\d+: imports oracle.clock.WallClock",
    ),
    Bug(
        "what is held is handed out as a set",
        "state/book.py",
        (
            ("def held(self) -> tuple[str, ...]:", "def held(self) -> frozenset[str]:"),
            ("self._held = tuple(dict.fromkeys(live))", "self._held = frozenset(live)"),
        ),
        "tests/laws/test_sets.py",
        r"rules/wants.py:\d+: walks over a set",
    ),
)
