"""Two recorded days traded with honest alerts, under every fill model and profile, judged against the raw files.

What a fill, a decision or a settlement claims is looked up in the CSV rows themselves, and the money is counted again by
the naive ledger. The rows, the alerts and the runs come from `tests.days`.
"""

import itertools
import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest

from oracle import stored
from state import facts as f
from state.disk import Disk
from state.inputs import AlertReceived, TickReached
from state.market import ASK_PRESENT, QUOTE, MarketColumns
from state.order import Intent
from state.portfolio import Portfolio
from state.recovery import fold
from state.segments import read
from tests.days import EXPIRING, GRID, MINUTE, MODELS, PROFILES, SECOND, Bench, Raw, Run, end_of
from tests.naive import NaiveLedger, usd
from tests.passing import unrolled

CASES = tuple(itertools.product(MODELS, PROFILES))
CLOSE = end_of("2015-12-24 12:59:00")
"""The early close: the end of the last regular minute."""

ADVERSE = {"adverse_pct": Decimal("0.02"), "harsh": Decimal("0.06")}


@pytest.fixture(scope="session")
def bench(data_dir, tmp_path_factory) -> Bench:
    """The tape, the alerts and the raw rows, made once."""
    return Bench(data_dir, tmp_path_factory.mktemp("days"))


@pytest.fixture(params=CASES, ids="-".join)
def run(request, bench) -> Run:
    """The run of one fill model and one profile."""
    return bench.run(*request.param)


def facts_of(run: Run, *kinds: type) -> Iterator[tuple[f.AnyFact, int]]:
    """The facts of some kinds with the instant their record was seen."""
    for record, seen_at in run.heard:
        for fact in record.facts:
            if isinstance(fact, kinds):
                yield fact, seen_at


def ledger_after(run: Run) -> tuple[NaiveLedger, list[str]]:
    """The naive ledger at the end of the journal, and every record at which it disagreed with the portfolio."""
    ledger, portfolio, differences = NaiveLedger(usd(run.figures["cash_start"])), Portfolio(), []
    for body in read(Disk(), run.out / "journal"):
        record = fold(portfolio, body)
        ledger.tell_facts(record.facts, seen_at=body.seen_at)
        difference = ledger.first_difference(portfolio)
        if difference is not None:
            differences.append(f"record {body.lsn}: {difference}")
    return ledger, differences


# -- the alerts -----------------------------------------------------------------------------------------------------


def test_the_alerts_know_nothing_later_than_their_bar(bench) -> None:
    """Each breakout is about a bar that had ended one or two seconds before: its close, or a strike beside it."""
    run = bench.run("mid", "short_dated")
    signals = [fact.signal for fact, _ in facts_of(run, f.SignalCreated) if fact.signal.entry.timeframe == "1m"]
    assert len(signals) >= 10
    for signal in signals:
        about = signal.entry.contract.strike if signal.entry.contract else signal.entry.price
        assert abs(usd(about) - bench.raw.bars[signal.entry.at].close) <= (GRID if signal.entry.contract else 0)
        assert SECOND <= signal.received_at - signal.entry.at <= 2 * SECOND


def test_the_days_hold_what_the_tests_are_about(run) -> None:
    """No claim below is empty: entries, exits on price and a settlement happen in every run, and something is refused."""
    assert run.figures["fills"] >= 15
    assert run.figures["exits"]["stop_loss"] >= 1
    assert run.figures["exits"]["profit_target"] >= 1
    assert run.figures["exits"]["expiration"] >= 2
    assert run.figures["refusals"]["too_close_to_close"] == 1
    assert any(fact.fill.is_test for fact, _ in facts_of(run, f.OrderFilled))
    assert sum(isinstance(record.input, AlertReceived) for record, _ in run.heard) == 23


# -- what was observed ----------------------------------------------------------------------------------------------


def rows_of(seen: MarketColumns, listed: list[str]) -> Iterator[tuple[str, dict[str, int]]]:
    """(contract, values) of each quote a tick carried."""
    for row, values in zip(np.frombuffer(seen.rows, "<i4").tolist(), seen.table().tolist(), strict=True):
        yield listed[row], dict(zip(QUOTE, values, strict=True))


