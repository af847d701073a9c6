"""docs/profiles.md says of the profiles what ``get profiles`` says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit

PAGE = (Path(__file__).parents[2] / "docs/profiles.md").read_text()


def test_the_table_is_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ringfence", ["get", "profiles", "-o", "json"]) == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "ringfence/profiles/v1"
    rows = re.findall(r"^\| (`.*`) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    written = [[cell.replace("`", "") for cell in row] for row in rows]
    assert written == [list(item.values()) for item in document["items"]]


def test_it_needs_no_manifests_and_has_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("ringfence", ["get", "profiles", "-o", "name"]) == Exit.OK
    assert capsys.readouterr().out.split() == ["kubernetes", "calico", "cilium"]
