"""The loop: one input becomes one record, time never goes back, and settings are those of the configuration in force."""

import pytest
from msgspec.structs import replace

from oracle import config
from oracle.loop import Loop
from rules.settings import Settings
from state import keeping
from state.errors import LawBroken
from state.facts import AlertLogged
from state.inputs import AlertReceived, AnyInput, CalendarAdopted, ConfigAdopted, OperatorAsked, TickReached
from state.portfolio import Portfolio
from state.record import decode
from tests.stage import Kept, instant
from tests.tapes import calendar_of

DAY = "2026-02-13"
CALENDAR = CalendarAdopted(calendar_of("2026-02-02", "2026-04-30"))
BODY = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"}'


def begun(kept: Kept | None = None) -> tuple[Loop, Kept]:
    """A loop with the shipped configuration and a calendar, and what it handed on."""
    kept = kept or Kept()
    loop = Loop(Portfolio(), kept, settings_of=config.decode)
    for told in (config.adopted(config.load()), CALENDAR):
        loop.take(told, at=instant(DAY, "09:00:00"))
    return loop, kept


def test_what_is_handed_on_is_the_record() -> None:
    """The journal's copy decodes to input and facts, under the LSN and the instant of the portfolio."""
    loop, kept = begun()
    record = loop.take(AlertReceived(BODY, "rule"), at=instant(DAY, "10:30:00"))
    seen_at, schema, payload = kept.payloads[-1]
    assert decode(payload, schema) == record
    assert (loop.portfolio.lsn, loop.portfolio.now) == (len(kept.payloads), seen_at) == (3, instant(DAY, "10:30:00"))
    assert [type(fact).__name__ for fact in record.facts] == ["AlertLogged", "SignalCreated"]


def test_time_never_goes_back() -> None:
    """An input that claims an earlier instant is seen at the last one."""
    loop, kept = begun()
    loop.take(OperatorAsked("all", "late"), at=instant(DAY, "10:30:00"))
    loop.take(AlertReceived(BODY, "rule"), at=instant(DAY, "10:29:00"))
    assert [seen_at for seen_at, _, _ in kept.payloads[-2:]] == [instant(DAY, "10:30:00")] * 2


def test_a_new_configuration_is_in_force_from_its_own_record_on() -> None:
    """Settings follow the adopted bytes; the account is funded once."""
    loop, _ = begun()
    funded = loop.portfolio.ledgers["paper"].cash_start
    assert loop.settings.intake.exit_alerts == "ignore"
    changed = replace(config.load(), intake=replace(config.load().intake, exit_alerts="close"))
    loop.take(ConfigAdopted(config.canonical(changed), "digest", 1), at=0)
    assert loop.settings.intake.exit_alerts == "close"
    assert loop.portfolio.ledgers["paper"].cash_start == funded


def test_a_loop_over_a_restored_portfolio_goes_on_as_the_first_would() -> None:
    """The settings come back from the configuration in the portfolio, and the next record is the same."""
    one, kept = begun()
    resumed = Kept()
    resumed.payloads = list(kept.payloads)
    other = Loop(keeping.decode(keeping.encode(one.portfolio)), resumed, settings_of=config.decode)
    assert other.settings == one.settings
    told: tuple[AnyInput, ...] = (AlertReceived(BODY, "rule"), TickReached(None))
    for loop in (one, other):
        for number, single in enumerate(told):
            loop.take(single, at=instant(DAY, f"10:30:0{number}"))
    assert resumed.payloads == kept.payloads
    assert keeping.digest(other.portfolio) == keeping.digest(one.portfolio)


def test_an_empty_portfolio_has_the_shipped_settings() -> None:
    """Before any configuration was adopted there is nothing to read them from."""
    assert Loop(Portfolio(), Kept(), settings_of=config.decode).settings == Settings()


def test_a_journal_that_numbers_otherwise_is_a_broken_law() -> None:
    """Two writers, or a lost record: the process must end."""
    loop, kept = begun()
    kept.payloads.pop()
    with pytest.raises(LawBroken, match="the journal numbered record 3 as 2"):
        loop.take(OperatorAsked("all", "now"), at=instant(DAY, "10:30:00"))


def test_a_decision_before_the_calendar_is_a_broken_law() -> None:
    """Nothing can be judged without knowing what day it is."""
    loop = Loop(Portfolio(), Kept(), settings_of=config.decode)
    with pytest.raises(LawBroken, match="no calendar"):
        loop.take(TickReached(None), at=instant(DAY, "10:30:00"))


def test_what_cannot_be_read_is_answered_and_goes_on() -> None:
    """A stranger's bytes are a refusal, never a failure of the loop."""
    loop, _ = begun()
    record = loop.take(AlertReceived("\x00{", "rule"), at=instant(DAY, "10:30:00"))
    assert [fact.status for fact in record.facts if isinstance(fact, AlertLogged)] == ["invalid_payload"]
    assert loop.take(AlertReceived(BODY, "rule"), at=0).facts[0].signal_id == "sig-000001"


def test_after_a_broken_law_nothing_more_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory then is not what the journal holds, so that no later input may be decided on it."""
    loop, kept = begun()
    monkeypatch.setattr(Portfolio, "check", _breaks)
    with pytest.raises(LawBroken, match="for a test"):
        loop.take(AlertReceived(BODY, "rule"), at=instant(DAY, "10:30:00"))
    monkeypatch.undo()
    with pytest.raises(LawBroken, match="was not finished"):
        loop.take(AlertReceived(BODY, "rule"), at=instant(DAY, "10:31:00"))
    assert len(kept.payloads) == 2


def _breaks(_: Portfolio) -> None:
    raise LawBroken("for a test")
