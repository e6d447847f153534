"""What the world outside may call: a bounded, guarded aiohttp application in front of the inbox's door."""
