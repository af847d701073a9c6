"""``ringfence agent install`` and ``uninstall``: the agent as objects of a cluster."""

from __future__ import annotations

import click

from ringfence.cli.options import Exit
from ringfence.deploy.manifests import (
    IMAGE,
    MODES,
    NAMESPACE,
    Install,
    manifests,
    removal,
)

_namespace = click.option(
    "--namespace",
    "-n",
    default=NAMESPACE,
    show_default=True,
    metavar="NAME",
    help="The agent's own namespace.",
)


_image = click.option(
    "--image",
    default=IMAGE,
    show_default=True,
    metavar="IMAGE",
    help="The image to run; none is published, deploy/Containerfile builds one.",
)


@click.command(short_help="Print or apply the manifests of the agent")
@_namespace
@_image
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default=MODES[0],
    show_default=True,
    help="audit: drop nothing, count and log what would be.",
)
@click.option("--apply", is_flag=True, help="Apply them with kubectl, server-side.")
@click.option(
    "--kubeconfig", default="", metavar="FILE", help="With --apply: as of kubectl."
)
@click.option(
    "--context", default="", metavar="NAME", help="With --apply: as of kubectl."
)
def install(
    *, namespace: str, image: str, mode: str, apply: bool, kubeconfig: str, context: str
) -> int:
    """Print what installs the agent on every Linux node, as YAML.

    The same objects are in deploy/: a kustomize base and a Helm chart.
    """
    text = manifests(Install(namespace, image, mode))
    chosen = {"--kubeconfig": kubeconfig, "--context": context}
    flags = [f"{name}={value}" for name, value in chosen.items() if value]
    if apply:
        from ringfence.adapters.kubernetes.kubectl import server_side_apply  # noqa: PLC0415

        click.echo(server_side_apply(text, flags), nl=False)
    elif flags:
        raise click.UsageError("--kubeconfig and --context need --apply")
    else:
        click.echo(text, nl=False)
    return Exit.OK


@click.command(short_help="Print the commands that remove the agent")
@_namespace
@_image
def uninstall(namespace: str, image: str) -> int:
    """Print the commands that remove the agent, in their order; run none.

    Stopping the agents opens nothing: nodes enforce until `agent cleanup` there,
    for which --image is run on each node once more.
    """
    click.echo(removal(Install(namespace, image)), nl=False)
    return Exit.OK
