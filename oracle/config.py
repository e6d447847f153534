"""The configuration: `config.toml` read into one frozen tree of the structs that the rules and the journal own.

Dollars and percent of the file become micro-dollars and basis points here. Deliberately absent: the environment, which
holds secrets and nothing else.
"""

import difflib
import hashlib
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import inspect

from oracle.clock import PaceSettings
from oracle.config_values import found, reader, written
from oracle.inbox import InboxSettings
from oracle.listener.limits import ListenerSettings
from oracle.log import LogSettings
from oracle.meanings import MEANINGS
from rules.alert_fields import timeframe_name, timeframe_seconds
from rules.fills import FillModel
from rules.profiles import Profile
from rules.settings import Settings
from rules.sizing import SizingMode
from state import money
from state.errors import BadUsage, JournalDamaged
from state.frames import PAYLOAD_BYTES_MAX
from state.inputs import ConfigAdopted
from state.journal import Limits
from state.money import Count, Usd

DAYS_MAX = 3_650
SEGMENT_BYTES_MIN = 2 * PAYLOAD_BYTES_MAX
"""The largest record fits in a segment of this size, with room for as much beside it."""


class AccountSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The account. `cash_start_usd` funds the ledgers once, when the first configuration is adopted."""

    mode: Literal["paper", "live"] = "paper"
    cash_start_usd: Usd = 50_000_000_000


class JournalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of the journal on disk; they change no decision."""

    segment_bytes: Count = Limits().segment_bytes
    batch_bytes_max: Count = Limits().batch_bytes_max
    spare_retry_commits: Count = Limits().spare_retry_commits

    @property
    def limits(self) -> Limits:
        """The same sizes as the journal takes them."""
        return Limits(self.segment_bytes, self.batch_bytes_max, self.spare_retry_commits)


class Config(Settings, frozen=True, forbid_unknown_fields=True):
    """Everything that can be configured: the settings of the rules, and those of the account and of the process beside them."""

    account: AccountSettings = AccountSettings()
    pace: PaceSettings = PaceSettings()
    listener: ListenerSettings = ListenerSettings()
    inbox: InboxSettings = InboxSettings()
    log: LogSettings = LogSettings()
    journal: JournalSettings = JournalSettings()


class Row(msgspec.Struct, frozen=True):
    """One key for people: `value` and `default` as they are written in the file; `origin` is file or default."""

    key: str
    value: str
    default: str
    origin: str
    meaning: str


TABLES = ("account", *Settings.__struct_fields__, "pace", "listener", "inbox", "log", "journal")
"""The tables of the file, in the order in which they are shown."""

# -- the contradictions ---------------------------------------------------------------------------------------------


Law = tuple[tuple[str, ...], Callable[[Config], bool], str]
"""The keys it is about, whether it holds, and what to do when it does not."""


def _profile_laws(name: str) -> Iterator[Law]:
    def of(config: Config) -> Profile:
        profile: Profile = getattr(config.profiles, name)
        return profile

    at = f"profiles.{name}"
    least, most, leave = f"{at}.entry_dte_min", f"{at}.entry_dte_max", f"{at}.exit_dte_min"
    hold, stop, target = f"{at}.hold_hours_max", f"{at}.stop_loss_pct", f"{at}.profit_target_pct"
    too_soon = "must be more than exit_dte_min, or what is bought leaves at once"
    yield (least, leave), lambda c: of(c).entry_dte_min > of(c).exit_dte_min, too_soon
    yield (least, most), lambda c: of(c).entry_dte_min <= of(c).entry_dte_max, "must not be more than entry_dte_max"
    yield (most,), lambda c: of(c).entry_dte_max <= DAYS_MAX, f"must be at most {DAYS_MAX} days"
    yield (hold,), lambda c: of(c).hold_hours_max <= DAYS_MAX * 24, f"must be at most {DAYS_MAX * 24} hours"
    yield (stop,), lambda c: 0 < of(c).stop_loss_pct <= money.BASIS_POINTS, "must be more than 0 and at most 100"
    yield (target,), lambda c: of(c).profit_target_pct > 0, "must be more than 0, or every position leaves at once"


