"""What the operator asks for: each ask reaches the process, and what came of it is told, nothing included."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import main
from oracle import books
from oracle.ask import Asker, looks
from oracle.asking import SIMULATED_PRICES, Came, Closing, asked, flag, requeued, switched, turned
from oracle.clock import StepClock
from oracle.market.tape import Tape
from state.errors import BadUsage, OracleFailure
from tests import trades
from tests.beating import OPEN as START
from tests.beating import Beating
from tests.local import Answers, bundled, serving
from tests.runs import CALL, trade
from tests.tapes import new_york, tape
from tests.test_heart import LONG as ALERT
from tests.test_local import served

OPEN = f"10:30:00 SPY 595.42\n10:30:00 {CALL} 3.43 3.47\n10:30:05 {CALL} 3.44 3.48"
LONG = '10:30:00 {"symbol": "SPY", "direction": "long", "timeframe": "5m"}'
NEXT_OPEN = 1_771_338_600_000_000_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A run's directory in which a socket may be made."""
    return Path(shutil.copytree(bundled(), tmp_path / "run"))


def answering(*facts: dict[str, Any]) -> Answers:
    """A process in whose records these facts stand."""
    answer = {"lsn": 9, "seen_at": 1, "facts": list(facts)}
    return {"/ask": lambda _: answer, "/requeue": lambda _: answer}


# -- asks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        ({"fact": "FlagSet", "name": "a", "on": True}, "a is on"),
        ({"fact": "FlagSet", "name": "a", "on": False}, "a is off"),
        ({"fact": "FlagSet", "name": "a", "on": None}, "a is as configured"),
        ({"fact": "OrderCancelAsked", "order_id": "ord-1", "reason": "x"}, "ord-1 is given up"),
        ({"fact": "CloseAsked", "position_id": "pos-1", "words": ""}, "pos-1 is to be closed"),
        ({"fact": "SignalCreated", "signal": {"id": "sig-2"}}, "sig-2 is judged anew"),
        (
            {"fact": "AlertLogged", "event_id": "evt-2", "status": "accepted", "code": None},
            "evt-2 received again: accepted",
        ),
        (
            {"fact": "AlertLogged", "event_id": "evt-2", "status": "ignored", "code": "ping"},
            "evt-2 received again: ignored, ping: a connection test",
        ),
    ],
)
def test_what_came_of_an_ask_is_told(data: Path, fact: dict[str, Any], line: str) -> None:
    """One line for every fact that means something, and the record as it is for programs."""
    with serving(data, answering(fact, {"fact": "Unheard"})) as said:
        came = asked(Asker(data), "halt", about="x", words="because")
    assert came.lines == [line]
    assert came.answer == {"lsn": 9, "seen_at": 1, "facts": [fact, {"fact": "Unheard"}]}
    assert said == [("/ask", {"ask": "halt", "about": "x", "words": "because"})]


def test_a_halt_and_its_end_tell_how_entries_stand(data: Path) -> None:
    """Every reason that holds is told, in the operator's words where there are some; without one, entries go on."""
    halts = [{"code": "x", "words": "news", "since": 1}, {"code": "clock_jumped", "words": "", "since": 2}]
    with serving(data, answering(), halts=halts) as said:
        came = turned(Asker(data), "halt", words="news")
    assert came.lines[0] == "nothing is opened: news; exits go on"
    assert came.lines[1].startswith("the clocks came apart: nothing is opened")
    with serving(data, answering(), halts=[]):
        assert turned(Asker(data), "resume", words="").lines == ["entries go on"]
    assert said == [("/ask", {"ask": "halt", "about": "", "words": "news"})]


def test_an_ask_that_changes_nothing_says_so(data: Path) -> None:
    """Closing what is to be closed already, for instance."""
    with serving(data, answering()):
        assert asked(Asker(data), "close", about="all").lines == ["nothing changed: it was so already"]


def test_an_ask_that_finds_nothing_fails(data: Path) -> None:
    """With the words of its code and what it was about: a mistyped id must not pass for a closed position."""
    nothing = answering({"fact": "Alerted", "code": "nothing_to_close", "subject": "pos-000099"})
    with serving(data, nothing), pytest.raises(OracleFailure, match="is not open: pos-000099") as raised:
        asked(Asker(data), "close", about="pos-000099")
    assert raised.value.exit_code == 1


