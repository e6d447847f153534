"""Acts that take turns in short rounds, so that a busy machine is unfair to none, and the ratio of what they took."""

import time
from collections.abc import Callable, Sequence
from statistics import median

Act = Callable[[], object]


def turns(acts: Sequence[Act], *, rounds: int, round_s: float) -> list[list[float]]:
    """Seconds of one call of each act, in each round; a round of an act lasts about so long."""
    repeats = []
    for act in acts:
        act()
        repeats.append(max(1, int(round_s / seconds(act))))
    taken: list[list[float]] = [[] for _ in acts]
    for _ in range(rounds):
        for repeat, act, mine in zip(repeats, acts, taken, strict=True):
            start = time.perf_counter()
            for _ in range(repeat):
                act()
            mine.append((time.perf_counter() - start) / repeat)
    return taken


def seconds(act: Act) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of what one takes over what the other takes in the same round."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))
