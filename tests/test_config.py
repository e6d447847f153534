"""The configuration: one file to one tree, every fault at once, and the journal's copy of it."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import config
from oracle.config import AccountSettings, Config, JournalSettings, adopted, canonical, check, decode, load, origins
from rules.fills import FillModel
from rules.profiles import SWING
from rules.settings import Settings
from state.errors import BadUsage, JournalDamaged
from state.journal import Limits

ROOT = Path(__file__).resolve().parents[1]
WHOLE = "a whole number from 0 to 4_294_967_295"
DOLLARS = "dollars from 0 to 1_000_000_000 with at most 6 decimals"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its configuration."""
    return tmp_path / "config.toml"


def faults(file: Path, text: str) -> list[str]:
    """The faults of a file with this text."""
    file.write_text(text, "utf-8")
    return list(check(file))


# -- what is read ---------------------------------------------------------------------------------------------------


def test_without_a_file_the_defaults_hold() -> None:
    """The shipped defaults are those of the structs, and rules can be told the whole tree."""
    assert load(None) == Config()
    assert isinstance(load(), Settings)
    assert load().journal.limits == Limits()


def test_a_file_changes_only_what_it_says(file: Path) -> None:
    """One key of a profile leaves the rest of that profile as it was."""
    file.write_text("[profiles.swing]\nstop_loss_pct = 60\n[gates]\nopen_positions_max = 2\n", "utf-8")
    found = load(file)
    assert found.profiles.swing == msgspec.structs.replace(SWING, stop_loss_pct=6_000)
    assert found.gates == msgspec.structs.replace(Config().gates, open_positions_max=2)
    expected = msgspec.structs.replace(Config(), gates=found.gates, profiles=found.profiles)
    assert found == expected


def test_dollars_and_percent_are_exact_in_internal_units(file: Path) -> None:
    """A file speaks in dollars and percent, the tree holds micro-dollars and basis points."""
    file.write_text(
        "account.cash_start_usd = 1_000.000001\n[fills]\ncommission_per_contract_usd = 0.65\nadverse_pct = 0.01\n"
        "model = 'mid'\nspread_fraction_pct = 12.5\n[intake.duplicate_windows_s]\n5m = 90\n[ticks]\npenny_roots = []\n",
        "utf-8",
    )
    found = load(file)
    assert found.account.cash_start_usd == 1_000_000_001
    assert (found.fills.commission_per_contract_usd, found.fills.adverse_pct) == (650_000, 1)
    assert (found.fills.model, found.fills.spread_fraction_pct) == (FillModel.MID, 1_250)
    assert (found.intake.duplicate_windows_s, found.ticks.penny_roots) == ({"5m": 90}, ())


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[gates]\nopen_position_max = 1", "gates.open_position_max: unknown key; did you mean gates.open_positions_max?"),
        ("[gate]\nopen_positions_max = 1", "gate: unknown key; did you mean gates?"),
        ("open_positions_max = 1", "open_positions_max: unknown key; did you mean gates.open_positions_max?"),
        ("[profiles.fast]\n", "profiles.fast: unknown key; known here: short_dated, swing"),
        ("[account]\nxyz = 1", "account.xyz: unknown key; known here: mode, cash_start_usd"),
        ("gates = 3", "gates: expected a table, found 3"),
        ("wants.strikes_each_side = 'x'", f"wants.strikes_each_side: expected {WHOLE}, found the text 'x'"),
        ("[session]\nallow_premarket = 1", "session.allow_premarket: expected true or false, found 1"),
        ("[fills]\nmodel = 'best'", "fills.model: expected one of mid, adverse_pct, spread_fraction, found the text 'best'"),
        ("[intake]\nprofile = 'day'", "intake.profile: expected one of short_dated, swing, found the text 'day'"),
        ("gates.exposure_usd_max = 0.0000001", f"gates.exposure_usd_max: expected {DOLLARS}, found 1E-7"),
        ("[sizing.mode]\na = 1", "sizing.mode: expected one of fixed, percent_equity, found a table"),
    ],
)  # fmt: skip
def test_a_fault_names_its_path_what_was_expected_and_what_was_found(file: Path, text: str, fault: str) -> None:
    """One fault is one line that can be acted on without reading anything else."""
    assert faults(file, text) == [fault]


