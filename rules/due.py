"""When something is due next without anybody sending anything: the next instant a cycle is owed."""

from bisect import bisect_right

from rules import halts
from rules.settings import Settings
from state.calendar import SECOND
from state.order import Intent, OrderPhase
from state.portfolio import Portfolio


def signals(portfolio: Portfolio) -> tuple[str, ...]:
    """Undecided signals whose time has come, oldest first."""
    now = portfolio.now
    return tuple(one for one in portfolio.undecided if (at := portfolio.signals[one].next_at) is None or at <= now)


def next_at(portfolio: Portfolio, settings: Settings) -> int | None:
    """The earliest instant after now at which a cycle is owed, or None: retries, opens, orders, time exits, expiry."""
    now = portfolio.now
    instants = [
        *_signal_instants(portfolio),
        *_order_instants(portfolio, settings),
        *_position_instants(portfolio),
    ]
    return min((one for one in instants if one > now), default=None)


def _signal_instants(portfolio: Portfolio) -> list[int]:
    # A signal that is due already, after a restart for instance, is owed a cycle at once.
    waiting = (portfolio.signals[one].next_at for one in portfolio.undecided)
    return [portfolio.now + 1 if at is None else max(at, portfolio.now + 1) for at in waiting]


def _order_instants(portfolio: Portfolio, settings: Settings) -> list[int]:
    instants = []
    for order in portfolio.working_orders():
        # The first quote young enough to fill on is asked for as soon as it can exist.
        instants.append(order.created_at + settings.fills.latency_s * SECOND)
        instants.append(order.expires_at)
        if order.intent is Intent.OPEN and order.valid_until is not None:
            instants.append(order.valid_until + 1)
        if order.phase is OrderPhase.CANCEL_REQUESTED:
            instants.append(portfolio.now + SECOND)
    return instants


def _position_instants(portfolio: Portfolio) -> list[int]:
    book, now = portfolio.book, portfolio.now
    if not len(book):
        return []
    instants: list[int] = []
    dated = book.dated()
    ahead = bisect_right(dated, now)
    instants += dated[ahead : ahead + 1]
    instants += _freed(portfolio)
    # What waited for the open is judged there; what expired without being settled is tried again in a second,
    # until it has alerted.
    instants.append(portfolio.sessions.next_open(now))
    if not (ahead and halts.settling(portfolio)):
        return instants
    over = book.alive & (book.column("expires_at") <= now) & (book.column("last_trade_at") <= now)
    for row in over.nonzero()[0]:
        if ("settlement_print_missing", book.ids[row]) not in portfolio.alerts:
            instants.append(now + SECOND)
            break
    return instants


def _freed(portfolio: Portfolio) -> list[int]:
    """A second from now, when an entry just ended whose position was asked to be left: its exit is owed."""
    for order in portfolio.orders.values() if portfolio.asked else ():
        if order.ended_at == portfolio.now and order.position_id in portfolio.asked:
            return [portfolio.now + SECOND]
    return []
