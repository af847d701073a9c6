"""The pods of which nothing has to be told: named and decoded as they are met.

Nearly all objects of a large cluster are such pods. Each is looked at once, while
what was read of it is at hand, and nothing is made of it but the pod.
"""

from __future__ import annotations

from functools import cached_property

from ringfence.manifest.decoding.names import ordinary_key
from ringfence.manifest.decoding.quick import quick_pod
from ringfence.manifest.reader import Item
from ringfence.model.meta import ObjectKey, Position
from ringfence.model.workload import Pod


class OrdinaryPods:
    """Ordinary pods by name; an unsaid namespace is ``default``."""

    def __init__(self, default: str) -> None:
        self.pods: dict[ObjectKey, Pod] = {}
        self._default = default
        self._items: list[Item] = []
        self._others: set[ObjectKey] = set()

    def take(self, item: Item) -> bool:
        """Take an object if it is an ordinary pod; else it needs the strict look.

        Of several pods of one name only the first is taken, if it is ordinary.
        """
        value = item.value
        if item.kind != "Pod" or item.api_version != "v1" or item.document.duplicates:
            return False
        version = value.get("apiVersion")
        if version is not None and type(version) is not str:
            return False
        key = ordinary_key(value, self._default)
        if key is None or key in self.pods or key in self._others:
            return False
        pod = quick_pod(value, key)
        if pod is None:
            self._others.add(key)
            return False
        self.pods[key] = pod
        self._items.append(item)
        return True

    def position(self, key: ObjectKey) -> Position:
        """Return where the pod of this name stands."""
        return self._by_key[key].position()

    @cached_property
    def _by_key(self) -> dict[ObjectKey, Item]:
        return dict(zip(self.pods, self._items, strict=True))
