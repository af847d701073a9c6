"""From documents to a Cluster: what is read, what is not, what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.errors import InputError, Problem
from ringfence.manifest.decoding.decode import Decoded, decode_documents
from ringfence.manifest.decoding.policy import parse_block
from ringfence.manifest.reader import Document, read_documents
from ringfence.manifest.strictness import FieldValidation, Options
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import EVERYTHING, Operator, Requirement
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, Rule
from ringfence.model.workload import ContainerPort, Owner, Pod, Service

STRICT = Options()


def decoded(text: str, options: Options = STRICT) -> Decoded:
    documents = read_documents(dedent(text).encode(), "in.yaml")
    return decode_documents(documents, options)


def cluster(text: str) -> Cluster:
    return decoded(text).cluster


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        decoded(text)
    return [str(problem) for problem in caught.value.problems]


def pod(spec: str = "", status: str = "", meta: str = "") -> Pod:
    text = f"""
    {{apiVersion: v1, kind: Pod, metadata: {{name: web, {meta}}},
     spec: {{{spec}}}, status: {{{status}}}}}"""
    (found,) = cluster(text).pods.values()
    return found


def service(spec: str) -> Service:
    text = f"{{apiVersion: v1, kind: Service, metadata: {{name: s}}, spec: {{{spec}}}}}"
    (found,) = cluster(text).services.values()
    return found


def policy_rules(rules: str) -> tuple[Rule, ...]:
    text = f"""
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {{name: p}}
    spec: {{podSelector: {{}}, ingress: {rules}}}
    """
    (found,) = cluster(text).policies.values()
    return found.ingress


# Pods


def test_a_pod_needs_nothing_but_a_name() -> None:
    found = pod()
    bare = Pod(ObjectKey("default", "web"), {}, ports=None, position=found.position)
    assert found == bare


def test_container_ports_default_to_tcp_and_sidecars_count() -> None:
    spec = """containers: [{ports: [{containerPort: 80, name: http}]},
                           {ports: [{containerPort: 53, protocol: UDP}]}],
              initContainers: [{ports: [{containerPort: 1}]},
                               {restartPolicy: Always, ports: [{containerPort: 2}]}]"""
    assert pod(spec).ports == (
        ContainerPort(80, Protocol.TCP, "http"),
        ContainerPort(53, Protocol.UDP),
        ContainerPort(2),
    )


def test_containers_without_ports_are_known_to_have_none() -> None:
    assert pod("containers: [{name: c}]").ports == ()
    assert pod("containers: []").ports is None


def test_addresses_of_both_families_are_read() -> None:
    status = "podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]"
    found = pod(status=status).addresses
    assert found == (ip_address("10.0.0.1"), ip_address("fd00::1"))


def test_a_pod_ip_that_differs_from_the_list_wins() -> None:
    found = pod(status="podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.1}]").addresses
    assert found == (ip_address("10.0.0.9"),)


def test_a_pod_in_the_nodes_network_has_the_nodes_address() -> None:
    status = "hostIP: 10.9.0.1"
    assert pod("hostNetwork: true", status).addresses == (ip_address("10.9.0.1"),)
    assert pod("hostNetwork: false", status).addresses == ()


def test_the_controller_is_the_owner_wherever_it_stands() -> None:
    refs = "{kind: A, name: a}, {kind: ReplicaSet, name: b, controller: true}"
    assert pod(meta=f"ownerReferences: [{refs}]").owner == Owner("ReplicaSet", "b")
    assert pod(meta="ownerReferences: [{kind: A, name: a}]").owner == Owner("A", "a")


def test_a_finished_pod_keeps_its_phase() -> None:
    assert pod(status="phase: Succeeded").finished


def test_generated_names_are_numbered_clear_of_written_ones() -> None:
    text = """
    {kind: Pod, apiVersion: v1, metadata: {generateName: web-}}
    ---
    {kind: Pod, apiVersion: v1, metadata: {name: web-0}}
    ---
    {kind: Pod, apiVersion: v1, metadata: {generateName: web-}}
    """
    assert sorted(key.name for key in cluster(text).pods) == ["web-0", "web-1", "web-2"]


# Namespaces and Nodes


def test_the_name_label_of_a_namespace_cannot_be_set_otherwise() -> None:
    text = """
    {kind: Namespace, apiVersion: v1,
     metadata: {name: shop, labels: {kubernetes.io/metadata.name: x, team: a}}}
    """
    (found,) = cluster(text).namespaces.values()
    assert found.labels == {"kubernetes.io/metadata.name": "shop", "team": "a"}
    assert found.declared


def test_a_namespace_that_is_only_used_is_not_declared() -> None:
    text = "{kind: Pod, apiVersion: v1, metadata: {name: a, namespace: kube-system}}"
    (found,) = cluster(text).namespaces.values()
    assert (found.name, found.declared) == ("kube-system", False)
    assert found.labels == {"kubernetes.io/metadata.name": "kube-system"}


def test_what_names_no_namespace_is_in_the_current_one() -> None:
    options = Options(namespace="shop")
    text = "{kind: Pod, apiVersion: v1, metadata: {name: a, namespace: ''}}"
    assert list(decoded(text, options).cluster.pods) == [ObjectKey("shop", "a")]


def test_a_node_has_its_internal_and_external_addresses() -> None:
    text = """
    kind: Node
    apiVersion: v1
    metadata: {name: n1}
    status:
      addresses:
      - {type: Hostname, address: n1}
      - {type: InternalIP, address: 10.9.0.1}
      - {type: ExternalIP, address: "2001:db8::1"}
    """
    found = cluster(text).nodes["n1"].addresses
    assert found == (ip_address("10.9.0.1"), ip_address("2001:db8::1"))


# Services


def test_a_target_port_is_the_port_where_none_is_written() -> None:
    ports = service("ports: [{port: 80}, {port: 81, targetPort: http}]").ports
    assert [port.target for port in ports] == [80, "http"]


def test_a_service_without_selector_is_not_one_that_selects_everything() -> None:
    assert service("selector: {}").selector is None
    assert service("").selector is None
    assert service("selector: {app: web}").selector == {"app": "web"}


def test_a_headless_service_has_no_address() -> None:
    found = service("clusterIP: None, clusterIPs: [None]")
    assert (found.headless, found.cluster_ips) == (True, ())


def test_cluster_ips_are_read_once_each() -> None:
    found = service("clusterIP: 10.1.0.1, clusterIPs: [10.1.0.1, 'fd01::1']")
    assert found.cluster_ips == (ip_address("10.1.0.1"), ip_address("fd01::1"))


# Workloads


def test_templates_become_pods_in_the_namespaces_of_their_workloads() -> None:
    text = """
    kind: Deployment
    apiVersion: apps/v1
    metadata: {name: web, namespace: shop}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web, tier: front}}
        spec: {containers: [{ports: [{containerPort: 80}]}]}
    """
    found = cluster(text)
    assert sorted(map(str, found.pods)) == ["shop/web-0", "shop/web-1"]
    one = found.pods[ObjectKey("shop", "web-0")]
    assert one.ports == (ContainerPort(80),)
    assert one.labels == {"app": "web", "tier": "front"}
    assert not found.namespaces["shop"].declared


@pytest.mark.parametrize(
    ("written", "count"), [("", 1), ("replicas: null", 1), ("replicas: 0", 0)]
)
def test_replicas_not_written_are_one(written: str, count: int) -> None:
    text = f"""
    {{kind: StatefulSet, apiVersion: apps/v1, metadata: {{name: a}},
     spec: {{{written}}}}}"""
    assert len(cluster(text).pods) == count


def test_jobs_stand_for_as_many_pods_as_run_at_once() -> None:
    text = """
    kind: CronJob
    apiVersion: batch/v1
    metadata: {name: dump}
    spec:
      jobTemplate:
        spec:
          parallelism: 2
          template: {metadata: {labels: {job: dump}}}
    """
    found = cluster(text)
    assert [pod.labels for pod in found.pods.values()] == [{"job": "dump"}] * 2
    assert found.workloads["CronJob", ObjectKey("default", "dump")].selector is None


def test_replicas_below_zero_are_a_problem() -> None:
    text = """
    {kind: Deployment, apiVersion: apps/v1, metadata: {name: a}, spec: {replicas: -1}}
    """
    (problem,) = problems(text)
    assert "spec.replicas: must be between 0 and" in problem


# Policies


def test_a_policy_is_read_with_the_places_of_its_entries() -> None:
    text = """
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: db, namespace: data}
    spec:
      podSelector:
        matchExpressions:
        - {key: app, operator: NotIn, values: [web]}
      ingress:
      - from:
        - podSelector: {}
        - ipBlock:
            cidr: 10.0.0.0/8
            except: [10.1.0.0/16]
        ports:
        - port: 80
          endPort: 90
        - {port: dns, protocol: UDP}
    """
    found = cluster(text).policies[ObjectKey("data", "db")]
    (term,) = found.pod_selector.requirements
    assert term == Requirement("app", Operator.NOT_IN, frozenset({"web"}))
    assert found.policy_types == {Direction.INGRESS}
    (rule,) = found.ingress
    own, block = rule.peers or ()
    assert (own.pod_selector, own.namespace_selector) == (EVERYTHING, None)
    assert block.ip_block == IPBlock(
        ip_network("10.0.0.0/8"), (ip_network("10.1.0.0/16"),)
    )
    numbers, name = rule.ports or ()
    assert (numbers.port, numbers.end_port) == (80, 90)
    assert (name.port, name.protocol) == ("dns", Protocol.UDP)
    lines = [rule.position, own.position, block.position, name.position]
    assert [place.line for place in lines] == [10, 11, 12, 18]


def test_an_empty_list_restricts_nothing_like_an_absent_one() -> None:
    (rule,) = policy_rules("[{from: [], ports: null}]")
    assert (rule.peers, rule.ports) == (None, None)


def test_a_null_rule_allows_everything() -> None:
    (rule,) = policy_rules("[null]")
    assert (rule.peers, rule.ports) == (None, None)
    assert rule.position.line == 5


def test_every_cause_of_a_bad_policy_is_told_with_its_place() -> None:
    text = """
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: p}
    spec:
      podSelector: {}
      ingress:
      - from:
        - ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}
        ports:
        - port: 0
    """
    first, second = problems(text)
    assert first.startswith("in.yaml:11:") or second.startswith("in.yaml:11:")
    assert "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value" in first + second


def test_a_misspelt_field_of_a_policy_is_refused() -> None:
    (problem,) = problems(
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: p}
        spec: {podSelector: {}, ingress: [{form: []}]}
        """
    )
    assert problem.startswith("in.yaml:")
    assert "spec.ingress[0].form: unknown field" in problem


