"""What the operator asks of a process at work, and what came of it, told for people.

Deliberately absent: doing any of it. The process decides, writes its record, and these lines say what that holds.
"""

from typing import Any, NamedTuple

from oracle.ask import Asker, looks
from oracle.moments import SIMULATED_PRICES, simulated
from oracle.narrate import clock, percent, usd
from state import money
from state.errors import BadUsage, OracleFailure
from state.reason import words as words_of

ALL = "all"
SWITCHES = {"on": "flag_on", "off": "flag_off", "default": "flag_clear"}
_LIVE_MAX = 100_000
_UNSHOWN = "the database cannot show what became of it"

Row = dict[str, Any]


class Came(NamedTuple):
    """What came of an ask: the answer for programs, and its lines for people."""

    answer: Row
    lines: list[str]


def asked(asker: Asker, wish: str, *, about: str = "", words: str = "") -> Came:
    """Ask once; what changed nothing says so. Raises OracleFailure when there was nothing that could be done."""
    return _came(asker.ask(wish, about=about, words=words))


def turned(asker: Asker, wish: str, *, words: str) -> Came:
    """Halt or resume, and tell how entries stand after it. Raises OracleFailure as `asked` does."""
    came = asked(asker, wish, words=words)
    halts = asker.status()["halts"]
    held = [
        f"nothing is opened: {one['words']}; exits go on" if one["words"] else f"{words_of(one['code'])}; exits go on"
        for one in halts
    ]
    return Came(came.answer, held or ["entries go on"])


def requeued(asker: Asker, noun_id: str, *, words: str) -> Came:
    """Try a signal again, or have an event's body received once more. Raises BadUsage for any other id."""
    match noun_id.partition("-")[0]:
        case "sig":
            return asked(asker, "requeue", about=noun_id, words=words)
        case "evt":
            return _came(asker.requeue(noun_id))
        case _:
            raise BadUsage(f"{noun_id} cannot be tried again: name a signal or an event; oracle deadletters lists them")


def switched(asker: Asker, name: str, to: str, *, words: str) -> Came:
    """Set a switch on, off, or to what the configuration says. Raises BadUsage for a name that is none."""
    flag(asker.flags(), name)
    return asked(asker, SWITCHES[to], about=name, words=words)


def flag(found: list[Row], name: str) -> Row:
    """The switch of a name; raises BadUsage when there is none."""
    named = next((one for one in found if one["name"] == name), None)
    if named is None:
        raise BadUsage(f"there is no flag {name}; there are: {', '.join(one['name'] for one in found)}")
    return named


def _came(answer: Row) -> Came:
    facts = answer["facts"]
    for one in facts:
        if one["fact"] == "Alerted":
            raise OracleFailure(f"{words_of(one['code'])}: {one['subject'] or 'nothing was named'}")
    lines = [line for one in facts if (line := _line(one)) is not None]
    return Came(answer, lines or ["nothing changed: it was so already"])


def _line(fact: Row) -> str | None:
    match fact["fact"]:
        case "FlagSet":
            to = "as configured" if fact["on"] is None else "on" if fact["on"] else "off"
            return f"{fact['name']} is {to}"
        case "CloseAsked":
            return f"{fact['position_id']} is to be closed"
        case "OrderCancelAsked":
            return f"{fact['order_id']} is given up"
        case "SignalCreated":
            return f"{fact['signal']['id']} is judged anew"
        case "AlertLogged":
            code = f", {fact['code']}: {words_of(fact['code'])}" if fact["code"] else ""
            return f"{fact['event_id']} received again: {fact['status']}{code}"
        case _:
            return None


# -- closing --------------------------------------------------------------------------------------------------------


