"""The paper broker: it answers for the working orders from the market view, and owns no memory of its own."""

from oracle.loop import Loop
from rules import fills
from state.errors import LawBroken
from state.inputs import BrokerReported, ReportKind


class PaperBroker:
    """Reports on the working orders of a loop, as a function of its portfolio and settings alone."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def next_report(self, skip: tuple[str, ...] = ()) -> BrokerReported | None:
        """The next report at this instant by order of creation, or None when there is nothing more to say.

        Orders named in `skip` are passed over. An order that cannot be judged fails, and the others go on.
        """
        portfolio, settings = self._loop.portfolio, self._loop.settings
        for order in portfolio.working_orders():
            if order.id in skip:
                continue
            try:
                report = fills.report_on(portfolio, order, settings.fills, settings.ticks)
            except LawBroken:
                raise
            except Exception as failure:  # noqa: BLE001  As a broker's own fault would, it ends that order alone.
                return BrokerReported(order.id, order.reports + 1, ReportKind.FAILED, reason=type(failure).__name__)
            if report is not None:
                return report
        return None
