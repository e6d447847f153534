"""Reference values of options, and how they were made."""
