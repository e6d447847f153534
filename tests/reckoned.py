"""One backtest of a set of recorded days, and its money counted again by the naive ledger after every record."""

import asyncio
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from oracle import backtest
from oracle.market import recording
from state import facts as f
from state.disk import Disk
from state.inputs import TickReached
from state.portfolio import Portfolio
from state.segments import read
from tests.breakouts import alert_lines, configuration
from tests.naive import NaiveLedger, new_york_date, usd
from tests.passing import lived
from tests.recorded import Kind, Recorded


@dataclass(frozen=True)
class Reckoned:
    """What a run came to.

    Its figures, every difference from the naive ledger, paper equity after each cycle in micro-dollars, and the New York
    dates on which anything was ordered or filled.
    """

    out: Path
    figures: dict[str, Any]
    differences: tuple[str, ...]
    equity: tuple[int, ...]
    busy: frozenset[date]

    @property
    def drawdown(self) -> int:
        """The deepest fall of equity below its own highest value so far."""
        peak, deepest = self.equity[0], 0
        for one in self.equity:
            peak = max(peak, one)
            deepest = max(deepest, peak - one)
        return deepest


class Reckoner:
    """Makes the tape and the alerts of a set once, and runs it under any configuration."""

    def __init__(self, one: Recorded, data_dir: Path, root: Path) -> None:
        self.one = one
        self.tape = root / one.name
        self._root = root
        one.make(data_dir, self.tape)
        self.alerts = root / f"{one.name}.jsonl"
        self.alerts.write_text("\n".join(alert_lines(one, recording.read(self.tape))) + "\n", "utf-8")

    def run(self, model: str, profile: str, *, kind: Kind | None) -> Reckoned:
        """A backtest into a new data directory, under the configuration of a kind of days, or as shipped."""
        out = self._root / f"{self.one.name}-{model}-{profile}-{kind}"
        config = out.with_suffix(".toml")
        config.write_text(configuration(kind, model, profile), "utf-8")
        return reckon(out, asyncio.run(backtest.run(backtest.Job(self.tape, self.alerts, out, config))))


def reckon(out: Path, figures: dict[str, Any]) -> Reckoned:
    """Fold the journal of a finished run beside a naive ledger that is told the same trades and settlements."""
    ledger, portfolio = NaiveLedger(usd(figures["cash_start"])), Portfolio()
    differences, equity, busy = [], [], set()
    for body in read(Disk(), out / "journal"):
        for record, seen_at in lived(portfolio, body):
            ledger.tell_facts(record.facts, seen_at=seen_at)
            difference = ledger.first_difference(portfolio)
            if difference is not None:
                differences.append(f"record {body.lsn}: {difference}")
            if any(isinstance(fact, f.OrderCreated | f.OrderFilled) for fact in record.facts):
                busy.add(new_york_date(seen_at))
            if isinstance(record.input, TickReached):
                equity.append(portfolio.equity("paper"))
    account = ledger.accounts["paper"]
    told = {"cash": account.cash, "commission": account.commission, "realized_net": account.net}
    differences += [f"figures: {name}" for name, mine in told.items() if usd(figures[name]) != mine]
    return Reckoned(out, figures, tuple(differences), tuple(equity), frozenset(busy))
