"""Boot ids: long enough to be different in every run of the program."""

import re

from oracle.ids import request_id, run_id, token


def test_two_runs_never_share_an_id() -> None:
    """Sixteen bytes each, all different."""
    found = {run_id() for _ in range(1_000)}
    assert len(found) == 1_000
    assert {len(one) for one in found} == {16}


def test_a_request_id_is_a_random_uuid() -> None:
    """Version 4, the variant of the standard, and never the same twice."""
    found = {request_id() for _ in range(1_000)}
    assert len(found) == 1_000
    pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(pattern.fullmatch(one) for one in found)


def test_a_token_may_stand_anywhere() -> None:
    """In a URL, a header and JSON it needs no quoting; no two are alike."""
    found = {token() for _ in range(1_000)}
    assert len(found) == 1_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", one) for one in found)
