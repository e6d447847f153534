"""Boot ids: long enough to be different in every run of the program."""

from oracle.ids import run_id


def test_two_runs_never_share_an_id() -> None:
    """Sixteen bytes each, all different."""
    found = {run_id() for _ in range(1_000)}
    assert len(found) == 1_000
    assert {len(one) for one in found} == {16}
