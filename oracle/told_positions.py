"""The part of a story in which positions open and end, each figure counted again and held against the recorded one."""

from collections.abc import Iterator

from oracle.layout import duration
from oracle.moments import Case, Moment, Rank, Row, because, ledger
from oracle.narrate import clock, percent, usd
from oracle.recount import Count, Trade, recount, sold
from state import contract, money


def live(position: Row) -> bool:
    """True while a position may still change."""
    return bool(position["phase"] != "closed")


def own(position: Row, fills: list[Row]) -> list[Row]:
    """The fills of one position."""
    return [one for one in fills if one["position_id"] == position["id"]]


def positions(case: Case) -> Iterator[Moment]:
    """How positions opened, grew, shrank, settled and ended, counted again from their fills."""
    for position in case.positions:
        counted = recount(position, own(position, case.fills))
        for fill, count in counted:
            if count.held:
                yield Moment(fill["filled_at"], Rank.HELD, *_held(position, fill, count))
        count = counted[-1][1] if counted else Count()
        settled = 0
        if position["settled_at"] is not None:
            worth = contract.parse(position["occ"]).intrinsic(position["settlement_price"])
            settled = money.notional(worth, count.held)
            yield _settled(position, count, worth=worth)
            count = sold(count, Trade(worth, count.held, 0))
        for outcome in (one for one in case.outcomes if one["position_id"] == position["id"]):
            yield Moment(outcome["closed_at"], Rank.SCORED, scored(outcome), _from_fills(outcome, count, settled))
        if live(position):
            yield Moment(position["seen_at"], Rank.LATER, holds(position), _still(position, count))


def _held(position: Row, fill: Row, count: Count) -> tuple[str, list[str]]:
    levels = f"target {_level(position, 'target', count)}, stop {_level(position, 'stop', count)}"
    if fill["intent"] == "close":
        return f"{position['id']} holds {count.held}; realized so far {usd(count.realized_net)} net", []
    if count.bought > fill["quantity"]:
        return f"{position['id']} grew to {count.held} at an average of {usd(count.average)}, {levels}", []
    limits = []
    if position["hold_until"] is not None:
        limits.append(f"to be held until {clock(position['hold_until'])}")
    if position["dte_exit_at"] is not None:
        limits.append(f"to be left from {clock(position['dte_exit_at'])} on, before its expiry {position['expiry']}")
    line = f"{position['id']} opened: {count.held} at {usd(count.average)}, {levels}{ledger(position)}"
    return line, ["; ".join(limits)] if limits else []


def _level(position: Row, name: str, count: Count) -> str:
    """A level; where the alert brought it, with what it is in percent of the price paid."""
    level = getattr(count, name)
    if position[f"{name}_price"] is None:
        return usd(level)
    return f"{usd(level)} ({percent(money.ratio_bp(level - count.average, count.average))})"


def _settled(position: Row, count: Count, *, worth: int) -> Moment:
    line = f"{position['id']} settled{because('expiration')}"
    price = f"{position['underlying']} at {usd(position['settlement_price'])}, {clock(position['settled_at'])}"
    brought = usd(money.notional(worth, count.held))
    detail = f"{price}: {count.held} x {position['occ']} worth {usd(worth)} a share, {brought}"
    return Moment(position["closed_at"], Rank.ENDED, line, [detail])


def scored(outcome: Row) -> str:
    """What a closed position came to."""
    r = "" if outcome["r_bp"] is None else f", {outcome['r_bp'] / 10_000:+.2f} R"
    net = f"net {usd(outcome['net'])}, {percent(outcome['percent_bp'])} of cost{r}"
    told = f"{outcome['id']} ({', '.join(outcome['reasons'])}): {outcome['position_id']} closed, {net}"
    return f"{told}, held {duration(outcome['duration_s'])}, {outcome['source']}"


def _from_fills(outcome: Row, count: Count, settled: int) -> list[str]:
    """The money of a closed position as its fills give it, and whether the recorded outcome says the same."""
    brought = [f"sold for {usd(count.proceeds - settled)}"] if count.proceeds > settled or not settled else []
    brought += [f"settled for {usd(settled)}"] if settled else []
    r = money.ratio_bp(count.net, count.risk) if count.risk > 0 else None
    counted = (count.gross, count.fees, count.net, money.ratio_bp(count.net, count.cost), r)
    recorded = tuple(outcome[name] for name in ("gross", "commission", "net", "percent_bp", "r_bp"))
    agrees = "as recorded" if counted == recorded else f"BUT RECORDED AS net {usd(outcome['net'])}"
    return [
        f"from its fills: bought for {usd(count.cost)}, {', '.join(brought)}, fees {usd(count.fees)}",
        f"gross {usd(count.gross)}, net {usd(count.net)}, at risk {usd(count.risk)}: {agrees}",
    ]


def holds(position: Row) -> str:
    """What a live position holds."""
    told = f"{position['id']} is {position['phase']}: holds {position['quantity_open']} of {position['quantity']}"
    words = f" ({position['close_words']})" if position["close_words"] else ""
    asked = f", to be closed{because(position['close_asked'])}{words}" if position["close_asked"] else ""
    return f"{told} x {position['occ']}{asked}"


def _still(position: Row, count: Count) -> list[str]:
    counted = (count.held, count.cost_open, count.realized_net, count.target, count.stop)
    names = ("quantity_open", "cost_open", "realized_net", "target", "stop")
    agrees = "as recorded" if counted == tuple(position[name] for name in names) else "BUT RECORDED OTHERWISE"
    held = f"paid {usd(count.cost_open)} for what is held, realized so far {usd(count.realized_net)} net"
    return [f"from its fills: {held}, fees {usd(count.fees)}: {agrees}"]
