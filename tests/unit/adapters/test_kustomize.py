"""Kustomizations, built by the program that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane import fixtures
from ringfence.adapters.inputs import helm, kustomize
from ringfence.errors import InputError, KernelError

built, kustomizer = fixtures.built, fixtures.kustomizer

POD = "{apiVersion: v1, kind: Pod, metadata: {name: web}}\n"


@pytest.mark.usefixtures("kustomizer")
def test_a_kustomization_is_built(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    text = "namePrefix: my-\nnamespace: shop\nresources: [pod.yaml]\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    (document,) = kustomize.build(str(tmp_path), "overlay")
    assert document.source == "overlay (built)"
    assert isinstance(document.value, dict)
    assert document.value["metadata"] == {"name": "my-web", "namespace": "shop"}


@pytest.mark.usefixtures("kustomizer")
def test_what_does_not_build_says_so_in_the_programs_words(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [missing.yaml]\n")
    with pytest.raises(InputError) as error:
        kustomize.build(str(tmp_path), "overlay")
    text = str(error.value)
    assert text.startswith("overlay: ")
    assert "missing.yaml" in text


@pytest.mark.usefixtures("kustomizer")
def test_a_directory_is_never_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("--help").mkdir()
    Path("--help/pod.yaml").write_text(POD)
    Path("--help/kustomization.yaml").write_text("resources: [pod.yaml]\n")
    (document,) = kustomize.build("--help")
    assert document.source == "--help (built)"


def test_words_are_told_without_the_head_that_they_get_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "kustomize"
    program.write_text("#!/bin/sh\necho 'error: no such thing' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"^overlay: no such thing$"):
        kustomize.build(str(tmp_path), "overlay")


def test_without_any_program_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match="neither kustomize nor kubectl"):
        kustomize.build(str(tmp_path))


def test_without_helm_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match="helm is not installed"):
        helm.template(str(tmp_path), helm.Values())