def test_signals_and_events_are_tried_again_each_in_its_way(data: Path) -> None:
    """A signal is judged anew, an event's body received once more; other ids are not asked about at all."""
    with serving(data, answering({"fact": "SignalCreated", "signal": {"id": "sig-000014"}})) as said:
        assert requeued(Asker(data), "sig-000009", words="w").lines == ["sig-000014 is judged anew"]
        requeued(Asker(data), "evt-000009", words="w")
        with pytest.raises(BadUsage, match="pos-000001 cannot be tried again: name a signal or an event"):
            requeued(Asker(data), "pos-000001", words="w")
    assert said == [
        ("/ask", {"ask": "requeue", "about": "sig-000009", "words": "w"}),
        ("/requeue", {"event_id": "evt-000009"}),
    ]


@pytest.mark.parametrize(("to", "wish"), [("on", "flag_on"), ("off", "flag_off"), ("default", "flag_clear")])
def test_a_switch_is_set_by_its_name(data: Path, to: str, wish: str) -> None:
    """Each position is an ask of its own."""
    with serving(data, answering()) as said:
        switched(Asker(data), "snap_unlisted", to, words="w")
    assert said == [("/ask", {"ask": wish, "about": "snap_unlisted", "words": "w"})]


def test_an_unknown_switch_is_not_asked_for(data: Path) -> None:
    """The message lists those there are, and the process hears nothing."""
    with serving(data, answering()) as said, pytest.raises(BadUsage, match="no flag snap; there are: snap_unlisted"):
        switched(Asker(data), "snap", "on", words="")
    assert said == []
    assert flag([{"name": "a", "on": True}], "a") == {"name": "a", "on": True}


# -- closing --------------------------------------------------------------------------------------------------------


def test_a_closed_position_is_reported_with_what_it_brought(tmp_path: Path) -> None:
    """Net P&L in dollars and percent of cost, and the reason; nobody waits for what is done."""
    market = f"{OPEN}\n10:31:00 {CALL} 4.00 4.10\n10:32:00 {CALL} 4.00 4.10"
    run = trade(tmp_path, market, f"{LONG}\n10:31:00 close all lunch")
    with serving(run, answering({"fact": "CloseAsked", "position_id": "pos-000001", "words": ""})):
        came = Closing(Asker(run), "pos-000001").ask("lunch", wait_s=5)
    assert came.lines == ["pos-000001 closed (manual): net $50.60, +14.54 %", SIMULATED_PRICES]
    (report,) = came.answer["positions"]
    assert (report["waits_for"], report["realized_net"], report["phase"]) == (None, 50_600_000, "closed")
    assert (came.answer["simulated"], came.answer["unshown"]) == (True, None)


def test_a_position_whose_market_is_closed_waits_for_the_open(tmp_path: Path) -> None:
    """All live positions are named; entries given up with them are told too. An open is not waited for."""
    run = trade(tmp_path, OPEN, LONG)
    given_up = {"fact": "OrderCancelAsked", "order_id": "ord-000009", "reason": "close_asked"}
    answers = answering({"fact": "CloseAsked", "position_id": "pos-000001", "words": ""}, given_up)
    with serving(run, answers, next_open_at=NEXT_OPEN) as said:
        came = Closing(Asker(run), "all").ask("w", wait_s=600)
    waits = f"pos-000001 (1 x {CALL}) is to be closed; it waits for the next open, 2026-02-17 09:30:00"
    assert came.lines == [waits, "ord-000009 is given up", SIMULATED_PRICES]
    (report,) = came.answer["positions"]
    assert (report["waits_for"], report["next_open_at"]) == ("next open", NEXT_OPEN)
    assert said == [("/ask", {"ask": "close", "about": "all", "words": "w"})]


def test_without_a_known_open_it_is_waited_for_as_long_as_allowed(tmp_path: Path) -> None:
    """The cycle that orders the exit may just be under way."""
    run = trade(tmp_path, OPEN, LONG)
    with serving(run, answering({"fact": "CloseAsked", "position_id": "pos-000001", "words": ""})):
        came = Closing(Asker(run), "all").ask("w", wait_s=0.05)
    assert came.lines == [f"pos-000001 (1 x {CALL}) is to be closed; it waits for the next open", SIMULATED_PRICES]


def test_an_exit_order_without_a_fill_is_named(tmp_path: Path) -> None:
    """The market went away between the order and its fill."""
    run = trade(tmp_path, f"{OPEN}\n10:31:00 {CALL} 4.00 4.10", f"{LONG}\n10:31:00 close all lunch")
    with serving(run, answering({"fact": "CloseAsked", "position_id": "pos-000001", "words": ""})):
        came = Closing(Asker(run), "pos-000001").ask("w", wait_s=0)
    assert came.lines == [f"pos-000001 (1 x {CALL}) is to be closed; ord-000002 waits for a fill", SIMULATED_PRICES]


