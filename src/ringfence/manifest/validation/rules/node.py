"""Nodes.

Source: kubernetes pkg/apis/core/validation/validation.go, ValidateNode, and the
node strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.rules.addresses import check_block, parse_block
from ringfence.manifest.validation.rules.causes import Causes
from ringfence.manifest.validation.rules.scheduling import check_taints

_MOST_BLOCKS = 2
_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def default_node(node: dict[str, Any]) -> None:
    """Fill in a Node: a taint until it is ready, its pod addresses in both fields."""
    spec = node["spec"]
    taints = spec.get("taints", [])
    if not any(taint.get("key") == _NOT_READY["key"] for taint in taints):
        spec["taints"] = [*taints, dict(_NOT_READY)]
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs"):
        spec["podCIDR"] = spec["podCIDRs"][0]


def check_node(causes: Causes, node: Mapping[str, Any], *, strict_cidr: bool) -> None:
    """Check a Node's taints and blocks of pod addresses."""
    spec = node["spec"]
    check_taints(causes, spec.get("taints", ()), ("metadata", "taints"))
    blocks = spec.get("podCIDRs", [])
    for index, text in enumerate(blocks):
        check_block(causes, ("spec", "podCIDRs", index), text, strict=strict_cidr)
    parsed = [block for block in map(parse_block, blocks) if block is not None]
    families = {block.address.bits for block in parsed}
    if len(blocks) > 1 and (len(blocks) > _MOST_BLOCKS or len(families) == 1):
        detail = "may specify no more than one CIDR for each IP family"
        causes.invalid(("spec", "podCIDRs"), blocks, detail)
