"""The nouns: immutable records of what is, the life of each, the portfolio that folds them, and its memory on disk."""