def test_the_label_of_invented_prices_needs_no_position(data: Path) -> None:
    """An entry that is given up has none; the process says what market it is in."""
    given_up = {"fact": "OrderCancelAsked", "order_id": "ord-000009", "reason": "close_asked"}
    for invented in (True, False):
        with serving(data, answering(given_up), simulated=invented):
            came = Closing(Asker(data), "pos-000099").ask("w", wait_s=0)
        assert came.lines == ["ord-000009 is given up", *(["prices: simulated"] if invented else [])]
        assert (came.answer["simulated"], came.answer["positions"]) == (invented, [])


def test_nothing_to_close_fails(data: Path) -> None:
    """With everything closed already, and for an unknown id."""
    nothing = answering({"fact": "Alerted", "code": "nothing_to_close", "subject": "all"})
    with serving(data, nothing), pytest.raises(OracleFailure, match="is not open: all"):
        Closing(Asker(data), "all").ask("w", wait_s=0)


# -- closing by a process at work, whatever its database does --------------------------------------------------------


@contextlib.asynccontextmanager
async def holding(path: Path) -> AsyncIterator[Beating]:
    """A process that holds pos-000001, bought at prices of a real market, on a clock that stands."""
    market = tape(path, trades.DAY, trades.MARKET)
    header = market / "tape.toml"
    header.write_text(header.read_text().replace('"simulated"', '"cboe"'))
    async with served(path, StepClock(START), Tape(market)) as (run, ask):
        await run.heart.alert(ALERT)
        await ask("move", new_york(trades.DAY, "10:32:30"))
        assert list(run.portfolio.positions) == ["pos-000001"]
        await run.store._connection.execute("PRAGMA busy_timeout = 10")
        yield run


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """The database held by somebody else while the block runs."""
    blocker = sqlite3.connect(path / "oracle.db", isolation_level=None)
    try:
        blocker.execute("BEGIN IMMEDIATE")
        yield
    finally:
        blocker.close()


async def closing(path: Path, about: str) -> Came:
    """What came of asking to close, as a command asks."""
    return await asyncio.to_thread(Closing(Asker(path), about).ask, "lunch", wait_s=0)


@pytest.mark.parametrize("about", ["all", "pos-000001"])
async def test_a_close_is_asked_whatever_the_database_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, about: str
) -> None:
    """While another connection holds the file the ask is durable and told as such; later it is told as it stands."""
    monkeypatch.setattr(books, "_RETRY_S", 0.05)
    async with holding(tmp_path) as run:
        with locked(tmp_path):
            came = await closing(tmp_path, about)
            assert run.portfolio.positions["pos-000001"].close_asked == "manual"
            assert run.writer.durable_lsn >= came.answer["lsn"]
            assert [one["fact"] for one in came.answer["facts"]] == ["CloseAsked"]
            assert (came.answer["positions"], came.answer["simulated"]) == ([], False)
            assert "could not be used: database is locked" in came.answer["unshown"]
            unshown = "asked to close pos-000001; the database cannot show what became of it:"
            assert came.lines == [f"{unshown} {came.answer['unshown']}"]
            with pytest.raises(OracleFailure, match="is not open: pos-000099") as raised:
                await closing(tmp_path, "pos-000099")
            assert raised.value.exit_code == 1
            words = ["close", "--all" if about == "all" else about, "--data", str(tmp_path)]
            again = await asyncio.to_thread(CliRunner().invoke, main, words, prog_name="oracle")
            assert (again.exit_code, again.stderr) == (0, "")
            nothing_new = "nothing changed: it was so already\nthe database cannot show what became of it: "
            assert again.stdout.startswith(nothing_new if about == "all" else unshown)
        await asyncio.to_thread(_shown, tmp_path)
        shown = await closing(tmp_path, about)
    assert shown.lines == [f"pos-000001 (1 x {CALL}) is to be closed; it waits for the next open"]
    assert (shown.answer["facts"], shown.answer["unshown"], shown.answer["simulated"]) == ([], None, False)


def _shown(path: Path) -> None:
    """Return once the process can show its tables again."""
    for _ in looks(10):
        with contextlib.suppress(OracleFailure):
            Asker(path).rows("positions", limit=1)
            return
