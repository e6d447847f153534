"""Every key of the configuration changes something: the same story under two settings ends differently."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from oracle import config
from oracle.broker.paper import PaperBroker
from rules import wants
from rules.fills import FillModel
from rules.settings import Settings
from rules.sizing import SizingMode
from state.facts import (
    Alerted,
    AlertLogged,
    CloseAsked,
    OrderCancelAsked,
    OrderCreated,
    OrderFilled,
    PositionOpened,
    SignalApproved,
    SignalCreated,
    SignalQueued,
    SignalRefused,
    SignalRetryScheduled,
)
from state.inputs import TickReached
from state.journal import Journal, Limits, Run
from state.order import Order
from state.portfolio import Portfolio
from state.position import Position
from tests.simdisk import SimDisk
from tests.stage import SECOND, Stage, instant

DAY, TUESDAY = "2026-02-13", "2026-02-17"
CALL, LATER = "SPY260220C00596000", "SPY260227C00596000"
SWING, SWING_LATER = "SPY260320C00596000", "SPY260327C00596000"
SPOT = "SPY 595.42"
LONG = {"symbol": "SPY", "direction": "long", "timeframe": "5m"}

T = TypeVar("T")


def settings(**tables: dict[str, Any]) -> Settings:
    """The defaults with some keys changed, by table."""
    default = Settings()
    changed = {name: msgspec.structs.replace(getattr(default, name), **keys) for name, keys in tables.items()}
    return msgspec.structs.replace(default, **changed)


def profile(name: str, **keys: int) -> Settings:
    """The defaults with some keys of a profile changed, and that profile for every alert."""
    one = msgspec.structs.replace(getattr(Settings().profiles, name), **keys)
    return settings(profiles={name: one}, intake={"profile": name})


def on_stage(told: Settings | None = None, *, clock: str = "10:30:00", quotes: tuple[str, ...] = ()) -> Stage:
    """One long alert and one cycle in which it is judged."""
    stage = Stage(DAY, told)
    stage.alert(clock, **LONG)
    stage.tick(clock, SPOT, *(quotes or (f"{CALL} 3.40 3.50",)))
    return stage


def held(told: Settings | None = None, *, quotes: tuple[str, ...] = ()) -> Stage:
    """The same, and the entry filled two seconds later."""
    stage = on_stage(told, quotes=quotes)
    stage.tick("10:30:02", *(quotes or (f"{CALL} 3.40 3.50",)))
    return stage


def facts_of(stage: Stage, kind: type[T]) -> list[T]:
    """All facts of a kind, in order."""
    return [fact for fact in stage.facts if isinstance(fact, kind)]


def codes(stage: Stage) -> list[str | None]:
    """Why signals were refused or put off, in order."""
    return [fact.code for fact in stage.facts if isinstance(fact, SignalRefused | SignalRetryScheduled)]


def order(stage: Stage) -> Order:
    """The first order of a story."""
    return facts_of(stage, OrderCreated)[0].order


def position(stage: Stage) -> Position:
    """The first position of a story."""
    return facts_of(stage, PositionOpened)[0].position


# -- account and intake ---------------------------------------------------------------------------------------------


@pytest.mark.config_effect("account.cash_start_usd")
def test_the_cash_funds_every_ledger() -> None:
    """Each ledger starts with the configured dollars."""
    for cash in (1_000_000, 7_000_000_000):
        portfolio = Portfolio()
        told = config.adopted(config.Config(account=config.AccountSettings(cash_start_usd=cash)))
        portfolio.take_in(told, lsn=1, seen_at=1)
        assert {ledger.cash for ledger in portfolio.ledgers.values()} == {cash}


@pytest.mark.config_effect("intake.profile")
def test_an_alert_without_a_profile_gets_the_configured_one() -> None:
    """The default profile is the one signals are created with."""
    for name in ("short_dated", "swing"):
        (created,) = facts_of(on_stage(settings(intake={"profile": name})), SignalCreated)
        assert created.signal.profile == name


@pytest.mark.config_effect("intake.duplicate_window_s", "intake.duplicate_windows_s")
@pytest.mark.parametrize(
    ("keys", "statuses"),
    [
        ({}, ["accepted", "duplicate"]),
        ({"duplicate_window_s": 20}, ["accepted", "accepted"]),
        ({"duplicate_windows_s": {"5m": 20}}, ["accepted", "accepted"]),
        ({"duplicate_windows_s": {"15m": 20}}, ["accepted", "duplicate"]),
    ],
)
def test_a_repeat_within_the_window_is_a_duplicate(keys: dict[str, Any], statuses: list[str]) -> None:
    """Thirty seconds later the same alert repeats the first, unless the window was made shorter."""
    stage = Stage(DAY, settings(intake=keys))
    for clock in ("10:30:00", "10:30:30"):
        stage.alert(clock, **LONG)
    assert [fact.status for fact in facts_of(stage, AlertLogged)] == statuses


@pytest.mark.config_effect("intake.exit_alerts")
def test_an_alert_to_leave_closes_only_where_that_is_wanted() -> None:
    """The same alert is ignored, or asks to close what its source holds."""
    for mode, asked in (("ignore", 0), ("close", 1)):
        stage = held(settings(intake={"exit_alerts": mode}))
        stage.alert("10:40:00", symbol="SPY", action="exit", timeframe="5m")
        assert len(facts_of(stage, CloseAsked)) == asked


# -- session --------------------------------------------------------------------------------------------------------


@pytest.mark.config_effect("session.closed_market_mode")
def test_a_closed_market_queues_judges_or_refuses() -> None:
    """At night a signal waits, is judged without an order, or ends."""
    kinds = {}
    for mode in ("queue", "decision_only", "reject"):
        stage = on_stage(settings(session={"closed_market_mode": mode}), clock="21:00:00")
        kinds[mode] = [type(fact).__name__ for fact in stage.facts if type(fact).__name__.startswith("Signal")][1:]
        assert facts_of(stage, OrderCreated) == []
    assert kinds["queue"] == ["SignalQueued"]
    assert kinds["decision_only"] == ["SignalDecided"]
    assert kinds["reject"] == ["SignalRefused"]


@pytest.mark.config_effect("session.allow_premarket", "session.allow_afterhours")
@pytest.mark.parametrize(("key", "clock"), [("allow_premarket", "08:00:00"), ("allow_afterhours", "17:00:00")])
def test_extended_hours_queue_a_signal_where_they_are_allowed(key: str, clock: str) -> None:
    """A signal outside regular hours waits for the open, although others would be refused."""
    for allowed in (False, True):
        stage = on_stage(settings(session={key: allowed, "closed_market_mode": "reject"}), clock=clock)
        assert bool(facts_of(stage, SignalQueued)) is allowed
        assert codes(stage) == ([] if allowed else ["market_closed"])


@pytest.mark.config_effect("session.close_grace_s")
def test_the_last_bar_of_a_session_is_still_judged_in_the_grace() -> None:
    """Stamped before the bell and received after it, a signal is judged; beyond the grace the market is closed."""
    for grace, refused in ((600, False), (60, True)):
        stage = Stage(DAY, settings(session={"close_grace_s": grace, "closed_market_mode": "reject"}))
        stage.alert("16:05:00", **LONG, timestamp="2026-02-13T20:59:00Z")
        stage.tick("16:05:00", SPOT, f"{CALL} 3.40 3.50")
        assert (codes(stage) == ["market_closed"]) is refused


@pytest.mark.config_effect("session.retry_delay_s")
def test_a_passing_reason_is_tried_again_after_the_delay() -> None:
    """Without market data the signal is due again when the delay is over."""
    for delay in (60, 15):
        stage = Stage(DAY, settings(session={"retry_delay_s": delay}))
        stage.alert("10:30:00", **LONG)
        stage.tick("10:30:00")
        (again,) = facts_of(stage, SignalRetryScheduled)
        assert again.next_at == instant(DAY, "10:30:00") + delay * SECOND


# -- gates ----------------------------------------------------------------------------------------------------------


@pytest.mark.config_effect(
    "gates.open_positions_max",
    "gates.positions_per_symbol_max",
    "gates.exposure_usd_max",
    "gates.exposure_pct_max",
    "gates.daily_loss_usd_max",
    "gates.no_entry_before_close_s",
)
@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("open_positions_max", 0, "max_open_positions_exceeded"),
        ("positions_per_symbol_max", 0, "max_positions_per_symbol_exceeded"),
        ("exposure_usd_max", 300_000_000, "exposure_exceeded"),
        ("exposure_pct_max", 50, "exposure_exceeded"),
        ("daily_loss_usd_max", 0, "daily_loss_limit_reached"),
        ("no_entry_before_close_s", 5 * 3_600 + 1_801, "too_close_to_close"),
    ],
)
def test_a_lower_limit_refuses_what_the_default_lets_through(key: str, value: int, code: str) -> None:
    """The same signal is approved, and refused with the limit's own code once that is low enough."""
    assert len(facts_of(on_stage(), SignalApproved)) == 1
    stage = on_stage(settings(gates={key: value}))
    assert codes(stage) == [code]
    assert facts_of(stage, OrderCreated) == []


