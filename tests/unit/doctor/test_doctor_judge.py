"""Each matter is judged by its facts, and by nothing where there is no fact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringfence.doctor.enforcers import ENFORCERS, Enforcer
from ringfence.doctor.facts import (
    BaseChain,
    BridgeFilter,
    ClusterFacts,
    DaemonSet,
    Facts,
    Link,
    NodeFacts,
    Program,
    Ruleset,
    Tracked,
    Trial,
    Unknown,
)
from ringfence.doctor.findings import Finding, Status
from ringfence.doctor.judge import judge

PLAIN = NodeFacts(
    kernel="6.1.0-18-amd64",
    nft="nftables v1.0.6",
    ruleset=Ruleset(frozenset({"ip nat"}), frozenset({"KUBE-SERVICES"})),
    legacy=Ruleset(),
    own_comment=None,
    links=(Link("eth0", 2),),
    xdp=(),
    programs=(),
    bridge_filter=BridgeFilter(iptables=False, ip6tables=False),
    forwarding=True,
    tracked=Tracked(10, 1000),
    trial=Trial(),
)
EMPTY = ClusterFacts((DaemonSet("kube-system", "kube-flannel-ds"),), frozenset())
NOT_ASKED = Unknown("nobody was asked")


def findings(node: NodeFacts, cluster: ClusterFacts | Unknown = EMPTY) -> list[Finding]:
    return judge(Facts(node, cluster))


def only(found: list[Finding], check: str) -> Finding:
    (one,) = (one for one in found if one.check == check)
    return one


def holding(**more: object) -> NodeFacts:
    return replace(PLAIN, **more)  # type: ignore[arg-type]  # fields by name


def test_a_plain_node_has_nothing_wrong() -> None:
    assert {one.status for one in findings(PLAIN)} == {Status.OK}


def test_each_finding_that_is_not_in_order_says_why() -> None:
    node = holding(
        ruleset=Ruleset(flowtables=("inet f x",)),
        links=(Link("cni0", 2, "bridge"), Link("kube-ipvs0", 3)),
        bridge_filter=None,
        forwarding=False,
        tracked=Tracked(999, 1000),
        programs=(Program("eth0", "xdp"),),
        own_comment="mine",
        trial=Trial("nft refused"),
    )
    bad = [one for one in findings(node) if one.status is not Status.OK]
    assert len(bad) == 8
    assert all(one.why for one in bad)


@pytest.mark.parametrize(
    ("ruleset", "enforcer"),
    [
        (Ruleset(chains=frozenset({"KUBE-ROUTER-FORWARD"})), "kube-router"),
        (Ruleset(tables=frozenset({"ip kube-router-filter-ipv4"})), "kube-router"),
        (Ruleset(chains=frozenset({"cali-FORWARD", "cali-to-wl"})), "Calico"),
        (Ruleset(tables=frozenset({"inet kindnet-network-policies"})), "kindnet"),
        (
            Ruleset(tables=frozenset({"inet kube-network-policies"})),
            "kube-network-policies",
        ),
        (Ruleset(chains=frozenset({"WEAVE-NPC-INGRESS"})), "Weave Net"),
        (Ruleset(chains=frozenset({"AZURE-NPM"})), "Azure Network Policy Manager"),
        (Ruleset(chains=frozenset({"ANTREA-FORWARD"})), "Antrea"),
        (Ruleset(chains=frozenset({"CILIUM_FORWARD"})), "Cilium"),
    ],
)
@pytest.mark.parametrize("where", ["ruleset", "legacy"])
def test_an_enforcer_is_known_by_its_chains_and_tables(
    ruleset: Ruleset, enforcer: str, where: str
) -> None:
    found = only(findings(holding(**{where: ruleset})), "enforcers on this node")
    assert found.status is Status.PROBLEM
    assert found.said.startswith(f"{enforcer} has been here: ")
    assert found.remedy


def test_an_enforcer_is_known_by_its_link() -> None:
    node = holding(links=(Link("antrea-gw0", 3),))
    assert "link antrea-gw0" in only(findings(node), "enforcers on this node").said


@pytest.mark.parametrize("enforcer", ENFORCERS, ids=lambda one: one.name)
def test_an_enforcer_is_known_by_its_daemonset(enforcer: Enforcer) -> None:
    for name in enforcer.daemonsets:
        cluster = ClusterFacts(
            (DaemonSet("kube-system", name, enforcer.on),), frozenset()
        )
        found = only(findings(PLAIN, cluster), "enforcers in the cluster")
        assert found.status is Status.PROBLEM
        assert f"DaemonSet kube-system/{name}" in found.said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kube-router", ("--run-firewall=false",)),
        ("aws-node", ("--enable-network-policy=false",)),
        ("aws-node", ()),
    ],
)
def test_a_daemonset_told_not_to_enforce_is_no_enforcer(
    name: str, words: tuple[str, ...]
) -> None:
    cluster = ClusterFacts((DaemonSet("kube-system", name, words),), frozenset())
    found = only(findings(PLAIN, cluster), "enforcers in the cluster")
    assert found.status is Status.OK


def test_crds_alone_are_a_warning() -> None:
    left = frozenset({"felixconfigurations.crd.projectcalico.org"})
    found = findings(PLAIN, ClusterFacts(EMPTY.daemonsets, left))
    assert only(found, "enforcers' CRDs").status is Status.WARNING


def test_crds_of_an_enforcer_that_runs_are_not_told_twice() -> None:
    left = frozenset({"felixconfigurations.crd.projectcalico.org"})
    running = (DaemonSet("kube-system", "calico-node"),)
    found = findings(PLAIN, ClusterFacts(running, left))
    assert [one.check for one in found].count("enforcers' CRDs") == 0


def test_what_was_not_asked_cannot_be_told() -> None:
    blind = NodeFacts(
        "weird",
        NOT_ASKED,
        NOT_ASKED,
        NOT_ASKED,
        NOT_ASKED,
        NOT_ASKED,
        NOT_ASKED,
        NOT_ASKED,
        None,
        NOT_ASKED,
        NOT_ASKED,
        NOT_ASKED,
    )
    found = findings(blind, NOT_ASKED)
    assert {one.status for one in found} == {Status.UNKNOWN, Status.WARNING}
    assert [one.check for one in found if one.status is Status.WARNING] == ["nft"]


def test_a_refused_list_does_not_hide_the_other() -> None:
    found = findings(PLAIN, ClusterFacts(NOT_ASKED, frozenset()))
    assert only(found, "enforcers in the cluster").status is Status.UNKNOWN


@pytest.mark.parametrize("where", ["ruleset", "legacy"])
def test_a_chain_that_drops_the_rest_is_a_warning(where: str) -> None:
    base = BaseChain("ip filter FORWARD", "forward", 0, "has policy drop")
    services = frozenset({"KUBE-SERVICES"})
    node = holding(**{where: Ruleset(chains=services, bases=(base,))})
    found = only(findings(node), "other chains on forward")
    assert found.status is Status.WARNING
    assert found.said == "ip filter FORWARD has policy drop"


@pytest.mark.parametrize(
    "base",
    [
        BaseChain("inet ringfence ingress", "forward", -4, "has policy drop"),
        BaseChain("ip filter INPUT", "input", 0, "has policy drop"),
        BaseChain("ip filter FORWARD", "forward", 0, ""),
    ],
)
def test_chains_that_do_not_matter_are_passed_over(base: BaseChain) -> None:
    found = findings(holding(legacy=Ruleset(bases=(base,))))
    assert only(found, "other chains on forward").status is Status.OK


PORTS = (Link("veth1", 5, "veth", "br0"), Link("veth2", 6, "veth", "br0"))


@pytest.mark.parametrize(
    ("bridge", "loaded", "status"),
    [
        (Link("br0", 4, "bridge"), None, Status.WARNING),
        (Link("cni0", 4, "bridge"), None, Status.PROBLEM),
        (Link("br0", 4, "bridge"), BridgeFilter(False, False), Status.WARNING),
        (Link("br0", 4, "bridge"), BridgeFilter(True, False), Status.WARNING),
        (Link("br0", 4, "bridge"), BridgeFilter(True, True), Status.OK),
        (
            Link("br0", 4, "bridge", "", True, True),
            BridgeFilter(False, False),
            Status.OK,
        ),
        (
            Link("br0", 4, "bridge", "", True, False),
            BridgeFilter(False, True),
            Status.OK,
        ),
    ],
)
def test_a_bridge_is_judged_by_what_is_filtered_of_it(
    bridge: Link, loaded: BridgeFilter | None, status: Status
) -> None:
    node = holding(links=(bridge, *PORTS), bridge_filter=loaded)
    assert only(findings(node), f"bridge {bridge.name}").status is status


def test_a_bridge_with_one_port_carries_nothing() -> None:
    node = holding(links=(Link("br0", 4, "bridge"), PORTS[0]), bridge_filter=None)
    assert only(findings(node), "bridges").status is Status.OK


def test_the_family_that_passes_by_is_named() -> None:
    node = holding(
        links=(Link("br0", 4, "bridge", "", True, False), *PORTS),
        bridge_filter=BridgeFilter(False, False),
    )
    assert "IPv6" in only(findings(node), "bridge br0").said


def test_few_programs_are_named_and_many_counted() -> None:
    programs = tuple(Program(f"veth{n}", "tc ingress", "x") for n in range(7))
    said = only(findings(holding(programs=programs)), "eBPF programs").said
    assert said.startswith("veth0 tc ingress (x), ")
    assert said.endswith(" and 2 more")


def test_a_program_that_is_seen_is_told_where_others_cannot_be() -> None:
    node = holding(xdp=(Program("eth0", "xdp"),), programs=NOT_ASKED)
    told = [one.status for one in findings(node) if one.check == "eBPF programs"]
    assert told == [Status.WARNING, Status.UNKNOWN]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"links": (Link("kube-ipvs0", 9),)}, "IPVS"),
        ({"ruleset": Ruleset(frozenset({"ip kube-proxy"}))}, "nftables"),
        ({}, "iptables"),
        ({"ruleset": Ruleset()}, "no mark of kube-proxy"),
    ],
)
def test_the_mode_of_kube_proxy_is_told(more: dict[str, object], said: str) -> None:
    assert only(findings(holding(**more)), "kube-proxy").said.startswith(said)


@pytest.mark.parametrize(
    ("release", "status"),
    [
        ("5.5.19", Status.PROBLEM),
        ("4.18.0-553.el8", Status.PROBLEM),
        ("5.6.0", Status.OK),
        ("6.18.44", Status.OK),
        ("next", Status.UNKNOWN),
    ],
)
def test_an_untried_kernel_is_judged_by_its_release(
    release: str, status: Status
) -> None:
    found = findings(holding(kernel=release, trial=NOT_ASKED))
    assert only(found, "kernel").status is status
    assert only(found, "trial").status is Status.UNKNOWN


def test_a_kernel_that_took_a_ruleset_is_in_order_whatever_its_number() -> None:
    found = findings(holding(kernel="4.18.0-553.el8", trial=Trial(packets=True)))
    assert only(found, "kernel").status is Status.OK
    assert only(found, "probe").status is Status.OK


def test_a_refusal_of_the_kernel_is_told_in_its_words() -> None:
    found = only(findings(holding(trial=Trial("nft refused: line 3"))), "kernel")
    assert (found.status, "line 3" in found.said) == (Status.PROBLEM, True)


@pytest.mark.parametrize(
    ("held", "status"),
    [(0, Status.OK), (700, Status.WARNING), (900, Status.PROBLEM)],
)
def test_a_filling_conntrack_table_is_told(held: int, status: Status) -> None:
    found = findings(holding(tracked=Tracked(held, 1000)))
    assert only(found, "conntrack").status is status


@pytest.mark.parametrize(
    ("comment", "status"),
    [
        ("owner=ringfence schema=1", Status.OK),
        ("owner=ringfences", Status.PROBLEM),
        ("", Status.PROBLEM),
    ],
)
def test_a_foreign_table_of_our_name_is_a_problem(comment: str, status: Status) -> None:
    found = findings(holding(own_comment=comment))
    assert only(found, "table inet ringfence").status is status
