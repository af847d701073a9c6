"""A packet walked through a table."""
