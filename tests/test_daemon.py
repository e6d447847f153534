"""The process a trader runs, from outside: it starts, trades, ends in order, and goes on where it ended."""

import asyncio
import gc
import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oracle import daemon, queries
from oracle.ask import looks, reached
from oracle.beginning import Job
from oracle.inbox import Taken
from state.disk import Disk
from state.errors import BadUsage, JournalDamaged
from state.segments import segments
from tests.conftest import ROOT
from tests.daemons import SMALL, Daemon, refused, running
from tests.tapes import new_york, tape

DAY = "2026-02-13"
MORNING = ("--simulate", "4", "--start", "2026-02-12T15:00:00Z", "--seed", "7")
LONG = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}
DEMO = ROOT / "fixtures" / "demo" / "tape"


def config(path: Path, text: str = "") -> Path:
    """A configuration file with small journal files."""
    (path / "config.toml").write_text(SMALL + text, "utf-8")
    return path / "config.toml"


def kept(daemon: Daemon) -> dict[str, Any]:
    """What a restart must not change: what is held and halted, and what it cost."""
    told = daemon.asker.status()
    names = ("cash", "realized_net", "commission", "halts", "flags", "closes_waiting", "positions_open")
    held = [{name: one[name] for name in ("id", "occ", "quantity", "cost_open", "phase")} for one in told["positions"]]
    return {"positions": held, **{name: told[name] for name in names}}


# -- a life -----------------------------------------------------------------------------------------------------------


async def test_it_runs_inside_a_program_too(tmp_path: Path) -> None:
    """The surroundings hear the address, then each record once it is durable, and may end it."""
    heard: list[Taken] = []
    ready, stopped = asyncio.Event(), asyncio.Event()
    outside = daemon.Outside(heard=heard.append, ready=lambda *_: ready.set(), stopped=stopped)
    job = Job(tmp_path / "desk", 0, config=config(tmp_path), simulate=1.0, start=new_york(DAY, "10:00:00"), seed=7)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        run = tasks.create_task(daemon.run(job, outside))
        await ready.wait()
        stopped.set()
        await run
    assert [one.lsn for one in heard] == list(range(1, len(heard) + 1))
    assert [type(one.record.input).__name__ for one in heard] == ["ConfigAdopted", "CalendarAdopted", "MarketChosen"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: int) -> None:
    """As soon as it is ready: exit code 0, a sealed journal, a socket that is gone, and a line that says so."""
    with running(tmp_path / "desk", *MORNING) as run:
        assert run.stop(number) == 0
        assert "event=stopped" in run.log
    assert reached(tmp_path / "desk") is None
    assert not (tmp_path / "desk" / "oracle.sock").exists()
    assert all(one.sealed for one in segments(Disk(), tmp_path / "desk" / "journal"))


def test_a_restart_goes_on_with_the_story(tmp_path: Path) -> None:
    """Positions, costs, halts, flags and the memory of alerts are those of before; what was held can be closed."""
    desk = tmp_path / "desk"
    remembering = ("--config", config(tmp_path, '[intake]\nduplicate_windows_s = { "5m" = 3600 }\n'))
    with running(desk, *MORNING, *remembering) as run:
        first = run.post(LONG)
        assert (first.status, first.told["status"]) == (201, "ACCEPTED")
        run.until("positions", "phase=open")
        run.asker.ask("halt", words="news")
        run.asker.ask("flag_on", about="add_to_position")
        before = kept(run)
        assert run.stop() == 0
    assert before["positions"]
    with running(desk, "--simulate", "4", *remembering) as run:
        assert kept(run) == before
        again = run.post(LONG)
        assert (again.status, again.told["status"]) == (200, "DUPLICATE")
        assert again.told["signal_id"] == first.told["signal_id"]
        run.post({**LONG, "symbol": "QQQ"})
        assert run.until("signals", "phase=rejected")[0]["reason"] == "entries_halted"
        run.asker.ask("close", about="all", words="lunch")
        assert run.until("outcomes")[0]["position_id"] == before["positions"][0]["id"]
        assert run.stop() == 0


def test_a_tape_goes_on_after_a_restart(tmp_path: Path) -> None:
    """The clock stands where the last record was, and the whole portfolio is marked as it was."""
    desk, led = tmp_path / "desk", ("--tape", DEMO, "--step")
    with running(desk, *led) as run:
        run.asker.move(new_york("2026-02-12", "09:50:00"))
        run.post(LONG)
        run.asker.move(new_york("2026-02-12", "10:10:00"))
        assert run.stop() == 0
    before = queries.status(desk)
    assert before["positions_open"] == 1
    with running(desk, *led) as run:
        after = run.asker.status()
        assert after["now"] == after["last_seen_at"] == new_york("2026-02-12", "10:10:00")
        assert {one: after[one] for one in before} == before
        run.asker.move(new_york("2026-02-12", "16:00:00"))
        assert run.until("outcomes")


