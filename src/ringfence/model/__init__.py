"""Frozen values: what the words of the Kubernetes API mean here."""