def test_every_observed_value_is_a_row_of_the_files_whose_minute_had_ended(bench) -> None:
    """A tick carries closes, quotes and sizes exactly as recorded, and none before the end of its interval."""
    listed: list[str] = []
    quotes = 0
    for record, seen_at in unrolled(bench.run("mid", "swing").heard):
        if not isinstance(record.input, TickReached) or record.input.seen is None:
            continue
        seen = record.input.seen
        listed.extend(seen.listed)
        for spot in seen.spots:
            assert spot.at <= seen_at
            assert usd(spot.price) == bench.raw.bars[spot.at].close
        for occ, values in rows_of(seen, listed):
            bid, ask, bid_size, ask_size = bench.raw.quotes[occ, values["at"]]
            assert values["at"] <= seen_at
            assert (usd(values["bid"]), usd(values["ask"])) == (Decimal(bid or 0), Decimal(ask or 0))
            assert (values["bid_size"], values["ask_size"]) == (int(bid_size), int(ask_size))
            assert bool(values["flags"] & ASK_PRESENT) == bool(ask)
            quotes += 1
        if any(isinstance(fact, f.MarketRetired) for fact in record.facts):
            listed = [occ for occ in listed if f"{EXPIRING:%y%m%d}" not in occ]
    assert quotes > 5_000


def test_no_decision_used_a_value_before_its_minute_had_ended(run, bench) -> None:
    """Spot and quote of each recommendation are raw rows: labelled by their start, used from their end on."""
    decided = list(facts_of(run, f.SignalApproved, f.SignalDecided))
    for fact, seen_at in decided:
        chosen = fact.recommendation
        assert max(chosen.spot_at, chosen.quote_at) <= seen_at
        assert usd(chosen.spot) == bench.raw.bars[chosen.spot_at].close
        bid, ask, _, _ = bench.raw.quotes[chosen.contract.occ, chosen.quote_at]
        assert (usd(chosen.bid), usd(chosen.ask)) == (Decimal(bid), Decimal(ask))
        assert usd(chosen.entry_price) == (Decimal(bid) + Decimal(ask)) / 2


def test_every_exit_was_judged_on_a_recorded_mid(run, bench) -> None:
    """The mark that stops a position out, or takes its profit, is the mid of a raw row that had ended."""
    orders = {fact.order.id: fact.order for fact, _ in facts_of(run, f.OrderCreated)}
    for fact, seen_at in facts_of(run, f.ExitChosen):
        by_time = fact.reasons[0] not in ("stop_loss", "profit_target")
        if by_time and fact.mark_at is None:
            continue
        bid, ask, _, _ = bench.raw.quotes[orders[fact.order_id].contract.occ, fact.mark_at]
        assert fact.mark_at <= seen_at
        assert usd(fact.mark) == (Decimal(bid) + Decimal(ask)) / 2


# -- fills ----------------------------------------------------------------------------------------------------------


def expected_price(raw: Raw, fill, model: str) -> Decimal:
    """What a model promises for a fill, from the raw row: adverse to the trader, on the tick of the class."""
    bid, ask = (Decimal(side) for side in raw.quotes[fill.contract.occ, fill.quote_at][:2])
    mid, buying = (bid + ask) / 2, fill.side == "buy"
    match model:
        case "mid":
            price = mid
        case "spread_fraction":
            price = ask if buying else bid
        case _:
            worse = mid * (1 + ADVERSE[model] if buying else 1 - ADVERSE[model])
            price = max(ask, worse) if buying else min(bid, worse)
    tick = Decimal("0.01") if price < 3 else Decimal("0.05")
    return (math.ceil if buying else math.floor)(price / tick) * tick


def test_every_fill_is_at_the_price_its_model_promises(run, bench) -> None:
    """Computed again in dollars from the raw row."""
    for fact, _ in facts_of(run, f.OrderFilled):
        assert usd(fact.fill.price) == expected_price(bench.raw, fact.fill, run.model)


def test_no_fill_is_better_than_the_quoted_side_or_larger_than_its_size(run, bench) -> None:
    """Only the model that says so fills inside the spread; no fill takes more contracts than were shown."""
    inside = 0
    for fact, _ in facts_of(run, f.OrderFilled):
        fill = fact.fill
        buying = fill.side == "buy"
        quoted, displayed = bench.raw.side(fill.contract.occ, fill.quote_at, buying=buying)
        inside += usd(fill.price) < quoted if buying else usd(fill.price) > quoted
        assert 0 < fill.quantity <= displayed
        assert usd(fill.commission) == Decimal("0.70") * fill.quantity
    assert bool(inside) == (run.model == "mid")


def test_every_fill_saw_a_quote_younger_than_its_decision(run) -> None:
    """The quote that decided an order never fills it: there is a second at least between them."""
    orders = {fact.order.id: fact.order for fact, _ in facts_of(run, f.OrderCreated)}
    for fact, seen_at in facts_of(run, f.OrderFilled):
        order = orders[fact.order_id]
        assert order.decision_quote_at <= order.created_at <= fact.fill.quote_at - SECOND
        assert fact.fill.quote_at <= seen_at == fact.fill.filled_at


# -- the calendar ---------------------------------------------------------------------------------------------------


