"""Trades a script in a process of its own and prints what came of it; started by the law of determinism.

Usage: `python replay.py SCRIPT OUT`. A script is a directory. Its `tape` and `alerts.jsonl` are traded into `OUT/tape`, its
`simulated.jsonl` on the simulated market into `OUT/simulated`, whichever is there, under its `config.toml`. Of each run every
record's digest is printed with its facts as they are exported, a line each, and then the digest of the chain.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from hashlib import sha256
from pathlib import Path

from oracle import alert_file, backtest, config, sessions, stored
from oracle.directory import DataDirectory
from oracle.ids import run_id
from oracle.loop import Loop
from oracle.market.simulated import SimulatedMarket
from oracle.version import code_version
from oracle.walk import Steps
from state.calendar import SECOND
from state.disk import Disk
from state.frames import Run
from state.inputs import CalendarAdopted, MarketChosen, MarketKind
from state.journal import Journal, Limits
from state.portfolio import Portfolio
from state.segments import read
from state.writer import Bounds, Writer

SEED, FIRST = 7, date(2026, 2, 12)
CALENDAR = date(2026, 1, 29), date(2026, 6, 30)
LOOK_NS = 240 * SECOND
"""How far apart the looks at a simulated market are."""


def of_tape(script: Path, out: Path) -> str:
    """The chain of a backtest."""
    job = backtest.Job(script / "tape", script / "alerts.jsonl", out, script / "config.toml")
    chain: str = asyncio.run(backtest.run(job))["chain"]
    return chain


def of_simulated(script: Path, out: Path) -> str:
    """The chain of a run on the simulated market, to the last instant of its file."""
    configured = config.load(script / "config.toml")
    directory = DataDirectory(out)
    directory.make()
    run_of = Run(run_id(), code_version(), "replay")
    # Small segments, so that there are several.
    journal = Journal.create(Disk(), directory.journal, run=run_of, limits=Limits(segment_bytes=4 * 2**20))
    with closing(Writer(journal, bounds=Bounds(idle_s=None))) as writer:
        loop = Loop(Portfolio(), writer, settings_of=config.decode)
        steps = Steps(loop, SimulatedMarket(SEED, FIRST), lambda *_: None)
        arrivals = alert_file.read(script / "simulated.jsonl")
        market = MarketChosen(MarketKind.SIMULATED, SEED, FIRST)
        for one in (config.adopted(configured), CalendarAdopted(sessions.build(*CALENDAR)), market):
            steps.take(one, at=arrivals[0][0] - 1)
        for at, inputs in arrivals:
            for owed in looks(steps, at):
                steps.cycle(owed)
            for told in inputs:
                steps.take(told, at=at)
            steps.cycle(at)
        writer.wait_durable(loop.portfolio.lsn)
        return writer.durable[1].hex()


def looks(steps: Steps, last: int) -> Iterator[int]:
    """What is owed a cycle before an instant: what falls due by itself, and looks at the market in its sessions."""
    while True:
        portfolio = steps.portfolio
        look = (portfolio.now // LOOK_NS + 1) * LOOK_NS
        if look > portfolio.sessions.session_at_or_before(look).late_close:
            look = portfolio.sessions.next_session(portfolio.now).open
        owed = min(look, steps.due_at() or look)
        if owed >= last:
            return
        yield owed


RUNS = {"tape": of_tape, "simulated.jsonl": of_simulated}
"""What stands in a script, and how it is run."""


def replayed(script: Path, out: Path) -> Iterator[str]:
    """What came of each run."""
    out.mkdir(parents=True)
    for name, run in RUNS.items():
        if (script / name).exists():
            data = out / name.removesuffix(".jsonl")
            chain = run(script, data)
            for body, facts in zip(
                read(Disk(), data / "journal"), stored.export_lines(data, facts_only=True), strict=True
            ):
                yield f"{sha256(body.payload).hexdigest()[:12]} {facts}"
            yield chain


if __name__ == "__main__":
    for line in replayed(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.stdout.buffer.write(f"{line}\n".encode())
