"""Which cluster, as whom: kubeconfig files merged and read as kubectl does.

Source: client-go tools/clientcmd (loader.go, client_config.go) and the API type
``Config`` of clientcmd/api/v1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from ringfence.errors import InputError, Problem
from ringfence.manifest.decoding.fields import Field
from ringfence.manifest.reader import items, read_documents

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, its namespace and whom to trust (KEP-1205)."""
_HOME_CONFIG = "~/.kube/config"
_CLOSE = 0.6


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says about the cluster; empty: as the files have it."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    as_user: str = ""
    as_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """How an API server is reached; ``ca_data`` is base64 of PEM."""

    url: str
    ca_file: str = ""
    ca_data: str = ""
    tls_name: str = ""
    proxy: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Exec:
    """A program that hands out credentials (client.authentication.k8s.io)."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    api_version: str
    install_hint: str
    wants_cluster: bool


@dataclass(frozen=True, slots=True)
class User:
    """Credentials of a user; certificates are paths or base64 of PEM."""

    name: str = ""
    token: str = ""
    token_file: str = ""
    cert_file: str = ""
    cert_data: str = ""
    key_file: str = ""
    key_data: str = ""
    username: str = ""
    password: str = ""
    exec: Exec | None = None
    as_user: str = ""
    as_uid: str = ""
    as_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """One cluster and one user; ``namespace`` is where names without one are."""

    context: str
    namespace: str
    server: Server
    user: User


@dataclass(frozen=True, slots=True)
class _Context:
    cluster: str
    user: str
    namespace: str


@dataclass(frozen=True, slots=True)
class _Config:
    """The files as one: of a name given twice the first one counts."""

    shown: str
    current: str
    contexts: Mapping[str, Field]
    clusters: Mapping[str, Field]
    users: Mapping[str, Field]
    problems: list[Problem]


def choose_access(
    choice: Choice,
    environment: Mapping[str, str],
    *,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """Return the cluster and user that kubectl would use here.

    That is ``choice.kubeconfig``, else the files of KUBECONFIG, else
    ``~/.kube/config``, else, inside a pod, its service account, of which
    ``service_account`` is the directory. Raises InputError where a file is wrong or
    what is chosen is not there.
    """
    paths = _paths(choice, environment)
    required = bool(choice.kubeconfig)
    found = [path for path in paths if required or path.exists()]
    if not found and _in_pod(environment, service_account):
        return _impersonating(_in_cluster(environment, service_account), choice)
    if not found:
        hint = "name one with --kubeconfig or KUBECONFIG"
        shown = os.pathsep.join(map(str, paths))
        raise InputError([Problem(shown, "there is no kubeconfig", "", hint)])
    config = _merged(found)
    if config.problems:
        raise InputError(config.problems)
    access = _access(config, choice)
    if config.problems:
        raise InputError(dict.fromkeys(config.problems))
    return _impersonating(access, choice)


def _paths(choice: Choice, environment: Mapping[str, str]) -> list[Path]:
    if choice.kubeconfig:
        return [Path(choice.kubeconfig)]
    listed = environment.get("KUBECONFIG", "").split(os.pathsep)
    named = list(dict.fromkeys(filter(None, listed)))
    return [Path(name) for name in named] or [Path(_HOME_CONFIG).expanduser()]


def _in_pod(environment: Mapping[str, str], account: Path) -> bool:
    served = "KUBERNETES_SERVICE_HOST" in environment
    return served and (account / "token").exists()


def _in_cluster(environment: Mapping[str, str], account: Path) -> Access:
    host = environment["KUBERNETES_SERVICE_HOST"]
    host = f"[{host}]" if ":" in host else host
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    place = account / "namespace"
    namespace = place.read_text().strip() if place.exists() else ""
    return Access(
        context="in-cluster",
        namespace=namespace or "default",
        server=Server(f"https://{host}:{port}", str(account / "ca.crt")),
        user=User("serviceaccount", token_file=str(account / "token")),
    )


def _impersonating(access: Access, choice: Choice) -> Access:
    user = access.user
    if choice.as_user:
        user = replace(
            user, as_user=choice.as_user, as_uid="", as_groups=choice.as_groups
        )
    elif choice.as_groups:
        user = replace(user, as_groups=choice.as_groups)
    if user.as_groups and not user.as_user:
        raise InputError([Problem("--as-group", "needs --as, the user to act as")])
    return replace(access, user=user)


def _merged(paths: list[Path]) -> _Config:
    shown = os.pathsep.join(map(str, paths))
    config = _Config(shown, "", {}, {}, {}, [])
    for path in paths:
        written = _read(path, config.problems)
        if written is None:
            continue
        config = replace(
            config,
            current=config.current or written.at("current-context").text(),
            contexts={**_named(written, "contexts", "context"), **config.contexts},
            clusters={**_named(written, "clusters", "cluster"), **config.clusters},
            users={**_named(written, "users", "user"), **config.users},
        )
    return config


def _read(path: Path, problems: list[Problem]) -> Field | None:
    """Return the file's one object, None where it is empty or wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        problems.append(Problem(str(path), reason))
        return None
    try:
        documents = read_documents(data, str(path))[:1]
        found = [item for document in documents for item in items(document)]
    except InputError as error:
        problems += error.problems
        return None
    return Field(found[0], problems, found[0].value) if found else None


