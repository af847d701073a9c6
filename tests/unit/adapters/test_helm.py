"""Charts: what helm 3.22 answered, given again by a program of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringfence.adapters.inputs.helm import Values, template
from ringfence.errors import InputError

RENDERED = """\
---
# Source: shop/templates/np.yaml
apiVersion: v1
kind: Pod
metadata: {name: web}
---
# Source: shop/templates/np.yaml
apiVersion: v1
kind: Pod
metadata: {name: db}
---
# Source: shop/charts/cache/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: cache}
"""
REFUSED = """\
Error: execution error at (shop/templates/np.yaml:7:22): port is needed

Use --debug flag to render out invalid YAML
"""


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a helm that notes its arguments."""
    (tmp_path / "rendered").write_text(RENDERED)
    (tmp_path / "refused").write_text(REFUSED)
    program = tmp_path / "helm"
    program.write_text(
        "#!/bin/sh\n"
        f'printf "%s\\n" "$@" > {tmp_path}/arguments\n'
        f'case "$*" in *bad*) cat {tmp_path}/refused >&2; exit 1;; esac\n'
        f"cat {tmp_path}/rendered\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


@pytest.mark.usefixtures("helm")
def test_objects_keep_the_template_they_came_from() -> None:
    documents = template("charts/shop", Values())
    assert [str(document.position(("metadata",))) for document in documents] == [
        "shop/templates/np.yaml:4:11",
        "shop/templates/np.yaml:8:11",
        "shop/charts/cache/templates/pod.yaml:4:11",
    ]


def test_values_and_the_namespace_are_handed_on(helm: Path) -> None:
    template("--help", Values(("v.yaml",), ("a=1", "b=2"), "shop"))
    assert (helm / "arguments").read_text().split() == [
        "template",
        "--namespace",
        "shop",
        "--skip-tests",
        "--values=v.yaml",
        "--set=a=1",
        "--set=b=2",
        "--",
        "release",
        "--help",
    ]


@pytest.mark.usefixtures("helm")
def test_a_chart_that_fails_says_so_in_helms_words() -> None:
    with pytest.raises(InputError) as error:
        template("bad", Values())
    assert [str(problem) for problem in error.value.problems] == [
        "bad: execution error at (shop/templates/np.yaml:7:22): port is needed",
        "bad: Use --debug flag to render out invalid YAML",
    ]
