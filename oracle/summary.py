"""What a run came to: counts and money, gathered from its facts as they are recorded."""

from collections import Counter
from typing import Any

from state import facts as f
from state.portfolio import Portfolio
from state.record import Record


class Summary:
    """Hears every record of a run. Test signals are counted apart and never in the money."""

    def __init__(self) -> None:
        self.records = 0
        self.facts = 0
        self.alerts: Counter[str] = Counter()
        self.signals: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        self.fills = 0
        self.looks: Counter[str] = Counter()
        self.wins = 0
        self.tests = 0

    def hear(self, record: Record) -> None:
        """Count what one record holds."""
        self.records += 1
        self.facts += len(record.facts)
        for fact in record.facts:
            self._count(fact)

    def _count(self, fact: f.AnyFact) -> None:
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
                self.tests += outcome.is_test
                self.wins += outcome.net > 0 and not outcome.is_test
            case f.Alerted() | f.UnitFailed():
                self.looks[fact.code] += 1
            case _:
                pass

    def figures(self, portfolio: Portfolio, *, chain: str) -> dict[str, Any]:
        """The run in plain values, money in micro-dollars; `chain` is the journal's digest after its last record."""
        ledger = portfolio.ledgers["paper"]
        value = portfolio.book.value("paper")
        return {
            "market": portfolio.market.source,
            "records": self.records,
            "facts": self.facts,
            "chain": chain,
            "alerts": dict(sorted(self.alerts.items())),
            "signals": dict(sorted(self.signals.items())),
            "refusals": dict(sorted(self.refusals.items())),
            "exits": dict(sorted(self.exits.items())),
            "fills": self.fills,
            "look_at": dict(sorted(self.looks.items())),
            "trades_closed": sum(self.exits.values()) - self.tests,
            "trades_won": self.wins,
            "test_trades": self.tests,
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