def test_nothing_is_ordered_or_filled_from_the_early_close_on(run) -> None:
    """On the half day the session ends at 13:00, entries five minutes before it, and the 25th is no day at all."""
    for fact, _ in facts_of(run, f.OrderCreated):
        order = fact.order
        assert order.created_at < (CLOSE - 5 * MINUTE if order.intent is Intent.OPEN else CLOSE)
        assert order.expires_at <= CLOSE
    assert all(fact.fill.filled_at < CLOSE for fact, _ in facts_of(run, f.OrderFilled))


def test_the_holiday_only_notes_what_waits_for_the_next_open(run) -> None:
    """An alert of the 25th buys nothing, and an ask to close orders nothing: both days of it are in the journal."""
    holiday = [(record, at) for record, at in run.heard if at >= end_of("2015-12-24 23:59:00")]
    kinds = {type(fact) for record, _ in holiday for fact in record.facts}
    assert {f.AlertLogged, f.SignalCreated, f.CloseAsked} <= kinds
    assert kinds <= {f.AlertLogged, f.SignalCreated, f.CloseAsked, f.SignalDecided, f.SignalRefused, f.NounsRetired,
                     f.MarketRetired}  # fmt: skip


def test_expiry_settles_at_what_exercise_was_worth_at_the_early_close(run, bench) -> None:
    """Every expiring position settles at once, against the close of the minute that ended at 13:00."""
    last = bench.raw.bars[CLOSE].close
    held = {fact.position.id: fact.position for fact, _ in facts_of(run, f.PositionOpened)}
    settled = list(facts_of(run, f.PositionSettled))
    for fact, seen_at in settled:
        contract = held[fact.position_id].contract
        worth = last - usd(contract.strike) if contract.right == "C" else usd(contract.strike) - last
        assert contract.expiry == EXPIRING
        assert (usd(fact.settlement_price), fact.settlement_at, seen_at) == (last, CLOSE, CLOSE)
        assert usd(fact.intrinsic) == max(Decimal(0), worth)
    closed = {fact.position_id for fact, _ in facts_of(run, f.PositionClosed)}
    expiring = {one for one, position in held.items() if position.contract.expiry == EXPIRING}
    assert {fact.position_id for fact, _ in settled} <= expiring <= closed


def test_what_expires_out_of_the_money_settles_worthless(bench) -> None:
    """Two contracts end in the money and one out of it, at figures anybody can check: 748.40 less 740, 755 less it, 0."""
    run = bench.run("mid", "short_dated")
    assert sorted(usd(fact.intrinsic) for fact, _ in facts_of(run, f.PositionSettled)) == [
        Decimal(0),
        Decimal("6.60"),
        Decimal("8.40"),
    ]


# -- the money ------------------------------------------------------------------------------------------------------


def test_the_naive_ledger_agrees_after_every_record(run) -> None:
    """Cash, cost, commission, gross, net, percent and R come out again in decimal dollars, to the micro-dollar."""
    ledger, differences = ledger_after(run)
    assert differences == []
    account = ledger.accounts["paper"]
    assert [usd(run.figures[name]) for name in ("cash", "commission", "realized_gross", "realized_net")] == [
        account.cash,
        account.commission,
        account.gross,
        account.net,
    ]
    assert usd(run.figures["unrealized"]) == usd(run.figures["equity"]) - account.cash - ledger.cost_open("paper")


def test_the_test_signal_traded_and_is_in_no_figure(run) -> None:
    """It has a fill, a position and a ledger of its own, and the paper ledger does not know it."""
    ledger, _ = ledger_after(run)
    assert ledger.accounts["test"].cash < ledger.cash_start
    positions = [fact.position for fact, _ in facts_of(run, f.PositionOpened)]
    assert [one.book for one in positions if one.is_test] == ["test"]
    assert run.figures["positions_open"] == len(ledger.open_of("paper"))


# -- the journal ----------------------------------------------------------------------------------------------------


def test_the_journal_says_what_was_heard(run) -> None:
    """Every record read back is the record that was told while the run went on."""
    portfolio = Portfolio()
    folded = [(fold(portfolio, body), body.seen_at) for body in read(Disk(), run.out / "journal")]
    assert len(folded) == run.figures["records"] == len(run.heard)
    assert all(one == other for one, other in zip(folded, run.heard, strict=True))


def test_the_run_verifies(run) -> None:
    """Decided again from its journal alone, every fact comes out the same."""
    verified = stored.verify_directory(run.out, any_version=False)
    assert verified["judged"] == verified["records"] == run.figures["records"]
    assert (verified["facts"], verified["chain"]) == (run.figures["facts"], run.figures["chain"])


def test_the_same_days_again_give_the_same_chain(bench, tmp_path) -> None:
    """A second run into another directory ends in the same digest and the same figures."""
    again = bench.run_into(tmp_path / "again", "mid", "short_dated")
    assert again.figures == bench.run("mid", "short_dated").figures
