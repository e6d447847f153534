"""A sealed journal cut up and put together again: records, marks and files lost, doubled, swapped, of another run.

Whatever could change a record or lose one is refused. Accepted is only what gives the very same records.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from msgspec import structs

from state import recovery
from state.errors import JournalDamaged
from state.frames import HEADER_BYTES, decode_body
from state.journal import Journal, Mark
from state.recovery import History
from state.segments import identity_name, segment_name
from state.snapshots import Store
from tests.sealed import LIMITS, bodies, frames_of, is_mark, laid_out, left_of, run_of, sealed, segments_of
from tests.simdisk import SimDisk
from tests.storms import LSN_BYTES, PATH, VERSION, bytes_of, course, keep

Change = tuple[str, dict[str, bytes | None]]


def changed(files: dict[str, bytes], change: dict[str, bytes | None]) -> dict[str, bytes]:
    """The files with some replaced, added or removed."""
    return {name: content for name, content in {**files, **change}.items() if content is not None}


def refused(files: dict[str, bytes], why: str) -> None:
    """Reader and writer refuse these files with exit code 3, and the writer leaves every byte."""
    disk = laid_out(files)
    assert left_of(disk) is None, why
    with pytest.raises(JournalDamaged, match="nothing was changed") as refusal:
        Journal.open(disk, PATH, run=run_of(9), limits=LIMITS)
    assert refusal.value.exit_code == 3
    assert disk.files(PATH) == files, why


def rearranged(frames: list[bytes]) -> Iterator[tuple[str, list[bytes], bool]]:
    """Frames of one segment, one of them lost or doubled or two swapped; and whether a record is among those."""
    for index, frame in enumerate(frames):
        before, behind, record = frames[:index], frames[index + 1 :], not is_mark(frame)
        yield f"frame {index} lost", before + behind, record
        yield f"frame {index} doubled", [*before, frame, frame, *behind], record
    for first, second in combinations(range(len(frames)), 2):
        swapped = list(frames)
        swapped[first], swapped[second] = frames[second], frames[first]
        both = not (is_mark(frames[first]) and is_mark(frames[second]))
        yield f"frames {first} and {second} swapped", swapped, both


def test_no_frame_can_be_lost_doubled_or_swapped() -> None:
    """Every loss, doubling and swap of records is refused; of marks too, unless all records are still proved."""
    files, harmless = sealed(), []
    for name in segments_of(files):
        header, frames = files[name][:HEADER_BYTES], frames_of(files[name])
        for why, others, record in rearranged(frames):
            hurt = changed(files, {name: header + b"".join(others)})
            left = left_of(laid_out(hurt))
            assert left in (None, bodies()), f"{name}: {why}"
            if left is None:
                refused(hurt, why)
            else:
                harmless.append(why)
                assert not record or "swapped" in why, f"{name}: {why}"
    # A mark says only what a later frame says again.
    assert harmless


def test_no_frame_within_a_batch_can_be_lost_doubled_or_swapped() -> None:
    """Inside one batch nothing was known to be durable yet: the numbers alone tell, and only its end can be lost."""
    disk, told = SimDisk(), bodies()[:4]
    journal = Journal.create(disk, PATH, run=run_of(1), limits=LIMITS)
    for body in told:
        journal.append_content(body[LSN_BYTES:])
    journal.commit()
    files, name = disk.files(PATH), segment_name(1)
    header, frames = files[name][:HEADER_BYTES], frames_of(files[name].rstrip(b"\0"))
    assert len(frames) == len(told)
    for why, others, _ in rearranged(frames):
        hurt = changed(files, {name: (header + b"".join(others)).ljust(len(files[name]), b"\0")})
        if others == frames[:-1]:
            assert left_of(laid_out(hurt)) == told[:-1]
        else:
            refused(hurt, why)


def test_a_frame_of_another_segment_or_run_does_not_fit() -> None:
    """The same record in the frame of another segment, or of another run's same segment, is no record here."""
    files, others = sealed(), sealed(3)
    names = segments_of(files)
    for name, other in ((names[0], files[names[1]]), (names[1], files[names[0]]), (names[0], others[names[0]])):
        header, frames, foreign = files[name][:HEADER_BYTES], frames_of(files[name]), frames_of(other)
        for index in range(len(frames)):
            grafted = [*frames[:index], foreign[min(index, len(foreign) - 1)], *frames[index + 1 :]]
            refused(changed(files, {name: header + b"".join(grafted)}), f"frame {index} of {name}")


