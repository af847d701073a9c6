"""Compiled policy to the chains and sets of a node."""
