"""Where market data comes from: one file per source behind one port."""
