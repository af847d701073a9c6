"""How strictly manifests are read: the switches of an API server and its client."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FieldValidation(Enum):
    """What unknown and duplicate fields are (``fieldValidation`` of a request)."""

    STRICT = "strict"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Options:
    """The switches of a reading.

    ``strict_cidr`` is the server's StrictIPCIDRValidation (on since 1.36);
    ``namespace`` is where objects are that name none.
    """

    field_validation: FieldValidation = FieldValidation.STRICT
    strict_cidr: bool = True
    namespace: str = "default"