LAWS: tuple[Law, ...] = (
    (("account.mode",), lambda c: c.account.mode == "paper", "must be paper: there is nothing that could trade live"),
    (("account.cash_start_usd",), lambda c: c.account.cash_start_usd > 0, "must be more than 0 to trade with"),
    *(law for name in Settings().profiles.__struct_fields__ for law in _profile_laws(name)),
    (
        ("fills.spread_fraction_pct", "fills.model"),
        lambda c: c.fills.model is not FillModel.SPREAD_FRACTION or c.fills.spread_fraction_pct >= 5_000,
        "must be at least 50, the quoted side; only fills.model = mid fills better than the quote",
    ),
    (
        ("sizing.base_contracts", "sizing.mode"),
        lambda c: c.sizing.mode is not SizingMode.FIXED or c.sizing.base_contracts >= 1,
        "must be at least 1 in mode fixed, or nothing is ever bought",
    ),
    (
        ("sizing.equity_pct", "sizing.mode"),
        lambda c: c.sizing.mode is not SizingMode.PERCENT_EQUITY or 0 < c.sizing.equity_pct <= money.BASIS_POINTS,
        "must be more than 0 and at most 100 in mode percent_equity",
    ),
    (("sizing.contracts_max",), lambda c: c.sizing.contracts_max >= 1, "must be at least 1, or nothing is ever bought"),
    (
        ("orders.entry_timeout_s", "fills.latency_s"),
        lambda c: c.orders.entry_timeout_s >= c.fills.latency_s,
        "must not be less than fills.latency_s, or every entry is cancelled before it may fill",
    ),
    (("orders.exit_alert_after_s",), lambda c: c.orders.exit_alert_after_s >= 1, "must be at least 1 second"),
    (("wants.strikes_each_side",), lambda c: c.wants.strikes_each_side >= 1, "must be at least 1 to see any contract"),
    (
        ("intake.duplicate_windows_s",),
        lambda c: all(_is_timeframe(one) for one in c.intake.duplicate_windows_s),
        "must name timeframes as the program does: 1m, 5m, 1h, 1d, 1w",
    ),
    (("pace.interval_s",), lambda c: c.pace.interval_s >= 1, "must be at least 1 second"),
    (("listener.port",), lambda c: c.listener.port <= 65_535, "must be at most 65,535"),
    (("listener.read_s_max",), lambda c: c.listener.read_s_max >= 1, "must be at least 1 second"),
    (("listener.idle_s_max",), lambda c: c.listener.idle_s_max >= 1, "must be at least 1 second"),
    (
        ("listener.connections_max",),
        lambda c: c.listener.connections_max >= 1,
        "must be at least 1 for anybody to call",
    ),
    (("inbox.alerts_max",), lambda c: c.inbox.alerts_max >= 1, "must be at least 1, or no alert is ever taken"),
    (("inbox.reserved_max",), lambda c: c.inbox.reserved_max >= 1, "must be at least 1 for the operator to be heard"),
    (
        ("journal.segment_bytes",),
        lambda c: c.journal.segment_bytes >= SEGMENT_BYTES_MIN,
        f"must be at least {SEGMENT_BYTES_MIN:_}, or a large record does not fit",
    ),
    (
        ("journal.batch_bytes_max", "journal.segment_bytes"),
        lambda c: 1 <= c.journal.batch_bytes_max <= c.journal.segment_bytes,
        "must be at least 1 and at most segment_bytes",
    ),
    (("journal.spare_retry_commits",), lambda c: c.journal.spare_retry_commits >= 1, "must be at least 1"),
)
"""What single keys cannot show: every contradiction between settings, each a reason not to start."""


# -- the file -------------------------------------------------------------------------------------------------------


def load(path: Path | None = None) -> Config:
    """The configuration in a file, or the shipped defaults. Raises BadUsage naming every fault of the file at once."""
    return Config() if path is None else _accepted(path)[0]


def check(path: Path) -> tuple[str, ...]:
    """Every fault of a file, each with the path of its key; none when it can be used."""
    return _read(path)[1]


def origins(path: Path | None = None) -> tuple[Row, ...]:
    """Every key with its effective value and where that comes from. Raises BadUsage as `load` does."""
    config, given = (Config(), set[str]()) if path is None else _accepted(path)
    default = dict(_leaves(Config()))
    return tuple(
        Row(
            key=key,
            value=written(kind, value),
            default=written(kind, default[key][1]),
            origin="file" if key in given else "default",
            meaning=meaning(key),
        )
        for key, (kind, value) in _leaves(config)
    )


def paths() -> tuple[str, ...]:
    """The path of every key that exists, in the order of the file."""
    return tuple(key for key, _ in _leaves(Config()))


def meaning(key: str) -> str:
    """What a key does, in one line."""
    table, *_, name = key.split(".")
    return MEANINGS[f"{table}.{name}"]


def template() -> str:
    """The text of a `config.toml` that says every default and what it means."""
    lines = ["# Every key with its default; a file needs only those it changes. Money is in dollars, pct in percent."]
    table = ""
    for row in origins():
        inside, name = row.key.rsplit(".", 1)
        if inside != table:
            lines += ["", f"[{inside}]"]
            table = inside
        lines += [f"# {row.meaning}", f"{name} = {row.value}"]
    return "\n".join(lines) + "\n"


def _accepted(path: Path) -> tuple[Config, set[str]]:
    config, faults, given = _read(path)
    if faults:
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise BadUsage(f"{path} cannot be used, {count} to mend:\n" + "\n".join(f"  {fault}" for fault in faults))
    return config, given