@pytest.mark.config_effect("gates.signal_age_s_max")
def test_an_old_alert_is_refused_by_its_age() -> None:
    """An alert of twenty minutes ago is acted on while it may be that old."""
    for most, stale in ((1_800, False), (600, True)):
        stage = Stage(DAY, settings(gates={"signal_age_s_max": most}))
        stage.alert("10:30:00", **LONG, timestamp="2026-02-13T15:10:00Z")
        stage.tick("10:30:00", SPOT, f"{CALL} 3.40 3.50")
        assert (codes(stage) == ["signal_stale"]) is stale


@pytest.mark.config_effect("gates.queued_age_s_max", "gates.queued_drift_pct_max")
@pytest.mark.parametrize(
    ("key", "value", "code"),
    [("queued_age_s_max", 3_600, "signal_stale"), ("queued_drift_pct_max", 10, "price_drift_exceeded")],
)
def test_what_waited_for_the_open_has_limits_of_its_own(key: str, value: int, code: str) -> None:
    """After a weekend a queued signal is judged by its waiting and by how far the price has gone."""
    for limits, expected in (({}, None), ({key: value}, code)):
        stage = Stage(DAY, settings(gates=limits, session={"closed_market_mode": "queue"}))
        stage.alert("20:00:00", **LONG, price=590)
        stage.tick("20:00:00", SPOT, f"{CALL} 3.40 3.50")
        stage.day = TUESDAY
        stage.tick("09:31:00", SPOT, f"{LATER} 4.40 4.50")
        assert codes(stage) == ([] if expected is None else [expected])


