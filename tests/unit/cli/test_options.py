"""Shared options: what is read, what is told on stderr, what stays off stdout."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ringfence.cli.completion import candidates
from ringfence.cli.main import guarded
from ringfence.cli.options import Exit, Inputs, cluster_options, load_cluster

MANIFESTS = """
{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {a: b}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
---
{apiVersion: v1, kind: Secret, metadata: {name: c}}
"""


@click.command()
@cluster_options
def pods(inputs: Inputs) -> int:
    """List the pods."""
    for key in load_cluster(inputs).cluster.pods:
        click.echo(str(key))
    return Exit.OK


def run(*words: str) -> int:
    def action() -> int:
        with pods.make_context("pods", list(words)) as context:
            code = pods.invoke(context)
            assert isinstance(code, int)
            return code

    return guarded(action)


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "in.yaml"
    path.write_text(MANIFESTS)
    return str(path)


def test_manifests_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == Exit.USAGE
    assert "-f" in capsys.readouterr().err


def test_manifests_are_completed_as_files() -> None:
    assert list(candidates(pods, ["-f", "in"])) == [":0"]


def test_what_may_not_be_read_hides_no_other_problem(
    manifest: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda *_, **__: False)  # nobody asks beforehand
    assert run("-f", manifest, "-f", "none.yaml") == Exit.USAGE
    told = capsys.readouterr().err
    assert told == "error: none.yaml: no such file or directory\n"


def test_other_kinds_are_counted_on_stderr_if_asked(
    manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-f", manifest) == Exit.OK
    assert tuple(capsys.readouterr()) == ("default/web\n", "")
    assert run("-f", manifest, "-v") == Exit.OK
    told = "passed over: 2 ConfigMap, 1 Secret\n"
    assert tuple(capsys.readouterr()) == ("default/web\n", told)


def test_the_current_namespace_is_that_of_objects_that_name_none(
    manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-f", manifest, "-n", "shop") == Exit.OK
    assert capsys.readouterr().out == "shop/web\n"


def test_a_namespace_that_cannot_be_is_refused(
    manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-f", manifest, "-n", "Shop/1") == Exit.USAGE
    assert '-n "Shop/1" is no name of a namespace' in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--set", "--values"])
def test_the_options_of_a_chart_need_one(
    option: str, manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-f", manifest, option, "a=b") == Exit.USAGE
    assert f"{option} is for charts: --helm CHART is missing" in capsys.readouterr().err


def test_a_doubled_key_is_an_error_or_by_choice_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.yaml"
    path.write_text("{apiVersion: v1, kind: Pod, metadata: {name: a, name: b}}")
    assert run("-f", str(path)) == Exit.USAGE
    out, err = capsys.readouterr()
    assert (out, err.split(":")[0]) == ("", "error")
    assert run("-f", str(path), "--field-validation", "warn") == Exit.OK
    out, err = capsys.readouterr()
    assert (out, err.split(":")[0]) == ("default/b\n", "warning")


def test_what_is_no_yaml_does_not_hide_what_is_wrong_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("{")
    (tmp_path / "b.yaml").write_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {a: 1}}}\n---\n["
    )
    assert run("-f", str(tmp_path)) == Exit.USAGE
    out, err = capsys.readouterr()
    places = [line.split()[1].rsplit("/", 1)[1] for line in err.splitlines()]
    assert out == ""
    assert [place.split(":")[0] for place in places] == ["a.yaml", "b.yaml", "b.yaml"]
    assert "labels" in err
