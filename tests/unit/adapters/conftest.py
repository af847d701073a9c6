"""The programs that are built from source, where the machine has none."""

from controlplane.fixtures import built

__all__ = ["built"]
