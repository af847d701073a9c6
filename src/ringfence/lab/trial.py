"""This machine's kernel, tried: a small ruleset and packets, in a lab of three pods."""

from __future__ import annotations

from collections.abc import Sequence

from ringfence.adapters.kernel.netns import has_ipv6
from ringfence.doctor.facts import Trial, Unknown
from ringfence.errors import KernelError
from ringfence.lab.crosscheck import Check, Crosscheck
from ringfence.lab.scope import Asked, batch
from ringfence.lab.session import Lab, open_lab
from ringfence.lab.topology import Topology
from ringfence.manifest.decoding.decode import decode_documents
from ringfence.manifest.reader import read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.verdict import Outcome
from ringfence.questions.batch import parse_batch

_PODS = (("friend", 11), ("stranger", 12), ("server", 13))

# A named port, a range of ports, labels and a block: every kind of set.
_POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: trial, namespace: trial}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: friend}}}]
    ports: [{port: http}, {port: 9000, endPort: 9010}]
  - from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}]
"""
_NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: trial}\n"
_POD = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s, namespace: trial, labels: {app: %(name)s}}
spec:
  nodeName: trial
  containers: [{name: c, image: none, ports: [{name: http, containerPort: 8080}]}]
status: {phase: Running, podIP: %(first)s, podIPs: [%(all)s]}
"""
_ASKED = (
    ("friend", 8080, Outcome.ALLOW),
    ("friend", 9005, Outcome.ALLOW),
    ("friend", 9011, Outcome.DENY),
    ("stranger", 8080, Outcome.DENY),
)


def try_kernel(*, packets: bool) -> Trial | Unknown:
    """Load a ruleset in a namespace of this kernel and, if asked, send packets.

    Nothing of the machine's own network is read or changed, nothing is left. Unknown
    where namespaces or nft are not to be had.
    """
    lines = [
        f'{{"from": "{source}", "to": "server", "port": {port}}}'
        for source, port, _ in _ASKED
    ]
    decoded = decode_documents(
        read_documents(_manifests().encode(), "trial"), Options(namespace="trial")
    )
    topology, asked = batch(
        decoded.cluster, parse_batch(lines, "trial", "trial"), nodes=1
    )
    try:
        with open_lab(topology.plan) as lab:
            return _tried(lab, topology, asked, packets=packets)
    except KernelError as error:
        return Unknown(str(error))


def _tried(
    lab: Lab, topology: Topology, asked: Sequence[Asked], *, packets: bool
) -> Trial:
    """Load and send; from here on a KernelError is what the doctor looks for."""
    try:
        crosscheck = Crosscheck(lab, topology)
        if not packets:
            return Trial()
        checks = crosscheck.check([flow for one in asked for flow in one.flows])
    except KernelError as error:
        return Trial(str(error))
    expected = [outcome for *_, outcome in _ASKED]
    for check, outcome in zip(checks, expected, strict=True):
        if not check.agree or check.predicted is not outcome:
            return Trial(_disagreement(check, outcome), packets=True)
    return Trial(packets=True)


def _disagreement(check: Check, expected: Outcome) -> str:
    flow = check.flow
    return (
        f"in the lab, port {flow.port} should {expected.value.lower()}, "
        f"but packets were {check.packet.value}"
    )


def _manifests() -> str:
    pods = []
    for name, number in _PODS:
        addresses = [f"10.99.0.{number}"]
        if has_ipv6():
            addresses.append(f"fd00:99::{number}")
        listed = ", ".join(f'{{ip: "{one}"}}' for one in addresses)
        pods.append(_POD % {"name": name, "first": addresses[0], "all": listed})
    return "---\n".join((_NAMESPACE, *pods, _POLICY))