@pytest.mark.config_effect("gates.spot_age_s_max", "gates.quote_age_s_max")
@pytest.mark.parametrize(
    ("key", "code"), [("spot_age_s_max", "market_data_unavailable"), ("quote_age_s_max", "quote_stale")]
)
def test_a_decision_needs_fresh_prices(key: str, code: str) -> None:
    """A minute after the last observation the signal is judged, or put off where that is too old."""
    for limits, expected in (({}, []), ({key: 30}, [code])):
        stage = Stage(DAY, settings(gates=limits))
        stage.tick("10:29:00", SPOT, f"{CALL} 3.40 3.50")
        stage.alert("10:30:00", **LONG)
        stage.tick("10:30:00")
        assert codes(stage) == expected


@pytest.mark.config_effect("gates.daily_entries_max")
def test_a_day_has_so_many_entries() -> None:
    """The second entry of a day is refused where one is the limit."""
    for most, refused in ((0, []), (1, ["daily_trade_cap_reached"])):
        stage = held(settings(gates={"daily_entries_max": most}))
        stage.alert("10:45:00", **LONG)
        stage.tick("10:45:00", SPOT, f"{CALL} 3.40 3.50")
        assert codes(stage) == refused


# -- strikes and sizing ---------------------------------------------------------------------------------------------


@pytest.mark.config_effect("strikes.snap_pct_max")
def test_a_strike_too_far_away_is_not_bought() -> None:
    """The nearest listed strike is taken while it lies within the allowed distance."""
    for most, code in ((500, []), (50, ["contract_not_listed"])):
        stage = on_stage(settings(strikes={"snap_pct_max": most}), quotes=("SPY260220C00600000 2.40 2.50",))
        assert codes(stage) == code


