"""The takes: a list to find them in, and one of them at a time with everything about it."""
