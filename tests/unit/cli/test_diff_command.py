"""``ringfence diff``: two sides, one line a change, exit codes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from controlplane import fixtures
from ringfence.cli.main import run
from ringfence.cli.options import Exit

MERGE = Path(__file__).parents[2] / "data" / "articles" / "merge"
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {0}, labels: {{app: {0}}}}}
spec: {{containers: [{{name: c}}]}}
status: {{podIP: 10.0.0.{1}}}
"""
OPENED = (
    "BROADENED default/pod/web -> default/pod/db :5432 by default/db ingress[0].from[0]"
)
NAMES = ("web", "db", "job")
PODS = "---".join(POD.format(name, n) for n, name in enumerate(NAMES, start=1))
CLOSED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: []
"""
OPEN = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
"""


built, kustomizer = fixtures.built, fixtures.kustomizer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"pods": PODS, "closed": CLOSED, "open": OPEN}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def diff(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], str]:
    code = run("ringfence", ["diff", *words])
    out, err = capsys.readouterr()
    return code, [" ".join(line.split()) for line in out.splitlines()], err


def test_merged_and_split_policies_differ_in_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("policies.yaml", "policies-split.yaml")
    sides = (str(MERGE / name) for name in names)
    code, lines, _ = diff(capsys, *sides, "--with", str(MERGE / "cluster.yaml"))
    assert code == Exit.OK
    assert len(lines) == 1
    assert lines[0].startswith("0 class pairs changed of ")


@pytest.mark.usefixtures("here")
def test_a_new_rule_reads_as_one_line_with_its_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, lines, _ = diff(capsys, "closed.yaml", "open.yaml", "--with", "pods.yaml")
    assert code == Exit.FINDING
    assert lines == [
        f"{OPENED} (+open.yaml:8)",
        "1 class pairs changed of 12 · 1 broadened · 0 narrowed · 0 undecided",
    ]


