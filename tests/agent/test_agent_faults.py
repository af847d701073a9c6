"""What is wrong on a node or in its cluster is said in a sentence, no traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.agents import START_S, Agent, await_truth
from agent.cluster import node_object
from agent.nodes import node
from agent.stage import CLIENT, PLACES, SERVED, SERVER, Stage, first, staged
from controlplane.servers import ControlPlane
from ringfence.adapters.kernel.nflog import Nflog
from ringfence.adapters.kubernetes.resources import FOLLOWED
from ringfence.lab.plan import Cni
from ringfence.ruleset.lowering.policychain import LOG_GROUP

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

NAME = "n1"
RULES = "/apis/rbac.authorization.k8s.io/v1"
TRACKING = (
    "add table t; add chain t c { type filter hook forward priority 0; }; "
    "add rule t c ct state new accept"
)
"""As any kube-proxy has its node keep track of connections."""
FOREIGN = "add table inet ringfence; add chain inet ringfence theirs"


@pytest.fixture(scope="module")
def running(api_server: ControlPlane) -> Iterator[Stage]:
    """Two nodes on which no agent runs yet."""
    with staged(api_server, Cni.ROUTED) as stage:
        stage.settle(PLACES)
        yield stage


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    yield running
    while STARTED:
        STARTED.pop().close()
    on_node(running, "nft", "flush ruleset")


@pytest.fixture
def config(api_server: ControlPlane) -> Any:
    """The admin's kubeconfig, to be spoilt."""
    return json.loads(api_server.kubeconfig().read_text())


def kubeconfig(directory: Path, document: Any) -> Path:
    path = directory / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


class Faulty(Agent):
    """An agent that may end by itself; ``prefix`` stands before its command."""

    prefix: tuple[str, ...] = ()

    def start(self) -> None:
        words = (*self.prefix, sys.executable, "-m", "ringfence", "agent", "run")
        listen = ("--listen", "127.0.0.1:9477", "--flow-socket", "")
        command = [*words, *self._place, *listen, *self._flags]
        with self.log.open("ab") as log:
            self._process = self._nodes.start(node(self.name), command, log)

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        process = self._running()
        process.communicate(timeout=START_S)
        return process.returncode


STARTED: list[Faulty] = []


def agent(stage: Stage, config: Path, *flags: str) -> Faulty:
    STARTED.append(Faulty(stage.nodes, NAME, config, *flags))
    return STARTED[-1]


def ready_agent(stage: Stage, config: Path, *flags: str) -> Faulty:
    """Return one that runs and is ready."""
    fresh = agent(stage, config, *flags)
    fresh.start()
    fresh.await_ready()
    return fresh


def ended(agent: Faulty) -> str:
    """Start an agent that cannot go on; return what it said."""
    agent.start()
    code = agent.wait()
    said = agent.said()
    assert code == 2, said
    assert "Traceback" not in said
    return said


@contextmanager
def unready(agent: Agent, *words: str) -> Iterator[None]:
    """Start an agent that is not ready and says why, for a block."""
    agent.start()
    try:
        await_truth(lambda: told(agent, words), f"/readyz says {words}", agent.said)
        yield
        assert "Traceback" not in agent.said()
        assert "trace" not in agent.said()
    finally:
        agent.kill()


def told(agent: Agent, words: tuple[str, ...]) -> bool:
    try:
        code, text = agent.get("/readyz")
    except OSError:
        return False
    return code == 503 and all(word in text for word in words)