@pytest.mark.config_effect("strikes.snap_unlisted")
def test_a_named_contract_that_is_not_listed_may_move() -> None:
    """It is refused, or replaced by its nearest listed neighbour."""
    for moves in (False, True):
        stage = Stage(DAY, settings(strikes={"snap_unlisted": moves}))
        stage.alert("10:30:00", symbol="SPY260220C00595500", direction="long", timeframe="5m")
        stage.tick("10:30:00", SPOT, f"{CALL} 3.40 3.50")
        assert [fact.recommendation.contract.occ for fact in facts_of(stage, SignalApproved)] == [CALL] * moves


@pytest.mark.config_effect("sizing.mode", "sizing.base_contracts", "sizing.equity_pct", "sizing.contracts_max")
@pytest.mark.parametrize(
    ("keys", "quantity"),
    [
        ({}, 1),
        ({"base_contracts": 4}, 4),
        ({"base_contracts": 4, "contracts_max": 3}, 3),
        ({"mode": SizingMode.PERCENT_EQUITY}, 10),
        ({"mode": SizingMode.PERCENT_EQUITY, "equity_pct": 300}, 4),
    ],
)
def test_the_quantity_follows_mode_amount_and_cap(keys: dict[str, Any], quantity: int) -> None:
    """At 3.55 a contract costs 355.70 dollars: 10 percent of 50,000 buys 14, capped at 10; 3 percent buys 4."""
    assert order(on_stage(settings(sizing=keys))).quantity == quantity


# -- orders ---------------------------------------------------------------------------------------------------------


@pytest.mark.config_effect("orders.limit_offset_usd")
def test_the_limit_lies_so_far_above_the_ask() -> None:
    """An entry may pay the ask and the offset."""
    for offset, limit in ((50_000, 3_550_000), (0, 3_500_000)):
        assert order(on_stage(settings(orders={"limit_offset_usd": offset}))).limit_price == limit


@pytest.mark.config_effect("orders.entry_timeout_s", "orders.drift_pct_max")
@pytest.mark.parametrize(
    ("key", "value", "reason", "quotes"),
    [
        ("entry_timeout_s", 5, "order_timeout", f"{CALL} 3.60 3.70"),
        ("drift_pct_max", 300, "price_drift_exceeded", f"{CALL} 3.60 3.70"),
    ],
)
def test_an_entry_that_does_not_fill_is_cancelled(key: str, value: int, reason: str, quotes: str) -> None:
    """Ten seconds on, with the market 5.8 percent higher, only the narrower setting gives the order up."""
    for keys, expected in (({}, []), ({key: value}, [reason])):
        stage = on_stage(settings(orders=keys))
        stage.tick("10:30:10", quotes)
        assert [fact.reason for fact in facts_of(stage, OrderCancelAsked)] == expected


@pytest.mark.config_effect("orders.add_to_position")
def test_a_contract_already_held_is_added_to_or_refused() -> None:
    """A second signal for the same contract grows the position, or is refused as a duplicate."""
    for adds, refused in ((True, []), (False, ["duplicate_position"])):
        stage = held(settings(orders={"add_to_position": adds}))
        stage.alert("10:45:00", **LONG)
        stage.tick("10:45:00", SPOT, f"{CALL} 3.40 3.50")
        assert codes(stage) == refused


@pytest.mark.config_effect("orders.exit_alert_after_s")
def test_an_exit_that_does_not_fill_alerts_after_a_while() -> None:
    """A minute after its order an exit without a bid is still waiting; who is told depends on the patience."""
    for patience, alerted in ((300, []), (30, ["exit_waiting"])):
        stage = held(settings(orders={"exit_alert_after_s": patience}))
        stage.ask_close("10:31:00")
        stage.tick("10:31:00", f"{CALL} - 3.50")
        stage.tick("10:32:00", f"{CALL} - 3.50")
        assert [fact.code for fact in facts_of(stage, Alerted)] == alerted


# -- ticks and fills ------------------------------------------------------------------------------------------------


@pytest.mark.config_effect("ticks.penny_roots")
def test_a_penny_class_has_finer_limits() -> None:
    """A limit of 2.53 stays in a penny class and is rounded up to 2.55 in any other."""
    for roots, limit in (((), 2_550_000), (("SPX", "F"), 2_530_000)):
        stage = Stage(DAY, settings(ticks={"penny_roots": roots}, orders={"limit_offset_usd": 0}))
        stage.alert("10:30:00", symbol="F", direction="long", timeframe="5m")
        stage.tick("10:30:00", "F 12.40", "F260220C00013000 2.51 2.53")
        assert order(stage).limit_price == limit


