"""The words of an alert settle one direction, or are refused as contradicting each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alert_text import Tree
from rules.alert_words import Sense, Settled, context_words, entry_words, exit_words, option_right, read_word, settle
from state.alert import Direction, FieldError
from state.contract import Right

LONG, SHORT = Direction.LONG, Direction.SHORT

WORDS = [
    *((word, LONG) for word in ("long", "LONG", "CALL", "BUY", "buy", "Bull", "BULLISH", "up", "BTO", "🟢 Buy Signal")),
    *((word, SHORT) for word in ("short", "SHORT", "PUT", "SELL", "bear", "Bearish", "DOWN", "strong_sell")),
    *(
        (word, LONG)
        for word in ("long_entry", "enterLong", "POSITION_TYPE_BUY", "BUY_TO_OPEN", "long_call", "buy-call")
    ),
    *((word, SHORT) for word in ("longPut", "buy_put", "GoShort", "shortentry", "bearish put")),
]


@pytest.mark.parametrize(("text", "direction"), WORDS)
def test_the_families_of_words(text: str, direction: Direction) -> None:
    """Both families are read in any case and in the compound spellings of real senders."""
    word = read_word("direction", text)
    assert (word.sense, word.direction) == (Sense.DIRECTED, direction)


@pytest.mark.parametrize(
    ("text", "sense"),
    [
        *((word, Sense.EXIT) for word in ("close", "close_long", "closeshort", "EXIT", "tp", "TP1", "tp2_hit", "sl")),
        *((word, Sense.EXIT) for word in ("flat", "sell_to_close", "STC", "exitLong", "Close All", "tpFinal")),
        *((word, Sense.NEUTRAL) for word in ("NEUTRAL", "none", "sideways")),
        *(
            (word, Sense.AMBIGUOUS)
            for word in ("sell_call", "short put", "STO", "SELL_TO_OPEN", "buy/sell", "bull_put")
        ),
        *((word, Sense.ENTRY) for word in ("entry", "ENTER", "open")),
        *((word, Sense.UNREAD) for word in ("", "hold", "not long", "reclaimed above", "slow", "1", "BTCUSD", "limit")),
        ("buy " * 20, Sense.UNREAD),
    ],
)
def test_words_that_give_no_direction(text: str, sense: Sense) -> None:
    """What leaves, waits, contradicts itself or means nothing to us is told apart, never guessed."""
    assert read_word("action", text).sense is sense


def test_free_text_is_no_exit_for_its_first_word() -> None:
    """A message that begins with levels or speaks of closing prices does not close anything."""
    for said in ("SL 640 TP 650", "TP raised today", "TP 650 for this long trade idea", "Close above 450"):
        assert exit_words({"message": said}) == []
    assert [word.text for word in exit_words({"message": "TP1 hit"})] == ["TP1 hit"]


def settled(tree: Tree, *, names_contract: bool = False) -> Settled | FieldError:
    """The direction of a tree, as a reading asks for it."""
    return settle(entry_words(tree), context_words(tree), option_right(tree), names_contract=names_contract)


@pytest.mark.parametrize(
    ("tree", "direction", "warnings"),
    [
        ({"action": "BUY", "direction": "CALL"}, LONG, ()),
        ({"action": "BUY", "direction": "PUT"}, SHORT, ("direction_disagrees:action=BUY",)),
        ({"action": "PUT", "direction": "BUY"}, SHORT, ("direction_disagrees:direction=BUY",)),
        ({"action": "SELL", "direction": "PUT"}, SHORT, ()),
        ({"side": "sell", "direction": "long"}, LONG, ("direction_disagrees:side=sell",)),
        ({"side": "long", "action": "sell"}, LONG, ("direction_disagrees:action=sell",)),
        ({"side": "long", "trend": "BEARISH"}, LONG, ("direction_disagrees:trend=BEARISH",)),
        ({"action": "hold", "direction": "short"}, SHORT, ("unread_word:action=hold",)),
        ({"action": "entry", "bias": "bearish"}, SHORT, ("direction_from_context",)),
        ({"action": "BUY", "optionType": "put"}, SHORT, ()),
        ({"action": "BTO", "type": "P", "strike": "5"}, SHORT, ()),
        ({"action": "BUY", "strategy": "CALL"}, LONG, ()),
        ({"direction": "short", "right": "put"}, SHORT, ()),
        ({"strategy.order.action": "sell"}, SHORT, ()),
        ({"strategy": {"order": {"action": "buy"}}}, LONG, ()),
        ({"signal": {"side": "SHORT"}}, SHORT, ()),
        ({"payload": {"signal": "buy"}}, LONG, ()),
    ],
)
def test_words_together_settle_a_direction(tree: Tree, direction: Direction, warnings: tuple[str, ...]) -> None:
    """The explicit direction outranks the order side, a named option outranks both, and disagreement is recorded."""
    assert settled(tree) == Settled(direction, warnings)


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({}, "missing_direction"),
        ({"bias": "bullish"}, "missing_direction"),
        ({"action": "entry"}, "missing_direction"),
        ({"action": "hold"}, "unread_direction"),
        ({"direction": "reclaimed above", "action": "sell"}, "unread_direction"),
        ({"direction": "NEUTRAL", "action": "buy"}, "neutral_direction"),
        ({"action": "SELL", "direction": "CALL"}, "ambiguous_direction"),
        ({"action": "CALL", "direction": "SELL"}, "ambiguous_direction"),
        ({"action": "SELL", "optionType": "call"}, "ambiguous_direction"),
        ({"action": "SELL", "optionType": "put"}, "ambiguous_direction"),
        ({"direction": "long", "optionType": "put"}, "ambiguous_direction"),
        ({"direction": "short", "right": "C"}, "ambiguous_direction"),
        ({"direction": "long", "action": "sell", "strategy": "CALL"}, "ambiguous_direction"),
        ({"signal_type": "sell_put"}, "ambiguous_direction"),
    ],
)
def test_words_that_do_not_settle_are_refused(tree: Tree, code: str) -> None:
    """Nothing is opened on words that may as well mean to close or to write an option."""
    refused = settled(tree)
    assert isinstance(refused, FieldError)
    assert (refused.field, refused.code) == ("direction", code)


@pytest.mark.parametrize(
    ("word", "right", "direction"),
    [
        ("BUY", Right.CALL, LONG),
        ("long", Right.CALL, LONG),
        ("BUY", Right.PUT, SHORT),
        ("long", Right.PUT, SHORT),
        ("PUT", Right.PUT, SHORT),
        ("bearish", Right.PUT, SHORT),
        ("bullish", Right.PUT, None),
        ("SELL", Right.CALL, None),
        ("SELL", Right.PUT, None),
        ("short", Right.CALL, None),
        ("short", Right.PUT, None),
    ],
)
def test_a_named_contract_gives_the_direction(word: str, right: Right, direction: Direction | None) -> None:
    """Beside an option symbol, `buy` and `long` speak of the contract; to sell or short it opens nothing."""
    answer = settle([read_word("action", word)], [], right, names_contract=True)
    assert (answer.direction if isinstance(answer, Settled) else None) is direction


@given(st.text(max_size=60))
def test_any_text_is_read_as_some_word(text: str) -> None:
    """No text raises, and a directed word always carries its direction."""
    word = read_word("action", text)
    assert (word.sense is Sense.DIRECTED) <= (word.direction is not None)