@pytest.mark.parametrize(
    ("text", "at", "remedy"),
    [
        ("account.cash_start_usd = 0", "account.cash_start_usd", "more than 0"),
        ('account.mode = "live"', "account.mode", "must be paper"),
        ("pace.interval_s = 0", "pace.interval_s", "at least 1"),
        ("listener.port = 65_536", "listener.port", "at most 65,535"),
        ("listener.read_s_max = 0", "listener.read_s_max", "at least 1"),
        ("listener.idle_s_max = 0", "listener.idle_s_max", "at least 1"),
        ("listener.connections_max = 0", "listener.connections_max", "at least 1"),
        ("inbox.alerts_max = 0", "inbox.alerts_max", "at least 1"),
        ("inbox.reserved_max = 0", "inbox.reserved_max", "at least 1"),
        ("profiles.swing.entry_dte_min = 21", "profiles.swing.entry_dte_min", "more than exit_dte_min"),
        ("profiles.short_dated.exit_dte_min = 9", "profiles.short_dated.entry_dte_min", "more than exit_dte_min"),
        ("profiles.swing.entry_dte_max = 29", "profiles.swing.entry_dte_min", "not be more than entry_dte_max"),
        ("profiles.swing.entry_dte_max = 4000", "profiles.swing.entry_dte_max", "at most 3650"),
        ("profiles.swing.hold_hours_max = 90_000", "profiles.swing.hold_hours_max", "at most 87600"),
        ("profiles.swing.stop_loss_pct = 100.01", "profiles.swing.stop_loss_pct", "at most 100"),
        ("profiles.swing.stop_loss_pct = 0", "profiles.swing.stop_loss_pct", "more than 0"),
        ("profiles.swing.profit_target_pct = 0", "profiles.swing.profit_target_pct", "leaves at once"),
        ("fills.spread_fraction_pct = 49.99", "fills.spread_fraction_pct", "only fills.model = mid"),
        ("sizing.base_contracts = 0", "sizing.base_contracts", "at least 1"),
        ("sizing = {mode = 'percent_equity', equity_pct = 100.5}", "sizing.equity_pct", "at most 100"),
        ("sizing.contracts_max = 0", "sizing.contracts_max", "nothing is ever bought"),
        ("fills.latency_s = 61", "orders.entry_timeout_s", "cancelled before it may fill"),
        ("orders.exit_alert_after_s = 0", "orders.exit_alert_after_s", "at least 1"),
        ("wants.strikes_each_side = 0", "wants.strikes_each_side", "at least 1"),
        ("intake.duplicate_windows_s = {5min = 3}", "intake.duplicate_windows_s", "5m"),
        ("intake.duplicate_windows_s = {0w = 3}", "intake.duplicate_windows_s", "5m"),
        (
            "journal = {segment_bytes = 1_000_000, batch_bytes_max = 9}",
            "journal.segment_bytes",
            "a large record does not fit",
        ),
        ("journal.batch_bytes_max = 0", "journal.batch_bytes_max", "at least 1"),
        ("journal.spare_retry_commits = 0", "journal.spare_retry_commits", "at least 1"),
    ],
)
def test_a_contradiction_is_a_reason_not_to_start(file: Path, text: str, at: str, remedy: str) -> None:
    """What each key allows by itself may still be refused together, with the remedy."""
    found = faults(file, text)
    assert len(found) == 1
    assert found[0].startswith(f"{at}: must ")
    assert remedy in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "fills = {model = 'mid', spread_fraction_pct = 10}",
        "fills = {model = 'adverse_pct', spread_fraction_pct = 0, adverse_pct = 0}",
        "sizing = {mode = 'percent_equity', base_contracts = 0}",
        "profiles.swing.entry_dte_min = 22",
        "profiles.swing.stop_loss_pct = 100",
        "intake.duplicate_windows_s = {1h = 0, 90s = 5}",
    ],
)
def test_what_does_not_apply_is_no_contradiction(file: Path, text: str) -> None:
    """A key that the chosen mode does not use is not judged, and bounds belong to what they allow."""
    assert faults(file, text) == []


def test_every_fault_is_told_at_once(file: Path) -> None:
    """Wrong keys, wrong values and contradictions come in one refusal, which names the file and exits with 2."""
    file.write_text(
        "acount = 5\n[fills]\nlatency_s = 'one'\nadverse_pct = -1\nspread_fraction_pct = 40\n"
        "[profiles.swing]\nentry_dte_min = 21\n",
        "utf-8",
    )
    with pytest.raises(BadUsage) as refused:
        load(file)
    lines = str(refused.value).splitlines()
    assert lines[0] == f"{file} cannot be used, 5 faults to mend:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        *("acount", "fills.latency_s", "fills.adverse_pct"),
        *("profiles.swing.entry_dte_min", "fills.spread_fraction_pct"),
    ]
    assert refused.value.exit_code == 2