def test_a_misspelt_field_may_be_let_pass_with_a_warning() -> None:
    text = """
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {generateName: p-}
    spec: {podSelector: {}, ingress: [{form: []}]}
    """
    found = decoded(text, Options(field_validation=FieldValidation.WARN))
    (policy,) = found.cluster.policies.values()
    assert policy.key == ObjectKey("default", "p-0")
    assert policy.ingress[0].peers is None
    (warning,) = found.warnings
    assert "unknown field" in warning.message


def test_host_bits_in_a_cidr_are_refused_or_dropped_by_choice() -> None:
    text = """
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: p}
    spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.1.2.3/8}}]}]}
    """
    (problem,) = problems(text)
    assert problem.startswith("in.yaml:5:")
    found = decoded(text, Options(strict_cidr=False))
    (policy,) = found.cluster.policies.values()
    (peer,) = policy.ingress[0].peers or ()
    assert peer.ip_block == IPBlock(ip_network("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("010.008.0.0/016", "10.8.0.0/16"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:10.1.0.0/112", "10.1.0.0/16"),
        ("::ffff:010.1.0.0/112", "10.1.0.0/16"),
        ("::/0", "::/0"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
    ],
)
def test_a_block_means_what_a_lenient_server_makes_of_it(
    text: str, network: str
) -> None:
    assert parse_block(text) == ip_network(network)


