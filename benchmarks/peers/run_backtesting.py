"""backtesting.py at the task."""

import backtesting
import pandas as pd
import task
from backtesting import Backtest, Strategy


class Few(Strategy):
    """Buys and sells by the number of the bar."""

    def init(self) -> None:
        """Begin."""
        self.bar = 0

    def next(self) -> None:
        """One bar."""
        place = self.bar % task.EVERY
        if place == 0:
            self.buy(size=task.SIZE)
        elif place == task.HELD:
            self.position.close()
        self.bar += 1


if __name__ == "__main__":
    given = task.bars()
    prices = [price for _, price in given]
    frame = pd.DataFrame(
        dict.fromkeys(("Open", "High", "Low", "Close"), prices), index=pd.to_datetime([at for at, _ in given])
    )
    test = Backtest(frame, Few, cash=task.CASH)
    trades = []
    took = task.best_s(lambda: lambda: trades.append(test.run()["# Trades"]))
    task.tell(backtesting.__version__, int(trades[-1]), bars_per_s=len(given) / took)