@pytest.mark.usefixtures("here")
def test_the_way_back_names_the_line_that_went(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, lines, _ = diff(capsys, "open.yaml", "closed.yaml", "--with", "pods.yaml")
    assert lines[0] == (
        "NARROWED default/pod/web -> default/pod/db :5432 "
        "by default/db ingress[0].from[0] (-open.yaml:8)"
    )


@pytest.mark.parametrize(
    ("kind", "code"),
    [("broadened", Exit.FINDING), ("narrowed", Exit.OK), ("any", Exit.FINDING)],
)
@pytest.mark.usefixtures("here")
def test_only_what_was_asked_for_fails(
    kind: str, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = ("closed.yaml", "open.yaml")
    found, _, _ = diff(capsys, *sides, "--with", "pods.yaml", "--fail-on", kind)
    assert found == code


@pytest.mark.usefixtures("here")
def test_json_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("closed.yaml", "open.yaml", "--with", "pods.yaml", "-o", "json")
    _, lines, _ = diff(capsys, *words)
    document = json.loads(lines[0])
    assert document["schema"] == "ringfence/diff/v1"
    assert document["summary"] == {"broadened": 1, "narrowed": 0, "undecided": 0}
    (change,) = document["changes"]
    assert change["ports"] == [{"protocol": "TCP", "port": 5432}]
    assert change["from"][0]["pods"] == ["default/web"]
    assert change["by"][0]["line"]["file"] == "open.yaml"


@pytest.mark.usefixtures("here")
def test_a_review_comment_holds_no_markup_of_the_manifests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("closed.yaml", "open.yaml", "--with", "pods.yaml", "-o", "md")
    _, lines, _ = diff(capsys, *words)
    row = next(line for line in lines if "5432" in line)
    assert row.count("|") == 5
    assert "ingress&#91;0&#93;" in row


def commit(directory: Path, text: str) -> None:
    (directory / "deploy.yaml").write_text(PODS + "---" + text)
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (("add", "deploy.yaml"), (*identity, "commit", "-q", "-m", "x")):
        subprocess.run(("git", *words), cwd=directory, check=True)


def test_two_commits_are_compared(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    commit(here, CLOSED)
    subprocess.run(("git", "tag", "v1"), cwd=here, check=True)
    commit(here, OPEN)
    for words in (
        ("v1", "HEAD", "-f", "deploy.yaml"),
        ("v1:deploy.yaml", "deploy.yaml"),
    ):
        code, lines, _ = diff(capsys, *words)
        assert code == Exit.FINDING
        assert "(+deploy.yaml:26)" in lines[0]


def test_a_commit_needs_to_be_told_what_to_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    commit(here, OPEN)
    code, _, err = diff(capsys, "HEAD", "open.yaml")
    assert code == Exit.USAGE
    assert "say what is to be read of this commit" in err


def test_a_ref_that_is_not_there_is_an_error(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    commit(here, OPEN)
    code, _, err = diff(capsys, "maim", "HEAD", "-f", "deploy.yaml")
    assert code == Exit.USAGE
    assert "did you mean main?" in err


@pytest.mark.usefixtures("kustomizer")
def test_a_kustomization_of_a_commit_is_built(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    (here / "kustomization.yaml").write_text("resources: [deploy.yaml]\n")
    subprocess.run(("git", "add", "kustomization.yaml"), cwd=here, check=True)
    commit(here, CLOSED)
    commit(here, OPEN)
    code, lines, _ = diff(capsys, "HEAD~1", "HEAD", "-k", ".")
    assert code == Exit.FINDING
    assert lines[0].startswith(f"{OPENED} (+. (built):")


@pytest.mark.usefixtures("kustomizer")
def test_a_kustomization_is_named_from_where_the_user_stands(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    (here / "sub").mkdir()
    (here / "sub/kustomization.yaml").write_text("resources: [deploy.yaml]\n")
    subprocess.run(("git", "add", "sub"), cwd=here, check=True)
    commit(here / "sub", CLOSED)
    commit(here / "sub", OPEN)
    monkeypatch.chdir(here / "sub")
    code, lines, _ = diff(capsys, "HEAD~1", "HEAD", "-k", ".")
    assert code == Exit.FINDING
    assert lines[0].startswith(f"{OPENED} (+. (built):")


@pytest.mark.usefixtures("kustomizer")
def test_files_beside_a_kustomization_keep_their_names(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    (here / "base").mkdir()
    (here / "base/kustomization.yaml").write_text("resources: [pod.yaml]\n")
    (here / "base/pod.yaml").write_text(POD.format("cache", 9))
    subprocess.run(("git", "add", "base"), cwd=here, check=True)
    commit(here, CLOSED)
    commit(here, OPEN)
    _, lines, _ = diff(capsys, "HEAD~1", "HEAD", "-k", "base", "-f", "deploy.yaml")
    assert lines[0] == f"{OPENED} (+deploy.yaml:26)"


@pytest.mark.usefixtures("here")
def test_an_unknown_name_is_no_file_and_no_commit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = diff(capsys, "opan.yaml", "open.yaml")
    assert code == Exit.USAGE
    assert err.startswith("error: opan.yaml: no such file or directory, and this is no")
    assert err.endswith("(did you mean open.yaml?)\n")


def test_a_side_that_lacks_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ringfence", ["diff", "web.yaml"]) == Exit.USAGE
    assert "Missing argument 'HEAD'" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_the_cluster_is_a_side_with_its_option_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, _, err = diff(capsys, "live", "open.yaml")
    assert err.endswith("(with --live it is the cluster)\n")


def test_what_is_wrong_with_either_side_is_told_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {
        "text.yaml": "a: [",
        "field.yaml": OPEN.replace("ports:", "prots:"),
        "shared.yaml": CLOSED.replace("name: db", "name: DB"),
    }.items():
        (here / name).write_text(text)
    code, lines, err = diff(capsys, "text.yaml", "field.yaml", "--with", "shared.yaml")
    assert (code, lines) == (Exit.USAGE, [])
    places = [line.split(": ")[1] for line in err.splitlines()]
    assert places == ["text.yaml:2:1", "shared.yaml:4:18", "field.yaml:9:5"]


def test_every_path_that_a_commit_lacks_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    commit(here, OPEN)
    _, _, err = diff(capsys, "HEAD", "maim", "-f", "0", "-f", "1")
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "HEAD:0",
        "HEAD:1",
        "maim",
    ]
    assert err.endswith("(did you mean main?)\n")


@pytest.mark.usefixtures("kustomizer")
def test_layers_of_a_commit_are_in_the_order_given(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=here, check=True)
    (here / "kustomization.yaml").write_text("resources: [deploy.yaml]\n")
    (here / "patch.yaml").write_text(OPEN)
    subprocess.run(("git", "add", "."), cwd=here, check=True)
    commit(here, CLOSED)
    layers = ("-k", ".", "-f", "patch.yaml", "--overlay")
    code, lines, _ = diff(capsys, "HEAD:deploy.yaml", "HEAD", *layers)
    assert code == Exit.FINDING
    assert lines[0] == f"{OPENED} (+patch.yaml:8)"


def picture(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, list[str]]:
    """Return an SVG document, and what its cards are called."""
    sides = ("closed.yaml", "open.yaml", "--with", "pods.yaml")
    assert run("ringfence", ["diff", *sides, "-o", "svg", *words]) == Exit.FINDING
    text = capsys.readouterr().out
    titles = ET.fromstring(text).findall(".//*[@class='title']")  # noqa: S314 - our own
    return text, [title.text or "" for title in titles]


@pytest.mark.usefixtures("here")
def test_a_difference_is_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text, titles = picture(capsys)
    assert {"web", "db", "job"} <= set(titles)
    assert "+5432" in text


@pytest.mark.usefixtures("here")
def test_a_card_of_the_drawing_is_what_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text, titles = picture(capsys, "--by", "namespace")
    assert titles == ["default"]
    assert "each other: +5432*" in text


@pytest.mark.usefixtures("here")
def test_a_drawing_has_the_colours_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    follows, _ = picture(capsys)
    assert "prefers-color-scheme" in follows
    for theme in ("light", "dark"):
        own, _ = picture(capsys, "--theme", theme)
        assert "prefers-color-scheme" not in own


@pytest.mark.usefixtures("here")
def test_only_a_drawing_has_cards_to_choose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, lines, err = diff(capsys, "open.yaml", "open.yaml", "--by", "pod")
    assert (code, lines) == (Exit.USAGE, [])
    assert "--by is for -o svg" in err