def inside(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def on_node(stage: Stage, *command: str) -> str:
    with stage.nodes.inside(node(NAME)):
        return inside(*command)


def test_a_kubeconfig_that_is_not_there(stage: Stage, tmp_path: Path) -> None:
    said = ended(agent(stage, tmp_path / "nowhere"))
    assert f"{tmp_path / 'nowhere'}: no such file or directory" in said


def test_a_context_that_is_not_there(stage: Stage, api_server: ControlPlane) -> None:
    said = ended(agent(stage, api_server.kubeconfig(), "--context", "other"))
    assert "other" in said
    assert "context" in said


def test_a_server_that_does_not_answer(
    stage: Stage, config: Any, tmp_path: Path
) -> None:
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    with unready(agent(stage, kubeconfig(tmp_path, config)), "api Pod", "refused"):
        pass


def test_a_server_that_goes_away_leaves_the_agent_ready(
    stage: Stage, api_server: ControlPlane
) -> None:
    fresh = ready_agent(stage, api_server.kubeconfig())
    kinds = [followed(of.kind) for of in FOLLOWED]
    assert all(map(fresh.metric, kinds))
    with stage.cut_off():
        stage.until(lambda: not any(map(fresh.metric, kinds)), "all are lost")
        assert fresh.ready()
    stage.until(lambda: all(map(fresh.metric, kinds)), "all are followed again")


def test_a_token_that_is_not_accepted(
    stage: Stage, config: Any, tmp_path: Path
) -> None:
    config["users"][0]["user"]["token"] = "old"  # noqa: S105 - of no use to anybody
    words = "does not accept the credentials", "token or certificate may have expired"
    with unready(agent(stage, kubeconfig(tmp_path, config)), *words):
        pass


def test_an_authority_that_did_not_sign(
    stage: Stage, config: Any, tmp_path: Path
) -> None:
    config["clusters"][0]["cluster"].pop("certificate-authority-data")
    with unready(agent(stage, kubeconfig(tmp_path, config)), "certificate"):
        pass


def test_a_wrong_setting_ends_it(stage: Stage, api_server: ControlPlane) -> None:
    config = api_server.kubeconfig()
    assert "--mode" in ended(agent(stage, config, "--mode", "maybe"))
    assert "no-such.yaml" in ended(agent(stage, config, "--config", "no-such.yaml"))


def test_every_missing_right_is_named(stage: Stage, api_server: ControlPlane) -> None:
    words = [f'lacks the verb "list" on {of.qualified}' for of in FOLLOWED]
    with unready(agent(stage, api_server.kubeconfig("nobody")), *words):
        pass


@contextmanager
def rights(
    plane: ControlPlane, user: str, verbs: Mapping[str, list[str]]
) -> Iterator[None]:
    """Give a user verbs on the resources that agents follow, for a block."""
    rules = [
        {"apiGroups": [of.group], "resources": [of.plural], "verbs": verbs[of.plural]}
        for of in FOLLOWED
    ]
    kinds = "apiVersion", "rbac.authorization.k8s.io/v1"
    meta = {"name": "agents"}
    role = {**dict([kinds]), "kind": "ClusterRole", "metadata": meta, "rules": rules}
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {
        "kind": "ClusterRole",
        "name": "agents",
        "apiGroup": subject["apiGroup"],
    }
    binding = {
        **dict([kinds]),
        "kind": "ClusterRoleBinding",
        "metadata": meta,
        "subjects": [subject],
        "roleRef": reference,
    }
    plane.create([role, binding])
    try:
        yield
    finally:
        plane.ask("DELETE", f"{RULES}/clusterrolebindings/agents")
        plane.ask("DELETE", f"{RULES}/clusterroles/agents")


@pytest.mark.parametrize("lacks", [of.plural for of in FOLLOWED])
def test_one_missing_right_is_named(
    stage: Stage, api_server: ControlPlane, lacks: str
) -> None:
    verbs = {of.plural: ["get", "list", "watch"] for of in FOLLOWED}
    verbs[lacks] = ["get", "list"]
    (resource,) = (of for of in FOLLOWED if of.plural == lacks)
    words = f"api {resource.kind}", f'lacks the verb "watch" on {resource.qualified}'
    with rights(api_server, "lister", verbs):
        lame = agent(stage, api_server.kubeconfig("lister"))
        with unready(lame, *words):
            assert lame.metric(followed(resource.kind)) == 0


def followed(kind: str) -> str:
    return f'ringfence_api_followed{{kind="{kind}"}}'


@pytest.mark.property  # half a minute: whoever was refused asks every ten seconds
def test_a_token_that_expires(stage: Stage, api_server: ControlPlane) -> None:
    verbs = {of.plural: ["list", "watch"] for of in FOLLOWED}
    tokens, words = api_server.directory / "tokens.csv", ("does not accept",)
    with rights(api_server, "lister", verbs):
        lame = agent(stage, api_server.kubeconfig("lister"))
        lame.start()
        lame.await_ready()
        before = tokens.read_text()
        restarted(api_server, before.replace(api_server.tokens["lister"], "new"))
        await_truth(lambda: told(lame, words), "the agent is not ready", lame.said)
        restarted(api_server, before)
        await_truth(lame.ready, "the agent is ready again", lame.said)


def restarted(plane: ControlPlane, tokens: str) -> None:
    """Have the server know other tokens."""
    plane.stop()
    (plane.directory / "tokens.csv").write_text(tokens)
    plane.start()


def test_without_the_capability(stage: Stage, api_server: ControlPlane) -> None:
    weak = agent(stage, api_server.kubeconfig())
    weak.prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    assert "CAP_NET_ADMIN" in ended(weak)
    assert "ringfence" not in on_node(stage, "nft", "list", "tables")


def test_a_table_of_somebody_else(stage: Stage, api_server: ControlPlane) -> None:
    on_node(stage, "nft", FOREIGN)
    before = on_node(stage, "nft", "list", "ruleset")
    fresh = agent(stage, api_server.kubeconfig())
    with unready(fresh, "kernel: table inet ringfence is somebody else's"):
        assert on_node(stage, "nft", "list", "ruleset") == before
        assert fresh.command("cleanup")[0] == 2
        assert on_node(stage, "nft", "list", "ruleset") == before
        on_node(stage, "nft", "delete table inet ringfence")
        await_truth(fresh.ready, "the agent is ready", fresh.said)


def test_a_table_that_becomes_somebody_elses(
    stage: Stage, api_server: ControlPlane
) -> None:
    fresh = ready_agent(stage, api_server.kubeconfig(), "--audit-interval", "1s")
    on_node(stage, "nft", f"delete table inet ringfence; {FOREIGN}")
    words = ("is somebody else's",)
    await_truth(lambda: told(fresh, words), "the agent is not ready", fresh.said)
    on_node(stage, "nft", "delete table inet ringfence")
    await_truth(fresh.ready, "the agent is ready again", fresh.said)
    assert fresh.terminate()[0] == 0
    assert "trace" not in fresh.said()


def test_meddling_is_found_and_repaired(stage: Stage, api_server: ControlPlane) -> None:
    stage.deny(SERVER)
    fresh = ready_agent(stage, api_server.kubeconfig(), "--audit-interval", "1s")
    assert stage.shut(CLIENT, SERVER)
    on_node(stage, "nft", "insert rule inet ringfence ingress accept")
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the rule is gone")
    repaired = 'ringfence_drift_total{state="repaired"}'
    stage.until(lambda: fresh.metric(repaired) > 0, "that is counted")
    for kind in ("chains", "rules", "sets", "elements", "counters"):
        assert fresh.metric(f'ringfence_ruleset_objects{{kind="{kind}"}}') > 0
    on_node(stage, "nft", "delete table inet ringfence")
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the table is back")
    stage.allow(SERVER)


def test_a_table_that_is_gone_is_back_at_once_and_what_began_meanwhile_cut(
    stage: Stage, api_server: ControlPlane
) -> None:
    stage.deny(SERVER)
    fresh = ready_agent(stage, api_server.kubeconfig())
    audited = 'ringfence_ruleset_objects{kind="chains"}'
    stage.until(lambda: fresh.metric(audited) > 0, "the next audit is far away")
    os.kill(fresh.pid, signal.SIGSTOP)
    on_node(stage, "nft", f"flush ruleset; {TRACKING}")
    server = stage.traffic(SERVER, "serve", str(SERVED))
    held = stage.traffic(CLIENT, "held", first(SERVER), str(SERVED))
    os.kill(fresh.pid, signal.SIGCONT)
    assert held.wait()["ended"]["error"] == "ConnectionResetError"
    server.end()
    stage.allow(SERVER)


def test_verify_tells_a_difference_from_none_and_from_no_way_to_tell(
    stage: Stage, api_server: ControlPlane
) -> None:
    stage.deny(SERVER)
    fresh = ready_agent(stage, api_server.kubeconfig())
    fresh.terminate()

    def verify(user: str = "admin") -> tuple[int, str]:
        config = api_server.kubeconfig(user)
        return fresh.command("verify", "--kubeconfig", str(config), "--node", NAME)

    code, said = verify()
    assert (code, said.splitlines()[0]) == (0, "the kernel holds the desired table")
    on_node(stage, "nft", "insert rule inet ringfence ingress accept")
    before = on_node(stage, "nft", "list", "ruleset")
    code, said = verify()
    assert code == 1
    assert "chain ingress has other rules" in said
    assert on_node(stage, "nft", "list", "ruleset") == before
    on_node(stage, "nft", "delete table inet ringfence")
    assert verify() == (1, "table inet ringfence is not there: nothing is enforced\n")
    assert verify("nobody")[0] == 2
    for resource in FOLLOWED:
        assert f'lacks the verb "list" on {resource.qualified}' in fresh.said()
    stage.allow(SERVER)


def test_status_tells_what_is_waited_for(
    stage: Stage, api_server: ControlPlane
) -> None:
    lame = agent(stage, api_server.kubeconfig("nobody"))
    with unready(lame, 'api Pod: live:nobody: user "nobody" lacks the verb'):
        code, said = lame.command("status")
        assert code == 1
        assert 'waiting for api Pod: live:nobody: user "nobody" lacks the verb' in said
    assert lame.command("status")[0] == 2
    assert "no agent answers" in lame.said()


def test_a_second_agent_on_the_node(stage: Stage, api_server: ControlPlane) -> None:
    first = agent(stage, api_server.kubeconfig())
    first.start()
    first.await_ready()
    before = on_node(stage, "nft", "list", "ruleset")
    assert "another ringfence agent enforces on this node" in ended(
        agent(stage, api_server.kubeconfig("admin", namespace="x"))
    )
    assert on_node(stage, "nft", "list", "ruleset") == before
    assert first.ready()


def test_one_that_waits_for_another_to_end_is_told_to_end_itself(
    stage: Stage, api_server: ControlPlane
) -> None:
    with stage.nodes.inside(node(NAME)):
        seat = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with seat:
        seat.bind("\0ringfence-agent")
        second = agent(stage, api_server.kubeconfig())
        second.start()
        await_truth(lambda: tries_the_seat(second.pid), "it waits")
        code, took_s = second.terminate()
    assert (code, second.said()) == (0, "")
    assert took_s < 1


def tries_the_seat(process: int) -> bool:
    """Whether an agent has made its first socket, as which it bids for the node."""
    try:
        open_ = [file.readlink() for file in Path(f"/proc/{process}/fd").iterdir()]
    except FileNotFoundError:
        return False  # closed while we looked
    return any(str(what).startswith("socket:") for what in open_)


def test_an_address_that_is_taken(stage: Stage, api_server: ControlPlane) -> None:
    with ExitStack() as held, stage.nodes.inside(node(NAME)):
        taken = held.enter_context(socket.create_server(("127.0.0.1", 9477)))
        said = ended(agent(stage, api_server.kubeconfig()))
        del taken
    assert (
        "127.0.0.1:9477: --listen: cannot listen there: Address already in use" in said
    )


def test_policies_are_enforced_while_another_program_reads_the_denials(
    stage: Stage, api_server: ControlPlane, tmp_path: Path
) -> None:
    stage.deny(SERVER)
    path = tmp_path / "flows"
    settings = ("--audit-interval", "1s", "--flow-log", str(path))
    fresh = agent(stage, api_server.kubeconfig(), *settings)
    with ExitStack() as held:
        with stage.nodes.inside(node(NAME)):
            held.enter_context(Nflog([LOG_GROUP]))
        fresh.start()
        fresh.await_ready()
        assert stage.shut(CLIENT, SERVER)
        assert "denied flows are not told" in fresh.said()
        assert f"cannot read nflog group {LOG_GROUP}" in fresh.said()

    def is_told() -> bool:
        stage.shut(CLIENT, SERVER)
        return "shop" in path.read_text()

    await_truth(is_told, "denials are told again", fresh.said)
    stage.allow(SERVER)


def test_a_flow_log_that_cannot_be_written(
    stage: Stage, api_server: ControlPlane, tmp_path: Path
) -> None:
    config, path = api_server.kubeconfig(), tmp_path / "no" / "flows"
    said = ended(agent(stage, config, "--flow-log", str(path)))
    assert f"cannot write flows to {path}: No such file or directory" in said
    blocked = tmp_path / "file"
    blocked.write_text("")
    said = ended(agent(stage, config, "--flow-socket", str(blocked / "s")))
    assert f"cannot serve flows at {blocked / 's'}" in said


def test_a_node_without_networks_that_were_to_be_closed(
    stage: Stage, api_server: ControlPlane
) -> None:
    flags = ("--node", "n7", "--unknown-pods", "closed")
    open_ = agent(stage, api_server.kubeconfig(), *flags)
    bare = node_object("n7", ["172.18.0.7"], [""])
    stage.cluster.put({**bare, "spec": {}})
    with unready(open_, 'node: Node "n7" has no podCIDR: unknown pods'):
        stage.cluster.put(node_object("n7", ["172.18.0.7"], ["10.244.7.0/24"]))
        await_truth(open_.ready, "the agent is ready", open_.said)
        assert "guarded4" in on_node(stage, "nft", "list", "table", "inet", "ringfence")
    stage.cluster.remove(("Node", "", "n7"))


def test_a_node_that_the_api_does_not_know(
    stage: Stage, api_server: ControlPlane
) -> None:
    lost = agent(stage, api_server.kubeconfig(), "--node", "n7")
    words = 'node: the API has no Node "n7"'
    with unready(lost, words):
        known = node_object("n7", ["172.18.0.7"], ["10.244.7.0/24"])
        stage.cluster.put(known)
        await_truth(lost.ready, "the agent is ready", lost.said)
        stage.cluster.remove(("Node", "", "n7"))
        await_truth(lambda: told(lost, (words,)), "not ready any more", lost.said)
        assert "the API has no such Node: is --node right?" in lost.said()
