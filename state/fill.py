"""The fill: contracts that changed hands at a price, with the quote they were filled against."""

import msgspec

from state.contract import Contract
from state.order import Intent, Side


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution. Price in micro-dollars per share, commission in micro-dollars for the whole quantity.

    `bid`, `ask` and `quote_at` are the observation it filled against; `decision_price` allows the drift to be shown.
    """

    id: str
    order_id: str
    position_id: str
    signal_id: str | None
    book: str
    is_test: bool
    engine: str
    contract: Contract
    side: Side
    intent: Intent
    price: int
    quantity: int
    commission: int
    decision_price: int
    bid: int | None
    ask: int | None
    quote_at: int
    filled_at: int
    market_source: str
