"""docs/agent.md has every setting and every metric of the agent."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ringfence.agent.metrics import Metrics
from ringfence.cli.agent import run
from ringfence.doctor.enforcers import ENFORCERS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "agent.md").read_text()


def test_every_setting_is_in_the_table_with_its_variable_and_default() -> None:
    rows = {
        row[1]: (row[2], row[3].strip())
        for row in re.finditer(
            r"^\| `(--[a-z-]+)` \| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE
        )
    }
    options = [one for one in run.params if isinstance(one, click.Option)]
    assert rows.keys() == {one.opts[0] for one in options}
    for option in options:
        name = option.opts[0]
        variable, default = rows[name]
        expected = "RINGFENCE_" + name.removeprefix("--").upper().replace("-", "_")
        assert variable == expected
        if option.show_default:
            assert default == f"`{option.default}`"


def test_every_metric_is_in_the_table_and_no_other() -> None:
    text = Metrics().exposition().decode()
    exposed = set(re.findall(r"^# TYPE (ringfence_\w+) ", text, re.MULTILINE))
    exposed = {name for name in exposed if not name.endswith("_created")}
    assert set(re.findall(r"^\| `(ringfence_\w+)` \|", PAGE, re.MULTILINE)) == exposed


def test_every_known_enforcer_is_named() -> None:
    page = " ".join((DOCS / "doctor.md").read_text().split())
    assert [one.name for one in ENFORCERS if one.name not in page] == []
