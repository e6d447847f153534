"""backtrader at the task."""

import backtrader
import pandas as pd
import task


class Few(backtrader.Strategy):
    """Buys and sells by the number of the bar."""

    def __init__(self) -> None:
        self.bar = self.trades = 0

    def next(self) -> None:
        """One bar."""
        place = self.bar % task.EVERY
        if place == 0:
            self.buy(size=task.SIZE)
        elif place == task.HELD:
            self.close()
            self.trades += 1
        self.bar += 1


if __name__ == "__main__":
    given = task.bars()
    prices = [price for _, price in given]
    frame = pd.DataFrame(
        {**dict.fromkeys(("open", "high", "low", "close"), prices), "volume": 0},
        index=pd.to_datetime([at for at, _ in given]),
    )
    ran = []

    def prepared() -> object:
        """A fresh run over the same bars."""
        cerebro = backtrader.Cerebro(stdstats=False)
        cerebro.broker.setcash(task.CASH)
        cerebro.adddata(backtrader.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(Few)
        return lambda: ran.append(cerebro.run()[0].trades)

    took = task.best_s(prepared)
    task.tell(backtrader.__version__, ran[-1], bars_per_s=len(given) / took)
