"""The naive ledger itself, against figures that were worked out by hand before any program existed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.naive import NaiveLedger, Settlement, Stop, Trade, new_york_date, share
from tests.stage import Stage, instant

CASH = Decimal(50_000)
AT = instant("2026-02-13", "10:30:00")


def traded(*trades: tuple[str, int, str, str], stop: Stop | None = None) -> NaiveLedger:
    """One paper position after (side, quantity, price, commission per contract) trades."""
    ledger = NaiveLedger(CASH)
    for number, (side, quantity, price, commission) in enumerate(trades):
        paid = Decimal(commission) * quantity
        ledger.tell(Trade(AT, "paper", "pos", side, quantity, Decimal(price), paid))
        if stop is not None and number == 0:
            ledger.tell(stop)
    return ledger


HALF = Stop("pos", None, Decimal(50))
AT_275 = Stop("pos", Decimal("2.75"), Decimal(0))

# Percent and R are cut, not rounded: 49.746 % is printed as 49.75 elsewhere and kept as 49.74.
WORKED = [
    # SPY 596 call x 9: without costs, with the realistic costs, and the same rounded to the tick of one cent.
    ("mid", 9, "3.52", "5.28", "0", HALF, "1584.00", "1584.00", "50.00", "1.0000"),
    ("realistic", 9, "3.5904", "5.1744", "0.70", HALF, "1425.60", "1413.00", "43.72", "0.8745"),
    ("ticks", 9, "3.60", "5.17", "0.70", HALF, "1413.00", "1400.40", "43.22", "0.8644"),
    # AAPL 150 call x 9 with its stop at 2.75: at the target, and stopped out.
    ("target", 9, "5.52", "8.28", "0.70", AT_275, "2484.00", "2471.40", "49.74", "0.9913"),
    ("stopped", 9, "5.52", "2.68", "0.70", AT_275, "-2556.00", "-2568.60", "-51.70", "-1.0303"),
    # The same with the eight contracts that the sizing rule allows.
    ("target of 8", 8, "5.52", "8.28", "0.70", AT_275, "2208.00", "2196.80", "49.74", "0.9913"),
    ("stopped with 8", 8, "5.52", "2.68", "0.70", AT_275, "-2272.00", "-2283.20", "-51.70", "-1.0303"),
]


@pytest.mark.parametrize(
    ("quantity", "bought", "sold", "commission", "stop", "gross", "net", "percent", "r"),
    [case[1:] for case in WORKED],
    ids=[case[0] for case in WORKED],
)
def test_worked_round_trips_come_out(
    quantity: int, bought: str, sold: str, commission: str, stop: Stop, gross: str, net: str, percent: str, r: str
) -> None:
    """Gross, net, percent of cost and R of the printed trades, and the cash moved by exactly the net result."""
    ledger = traded(("buy", quantity, bought, commission), ("sell", quantity, sold, commission), stop=stop)
    one, account = ledger.holdings["pos"], ledger.accounts["paper"]
    assert (one.gross, one.net) == (Decimal(gross), Decimal(net))
    assert (one.percent, one.r) == (Decimal(percent), Decimal(r))
    assert account.cash == CASH + Decimal(net)
    assert account.realized[new_york_date(AT)] == account.net == Decimal(net)


@pytest.mark.parametrize(
    ("quantity", "bought", "commission", "mark", "cost", "cash", "unrealized"),
    [
        (9, "3.52", "0", "3.78", "3168.00", "46832.00", "234.00"),
        (9, "5.52", "0.70", "7.25", "4968.00", "45025.70", "1557.00"),
    ],
)
def test_worked_open_positions_come_out(
    quantity: int, bought: str, commission: str, mark: str, cost: str, cash: str, unrealized: str
) -> None:
    """Cost basis, cash after commission and the unrealized result at a mark, as printed."""
    ledger = traded(("buy", quantity, bought, commission))
    marks = {"pos": Decimal(mark)}
    assert ledger.cost_open("paper") == Decimal(cost)
    assert ledger.accounts["paper"].cash == Decimal(cash)
    assert ledger.unrealized("paper", marks) == Decimal(unrealized)
    # Equity = start + unrealized - commissions of what is open.
    assert ledger.equity("paper", marks) == CASH + Decimal(unrealized) - ledger.commission_open("paper")


@pytest.mark.parametrize(
    ("right", "bought", "spot", "net"),
    [
        ("C", "4.000", "600", "-2.10"),
        ("C", "4.000", "599.993", "-4.20"),
        ("C", "5.005", "590", "-1503.60"),
        ("P", "5.005", "592.25", "-378.60"),
        ("P", "5.005", "596.01", "-1503.60"),
    ],
)
def test_expiry_pays_what_exercise_is_worth(right: str, bought: str, spot: str, net: str) -> None:
    """Three contracts of strike 596 and 2.10 of commission: intrinsic value comes back, never less than nothing."""
    ledger = NaiveLedger(CASH)
    ledger.tell(Trade(AT, "paper", "pos", "buy", 3, Decimal(bought), Decimal("2.10"), right, Decimal(596)))
    ledger.tell(Settlement(AT, "pos", Decimal(spot)))
    assert ledger.holdings["pos"].net == Decimal(net)
    assert ledger.open_of("paper") == {}


def test_partial_exits_leave_at_average_cost_and_the_last_takes_the_rest() -> None:
    """Three contracts for 1,000.000100: the parts are rounded with halves to even and add up to the whole."""
    ledger = traded(("buy", 2, "3.000000", "0"), ("buy", 1, "4.000001", "0.000001"))
    one = ledger.holdings["pos"]
    assert one.cost == Decimal("1000.000100")
    costs = []
    for _ in range(3):
        before = one.cost_held
        ledger.tell(Trade(AT, "paper", "pos", "sell", 1, Decimal(4), Decimal(0)))
        costs.append(before - one.cost_held)
    assert costs == [Decimal("333.333367"), Decimal("333.333366"), Decimal("333.333367")]
    assert [one.cost_held, one.commission_held, one.net] == [0, 0, Decimal("199.999899")]


def test_adding_after_a_partial_exit_keeps_the_risk_of_what_was_sold() -> None:
    """Four at 2.00 risk 400; one leaves; three more at 3.00: six at 2.50 risk 750 beside the 100 of the one."""
    ledger = traded(
        ("buy", 4, "2.00", "0"), ("sell", 1, "2.40", "0"), ("buy", 3, "3.00", "0"), ("sell", 6, "3.00", "0"), stop=HALF
    )
    one = ledger.holdings["pos"]
    assert (one.level, one.risk) == (Decimal("1.25"), Decimal(850))
    assert (one.net, one.r) == (Decimal("340.00"), Decimal("0.4000"))


@pytest.mark.parametrize(
    ("amount", "part", "whole", "result"),
    [
        ("0.000001", 1, 2, "0.000000"),
        ("0.000003", 1, 2, "0.000002"),
        ("0.000005", 1, 2, "0.000002"),
        ("-0.000003", 1, 2, "-0.000002"),
        ("1", 1, 3, "0.333333"),
        ("1", 3, 3, "1"),
    ],
)
def test_a_share_is_rounded_with_halves_to_even(amount: str, part: int, whole: int, result: str) -> None:
    """The documented rule, on its edges."""
    assert share(Decimal(amount), part, whole) == Decimal(result)


@given(
    buys=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 10**8), st.integers(0, 10**6)), min_size=1, max_size=4),
    cuts=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 10**8)), max_size=12),
)
def test_however_a_position_is_cut_its_cash_and_result_agree(
    buys: list[tuple[int, int, int]], cuts: list[tuple[int, int]]
) -> None:
    """Cash at the end = start + net result, and cost held = bought - sold, for any purchases and partial exits."""
    micro = Decimal("0.000001")
    ledger = NaiveLedger(CASH)
    for quantity, price, commission in buys:
        ledger.tell(Trade(AT, "paper", "pos", "buy", quantity, price * micro, commission * micro))
    one, account = ledger.holdings["pos"], ledger.accounts["paper"]
    for quantity, price in [*cuts, (one.bought, 1)]:
        if one.held:
            ledger.tell(Trade(AT, "paper", "pos", "sell", min(quantity, one.held), price * micro, micro))
        assert account.cash == CASH + account.net - one.cost_held - one.commission_held
    assert [one.held, one.cost_held, one.commission_held] == [0, 0, 0]
    assert one.gross == one.proceeds - one.cost
    assert one.net == one.gross - one.commission_in - one.commission_out == account.cash - CASH


@pytest.mark.parametrize(
    ("clock", "day"),
    [
        ("2026-02-13 23:59:59.9", "2026-02-13"),
        ("2026-02-14 00:00:00", "2026-02-14"),
        ("2026-07-01 00:30:00", "2026-07-01"),
    ],
)
def test_results_belong_to_the_new_york_date(clock: str, day: str) -> None:
    """Midnight in New York, in winter and in summer, ends the day; midnight UTC does not."""
    assert new_york_date(instant(*clock.split())).isoformat() == day


def test_exported_rows_are_read_like_recorded_facts() -> None:
    """A ledger told the mappings of an export holds what one told the facts of the records holds."""
    stage = bought_and_sold()
    recorded, exported = NaiveLedger(CASH), NaiveLedger(CASH)
    for (seen_at, _, _), record in zip(stage.kept.payloads, stage.records, strict=True):
        recorded.tell_facts(record.facts, seen_at=seen_at)
        exported.tell_facts([mapped(one) for one in record.facts], seen_at=seen_at)
    assert recorded.holdings == exported.holdings
    assert recorded.accounts == exported.accounts
    assert recorded.holdings["pos-000001"].held == 0


def mapped(fact: Any) -> dict[str, Any]:
    """A fact as the export prints it: its name, and its fields by name at any depth."""

    def named(value: Any) -> Any:
        fields = getattr(value, "__struct_fields__", None)
        return value if fields is None else {one: named(getattr(value, one)) for one in fields}

    return {"fact": type(fact).__name__, **named(fact)}


def test_a_difference_of_one_micro_dollar_is_named() -> None:
    """The portfolio agrees; with a single micro-dollar moved in its cash, in a position or in an outcome it does not."""
    stage = bought_and_sold()
    portfolio, ledger = stage.portfolio, NaiveLedger(CASH)
    for (seen_at, _, _), record in zip(stage.kept.payloads, stage.records, strict=True):
        ledger.tell_facts(record.facts, seen_at=seen_at)
    assert ledger.first_difference(portfolio) is None
    portfolio.ledgers["paper"].cash += 1
    assert str(ledger.first_difference(portfolio)).startswith("paper cash: the naive ledger says ")
    portfolio.ledgers["paper"].cash -= 1
    portfolio.today("paper").realized_net -= 1
    assert str(ledger.first_difference(portfolio)).startswith("paper realized on 2026-02-13: ")
    portfolio.today("paper").realized_net += 1
    ledger.holdings["pos-000001"].proceeds += Decimal("0.000001")
    assert str(ledger.first_difference(portfolio)).startswith("pos-000001 proceeds: ")


def bought_and_sold() -> Stage:
    """A stage on which one SPY call was bought and sold at its target."""
    stage = Stage("2026-02-13")
    stage.alert("10:30:00", symbol="SPY", direction="long", timeframe="5m")
    stage.tick("10:30:00", "SPY 595.42", "SPY260220C00596000 3.43 3.47")
    stage.tick("10:30:02", "SPY260220C00596000 3.43 3.47")
    stage.tick("11:30:00", "SPY260220C00596000 5.40 5.44")
    stage.tick("11:30:02", "SPY260220C00596000 5.40 5.44")
    return stage
