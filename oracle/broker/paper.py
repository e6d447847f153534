"""The paper broker: it answers for the working orders from the market view, and owns no memory of its own."""

from oracle.loop import Loop
from rules import fills
from state.inputs import BrokerReported


class PaperBroker:
    """Reports on the working orders of a loop, as a function of its portfolio and settings alone."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def next_report(self) -> BrokerReported | None:
        """The next report at this instant, or None when there is nothing more to say."""
        settings = self._loop.settings
        return fills.next_report(self._loop.portfolio, settings.fills, settings.ticks)
