"""What these tests ask is a real API server."""

from __future__ import annotations

from controlplane.fixtures import api_server, built, kubectl, plane

__all__ = ["api_server", "built", "kubectl", "plane"]
