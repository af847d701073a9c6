"""The way from one table to another, and a table kept in step."""
