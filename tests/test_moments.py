"""Moments: what follows from what at one instant, and the phrases all parts of a story use."""

from oracle.moments import Moment, Rank, because, ledger, of_signal, simulated, when
from tests.tapes import new_york

AT = new_york("2026-02-13", "10:30:00")


def test_a_code_is_told_with_its_words() -> None:
    """Without a code there is nothing to explain."""
    assert because("signal_stale") == ", signal_stale: the signal is too old to act on"
    assert because(None) == ""


def test_a_date_is_told_once() -> None:
    """An instant of the moment's own New York date goes without it, another one does not."""
    assert when(AT + 60_000_000_000, AT) == "10:31:00"
    assert when(new_york("2026-02-14", "00:00:00"), AT) == "2026-02-14 00:00:00"


def test_marks_stand_only_where_they_belong() -> None:
    """Trades of tests are marked, an answer names its signal if it has one."""
    assert (ledger({"is_test": 0}), ledger({"is_test": 1})) == ("", " (test ledger, never counted)")
    assert (of_signal({"signal_id": None}), of_signal({"signal_id": "sig-000001"})) == ("", " of sig-000001")


def test_moments_of_one_instant_keep_what_follows_from_what() -> None:
    """An alert comes before its judgement, a fill before the position it opens, whatever was found first."""
    found = [
        Moment(AT, Rank.HELD, "d"),
        Moment(AT, Rank.RECEIVED, "a"),
        Moment(AT, Rank.FILLED, "c"),
        Moment(AT, Rank.JUDGED, "b"),
    ]
    assert [one.line for one in sorted(found, key=lambda one: one[:2])] == ["a", "b", "c", "d"]


def test_a_row_of_simulated_prices_is_known_by_its_own_or_by_its_recommendation() -> None:
    """What was only recommended has no price of its own; what has neither is not called simulated."""
    assert simulated({"market_source": "simulated"})
    assert simulated({"recommendation": {"market_source": "simulated"}})
    assert not simulated({"market_source": "recorded", "recommendation": None})
    assert not simulated({"id": "evt-000001"})
