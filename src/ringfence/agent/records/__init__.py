"""Logged packets as flow records, to where they were asked for."""
