from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ringfence.cli.validate import validate

GOOD = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: good}
spec: {podSelector: {}}
"""
BAD = GOOD.replace("good", "bad").replace("{podSelector", "{podselector")
OTHER = "apiVersion: v1\nkind: ConfigMap\n"


def run(path: Path, text: str, *options: str) -> Result:
    source = path / "in.yaml"
    source.write_text(text)
    runner = CliRunner()
    return runner.invoke(validate, ["-f", str(source), *options], standalone_mode=False)


def test_json_has_a_line_for_each_judged_object(tmp_path: Path) -> None:
    result = run(tmp_path, f"{GOOD}---{BAD}---\n{OTHER}", "-o", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["name"], line["valid"]) for line in lines] == [
        ("good", True),
        ("bad", False),
    ]
    assert result.return_value == 1


def test_text_names_the_place_and_what_was_meant(tmp_path: Path) -> None:
    result = run(tmp_path, BAD)
    assert result.stdout.endswith(
        "in.yaml:5:8: NetworkPolicy default/bad: "
        "spec.podselector: unknown field (did you mean podSelector?)\n"
    )


def test_what_is_no_object_is_told_without_a_name(tmp_path: Path) -> None:
    result = run(tmp_path, "hello")
    assert result.stdout.endswith(
        "in.yaml:1:1: must be an object, with apiVersion and kind\n"
    )


@pytest.mark.parametrize("option", ["--live", "--snapshot=s.gz", "--context=x"])
def test_only_manifests_are_judged(tmp_path: Path, option: str) -> None:
    assert isinstance(run(tmp_path, GOOD, option).exception, click.NoSuchOption)


def test_the_summary_counts_what_was_passed_over(tmp_path: Path) -> None:
    result = run(tmp_path, f"{GOOD}---\n{OTHER}")
    assert result.stdout == ""
    assert result.stderr == "1 valid; 0 invalid; passed over: 1 ConfigMap\n"
    assert result.return_value == 0
