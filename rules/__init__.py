"""The verbs: pure decisions that read nouns and return facts. No I/O, clock, randomness, logging or float arithmetic."""
