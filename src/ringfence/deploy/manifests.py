"""The agent's manifests: one text, and the few words of it that an operator chooses.

The kustomize base below deploy/ is this text with the defaults, the chart renders the
same objects; tests hold all three together.
"""

from __future__ import annotations

import pkgutil
import re
from dataclasses import dataclass
from string import Template

from ringfence import __version__
from ringfence.errors import InputError, Problem, RingfenceBug

MODES = ("enforce", "audit")
IMAGE = f"ringfence:{__version__}"
NAMESPACE = "ringfence"
NAME = "ringfence-agent"
"""The name of the DaemonSet, ServiceAccount, ClusterRole and ClusterRoleBinding."""

SELECTOR = "app.kubernetes.io/name=ringfence,app.kubernetes.io/component=agent"
"""The labels of the agent's pods."""

_LONGEST_NAMESPACE = 63
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True, slots=True)
class Install:
    """How the agent is installed.

    Raises InputError with every value that no cluster would take. Source: RFC 1123
    (namespaces), distribution/reference (images).
    """

    namespace: str = NAMESPACE
    image: str = IMAGE
    mode: str = MODES[0]

    def __post_init__(self) -> None:
        fits = len(self.namespace) <= _LONGEST_NAMESPACE
        checks = (
            (
                fits and _NAMESPACE.fullmatch(self.namespace) is not None,
                Problem("--namespace", f'"{self.namespace}" is no namespace\'s name'),
            ),
            (
                _IMAGE.fullmatch(self.image) is not None,
                Problem(
                    "--image",
                    f'"{self.image}" is no image',
                    "",
                    "[registry/]name[:tag][@sha256:digest], the name in lower case",
                ),
            ),
            (
                self.mode in MODES,
                Problem("--mode", f'"{self.mode}" is none of {", ".join(MODES)}'),
            ),
        )
        if wrong := [problem for holds, problem in checks if not holds]:
            raise InputError(wrong)


def manifests(install: Install) -> str:
    """Return the YAML documents that install the agent, as ``kubectl apply`` reads."""
    data = pkgutil.get_data("ringfence.deploy", "data/agent.yaml")
    if data is None:
        raise RingfenceBug("the package lacks the agent's manifests")
    return Template(data.decode()).substitute(
        namespace=install.namespace, image=install.image, mode=install.mode
    )


def removal(install: Install) -> str:
    """Return the commands that remove the agent from a cluster, as a shell reads them.

    Nothing of it is done here: who removes the table of a node opens that node. The
    nodes need nothing installed, ``kubectl debug`` runs the image on each.
    """
    namespace = f"--namespace={install.namespace}"
    return f"""\
# 1. Stop the agents. What they programmed stays, and is enforced.
kubectl delete daemonset {NAME} {namespace}
kubectl wait pod --for=delete --selector={SELECTOR} {namespace}
# 2. Open the nodes: all that policies denied passes from here on.
for node in $(kubectl get nodes --selector=kubernetes.io/os=linux --output=name); do
  kubectl debug "$node" {namespace} --profile=netadmin \\
    --image={install.image} -- ringfence agent cleanup
done
kubectl wait pod --all --for='jsonpath={{.status.phase}}=Succeeded' {namespace}
# 3. Take back the rights and the namespace.
kubectl delete clusterrolebinding,clusterrole {NAME}
kubectl delete namespace {install.namespace}
"""
