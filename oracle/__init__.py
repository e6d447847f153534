"""The world and the loop: time, calendars, prices, brokers, the journal's owner and the two composition roots."""
