"""The words of an alert: which of them ask to buy or to leave, and which direction they settle together.

Only the words are judged here; symbol, timeframe, instant and levels are read elsewhere.
"""

import re
from enum import Enum
from functools import cache, lru_cache
from typing import NamedTuple

from rules.alert_text import Tree, Value
from state.alert import Direction, FieldError
from state.contract import Right

ENTRY_PATHS = (
    *("direction", "side", "action", "signal.type", "signal.direction", "signal.side", "signal", "signal_type"),
    *("signalType", "strategy.order.action", "type", "condition"),
)
"""Where an entry word may stand, highest rank first."""

CONTEXT_PATHS = ("trend", "bias", "regime_context.local_bias", "execution_guidance.bias", "market.market_bias")
"""Context never makes an entry: it only settles the direction of a body whose entry word has none."""

EXIT_PATHS = (*ENTRY_PATHS, "event", "event_type", "message")
FLAT_PATHS = ("market_position", "position", "strategy.market_position")
RIGHT_PATHS = ("right", "option_type", "optionType", "strategy", "type")

_WRAPPERS = ("data", "payload")
_WORD_CHARS_MAX = 40
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TARGET_OR_STOP = re.compile(r"tp[a-z]*|sl")

_LONG, _SHORT = Direction.LONG, Direction.SHORT
_SIDES = {"buy": _LONG, "bto": _LONG, "sell": _SHORT, "sto": _SHORT}
_POSITIONS = {"long": _LONG, "short": _SHORT}
_VIEWS = {
    **dict.fromkeys(("bull", "bullish", "up", "uptrend"), _LONG),
    **dict.fromkeys(("bear", "bearish", "down", "downtrend"), _SHORT),
}
_RIGHTS = {"call": Right.CALL, "calls": Right.CALL, "put": Right.PUT, "puts": Right.PUT}
_EXITS = frozenset(("close", "exit", "flat", "flatten", "cover", "stc", "sl", "tp", "stoploss", "takeprofit"))
_NEUTRALS = frozenset(("neutral", "none", "sideways", "mixed"))
_ENTRIES = frozenset(("entry", "enter", "entered", "open", "signal", "setup", "trigger"))
_FILLERS = frozenset(
    (
        "to",
        "go",
        "new",
        "strong",
        "type",
        "position",
        "order",
        "trade",
        "now",
        "alert",
        "all",
        "hit",
        "reached",
        "partial",
    )
)
_GLUED = {
    **{f"{verb}{side}": (verb, side) for verb in ("close", "exit") for side in ("long", "short", "all", "position")},
    **{f"{side}{verb}": (side, verb) for verb in ("entry", "exit", "close") for side in ("long", "short")},
    **{f"{verb}{side}": (verb, side) for verb in ("enter", "go", "open") for side in ("long", "short")},
}


class Sense(Enum):
    """What one word asks for."""

    DIRECTED = "directed"
    ENTRY = "entry"
    EXIT = "exit"
    NEUTRAL = "neutral"
    AMBIGUOUS = "ambiguous"
    UNREAD = "unread"


class Kind(Enum):
    """How a directed word speaks: of the order, the position held, the market, or the option."""

    SIDE = "side"
    POSITION = "position"
    VIEW = "view"
    RIGHT = "right"


class Word(NamedTuple):
    """One word of the body, where it stood and how it was read. For an exit, `direction` is what it closes."""

    path: str
    text: str
    sense: Sense
    direction: Direction | None = None
    kind: Kind | None = None
    right: Right | None = None
    sells: bool = False


class Settled(NamedTuple):
    """The direction of a body with the words that said otherwise."""

    direction: Direction
    warnings: tuple[str, ...]


def present(tree: Tree, paths: tuple[str, ...]) -> list[tuple[str, Value]]:
    """Every value that stands at one of the paths, in their order, first at the top, then inside `data`, `payload`.

    A path may be spelled nested or as one dotted key. Null and blank text count as absent.
    """
    keys, keyed = _keyed(paths)
    # Most alerts hold few of the many keys that are looked for.
    if tree.keys().isdisjoint(keys):
        return []
    scopes = [tree, *(scope for wrapper in _WRAPPERS if isinstance(scope := tree.get(wrapper), dict))]
    found = ((path, _at(scope, path)) for scope in scopes for path, key in keyed if path in scope or key in scope)
    return [(path, value) for path, value in found if value is not None and value != ""]


