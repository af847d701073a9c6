"""What nft, iptables-legacy-save, ip and tc print, to facts.

Source: libnftables-json(5) (``nft -j -t list ruleset``), iptables-save(8), ip-link(8),
tc(8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ringfence.doctor.facts import BaseChain, Link, Program, Ruleset

_QUIET = frozenset({"counter", "log", "limit"})
"""Statements before a verdict that leave no packet out, or, of a limit, few."""


def read_nft(text: str) -> Ruleset:
    """Return what ``nft -j list ruleset`` printed; raises ValueError where it is not.

    Tables that iptables-nft keeps are tables as any other.
    """
    try:
        entries = json.loads(text)["nftables"]
    except (TypeError, KeyError, ValueError):
        raise ValueError("nft printed no ruleset in JSON") from None
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        for kind, body in entry.items():
            kinds.setdefault(kind, []).append(body)
    chains = kinds.get("chain", [])
    last = {_chain(rule["chain"], rule): rule for rule in kinds.get("rule", [])}
    return Ruleset(
        frozenset(f"{one['family']} {one['name']}" for one in kinds.get("table", [])),
        frozenset(one["name"] for one in chains),
        tuple(_base(one, last) for one in chains if "hook" in one),
        tuple(_chain(one["name"], one) for one in kinds.get("flowtable", [])),
    )


def _chain(name: str, body: Mapping[str, Any]) -> str:
    return f"{body['family']} {body['table']} {name}"


def _base(chain: Mapping[str, Any], last: Mapping[str, Mapping[str, Any]]) -> BaseChain:
    place = _chain(chain["name"], chain)
    drops = "has policy drop" if chain.get("policy") == "drop" else ""
    if not drops and place in last and (verdict := _verdict(last[place])):
        drops = f"ends in a {verdict} of everything"
    return BaseChain(place, chain["hook"], int(chain["prio"]), drops)


def _verdict(rule: Mapping[str, Any]) -> str:
    """Return ``drop`` or ``reject`` where a rule says that to every packet."""
    names = [name for part in rule.get("expr", ()) for name in part]
    if names and names[-1] in {"drop", "reject"} and _QUIET.issuperset(names[:-1]):
        return str(names[-1])
    return ""


def read_iptables(texts: Iterable[str]) -> Ruleset:
    """Return what iptables-save and ip6tables-save of the legacy kind printed."""
    chains: set[str] = set()
    bases: list[BaseChain] = []
    for family, text in zip(("ip", "ip6"), texts, strict=False):
        table = ""
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                name, policy, *_ = line[1:].split()
                chains.add(name)
                if table == "filter" and name == "FORWARD":
                    drops = "has policy drop" if policy == "DROP" else ""
                    place = f"{family} {table} {name} (iptables-legacy)"
                    bases.append(BaseChain(place, "forward", 0, drops))
    return Ruleset(frozenset(), frozenset(chains), tuple(bases))


def read_links(text: str) -> tuple[tuple[Link, ...], tuple[Program, ...]]:
    """Return the links of ``ip -j -d link`` and the XDP programs on them.

    Raises ValueError where the text is something else.
    """
    links: list[Link] = []
    programs: list[Program] = []
    try:
        for one in json.loads(text):
            info = one.get("linkinfo", {})
            data = info.get("info_data", {})
            name = one["ifname"]
            links.append(
                Link(
                    name,
                    one["ifindex"],
                    info.get("info_kind", ""),
                    one.get("master", ""),
                    bool(data.get("nf_call_iptables")),
                    bool(data.get("nf_call_ip6tables")),
                )
            )
            if "xdp" in one:
                program = one["xdp"].get("prog", {})
                programs.append(Program(name, "xdp", program.get("name", "")))
    except (TypeError, KeyError, AttributeError, ValueError):
        raise ValueError("ip printed no links in JSON") from None
    return tuple(links), tuple(programs)


def read_qdiscs(text: str) -> tuple[str, ...]:
    """Return the links of ``tc -j qdisc show`` that may have filters."""
    return tuple(
        one["dev"]
        for one in json.loads(text)
        if one.get("kind") in {"clsact", "ingress"}
    )


def read_tc(text: str, link: str, direction: str) -> tuple[Program, ...]:
    """Return the eBPF programs of ``tc -j filter show dev LINK DIRECTION``."""
    return tuple(
        Program(link, f"tc {direction}", one["options"].get("bpf_name", ""))
        for one in json.loads(text or "[]")
        if one.get("kind") == "bpf" and "options" in one
    )
