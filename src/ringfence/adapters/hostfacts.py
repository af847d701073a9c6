"""A node's facts for the doctor, gathered by reading; nothing is changed."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from ringfence.adapters.kernel.bpf import attached
from ringfence.adapters.kernel.links import netfilter_sees_bridges
from ringfence.adapters.process import find_program, run_program
from ringfence.doctor.facts import (
    BridgeFilter,
    Link,
    NodeFacts,
    Program,
    Ruleset,
    Tracked,
    Trial,
    Unknown,
)
from ringfence.doctor.reading import (
    read_iptables,
    read_links,
    read_nft,
    read_qdiscs,
    read_tc,
)
from ringfence.errors import KernelError

_Fact = TypeVar("_Fact")
_Given = ParamSpec("_Given")

_TIMEOUT_S = 60.0
_NET = Path("/proc/sys/net")
_LEGACY = (
    ("iptables-legacy-save", Path("/proc/net/ip_tables_names")),
    ("ip6tables-legacy-save", Path("/proc/net/ip6_tables_names")),
)
_COMMENT = re.compile(r'^\tcomment "([^"]*)"', re.MULTILINE)


def node_facts(trial: Trial | Unknown) -> NodeFacts:
    """Return what is found in the network namespace that the process is in.

    A fact that needs a program or a right that is not there is Unknown. ``trial``
    is handed through: it was made elsewhere.
    """
    listed = _known(lambda: read_links(_said(["ip", "-j", "-d", "link"])))
    links, xdp = (listed, listed) if isinstance(listed, Unknown) else listed
    return NodeFacts(
        kernel=platform.release(),
        nft=_known(lambda: _said(["nft", "--version"]).strip()),
        ruleset=_known(lambda: read_nft(_said(["nft", "-j", "-t", "list", "ruleset"]))),
        legacy=_legacy(),
        own_comment=_known(_own_comment),
        links=links,
        xdp=xdp,
        programs=links
        if isinstance(links, Unknown)
        else _known(_other_programs, links),
        bridge_filter=_bridge_filter(),
        forwarding=_known(lambda: _number(_NET / "ipv4/ip_forward") != 0),
        tracked=_tracked(),
        trial=trial,
    )


class _NotToldError(Exception):
    """A fact that cannot be had; its words say why."""


def _known(
    find: Callable[_Given, _Fact], *args: _Given.args, **kwargs: _Given.kwargs
) -> _Fact | Unknown:
    try:
        return find(*args, **kwargs)
    except (_NotToldError, KernelError, ValueError) as error:
        return Unknown(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return Unknown(f"{place}{error.strerror}")


def _said(command: Sequence[str]) -> str:
    """Return what a program prints; raises _NotToldError with its words."""
    program = find_program(command[0])
    if program is None:
        raise _NotToldError(f"{command[0]} is not installed")
    ended = run_program([program, *command[1:]], "", timeout_s=_TIMEOUT_S)
    if ended.code != 0:
        words = ended.complaint.strip().splitlines() or [f"exit {ended.code}"]
        raise _NotToldError(f"{command[0]}: {words[0]}")
    return ended.output


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _own_comment() -> str | None:
    if "inet ringfence" not in read_nft(_said(["nft", "-j", "list", "tables"])).tables:
        return None
    found = _COMMENT.search(_said(["nft", "-t", "list", "table", "inet", "ringfence"]))
    return found[1] if found else ""


def _legacy() -> Ruleset | Unknown:
    """Return what the legacy iptables hold, which nft does not show."""
    texts = []
    for program, names in _LEGACY:
        used = _known(_read_names, names)
        if isinstance(used, Unknown):
            return used
        if not used:
            texts.append("")
            continue
        said = _known(_said, [program])
        if isinstance(said, Unknown):
            return Unknown(f"legacy iptables tables ({used}) are in use; {said.reason}")
        texts.append(said)
    return read_iptables(texts)


def _read_names(path: Path) -> str:
    if not path.exists():
        return ""
    return ", ".join(path.read_text(encoding="ascii").split())


def _other_programs(links: Sequence[Link]) -> tuple[Program, ...]:
    """Return the programs that ip does not show."""
    return (*_on_tc(), *_on_tcx(links))


def _on_tc() -> list[Program]:
    return [program for name in _classifying() for program in _on_link(name)]


def _classifying() -> Sequence[str]:
    """Return the links that tc classifies packets of."""
    return read_qdiscs(_said(["tc", "-j", "qdisc", "show"]))


def _on_link(name: str) -> list[Program]:
    """Return what tc shows on a link; nothing where that is gone meanwhile."""
    found: list[Program] = []
    try:
        for way in ("ingress", "egress"):
            said = _said(["tc", "-j", "filter", "show", "dev", name, way])
            found += read_tc(said, name, way)
    except _NotToldError:
        if name in _classifying():
            raise
        return []
    return found


def _on_tcx(links: Sequence[Link]) -> list[Program]:
    try:
        return [
            Program(link.name, place)
            for link in links
            for place in attached(link.number)
        ]
    except OSError as error:
        raise _NotToldError(f"eBPF programs of tcx: {error.strerror}") from None


def _bridge_filter() -> BridgeFilter | None:
    seen = netfilter_sees_bridges()
    if seen is None:
        return None
    return BridgeFilter(iptables=4 in seen, ip6tables=6 in seen)  # noqa: PLR2004 - IP versions


def _tracked() -> Tracked | Unknown | None:
    place = _NET / "netfilter"
    if not (place / "nf_conntrack_count").exists():
        return None
    return _known(
        lambda: Tracked(
            _number(place / "nf_conntrack_count"), _number(place / "nf_conntrack_max")
        )
    )
