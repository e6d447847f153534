"""What a run came to: counts and money, gathered from its facts as they are recorded."""

from collections import Counter
from typing import Any

from state import facts as f
from state.portfolio import Portfolio
from state.record import Record


class _Counts:
    """What happened to the signals of one kind: the tests, or all others."""

    def __init__(self) -> None:
        self.alerts: Counter[str] = Counter()
        self.signals: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        self.fills = 0
        self.wins = 0

    def count(self, fact: f.AnyFact) -> None:
        """Count what one fact says."""
        match fact:
            case f.AlertLogged():
                self.alerts[fact.status] += 1
                if fact.status == "invalid_payload":
                    self.refusals[fact.code or ""] += 1
            case f.SignalApproved():
                self.signals["approved"] += 1
            case f.SignalDecided():
                self.signals["decision_only"] += 1
            case f.SignalRefused() | f.SignalFailed():
                self.signals["rejected" if isinstance(fact, f.SignalRefused) else "failed"] += 1
                self.refusals[fact.code] += 1
            case f.OrderFilled():
                self.fills += 1
            case f.OutcomeRecorded(outcome=outcome):
                self.exits[outcome.reasons[0]] += 1
                self.wins += outcome.net > 0
            case _:
                pass


class Summary:
    """Hears every record of a run. Test signals are counted apart, and are never in the money."""

    def __init__(self) -> None:
        self.records = 0
        self.facts = 0
        self.looks: Counter[str] = Counter()
        self._real = _Counts()
        self._test = _Counts()
        self._test_signals: set[str] = set()

    def hear(self, record: Record) -> None:
        """Count what one record holds."""
        self.records += 1
        self.facts += len(record.facts)
        for fact in record.facts:
            if isinstance(fact, f.SignalCreated) and fact.signal.is_test:
                self._test_signals.add(fact.signal.id)
            if isinstance(fact, f.Alerted | f.UnitFailed):
                self.looks[fact.code] += 1
            (self._test if self._of_test(fact) else self._real).count(fact)

    def _of_test(self, fact: f.AnyFact) -> bool:
        match fact:
            case f.AlertLogged():
                return fact.is_test
            case f.OrderFilled(fill=fill):
                return fill.is_test
            case f.OutcomeRecorded(outcome=outcome):
                return outcome.is_test
            case f.SignalApproved() | f.SignalDecided() | f.SignalRefused() | f.SignalFailed():
                return fact.signal_id in self._test_signals
            case _:
                return False

    def figures(self, portfolio: Portfolio, *, chain: str) -> dict[str, Any]:
        """The run in plain values, money in micro-dollars; `chain` is the journal's digest after its last record."""
        ledger = portfolio.ledgers["paper"]
        value = portfolio.book.value("paper")
        real, test = self._real, self._test
        return {
            "market": portfolio.market.source,
            "records": self.records,
            "facts": self.facts,
            "chain": chain,
            "alerts": dict(sorted(real.alerts.items())),
            "signals": dict(sorted(real.signals.items())),
            "refusals": dict(sorted(real.refusals.items())),
            "exits": dict(sorted(real.exits.items())),
            "fills": real.fills,
            "look_at": dict(sorted(self.looks.items())),
            "trades_closed": sum(real.exits.values()),
            "trades_won": real.wins,
            "test_alerts": sum(test.alerts.values()),
            "test_trades": sum(test.exits.values()),
            "positions_open": ledger.live,
            "cash_start": ledger.cash_start,
            "cash": ledger.cash,
            "marks": value,
            "equity": ledger.cash + value,
            "realized_gross": ledger.realized_gross,
            "realized_net": ledger.realized_net,
            "unrealized": value - ledger.cost_open,
            "commission": ledger.commission,
        }