# What is passed over, and what must not be


def test_other_kinds_are_counted() -> None:
    text = """
    {kind: ConfigMap, apiVersion: v1, metadata: {name: a}}
    ---
    {kind: Service, apiVersion: serving.knative.dev/v1, metadata: {name: a}}
    ---
    {kind: NetworkPolicy, apiVersion: crd.projectcalico.org/v1, metadata: {name: a}}
    """
    found = decoded(text)
    assert found.skipped == {
        "ConfigMap": 1,
        "Service.serving.knative.dev": 1,
        "NetworkPolicy.crd.projectcalico.org": 1,
    }
    assert found.cluster == Cluster()


@pytest.mark.parametrize("kind", ["networkpolicy", "NetworkPolicies", "Netpolicy"])
def test_a_kind_that_nearly_counts_is_not_passed_over(kind: str) -> None:
    text = f"{{kind: {kind}, apiVersion: networking.k8s.io/v1, metadata: {{name: a}}}}"
    (problem,) = problems(text)
    assert "did you mean NetworkPolicy?" in problem


def test_an_object_without_kind_is_a_problem() -> None:
    (problem,) = problems("{apiVersion: v1, metadata: {name: a}}")
    assert "kind is missing" in problem


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("kustomization.yaml", "-k DIR builds a kustomization"),
        ("Chart.yaml", "--helm DIR renders a chart"),
        ("other.yaml", "every object says its apiVersion and kind"),
    ],
)
def test_a_file_that_is_no_manifest_is_told_what_reads_it(name: str, hint: str) -> None:
    documents = read_documents(b"resources: []", f"deploy/{name}")
    with pytest.raises(InputError) as error:
        decode_documents(documents, Options())
    (problem,) = error.value.problems
    assert str(problem) == f"deploy/{name}:1:1: kind is missing ({hint})"