class Closing:
    """Positions that were asked to be closed, and how far that got."""

    def __init__(self, asker: Asker, about: str) -> None:
        """`about` is a position id, or `all` for every live one."""
        self._asker, self._about = asker, about
        self._ids: list[str] = []
        self._reports: dict[str, Row] = {}
        self._simulated = False

    def ask(self, words: str, *, wait_s: float) -> Came:
        """Ask, and wait a while for the fills: the ask's record and, under `positions`, a report of every position.

        A report is the position's row with `waits_for`: nothing when it is closed, a fill, or the next open, with
        `next_open_at`; for an open nobody waits. `simulated` says whether prices are invented. What was asked stands in
        the journal whatever the database is able to show: when it shows nothing, `unshown` says why, else it is None.
        Raises OracleFailure when there is nothing to close.
        """
        came = asked(self._asker, "close", about=self._about, words=words)
        facts = came.answer["facts"]
        now_asked = [one["position_id"] for one in facts if one["fact"] == "CloseAsked"]
        self._ids = now_asked if self._about == ALL else [self._about]
        unshown = None
        try:
            self._watch(wait_s)
        except OracleFailure as failure:
            unshown = str(failure)
        told = {"positions": list(self._reports.values()), "simulated": self._simulated, "unshown": unshown}
        lines = [line for one in self._ids if (line := self._line(one, unshown)) is not None]
        lines += [line for one in facts if one["fact"] == "OrderCancelAsked" and (line := _line(one))]
        if not lines:
            # Nothing is named by an ask for what was asked for before, unless the database names it.
            lines = [*came.lines, *([] if unshown is None else [f"{_UNSHOWN}: {unshown}"])]
        label = [SIMULATED_PRICES] if self._simulated else []
        return Came({**came.answer, **told}, [*lines, *label])

    def _watch(self, wait_s: float) -> None:
        """Look at the positions until none of them waits for what may come in time."""
        for _ in looks(wait_s):
            status = self._asker.status()
            self._simulated |= status["simulated"]
            if self._about == ALL:
                self._ids += [one for one in self._asked() if one not in self._ids]
            for one in self._ids:
                for row in self._asker.rows("positions", limit=1, where=(f"id={one}",)):
                    self._reports[one] = _report(row, status.get("next_open_at"))
                    self._simulated |= simulated(row)
            if not any(one["waits_for"] is not None and one["next_open_at"] is None for one in self._reports.values()):
                break

    def _asked(self) -> list[str]:
        """Every live position that is to be closed: an earlier ask is not recorded again."""
        phases = ("open", "closing")
        live = (self._asker.rows("positions", limit=_LIVE_MAX, where=(f"phase={one}",)) for one in phases)
        return [one["id"] for rows in live for one in rows if one["close_asked"] is not None]

    def _line(self, position_id: str, unshown: str | None) -> str | None:
        report = self._reports.get(position_id)
        if unshown is not None and (report is None or report["waits_for"] is not None):
            return f"asked to close {position_id}; {_UNSHOWN}: {unshown}"
        return None if report is None else _position_line(report)


def _report(row: Row, next_open: int | None) -> Row:
    """An exit is ordered in the first cycle in which the contract trades, so that an open position waits for an open."""
    waits_for = {"open": "next open", "closing": "fill"}.get(row["phase"])
    return {**row, "waits_for": waits_for, "next_open_at": next_open if waits_for == "next open" else None}


def _position_line(row: Row) -> str:
    held = f"{row['quantity_open']} x {row['occ']}"
    match row["waits_for"]:
        case None:
            net = usd(row["realized_net"])
            left = ", ".join(row["exit_reasons"])
            gain = percent(money.ratio_bp(row["realized_net"], row["cost"]))
            return f"{row['id']} closed ({left}): net {net}, {gain}"
        case "next open":
            at = "" if row["next_open_at"] is None else f", {clock(row['next_open_at'])}"
            return f"{row['id']} ({held}) is to be closed; it waits for the next open{at}"
        case _:
            return f"{row['id']} ({held}) is to be closed; {row['exit_order_id']} waits for a fill"
