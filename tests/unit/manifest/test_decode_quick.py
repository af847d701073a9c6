"""The quick look at a pod and the strict one: the same pod, or no quick answer."""

from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ringfence.errors import Problem
from ringfence.manifest.decoding.fields import Field
from ringfence.manifest.decoding.objects import strict_pod
from ringfence.manifest.decoding.quick import parse_address, quick_pod
from ringfence.manifest.reader import items, read_documents
from ringfence.model.meta import ObjectKey

KEY = ObjectKey("a", "b")

ODD: list[object] = [None, "", "x", 0, 1, True, False, [], {}, [None], 1.5]
odd = st.sampled_from(ODD)


def fields(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these fields, now and then with an odd value."""
    return st.one_of(
        st.fixed_dictionaries({}, optional={k: v | odd for k, v in known.items()}), odd
    )


addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1", "10.0.0.01", "1.2.3"])
flags = st.booleans()
ports = fields(
    containerPort=st.integers(-1, 2) | st.just(65536),
    protocol=st.sampled_from(["TCP", "UDP", "SCTP", "ICMP"]),
    name=st.sampled_from(["http", "dns"]),
)
containers = st.lists(
    fields(
        ports=st.lists(ports, max_size=2),
        restartPolicy=st.sampled_from(["Always", "Never"]),
    ),
    max_size=2,
)
owners = fields(
    kind=st.sampled_from(["ReplicaSet", "Job"]),
    name=st.sampled_from(["web", "db"]),
    controller=flags,
)
pods = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "kind": st.just("Pod")},
    optional={
        "metadata": fields(
            labels=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy") | odd),
            ownerReferences=st.lists(owners, max_size=2),
        ),
        "spec": fields(
            containers=containers,
            initContainers=containers,
            nodeName=st.just("n1"),
            hostNetwork=flags,
        ),
        "status": fields(
            phase=st.sampled_from(["Running", "Failed", "Lost"]),
            podIP=addresses,
            podIPs=st.lists(fields(ip=addresses), max_size=2),
            hostIP=addresses,
        ),
    },
)


@given(pods)
def test_the_quick_look_finds_what_the_strict_one_does(pod: dict[str, Any]) -> None:
    quick = quick_pod(pod, KEY)
    problems: list[Problem] = []
    (document,) = read_documents(b"kind: Pod", "x")
    (item,) = items(document)
    strict = strict_pod(Field(item, problems, pod), KEY)
    assert quick is None or (quick == strict and not problems)


def test_a_pod_as_servers_write_it_is_looked_at_quickly() -> None:
    pod = {
        "metadata": {
            "labels": {"app": "web"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": "web-1", "controller": True}
            ],
        },
        "spec": {
            "nodeName": "n1",
            "hostNetwork": False,
            "containers": [{"name": "c", "ports": [{"containerPort": 80}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
        },
    }
    assert quick_pod(pod, KEY) is not None


@given(
    st.lists(st.sampled_from(["0", "00", "1", "255", "256", "٣", "+1", ""]), max_size=5)
)
def test_addresses_are_those_of_the_library(octets: list[str]) -> None:
    text = ".".join(octets)
    try:
        expected = ip_address(text)
    except ValueError:
        expected = None
    assert parse_address(text) == expected