def test_a_faulty_value_is_not_also_a_contradiction(file: Path) -> None:
    """Where a value could not be read, nothing is concluded from the default in its place."""
    text = "[profiles.swing]\nexit_dte_min = 'late'\nentry_dte_min = 5\nentry_dte_max = 6\n"
    assert [fault.split(":")[0] for fault in faults(file, text)] == ["profiles.swing.exit_dte_min"]


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"[gates", "not TOML"),
        (b"[gates]\n[gates]\n", "not TOML"),
        (b"\xff\xfe", "not TOML"),
        (b"a = " + b"[" * 5_000, "not TOML"),
        (b"a = 1e9999999999999999999\n", "no usable number"),
        (b"gates.exposure_usd_max = 1e999999999\n", "expected dollars"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_fault(file: Path, raw: bytes, word: str) -> None:
    """Whatever stands in the file, the answer is a fault, never a crash and never a long computation."""
    file.write_bytes(raw)
    (fault,) = check(file)
    assert word in fault
    with pytest.raises(BadUsage, match="one fault"):
        load(file)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    """A named file must be there, and a directory is none."""
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(BadUsage, match="cannot be read"):
            load(path)


@given(st.text(max_size=60) | st.text(alphabet="[]{}=.\n\"'1a", max_size=60))
def test_no_text_crashes_the_reading(text: str) -> None:
    """Any text is read or refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", lambda *_: text)
        assert all(isinstance(fault, str) for fault in check(Path("config.toml")))


# -- what is shown --------------------------------------------------------------------------------------------------


def test_origins_tell_the_effective_value_and_where_it_is_from(file: Path) -> None:
    """Each key has its value and default in the words of the file; a default that is repeated is still the file's."""
    file.write_text("[gates]\nexposure_pct_max = 12.5\nopen_positions_max = 5\n", "utf-8")
    rows = {row.key: row for row in origins(file)}
    changed = rows["gates.exposure_pct_max"]
    assert (changed.value, changed.default, changed.origin) == ("12.5", "20", "file")
    assert (rows["gates.open_positions_max"].value, rows["gates.open_positions_max"].origin) == ("5", "file")
    assert (rows["fills.model"].value, rows["fills.model"].origin) == ('"spread_fraction"', "default")
    assert {row.origin for row in origins()} == {"default"}


def test_what_is_shown_can_be_read_again(file: Path) -> None:
    """The values shown for a configuration, written to a file, give that configuration."""
    file.write_text(
        "account.cash_start_usd = 12_345.678901\nintake.duplicate_windows_s = {5m = 7, 1h = 3_000}\n"
        "ticks.penny_roots = ['F']\nfills.adverse_pct = 0.07\nsession.allow_premarket = true\n",
        "utf-8",
    )
    again = file.with_name("again.toml")
    again.write_text("\n".join(f"{row.key} = {row.value}" for row in origins(file)), "utf-8")
    assert load(again) == load(file)
    assert [row.value for row in origins(again)] == [row.value for row in origins(file)]


# -- the journal's copy ---------------------------------------------------------------------------------------------


def test_canonical_bytes_are_sorted_json_in_internal_units() -> None:
    """Equal configurations have equal bytes on every machine: no float, no space, keys sorted."""
    body = canonical(Config())
    told = json.loads(body, parse_float=pytest.fail)
    assert json.dumps(told, sort_keys=True, separators=(",", ":")).encode() == body
    assert told["account"] == {"mode": "paper", "cash_start_usd": 50_000_000_000}
    assert decode(body) == Config()


def test_the_order_of_the_file_changes_nothing(file: Path) -> None:
    """Two files that say the same are one configuration."""
    bodies = []
    for windows in ("{5m = 1, 1h = 2}", "{1h = 2, 5m = 1}"):
        file.write_text(f"intake.duplicate_windows_s = {windows}\n", "utf-8")
        bodies.append(canonical(load(file)))
    assert bodies[0] == bodies[1]


def test_what_is_adopted_carries_its_digest_and_the_cash() -> None:
    """The input has the bytes, their SHA-256 and the cash that funds the ledgers."""
    told = adopted(Config(account=AccountSettings(cash_start_usd=7)))
    assert told.digest == hashlib.sha256(told.body).hexdigest()
    assert (told.cash_start, decode(told.body).account.cash_start_usd) == (7, 7)


def test_another_versions_configuration_can_be_read() -> None:
    """Keys that are gone are dropped, tables and keys that are new have their defaults, the rest counts."""
    told = json.loads(canonical(Config(journal=JournalSettings(spare_retry_commits=9))))
    told["gates"]["retired_key"] = 1
    told["retired_table"] = {"a": 1}
    told["gates"]["open_positions_max"] = 2
    del told["gates"]["quote_age_s_max"]
    del told["wants"], told["profiles"]["swing"]["stop_loss_pct"]
    expected = msgspec.structs.replace(
        Config(journal=JournalSettings(spare_retry_commits=9)),
        gates=msgspec.structs.replace(Config().gates, open_positions_max=2),
    )
    assert decode(json.dumps(told).encode()) == expected
    assert decode(b"{}") == Config()


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"gates":5}', b'{"fills":{"model":"retired"}}', b"[" * 5_000])
def test_bytes_that_cannot_be_read_say_so(body: bytes) -> None:
    """A value this version does not know is not guessed at."""
    with pytest.raises(JournalDamaged, match="read it with the version that wrote it"):
        decode(body)


def test_the_template_is_the_shipped_file() -> None:
    """What a new user is given is the file in the repository."""
    assert config.template() == (ROOT / "config.toml").read_text("utf-8")
