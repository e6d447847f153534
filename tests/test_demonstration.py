"""The demo: a whole story in the terminal, proven by its own verification, kept only when asked."""

import tempfile
from pathlib import Path

import pytest

from oracle import demonstration
from state.errors import OracleFailure
from tests.runs import demo


def test_the_demo_tells_a_whole_story() -> None:
    """Accepted, repeated, refused, filled, left at target, stop and time: and everything is decided again alike."""
    told, _ = demo()
    for line in ("duplicate of", "refused, signal_stale", "failed, order_timeout", "profit_target", "stop_loss"):
        assert line in told
    records = told.split("verified: ")[1].split()
    assert records[0] == records[2]


def test_a_demo_that_is_not_kept_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a directory of its own the run is thrown away, and the same is told, but for how to ask it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    demonstration.run(None)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out.strip() == demo()[0].split("\nAsk it:")[0].strip()


def test_an_installation_without_the_bundled_days_says_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the source checkout."""
    monkeypatch.setattr(demonstration, "BUNDLED", Path("/nowhere"))
    with pytest.raises(OracleFailure, match="source checkout"):
        demonstration.run(None)
