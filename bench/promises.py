"""The tables of promises: what is run, and how quick it has to be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import bare, inputs

RINGFENCE = str(Path(sys.executable).with_name("ringfence"))
YAML_BYTES = 4_000_000
JSON = ("-o", "json")


class Job(NamedTuple):
    """What to run, which exit codes are a success, how many bytes it reads."""

    command: tuple[str, ...]
    codes: frozenset[int] = frozenset({0})
    size: int = 0


class Promise(NamedTuple):
    """A goal for the median of whole-process runs: seconds, or MB/s if it is a rate."""

    name: str
    what: str
    goal: float
    prepare: Callable[[Path], Job]
    runs: int = 5
    rate: bool = False

    @property
    def unit(self) -> str:
        """Return the unit of goal and figures."""
        return "MB/s" if self.rate else "s"

    @property
    def bound(self) -> str:
        """Return how figures relate to the goal."""
        return ">=" if self.rate else "<="

    def figure(self, seconds: float, size: int) -> float:
        """Return seconds, or the rate at which `size` bytes went in them."""
        return size / 1e6 / seconds if self.rate else seconds

    def share(self, seconds: float, size: int) -> float:
        """Return how much of what the goal allows was used; above 1 it is broken."""
        figure = self.figure(seconds, size)
        return self.goal / figure if self.rate else figure / self.goal


class Trial(NamedTuple):
    """A program of ours that judges what it measures: exit code 1 if a goal is missed.

    ``seconds`` is what it takes, more or less. ``build``: it makes a kube-apiserver
    first, unless there is one already, so it is run by name only.
    """

    name: str
    what: str
    seconds: int
    module: str
    arguments: tuple[str, ...] = ()
    root: bool = True
    build: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """Return what is run."""
        # The kube-apiserver and the stage are those of the tests.
        python = ("env", "PYTHONPATH=tests", sys.executable)
        return (*python, "-m", self.module, *self.arguments)


def _bare(_: Path) -> Job:
    return Job((sys.executable, "-c", ""))


def _can(folder: Path) -> Job:
    manifest = inputs.ten_documents(folder)
    # Denied, which is exit code 1: the whole path is walked.
    flow = ("team-0/web-0", "team-1/cart-1:8080")
    return Job((RINGFENCE, "can", *flow, "-f", str(manifest)), frozenset({0, 1}))


def _matrix(pods: int) -> Callable[[Path], Job]:
    def prepare(folder: Path) -> Job:
        manifest = bare.write_yaml(folder / "bare.yaml", bare.small(pods))
        return Job((RINGFENCE, "matrix", "--by", "pod", *JSON, "-f", str(manifest)))

    return prepare


def _list_matrix(by: str, *, cut: bool = False) -> Callable[[Path], Job]:
    def prepare(folder: Path) -> Job:
        manifest = bare.write_json(folder / "list.json", bare.large(100_000, cut=cut))
        return Job((RINGFENCE, "matrix", "--by", by, *JSON, "-f", str(manifest)))

    return prepare


def _diff(*, edited: bool) -> Callable[[Path], Job]:
    def prepare(folder: Path) -> Job:
        size = bare.large(100_000)
        base = bare.write_json(folder / "base.json", size)
        head = bare.write_json(folder / "head.json", size, edited=edited)
        return Job((RINGFENCE, "diff", str(base), str(head)), frozenset({int(edited)}))

    return prepare


def _validate(folder: Path) -> Job:
    manifest = inputs.stream_of(folder, YAML_BYTES)
    command = (RINGFENCE, "validate", "-f", str(manifest), "-o", "json")
    return Job(command, size=manifest.stat().st_size)


def _conformance(judge: str) -> Callable[[Path], Job]:
    def prepare(_: Path) -> Job:
        # The cases are read by what the tests read them with.
        python = ("env", "PYTHONPATH=tests", sys.executable)
        return Job((*python, "-m", "bench.conformance", judge))

    return prepare


def _lab(pods: int) -> Callable[[Path], Job]:
    def prepare(folder: Path) -> Job:
        manifest, batch = inputs.cluster_of(folder, pods)
        command = (RINGFENCE, "lab", "run", "-f", str(manifest), "--batch", str(batch))
        return Job(command)

    return prepare


PROMISES = (
    Promise("python", "the bare interpreter, to compare with", 0.25, _bare, 9),
    Promise("can", "can, on a file of ten documents", 0.25, _can, 9),
    Promise("validate", "validate -o json, 4 MB of YAML", 2.0, _validate, 3, rate=True),
    Promise(
        "conformance",
        "every cell of the suites, predicted in one process",
        5.0,
        _conformance("predicted"),
        3,
    ),
    Promise("matrix-500", "matrix --by pod, 500 pods", 0.6, _matrix(500)),
    Promise("matrix-1000", "matrix --by pod, 1,000 pods", 1.0, _matrix(1000)),
    Promise("matrix-5000", "matrix --by pod, 5,000 pods", 3.0, _matrix(5000), 3),
    Promise(
        "matrix-100000",
        "matrix --by class, 100,000 pods and 5,000 policies in a JSON list",
        5.0,
        _list_matrix("class"),
        3,
    ),
    Promise(
        "matrix-cut",
        "matrix --by namespace, ipBlocks part 100,000 pods into as many classes",
        60.0,
        _list_matrix("namespace", cut=True),
        1,
    ),
    Promise(
        "diff-100000",
        "diff of two such clusters, a few policies and pods edited",
        15.0,
        _diff(edited=True),
        3,
    ),
    Promise(
        "diff-same",
        "diff of two such clusters, nothing edited",
        15.0,
        _diff(edited=False),
        3,
    ),
    Promise("lab-10", "lab with 10 pods: up, one probe, down", 1.0, _lab(10)),
    Promise("lab-100", "lab with 100 pods: up, one probe, down", 2.5, _lab(100), 3),
    Promise(
        "conformance-packets",
        "every cell of the suites, with packets",
        60.0,
        _conformance("packets"),
        1,
    ),
)

TRIALS = (
    Trial(
        "churn",
        "100,000 pods followed: a policy in 20 ms, a pod in 1 ms, as from scratch",
        15,
        "bench.churn",
        root=False,
    ),
    Trial(
        "nftables",
        "the times of changes to a kernel's table, which holds what it was given",
        20,
        "bench.nftables",
    ),
    Trial(
        "datapath",
        "a new connection takes 2 us more than with conntrack alone, at most",
        30,
        "bench.datapath",
    ),
    Trial(
        "soak",
        "200,000 changes: memory flat, nothing of the dead is kept, as from scratch",
        30,
        "bench.soak",
    ),
    Trial(
        "agent-small",
        "100 pods: policy to packets in 12 ms, cold start in 0.8 s, 60 MiB",
        50,
        "bench.agent",
        ("small",),
        build=True,
    ),
    Trial(
        "agent-middle",
        "1,000 pods: policy to packets in 15 ms, 20 pods/s for 4 % of a core",
        90,
        "bench.agent",
        ("middle",),
        build=True,
    ),
    Trial(
        "agent-large",
        "10,000 pods: policy to packets in 20 ms, cold start in 3 s, 100 MiB,"
        " 100 pods/s for 10 % of a core",
        150,
        "bench.agent",
        ("large",),
        build=True,
    ),
)