def test_it_ends_while_its_clock_is_moved(tmp_path: Path) -> None:
    """SIGTERM in the middle of a long move ends it in order; what was decided by then is the beginning of the story."""
    desk = tmp_path / "desk"
    with running(desk, "--tape", DEMO, "--step") as run:
        run.asker.move(new_york("2026-02-12", "09:50:00"))
        run.post(LONG)
        connection = run.asker.connected(30)
        body = json.dumps({"to": new_york("2026-03-30", "16:00:00")}).encode()
        head = (
            f"POST /clock HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        before = run.asker.status()["record"]
        connection.sendall(head.encode() + body)
        assert any(run.asker.status()["record"] > before for _ in looks(10))
        code = run.stop()
        connection.close()
    assert code == 0


# -- where it may run -------------------------------------------------------------------------------------------------


def test_a_long_path_has_a_socket_too(tmp_path: Path) -> None:
    """A directory whose path no socket address can hold is asked like any other."""
    desk = tmp_path / ("a" * 60) / ("b" * 60)
    desk.parent.mkdir()
    with running(desk, *MORNING) as run:
        assert run.asker.status()["port"] == run.port
        assert run.stop() == 0


def test_a_directory_has_one_process(tmp_path: Path) -> None:
    """A second one ends with 7, touches nothing, and the first goes on."""
    desk = tmp_path / "desk"
    with running(desk, *MORNING) as run:
        code, said = refused(desk, "--simulate", "1")
        assert (code, "in use by another process" in said) == (7, True)
        assert run.post(LONG).status == 201
        assert run.stop() == 0


async def test_a_journal_that_is_gone_is_no_fresh_start(tmp_path: Path) -> None:
    """Beside a database that remembers it, nothing is begun anew: it is damage, and what is left stays as it is."""
    stopped = asyncio.Event()
    job = Job(tmp_path / "desk", 0, config=config(tmp_path), simulate=1.0, start=new_york(DAY, "10:00:00"), seed=7)
    await daemon.run(job, daemon.Outside(ready=lambda *_: stopped.set(), stopped=stopped))
    (tmp_path / "desk" / "journal").rename(tmp_path / "elsewhere")
    before = (tmp_path / "desk" / "oracle.db").read_bytes()
    with pytest.raises(JournalDamaged, match="restore the journal from a copy"):
        await daemon.run(job, daemon.Outside(stopped=stopped))
    assert (tmp_path / "desk" / "oracle.db").read_bytes() == before
    assert JournalDamaged.exit_code == 3


def test_a_bad_configuration_is_told_before_anything_is_made(tmp_path: Path) -> None:
    """Exit code 2, every fault named, and no directory."""
    bad = tmp_path / "bad.toml"
    bad.write_text("[gates]\nopen_position_max = 3\n[pace]\ninterval_s = 0\n", "utf-8")
    code, said = refused(tmp_path / "desk", "--config", bad)
    assert code == 2
    assert "open_positions_max" in said
    assert "pace.interval_s" in said
    assert not (tmp_path / "desk").exists()


def test_a_directory_keeps_its_kind_of_market(tmp_path: Path) -> None:
    """What was begun with invented prices is not run without them, nor from another seed; the seed need not be said."""
    desk = tmp_path / "desk"
    with running(desk, *MORNING) as run:
        assert run.stop() == 0
    for words in ((), ("--simulate", "1", "--seed", "8")):
        code, said = refused(desk, *words)
        assert (code, "name another directory" in said) == (2, True), said
    with running(desk, "--simulate", "60") as run:
        assert run.asker.status()["market_seed"] == 7


def listening(tmp_path: Path, words: str) -> Job:
    """A job whose configuration says where to listen."""
    return Job(tmp_path / "desk", config=config(tmp_path, f"[listener]\n{words}\n"))


async def test_what_it_begins_with_is_no_matter_for_the_search_for_garbage(tmp_path: Path) -> None:
    """Walking libraries and a recovered portfolio would hold up the alert that comes just then."""
    stopped, frozen = asyncio.Event(), list[int]()
    gc.unfreeze()

    def ready(_host: str, _port: int) -> None:
        frozen.append(gc.get_freeze_count())
        stopped.set()

    try:
        await daemon.run(Job(tmp_path / "desk", port=0), daemon.Outside(ready=ready, stopped=stopped))
    finally:
        gc.unfreeze()
    assert frozen[0] > 10_000


@pytest.mark.config_effect("listener.port")
async def test_it_listens_on_the_port_of_its_configuration(tmp_path: Path) -> None:
    """Where nobody said otherwise; one that is taken is told with its remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        job = listening(tmp_path, f"port = {port}")
        with pytest.raises(
            BadUsage, match=f"127.0.0.1 port {port} cannot be listened on .*choose another host and port"
        ):
            await daemon.run(job)
    bound: list[tuple[str, int]] = []
    stopped = asyncio.Event()
    stopped.set()
    await daemon.run(job, daemon.Outside(ready=lambda *address: bound.append(address), stopped=stopped))
    assert bound == [("127.0.0.1", port)]


@pytest.mark.config_effect("listener.host")
async def test_it_listens_on_the_host_of_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that others can reach needs a secret."""
    for secret in ("WEBHOOK_TOKEN", "HMAC_SECRET"):
        monkeypatch.delenv(secret, raising=False)
    with pytest.raises(BadUsage) as refused_to:
        await daemon.run(listening(tmp_path, 'host = "0.0.0.0"'))
    assert "so 0.0.0.0 is not listened on: set WEBHOOK_TOKEN" in str(refused_to.value)


# -- without a market -------------------------------------------------------------------------------------------------


@pytest.mark.produces("market_data_unavailable")
def test_without_a_market_everything_is_refused_at_once(tmp_path: Path) -> None:
    """It says so in the line that tells where it listens and in its status; it does not ask what the hour is."""
    with running(tmp_path / "desk") as run:
        (line,) = (one for one in run.log.splitlines() if "event=ready" in one)
        assert "no market is configured" in line
        told = run.asker.status()
        assert ("no_market" in {one["name"] for one in told["blockers"]}, told["mode"]) == (True, "paper")
        assert run.post(LONG).status == 201
        (signal_of,) = run.until("signals", "phase=rejected")
        assert (signal_of["reason"], signal_of["attempts"]) == ("market_data_unavailable", 0)
        assert run.stop() == 0


@pytest.mark.config_effect("account.mode")
def test_there_is_no_live_mode(tmp_path: Path) -> None:
    """No option asks for one, and a configuration that does is refused."""
    for word in ("--live", "--mode"):
        code, said = refused(tmp_path / "desk", word)
        assert (code, "No such option" in said) == (2, True)
    code, said = refused(tmp_path / "desk", "--config", config(tmp_path, '[account]\nmode = "live"\n'))
    assert (code, "there is nothing that could trade live" in said) == (2, True)
    assert not (tmp_path / "desk").exists()


# -- the published scenarios ------------------------------------------------------------------------------------------

CALL = "SPY260220C00596000"
TRACE = """
[sizing]
base_contracts = 9
[fills]
model = "mid"
commission_per_contract_usd = 0
round_to_tick = false
"""
PRICES = f"""
    10:00:00 QQQ 600.50
    10:00:00 QQQ260220C00601000 1.99 2.01
    10:00:01 QQQ260220C00601000 1.99 2.01
    10:05:00 IWM 250.50
    10:05:00 IWM260220C00251000 0.99 1.01
    10:05:01 IWM260220C00251000 0.99 1.01
    10:30:00 SPY 595.42
    10:30:00 SPY260220C00595000 3.98 4.02
    10:30:00 {CALL} 3.43 3.47
    10:30:01 {CALL} 3.50 3.54
    11:00:00 {CALL} 3.76 3.80
    12:34:59 {CALL} 5.28 5.32
    12:35:01 {CALL} 5.26 5.30
"""
SPY = {
    **LONG,
    "timestamp": 1770996600,
    "price": 595.42,
    "confidence": 75,
    "indicators": {"ema8": 595.10, "ema21": 594.80, "atr": 1.25},
}


def led(tmp_path: Path, settings: str) -> tuple[Path, ...]:
    """The words that start a daemon on the prices of the scenario."""
    return (Path("--tape"), tape(tmp_path, DAY, PRICES), Path("--step"), Path("--config"), config(tmp_path, settings))


def test_the_trace_over_http(tmp_path: Path) -> None:
    """Accepted once, repeated never; 9 at 3.52, marked at 3.78, out at 5.28: 1,584.00, 50 % and 1.00 R in 125 minutes."""
    with running(tmp_path / "desk", *led(tmp_path, TRACE)) as run:
        for symbol, clock in (("QQQ", "10:00:00"), ("IWM", "10:05:00")):
            run.asker.move(new_york(DAY, clock))
            assert run.post({**LONG, "symbol": symbol}).status == 201
        run.asker.move(new_york(DAY, "10:30:00"))
        first, second = run.post(SPY), run.post(SPY)
        assert (first.status, first.told["status"], first.told["signal_id"]) == (201, "ACCEPTED", "sig-000003")
        assert (second.status, second.told["status"]) == (200, "DUPLICATE")
        assert second.told["signal_id"] == first.told["signal_id"]
        assert first.told["processing_time_ms"] < 1_000
        (pending,) = run.rows("signals", "symbol=SPY")
        assert (pending["phase"], pending["signal_hash"][:8]) == ("pending", "3783b062")

        run.asker.move(new_york(DAY, "11:00:00"))
        (order,) = run.rows("orders", "underlying=SPY")
        assert (order["occ"], order["quantity"], order["decision_price"]) == (CALL, 9, 3_450_000)
        (held,) = (one for one in run.asker.status()["positions"] if one["occ"] == CALL)
        assert (held["cost_open"], held["unrealized"]) == (3_168_000_000, 234_000_000)

        run.asker.move(new_york(DAY, "12:36:00"))
        (outcome,) = run.rows("outcomes")
        assert (outcome["gross"], outcome["net"]) == (1_584_000_000, 1_584_000_000)
        assert (outcome["percent_bp"], outcome["r_bp"], outcome["duration_s"] // 60) == (5_000, 10_000, 125)
        assert outcome["reasons"] == ["profit_target"]
        told = run.asker.status()
        assert (told["realized_net"], told["positions_open"]) == (1_584_000_000, 2)
        assert len(run.rows("orders", "underlying=SPY")) == 2


def test_a_killed_entry_is_asked_about_and_fills(tmp_path: Path) -> None:
    """Killed with an order in flight: the next process asks the broker for it, and it fills once."""
    desk, words = tmp_path / "desk", led(tmp_path, TRACE)
    with running(desk, *words) as run:
        run.asker.move(new_york(DAY, "10:30:00"))
        run.post(SPY)
        run.asker.move(new_york(DAY, "10:30:00"))
        (order,) = run.rows("orders")
        assert order["phase"] == "submitted"
        run.kill()
    with running(desk, *words) as run:
        assert run.asker.status()["orders_working"] == 1
        run.asker.move(new_york(DAY, "10:30:02"))
        assert [(one["id"], one["phase"]) for one in run.rows("orders")] == [(order["id"], "filled")]
        assert [(one["price"], one["quantity"]) for one in run.rows("trades")] == [(3_520_000, 9)]
        assert run.stop() == 0


def test_the_minimal_loop_over_http(tmp_path: Path) -> None:
    """Ticker, action, direction and timeframe open a position; an alert to leave closes it, and is listed as such."""
    leaving = '[intake]\nexit_alerts = "close"\n'
    with running(tmp_path / "desk", *led(tmp_path, TRACE + leaving)) as run:
        run.asker.move(new_york(DAY, "10:30:00"))
        minimal = {"ticker": "SPY", "action": "BUY", "direction": "CALL", "timeframe": "5m"}
        assert run.post(minimal).status == 201
        run.asker.move(new_york(DAY, "10:30:02"))
        assert [one["phase"] for one in run.rows("positions")] == ["open"]
        run.asker.move(new_york(DAY, "11:00:00"))
        left = run.post({"ticker": "SPY", "action": "close"})
        assert (left.status, left.told["code"]) == (200, "exit_alert")
        run.asker.move(new_york(DAY, "13:00:00"))
        assert [one["status"] for one in run.rows("events", "code=exit_alert")] == ["ignored"]
        assert [one["reasons"] for one in run.rows("outcomes")] == [["exit_alert"]]


# -- for long ---------------------------------------------------------------------------------------------------------


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Five thousand alerts that lead to nothing leave little behind."""
    with running(tmp_path / "desk", *MORNING) as run:

        def post(numbers: range) -> None:
            line = run.line()
            for number in numbers:
                assert line.post({**LONG, "price": number, "note": "x" * 400}).status in (200, 201)
            line.close()

        def post_all(first: int, last: int) -> None:
            with ThreadPoolExecutor(8) as threads:
                list(threads.map(post, (range(first + lane, last, 8) for lane in range(8))))

        post_all(0, 500)
        before_kb = run.rss_kb
        post_all(500, 5_500)
        grown_kb = run.rss_kb - before_kb
        assert run.stop() == 0
    assert grown_kb < 16 * 1024, f"grew by {grown_kb} kB"