def _named(config: Field, plural: str, single: str) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for entry in config.at(plural).entries():
        name = entry.at("name").text()
        if not name:
            entry.complain("a name is missing")
        found.setdefault(name, entry.at(single))
    return found


def _access(config: _Config, choice: Choice) -> Access:
    name = choice.context or config.current
    if not name and not (choice.cluster and choice.user):
        names = ", ".join(config.contexts)
        hint = f"--context chooses from {names}" if names else "it has none"
        raise InputError([Problem(config.shown, "no context is chosen", "", hint)])
    context = _Context("", "", "")
    if name:
        context = _context(_lookup(config, config.contexts, "context", name))
    cluster = choice.cluster or context.cluster
    server = _server(_lookup(config, config.clusters, "cluster", cluster))
    user_name = choice.user or context.user
    user = User()
    if user_name:
        user = _user(_lookup(config, config.users, "user", user_name), user_name)
    return Access(name or cluster, context.namespace or "default", server, user)


def _lookup(config: _Config, table: Mapping[str, Field], what: str, name: str) -> Field:
    if name in table:
        return table[name]
    near = get_close_matches(name, table, n=1, cutoff=_CLOSE)
    known = f"there are {', '.join(table)}" if table else f"there is no {what} at all"
    hint = f"did you mean {near[0]}?" if near else known
    problem = Problem(config.shown, f'there is no {what} "{name}"', "", hint)
    raise InputError([problem])


def _context(written: Field) -> _Context:
    cluster = written.at("cluster").text()
    return _Context(cluster, written.at("user").text(), written.at("namespace").text())


def _server(written: Field) -> Server:
    url = written.at("server").text()
    if not url.startswith(("https://", "http://")):
        written.at("server").complain(
            f'must be the address of an API server, found "{url}"'
        )
    return Server(
        url=url.rstrip("/"),
        ca_file=_path(written.at("certificate-authority")),
        ca_data=written.at("certificate-authority-data").text(),
        tls_name=written.at("tls-server-name").text(),
        proxy=written.at("proxy-url").text(),
        insecure=written.at("insecure-skip-tls-verify").flag(),
    )


def _user(written: Field, name: str) -> User:
    provider = written.at("auth-provider")
    if not provider.absent:
        provider.complain("auth-provider is not supported", "exec took its place")
    groups = written.at("as-groups").entries()
    return User(
        name=name,
        token=written.at("token").text(),
        token_file=_path(written.at("tokenFile")),
        cert_file=_path(written.at("client-certificate")),
        cert_data=written.at("client-certificate-data").text(),
        key_file=_path(written.at("client-key")),
        key_data=written.at("client-key-data").text(),
        username=written.at("username").text(),
        password=written.at("password").text(),
        exec=_exec(written.at("exec")),
        as_user=written.at("as").text(),
        as_uid=written.at("as-uid").text(),
        as_groups=tuple(entry.text() for entry in groups),
    )


def _exec(written: Field) -> Exec | None:
    if written.absent:
        return None
    command = written.at("command")
    if not command.text():
        command.complain("a command is missing")
    # A bare name is looked for on the PATH; a path is the file's own.
    with_path = "/" in command.text()
    variables = written.at("env").entries()
    return Exec(
        command=_path(command) if with_path else command.text(),
        arguments=tuple(entry.text() for entry in written.at("args").entries()),
        environment={
            entry.at("name").text(): entry.at("value").text() for entry in variables
        },
        api_version=written.at("apiVersion").text(),
        install_hint=written.at("installHint").text(),
        wants_cluster=written.at("provideClusterInfo").flag(),
    )


def _path(written: Field) -> str:
    """Return a path as from here: files name others as from where they are."""
    text = written.text()
    folder = Path(written.item.document.source).parent
    return str(folder / text) if text else ""
