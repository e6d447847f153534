"""The inbox is bounded, ordered, and keeps room for those who must be heard."""

import asyncio
from errno import ETIMEDOUT

import pytest

from oracle.inbox import Busy, Inbox, InboxSettings, within
from state.inputs import AlertReceived, OperatorAsked


def alert(number: int) -> AlertReceived:
    """One of several alerts."""
    return AlertReceived(str(number), "webhook")


async def test_alerts_are_taken_by_arrival() -> None:
    """First in, first taken; then nothing, and nothing is announced any more."""
    inbox = Inbox(InboxSettings())
    for number in range(3):
        inbox.offer(alert(number))
    assert inbox.arrived.is_set()
    assert [inbox.take().told for _ in range(3)] == [alert(0), alert(1), alert(2)]
    assert inbox.take() is None
    assert not inbox.arrived.is_set()


@pytest.mark.config_effect("inbox.alerts_max", "inbox.reserved_max")
@pytest.mark.produces("inbox_full")
async def test_a_flood_of_alerts_leaves_the_operator_his_room() -> None:
    """The third of two places is refused with a code; the operator still gets in, and is taken first."""
    inbox = Inbox(InboxSettings(alerts_max=2, reserved_max=1))
    inbox.offer(alert(1))
    inbox.offer(alert(2))
    with pytest.raises(Busy, match="send this one again") as refused:
        inbox.offer(alert(3))
    assert refused.value.code == "inbox_full"
    inbox.put(OperatorAsked("all", "enough"))
    with pytest.raises(Busy):
        inbox.put(OperatorAsked("all", "again"))
    assert isinstance(inbox.take().told, OperatorAsked)
    assert len(inbox) == 2


@pytest.mark.produces("stopping")
async def test_a_closed_inbox_takes_nothing_and_forgets_nothing() -> None:
    """Closed it refuses with the code it was closed with; what waits is still taken."""
    inbox = Inbox(InboxSettings())
    kept = inbox.offer(alert(1))
    inbox.close("stopping", "the program is being stopped")
    with pytest.raises(Busy, match="being stopped") as refused:
        inbox.offer(alert(2))
    assert refused.value.code == "stopping"
    with pytest.raises(Busy, match="being stopped"):
        inbox.put(OperatorAsked("all", "too late"))
    waiting = inbox.take()
    assert waiting is not None
    assert waiting.answer is kept


async def test_a_wait_ends_in_time_and_hides_no_failure() -> None:
    """Its own end is no failure; that something else timed out is one."""

    async def failing() -> None:
        raise OSError(ETIMEDOUT, "the disk does not answer")

    await within(0.001, asyncio.Event().wait())
    with pytest.raises(TimeoutError, match="the disk does not answer"):
        await within(60, failing())
