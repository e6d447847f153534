"""What all tests share: the recorded market files, and how many examples the property tests try."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[1]
DATA = (ROOT / os.environ.get("ORACLE_TEST_DATA", "../shared/data")).resolve()

settings.register_profile("default", deadline=None, derandomize=True, max_examples=60, print_blob=True)
settings.register_profile("storm", deadline=None, max_examples=2_000, print_blob=True)
settings.register_profile("hasty", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("default")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The directory of recorded market files; the test is skipped where there is none."""
    if not DATA.is_dir():
        pytest.skip(f"no recorded market files in {DATA}: set ORACLE_TEST_DATA to their directory")
    return DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that reads recorded market files, so that `-m data` chooses them."""
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("data")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line how many tests read recorded market files, so that a run without them is never taken for one."""

    def count(*outcomes: str) -> int:
        reports = (report for outcome in outcomes for report in terminalreporter.getreports(outcome))
        return len({report.nodeid for report in reports if "data" in getattr(report, "keywords", ())})

    ran, skipped = count("passed", "failed", "error", "xfailed", "xpassed"), count("skipped")
    terminalreporter.write_line(f"data tests: {ran} ran, {skipped} skipped; looked in {DATA}")
