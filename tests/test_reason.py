"""The registry of codes: told once each, in words, and complete for what can be retried."""

from state import reason
from state.reason import REASONS, Stage, words


def test_a_code_is_told_once_and_in_words() -> None:
    """No row overwrites another, every code is an identifier, every text a phrase."""
    assert len(REASONS) == len(reason._ROWS)
    assert all(code == one.code and code.isidentifier() and code.islower() for code, one in REASONS.items())
    assert all(one.text and not one.text.endswith(".") for one in REASONS.values())


def test_codes_stand_in_the_order_of_the_walk() -> None:
    """The door first, then intake, gates and contract, then orders, exits, the operator and the core."""
    order = [
        Stage.DOOR,
        Stage.INTAKE,
        Stage.CONTRACT,
        Stage.SIZING,
        Stage.ORDER,
        Stage.EXIT,
        Stage.OPERATOR,
        Stage.CORE,
    ]
    places = [[one.stage for one in REASONS.values()].index(stage) for stage in order]
    assert places == sorted(places)


def test_only_passing_faults_are_tried_again() -> None:
    """The market, the machine or the program may be better in a minute; a limit or the operator's word is not."""
    assert {code for code, one in REASONS.items() if one.retryable} == {
        "market_data_unavailable",
        "quote_stale",
        "clock_jumped",
        "clock_behind",
        "storage_low",
        "processing_failed",
    }


def test_words_fall_back_to_the_code() -> None:
    """An unregistered code is shown as it is, none as nothing."""
    assert (words("stop_loss"), words("elsewhere"), words(None)) == ("the mark reached the stop", "elsewhere", "")