@pytest.mark.config_effect("fills.model", "fills.adverse_pct", "fills.spread_fraction_pct", "fills.round_to_tick")
@pytest.mark.parametrize(
    ("keys", "price"),
    [
        ({}, 3_500_000),
        ({"model": FillModel.MID}, 3_450_000),
        ({"spread_fraction_pct": 8_000}, 3_530_000),
        ({"spread_fraction_pct": 8_050}, 3_540_000),
        ({"spread_fraction_pct": 8_050, "round_to_tick": False}, 3_530_500),
        ({"model": FillModel.ADVERSE_PCT}, 3_520_000),
        ({"model": FillModel.ADVERSE_PCT, "adverse_pct": 100}, 3_500_000),
    ],
)
def test_the_price_of_a_fill_follows_the_model(keys: dict[str, Any], price: int) -> None:
    """On a quote of 3.40 to 3.50 each model has its own price, on the tick unless that is off."""
    (filled,) = facts_of(held(settings(fills=keys)), OrderFilled)
    assert filled.fill.price == price


@pytest.mark.config_effect("fills.latency_s")
def test_an_order_fills_on_no_quote_younger_than_the_latency() -> None:
    """Two seconds after the decision an order fills, unless quotes must be older than that."""
    for latency, fills in ((1, 1), (3, 0)):
        assert len(facts_of(held(settings(fills={"latency_s": latency})), OrderFilled)) == fills


@pytest.mark.config_effect("fills.respect_size")
def test_a_fill_is_no_larger_than_what_is_displayed() -> None:
    """Of four contracts two fill at once where two are displayed, and all four where size is not respected."""
    for respects, quantity in ((True, 2), (False, 4)):
        told = settings(fills={"respect_size": respects}, sizing={"base_contracts": 4})
        filled = facts_of(held(told, quotes=(f"{CALL} 3.40 3.50 2 2",)), OrderFilled)
        assert filled[0].fill.quantity == quantity


@pytest.mark.config_effect("fills.commission_per_contract_usd")
def test_each_contract_costs_its_commission() -> None:
    """The commission of a fill is that of its contracts."""
    for each in (700_000, 1_250_000):
        told = settings(fills={"commission_per_contract_usd": each}, sizing={"base_contracts": 3})
        assert position(held(told)).commission == 3 * each


@pytest.mark.config_effect("fills.quote_age_s_max")
def test_an_order_fills_on_no_stale_quote() -> None:
    """A quote of five seconds ago that nobody saw fills while it may be that old."""
    for most, fills in ((120, 1), (2, 0)):
        stage = on_stage(settings(fills={"quote_age_s_max": most}))
        at = instant(DAY, "10:30:07")
        told = stage.columns(instant(DAY, "10:30:02"), (f"{CALL} 3.40 3.50",))
        stage.take(TickReached(told), at=at)
        answered = PaperBroker(stage.loop).next_report()
        assert (answered is not None) == bool(fills)


# -- wants and profiles ---------------------------------------------------------------------------------------------


@pytest.mark.config_effect("wants.strikes_each_side")
def test_so_many_strikes_are_observed() -> None:
    """The plan of a cycle asks for the configured number of strikes."""
    for count in (5, 9):
        stage = on_stage(told := settings(wants={"strikes_each_side": count, "chain_interval_s": 0}))
        plan = wants.plan(stage.portfolio, told.wants, told.profiles.entry_dte(), now=stage.portfolio.now)
        assert [one.strikes_each_side for one in plan.slices] == [count]


