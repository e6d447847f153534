"""Law: every key of `config.toml` says beside itself what it means."""

import re
from pathlib import Path

from tests.laws.tree import ROOT, Plant, obeyed

_KEY = re.compile(r"\s*(?P<key>[\w.\"-]+)\s*=")


def breaches(root: Path) -> list[str]:
    """Every key without a comment on its line or on the line above."""
    found, above = [], ""
    file = root / "config.toml"
    for number, line in enumerate(file.read_text("utf-8").splitlines() if file.exists() else [], 1):
        match = _KEY.match(line)
        if match and "#" not in line and not above.lstrip().startswith("#"):
            found.append(f"config.toml:{number}: {match['key']} is not documented")
        above = line
    return found


def test_every_setting_is_documented() -> None:
    """A reader of the configuration needs no other file."""
    obeyed(breaches(ROOT))


def test_the_law_of_settings_can_fail(plant: Plant) -> None:
    """A key is documented by a comment on its own line or directly above, and by nothing else."""
    root = plant("config.toml", "# Limits.\n[gates]\nage_s_max = 5\nslots = 3  # open at once\n# Dollars.\ncash = 1\n")
    assert breaches(root) == ["config.toml:3: age_s_max is not documented"]
