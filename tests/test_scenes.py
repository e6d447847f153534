"""The scenes of the demo: how an alert of them looks on the wire, and what a file of them may hold."""

import json
from pathlib import Path

import pytest

from oracle import scenes
from oracle.demonstration import BUNDLED
from oracle.scenes import Post, Scene
from rules.alert_text import BODY_BYTES_MAX
from state.errors import BadUsage
from state.inputs import Ask
from tests.tapes import new_york

AT = "2026-02-13T10:30:00-05:00"
NOW = new_york("2026-02-13", "10:30:07")
TOKEN = "a-token-for-these-tests"  # noqa: S105


def posted(**fields: object) -> Post:
    """The call that a scene with these fields makes."""
    post = Scene(AT, "an alert", **fields).post(NOW, TOKEN)
    assert post is not None
    return post


def test_an_object_carries_the_token_and_the_instant_it_is_sent_at() -> None:
    """As the alert that `oracle init` composes does."""
    path, body, kind = posted(body={"symbol": "SPY", "timestamp": "{{timenow}}"})
    assert (path, kind) == ("/webhook", "application/json; charset=utf-8")
    assert json.loads(body) == {"symbol": "SPY", "timestamp": "2026-02-13T15:30:07Z", "token": TOKEN}


def test_a_text_is_proven_by_its_path() -> None:
    """It is sent as it stands, labelled as text."""
    expected = Post(f"/webhook/{TOKEN}", b"SPY, 5 - Buy", "text/plain; charset=utf-8")
    assert posted(body="SPY, 5 - Buy", proof="path") == expected


def test_without_a_proof_the_body_stands_alone() -> None:
    """What a stranger would send holds no token of ours, and can be larger than is read."""
    post = posted(body={"secret": "a guess"}, proof="none", bytes=BODY_BYTES_MAX)
    assert list(json.loads(post.body)) == ["secret", "comment"]
    assert TOKEN.encode() not in post.body
    assert len(post.body) > BODY_BYTES_MAX


def test_a_scene_may_post_nothing() -> None:
    """The operator asks, or the scene only says something."""
    scene = Scene(AT, "the operator halts", ask=Ask.HALT)
    assert scene.post(NOW, TOKEN) is None
    assert scene.instant == NOW - 7_000_000_000


def test_the_bundled_scenes_can_be_read() -> None:
    """They begin with an alert, and end with a scene that only says that the daemon is stopped."""
    found = scenes.read(BUNDLED / "session.jsonl")
    assert found[0].body is not None
    assert (found[-1].body, found[-1].ask) == (None, None)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"at": "2026-02-13T10:30:00-05:00"}'], "line 1: .*told"),
        (['{"at": "2026-02-13T10:30:00", "told": "x"}'], "line 1: .*time zone"),
        (['{"at": "2026-02-13T10:30:00Z", "told": "x", "post": {}}'], "line 1: .*post"),
        ([f'{{"at": "2026-02-13T10:3{one}:00Z", "told": "x"}}' for one in "10"], "sort its lines"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused(tmp_path: Path, lines: list[str], words: str) -> None:
    """The message names the file, the line and the fault."""
    (tmp_path / "session.jsonl").write_text("\n".join(lines))
    with pytest.raises(BadUsage, match=f"session.jsonl.*{words}"):
        scenes.read(tmp_path / "session.jsonl")