@pytest.mark.config_effect(
    "profiles.short_dated.entry_dte_min",
    "profiles.short_dated.entry_dte_max",
    "profiles.swing.entry_dte_min",
    "profiles.swing.entry_dte_max",
)
@pytest.mark.parametrize(
    ("name", "near", "far", "between"),
    [("short_dated", CALL, LATER, 8), ("swing", SWING, SWING_LATER, 36)],
)
def test_a_profile_buys_within_its_days_to_expiry(name: str, near: str, far: str, between: int) -> None:
    """The nearest expiry is bought, a later one with a higher least, and none when the most is lower than both."""
    quotes = (f"{near} 3.40 3.50", f"{far} 4.40 4.50")
    assert order(on_stage(profile(name), quotes=quotes)).contract.occ == near
    assert order(on_stage(profile(name, entry_dte_min=between), quotes=quotes)).contract.occ == far
    assert codes(on_stage(profile(name, entry_dte_max=6), quotes=quotes)) == ["contract_not_listed"]


@pytest.mark.config_effect(
    "profiles.short_dated.profit_target_pct",
    "profiles.short_dated.stop_loss_pct",
    "profiles.short_dated.exit_dte_min",
    "profiles.short_dated.hold_hours_max",
    "profiles.swing.profit_target_pct",
    "profiles.swing.stop_loss_pct",
    "profiles.swing.exit_dte_min",
    "profiles.swing.hold_hours_max",
)
@pytest.mark.parametrize(
    ("name", "contract", "midnight"), [("short_dated", CALL, "2026-02-17"), ("swing", SWING, "2026-03-17")]
)
def test_a_profile_gives_a_position_its_terms(name: str, contract: str, midnight: str) -> None:
    """Target, stop, days to expiry and hold of a position bought at 3.50 are those of the profile."""
    told = profile(name, profit_target_pct=4_000, stop_loss_pct=2_000, exit_dte_min=3, hold_hours_max=7)
    opened = position(held(told, quotes=(f"{contract} 3.40 3.50",)))
    assert (opened.target, opened.stop) == (4_900_000, 2_800_000)
    assert opened.terms.dte_exit_at == instant(midnight, "00:00:00")
    assert opened.hold_until == opened.opened_at + 7 * 3_600 * SECOND
    usual = position(held(profile(name), quotes=(f"{contract} 3.40 3.50",)))
    for level in ("target", "stop", "hold_until"):
        assert getattr(usual, level) != getattr(opened, level)
    assert usual.terms.dte_exit_at != opened.terms.dte_exit_at


# -- journal --------------------------------------------------------------------------------------------------------


class Counting(SimDisk):
    """A disk that counts writes."""

    writes = 0

    def write(self, descriptor: int, content: bytes | memoryview, *, offset: int) -> int:
        """Count, and write as the disk does."""
        self.writes += 1
        return super().write(descriptor, content, offset=offset)


def journal(disk: SimDisk, **keys: int) -> Journal:
    """A journal with the sizes of a configuration, small enough for a test."""
    limits: Limits = config.JournalSettings(**{"segment_bytes": 8_192, **keys}).limits
    return Journal.create(disk, Path("/data"), run=Run(bytes(16), "test", "host"), limits=limits)


@pytest.mark.config_effect("journal.segment_bytes", "journal.batch_bytes_max")
@pytest.mark.parametrize(
    ("keys", "files", "writes"), [({}, 1, 1), ({"segment_bytes": 2_048}, 2, None), ({"batch_bytes_max": 600}, 1, 6)]
)
def test_sizes_of_the_journal_cut_its_files_and_writes(keys: dict[str, int], files: int, writes: int | None) -> None:
    """Twelve records of 200 bytes lie in one file and one write, or in as many as the sizes ask for."""
    disk = Counting()
    kept = journal(disk, **keys)
    disk.writes = 0
    for lsn in range(12):
        kept.append(lsn, "tick", schema=1, payload=bytes(200))
    kept.commit()
    assert sum(name.endswith(".seg") for name in disk.names(Path("/data"))) == files
    assert writes in (None, disk.writes)


@pytest.mark.config_effect("journal.spare_retry_commits")
def test_the_reserve_is_tried_again_after_so_many_commits() -> None:
    """Once there is space again, storage stays low for the configured number of commits."""
    for commits in (2, 5):
        disk = SimDisk()
        disk.space_bytes = 8_192 + 1_000
        kept = journal(disk, spare_retry_commits=commits)
        assert kept.storage_low
        disk.space_bytes = None
        count = 0
        while kept.storage_low and count < 50:
            kept.append(count, "tick", schema=1, payload=b"x")
            kept.commit()
            count += 1
        assert count == commits
