"""Every set of recorded option days, with what is to be known about it before its figures are believed."""

from tests.recorded import (
    Kind,
    Recorded,
    aapl_hours,
    aapl_year,
    cboe,
    goog_hours,
    goog_minutes,
    goog_monday,
    ivolatility,
    lean_days,
    nqx_hours,
    spx_eve,
    spx_first_days,
    spx_hours,
    spy_2021,
    universe,
)

SETS = (
    Recorded(
        "goog-minutes",
        "GOOG, 2015-12-23 and 24, minutes",
        Kind.MINUTE,
        "GOOG",
        goog_minutes,
        "The 24th is a half day on which a chain expires. On the 23rd only that chain was recorded.",
    ),
    Recorded(
        "goog-monday",
        "GOOG, 2015-12-28, the first hour, minutes",
        Kind.MINUTE,
        "GOOG",
        goog_monday,
        "Four contracts of June, and no bars: the price of GOOG is implied by call - put + strike, which for American "
        "options half a year out may err by a dollar or two.",
    ),
    Recorded(
        "spxw-minutes",
        "SPX and SPXW, 2021-01-04 to 06, minutes",
        Kind.MINUTE,
        "SPX",
        spx_first_days,
        "Bars of the 4th are labelled in Central time. Of the 5th and 6th there are none: their prices are implied by the "
        "options, which on the 4th agree with the bars within 1.40 dollars in every minute. SPXW of the day itself "
        "is bought and, where its alert says so, held to its end: it settles on the official close, known at 16:01.",
    ),
    Recorded(
        "spx-eve",
        "SPX, 2021-01-14, minutes",
        Kind.MINUTE,
        "SPX",
        spx_eve,
        "What expires on the 15th stops trading on the 14th and settles on an opening print that no file holds: what is "
        "still held then stays open, alerts, and is worth its last mark. Nothing else settles it.",
        ('{"at": "2021-01-15T16:00:00Z", "close": "all", "reason": "the morning after"}',),
    ),
    Recorded(
        "goog-hours",
        "GOOG, 2015-12-23 and 24, hours",
        Kind.HOUR,
        "GOOG",
        goog_hours,
        "The whole chain on both days; prices of GOOG by the minute.",
    ),
    Recorded(
        "aapl-before",
        "AAPL, 2014-06-06, hours, the last day before the split",
        Kind.HOUR,
        "AAPL",
        aapl_hours("2014-06-06", "2014-06-06"),
        "A chain expires on this day. Monthly contracts expire on a Saturday, as they did then.",
    ),
    Recorded(
        "aapl-after",
        "AAPL, 2014-06-09, hours, the first day after the split",
        Kind.HOUR,
        "AAPL",
        aapl_hours("2014-06-09", "2014-06-09"),
        "Seven shares for one. Both days on one tape are refused: a put of 640 held over the weekend would settle on the price of "
        "a seventh of a share, at a profit that nobody made.",
    ),
    Recorded(
        "spx-hours",
        "SPX, 2021-01-04 and 14, hours",
        Kind.HOUR,
        "SPX",
        spx_hours,
        "Six contracts and nine days without a row between the two.",
    ),
    Recorded(
        "nqx-hours",
        "NQX, 2021-01-04 to 03-19, hours",
        Kind.HOUR,
        "NQX",
        nqx_hours,
        "Two puts and no price of NQX anywhere, not even implied: every alert has to be refused.",
        (
            '{"at": "2021-01-05T16:00:01Z", "body": {"symbol": "NQX210319P03000000", "action": "buy", "timeframe": "1h"}}',
            '{"at": "2021-02-05T16:00:01Z", "body": {"symbol": "NQX", "direction": "short", "timeframe": "1h"}}',
        ),
    ),
    Recorded(
        "goog-days",
        "GOOG, 2015-12-23 and 24, days",
        Kind.DAY,
        "GOOG",
        lean_days("GOOG", "goog_2015_quote_american_daily", "2015-12-15", "2015-12-24"),
        "Known from the close of each session, at which an option on a stock has stopped trading: no order can fill.",
    ),
    Recorded(
        "aapl-days",
        "AAPL, 2014-06-06, days",
        Kind.DAY,
        "AAPL",
        lean_days("AAPL", "aapl_2014_quote_american_daily", "2014-06-02", "2014-06-06"),
        "As above; and there is no row after the first on which anything could be decided.",
    ),
    Recorded(
        "aapl-year",
        "AAPL, one call through 2015, days",
        Kind.DAY,
        "AAPL",
        aapl_year,
        "AAPL160115C00100000 alone. Here the closing row is put on the last second of the session, one second before it may "
        "be known for good: the year then shows what trading on it comes to. Two sessions of April are missing.",
    ),
    Recorded(
        "cboe-days",
        "SPX and SPXW, 2019-04-25 to 06-24, whole chains, days",
        Kind.DAY,
        "SPX",
        cboe,
        "Taken at 15:45. Monday 2019-05-27 is a holiday that carries the chain of the Friday before, and an alert of its own: "
        "nothing may be ordered or filled on it. Sessions are missing. SPXW settles on the official close; SPX has no "
        "opening print and stays.",
        ('{"at": "2019-05-27T15:00:00Z", "body": {"symbol": "SPX", "direction": "long", "timeframe": "1d"}}',),
    ),
    Recorded(
        "spy-days",
        "SPY, 2021-01-04 to 08-31, the 20 most active contracts of each day",
        Kind.DAY,
        "SPY",
        spy_2021,
        "Contracts drop in and out: one that is held is quoted on two days out of some, so that exits wait, and expirations "
        "settle on the close.",
    ),
    Recorded(
        "ivolatility-days",
        "SPX and SPXW, 2011-01-03 to 07, whole chains, days",
        Kind.DAY,
        "SPX",
        ivolatility,
        "Monthly contracts carry the Saturday after their last session in their symbol.",
    ),
    Recorded(
        "goog-universe",
        "GOOG, 2015-12-22 to 28, chains of one price, days",
        Kind.DAY,
        "GOOG",
        universe("GOOG", ("20151222", "20151223", "20151224", "20151228"), 0.003),
        "One price a contract, taken for bid and ask: no spread is paid, which flatters. The price of GOOG is that of its "
        "daily bars, because the row in the file is of another hour.",
    ),
    Recorded(
        "aapl-universe",
        "AAPL, 2014-06-02 to 05, chains of one price, days",
        Kind.DAY,
        "AAPL",
        universe("AAPL", ("20140602", "20140603", "20140604", "20140605"), 0.001),
        "As above; here the row of the underlying is of the day before its chain. The files of 06 and 09 are left out: the "
        "first is all zeros, the second lists contracts of both sides of the split.",
    ),
    Recorded(
        "spy-universe",
        "SPY, 2023-12-28 to 2024-01-03, chains of one price, days",
        Kind.DAY,
        "SPY",
        universe("SPY", ("20231228", "20231229", "20240102", "20240103"), 0.053),
        "As above, of calls far in the money.",
    ),
)
