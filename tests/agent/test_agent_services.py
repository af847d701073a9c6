"""Services: kube-proxy has translated a packet before the agent's rules see it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from agent.cluster import policy
from agent.nodes import Traffic, node
from agent.stage import (
    CLIENT,
    PLACES,
    PORT,
    SERVED,
    SERVER,
    Stage,
    app,
    first,
    staged,
)
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

SERVICE, SERVICE_PORT = "10.96.0.50", 80
CLIENT_MAY = {"from": [{"podSelector": app("client")}]}


@pytest.fixture(scope="module", params=Cni, ids=lambda cni: cni.value)
def running(
    api_server: ControlPlane, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    with staged(api_server, request.param) as stage:
        stage.start()
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    """A Service of SERVER, and no policy."""
    running.settle(PLACES)
    running.calm()
    translate(running, SERVER)
    return running


def translate(stage: Stage, backend: str) -> None:
    """Have node n1 translate the Service's address, as kube-proxy does."""
    text = f"""
table ip proxy
delete table ip proxy
table ip proxy {{
  chain services {{
    type nat hook prerouting priority dstnat;
    ip daddr {SERVICE} tcp dport {SERVICE_PORT} dnat to {first(backend)}:{SERVED}
  }}
  chain hairpins {{
    type nat hook postrouting priority srcnat;
    ip saddr . ip daddr {{ {first(backend)} . {first(backend)} }} masquerade
  }}
}}
"""
    with stage.nodes.inside(node("n1")):
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def works(stage: Stage, source: str, *patience_s: str) -> bool:
    """Whether a pod has an answer from the Service."""
    calls = stage.traffic(source, "try", SERVICE, str(SERVICE_PORT), *patience_s)
    return bool(calls.wait()["passed"])


def fails(stage: Stage, source: str) -> bool:
    """Whether a pod has no answer, for as long as many answers take."""
    return not works(stage, source, "1")


@pytest.fixture
def server(stage: Stage) -> Iterator[Traffic]:
    program = stage.traffic(SERVER, "serve", str(SERVED))
    yield program
    program.end_quietly()


@pytest.mark.usefixtures("server")
def test_a_rule_for_the_pod_and_its_port_is_a_rule_for_its_service(
    stage: Stage,
) -> None:
    of_the_pod, of_the_service = (
        [{**CLIENT_MAY, "ports": [{"port": port}, *more]}]
        for port, more in ((SERVED, ()), (SERVICE_PORT, ({"port": PORT},)))
    )
    stage.cluster.put(policy("shop/p", podSelector=app("server"), ingress=of_the_pod))
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the policy is obeyed")
    assert works(stage, CLIENT)
    stage.cluster.put(
        policy("shop/p", podSelector=app("server"), ingress=of_the_service)
    )
    stage.until(lambda: stage.open(CLIENT, SERVER), "the new one is obeyed")
    assert fails(stage, CLIENT)


@pytest.mark.usefixtures("server")
def test_a_connection_through_a_service_is_cut_when_it_is_denied(stage: Stage) -> None:
    held = stage.traffic(CLIENT, "held", SERVICE, str(SERVICE_PORT), "5")
    stage.deny(SERVER)
    # Of a frame that a bridge has translated the kernel's RST bears the pod's address
    # (nf_send_reset), not the Service's: there the client waits in vain.
    assert held.wait()["ended"]["error"] in {"ConnectionResetError", "TimeoutError"}


@pytest.mark.usefixtures("server")
def test_a_pod_reaches_itself_through_its_service(stage: Stage) -> None:
    stage.deny_now(SERVER)
    assert works(stage, SERVER)
    assert fails(stage, CLIENT)
