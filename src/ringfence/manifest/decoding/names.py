"""What objects and namespaces can be called."""

from __future__ import annotations

import re
from functools import lru_cache
from sys import intern

from ringfence.model.meta import ObjectKey

_PART = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_PART}(?:\.{_PART})*")
LABEL = re.compile(rf"(?=.{{1,63}}\Z){_PART}")


@lru_cache(maxsize=1 << 10)
def is_namespace_name(text: str) -> bool:
    """Whether a namespace can be called so (RFC 1123 label)."""
    return LABEL.fullmatch(text) is not None


def ordinary_key(value: object, default: str) -> ObjectKey | None:
    """Return what nearly every object is called; None: the strict look is needed."""
    meta = value.get("metadata") if type(value) is dict else None
    if type(meta) is not dict:
        return None
    name, namespace = meta.get("name"), meta.get("namespace", default)
    if type(name) is not str or type(namespace) is not str:
        return None
    if not (SUBDOMAIN.fullmatch(name) and is_namespace_name(namespace)):
        return None
    # Few namespaces name many objects: the text of each is kept once.
    return ObjectKey(intern(namespace), name)
