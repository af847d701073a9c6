import gc
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ringfence.engine.compiled import PeerSelector
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.following.changes import (
    Changes,
    ClaimChange,
    IsolationChange,
    PeerChange,
    PodChange,
)
from ringfence.engine.following.events import Event, Kind, Thing
from ringfence.engine.following.groups import Group, Place, Reach, SharedSet, Watch
from ringfence.engine.following.state import State
from ringfence.errors import RingfenceBug
from ringfence.manifest.labelquery import parse_label_query
from ringfence.model.flow import Direction
from ringfence.model.workload import METADATA_NAME, Namespace, Node
from ringfence.ruleset.lowering.lower import lower
from worlds import cluster, egress, ingress, key, peer, pod, rule, tcp

WEB = pod("web", "app=web", "10.0.0.1", node="n1")
DB = pod("db", "app=db", "10.0.0.2", node="n1")
ALLOW_WEB = ingress("allow-web", "app=db", rule([peer("app=web")], [tcp(80)]))
WEB_PEER = PeerSelector("default", None, parse_label_query("app=web"))
FROM_PROD = ingress("prod", "app=db", rule([peer("", "env=prod")]))
PROD = {METADATA_NAME: "other", "env": "prod"}


def put(state: State, *things: Thing) -> Changes:
    return state.apply(map(Event.put, things))


def gone(state: State, kind: Kind, name: str) -> Changes:
    alone = kind in {Kind.NAMESPACE, Kind.NODE}
    return state.apply([Event(kind, name if alone else key(name))])


def the_peer(changes: Changes) -> PeerChange:
    (change,) = changes.peers
    return change


def addresses(*texts: str) -> frozenset[object]:
    return frozenset(map(ip_address, texts))


def test_a_pod_that_comes_is_isolated_and_gained_by_its_peers() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB, ingress("deny", "app=web")))
    changes = put(state, pod("web-2", "app=web", "10.0.0.3"))
    isolated = IsolationChange(
        Direction.INGRESS, key("web-2"), old=(), new=(key("deny"),)
    )
    assert changes.isolation == (isolated,)
    assert the_peer(changes).gained.certain == {key("web-2")}
    assert the_peer(changes).addresses_gained == addresses("10.0.0.3")
    assert changes.policy_sets == ()


def test_a_relabelled_pod_changes_sides() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    changes = put(state, replace(WEB, labels={"app": "db"}))
    assert [(c.pod, c.new) for c in changes.isolation] == [
        (key("web"), (key("allow-web"),))
    ]
    assert the_peer(changes).lost.certain == {key("web")}
    assert the_peer(changes).addresses_lost == addresses("10.0.0.1")
    assert changes.pods == ()


def test_a_pod_relabelled_within_a_peer_is_no_change() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    assert not put(state, replace(WEB, labels={"app": "web", "hash": "x"}))
    assert state.compiled == compile_cluster(state.cluster)


def test_a_pod_that_finishes_ends_and_leaves_its_address() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    changes = put(state, replace(WEB, phase="Succeeded"))
    assert changes.pods == (PodChange(WEB, None),)
    assert changes.claims == (ClaimChange(WEB.addresses[0], (key("web"),), ()),)
    assert the_peer(changes).addresses_lost == addresses("10.0.0.1")


def test_an_address_that_another_pod_claims_too_is_no_peers_any_more() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    changes = put(state, pod("thief", "", "10.0.0.1"))
    assert the_peer(changes).lost.certain == frozenset()
    assert the_peer(changes).addresses_lost == addresses("10.0.0.1")
    changes = gone(state, Kind.POD, "thief")
    assert the_peer(changes).addresses_gained == addresses("10.0.0.1")


def test_nodes_that_share_an_address_claim_it_until_the_last_one_goes() -> None:
    address = ip_address("10.9.0.1")
    state = State(cluster(Node("n1", {}, (address,)), Node("n2", {}, (address,))))
    assert not gone(state, Kind.NODE, "n1")
    assert gone(state, Kind.NODE, "n2").claims == (ClaimChange(address, (None,), ()),)


def test_a_namespace_whose_labels_become_known_makes_pods_certain() -> None:
    state = State(cluster(DB, FROM_PROD))
    assert the_peer(put(state, pod("other/x"))).gained.possible == {key("other/x")}
    changes = put(state, Namespace("other", PROD))
    assert the_peer(changes).gained.certain == {key("other/x")}
    assert the_peer(changes).lost.possible == {key("other/x")}
    (named,) = changes.namespaces
    assert (named.old and named.old.declared) is False


def test_a_namespace_that_goes_before_its_pods_leaves_its_labels_unknown() -> None:
    state = State(cluster(DB, FROM_PROD, Namespace("other", PROD), pod("other/x")))
    changes = gone(state, Kind.NAMESPACE, "other")
    assert the_peer(changes).lost.certain == {key("other/x")}
    assert not state.cluster.namespaces["other"].declared
    gone(state, Kind.POD, "other/x")
    assert "other" not in state.cluster.namespaces