@cache
def _keyed(paths: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """All keys one of which must be there for any of the paths, and each path with the key at which it begins nested."""
    keyed = tuple((path, path.partition(".")[0]) for path in paths)
    return frozenset((*_WRAPPERS, *(key for pair in keyed for key in pair))), keyed


def _at(tree: Tree, path: str) -> Value:
    node: Value = tree.get(path)
    if node is None and "." in path:
        node = tree
        for part in path.split("."):
            node = node.get(part) if isinstance(node, dict) else None
    return node.strip() if isinstance(node, str) else node


def read_word(path: str, text: str) -> Word:
    """Read one word or short phrase such as `BUY`, `long_entry`, `closeLong`, `buy_put`, `tp1`; a longer one says nothing."""
    return Word(path, text, Sense.UNREAD) if len(text) > _WORD_CHARS_MAX else _read_short(path, text)


@lru_cache(maxsize=1_024)
def _read_short(path: str, text: str) -> Word:
    tokens = _tokens(text)
    # A message is free text: beyond three words it tells a story, such as `SL 64 TP 65`, and orders nothing.
    if not tokens or (path == "message" and len(tokens) > 3):
        return Word(path, text, Sense.UNREAD)
    leaves = _TARGET_OR_STOP.fullmatch(tokens[0]) and (path != "message" or len(tokens) == 1)
    if leaves or all(_is_known(token) for token in tokens):
        return _known_word(path, text, tokens)
    return Word(path, text, Sense.UNREAD)


def entry_words(tree: Tree) -> list[Word]:
    """The entry words of a body, highest rank first. `type: call` beside a strike names the option, not a wish."""
    words = [read_word(path, value) for path, value in present(tree, ENTRY_PATHS) if isinstance(value, str)]
    option = bool(present(tree, ("strike",)))
    return [word for word in words if not (option and word.path == "type" and word.kind is Kind.RIGHT)]


def context_words(tree: Tree) -> list[Word]:
    """The directed words that only describe the market."""
    words = [read_word(path, value) for path, value in present(tree, CONTEXT_PATHS) if isinstance(value, str)]
    return [word for word in words if word.sense is Sense.DIRECTED]


def exit_words(tree: Tree) -> list[Word]:
    """The words that ask to leave a position; where there is one, the body is never an entry."""
    words = [read_word(path, value) for path, value in present(tree, EXIT_PATHS) if isinstance(value, str)]
    flat = [Word(path, "flat", Sense.EXIT) for path, value in present(tree, FLAT_PATHS) if _says_flat(value)]
    return flat + [word for word in words if word.sense is Sense.EXIT]


def option_right(tree: Tree) -> Right | None:
    """The right that a body names beside its direction."""
    for _, value in present(tree, RIGHT_PATHS):
        text = value.strip().lower() if isinstance(value, str) else ""
        if text in ("c", "p") or text in _RIGHTS:
            return _RIGHTS.get(text) or (Right.CALL if text == "c" else Right.PUT)
    return None


def settle(
    words: list[Word], context: list[Word], right: Right | None, *, names_contract: bool
) -> Settled | FieldError:
    """The one direction of all words: the highest ranked wins, unless the words contradict the option they name.

    `right` is the right named beside the words; `names_contract` says that the symbol itself is an option, so that
    `long` speaks of the contract and not of the market.
    """
    deciding = [word for word in words if word.sense in (Sense.DIRECTED, Sense.NEUTRAL, Sense.AMBIGUOUS)]
    if not deciding and any(word.sense is Sense.ENTRY for word in words):
        deciding = context
    if not deciding or (words and words[0].path == "direction" and words[0].sense is Sense.UNREAD):
        return _undirected(words)
    first = deciding[0]
    if first.sense is Sense.NEUTRAL:
        return FieldError(
            "direction", "neutral_direction", f"{first.path} is neutral; send long or short, or no alert at all"
        )
    spoken = right or next((word.right for word in deciding if word.right), None)
    # Selling an option that is named may mean to close or to write it; only buying it opens what we hold.
    sold = any(word.sells for word in deciding) and (spoken is Right.CALL or right is not None)
    direction = None if sold else _beside_right(first, spoken, names_contract=names_contract)
    if first.sense is Sense.AMBIGUOUS or direction is None:
        said = ", ".join(f"{word.path}={_shown(word.text)}" for word in deciding)
        beside = f" with a {spoken.name.lower()}" if spoken else ""
        return FieldError(
            "direction",
            "ambiguous_direction",
            f"{said}{beside} may mean to close, to write or to buy;"
            " send direction long or short to open a position, or action close to leave one",
        )
    warnings = ["direction_from_context"] if first.path in CONTEXT_PATHS else []
    warnings += [
        f"direction_disagrees:{word.path}={_shown(word.text)}"
        for word in dict.fromkeys([*deciding, *context])
        if _disagrees(word, direction, right)
    ]
    warnings += [f"unread_word:{word.path}={_shown(word.text)}" for word in words if _is_unread_wish(word)]
    return Settled(direction, tuple(warnings))


def _undirected(words: list[Word]) -> FieldError:
    """No word gives a direction: say which ones were seen."""
    unread = [word for word in words if word.sense is Sense.UNREAD]
    if not unread:
        return FieldError("direction", "missing_direction", "no direction; add direction with the value long or short")
    said = ", ".join(f"{word.path}={_shown(word.text)}" for word in unread[:3])
    return FieldError("direction", "unread_direction", f"{said} gives no direction; send direction long or short")


def _beside_right(word: Word, right: Right | None, *, names_contract: bool) -> Direction | None:
    """What a word means when the option is known to be a call or a put; None when they do not fit together."""
    if right is None:
        return word.direction
    view = _LONG if right is Right.CALL else _SHORT
    if word.kind is Kind.SIDE:
        return view
    if word.kind is Kind.POSITION and names_contract:
        return view if word.direction is _LONG else None
    return view if word.direction is view else None


def _disagrees(word: Word, direction: Direction, right: Right | None) -> bool:
    """True for a word that alone would have said otherwise. Buying the put that a body names is no disagreement."""
    if word.sense in (Sense.NEUTRAL, Sense.AMBIGUOUS):
        return True
    buys = word.kind in (Kind.SIDE, Kind.POSITION) and word.direction is _LONG and right is not None
    return word.direction is not direction and not buys


def _is_unread_wish(word: Word) -> bool:
    return word.sense is Sense.UNREAD and word.path in ("direction", "side", "action")


def _tokens(text: str) -> list[str]:
    """Lower-case words of a phrase, split at signs, digits and humps."""
    words = (token.lower() for token in _TOKEN.findall(text))
    return [part for word in words for part in _GLUED.get(word, (word,))]


def _is_known(token: str) -> bool:
    groups = (_SIDES, _POSITIONS, _VIEWS, _RIGHTS, _EXITS, _NEUTRALS, _ENTRIES, _FILLERS)
    return token.isdigit() or any(token in group for group in groups)


def _known_word(path: str, text: str, tokens: list[str]) -> Word:
    """A phrase of known tokens; an exit outweighs everything, then what contradicts itself."""
    directions = [group[token] for group in (_SIDES, _POSITIONS, _VIEWS) for token in tokens if token in group]
    direction = directions[0] if len(dict.fromkeys(directions)) == 1 else None
    if _TARGET_OR_STOP.fullmatch(tokens[0]) or any(token in _EXITS for token in tokens):
        held = next((_POSITIONS[token] for token in tokens if token in _POSITIONS), None)
        return Word(path, text, Sense.EXIT, held)
    if any(token in _NEUTRALS for token in tokens):
        return Word(path, text, Sense.NEUTRAL)
    right = next((_RIGHTS[token] for token in tokens if token in _RIGHTS), None)
    sells = "sell" in tokens or "sto" in tokens
    written = "sto" in tokens or ("sell" in tokens and "open" in tokens)
    if written or (directions and direction is None) or (right and (sells or "short" in tokens)):
        return Word(path, text, Sense.AMBIGUOUS, sells=sells, right=right)
    if right:
        view = _LONG if right is Right.CALL else _SHORT
        if any(token in _VIEWS and _VIEWS[token] is not view for token in tokens):
            return Word(path, text, Sense.AMBIGUOUS, right=right)
        return Word(path, text, Sense.DIRECTED, view, Kind.RIGHT, right)
    if direction is None:
        entry = any(token in _ENTRIES for token in tokens)
        return Word(path, text, Sense.ENTRY if entry else Sense.UNREAD)
    return Word(path, text, Sense.DIRECTED, direction, _kind(tokens), sells=sells)


def _kind(tokens: list[str]) -> Kind:
    if any(token in _SIDES for token in tokens):
        return Kind.SIDE
    return Kind.POSITION if any(token in _POSITIONS for token in tokens) else Kind.VIEW


def _says_flat(value: Value) -> bool:
    return isinstance(value, str) and value.lower() == "flat"


def _shown(text: str) -> str:
    """A short piece of what the sender wrote, without anything that would break a line."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:24])