@pytest.mark.parametrize(
    "head", ["kind: [7], apiVersion: v1", "kind: Pod, apiVersion: [v1]"]
)
def test_a_kind_that_is_no_text_is_a_problem(head: str) -> None:
    (problem,) = problems(f"{{{head}, metadata: {{name: a}}}}")
    assert "must be a string, found a list" in problem


def test_a_key_given_twice_is_a_problem_at_the_second() -> None:
    text = """
    apiVersion: v1
    kind: PodList
    items:
    - metadata:
        name: a
        labels:
          app: web
          app: db
    """
    (problem,) = problems(text)
    assert problem.startswith("in.yaml:9:7: metadata.labels.app: ")
    assert 'the key "app" is given twice' in problem
    lenient = decoded(text, Options(field_validation=FieldValidation.WARN))
    assert [str(warning) for warning in lenient.warnings] == [problem]


def test_an_object_declared_twice_is_a_problem_naming_both_places() -> None:
    text = """
    {kind: Pod, apiVersion: v1, metadata: {name: a}}
    ---
    {kind: Pod, apiVersion: v1, metadata: {name: a, namespace: default}}
    """
    (problem,) = problems(text)
    assert problem.startswith("in.yaml:4:")
    assert "Pod default/a is declared twice, first at in.yaml:2:" in problem


