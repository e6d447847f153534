"""Recorded alert bodies of many senders are read as their authors meant them, or refused for a written reason."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules.alert_fields import timeframe_seconds
from rules.reading import read
from state.alert import BadAlert, Entry, ExitAlert, Reading

LATE = 1_800_000_000_000_000_000
"""An arrival after every instant that stands in the recorded bodies, in nanoseconds UTC."""

REFUSED_ENTRIES = {
    # NRM-14: the list of mends is closed; other damage is refused where it stands.
    "body_not_json": "mu030 mu032 mu038 tv023 tv061 tv062 tv071 tv122 tv123 tv141 tv143 tv145 tv160 tv072r tv074r tv146r",
    # NRM-14: one alert is one object; a list or a text holding JSON is none.
    "body_not_object": "mu024 tv008",
    # NRM-02: `position`, `order`, `signals[]`, `msg` and the words of a message are no sources of a direction.
    "missing_direction": "mu016 tv010 tv012 tv012r tv031 tv055 tv069r tv105 tv142r tv165 tv011r",
    # NRM-02: `type` is a source, but its word gives no direction, and `data.position` is none.
    "unread_direction": "tv089r",
    # NRM-01: `market`, `instrument` as text, `underlying` and free text are no sources of a symbol.
    "missing_symbol": "tv010 tv111 tv162 tv012r tv142r tv165 tv011r",
}
"""Entries for a human that the written rules refuse, by the code of the refusal."""

REFUSED_EXITS = {
    # NRM-14: `signal=closelong,symbol=...` is no JSON.
    "tv040": "body_not_json",
    # NRM-13 closes the positions of a symbol; these two name none.
    "tv065": "unrendered_placeholder",
    "tv116": "missing_symbol",
}


def payloads(data_dir: Path) -> Iterator[tuple[dict[str, Any], Reading]]:
    """Every recorded body with its reading, received after all of them were written."""
    for file in sorted((data_dir / "payloads").glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            yield row, read(row["body"], source="webhook", received_at=LATE)


def faults(found: Reading) -> list[tuple[str, str]]:
    """Field and code of every fault; another kind of reading is one fault of the whole."""
    if isinstance(found, BadAlert):
        return [(error.field, error.code) for error in found.errors]
    return [("body", type(found).__name__)]


def lawful(row: dict[str, Any], field: str, code: str) -> bool:
    """True for a refusal of an entry that SPEC demands: a field its body does not give, or one of the table."""
    expected = row["expected"]
    absent = f"missing_{field}" == code and expected[field] is None
    template = code == "unrendered_placeholder" and row["kind"] == "template_unrendered"
    return absent or template or row["id"] in REFUSED_ENTRIES.get(code, "").split()


def test_only_real_entries_are_read_as_entries(data_dir: Path) -> None:
    """No recorded body that is news, an exit, damage, bias, gamma or market data ever becomes an entry."""
    wrong = [
        row["id"]
        for row, found in payloads(data_dir)
        if isinstance(found, Entry) and row["expected"].get("intent") != "entry"
    ]
    assert wrong == []


def test_recorded_entries_are_read_as_meant(data_dir: Path) -> None:
    """Where a recorded entry is accepted, symbol, direction and timeframe are the ones a human reads."""
    accepted = 0
    for row, found in payloads(data_dir):
        if isinstance(found, Entry):
            expected = row["expected"]
            accepted += 1
            assert found.symbol == expected["symbol"].rpartition(":")[2].upper(), row["id"]
            assert str(found.direction) == expected["direction"], row["id"]
            assert found.timeframe_s == timeframe_seconds(expected["timeframe"]), row["id"]
            assert found.timeframe_s == expected.get("timeframe_minutes", found.timeframe_s // 60) * 60, row["id"]
    assert accepted >= 20


def test_recorded_entries_are_refused_only_for_a_written_reason(data_dir: Path) -> None:
    """An entry that is not accepted lacks a field, is a bare template, or stands in the table of disagreements."""
    for row, found in payloads(data_dir):
        if row["expected"].get("intent") == "entry" and not isinstance(found, Entry):
            unlawful = [pair for pair in faults(found) if not lawful(row, *pair)]
            assert unlawful == [], row["id"]


def test_recorded_exits_are_seen(data_dir: Path) -> None:
    """Every recorded exit is an exit alert of its symbol or stands in the table, and nothing else is one."""
    for row, found in payloads(data_dir):
        if isinstance(found, ExitAlert):
            assert (row["expected"]["intent"], row["expected"]["symbol"]) == ("exit", found.symbol), row["id"]
        elif row["expected"].get("intent") == "exit":
            assert [code for _, code in faults(found)] == [REFUSED_EXITS.get(row["id"])], row["id"]
