import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.compiled import PeerSelector
from ringfence.errors import RingfenceBug
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import EVERYTHING, LabelSelector, Operator, Requirement
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock
from ringfence.ruleset.naming import (
    LABEL_LIMIT,
    BlocksId,
    ContestedId,
    LogKind,
    NamedPortsId,
    PodPeersId,
    PolicyId,
    PolicySetId,
    PortsId,
    Register,
    UnknownId,
    allow_counter,
    chain_name,
    cut_counter,
    deny_counter,
    is_counter,
    label,
    log_prefix,
    read_prefix,
    set_name,
    text_of,
    would_counter,
)
from ringfence.sets.interval import Interval

NFT_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9/_.\-]{0,254}")
ROLE = LabelSelector((Requirement("role", Operator.IN, frozenset({"client"})),))

dns_names = st.from_regex(r"[a-z0-9]([a-z0-9.\-]{0,60}[a-z0-9])?", fullmatch=True)
policy_sets = st.builds(
    lambda direction, namespace, names: PolicySetId(
        direction, tuple(ObjectKey(namespace, name) for name in sorted(names))
    ),
    st.sampled_from(Direction),
    dns_names,
    st.sets(dns_names, min_size=1, max_size=4),
)


@given(st.text(max_size=LABEL_LIMIT // 10))
def test_short_text_reads_back_from_its_label(text: str) -> None:
    assert text_of(label(text)) == text


@given(st.text(alphabet="a_=h<>!i ns(),", max_size=20))
def test_text_of_escape_characters_reads_back(text: str) -> None:
    assert text_of(label(text)) == text


@given(st.text(max_size=300), st.text(max_size=300))
def test_distinct_texts_have_distinct_labels(one: str, other: str) -> None:
    assert (label(one) == label(other)) == (one == other)


@given(st.text(max_size=300))
def test_label_fits_an_nft_identifier(text: str) -> None:
    assert NFT_IDENTIFIER.fullmatch("in/" + label(text))
    assert len(label(text)) <= LABEL_LIMIT


@given(st.text(alphabet="ab_=", min_size=LABEL_LIMIT + 1, max_size=300))
def test_long_text_leaves_only_its_digest(text: str) -> None:
    assert text_of(label(text)) is None


@pytest.mark.parametrize("name", ["a_", "_h", "a b", "x_IS_y"])
def test_text_that_is_no_label_is_refused(name: str) -> None:
    with pytest.raises(RingfenceBug):
        text_of(name)


@given(policy_sets)
def test_log_prefix_fits_the_kernels_limit(of: PolicySetId) -> None:
    assert len(log_prefix(of).encode()) <= 127


@given(policy_sets, policy_sets)
def test_policy_sets_share_no_name(one: PolicySetId, other: PolicySetId) -> None:
    if one != other:
        assert chain_name(one) != chain_name(other)
        assert log_prefix(one) != log_prefix(other)
        assert deny_counter(one) != deny_counter(other)


def test_names_are_readable() -> None:
    web = ObjectKey("shop", "web-in")
    both = PolicySetId(Direction.INGRESS, (ObjectKey("shop", "deny"), web))
    assert chain_name(both) == "in/shop/deny_plus_web-in"
    assert log_prefix(both) == "rf:D:in:shop/deny_plus_web-in"
    assert allow_counter(PolicyId(Direction.EGRESS, web)) == "allow/out/shop/web-in"


def test_sets_are_named_by_what_they_hold() -> None:
    own = PeerSelector("shop", None, ROLE)
    any_namespace = PeerSelector(None, EVERYTHING, ROLE)
    block = IPBlock(ip_network("192.0.2.0/24"), (ip_network("192.0.2.48/28"),))
    ports = PortsId(((Protocol.TCP, Interval(80, 80)), (Protocol.UDP, Interval(1, 9))))
    names = NamedPortsId(Direction.INGRESS, 6, (("http", Protocol.TCP),))
    assert set_name(PodPeersId(4, (own,))) == "p4/shop/role_is_client"
    assert set_name(PodPeersId(6, (any_namespace,))) == (
        "p6/ns_c__all__c_role_is_client"
    )
    assert set_name(BlocksId(4, (block,))) == ("b4/192.0.2.0/24_except_192.0.2.48/28")
    assert set_name(ports) == "t/tcp/80_and_udp/1-9"
    assert set_name(names) == "n6/in/tcp/http"


def test_namespace_and_pod_selectors_are_kept_apart() -> None:
    def exists(key: str) -> LabelSelector:
        return LabelSelector((Requirement(key, Operator.EXISTS),))

    one = PodPeersId(4, (PeerSelector(None, exists("a"), exists("b/c")),))
    other = PodPeersId(4, (PeerSelector(None, exists("a/b"), exists("c")),))
    assert set_name(one) != set_name(other)


def test_register_refuses_one_name_for_two_things() -> None:
    register = Register()
    one = PolicyId(Direction.INGRESS, ObjectKey("a", "b"))
    other = PolicyId(Direction.INGRESS, ObjectKey("a", "c"))
    assert register.enter("x", one) == register.enter("x", one) == "x"
    with pytest.raises(RingfenceBug):
        register.enter("x", other)


DENIERS: list[PolicySetId | ContestedId | UnknownId] = [
    *(
        ContestedId(direction, audited)
        for direction in Direction
        for audited in (False, True)
    ),
    *(UnknownId(direction) for direction in Direction),
    PolicySetId(Direction.INGRESS, (ObjectKey("contested", "unknown"),)),
]


def test_chains_without_policies_share_no_name_with_others() -> None:
    assert len({chain_name(of) for of in DENIERS}) == len(DENIERS)


@given(policy_sets, st.sampled_from(LogKind))
def test_log_prefix_reads_back(of: PolicySetId, what: LogKind) -> None:
    said = read_prefix(log_prefix(of, what))
    assert said is not None
    assert (said.what, said.direction) == (what, of.direction)
    assert said.text in {str(of), None}


@pytest.mark.parametrize("prefix", ["", "rf:D:in:", "rf:D:up:a", "rf:D:in:a b", "x"])
def test_prefix_of_somebody_else_reads_as_none(prefix: str) -> None:
    assert read_prefix(prefix) is None


def test_counters_are_known_by_their_heads() -> None:
    of = PolicySetId(Direction.INGRESS, (ObjectKey("a", "b"),))
    assert all(map(is_counter, (deny_counter(of), cut_counter(of), would_counter(of))))
    assert not any(map(is_counter, (chain_name(of), log_prefix(of), "self4")))
