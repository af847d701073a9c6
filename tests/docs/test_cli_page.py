"""docs/cli.md has every command; that its help is word for word is test_console's."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ringfence.cli.main import ringfence

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def commands() -> list[str]:
    context = click.Context(ringfence, info_name="ringfence")
    found = []
    for name in ringfence.list_commands(context):
        command = ringfence.get_command(context, name)
        found.append(f"ringfence {name}")
        if isinstance(command, click.Group):
            found += [f"ringfence {name} {below}" for below in command.commands]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_has_its_help_on_the_page(command: str) -> None:
    assert f"$ {command} -h\n" in PAGE.read_text()