def file_changes() -> Iterator[Change]:
    """Ways to lose, double, swap and misname whole files."""
    files = sealed()
    names = segments_of(files)
    (identity,) = (name for name in files if name.endswith(".identity"))
    for name in [*names, identity]:
        yield f"{name} lost", {name: None}
        yield f"{name} empty", {name: b""}
        yield f"{name} zeros", {name: bytes(len(files[name]))}
        yield f"{name} one byte longer", {name: files[name] + b"\1"}
        yield f"{name} one byte shorter", {name: files[name][:-1]}
    for name in names:
        yield f"{name} only its header", {name: files[name][:HEADER_BYTES]}
        yield f"{name} doubled at the end", {segment_name(len(bodies()) + 1): files[name]}
        yield f"{name} doubled in the middle", {segment_name(int(name[:20]) + 1): files[name]}
    for first, second in combinations(names, 2):
        yield f"{first} and {second} swapped", {first: files[second], second: files[first]}
        yield f"{first} in place of {second}", {second: files[first]}
        yield f"{first} and {second} lost", {first: None, second: None}
    yield "all segments lost", dict.fromkeys(names)
    yield "the first segment alone", dict.fromkeys(names[1:])
    yield "an older identity", {identity: None, identity_name(1): files[identity]}
    yield "a newer identity", {identity: None, identity_name(11): files[identity]}
    yield "two identities", {identity_name(1): files[identity]}


def test_no_file_can_be_lost_doubled_swapped_or_cut() -> None:
    """An initialised directory whose files are not those that were written is refused."""
    for why, change in file_changes():
        if why == "an older identity":
            # It only says which segment is the newest at least: a rotation may have been killed before it was renamed.
            assert left_of(laid_out(changed(sealed(), change))) == bodies()
        else:
            refused(changed(sealed(), change), why)


def test_a_lost_segment_is_refused_with_the_records_it_held() -> None:
    """The refusal names the segment behind the gap and the LSNs that are missing before it."""
    files = sealed()
    names = segments_of(files)
    for name, following in pairwise(names[1:]):
        told = f"{following} at byte 0: LSNs {int(name[:20])} to {int(following[:20]) - 1} are missing"
        with pytest.raises(JournalDamaged, match=told):
            Journal.open(laid_out(changed(files, {name: None})), PATH, run=run_of(9), limits=LIMITS)


def test_a_segment_of_another_history_does_not_continue_this_one() -> None:
    """A segment whose records differ, or that follows others, is refused; one with the same records is the same."""
    files = sealed()
    *_, last = names = segments_of(files)
    for record in range(1, len(bodies()) + 1):
        others = sealed(3, changed=record)
        assert segments_of(others) == names
        for name, following in zip(names, [*names[1:], segment_name(len(bodies()) + 1)], strict=True):
            hurt = changed(files, {name: others[name]})
            if record >= int(following[:20]):
                assert left_of(laid_out(hurt)) == bodies()
            elif name != last or record < int(last[:20]):
                refused(hurt, f"{name} of a history other from record {record} on")


def older(told: list[bytes]) -> list[bytes]:
    """The records of an older copy."""
    return told[:6]


def forked(told: list[bytes]) -> list[bytes]:
    """The records of a copy that lived on by itself: its last one was seen later."""
    last = decode_body(told[-1], code_version=VERSION)
    return [*told[:-1], bytes_of(structs.replace(last, seen_at=last.seen_at + 1))]


@pytest.mark.parametrize("other", [older, forked])
async def test_what_no_journal_can_know_by_itself_the_database_tells(
    tmp_path: Path, other: Callable[[list[bytes]], list[bytes]]
) -> None:
    """The newest segment of an older or forked copy makes a whole journal: only who saw the rest can tell, and does."""
    told = course(brief=True).bodies
    store = await Store.open(tmp_path / "oracle.db")
    for known, seen in ((told, ()), (other(told), (f"the query tables at record {len(told)} are not known",))):
        disk = SimDisk()
        journal = Journal.create(disk, PATH, run=run_of(1))
        keep(journal, known)
        journal.mark(Mark.SNAPSHOT)
        recovered = await recovery.recover(History(disk, PATH), store)
        assert recovered.portfolio.lsn == len(known)
        assert [one[: len(text)] for one, text in zip(recovered.ignored, seen, strict=True)] == list(seen)
    await store.close()
