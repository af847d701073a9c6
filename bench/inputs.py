"""Manifests to measure with, generated: the same text on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: team-{number}
  labels:
    team: t{number}
    stage: {stage}
"""

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: team-{team}
  labels:
    app: {app}
    tier: {tier}
    app.kubernetes.io/instance: {name}
spec:
  nodeName: node-{node}
  containers:
  - name: main
    image: registry.example/{app}:1.{team}
    ports:
    - name: http
      containerPort: 8080
    - name: metrics
      containerPort: 9090
      protocol: TCP
    env:
    - name: LOG_LEVEL
      value: info
    resources:
      limits:
        memory: 128Mi
"""

POLICY = """\
# What {app} of team {team} takes and sends.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {name}
  namespace: team-{team}
spec:
  podSelector:
    matchLabels:
      app: {app}
  policyTypes:
  - Ingress
  - Egress
  ingress:
  - from:
    - podSelector:
        matchExpressions:
        - key: tier
          operator: In
          values: [{tier}, edge]
    - namespaceSelector:
        matchLabels:
          stage: prod
      podSelector:
        matchLabels:
          tier: edge
    ports:
    - port: http
    - protocol: TCP
      port: 9000
      endPort: 9{number:03d}
  - from:
    - ipBlock:
        cidr: 10.{team}.0.0/16
        except:
        - 10.{team}.{block}.0/24
  egress:
  - to:
    - namespaceSelector: {{}}
      podSelector:
        matchLabels:
          app: dns
    ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: team-{team}
spec:
  replicas: 3
  selector:
    matchLabels:
      app: {app}
  template:
    metadata:
      labels:
        app: {app}
        tier: {tier}
    spec:
      containers:
      - name: main
        image: registry.example/{app}:1.{team}
        args: ["--listen", ":8080", "--log=json"]
        ports:
        - name: http
          containerPort: 8080
"""

APPS = ("web", "cart", "orders", "dns", "billing", "search", "mail")
TIERS = ("edge", "backend", "data")
STAGES = ("prod", "prod", "test")
TEAMS = 20
NODES = 3


def facts(number: int, teams: int) -> dict[str, object]:
    """Return what the templates ask, spread so that policies meet and miss pods."""
    app = APPS[number % len(APPS)]
    return {
        "number": number % 1000,
        "name": f"{app}-{number}",
        "app": app,
        "tier": TIERS[number % len(TIERS)],
        "team": number % teams,
        "node": number % NODES + 1,
        "block": number % 256,
    }


def namespaces(count: int) -> list[str]:
    """Return that many Namespace documents, stages in turn."""
    return [
        NAMESPACE.format(number=number, stage=STAGES[number % len(STAGES)])
        for number in range(count)
    ]


def write(path: Path, documents: list[str]) -> Path:
    """Write the documents as one YAML stream."""
    path.write_text("---\n".join(documents))
    return path


def ten_documents(folder: Path) -> Path:
    """Write two namespaces, four pods and four policies."""
    documents = namespaces(2)
    documents += [POD.format(**facts(number, 2)) for number in range(4)]
    documents += [POLICY.format(**facts(number, 2)) for number in range(4)]
    return write(folder / "ten.yaml", documents)


def stream_of(folder: Path, size: int) -> Path:
    """Write at least `size` bytes of policies, pods and deployments, 2 : 1 : 1."""
    documents = namespaces(TEAMS)
    written = 0
    for document in _mixed():
        documents.append(document)
        written += len(document)
        if written >= size:
            break
    return write(folder / "stream.yaml", documents)


def _mixed() -> Iterator[str]:
    number = 0
    while True:
        yield POLICY.format(**facts(number, TEAMS))
        yield POD.format(**facts(number, TEAMS))
        yield POLICY.format(**facts(number + 1, TEAMS))
        yield DEPLOYMENT.format(**facts(number + 1, TEAMS))
        number += 2


def cluster_of(folder: Path, pods: int) -> tuple[Path, Path]:
    """Write a cluster of `pods` pods and a fifth as many policies, and a batch of one.

    The one flow makes a lab go up, answer, and come down again.
    """
    documents = namespaces(TEAMS)
    documents += [POD.format(**facts(number, TEAMS)) for number in range(pods)]
    documents += [POLICY.format(**facts(number, TEAMS)) for number in range(pods // 5)]
    flow = {
        "from": "team-0/pod/web-0",
        "to": "team-1/pod/cart-1",
        "port": 8080,
        "protocol": "TCP",
    }
    batch = folder / f"batch-{pods}.jsonl"
    batch.write_text(json.dumps(flow) + "\n")
    return write(folder / f"pods-{pods}.yaml", documents), batch
