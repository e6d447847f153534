"""One id's story in plain lines, in the order in which it happened; here its orders and fills, the rest in `told_*`.

It tells rows that were found elsewhere (`oracle.explain`). Instants are of New York, money is in dollars.
"""

from collections.abc import Iterator

from oracle import told_positions, told_signals
from oracle.moments import Case, Moment, Rank, Row, because, ledger, of_signal, when
from oracle.narrate import clock, usd
from oracle.recount import Count, recount
from oracle.told_positions import holds, live, own, scored
from state.reason import words


def tell(case: Case) -> list[str]:
    """The whole story, one moment after the other, its details indented."""
    moments = [
        *told_signals.events(case),
        *told_signals.signals(case),
        *_orders(case),
        *told_positions.positions(case),
        *_looks(case),
    ]
    lines = []
    for one in sorted(moments, key=lambda moment: moment[:2]):
        lines.append(f"{clock(one.at)}  {one.line}")
        lines += [f"    {detail}" for detail in one.details]
    return lines


def headline(case: Case, row: Row) -> str:
    """What became of one id, in one line."""
    match row["id"].partition("-")[0]:
        case "evt":
            about = f" as {row['signal_id']}" if row["status"] == "accepted" else of_signal(row)
            return f"{row['id']}: {row['status']}{about}{because(row['code'])}"
        case "sig":
            return "; ".join([f"{row['id']}: {row['phase']}{because(row['reason'])}", *_positions_now(case)])
        case "ord":
            return f"{row['id']}: {row['phase']}, {_filled(row)}{because(row['end_reason'])}"
        case "fil":
            return f"{row['id']}: {_did(row)} {row['quantity']} at {usd(row['price'])} for {row['position_id']}"
        case _:
            return "; ".join(_positions_now(case))


def _positions_now(case: Case) -> list[str]:
    return [*map(scored, case.outcomes), *(holds(one) for one in case.positions if live(one))]


def _filled(order: Row) -> str:
    return f"{order['quantity_filled']} of {order['quantity']} filled"


def _did(fill: Row) -> str:
    return "bought" if fill["side"] == "buy" else "sold"


# -- orders and fills -----------------------------------------------------------------------------------------------


def _orders(case: Case) -> Iterator[Moment]:
    for order in case.orders:
        fills = [one for one in case.fills if one["order_id"] == order["id"]]
        position = next((one for one in case.positions if one["id"] == order["position_id"]), None)
        why = _opening(order) if order["intent"] == "open" else _leaving(order, position, case.fills)
        limit = "at the market" if order["limit_price"] is None else f"limit {usd(order['limit_price'])}"
        line = f"{order['id']} to {order['side']} {order['quantity']} x {order['occ']} {limit}"
        cause = f" for {order['signal_id']}" if order["intent"] == "open" else because(order["reason"])
        yield Moment(order["created_at"], Rank.ORDERED, f"{line}{cause}{ledger(order)}", why)
        left = order["quantity"]
        for fill in fills:
            left -= fill["quantity"]
            yield _fill(fill, left)
        yield from _ended(order, case)


def _opening(order: Row) -> list[str]:
    until = f"; good until {when(order['valid_until'], order['created_at'])}" if order["valid_until"] else ""
    quoted = when(order["decision_quote_at"], order["created_at"])
    return [f"decided on a mid of {usd(order['decision_price'])}, quoted {quoted}{until}"]


def _leaving(order: Row, position: Row | None, fills: list[Row]) -> list[str]:
    """Why a position is left: the mark against the level of that moment, or the instant that was reached."""
    mark = order["decision_price"]
    quoted = f", quoted {when(order['decision_quote_at'], order['created_at'])}" if order["decision_quote_at"] else ""
    shown = f"mark {usd(mark)}{quoted}"
    if position is None:
        return [shown]
    before = (one for one in own(position, fills) if one["filled_at"] <= order["created_at"])
    level = ([count for _, count in recount(position, before)] or [Count()])[-1]
    match order["reason"]:
        case "profit_target":
            shown += f"; target {usd(level.target)}, reached by {usd(mark - level.target)}"
        case "stop_loss":
            shown += f"; stop {usd(level.stop)}, reached by {usd(level.stop - mark)}"
        case "max_hold_time" if position["hold_until"] is not None:
            shown += f"; to be held until {clock(position['hold_until'])}"
        case "min_dte_exit" if position["dte_exit_at"] is not None:
            shown += f"; to be left from {clock(position['dte_exit_at'])} on, expires {position['expiry']}"
        case _:
            pass
    others = position["exit_reasons"][1:] if position["exit_order_id"] == order["id"] else []
    return [shown, *(f"also {code}: {words(code)}" for code in others)]


def _fill(fill: Row, left: int) -> Moment:
    rest = f", {left} left" if left else ""
    line = f"{fill['id']} of {fill['order_id']}: {_did(fill)} {fill['quantity']} at {usd(fill['price'])}{rest}"
    worse = (fill["price"] - fill["decision_price"]) * (1 if fill["side"] == "buy" else -1)
    drift = "at" if worse == 0 else f"{usd(abs(worse))} {'worse' if worse > 0 else 'better'} than"
    quoted = f"bid {usd(fill['bid'])} ask {usd(fill['ask'])}, quoted {when(fill['quote_at'], fill['filled_at'])}"
    details = [f"{quoted}; {drift} the mid decided on; fee {usd(fill['commission'])}"]
    return Moment(fill["filled_at"], Rank.FILLED, line, details)


def _ended(order: Row, case: Case) -> Iterator[Moment]:
    """How an order ended other than by filling, and what that did; or that it still works."""
    if order["ended_at"] is None:
        yield Moment(order["seen_at"], Rank.LATER, f"{order['id']} is {order['phase']}: {_filled(order)}")
    elif order["phase"] != "filled":
        line = f"{order['id']} {order['phase']}{because(order['end_reason'])}; {_filled(order)}"
        failed = [one["id"] for one in case.signals if one["order_id"] == order["id"] and one["phase"] == "failed"]
        details = [f"{one} failed: nothing was bought for it" for one in failed]
        if order["intent"] == "close":
            details.append(f"the exit rules have {order['position_id']} back")
        yield Moment(order["ended_at"], Rank.ENDED, line, details)


# -- what somebody should look at -----------------------------------------------------------------------------------


def _looks(case: Case) -> Iterator[Moment]:
    for one in case.alerts:
        yield Moment(one["seen_at"], Rank.LATER, f"LOOK at {one['subject']}{because(one['code'])}")
    for one in case.failures:
        again = f"; tried again at {when(one['retry_at'], one['seen_at'])}" if one["retry_at"] else ""
        line = f"LOOK at {one['unit']}{because(one['code'])} ({one['exception']}){again}"
        yield Moment(one["seen_at"], Rank.JUDGED, line)
