"""Kubernetes NetworkPolicy, end to end: predict, explain, try, enforce."""

__version__ = "0.1.0"