def _read(path: Path) -> tuple[Config, tuple[str, ...], set[str]]:
    """(the configuration with defaults in place of faults, the faults, the paths of the keys the file sets)."""
    try:
        told = tomllib.loads(path.read_text("utf-8"), parse_float=_exact)
    except OSError as failure:
        return Config(), (f"the file cannot be read: {failure.strerror}",), set()
    except (ValueError, RecursionError) as fault:
        return Config(), (f"the file is not TOML: {fault}",), set()
    faults: dict[str, str] = {}
    given: set[str] = set()
    config = _table(Config(), told, "", (faults, given))
    broken = (
        (about[0], message) for about, holds, message in LAWS if faults.keys().isdisjoint(about) and not holds(config)
    )
    said = [f"{at}: {message}" for at, message in [*faults.items(), *broken]]
    return config, tuple(said), given


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is no usable number") from None


def _table(default: msgspec.Struct, told: object, at: str, noted: tuple[dict[str, str], set[str]]) -> Any:
    """`default` with what a table of the file says instead; faults and given keys are noted by path."""
    faults, given = noted
    if not isinstance(told, dict):
        faults[at] = f"expected a table, found {found(told)}"
        return default
    prefix = f"{at}." if at else ""
    kinds = _kinds(default)
    changed = {}
    for name, value in told.items():
        path, kind = f"{prefix}{name}", kinds.get(name)
        if kind is None:
            faults[path] = f"unknown key{_suggestion(name, prefix, tuple(kinds))}"
        elif isinstance(kind, inspect.StructType):
            changed[name] = _table(getattr(default, name), value, path, noted)
        else:
            expected, read = reader(kind)
            taken = read(value)
            if taken is None:
                faults[path] = f"expected {expected}, found {found(value)}"
            else:
                changed[name] = taken
                given.add(path)
    return msgspec.structs.replace(default, **changed)


def _suggestion(name: str, prefix: str, siblings: tuple[str, ...]) -> str:
    """The nearest key beside an unknown one, else the places where a key of its name belongs."""
    near = [f"{prefix}{one}" for one in difflib.get_close_matches(name, siblings, n=1)]
    meant = near or [key for key in paths() if key.rsplit(".", 1)[1] == name]
    return f"; did you mean {' or '.join(meant)}?" if meant else f"; known here: {', '.join(siblings)}"


# -- the tree -------------------------------------------------------------------------------------------------------


def _kinds(settings: msgspec.Struct) -> dict[str, inspect.Type]:
    described = inspect.type_info(type(settings))
    return {field.name: field.type for field in described.fields} if isinstance(described, inspect.StructType) else {}


def _leaves(settings: msgspec.Struct, at: str = "") -> Iterator[tuple[str, tuple[inspect.Type, Any]]]:
    """(path, (kind, value)) of every key, the tables in the order of `TABLES`."""
    kinds = _kinds(settings)
    for name in kinds if at else TABLES:
        value = getattr(settings, name)
        if isinstance(value, msgspec.Struct):
            yield from _leaves(value, f"{at}{name}.")
        else:
            yield f"{at}{name}", (kinds[name], value)


def _is_timeframe(text: str) -> bool:
    seconds = timeframe_seconds(text)
    return seconds is not None and timeframe_name(seconds) == text


# -- the journal's copy ---------------------------------------------------------------------------------------------


def canonical(config: Config) -> bytes:
    """The configuration as canonical JSON: keys sorted, integers in internal units, no space."""
    return msgspec.json.encode(config, order="sorted")


def adopted(config: Config) -> ConfigAdopted:
    """The input that brings a configuration into force."""
    body = canonical(config)
    return ConfigAdopted(body, hashlib.sha256(body).hexdigest(), config.account.cash_start_usd)


def decode(body: bytes) -> Config:
    """The configuration in canonical bytes, be they of another version: its own keys count, the rest are defaults.

    A key that this version no longer has is dropped. Raises JournalDamaged when a value cannot be read.
    """
    try:
        return msgspec.convert(_merged(Config(), msgspec.json.decode(body)), Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        message = f"the journal holds a configuration this version cannot read: {fault}"
        raise JournalDamaged(f"{message}; read it with the version that wrote it") from fault


def _merged(default: msgspec.Struct, told: object) -> dict[str, object]:
    if not isinstance(told, dict):
        raise msgspec.ValidationError(f"Expected `object` for {type(default).__name__}, got {found(told)}")
    merged: dict[str, object] = {}
    for name in default.__struct_fields__:
        own = getattr(default, name)
        if isinstance(own, msgspec.Struct):
            merged[name] = _merged(own, told.get(name, {}))
        else:
            merged[name] = told.get(name, own)
    return merged