def test_one_name_may_serve_several_kinds() -> None:
    text = """
    {kind: Pod, apiVersion: v1, metadata: {name: a}}
    ---
    {kind: Service, apiVersion: v1, metadata: {name: a}}
    """
    assert cluster(text).pods.keys() == cluster(text).services.keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metadata: {labels: [a], name: a}", "metadata.labels: must be an object"),
        ("metadata: {labels: {a: 80}, name: a}", "metadata.labels.a: must be a string"),
        ("metadata: {labels: {a: true}, name: a}", 'quote it: "true"'),
        ("metadata: {}", "metadata.name: a name is missing"),
        ("metadata: [a]", "metadata: must be an object, found a list"),
        ("metadata: {name: a/b}", '"a/b" is no name'),
        ("metadata: {name: a, namespace: B}", '"B" is no namespace'),
        ("metadata: {name: 7}", "metadata.name: must be a string, found a number"),
        ("metadata: {generateName: 'A-'}", '"A-" cannot begin a name'),
        ("spec: {containers: {}}", "spec.containers: must be a list"),
        ("spec: {containers: [{ports: [{containerPort: '80'}]}]}", "without quotes"),
        ("spec: {containers: [{ports: [{containerPort: 0}]}]}", "between 1 and 65535"),
        ("spec: {containers: [{ports: [{name: a}]}]}", "a port number is missing"),
        ("spec: {containers: [{ports: [{containerPort: 1, protocol: tcp}]}]}", "SCTP"),
        ("spec: {hostNetwork: 'yes'}", "spec.hostNetwork: must be true or false"),
        ("status: {podIP: 10.0.0.300}", 'must be an IP address, found "10.0.0.300"'),
        ("status: {podIPs: [{ip: 'fe80::1%eth0'}]}", "must be an IP address"),
        ("status: {phase: Done}", "must be one of Pending, Running"),
    ],
)
def test_a_wrong_type_where_a_verdict_looks_is_a_problem(text: str, words: str) -> None:
    meta = "" if text.startswith("metadata") else "metadata: {name: a}, "
    found = problems(f"{{kind: Pod, apiVersion: v1, {meta}{text}}}")
    assert any(words in problem for problem in found)
    assert all(problem.startswith("in.yaml:1:") for problem in found)


def test_the_problems_of_all_objects_come_together() -> None:
    text = """
    {kind: Pod, apiVersion: v1, metadata: {name: a, labels: 3}}
    ---
    {kind: Service, apiVersion: v1, metadata: {name: a}, spec: {ports: [{port: x}]}}
    ---
    {kind: Networkpolicy, apiVersion: networking.k8s.io/v1}
    """
    assert [problem.split(":")[1] for problem in problems(text)] == ["6", "2", "4"]


KINDS = {
    "v1": ["Pod", "Namespace", "Node", "Service", "ReplicationController"],
    "apps/v1": ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"],
    "batch/v1": ["Job", "CronJob"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
}
FIELD_NAMES = re.findall(
    r"\w+",
    """
    metadata name namespace generateName labels ownerReferences kind controller spec
    status containers initContainers restartPolicy ports containerPort protocol port
    endPort targetPort nodePort podIP podIPs ip hostIP hostNetwork nodeName phase
    addresses address type template jobTemplate replicas parallelism selector
    matchLabels matchExpressions key operator values podSelector namespaceSelector
    ipBlock cidr except ingress egress from to policyTypes clusterIP clusterIPs
    """,
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70_000),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["a", "In", "Exists", "TCP", "Ingress", "10.0.0.0/8", "::1", "Pod"]
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=5)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([(v, k) for v, kinds in KINDS.items() for k in kinds]),
    fields=st.dictionaries(
        st.sampled_from(["metadata", "spec", "status"]), TREES, max_size=3
    ),
    named=st.booleans(),
)
def test_whatever_an_object_holds_is_read_or_refused(
    kind: tuple[str, str], fields: Mapping[str, object], named: bool
) -> None:
    head = {"apiVersion": kind[0], "kind": kind[1]}
    value = {**fields, **head} | ({"metadata": {"name": "a"}} if named else {})
    document = Document("x", 0, value, text=b"")
    try:
        skipped = decode_documents([document], STRICT).skipped
        refused: tuple[Problem, ...] = ()
    except InputError as error:
        skipped, refused = {}, error.problems
    assert not skipped
    assert all(problem.place and problem.message for problem in refused)
