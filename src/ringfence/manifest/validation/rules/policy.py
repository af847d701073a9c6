"""NetworkPolicy: defaults, validation, warnings.

Source: kubernetes pkg/apis/networking/v1/defaults.go,
pkg/apis/networking/validation/validation.go and
pkg/registry/networking/networkpolicy/strategy.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ringfence.manifest.validation.rules.addresses import (
    block_warnings,
    check_block,
    parse_block,
)
from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.meta import check_selector
from ringfence.manifest.validation.rules.names import port_name, port_number

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("Ingress", "Egress")
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def default_policy(policy: dict[str, Any]) -> None:
    """Fill in protocols and policyTypes."""
    spec = policy["spec"]
    for direction, _ in _DIRECTIONS:
        for rule in spec.get(direction, ()):
            for port in rule.get("ports", ()):
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = (
            ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        )


def check_policy(
    causes: Causes, policy: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a NetworkPolicy's spec."""
    spec, path = policy["spec"], ("spec",)
    check_selector(causes, spec.get("podSelector"), (*path, "podSelector"))
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction, ())):
            here = (*path, direction, index)
            for number, port in enumerate(rule.get("ports", ())):
                _check_port(causes, port, (*here, "ports", number))
            for number, peer in enumerate(rule.get(peers, ())):
                _check_peer(causes, peer, (*here, peers, number), strict=strict_cidr)
    _check_types(causes, spec.get("policyTypes", []), (*path, "policyTypes"))


def _check_types(causes: Causes, types: list[str], path: FieldPath) -> None:
    if len(types) > len(_TYPES):
        causes.invalid(path, types, "may not specify more than two policyTypes")
        return
    for index, name in enumerate(types):
        if name not in _TYPES:
            causes.not_supported((*path, index), name, _TYPES)


def _check_port(causes: Causes, port: Mapping[str, Any], path: FieldPath) -> None:
    protocol = port.get("protocol", "TCP")
    if protocol not in _PROTOCOLS:
        causes.not_supported((*path, "protocol"), protocol, _PROTOCOLS)
    number, last = port.get("port"), port.get("endPort")
    end = (*path, "endPort")
    if number is None:
        if last is not None:
            detail = "may not be specified when `port` is not specified"
            causes.invalid(end, last, detail)
    elif isinstance(number, int):
        causes.invalid_each((*path, "port"), number, port_number(number))
        if last is not None:
            if last < number:
                causes.invalid(end, number, "must be greater than or equal to `port`")
            causes.invalid_each(end, last, port_number(last))
    else:
        if last is not None:
            detail = "may not be specified when `port` is non-numeric"
            causes.invalid(end, last, detail)
        causes.invalid_each((*path, "port"), number, port_name(number))


def _check_peer(
    causes: Causes, peer: Mapping[str, Any], path: FieldPath, *, strict: bool
) -> None:
    for name in ("podSelector", "namespaceSelector"):
        check_selector(causes, peer.get(name), (*path, name))
    block = peer.get("ipBlock")
    if block is not None:
        _check_ip_block(causes, block, (*path, "ipBlock"), strict=strict)
    if not peer:
        causes.required(path, "must specify a peer")
    elif len(peer) > 1 and block is not None:
        causes.forbidden(path, "may not specify both ipBlock and another peer")


def _check_ip_block(
    causes: Causes, block: Mapping[str, Any], path: FieldPath, *, strict: bool
) -> None:
    written = block.get("cidr", "")
    if not written:
        causes.required((*path, "cidr"))
        return
    check_block(causes, (*path, "cidr"), written, strict=strict)
    outer = parse_block(written)
    if outer is None:
        return
    for index, text in enumerate(block.get("except", ())):
        here = (*path, "except", index)
        check_block(causes, here, text, strict=strict)
        inner = parse_block(text)
        if inner is None:
            continue
        if not outer.contains(inner.first) or outer.length >= inner.length:
            causes.invalid(here, text, "must be a strict subset of `cidr`")


def policy_warnings(policy: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is odd about the blocks of a policy that was accepted."""
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(policy["spec"].get(direction, ())):
            for number, peer in enumerate(rule.get(peers, ())):
                block = peer.get("ipBlock")
                if block is None:
                    continue
                path = ("spec", direction, index, peers, number, "ipBlock")
                yield from block_warnings((*path, "cidr"), block["cidr"])
                for nth, text in enumerate(block.get("except", ())):
                    yield from block_warnings((*path, "except", nth), text)
