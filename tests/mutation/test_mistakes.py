"""Each deliberate mistake, put into a copy of the source, is noticed.

By a case (our own, the articles', the suites'), or by the oracle on a fixed number
of random worlds. A mistake whose text is not in the source any more fails.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import oracle
import ringfence
import strategies
from cases import Grammar, Moment, every_case, flows_of
from readings import cluster_of
from ringfence.errors import RingfenceError
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Flow
from ringfence.model.verdict import Outcome

SOURCE = Path(ringfence.__file__).parent
ALL = frozenset({"engine", "manifest", "questions"})
WORLDS = 400
FLOWS_A_WORLD = 30


class Edit(NamedTuple):
    """What stands in a file, and what the mistake puts in its place."""

    file: str
    right: str
    wrong: str


class Mistake(NamedTuple):
    """A mistake in one or several places."""

    name: str
    edits: tuple[Edit, ...]


NO_MISTAKE = Mistake("none", ())


def read_mistakes(name: str) -> Iterator[Mistake]:
    """Yield the mistakes of a file; mistakes.txt tells the format."""
    text = (Path(__file__).parent / name).read_text()
    for section in text.split("\n=== ")[1:]:
        name, *edits = section.split("\n@ ")
        yield Mistake(name, tuple(map(_edit, edits)))


def _edit(text: str) -> Edit:
    file, *lines = text.rstrip().split("\n")
    right, wrong = (
        "".join(f"{line[1:]}\n" for line in lines if line[0] in kinds)
        for kinds in ("|-", "|+")
    )
    return Edit(file, right, wrong)


MISTAKES = tuple(read_mistakes("mistakes.txt"))


class Copy(NamedTuple):
    """The packages that turn manifests into verdicts, some of them copies."""

    name: str
    copied: frozenset[str]

    def module(self, path: str) -> Any:
        package = path.partition(".")[0]
        root = self.name if package in self.copied else "ringfence"
        return importlib.import_module(f"{root}.{path}")

    def read(self, moment: Moment) -> Cluster:
        if "manifest" not in self.copied:
            return rightly_read(moment)
        documents = self.module("manifest.reader").read_documents(
            moment.manifests, moment.name
        )
        options = self.module("manifest.strictness").Options()
        decoded = self.module("manifest.decoding.decode").decode_documents(
            documents, options
        )
        cluster: Cluster = decoded.cluster
        return cluster

    def outcomes(self, cluster: Cluster, flows: list[Flow]) -> list[Outcome]:
        compiled = self.module("engine.compiler").compile_cluster(cluster)
        evaluate = self.module("engine.evaluate").evaluate
        return [evaluate(compiled, flow).outcome for flow in flows]


rightly_read = cache(cluster_of)


@cache
def moments() -> list[Moment]:
    return [moment for case in every_case() for moment in case.moments]


@cache
def worlds() -> list[tuple[Cluster, list[Flow], list[Outcome]]]:
    known = []
    for seed in range(WORLDS):
        random = strategies.seeded(seed)
        world = strategies.make_world(random, decided=seed % 3 == 0)
        flows = [strategies.make_flow(random, world) for _ in range(FLOWS_A_WORLD)]
        right = [oracle.verdict(world.cluster, flow) for flow in flows]
        known.append((world.cluster, flows, right))
    return known


def noticed_by(copy: Copy) -> str:
    """Say which case, or which random world, gives a copy away."""
    return next(_noticing(copy), "")


def _noticing(copy: Copy) -> Iterator[str]:
    grammar = Grammar(
        copy.module("questions.reference"), copy.module("questions.resolve")
    )
    for moment in moments():
        try:
            cluster = copy.read(moment)
            asked = [
                (flow, ask.expected)
                for ask in moment.asks
                for flow in flows_of(cluster, ask, grammar)
            ]
            found = copy.outcomes(cluster, [flow for flow, _ in asked])
        except (RingfenceError, ValueError) as error:
            yield f"{moment.name}: {error}"
            continue
        if found != [expected for _, expected in asked]:
            yield moment.name
    for seed, (cluster, flows, right) in enumerate(worlds()):
        if copy.outcomes(cluster, flows) != right:
            yield f"world {seed}"


def make_copy(mistake: Mistake, folder: Path) -> Iterator[Copy]:
    name = f"copy_of_ringfence_{folder.name}"
    packages = {edit.file.partition("/")[0] for edit in mistake.edits} or set(ALL)
    if "engine" in packages:
        packages.add("questions")  # whose words are resolved by the engine's selectors
    for package in packages:
        shutil.copytree(
            SOURCE / package,
            folder / name / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for edit in mistake.edits:
        path = folder / name / edit.file
        text = path.read_text()
        assert text.count(edit.right) == 1, f"{edit.file} has not once:\n{edit.right}"
        path.write_text(text.replace(edit.right, edit.wrong))
    for path in (folder / name).rglob("*.py"):
        text = path.read_text()
        for package in packages:
            text = text.replace(f"ringfence.{package}", f"{name}.{package}")
        path.write_text(text)
    sys.path.insert(0, str(folder))
    yield Copy(name, frozenset(packages))
    sys.path.remove(str(folder))
    for module in [m for m in sys.modules if m.startswith(name)]:
        del sys.modules[module]


@pytest.fixture
def faithful(tmp_path: Path) -> Iterator[Copy]:
    yield from make_copy(NO_MISTAKE, tmp_path)


@pytest.fixture
def mistaken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Copy]:
    yield from make_copy(request.param, tmp_path)


def test_a_faithful_copy_gives_no_wrong_answer(faithful: Copy) -> None:
    assert noticed_by(faithful) == ""


@pytest.mark.parametrize("mistaken", MISTAKES, ids=lambda m: m.name, indirect=True)
def test_a_mistake_is_noticed(mistaken: Copy) -> None:
    assert noticed_by(mistaken)