def test_other_ports_rewrite_the_policy_set_and_nothing_else() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    changes = put(
        state, ingress("allow-web", "app=db", rule([peer("app=web")], [tcp(81)]))
    )
    (rewritten,) = changes.policy_sets
    assert rewritten.old is not None
    assert rewritten.new is not None
    assert rewritten.new.rules[0].ports == (tcp(81),)
    assert changes == Changes(policy_sets=(rewritten,))


def test_a_policy_that_goes_takes_its_set_and_its_peer_with_it() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    changes = gone(state, Kind.POLICY, "allow-web")
    assert [change.new for change in changes.policy_sets] == [None]
    assert changes.vanished == (WEB_PEER,)
    assert [change.new for change in changes.isolation] == [()]
    assert not state.compiled.members


def test_a_peer_that_another_policy_takes_over_does_not_vanish() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    heir = ingress("heir", "app=db", rule([peer("app=web")]))
    changes = state.apply([Event(Kind.POLICY, key("allow-web")), Event.put(heir)])
    assert (changes.appeared, changes.vanished, changes.peers) == ((), (), ())
    assert len(changes.policy_sets) == 2


def test_a_peer_that_appears_is_named_and_not_repeated() -> None:
    state = State(cluster(WEB, DB))
    changes = put(state, ALLOW_WEB)
    assert (changes.appeared, changes.peers) == ((WEB_PEER,), ())
    assert state.compiled.members[WEB_PEER].certain == {key("web")}


def test_the_same_again_and_removing_what_is_not_there_are_no_changes() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    assert not put(state, WEB, ALLOW_WEB)
    assert not gone(state, Kind.POD, "nobody")
    assert not gone(state, Kind.NAMESPACE, "nowhere")
    assert not gone(state, Kind.POLICY, "nothing")


def test_what_a_batch_undoes_itself_is_no_change() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    assert not state.apply([Event(Kind.POD, key("web")), Event.put(WEB)])
    moved = pod("web-2", "app=web", "10.0.0.3")
    assert not state.apply([Event.put(moved), Event(Kind.POD, key("web-2"))])


def test_the_first_ipv6_address_changes_the_families() -> None:
    state = State(cluster(WEB, DB))
    assert put(state, pod("six", "", "fd00::6")).families == (4, 6)
    assert gone(state, Kind.POD, "six").families == (4,)


def test_a_state_that_lost_everything_is_empty() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB, FROM_PROD))
    for policy in [*state.cluster.policies]:
        state.apply([Event(Kind.POLICY, policy)])
    for one in [*state.cluster.pods]:
        state.apply([Event(Kind.POD, one)])
    gone(state, Kind.NAMESPACE, "default")
    assert state.compiled == State().compiled
    assert not state.claims


def test_nothing_that_is_gone_is_kept() -> None:
    def kept() -> int:
        gc.collect()
        parts = (Group, Watch, Reach, Place, SharedSet)
        return sum(type(thing) in parts for thing in gc.get_objects())

    anywhere = ingress("any", "", rule([peer("app=web", "")]))
    state = State(cluster(WEB, DB, anywhere))
    before = kept()
    for _ in range(3):
        put(state, ALLOW_WEB, FROM_PROD, Namespace("other", PROD))
        put(state, pod("other/x", "app=web,hash=1"), pod("y", "app=web,hash=2"))
        put(state, ingress("anyone", "", rule([peer("app=web,hash=2", "")])))
        for name in ("other/x", "y"):
            gone(state, Kind.POD, name)
        for name in ("allow-web", "prod", "anyone"):
            gone(state, Kind.POLICY, name)
        gone(state, Kind.NAMESPACE, "other")
    assert kept() == before


def test_the_views_cannot_be_written_to() -> None:
    state = State(cluster(WEB, DB, ALLOW_WEB))
    for view in (state.claims, state.cluster.pods, state.compiled.members):
        with pytest.raises(TypeError, match="does not support item assignment"):
            view["x"] = "y"  # type: ignore[index]  # what is tested


def test_a_ruleset_is_made_from_the_views_as_from_scratch() -> None:
    state = State()
    put(state, ALLOW_WEB, WEB, FROM_PROD, pod("other/x", "", "10.0.0.5"), DB)
    put(state, egress("out", "", rule([peer("app=db")])), Namespace("other", PROD))
    right = compile_cluster(state.cluster)
    assert lower(state.compiled, "n1") == lower(right, "n1")


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (Kind.POD, key("db"), WEB),
        (Kind.POLICY, key("web"), WEB),
        (Kind.NODE, key("web"), None),
        (Kind.POD, "web", None),
    ],
)
def test_an_event_whose_parts_do_not_fit_is_our_bug(
    kind: Kind, name: str, value: Thing | None
) -> None:
    with pytest.raises(RingfenceBug):
        Event(kind, name, value)
